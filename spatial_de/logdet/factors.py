"""Exact ln|I - rho W| from sparse factorisations: a registry of backends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from spatial_de.errors import IdentificationError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

_PIVOT = 0.1  # share of the largest entry of a column from which its diagonal will do as pivot


@dataclass(frozen=True, slots=True)
class Backend:
    """A way to factorise ``I - rho W`` at several values of rho with one analysis of the pattern.

    Attributes
    ----------
    name
        For the result, e.g. ``"sparse Cholesky (CHOLMOD)"``.
    symmetric
        Whether it needs a symmetric matrix.
    needs
        The module it comes from.
    values
        ``values(matrix, rho)``: ln|I - rho W| at each rho, shape of rho.
    """

    name: str
    symmetric: bool
    needs: str
    values: Callable[[csr_array, NDArray[np.float64]], NDArray[np.float64]]

    @property
    def available(self) -> bool:
        """Whether the module is installed."""
        return find_spec(self.needs) is not None


def backend(*, symmetric: bool) -> Backend:
    """The first backend of the registry that is installed and fits."""
    return next(one for one in BACKENDS if one.available and (symmetric or not one.symmetric))


def _cholmod(matrix: csr_array, rho: NDArray[np.float64]) -> NDArray[np.float64]:
    from cvxopt import cholmod, spmatrix
    from cvxopt import matrix as dense

    row, column, weights = _lower_triangle(matrix)
    own = np.flatnonzero(row == column)
    system = spmatrix(dense(1.0, (len(row), 1)), dense(row), dense(column), matrix.shape)
    del row, column
    factor = cholmod.symbolic(system)
    out, entries = np.empty(len(rho)), np.empty_like(weights)
    for i, value in enumerate(rho):
        np.multiply(weights, -value, out=entries)
        entries[own] = 1.0
        system.V = dense(entries)
        try:
            cholmod.numeric(system, factor)
        except ArithmeticError as error:
            raise _outside(value) from error
        out[i] = 2.0 * np.log(np.asarray(cholmod.diag(factor))).sum()
    return out


def _lower_triangle(
    matrix: csr_array,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Row, column and weight of the diagonal and of what is below it, column after column.

    By symmetry column j below the diagonal is row j right of it, which is stored together.
    """
    n = matrix.shape[0]
    owner = np.repeat(np.arange(n, dtype=matrix.indices.dtype), np.diff(matrix.indptr))
    right = matrix.indices > owner
    owner = owner[right]
    start = np.searchsorted(owner, np.arange(n))
    row, column = (np.insert(axis, start, np.arange(n)).astype(np.int64) for axis in (matrix.indices[right], owner))
    return row, column, np.insert(matrix.data[right], start, 0.0)


def _superlu(matrix: csr_array, rho: NDArray[np.float64], *, definite: bool = False) -> NDArray[np.float64]:
    out = np.empty(len(rho))
    for i, value in enumerate(rho):
        pivots = factorised(matrix, float(value), definite=definite).U.diagonal()
        if definite and (pivots <= 0.0).any():
            raise _outside(value)
        out[i] = np.log(np.abs(pivots)).sum()
    return out


def _superlu_symmetric(matrix: csr_array, rho: NDArray[np.float64]) -> NDArray[np.float64]:
    return _superlu(matrix, rho, definite=True)


def factorised(matrix: Any, rho: float, *, definite: bool = False) -> Any:
    """SuperLU's factors of ``I - rho W``, which solve systems with it.

    Parameters
    ----------
    matrix
        W, shape (n, n).
    rho
        Spatial parameter.
    definite
        Whether ``I - rho W`` is known to be symmetric and positive definite, so that no pivots need to be sought.

    Raises
    ------
    IdentificationError
        ``I - rho W`` is singular.
    """
    from scipy.sparse import eye_array

    try:
        return sparse_lu(eye_array(matrix.shape[0], format="csc") - rho * matrix.tocsc(), definite=definite)
    except RuntimeError as error:  # SuperLU's word for an exactly singular matrix
        raise _outside(rho) from error


def sparse_lu(system: Any, *, definite: bool = False) -> Any:
    """SuperLU's factors of a sparse matrix, real or complex, with the ordering of a symmetric pattern.

    Also where the matrix is not symmetric: links mostly go both ways, and the factors stay half as large as with the
    ordering for any matrix. Both settings are needed: with either alone the factors of irregular maps fill up.
    """
    from scipy.sparse.linalg import splu

    return splu(
        system.tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0 if definite else _PIVOT,
        options={"SymmetricMode": True},
    )


def _outside(rho: float) -> IdentificationError:
    return IdentificationError(f"I - rho W is singular or not positive definite at rho = {rho:.6g}.")


BACKENDS: tuple[Backend, ...] = (
    Backend("sparse Cholesky (CHOLMOD)", symmetric=True, needs="cvxopt", values=_cholmod),
    Backend("sparse LU, symmetric mode (SuperLU)", symmetric=True, needs="scipy", values=_superlu_symmetric),
    Backend("sparse LU (SuperLU)", symmetric=False, needs="scipy", values=_superlu),
)
