"""Maxima of a concentrated log-likelihood in two spatial parameters, which can have several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.errors import CapacityError, ConvergenceError
from spatial_de.models.optimise import (
    FACTORED_MARGIN,
    LAST_STEP,
    MARGIN,
    SKETCH_ERROR,
    WINDOW,
    Optimization,
    inwards,
    window,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.likelihood import Point

_GRID = 24  # starting points along each axis, denser towards its ends
_MAX_STEPS = 200
_CLOSE = 1e-3  # standard errors from the maximum at which Newton's steps need no watching
_SAME = 1e-6  # of the interval: maxima closer than this are one

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Surface:
    """A function of (rho, lambda) with gradient and Hessian, all from one evaluation.

    `heights` gives its values alone at every pair of some rho and some lambda.
    """

    heights: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
    at: Callable[[float, float], Point]
    gradient: Callable[[Point], NDArray[np.float64]]
    hessian: Callable[[Point], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class _Summit:
    point: Point
    path: tuple[Pair, ...]
    converged: bool


def maximise_surface(
    surface: Surface,
    bounds: tuple[Pair, Pair],
    *,
    sketch: Surface | None = None,
    prepare: Sequence[Callable[[float, float], None]] = (),
) -> tuple[Point, Optimization]:
    """Highest of all maxima over a rectangle: a grid finds the basins, damped Newton steps climb each.

    Parameters
    ----------
    surface
        What is maximised.
    bounds
        Open intervals of rho and lambda.
    sketch
        A cheap approximation that finds the basins; by default the surface itself.
    prepare
        For rho and lambda: told between which values the surface will be evaluated, where a sketch was used.

    Raises
    ------
    ConvergenceError
        No climb ended in a maximum or at a bound.
    """
    margin = MARGIN if sketch is None else FACTORED_MARGIN
    grid, start = _grid(sketch or surface, bounds)
    summits = _distinct([_climb(sketch or surface, p, bounds) for p in grid], bounds)
    if sketch is not None:
        high = summits[0].point.loglik
        rivals = [one for one in summits if one.point.loglik > high - SKETCH_ERROR]
        for one in rivals:
            _announce(sketch, one.point, bounds=bounds, prepare=prepare)
        starts = [_start(one.point, bounds) for one in rivals]
        summits = _distinct([_climb(surface, surface.at(*start), bounds, margin=margin) for start in starts], bounds)
    best = summits[0]
    status = "at bound" if _at_bound(best.point, bounds, margin) else "converged"
    gradient, hessian = surface.gradient(best.point), surface.hessian(best.point)
    decrement = newton_length(gradient, hessian)
    record = Optimization(
        parameter="rho and lambda",
        start=start,
        path=best.path,
        evaluations=_GRID**2 + sum(len(one.path) for one in summits),
        status=status,
        gradient=decrement,
        bounds=bounds,
        local_maxima=tuple((one.point.rho, one.point.lam, one.point.loglik) for one in summits),
    )
    if status == "converged" and not (best.converged and decrement < 1e-6):
        raise ConvergenceError(
            f"The log-likelihood has no interior maximum in (rho, lambda) near ({best.point.rho:.4f}, "
            f"{best.point.lam:.4f}): the data hardly tell the two apart. Try a model with one of them; the numbers "
            "reached are in .diagnostics.",
            record.to_dict(),
        )
    return best.point, record


def _grid(surface: Surface, bounds: tuple[Pair, Pair]) -> tuple[list[Point], Pair]:
    """Points of a grid that none of their eight neighbours tops, and the best of them."""
    angles = (np.arange(_GRID) + 0.5) * np.pi / _GRID
    axes = [0.5 * (low + high) - 0.5 * (high - low) * np.cos(angles) for low, high in bounds]
    values = np.full((_GRID + 2, _GRID + 2), -np.inf)
    values[1:-1, 1:-1] = surface.heights(axes[0], axes[1])
    neighbours = [
        values[1 + i : _GRID + 1 + i, 1 + j : _GRID + 1 + j] for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j
    ]
    peaks = np.argwhere(values[1:-1, 1:-1] >= np.max(neighbours, axis=0))
    points = [surface.at(float(axes[0][i]), float(axes[1][j])) for i, j in peaks]
    found = sorted(points, key=lambda p: -p.loglik)
    return found, (found[0].rho, found[0].lam)


def _climb(surface: Surface, p: Point, bounds: tuple[Pair, Pair], *, margin: float = MARGIN) -> _Summit:
    """Newton steps that never go down: turned uphill where the surface bends the wrong way, halved where too long."""
    path: list[Pair] = []
    for _ in range(_MAX_STEPS):
        gradient, hessian = surface.gradient(p), surface.hessian(p)
        step = uphill_step(gradient, hessian, bounds)
        length = newton_length(gradient, hessian)
        if length < _CLOSE:  # the gain drowns in rounding long before the step does
            p = surface.at(*_inside(p, step, bounds))
            path.append((p.rho, p.lam))
            if length < LAST_STEP:
                return _Summit(p, tuple(path), converged=True)
            continue
        higher = _search(surface, p, step, slope=float(gradient @ step), bounds=bounds)
        if higher is None:
            return _Summit(p, tuple(path), converged=False)
        p = higher
        path.append((p.rho, p.lam))
        if _at_bound(p, bounds, margin):
            return _Summit(p, tuple(path), converged=False)
    return _Summit(p, tuple(path), converged=False)


def uphill_step(
    gradient: NDArray[np.float64], hessian: NDArray[np.float64], bounds: Sequence[Pair]
) -> NDArray[np.float64]:
    """Newton's step with the curvature along each axis of the Hessian made negative."""
    size = np.array([high - low for low, high in bounds])
    bend, axes = np.linalg.eigh(hessian * np.outer(size, size))
    floor = 1e-8 * np.abs(bend).max()
    step = axes @ ((axes.T @ (gradient * size)) / np.maximum(np.abs(bend), floor))
    return np.asarray(step * size)


def _search(
    surface: Surface, p: Point, step: NDArray[np.float64], *, slope: float, bounds: tuple[Pair, Pair]
) -> Point | None:
    """The first of step, step / 2, step / 4, ... that gains as much as a slope promises (Armijo's rule)."""
    for k in range(40):
        share = 0.5**k
        candidate = surface.at(*_inside(p, share * step, bounds))
        if candidate.loglik >= p.loglik + 1e-4 * share * slope:
            return candidate
    return None


def _inside(p: Point, step: NDArray[np.float64], bounds: tuple[Pair, Pair]) -> Pair:
    """Where a step leads, but no further than 99.9 % of the way to a bound."""
    ends = []
    for x, move, (low, high) in zip((p.rho, p.lam), step, bounds, strict=True):
        end = x + float(move)
        ends.append(x + 0.999 * (high - x) if end >= high else x - 0.999 * (x - low) if end <= low else end)
    return ends[0], ends[1]


def newton_length(gradient: NDArray[np.float64], hessian: NDArray[np.float64]) -> float:
    """Length of Newton's step in standard errors; infinite where the Hessian is not negative definite."""
    try:
        half = np.linalg.solve(np.linalg.cholesky(-hessian), gradient)
    except np.linalg.LinAlgError:
        return float("inf")
    return float(np.linalg.norm(half))


def _at_bound(p: Point, bounds: tuple[Pair, Pair], margin: float = MARGIN) -> bool:
    return any(
        min(x - low, high - x) < margin * (high - low) for x, (low, high) in zip((p.rho, p.lam), bounds, strict=True)
    )


def _distinct(summits: list[_Summit], bounds: tuple[Pair, Pair]) -> list[_Summit]:
    """Summits from the highest down, each once."""
    size = [high - low for low, high in bounds]
    kept: list[_Summit] = []
    for one in sorted(summits, key=lambda s: -s.point.loglik):
        apart = [
            max(abs(one.point.rho - s.point.rho) / size[0], abs(one.point.lam - s.point.lam) / size[1]) for s in kept
        ]
        if min(apart, default=1.0) > _SAME:
            kept.append(one)
    return kept


def _start(p: Point, bounds: tuple[Pair, Pair]) -> Pair:
    """Where the climb of the surface starts from a maximum of its sketch, which at a bound is at its worst."""
    if not _at_bound(p, bounds):
        return p.rho, p.lam
    return float(inwards(p.rho, bounds[0])), float(inwards(p.lam, bounds[1]))


def _announce(
    sketch: Surface, p: Point, *, bounds: tuple[Pair, Pair], prepare: Sequence[Callable[[float, float], None]]
) -> None:
    """Say that the surface will be evaluated near a maximum of the sketch."""
    try:
        errors = np.sqrt(np.maximum(np.diag(np.linalg.inv(-sketch.hessian(p))), 0.0))
    except np.linalg.LinAlgError:
        errors = np.zeros(2)
    for x, error, (low, high), tell in zip((p.rho, p.lam), errors, bounds, prepare, strict=True):
        reach = WINDOW * float(error) or 0.05 * (high - low)
        with suppress(CapacityError):  # too wide for one interpolation: made around each point instead
            tell(*(float(end) for end in window(x, reach, (low, high))))
