"""Chebyshev interpolation of ln|I - rho W| in a variable in which it is smooth, with an error bound known beforehand.

The admissible interval of rho is mapped onto (-1, 1), and that by ``s = artanh`` onto the real line. The
log-determinant is singular where rho is the inverse of an eigenvalue. For real eigenvalues these points lie on the
real line outside the interval, which the map sends to ``|Im s| = pi/2``; for complex ones outside the disc around
the interval, which the map sends to ``|Im s| >= pi/4``. In between it is analytic, so that the error of Chebyshev
interpolation falls geometrically with the number of nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_NODES = (*range(4, 17), 18, 20, 24, 32, 40, 48, 64, 80, 96)
_ELLIPSES = 24  # ellipses tried for the bound
_POINTS = 65  # points on half an ellipse


@dataclass(frozen=True)
class Chart:
    """The map between rho and s.

    Attributes
    ----------
    low, high
        Admissible interval of rho.
    strip
        Half-width of the strip ``|Im s| < strip`` without singularities: pi/2 for real eigenvalues, else pi/4.
    """

    low: float
    high: float
    strip: float

    @property
    def centre(self) -> float:
        """Middle of the interval."""
        return 0.5 * (self.low + self.high)

    @property
    def half(self) -> float:
        """Half its length."""
        return 0.5 * (self.high - self.low)

    def to_s(self, rho: NDArray[np.float64]) -> NDArray[np.float64]:
        """``artanh((rho - centre) / half)``."""
        return np.asarray(np.arctanh((rho - self.centre) / self.half))

    def to_rho(self, s: NDArray[np.float64]) -> NDArray[np.float64]:
        """The inverse map."""
        return np.asarray(self.centre + self.half * np.tanh(s))


@dataclass(frozen=True)
class Window:
    """The interpolant over a part of the interval.

    Attributes
    ----------
    chart
        Map between rho and s.
    low, high
        The part, in s.
    coefficients
        Of the Chebyshev polynomials on it, shape (m,).
    error_bound
        Bound of the error of the log-determinant anywhere on it, rounding apart.
    """

    chart: Chart
    low: float
    high: float
    coefficients: NDArray[np.float64]
    error_bound: float

    def holds(self, rho: NDArray[np.float64]) -> bool:
        """Whether all of rho lie on it."""
        ends = self.chart.to_s(np.array([rho.min(), rho.max()]))
        return bool(self.low <= ends[0] and ends[1] <= self.high)

    def derivatives(self, rho: NDArray[np.float64]) -> tuple[NDArray[np.floating], ...]:
        """Value, first and second derivative with respect to rho, each of the shape of rho."""
        u = (rho - self.chart.centre) / self.chart.half
        scale = 2.0 / (self.high - self.low)
        x = (np.arctanh(u) - 0.5 * (self.low + self.high)) * scale
        series = np.polynomial.chebyshev
        first, second = (series.chebder(self.coefficients, order) for order in (1, 2))
        slope = scale / (self.chart.half * (1.0 - u**2))  # dx / drho
        bend = slope * 2.0 * u / (self.chart.half * (1.0 - u**2))
        d1 = series.chebval(x, first)
        value = series.chebval(x, self.coefficients)
        return value, d1 * slope, series.chebval(x, second) * slope**2 + d1 * bend


def interpolate(
    exact: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    chart: Chart,
    part: tuple[float, float],
    *,
    n: int,
    tolerance: float,
) -> Window:
    """Interpolate the log-determinant of n units over a part of the interval of s.

    Parameters
    ----------
    exact
        ln|I - rho W| at given rho.
    chart
        Map between rho and s.
    part
        Ends of the part, in s.
    n
        Number of units: the bound of one unit counts n times.
    tolerance
        Wanted bound of the error; as many nodes are taken as reach it, 96 at most.
    """
    low, high = part
    half = 0.5 * (high - low)
    bounds = n * errors_per_unit(chart, 0.5 * (low + high), half, nodes=np.array(_NODES))
    chosen = next((i for i, bound in enumerate(bounds) if bound <= tolerance), len(_NODES) - 1)
    m = _NODES[chosen]
    angles = (np.arange(m) + 0.5) * np.pi / m
    values = exact(chart.to_rho(0.5 * (low + high) + half * np.cos(angles)))
    waves = np.cos(np.outer(np.arange(m), angles))
    coefficients = (2.0 / m) * waves @ values
    coefficients[0] *= 0.5
    return Window(chart, low, high, coefficients, float(bounds[chosen]))


def least_error(chart: Chart, part: tuple[float, float], *, n: int) -> float:
    """Error bound of `interpolate` with as many nodes as it takes at most."""
    low, high = part
    return float(n * errors_per_unit(chart, 0.5 * (low + high), 0.5 * (high - low), nodes=np.array(_NODES[-1:]))[0])


def errors_per_unit(chart: Chart, middle: float, half: float, *, nodes: NDArray[np.int_]) -> NDArray[np.float64]:
    """Bounds of the error of one eigenvalue's ``ln(1 - rho omega)``, whatever the eigenvalue, shape of `nodes`.

    ``4 M r^(1-m) / (r - 1)`` with m nodes for a function bounded by M on the ellipse with parameter r around the
    part; the best of several ellipses inside the strip.

    References
    ----------
    Trefethen, L. N. (2013). *Approximation Theory and Approximation Practice*, theorem 8.2.
    """
    x = np.linspace(0.05, 0.98, _ELLIPSES)[:, None] * chart.strip / half
    r = x + np.sqrt(1.0 + x**2)
    angle = np.linspace(0.0, np.pi, _POINTS)  # the other half mirrors it
    s = middle + half * (0.5 * (r + 1.0 / r) * np.cos(angle) + 0.5j * (r - 1.0 / r) * np.sin(angle))
    bounds = 4.0 * _largest(chart, s)[:, None] * r ** (1.0 - nodes) / (r - 1.0)
    out: NDArray[np.float64] = bounds.min(axis=0)
    return out


def _largest(chart: Chart, s: NDArray[np.inexact]) -> NDArray[np.float64]:
    """Largest ``|ln(1 - rho omega)|`` on each curve (row) over all eigenvalues that the interval allows.

    Real eigenvalues: ``1 - rho omega`` runs over the segment between ``1 - rho / low`` and ``1 - rho / high``.
    Complex ones lie in the disc ``|omega| <= 1 / high``: it runs over the disc around one with radius ``|rho| / high``.
    """
    rho = chart.centre + chart.half * np.tanh(s)
    if chart.strip < 1.5:
        radius = np.abs(rho) / chart.high
        nearest, furthest = np.maximum(1.0 - radius, 1e-300), 1.0 + radius
    else:
        a, b = 1.0 - rho / chart.low, 1.0 - rho / chart.high
        furthest = np.maximum(np.abs(a), np.abs(b))
        step = b - a
        along = np.clip(-(a * step.conj()).real / np.maximum(np.abs(step) ** 2, 1e-300), 0.0, 1.0)
        nearest = np.maximum(np.abs(a + along * step), 1e-300)
    out: NDArray[np.float64] = np.hypot(np.maximum(np.log(furthest), -np.log(nearest)), np.pi).max(axis=1)
    return out
