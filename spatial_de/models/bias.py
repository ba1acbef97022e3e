"""Analytic bias correction where effects are estimated instead of eliminated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.models.information import expected_information
from spatial_de.models.likelihood import partition

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.information import Parameters
    from spatial_de.models.likelihood import Likelihood, Point
    from spatial_de.models.problem import Problem


def correct(problem: Problem, likelihood: Likelihood, point: Point) -> Point:
    """Estimate minus its first-order bias, ``I^-1 E[score]``.

    Estimated effects leave fewer dimensions to the errors than the likelihood counts; the expected score at the
    true parameters is the difference of the traces over the two spaces.

    References
    ----------
    Lee, L.-F. and Yu, J. (2010). *Journal of Econometrics* 154, 165-185, section 3.3.
    """
    k = problem.k
    expected = np.concatenate([expected_spatial_scores(problem, point), [_sigma2_score(problem, point)]])
    parts = partition(expected_information(problem, point, sigma2=point.sigma2), point)
    rest = np.linalg.solve(parts.schur, expected)  # the expected score of delta is zero
    step = np.concatenate([-parts.cross @ rest, rest])
    spec = problem.spec
    rho = point.rho - (step[k] if spec.lag_y else 0.0)
    lam = point.lam - (step[k + int(spec.lag_y)] if spec.lag_error else 0.0)
    corrected = likelihood.at(float(rho), float(lam)) if spec.lag_y or spec.lag_error else point
    return replace(corrected, delta=point.delta - step[:k], sigma2=point.sigma2 - float(step[-1]), loglik=point.loglik)


def _sigma2_score(problem: Problem, point: Point) -> float:
    return (problem.n_free - problem.n) / (2.0 * point.sigma2)


def expected_spatial_scores(problem: Problem, point: Parameters) -> NDArray[np.float64]:
    """Trace over the space left by the effects, minus the trace the likelihood counts."""
    spec = problem.spec
    if not (spec.lag_y or spec.lag_error):
        return np.zeros(0)
    W, M = problem.dense_weights()
    eye, ones = np.eye(len(W)), np.ones(len(W))
    B = eye - point.lam * M
    operators = []
    if spec.lag_y:
        G = np.linalg.solve((eye - point.rho * W).T, W.T).T
        operators.append(B @ np.linalg.solve(B.T, G.T).T)
    if spec.lag_error:
        operators.append(np.linalg.solve(B.T, M.T).T)
    T = problem.design.y.shape[0]
    individual = problem.effects in {"individual", "two-way"}
    timed = problem.effects in {"time", "two-way"}
    free_periods = T - 1 if individual else T
    direction = B @ ones  # what the dummy of one time spans in the space of e
    out = []
    for Q in operators:
        own = float(direction @ Q @ direction) / float(direction @ direction) if timed else 0.0
        left = free_periods * (np.trace(Q) - own)
        counted = problem.periods * (np.trace(Q) - (np.sum(Q) / len(W) if problem.drop_unit_root else 0.0))
        out.append(left - counted)
    return np.array(out)
