"""Maximum of a concentrated log-likelihood in one spatial parameter."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spatial_de.errors import CapacityError, ConvergenceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.likelihood import Point

_GRID = 24  # starting points over the admissible interval, denser towards its ends
MARGIN = 1e-9  # relative distance from the ends of the interval at which an estimate counts as being at a bound
FACTORED_MARGIN = 1e-6  # where factors of I - rho W give the log-determinant: nearer, its slope is their rounding
MAX_STEPS = 100
LAST_STEP = 1e-7  # standard errors
SKETCH_ERROR = 10.0  # log-likelihood that a sketch may be wrong by, between two maxima
WINDOW = 6.0  # standard errors around a sketch's maximum in which the objective is prepared
_INWARDS = 1e-2  # of an interval: where a climb starts that a sketch leads to a bound
_SHORT_OF_BOUND = 1e-3  # of the way to a bound, where the log-determinant is infinite


@dataclass(frozen=True, slots=True)
class Optimization:
    """How a maximum was found.

    Attributes
    ----------
    parameter
        ``"rho"``, ``"lambda"``, ``"rho and lambda"``, or ``"none"`` for models with a closed form; with random effects
        ``"share of sigma2_mu"`` (in sigma2_mu + sigma2) stands last.
    start
        Best point of the starting grid.
    path
        Values visited by the safeguarded Newton iteration; tuples for several parameters.
    evaluations
        Evaluations of the log-likelihood in all.
    status
        ``"converged"``, ``"converged, sigma2_mu = 0"``, ``"at bound"`` or ``"closed form"``.
    gradient
        How many standard errors a further step would be.
    bounds
        Admissible open interval, or one for each of several parameters.
    local_maxima
        Every maximum found, best first: values of the parameter, or of several parameters and the log-likelihood.
    logdet, logdet_error
        How ln|I - rho W| was computed, and what it may be off by beyond rounding.
    """

    parameter: str
    start: float | tuple[float, ...] | None
    path: tuple[Any, ...]
    evaluations: int
    status: str
    gradient: float
    bounds: tuple[Any, ...] | None
    local_maxima: tuple[Any, ...] = ()
    logdet: str = "none"
    logdet_error: float = 0.0

    @property
    def converged(self) -> bool:
        """Whether the end is an interior maximum (or the model has a closed form)."""
        return self.status != "at bound"

    def to_dict(self) -> dict[str, Any]:
        """Plain Python types."""
        return asdict(self)


_End = tuple["Point", tuple[float, ...], str, float]  # point, path, status, value of the parameter
CLOSED_FORM = Optimization("none", None, (), 1, "closed form", 0.0, None)


@dataclass(frozen=True, slots=True)
class Objective:
    """A function of one parameter with its first two derivatives, all from one evaluation.

    `heights` gives its values alone at many points.
    """

    name: str
    heights: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    at: Callable[[float], Point]
    gradient: Callable[[Point], float]
    curvature: Callable[[Point], float]


def maximise(
    objective: Objective,
    bounds: tuple[float, float],
    *,
    sketch: Objective | None = None,
    prepare: Callable[[float, float], None] | None = None,
) -> tuple[Point, Optimization]:
    """Global maximum over an open interval: a grid for the basin, safeguarded Newton steps for the digits.

    Parameters
    ----------
    objective
        What is maximised.
    bounds
        The interval.
    sketch
        A cheap approximation of it that finds the basins; by default the objective itself.
    prepare
        Told between which values the objective will be evaluated, where a sketch was used.

    Raises
    ------
    ConvergenceError
        Newton's iteration does not settle, or the end is not a maximum.
    """
    ends, start = _basins(sketch or objective, bounds)
    evaluations = _GRID + sum(len(end[1]) for end in ends)
    if sketch is not None and prepare is not None:
        ends = [_polish(objective, sketch, end, bounds=bounds, prepare=prepare) for end in _rivals(ends)]
        ends.sort(key=lambda end: -end[0].loglik)
        evaluations += sum(len(end[1]) for end in ends)
    best, path, status, x = ends[0]
    gradient = objective.gradient(best)
    bend = objective.curvature(best)
    record = Optimization(
        parameter=objective.name,
        start=start,
        path=path,
        evaluations=evaluations,
        status=status,
        gradient=float(gradient / np.sqrt(abs(bend))) if bend else float("inf"),
        bounds=bounds,
        local_maxima=tuple(end[3] for end in ends),
    )
    if status == "converged" and not (bend < 0 and abs(record.gradient) < 1e-6):
        raise ConvergenceError(
            f"The log-likelihood has no interior maximum in {objective.name} near {x:.4f} "
            f"(gradient {gradient:.2e}, second derivative {bend:.2e}): look at the data and the weights; "
            "the numbers reached are in .diagnostics.",
            record.to_dict(),
        )
    return best, record


def starting_grid(bounds: tuple[float, float]) -> NDArray[np.float64]:
    """Points over an interval in cosine spacing: a log-likelihood bends most towards the ends."""
    low, high = bounds
    angles = (np.arange(_GRID) + 0.5) * np.pi / _GRID
    return np.asarray(0.5 * (low + high) - 0.5 * (high - low) * np.cos(angles))


def inwards(x: NDArray[np.float64] | float, bounds: tuple[float, float]) -> NDArray[np.float64]:
    """Values that are at least a hundredth of an interval away from its ends."""
    margin = _INWARDS * (bounds[1] - bounds[0])
    return np.clip(np.asarray(x, dtype=np.float64), bounds[0] + margin, bounds[1] - margin)


def window(
    x: NDArray[np.float64] | float, reach: NDArray[np.float64] | float, bounds: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where an objective is prepared: so far around x, but short of the bounds."""
    low, high = bounds
    at = np.asarray(x, dtype=np.float64)
    return (
        np.maximum(at - reach, low + _SHORT_OF_BOUND * (at - low)),
        np.minimum(at + reach, high - _SHORT_OF_BOUND * (high - at)),
    )


def _basins(objective: Objective, bounds: tuple[float, float]) -> tuple[list[_End], float]:
    """Every maximum that a grid brackets, best first, and the best point of the grid."""
    low, high = bounds
    grid = starting_grid(bounds)
    values = objective.heights(grid)
    peaks = [
        i
        for i in range(_GRID)
        if (i == 0 or values[i] >= values[i - 1]) and (i == _GRID - 1 or values[i] > values[i + 1])
    ]
    ends = []
    for i in peaks:
        bracket = (float(grid[i - 1]) if i else low, float(grid[i + 1]) if i < _GRID - 1 else high)
        x = _vertex(grid[i - 1 : i + 2], values[i - 1 : i + 2]) if 0 < i < _GRID - 1 else float(grid[i])
        ends.append(_climb(objective, objective.at(x), x, bracket=bracket, bounds=bounds))
    return sorted(ends, key=lambda end: -end[0].loglik), float(grid[int(values.argmax())])


def _vertex(x: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Where the parabola through three points, the middle one the highest, has its maximum."""
    left, right = (values[1] - values[0]) * (x[2] - x[1]), (values[1] - values[2]) * (x[1] - x[0])
    total = left + right
    if not 0.0 < total < np.inf:
        return float(x[1])
    return float(x[1] + 0.5 * (left * (x[2] - x[1]) - right * (x[1] - x[0])) / total)


def _rivals(ends: list[_End]) -> list[_End]:
    """The best maximum of a sketch and those that its error may have put behind it."""
    return [end for end in ends if end[0].loglik > ends[0][0].loglik - SKETCH_ERROR]


def _polish(
    objective: Objective,
    sketch: Objective,
    end: _End,
    *,
    bounds: tuple[float, float],
    prepare: Callable[[float, float], None],
) -> _End:
    """From a maximum of the sketch to that of the objective, prepared some standard errors around it.

    At a bound, where a sketch is at its worst and derivatives are rounding, the start is moved inwards.
    """
    rough, _, status, x = end
    if status == "at bound":
        x = float(inwards(x, bounds))
    else:
        bend = sketch.curvature(rough)
        reach = WINDOW / np.sqrt(-bend) if bend < 0 else 0.05 * (bounds[1] - bounds[0])
        with suppress(CapacityError):  # too wide for one interpolation: made around each point instead
            prepare(*(float(end) for end in window(x, reach, bounds)))
    return _climb(objective, objective.at(x), x, bracket=bounds, bounds=bounds, margin=FACTORED_MARGIN)


def _climb(
    objective: Objective,
    p: Point,
    x: float,
    *,
    bracket: tuple[float, float],
    bounds: tuple[float, float],
    margin: float = MARGIN,
) -> _End:
    """Newton steps within a bracket, halving it where a step would leave it."""
    low, high = bracket
    width = bounds[1] - bounds[0]
    path: list[float] = []
    for _ in range(MAX_STEPS):
        slope, bend = objective.gradient(p), objective.curvature(p)
        if slope > 0:
            low = x
        else:
            high = x
        step = -slope / bend if bend < 0 else np.inf
        # Newton's error is squared by each step: after one this small nothing but rounding is left
        last = abs(step) * np.sqrt(abs(bend)) < LAST_STEP
        target = x + step if last or low < x + step < high else 0.5 * (low + high)
        moved = abs(target - x)
        x = target
        p = objective.at(x)
        path.append(x)
        if last or moved <= 1e-15 * width:
            break
        if min(x - bounds[0], bounds[1] - x) < margin * width:
            return p, tuple(path), "at bound", x
    return p, tuple(path), "converged", x
