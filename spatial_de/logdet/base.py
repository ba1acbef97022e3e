"""What a log-determinant offers, and the registry that chooses one."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np

from spatial_de.errors import CapacityError
from spatial_de.logdet.eigenvalues import EigenvalueLogDeterminant

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from spatial_de.weights import SpatialWeights

DENSE_LIMIT = 6000  # units: 8 n^2 bytes of a dense matrix, about 0.3 GB, and minutes of eigenvalues


class LogDeterminant(Protocol):
    """ln|I - rho W| as a function of rho.

    With ``A = I - rho W`` the derivatives give the traces that models need:
    ``tr(W A^-1) = -f'``, ``tr((W A^-1)^2) = -f''``, ``tr(A^-1) = n - rho f'``.
    """

    @property
    def method(self) -> str:
        """Name of the method, for the result."""
        ...

    @property
    def n(self) -> int:
        """Number of units."""
        ...

    @property
    def bounds(self) -> tuple[float, float]:
        """Admissible open interval of rho."""
        ...

    def value(self, rho: ArrayLike) -> NDArray[np.float64]:
        """``ln|I - rho W|``, shape of `rho`."""
        ...

    def first(self, rho: ArrayLike) -> NDArray[np.float64]:
        """First derivative with respect to rho, shape of `rho`."""
        ...

    def second(self, rho: ArrayLike) -> NDArray[np.float64]:
        """Second derivative with respect to rho, shape of `rho`."""
        ...


@lru_cache(maxsize=64)
def log_determinant(w: SpatialWeights) -> LogDeterminant:
    """The log-determinant of weights, kept for the next fit with the same weights.

    Raises
    ------
    CapacityError
        The dense eigenvalues of this many units would need too much memory.
    """
    if w.n > DENSE_LIMIT:
        needed = 3 * 8 * w.n**2 / 1e9
        raise CapacityError(
            f"Eigenvalues of {w.n:,} x {w.n:,} weights would need about {needed:.1f} GB; the limit is "
            f"{DENSE_LIMIT:,} units. Models without a spatial lag or error (ols, slx) have no such limit."
        )
    return EigenvalueLogDeterminant.of(w)
