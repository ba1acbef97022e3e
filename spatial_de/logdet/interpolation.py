"""Chebyshev interpolation of ln|I - rho W| in a variable in which it is smooth, with an error bound known beforehand.

The admissible interval of rho is mapped onto (-1, 1), and that by ``s = artanh`` onto the real line. The
log-determinant is singular where rho is the inverse of an eigenvalue. For real eigenvalues these points lie on the
real line outside the interval, which the map sends to ``|Im s| = pi/2``; for complex ones outside the disc around
the interval, which the map sends to ``|Im s| >= pi/4``. In between it is analytic, so that the error of Chebyshev
interpolation falls geometrically with the number of nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_NODES = (*range(4, 17), 18, 20, 24, 32, 40, 48, 64, 80, 96)
_ZEROS = 20  # of each ladder that a bound adds up: those further away count less than rounding


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

    @cached_property
    def _series(self) -> tuple[NDArray[np.floating], ...]:
        """Coefficients of the polynomial and of its first two derivatives."""
        derive = np.polynomial.chebyshev.chebder
        return self.coefficients, derive(self.coefficients), derive(self.coefficients, 2)

    def derivative(self, rho: NDArray[np.float64], order: int) -> NDArray[np.float64]:
        """Value (order 0), first or second derivative with respect to rho, shape of rho."""
        u = (rho - self.chart.centre) / self.chart.half
        scale = 2.0 / (self.high - self.low)
        x = (np.arctanh(u) - 0.5 * (self.low + self.high)) * scale
        evaluate = np.polynomial.chebyshev.chebval
        if order == 0:
            return np.asarray(evaluate(x, self._series[0]))
        widening = self.chart.half * (1.0 - u**2)
        slope = scale / widening  # dx / drho
        first = evaluate(x, self._series[1]) * slope
        if order == 1:
            return np.asarray(first)
        return np.asarray(evaluate(x, self._series[2]) * slope**2 + first * 2.0 * u / widening)


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
    bounds = n * errors_per_unit(chart, half, nodes=np.array(_NODES))
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
    return float(n * errors_per_unit(chart, 0.5 * (high - low), nodes=np.array(_NODES[-1:]))[0])


def errors_per_unit(
    chart: Chart, half: float, *, nodes: NDArray[np.int_], of_slope: bool = False
) -> NDArray[np.float64]:
    """Bounds of the error of one eigenvalue's ``ln|1 - rho omega|``, whatever the eigenvalue, shape of `nodes`.

    Up to a linear function it is the difference of two functions ``ln cosh(s - a)``, one with ``tanh a`` the eigenvalue
    (on the scale of the interval), one with a = 0: each adds up the logarithms of the distances of s from the zeros
    ``a + (j + 1/2) pi i``, which lie outside the strip. The k-th Chebyshev coefficient of ``ln(z - x)`` is
    ``-2 / (k w^k)`` with ``w = z + sqrt(z^2 - 1)``, and interpolation is off by at most twice the sum of the
    coefficients from the m-th on.

    Parameters
    ----------
    chart
        Map between rho and s.
    half
        Half the length of the part of the interval of s.
    nodes
        Numbers of nodes m, 4 at least.
    of_slope
        Bounds for the integral of the interpolated derivative instead.

    References
    ----------
    Trefethen, L. N. (2013). *Approximation Theory and Approximation Practice*, theorem 4.2 and equation (4.9).
    """
    height = (chart.strip + np.pi * np.arange(_ZEROS)[:, None]) / half
    r = height + np.sqrt(1.0 + height**2)  # least |w| of a zero this far from the real line
    tails = r ** -np.asarray(nodes, dtype=np.float64) / (1.0 - 1.0 / r)
    bounds = 64.0 * tails / (r - 1.0 / r) if of_slope else 16.0 * tails / nodes
    return np.asarray(bounds.sum(axis=0))
