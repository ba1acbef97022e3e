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
    from scipy.sparse import coo_array, tril

    n = matrix.shape[0]
    lower = coo_array(tril(matrix, -1))
    row, column = (np.concatenate([axis, np.arange(n)]).astype(np.int64) for axis in lower.coords)
    ones, order = np.ones(n), np.lexsort((row, column))
    system = spmatrix(dense(1.0, (len(row), 1)), dense(row), dense(column), (n, n))
    factor = cholmod.symbolic(system)
    out = np.empty(len(rho))
    for i, value in enumerate(rho):
        system.V = dense(np.concatenate([-value * lower.data, ones])[order])
        try:
            cholmod.numeric(system, factor)
        except ArithmeticError as error:
            raise _outside(value) from error
        out[i] = 2.0 * np.log(np.asarray(cholmod.diag(factor))).sum()
    return out


def _superlu(
    matrix: csr_array, rho: NDArray[np.float64], *, definite: bool = False, **options: Any
) -> NDArray[np.float64]:
    from scipy.sparse import eye_array
    from scipy.sparse.linalg import splu

    identity, system = eye_array(matrix.shape[0], format="csc"), matrix.tocsc()
    out = np.empty(len(rho))
    for i, value in enumerate(rho):
        try:
            factor = splu(identity - value * system, **options)
        except RuntimeError as error:  # SuperLU's word for an exactly singular matrix
            raise _outside(value) from error
        pivots = factor.U.diagonal()
        if definite and (pivots <= 0.0).any():
            raise _outside(value)
        out[i] = np.log(np.abs(pivots)).sum()
    return out


def _superlu_symmetric(matrix: csr_array, rho: NDArray[np.float64]) -> NDArray[np.float64]:
    # both settings are needed: with either alone the factors of irregular maps fill up
    return _superlu(
        matrix, rho, definite=True, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )


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
