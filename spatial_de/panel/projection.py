"""The projection off sparse columns, such as dummies of units and times."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Projection:
    """``P = I - C F^-1 C'`` with ``F = C'C``, applied without ever being formed.

    The columns of units and those of times meet in a sparse factor of F, whose fill is the Schur complement over the
    times: the solution is exact, no iteration over means.

    Attributes
    ----------
    columns
        C, linearly independent, shape (n, r).
    factor
        Sparse factor of F; None without columns.
    """

    columns: sparse.csr_array
    factor: Any

    @classmethod
    def off(cls, columns: sparse.csr_array) -> Projection:
        """Factorise."""
        from scipy.sparse.linalg import splu

        if not columns.shape[1]:
            return cls(columns, None)
        gram = (columns.T @ columns).tocsc()
        # C'C is positive definite: no pivoting, and the ordering of symmetric matrices
        factor = splu(gram, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        return cls(columns, factor)

    def __reduce__(self) -> tuple[Any, ...]:
        """Factors cannot be stored: they are made again."""
        return Projection.off, (self.columns,)

    @property
    def rank(self) -> int:
        """Number of columns."""
        return int(self.columns.shape[1])

    @cached_property
    def logdet(self) -> float:
        """``ln|C'C|``."""
        return 0.0 if self.factor is None else float(np.log(np.abs(self.factor.U.diagonal())).sum())

    def solve(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """``F^-1 x``, shape (r, ...)."""
        # columns one after the other in memory: several times faster
        return np.asarray(self.factor.solve(np.asfortranarray(x))) if self.factor is not None else x

    def coefficients(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """``F^-1 C' x``, with one step of refinement, shape (r, ...)."""
        found = self.solve(self.columns.T @ x)
        return np.asarray(found + self.solve(self.columns.T @ (x - self.columns @ found)))

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """``P x``, shape (n, ...)."""
        return np.asarray(x - self.columns @ self.coefficients(x))
