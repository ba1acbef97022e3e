"""What a fitted model says of the response: its parts in sample, its expectation, and its best linear prediction.

With ``A = I - rho W``, ``B = I - lambda M``: ``A y = trend + u``, ``B u = e``. The trend is ``X beta + V X theta`` with
the effects of units and times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spatial_de.logdet.factors import sparse_lu
from spatial_de.models.bootstrap import disturbances
from spatial_de.models.replications import lag_rows
from spatial_de.models.simulation import simulate
from spatial_de.panel.design import INTERCEPT
from spatial_de.panel.layout import Balanced, Cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.estimate import Estimate
    from spatial_de.models.problem import SpatialLinks
    from spatial_de.weights import SpatialWeights


@dataclass(frozen=True)
class Decomposition:
    """The response in parts, in its units, shape (T, N) each.

    Attributes
    ----------
    trend
        ``X beta + V X theta``, the intercept and the effects.
    signal
        ``rho W y + lambda M u``: what the neighbours' values tell.
    noise
        The innovations e. The three add up to the response.
    unit_effects, time_effects
        Shape (N,) and (T,), or None where the model has none. With both, time effects have mean zero.
    """

    trend: NDArray[np.float64]
    signal: NDArray[np.float64]
    noise: NDArray[np.float64]
    unit_effects: NDArray[np.float64] | None
    time_effects: NDArray[np.float64] | None


def systematic(
    estimate: Estimate,
    X: NDArray[np.float64],
    durbin_weights: SpatialWeights | None,
    *,
    lag: Callable[[SpatialWeights, NDArray[np.float64]], NDArray[np.float64]] = lag_rows,
) -> NDArray[np.float64]:
    """Intercept, ``X beta`` and ``V X theta`` in units of the response, shape (T, N), for regressors (T, N, k)."""
    value = dict(zip(estimate.names, estimate.params.tolist(), strict=True))
    problem = estimate.problem
    names = problem.design.x_names
    out = X @ np.array([value[name] for name in names]) + value.get(INTERCEPT, 0.0)
    if problem.lagged and durbin_weights is not None:
        theta = np.array([value[f"W_{names[j]}"] for j in problem.lagged])
        out = out + lag(durbin_weights, X[:, :, list(problem.lagged)] @ theta)
    return np.asarray(out)


def decompose(estimate: Estimate) -> Decomposition:
    """Trend, signal and noise of the data that a model was fitted to.

    Effects are what is left of ``A y - X beta - V X theta`` when the disturbances u of the fit are taken out, so that
    ``B u`` are its innovations. Random ones are those that are predicted, with what unit means of regressors tell.

    References
    ----------
    Haining, R. (1990). *Spatial Data Analysis in the Social and Environmental Sciences*, p. 258.
    """
    problem = estimate.problem
    y = problem.design.y
    layout = problem.layout
    lagged = estimate.rho * layout.lag(problem.weights, y) if estimate.rho and problem.weights is not None else 0.0
    known = systematic(estimate, problem.design.X, problem.durbin_weights, lag=layout.lag)
    rest = (y - lagged - known) * layout.ones
    plain = problem.effects == "none" and estimate.random is None
    u = rest if plain else _disturbances(estimate) - predicted_shift(estimate)
    across = estimate.lam * layout.lag(problem.error_weights, u) if problem.error_weights is not None else 0.0 * u
    unit, time = layout.split(rest - u, "individual" if estimate.random is not None else problem.effects)
    return Decomposition(
        trend=y - lagged - u,
        signal=lagged + across,
        noise=u - across,
        unit_effects=unit,
        time_effects=time,
    )


def predicted_shift(estimate: Estimate) -> NDArray[np.float64] | float:
    """What predicted random effects add to ``A y``, in units of the response, shape (N,); zero without them.

    Effects that share the spatial error go through ``B^-1``.
    """
    random, problem = estimate.random, estimate.problem
    if random is None:
        return 0.0
    if problem.random != "kkp" or problem.error_weights is None:
        return random.predicted * problem.y_scale
    none = np.zeros((1, len(random.predicted)))
    moved = simulate(none, random.predicted[None, None], error_weights=problem.error_weights, lam=estimate.lam)
    return np.asarray(moved[0, 0] * problem.y_scale)


def _disturbances(estimate: Estimate) -> NDArray[np.float64]:
    """Disturbances u without effects, such that B u has the zero means that effects of times leave."""
    problem, u = estimate.problem, disturbances(estimate)
    times = problem.eliminated in {"time", "two-way"} and isinstance(problem.layout, Balanced)
    if not estimate.lam or problem.error_weights is None or not times:
        return u
    Bu = u - estimate.lam * lag_rows(problem.error_weights, u)
    return np.asarray(u - Bu.mean(axis=1, keepdims=True) / (1.0 - estimate.lam))


def expectation(estimate: Estimate, trend: NDArray[np.float64], weights: SpatialWeights | None) -> NDArray[np.float64]:
    """``S trend``, the mean of the response given regressors and effects, shape (T, N)."""
    return np.asarray(simulate(trend, np.zeros((1, *trend.shape)), w=weights, rho=estimate.rho)[0])


def expectation_in_sample(estimate: Estimate, trend: NDArray[np.float64]) -> NDArray[np.float64]:
    """`expectation` for the cells that a model was fitted to, shape (T, N)."""
    layout, w = estimate.problem.layout, estimate.problem.weights
    if isinstance(layout, Cells):
        return layout.spread(expectation(estimate, layout.pick(trend)[None], w)[0])
    return expectation(estimate, trend, w)


def leave_one_out(estimate: Estimate, parts: Decomposition) -> NDArray[np.float64]:
    """``E[y_i | all others]`` at each time: ``y_i - (Q (y - S trend))_i / Q_ii`` with ``Q = A'B'B A``, shape (T, N).

    References
    ----------
    Goulard, M., Laurent, T. and Thomas-Agnan, C. (2017). About predictions in spatial autoregressive models: optimal
    and almost optimal strategies. *Spatial Economic Analysis* 12, 304-325 (BP).
    """
    problem = estimate.problem
    layout = problem.layout
    noise = layout.pick(parts.noise)[None] if isinstance(layout, Cells) else parts.noise
    root = _root(estimate, problem.weights, problem.error_weights, n=noise.shape[1])
    shift = (root.T @ noise.T).T / (root * root).sum(axis=0)
    return np.asarray(problem.design.y - (layout.spread(shift[0]) if isinstance(layout, Cells) else shift))


def leave_one_out_with_random_effects(estimate: Estimate) -> NDArray[np.float64]:
    """``E[y_it | all others]``, those of the unit at other times among them, shape (T, N).

    ``y - (Q (y - m))_it / Q_it,it`` with the precision ``Q = A' Omega^-1 A`` of all times together:
    ``Omega^-1 = (I - J) (x) B'B + J (x) P``, J the mean over the times, P the precision of T times the unit means.

    References
    ----------
    Baltagi, B. H., Bresson, G. and Pirotte, A. (2012). Forecasting with spatial panel data. *Computational Statistics
    and Data Analysis* 56, 3381-3397.
    """
    problem, random = estimate.problem, estimate.random
    if random is None:
        raise ValueError("a fit without random effects has no such prediction")
    A, B = _dense_filters(estimate)
    T, tau = problem.y.shape[0], float(np.expm1(random.omega))
    own = B.T @ B
    shares = problem.random == "kkp"
    between = own / (1.0 + tau) if shares else B.T @ np.linalg.solve(np.eye(len(B)) + tau * B @ B.T, B)
    u = disturbances(estimate)
    means = u.mean(axis=0)
    scores = ((u - means) @ own + means @ between) @ A
    diagonal = np.sum(A * (((1.0 - 1.0 / T) * own + between / T) @ A), axis=0)
    return np.asarray(problem.design.y - scores / diagonal)


def _dense_filters(estimate: Estimate) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``A`` and ``B``, identities in models without weights."""
    problem = estimate.problem
    eye = np.eye(problem.y.shape[1])
    if problem.weights is None:
        return eye, eye
    W, M = problem.dense_weights()
    return eye - estimate.rho * W, eye - estimate.lam * M


def best_prediction(
    estimate: Estimate, trend: NDArray[np.float64], observed: NDArray[np.float64], *, links: SpatialLinks
) -> NDArray[np.float64]:
    """``E[y_O | y_S] = m_O - Q_OO^-1 Q_OS (y_S - m_S)``, ``m = S trend``, for units O that come after the units S.

    Parameters
    ----------
    trend
        Of all units, shape (n,).
    observed
        y_S, shape (n_S,).
    links
        Weights over all units.

    References
    ----------
    Goulard, Laurent and Thomas-Agnan (2017), as in `leave_one_out` (BP out of sample).
    """
    old = len(observed)
    mean = expectation(estimate, trend[None], links.lag)[0]
    root = _root(estimate, links.lag, links.error, n=len(trend))
    new, seen = root[:, old:], root[:, :old]
    moved = sparse_lu(new.T @ new, definite=True).solve(new.T @ (seen @ (observed - mean[:old])))
    return np.asarray(mean[old:] - moved)


def _root(estimate: Estimate, w: SpatialWeights | None, error_weights: SpatialWeights | None, *, n: int) -> Any:
    """``B A``, sparse, whose cross product is the precision of the response over sigma2, shape (n, n)."""
    from scipy.sparse import eye_array

    identity = eye_array(n, format="csc")
    A = identity if w is None else identity - estimate.rho * w.sparse.tocsc()
    B = identity if error_weights is None else identity - estimate.lam * error_weights.sparse.tocsc()
    return (B @ A).tocsc()
