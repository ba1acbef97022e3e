"""Random effects on random panels and weights of every kind: no point is higher than the maximum."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_instances import instances, random_checks

from spatial_de.models import MODELS
from spatial_de.models.random_effects import random_likelihood


@pytest.mark.parametrize("form", ["bsk", "kkp"])
@pytest.mark.parametrize("model", MODELS)
@given(problem=instances(effects=("none",), t=(2, 7)), correlated=st.booleans(), seed=st.integers(0, 10**6))
@random_checks(3)
def test_no_point_is_higher_than_the_maximum(model, form, problem, correlated, seed):
    fit = problem.fit(model, random=form, correlated=correlated, bias=None)
    likelihood = random_likelihood(fit.estimate.problem)
    high = fit.loglik + fit.n_likelihood * np.log(fit.estimate.problem.y_scale)
    position = (fit.estimate.rho, fit.estimate.lam, fit.estimate.random.omega)
    assert likelihood.at(*position).loglik == pytest.approx(high, rel=1e-12)
    rng = np.random.default_rng(seed)
    pairs = [jacobian.logdet.bounds if jacobian else (0.0, 0.0) for jacobian in (likelihood.lag, likelihood.error)]
    for _ in range(60):
        rho, lam = (rng.uniform(low, up) for low, up in pairs)
        assert likelihood.at(rho, lam, rng.exponential(2.0)).loglik <= high + 1e-9
    for x in np.linspace(0.0, 8.0, 30):  # along the variance of units, at the estimate of the others
        assert likelihood.at(*position[:2], x).loglik <= high + 1e-9
    gradient = likelihood.derivatives(likelihood.at(*position))[0]
    if position[-1] == 0.0:
        assert gradient[-1] < 1e-6


@pytest.mark.parametrize("form", ["bsk", "kkp"])
@pytest.mark.parametrize("model", MODELS)
@given(problem=instances(effects=("none",), t=(2, 6)), seed=st.integers(0, 10**6))
@random_checks(2)
def test_derivatives_are_those_of_the_log_likelihood(model, form, problem, seed):
    """Gradient and Hessian of the concentrated log-likelihood against central differences of it, anywhere."""
    likelihood = random_likelihood(problem.fit(model, random=form, bias=None).estimate.problem)
    rng = np.random.default_rng(seed)
    pairs = [jacobian.logdet.bounds if jacobian else (0.0, 0.0) for jacobian in (likelihood.lag, likelihood.error)]
    x = np.array([*(0.6 * rng.uniform(low, up) for low, up in pairs), rng.uniform(0.2, 2.5)])
    free = [*([0] if likelihood.lag else []), *([1] if likelihood.error else []), 2]
    gradient, hessian = likelihood.derivatives(likelihood.at(*x))

    def along(j, function):
        h = 1e-4
        moves = [(-1 / 12, 2), (8 / 12, 1), (-8 / 12, -1), (1 / 12, -2)]
        return sum(c * function(likelihood.at(*(x + m * h * np.eye(3)[j]))) for c, m in moves) / h

    slopes = [along(j, lambda p: p.loglik) for j in free]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-6 * np.abs(slopes).max())
    bends = np.array([along(j, lambda p: likelihood.derivatives(p)[0]) for j in free])
    np.testing.assert_allclose(hessian, bends, rtol=1e-6, atol=1e-6 * np.abs(bends).max())
