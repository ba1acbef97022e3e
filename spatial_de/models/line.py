"""Independent draws from a density of one variable, by inverting its distribution function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import CubicSpline

from spatial_de.errors import ConvergenceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.logdet.interpolation import Chart

_DROP = 40.0  # of the log-density, from its top to where it is cut off: less than 1e-16 of the mass lies beyond
_COARSE, _NODES, _FINE = 65, 513, 32  # points that find the support, nodes of the spline, parts between two of them
_FIRST = 9.0  # standard errors around the modes that are looked at first
_END = 10.5  # in s, where rho is 1 - 1e-9 of the way to its bound


@dataclass(frozen=True, slots=True)
class Line:
    """A density of one spatial parameter over its support.

    Attributes
    ----------
    s, distribution
        Points in the variable of `interpolation.Chart` and the distribution function there.
    chart
        From s to the parameter.
    log_integral
        Logarithm of the integral of the density.
    error
        By how much the distribution function may be off: the difference to that on every second point.
    """

    s: NDArray[np.float64]
    distribution: NDArray[np.float64]
    chart: Chart
    log_integral: float
    error: float

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation of the parameter."""
        middle = self.chart.to_rho(0.5 * (self.s[1:] + self.s[:-1]))
        share = np.diff(self.distribution)
        mean = float(middle @ share)
        return mean, float(np.sqrt((middle - mean) ** 2 @ share))

    def draw(self, draws: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent draws of the parameter, shape (draws,)."""
        return self.chart.to_rho(np.interp(rng.random(draws), self.distribution, self.s))


def tabulate(
    log_density: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    chart: Chart,
    *,
    modes: Sequence[float],
    scale: float,
) -> Line:
    """Tabulate a density wherever it is more than 1e-17 of its highest value.

    Parameters
    ----------
    log_density
        Of the parameter, at g values.
    chart
        Map between the parameter and s, in which densities are smooth and do not end.
    modes, scale
        Where to look first, and how wide.

    Raises
    ------
    ConvergenceError
        The density has no finite value.
    """

    def at(s: NDArray[np.float64]) -> NDArray[np.float64]:
        slope = np.log(chart.half) - 2.0 * np.log(np.cosh(s))
        return np.asarray(log_density(chart.to_rho(s)) + slope)

    low, high = _support(at, chart, modes=modes, scale=scale)
    nodes = np.linspace(low, high, _NODES)
    values = at(nodes)
    s = np.linspace(low, high, (_NODES - 1) * _FINE + 1)
    heights = np.exp(CubicSpline(nodes, values)(s) - values.max())
    step = s[1] - s[0]
    mass = np.concatenate([[0.0], np.cumsum(0.5 * step * (heights[1:] + heights[:-1]))])
    rough = np.concatenate([[0.0], np.cumsum(step * (heights[2::2] + heights[:-2:2]))])
    error = float(np.abs(mass[::2] / mass[-1] - rough / rough[-1]).max())
    return Line(s, mass / mass[-1], chart, float(values.max() + np.log(mass[-1])), error)


def _support(
    at: Callable[[NDArray[np.float64]], NDArray[np.float64]], chart: Chart, *, modes: Sequence[float], scale: float
) -> tuple[float, float]:
    """Ends of the interval of s outside of which the density is negligible."""
    edge = chart.half * np.tanh(_END)
    first, last = np.clip([min(modes), max(modes)], chart.centre - edge, chart.centre + edge)
    places = chart.to_s(
        np.clip([first - _FIRST * scale, last + _FIRST * scale], chart.centre - edge, chart.centre + edge)
    )
    low, high = float(places[0]), float(places[1])
    while True:
        s = np.linspace(low, high, _COARSE)
        values = at(s)
        top = values.max()
        if not np.isfinite(top):
            raise ConvergenceError("The posterior of the spatial parameter has no finite value.", {"s": (low, high)})
        inside = np.flatnonzero(values > top - _DROP)
        reach = high - low
        wider = (
            max(low - reach, -_END) if inside[0] == 0 and low > -_END else low,
            min(high + reach, _END) if inside[-1] == _COARSE - 1 and high < _END else high,
        )
        if wider == (low, high):
            return float(s[max(inside[0] - 1, 0)]), float(s[min(inside[-1] + 1, _COARSE - 1)])
        low, high = wider
