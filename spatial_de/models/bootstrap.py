"""Bootstrap of the errors in blocks of units: the model is simulated from its estimate and estimated again.

Units are linked, so that drawing units would tear W apart. Drawn are the innovations: the residuals of a unit over all
times together, given to another unit. W, the regressors and the effects stay where they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.errors import ConvergenceError, DataError, IdentificationError
from spatial_de.models.estimate import estimate_ml
from spatial_de.models.problem import SpatialLinks, build_problem
from spatial_de.models.random_effects import estimate_random
from spatial_de.models.replications import estimate_replications
from spatial_de.models.simulation import simulate
from spatial_de.parallel import run_tasks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.logdet import Method
    from spatial_de.models.estimate import Estimate
    from spatial_de.models.problem import Problem

_NUMBERS = 2_000_000  # values of simulated responses held at a time
_EXPLICIT: tuple[Method, ...] = ("eigenvalues", "sparse", "stochastic")
_TASK = 50  # replications that a worker gets together


@dataclass(frozen=True)
class Replicated:
    """Estimates of r replications.

    Attributes
    ----------
    params
        Parameters in the order of `Estimate.names`, shape (r, p); NaN where there is no interior maximum.
    status
        ``"converged"``, ``"at bound"``, ``"no maximum"``, ``"exact fit"`` or ``"collinear"``, shape (r,).
    """

    params: NDArray[np.float64]
    status: NDArray[np.str_]


@dataclass(frozen=True)
class _World:
    """What every replication starts from: the estimate and its errors, shape (T, N)."""

    estimate: Estimate
    blocks: NDArray[np.float64]
    disturbances: NDArray[np.float64]
    batch: bool


def bootstrap(
    estimate: Estimate, *, draws: int, seed: int, n_jobs: int = 1, progress: bool | None = None
) -> Replicated:
    """Estimates from responses that are simulated with resampled innovations.

    Every replication is ``y* = S (X beta + W X theta + effects + B^-1 e*)`` with the estimated parameters, where the
    column i of e* is the column of a unit drawn with replacement, and is estimated as the original was.

    Parameters
    ----------
    estimate
        An interior maximum.
    draws, seed
        Replications, and the seed of their generators, one for each: no result depends on `n_jobs`.
    n_jobs, progress
        See `parallel.run_tasks`.

    Notes
    -----
    Dependence over time within units and any distribution are kept; units are taken as independent and alike. The
    innovations are centred at each time and scaled to the variance ``SSR / (free observations - k)`` after the effects
    of the replication have been taken out. Random effects are drawn with the innovations of their unit, which asks that
    both spread alike over space.

    References
    ----------
    Kapetanios, G. (2008). A bootstrap procedure for panel data sets with many cross-sectional units. *Econometrics
    Journal* 11, 377-395. Jin, F. and Lee, L.-F. (2015). On the bootstrap for Moran's I test for spatial dependence.
    *Journal of Econometrics* 184, 295-314.
    """
    problem = estimate.problem
    spec = problem.spec
    corrected = problem.bias == "correction" or (problem.n_time_dummies > 0 and problem.bias != "none")
    world = _World(
        estimate=estimate,
        blocks=innovations(estimate),
        disturbances=disturbances(estimate),
        batch=not corrected and not (spec.lag_y and spec.lag_error) and estimate.random is None,
    )
    size = max(1, _NUMBERS // problem.y.size) if world.batch else 1
    size = min(size, _TASK if n_jobs != 1 else size)
    tasks = [(seed, start, min(start + size, draws)) for start in range(0, draws, size)]
    found = run_tasks(_replicate, tasks, shared=world, n_jobs=n_jobs, progress=progress, what="replications")
    return Replicated(
        params=np.concatenate([params for params, _ in found]), status=np.concatenate([status for _, status in found])
    )


def innovations(estimate: Estimate) -> NDArray[np.float64]:
    """Residuals to draw from, centred at each time and scaled, in units of the response, shape (T, N)."""
    problem = estimate.problem
    e = (estimate.e if estimate.random is None else estimate.random.v) * problem.y_scale
    centred = e - e.mean(axis=1, keepdims=True)
    n_units = e.shape[1]
    kept = 1.0 - 1.0 / n_units if problem.effects in {"time", "two-way"} else 1.0  # after demeaning at each time
    wanted = np.sum(e**2) * problem.n_free / (problem.n_free - problem.n_reported)
    return np.asarray(centred * np.sqrt(wanted / (kept * np.sum(centred**2))))


def disturbances(estimate: Estimate) -> NDArray[np.float64]:
    """``A y - Z delta``: u with the effects taken out, in units of the response, shape (T, N)."""
    problem = estimate.problem
    Ay = problem.y if problem.Wy is None else problem.y - estimate.rho * problem.Wy
    return np.asarray((Ay - problem.Z @ estimate.delta) * problem.y_scale)


def responses(world: _World, task: tuple[int, int, int]) -> NDArray[np.float64]:
    """Responses of the replications `first` to `last` of a task (seed, first, last), shape (r, T, N)."""
    seed, first, last = task
    estimate, problem = world.estimate, world.estimate.problem
    n_units = world.blocks.shape[1]
    own = (np.random.SeedSequence(seed, spawn_key=(i,)) for i in range(first, last))
    units = np.array([np.random.default_rng(sequence).integers(n_units, size=n_units) for sequence in own])
    drawn = world.blocks.T[units].transpose(0, 2, 1)
    moved = simulate(
        -world.disturbances,
        drawn,
        w=problem.weights,
        rho=estimate.rho,
        error_weights=problem.error_weights,
        lam=estimate.lam,
    )
    return np.asarray(problem.design.y + moved)


def _replicate(world: _World, task: tuple[int, int, int]) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Parameters and status of some replications."""
    y, method = responses(world, task), _method(world.estimate)
    if world.batch:
        found = estimate_replications(world.estimate.problem, y, logdet=method)
        params = np.where(found.converged[:, None], found.params, np.nan)
        return params, found.status
    single = [refit(world.estimate.problem, one, logdet=method) for one in y]
    return np.array([params for params, _ in single]), np.array([status for _, status in single])


def refit(problem: Problem, y: NDArray[np.float64], *, logdet: Method) -> tuple[NDArray[np.float64], str]:
    """Parameters (p,) of the same model for another response (T, N), and how its maximum ended."""
    shown = problem.n_reported + problem.spec.lag_y + problem.spec.lag_error + (problem.random is not None) + 1
    nothing = np.full(shown, np.nan)
    names = problem.design.x_names
    try:
        changed = build_problem(
            replace(problem.design, y=y),
            SpatialLinks(problem.weights, problem.error_weights, problem.durbin_weights),
            spec=problem.spec,
            effects=problem.effects,
            bias=problem.bias,
            durbin=tuple(names[j] for j in problem.lagged) if problem.spec.lag_x else None,
            random=problem.random,
            correlated=problem.n_means > 0,
        )
        found = (estimate_ml if problem.random is None else estimate_random)(changed, logdet=logdet)
    except (ConvergenceError, DataError, IdentificationError):
        return nothing, "no maximum"
    if not found.optimization.converged:
        return nothing, "at bound"
    return found.params, "converged"


def _method(estimate: Estimate) -> Method:
    """The log-determinant that the estimate used."""
    return next((method for method in _EXPLICIT if method == estimate.optimization.logdet), "auto")
