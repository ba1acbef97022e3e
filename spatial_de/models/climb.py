"""Highest maxima of many concentrated log-likelihoods in one parameter, found together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.errors import CapacityError
from spatial_de.models.optimise import (
    FACTORED_MARGIN,
    LAST_STEP,
    MARGIN,
    MAX_STEPS,
    SKETCH_ERROR,
    WINDOW,
    inwards,
    starting_grid,
    window,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.likelihood import LogJacobian

Parts = Callable[
    ["NDArray[np.intp]", "NDArray[np.float64]"],
    tuple["NDArray[np.float64]", "NDArray[np.float64]", "NDArray[np.float64]"],
]


@dataclass(frozen=True)
class Curve:
    """``-n/2 ln S_r(x) + J(x)`` for replications r.

    Attributes
    ----------
    parts
        ``parts(rows, x)``: S, S'/2 and S''/2 of some replications at one x each.
    jacobian
        J.
    n
        Observations that the likelihood counts.
    """

    parts: Parts
    jacobian: LogJacobian
    n: int

    def value(self, rows: NDArray[np.intp], x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-likelihood up to a constant."""
        return self.n * self._minus_half_log(rows, x) + self._jacobian(x)

    def derivatives(
        self, rows: NDArray[np.intp], x: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """First and second derivative."""
        ssr, p, q = self.parts(rows, x)
        ssr = np.maximum(ssr, np.finfo(float).tiny)
        logdet, periods = self.jacobian.logdet, self.jacobian.periods
        relative = p / ssr
        slope = periods * logdet.first(x) - self.n * relative
        bend = periods * logdet.second(x) - self.n * (q / ssr - 2.0 * relative**2)
        return slope, bend

    def on_grid(self, grid: NDArray[np.float64], count: int) -> NDArray[np.float64]:
        """Log-likelihood of all replications at every point of a grid, shape (count, g)."""
        rows = np.arange(count)
        curves = [self._minus_half_log(rows, np.full(count, x)) for x in grid]
        return self.n * np.stack(curves, axis=1) + self._jacobian(grid)

    def _minus_half_log(self, rows: NDArray[np.intp], x: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(divide="ignore"):
            return np.asarray(-0.5 * np.log(self.parts(rows, x)[0]))

    def _jacobian(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self.jacobian.periods * self.jacobian.logdet.value(x))


@dataclass(frozen=True, slots=True)
class Found:
    """The highest maximum of each replication.

    Attributes
    ----------
    x
        Where it is, shape (R,).
    at_bound
        Whether that is an end of the interval, shape (R,).
    is_maximum
        Whether slope and bend there are those of a maximum, shape (R,).
    n_maxima
        Number of maxima found, shape (R,).
    """

    x: NDArray[np.float64]
    at_bound: NDArray[np.bool_]
    is_maximum: NDArray[np.bool_]
    n_maxima: NDArray[np.intp]


@dataclass(frozen=True)
class _Ends:
    """Ends of P climbs: replication, position, whether at a bound, log-likelihood, each of shape (P,)."""

    rows: NDArray[np.intp]
    x: NDArray[np.float64]
    at_bound: NDArray[np.bool_]
    height: NDArray[np.float64]

    def pick(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> _Ends:
        return _Ends(self.rows[which], self.x[which], self.at_bound[which], self.height[which])


def highest(curve: Curve, count: int) -> Found:
    """Highest maximum of each of `count` replications over the admissible interval.

    Every maximum that the grid brackets is climbed. Where the log-determinant is costly, a sketch of it finds the
    basins, and those that its error may have put behind the best are climbed again on the exact one.
    """
    logdet = curve.jacobian.logdet
    sketch = logdet.sketch()
    rough = curve if sketch is logdet else replace(curve, jacobian=replace(curve.jacobian, logdet=sketch))
    bounds = logdet.bounds
    ends = _basins(rough, count, bounds)
    if rough is not curve:
        best = np.full(count, -np.inf)
        np.maximum.at(best, ends.rows, ends.height)
        rivals = ends.pick(ends.height > best[ends.rows] - SKETCH_ERROR)
        ends = _polish(curve, rough, rivals, bounds=bounds)
    order = np.lexsort((-ends.height, ends.rows))
    first = order[np.searchsorted(ends.rows[order], np.arange(count))]
    best_ends = ends.pick(first)
    slope, bend = curve.derivatives(best_ends.rows, best_ends.x)
    is_maximum = (bend < 0.0) & (np.abs(slope) < 1e-6 * np.sqrt(np.abs(bend)))
    return Found(best_ends.x, best_ends.at_bound, is_maximum, np.bincount(ends.rows, minlength=count))


def _basins(curve: Curve, count: int, bounds: tuple[float, float]) -> _Ends:
    """A climb from every point of the grid that its neighbours do not top."""
    grid = starting_grid(bounds)
    values = curve.on_grid(grid, count)
    beside = np.full((count, 1), -np.inf)
    peaks = (values >= np.hstack([beside, values[:, :-1]])) & (values > np.hstack([values[:, 1:], beside]))
    peaks[~peaks.any(axis=1), 0] = True  # values that are not numbers: the climb says so
    rows, at = np.nonzero(peaks)
    edges = np.concatenate([[bounds[0]], grid, [bounds[1]]])
    return _climb(curve, rows, grid[at], bracket=(edges[at], edges[at + 2]), bounds=bounds)


def _polish(curve: Curve, rough: Curve, ends: _Ends, *, bounds: tuple[float, float]) -> _Ends:
    """From maxima of the sketch to those of the curve, prepared some standard errors around them."""
    bend = rough.derivatives(ends.rows, ends.x)[1]
    reach = np.where(bend < 0.0, WINDOW / np.sqrt(np.abs(bend)), 0.05 * (bounds[1] - bounds[0]))
    low, high = window(ends.x, reach, bounds)
    with suppress(CapacityError):  # too wide for one interpolation: made in parts instead
        curve.jacobian.logdet.prepare(float(low.min()), float(high.max()))
    brackets = (np.full_like(ends.x, bounds[0]), np.full_like(ends.x, bounds[1]))
    start = np.where(ends.at_bound, inwards(ends.x, bounds), ends.x)  # as `optimise._polish`
    return _climb(curve, ends.rows, start, bracket=brackets, bounds=bounds, margin=FACTORED_MARGIN)


def _climb(
    curve: Curve,
    rows: NDArray[np.intp],
    start: NDArray[np.float64],
    *,
    bracket: tuple[NDArray[np.float64], NDArray[np.float64]],
    bounds: tuple[float, float],
    margin: float = MARGIN,
) -> _Ends:
    """Newton steps within brackets, halving these where a step would leave them (as `optimise._climb`)."""
    x, (low, high) = start.copy(), (side.copy() for side in bracket)
    width = bounds[1] - bounds[0]
    at_bound = np.zeros(len(x), dtype=bool)
    active = np.arange(len(x))
    for _ in range(MAX_STEPS):
        here = x[active]
        slope, bend = curve.derivatives(rows[active], here)
        low[active] = np.where(slope > 0.0, here, low[active])
        high[active] = np.where(slope > 0.0, high[active], here)
        step = np.where(bend < 0.0, -slope / np.where(bend < 0.0, bend, -1.0), np.inf)
        last = np.abs(step) * np.sqrt(np.abs(bend)) < LAST_STEP
        target = here + step
        newton = last | ((low[active] < target) & (target < high[active]))
        target = np.where(newton, target, 0.5 * (low[active] + high[active]))
        x[active] = target
        done = last | (np.abs(target - here) <= 1e-15 * width)
        stuck = ~done & (np.minimum(target - bounds[0], bounds[1] - target) < margin * width)
        at_bound[active[stuck]] = True
        active = active[~(done | stuck)]
        if not len(active):
            break
    return _Ends(rows, x, at_bound, curve.value(rows, x))
