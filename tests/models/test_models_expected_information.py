"""Expected information: the exact mean of the observed one, which is quadratic in the errors."""

import numpy as np
import pytest
from scipy import sparse

import spatial_de as sde
from spatial_de.models import MODELS
from spatial_de.models.information import traced, traced_pair

SPATIAL = ("sar", "sem", "sac", "sdm", "sdem", "gns")


def fit_and_flags(panel, w, model, fixed):
    """A fit of the Lee-Yu form, and which terms the model lags."""
    fit = sde.fit("y ~ x0 + x1", panel, w, model=model, fixed=fixed, information="expected")
    spec = MODELS[model]
    return fit, {"lag_y": spec.lag_y, "lag_x": spec.lag_x, "lag_error": spec.lag_error}


def mean_information(brute, params):
    """E[-Hessian] at the parameters, without simulation.

    For q quadratic in e ~ N(0, s2 I): E q(e) = q(0) + sum_i [q(s e_i) + q(-s e_i) - 2 q(0)] / 2 with s2 = s^2.
    """
    k, s2, eye = brute.Z.shape[1], params[-1], np.eye(brute.n)
    A, B = brute.operators(params[k:-1])
    mean = brute.Z @ params[:k]
    noise = np.linalg.inv(B)

    def at(e):
        brute.y = np.linalg.solve(A, mean + noise @ e)
        return brute.information(params)

    given, centre = brute.y, at(np.zeros(brute.n))
    total = centre.copy()
    for column in np.sqrt(s2) * eye:
        total += (at(column) + at(-column) - 2.0 * centre) / 2.0
    brute.y = given
    return total


@pytest.mark.parametrize("kind", ["asymmetric-row", "binary", "islands"])
@pytest.mark.parametrize("fixed", ["none", "individual"])
@pytest.mark.parametrize("model", SPATIAL)
def test_any_weights(model, fixed, kind, instance, dense):
    panel, w, (y, X, W) = instance(kind, n=7, t=3, seed=21)
    fit, flags = fit_and_flags(panel, w, model, fixed)
    gone = () if fixed == "none" else ("individual",)
    compare(fit, dense.build(y, X, W, **flags, fixed=fixed, transformed=gone))


@pytest.mark.parametrize("fixed", ["time", "two-way"])
@pytest.mark.parametrize("model", SPATIAL)
def test_time_effects_of_row_stochastic_weights(model, fixed, instance, dense):
    panel, w, (y, X, W) = instance("asymmetric-row", n=7, t=4, seed=22)
    fit, flags = fit_and_flags(panel, w, model, fixed)
    gone = ("individual", "time") if fixed == "two-way" else ("time",)
    compare(fit, dense.build(y, X, W, **flags, fixed=fixed, transformed=gone))


def compare(fit, brute):
    assert fit.converged
    expected = np.linalg.inv(mean_information(brute, fit.params.to_numpy()))
    size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(fit.cov / size, expected / size, atol=1e-7)


@pytest.mark.parametrize("centred", [False, True])
def test_traces_of_two_different_weights(centred):
    """``tr(QP + QP')`` of Q and P, or of JQ and JP: sparse sums against dense products."""
    rng = np.random.default_rng(3)
    Q, P = (rng.normal(size=(9, 9)) * (rng.uniform(size=(9, 9)) < 0.4) for _ in range(2))
    J = np.eye(9) - (1 / 9 if centred else 0.0)
    one, other = J @ Q, J @ P
    found = [sparse.csr_array(matrix) for matrix in (Q, P)]
    assert traced_pair(*found, centred=centred) == pytest.approx(np.trace(one @ other + one @ other.T), rel=1e-12)
    assert traced(found[0], centred=centred) == pytest.approx(np.trace(one), rel=1e-12)
