"""What a log-determinant offers, and the registry that chooses one."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from spatial_de.errors import CapacityError
from spatial_de.logdet.eigenvalues import EigenvalueLogDeterminant
from spatial_de.logdet.interval import admissible_interval
from spatial_de.logdet.sparse import SparseLogDeterminant
from spatial_de.logdet.stochastic import StochasticLogDeterminant, stochastic
from spatial_de.weights.stacked import StackedWeights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from spatial_de.weights import SpatialWeights

Method = Literal["auto", "eigenvalues", "sparse", "stochastic"]
DENSE_LIMIT = 6000  # units: 8 n^2 bytes of a dense matrix, about 0.3 GB, and minutes of eigenvalues
_FEW = 400  # units up to which all eigenvalues cost less than a few sparse factorisations
_DENSE_SHARE = 0.2  # of possible links from which a factor is as good as full
_PROBES = 64


class JacobianTerm(Protocol):
    """What a likelihood adds for one spatial parameter: a log-determinant, or one that is adjusted for effects."""

    @property
    def method(self) -> str:
        """Name of the method, for the result."""
        ...

    @property
    def error_bound(self) -> float:
        """What the values may be off by, beyond rounding: a bound, or the standard error of a stochastic method."""
        ...

    @property
    def bounds(self) -> tuple[float, float]:
        """Admissible open interval of rho."""
        ...

    def prepare(self, low: float, high: float) -> None:
        """Say that values between two rho will be asked for."""
        ...

    def sketch(self) -> JacobianTerm:
        """Something cheap over the whole interval that shows where the maximum of a likelihood is."""
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


class LogDeterminant(JacobianTerm, Protocol):
    """ln|I - rho W| as a function of rho.

    With ``A = I - rho W`` the derivatives give the traces that models need:
    ``tr(W A^-1) = -f'``, ``tr((W A^-1)^2) = -f''``, ``tr(A^-1) = n - rho f'``.
    """

    @property
    def n(self) -> int:
        """Number of units."""
        ...

    def without_unit_root(self) -> LogDeterminant:
        """``ln|I - rho W| - ln(1 - rho)`` of weights whose rows add up to one, exact also where rho is almost one."""
        ...


@lru_cache(maxsize=64)
def log_determinant(w: SpatialWeights, method: Method = "auto") -> LogDeterminant:
    """The log-determinant of weights, kept for the next fit with the same weights.

    Parameters
    ----------
    w
        Weights.
    method
        ``"eigenvalues"``: all of them, dense. ``"sparse"``: factorisations at a few values of rho, interpolated with
        an error bound below 1e-10 (1e-12 for each unit, where that is more). ``"stochastic"``: random probes, with a
        standard error. ``"auto"``: eigenvalues for few units or nearly full weights, else sparse.

    Raises
    ------
    CapacityError
        The dense eigenvalues of this many units would need too much memory.
    """
    return METHODS[_choose(w) if method == "auto" else method](w)


def _choose(w: SpatialWeights) -> str:
    blocks = w.blocks if isinstance(w, StackedWeights) else (w,)
    dense = any(one.n_links > _DENSE_SHARE * one.n**2 for one in blocks) and w.n <= DENSE_LIMIT
    return "eigenvalues" if max(one.n for one in blocks) <= _FEW or dense else "sparse"


def _by_eigenvalues(w: SpatialWeights) -> LogDeterminant:
    if not isinstance(w, StackedWeights) and w.n > DENSE_LIMIT:
        needed = 3 * 8 * w.n**2 / 1e9
        raise CapacityError(
            f"Eigenvalues of {w.n:,} x {w.n:,} weights would need about {needed:.1f} GB; the limit is "
            f"{DENSE_LIMIT:,} units. Use logdet='sparse'."
        )
    return EigenvalueLogDeterminant.of(w)


def _by_probes(w: SpatialWeights) -> StochasticLogDeterminant:
    form = w.symmetric_form
    matrix = w.sparse if form is None else form
    return stochastic(matrix, symmetric=form is not None, bounds=admissible_interval(w, form), probes=_PROBES)


METHODS: dict[str, Callable[[SpatialWeights], LogDeterminant]] = {
    "eigenvalues": _by_eigenvalues,
    "sparse": SparseLogDeterminant.of,
    "stochastic": _by_probes,
}
