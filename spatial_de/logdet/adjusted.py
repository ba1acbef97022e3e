"""Log-determinants of panels whose effects do not drop out by a transformation: sums over times, adjusted for effects.

The score of rho holds ``-tr(G)``, ``G = W A^-1``, ``A = I - rho W`` over all cells of the panel. Where effects are
taken out, its expectation asks for ``-tr(G) + tr(R G)`` instead, R the (oblique) projection onto what the effects span.
Both kinds below are functions of rho whose derivative that is, ``ln|A| + integral of tr(R G)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.logdet.interpolation import Chart, errors_per_unit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from spatial_de.logdet.base import JacobianTerm, LogDeterminant

_NODES = np.array((4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96))
_TOLERANCE = 1e-8  # wanted error per dimension of R
_END = 1.0 - 1e-9  # of the interval: s is infinite at its ends
_WIDEST = 3.5  # in s: as far from the middle as a window is made before a point there is asked for
_REACH = 0.1  # a window asked for by single points reaches this far beyond them, in s


@dataclass(frozen=True)
class WeightedEigenvalues:
    """``sum_i m_i ln|1 - rho omega_i|``: each eigenvalue counts by the share that the effects leave of it.

    With ``W = V Omega V^-1`` the trace ``tr(R G)`` is ``sum_i c_i omega_i / (1 - rho omega_i)``, c the diagonal of
    ``V^-1 R V``, and ``m = 1 - c``. Lee and Yu's ``ln|A| - ln(1 - rho)`` is the special case of balanced panels: c is
    one for the eigenvalue of the constant vector, zero for the others.

    Attributes
    ----------
    eigenvalues, shares
        Omega and m, shape (n,).
    bounds
        Admissible open interval of rho.
    """

    eigenvalues: NDArray[np.float64]
    shares: NDArray[np.float64]
    bounds: tuple[float, float]
    method: str = "eigenvalues of each time"
    error_bound: float = 0.0

    @property
    def n(self) -> int:
        """Number of cells."""
        return len(self.eigenvalues)

    def prepare(self, low: float, high: float) -> None:
        """Nothing to prepare: the eigenvalues serve every rho."""

    def sketch(self) -> WeightedEigenvalues:
        """Itself: nothing is cheaper."""
        return self

    def value(self, rho: ArrayLike) -> NDArray[np.float64]:
        """The log-determinant, shape of `rho`."""
        return np.asarray(np.log(np.abs(self._factors(rho))) @ self.shares)

    def first(self, rho: ArrayLike) -> NDArray[np.float64]:
        """First derivative, shape of `rho`."""
        return np.asarray(-(self.eigenvalues / self._factors(rho)) @ self.shares)

    def second(self, rho: ArrayLike) -> NDArray[np.float64]:
        """Second derivative, shape of `rho`."""
        return np.asarray(-((self.eigenvalues / self._factors(rho)) ** 2) @ self.shares)

    def _factors(self, rho: ArrayLike) -> NDArray[np.float64]:
        return np.asarray(1.0 - np.multiply.outer(np.asarray(rho, dtype=np.float64), self.eigenvalues))


@dataclass(frozen=True, slots=True)
class _Series:
    """``tr(R G)`` between two points of the interval, in the variable s of `interpolation.Chart`."""

    low: float
    high: float
    trace: np.polynomial.Chebyshev
    integral: np.polynomial.Chebyshev
    error_bound: float


@dataclass(frozen=True)
class InterpolatedTrace:
    """``ln|A|`` of the cells plus the integral of ``tr(R G)``, interpolated where it is asked for.

    The trace is analytic where the log-determinant is, so that Chebyshev polynomials in ``artanh(rho)`` converge as
    fast (`interpolation`). Windows reach from zero, where the integral starts, to what is asked for.

    Attributes
    ----------
    base
        ``ln|A|``.
    trace
        ``tr(R G)`` at one rho.
    rank
        Dimension of what the effects span.
    strip
        See `interpolation.Chart`.
    """

    base: LogDeterminant
    trace: Callable[[float], float]
    rank: int
    strip: float
    _windows: list[_Series] = field(default_factory=list)

    @property
    def method(self) -> str:
        """Name of the method."""
        return f"{self.base.method}, traces of the effects by factorisations"

    @property
    def error_bound(self) -> float:
        """Bound of the error over all that was asked so far."""
        return self.base.error_bound + max((window.error_bound for window in self._windows), default=0.0)

    @property
    def n(self) -> int:
        """Number of cells."""
        return self.base.n

    @property
    def bounds(self) -> tuple[float, float]:
        """Admissible open interval of rho."""
        return self.base.bounds

    def prepare(self, low: float, high: float) -> None:
        """Make the interpolant between zero and two values of rho, unless there is one, but not close to the ends."""
        self.base.prepare(low, high)
        ends = self._chart.to_rho(np.array([-_WIDEST, _WIDEST]))
        self._window(max(low, float(ends[0])), min(high, float(ends[1])), reach=0.0)

    def sketch(self) -> Scaled:
        """The log-determinant of the cells, times the share of their space that the effects leave."""
        return Scaled(self.base.sketch(), 1.0 - self.rank / self.n)

    def value(self, rho: ArrayLike) -> NDArray[np.float64]:
        """The adjusted log-determinant, shape of `rho`."""
        window, s = self._at(rho)
        return np.asarray(self.base.value(rho) + window.integral(s))

    def first(self, rho: ArrayLike) -> NDArray[np.float64]:
        """First derivative, shape of `rho`."""
        window, s = self._at(rho)
        return np.asarray(self.base.first(rho) + window.trace(s))

    def second(self, rho: ArrayLike) -> NDArray[np.float64]:
        """Second derivative, shape of `rho`."""
        window, s = self._at(rho)
        return np.asarray(self.base.second(rho) + window.trace.deriv()(s) * self._slope(np.asarray(rho)))

    @property
    def _chart(self) -> Chart:
        return Chart(*self.bounds, strip=self.strip)

    def _slope(self, rho: NDArray[np.float64]) -> NDArray[np.float64]:
        """``ds / drho``."""
        chart = self._chart
        return np.asarray(1.0 / (chart.half * (1.0 - ((rho - chart.centre) / chart.half) ** 2)))

    def _at(self, rho: ArrayLike) -> tuple[_Series, NDArray[np.float64]]:
        at = np.asarray(rho, dtype=np.float64)
        return self._window(float(at.min()), float(at.max()), reach=_REACH), self._chart.to_s(at)

    def _window(self, low: float, high: float, *, reach: float) -> _Series:
        chart = self._chart
        asked = np.clip([min(low, 0.0), max(high, 0.0)], *(chart.centre + _END * chart.half * np.array([-1.0, 1.0])))
        ends = chart.to_s(asked)
        found = next((one for one in self._windows if one.low <= ends[0] and ends[1] <= one.high), None)
        if found is None:
            found = self._interpolate(float(ends[0]) - reach, float(ends[1]) + reach)
            self._windows[:] = [*self._windows[-3:], found]
        return found

    def _interpolate(self, low: float, high: float) -> _Series:
        chart, middle, half = self._chart, 0.5 * (low + high), 0.5 * (high - low)
        bounds = errors_per_unit(chart, half, nodes=_NODES, of_slope=True)
        chosen = next((i for i, bound in enumerate(bounds) if bound <= _TOLERANCE), len(_NODES) - 1)
        m = int(_NODES[chosen])
        s = middle + half * np.cos((np.arange(m) + 0.5) * np.pi / m)
        rho = chart.to_rho(s)
        domain = [low, high]
        values = np.array([self.trace(float(x)) for x in rho])
        fit = np.polynomial.Chebyshev.fit
        trace = fit(s, values, m - 1, domain=domain)
        integrand = fit(s, values / self._slope(rho), m - 1, domain=domain)
        start = float(chart.to_s(np.array(0.0)))
        return _Series(low, high, trace, integrand.integ(lbnd=start), self.rank * float(bounds[chosen]))


@dataclass(frozen=True, slots=True)
class Scaled:
    """A multiple of a log-determinant: a sketch of an adjusted one.

    Attributes
    ----------
    base, share
        The log-determinant and the factor.
    """

    base: JacobianTerm
    share: float

    @property
    def method(self) -> str:
        """Name of the method."""
        return self.base.method

    @property
    def error_bound(self) -> float:
        """That of the log-determinant."""
        return self.base.error_bound

    @property
    def bounds(self) -> tuple[float, float]:
        """Admissible open interval of rho."""
        return self.base.bounds

    def prepare(self, low: float, high: float) -> None:
        """Pass it on."""
        self.base.prepare(low, high)

    def sketch(self) -> Scaled:
        """Itself."""
        return self

    def value(self, rho: ArrayLike) -> NDArray[np.float64]:
        """The multiple, shape of `rho`."""
        return np.asarray(self.share * self.base.value(rho))

    def first(self, rho: ArrayLike) -> NDArray[np.float64]:
        """First derivative."""
        return np.asarray(self.share * self.base.first(rho))

    def second(self, rho: ArrayLike) -> NDArray[np.float64]:
        """Second derivative."""
        return np.asarray(self.share * self.base.second(rho))
