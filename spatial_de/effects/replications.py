"""Average effects of many fitted replications, with standard errors by the delta method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.effects.multipliers import multipliers
from spatial_de.panel.design import INTERCEPT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models import Problem
    from spatial_de.models.replications import BatchEstimate


@dataclass(frozen=True)
class BatchEffects:
    """Average direct, indirect and total effects of m regressors in R replications.

    Attributes
    ----------
    terms
        Labels of the m regressors.
    estimate, std_error
        Shape (R, m, 3): direct, indirect, total; NaN where a replication has none.
    """

    terms: tuple[str, ...]
    estimate: NDArray[np.float64]
    std_error: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Positions:
    """Where the coefficients that effects are made of stand among the parameters; -1 for what a model does not have.

    Attributes
    ----------
    terms
        Labels of the m regressors that have effects.
    beta, theta
        Positions of their coefficients and of those of their lags, shape (m,).
    rho
        Position of the spatial parameter.
    """

    terms: tuple[str, ...]
    beta: NDArray[np.intp]
    theta: NDArray[np.intp]
    rho: int

    @classmethod
    def of(cls, problem: Problem, names: Sequence[str]) -> Positions:
        """Positions among the parameters `names` of a problem's estimate."""
        design, first = problem.design, int(INTERCEPT in problem.names)
        own = [j for j, dummy in enumerate(design.dummies) if not dummy]
        lags = {j: first + len(design.x_names) + i for i, j in enumerate(problem.lagged)}
        return cls(
            terms=tuple(design.x_names[j] for j in own),
            beta=np.array([first + j for j in own], dtype=np.intp),
            theta=np.array([lags.get(j, -1) for j in own], dtype=np.intp),
            rho=names.index("rho") if problem.spec.lag_y else -1,
        )


def effects_of_replications(batch: BatchEstimate) -> BatchEffects:
    """What `compute_effects` gives by the delta method for each replication.

    Parameters
    ----------
    batch
        Estimates with their covariance.

    References
    ----------
    LeSage, J. and Pace, R. K. (2009). *Introduction to Spatial Econometrics*, section 2.7.
    """
    problem = batch.problem
    at = Positions.of(problem, batch.names)
    # a last parameter that is zero stands for what the model does not have
    params = np.pad(batch.params, ((0, 0), (0, 1)))
    cov = np.pad(batch.cov, ((0, 0), (0, 1), (0, 1)))
    rho = params[:, at.rho]
    known = np.isfinite(cov).all(axis=(1, 2))
    lag_y = problem.spec.lag_y
    m = multipliers(
        problem.weights if lag_y else problem.durbin_weights,
        rho[known],
        logdet=batch.logdet if lag_y else None,
        durbin=problem.durbin_weights,
    )
    on_beta, on_theta, d_beta, d_theta = (
        np.stack([direct, total - direct, total], axis=1)
        for direct, total in (
            (m.direct_beta, m.total_beta),
            (m.direct_theta, m.total_theta),
            (m.d_direct_beta, m.d_total_beta),
            (m.d_direct_theta, m.d_total_theta),
        )
    )
    estimate = np.full((len(rho), len(at.terms), 3), np.nan)
    variance = estimate.copy()
    C = cov[known]
    for j, (b, t) in enumerate(zip(at.beta, at.theta, strict=True)):
        beta, theta = params[known, b, None], params[known, t, None]
        estimate[known, j] = beta * on_beta + theta * on_theta
        gradient = (on_beta, on_theta, beta * d_beta + theta * d_theta)
        place = [b, t, at.rho]
        own = C[:, place][:, :, place]
        variance[known, j] = sum(gradient[p] * gradient[q] * own[:, p, q, None] for p in range(3) for q in range(3))
    return BatchEffects(at.terms, estimate, np.sqrt(variance))
