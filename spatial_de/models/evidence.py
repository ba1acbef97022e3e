"""How well a model predicts the data that came: its marginal likelihood, every parameter integrated out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.models.bayes import posterior_line
from spatial_de.models.estimate import make_likelihood, maximum
from spatial_de.models.posterior import Target

if TYPE_CHECKING:
    from spatial_de.logdet import Method
    from spatial_de.models.prior import Prior
    from spatial_de.models.problem import Problem


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a comparison of models needs of one of them.

    Attributes
    ----------
    log_marginal
        Logarithm of the marginal likelihood of the response in the user's units.
    mean, std
        Posterior mean and standard deviation of the spatial parameter (rho, or lambda); NaN without one.
    """

    log_marginal: float
    mean: float
    std: float


def evidence(problem: Problem, prior: Prior, *, logdet: Method = "auto") -> Evidence:
    """Marginal likelihood of a model with at most one spatial parameter.

    Coefficients and variance are integrated out analytically, the spatial parameter by quadrature over its admissible
    interval (`posterior`).

    References
    ----------
    LeSage, J. and Pace, R. K. (2009). *Introduction to Spatial Econometrics*, section 6.3.
    """
    likelihood = make_likelihood(problem, logdet=logdet)
    at, record = maximum(likelihood, problem)
    target = Target.of(problem, likelihood, prior=prior, rho=at.rho, lam=at.lam)
    line = posterior_line(target, at, record)
    if line is None:
        zero = np.zeros(1)
        return Evidence(target.constant + float(target.density(zero, zero)[0]), float("nan"), float("nan"))
    return Evidence(target.constant + line.log_integral, *line.moments)
