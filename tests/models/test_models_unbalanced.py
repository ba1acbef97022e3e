"""Unbalanced panels and weights that change over time against brute force with explicit dummies."""

import numpy as np
import pytest

import spatial_de as sde
from spatial_de.logdet import WeightedEigenvalues, log_determinant
from spatial_de.models import SpatialLinks, adjusted, build_problem, estimate_ml, restricted
from spatial_de.models.covariance import covariance
from spatial_de.models.moving import MovingData
from spatial_de.weights.stacked import stack

from .unbalanced import EFFECTS, Adjusted, brute, case

pytestmark = pytest.mark.filterwarnings("ignore::spatial_de.errors.EstimationWarning")


def fitted(one, model, fixed, **options):
    w = None if model == "ols" else one.weights()
    return sde.fit("y ~ x + z", one.panel(), w, model=model, fixed=fixed, **options)


def check_direct(one, model, fixed, missing):
    fit = fitted(one, model, fixed, bias="none", missing_neighbors=missing)
    dense = brute(one, model, fixed, missing)
    params = fit.params.to_numpy()
    np.testing.assert_allclose(params, dense.fit(), rtol=1e-8, atol=1e-8)
    assert fit.loglik == pytest.approx(dense.at(params), abs=1e-8)
    if fit.df_resid is None:
        expected = np.sqrt(np.diag(np.linalg.inv(dense.information(params))))
        np.testing.assert_allclose(fit.std_errors, expected, rtol=1e-8)


@pytest.mark.parametrize("missing", ["renormalize", "zero"])
@pytest.mark.parametrize("fixed", EFFECTS)
@pytest.mark.parametrize("model", ["sar", "sem", "sac", "sdm", "sdem", "gns"])
def test_direct_likelihood_is_that_of_explicit_dummies(model, fixed, missing):
    check_direct(case(seed=3), model, fixed, missing)


@pytest.mark.parametrize("kind", ["directed", "binary"])
@pytest.mark.parametrize("model", ["sdm", "sem", "gns"])
def test_direct_likelihood_of_other_weights(model, kind):
    check_direct(case(kind, seed=4), model, "two-way", "renormalize")


@pytest.mark.parametrize("deleted", [0.0, 0.15])
@pytest.mark.parametrize("model", ["sdm", "sem", "gns"])
def test_direct_likelihood_of_weights_that_change(model, deleted):
    check_direct(case(varying=True, deleted=deleted, seed=5), model, "two-way", None if deleted == 0.0 else "zero")


@pytest.mark.parametrize("fixed", EFFECTS)
@pytest.mark.parametrize("model", ["ols", "slx"])
def test_linear_models_are_least_squares_with_dummies(model, fixed):
    one = case(seed=6)
    fit, dense = fitted(one, model, fixed), brute(one, model, fixed)
    everything = np.hstack([dense.Z, dense.D])
    found, ssr, *_ = np.linalg.lstsq(everything, dense.y, rcond=None)
    k, df = dense.Z.shape[1], dense.n - everything.shape[1]
    np.testing.assert_allclose(fit.params.to_numpy()[:-1], found[:k], rtol=1e-10)
    assert fit.df_resid == df
    cov = np.linalg.inv(everything.T @ everything) * ssr[0] / df
    np.testing.assert_allclose(fit.std_errors.to_numpy()[:-1], np.sqrt(np.diag(cov)[:k]), rtol=1e-9)


def check_adjusted(one, model, fixed, missing, *, logdet="auto", rtol=1e-8):
    fit = fitted(one, model, fixed, missing_neighbors=missing, logdet=logdet)
    dense = Adjusted(brute(one, model, fixed, missing or "renormalize"))
    params = fit.params.to_numpy()
    covariance, J = dense.covariance(params)
    assert np.abs(np.linalg.solve(J, dense.scores(params)) / np.sqrt(np.diag(covariance))).max() < rtol
    np.testing.assert_allclose(params, dense.solve(params), rtol=rtol, atol=rtol)
    np.testing.assert_allclose(fit.cov.to_numpy(), covariance, rtol=10 * rtol, atol=rtol * np.abs(covariance).max())
    assert fit.n_likelihood == dense.model.n - dense.model.D.shape[1]


@pytest.mark.parametrize("missing", ["renormalize", "zero"])
@pytest.mark.parametrize("fixed", ["individual", "time", "two-way"])
@pytest.mark.parametrize("model", ["sar", "sem", "sac", "sdm", "sdem", "gns"])
def test_adjusted_scores_are_zero_and_give_the_covariance(model, fixed, missing):
    check_adjusted(case(seed=1, n_units=14, n_times=8), model, fixed, missing)


@pytest.mark.parametrize(("kind", "varying", "deleted"), [("directed", False, 0.15), ("binary", True, 0.0)])
@pytest.mark.parametrize("model", ["sdm", "sem", "gns"])
def test_adjusted_scores_of_other_weights(model, kind, varying, deleted):
    check_adjusted(case(kind, varying=varying, deleted=deleted, seed=7, n_times=7), model, "two-way", None)


@pytest.mark.parametrize("fixed", ["individual", "time", "two-way"])
@pytest.mark.parametrize("kind", ["symmetric", "directed"])
def test_log_determinants_of_all_routes_agree(kind, fixed, monkeypatch):
    """Eigenvalues, solutions for every dummy, complex steps: values and derivatives."""
    one = case(kind, seed=9, n_units=14, n_times=6)
    problem = fitted(one, "sdm", fixed).estimate.problem
    base = log_determinant(problem.weights, "sparse")
    routes = [adjusted.lag_term(problem, base, 0.0)]
    monkeypatch.setattr(adjusted, "_CHEAP", 0.0)
    routes.append(adjusted.lag_term(problem, base, 0.0))
    monkeypatch.undo()
    routes.append(adjusted.lag_term(problem, log_determinant(problem.weights), 0.0))
    assert isinstance(routes[2], WeightedEigenvalues) == (kind == "symmetric")
    dense = Adjusted(brute(one, "sdm", fixed))
    for rho in (-0.4, 0.05, 0.6):
        _, _, P, K, _ = dense.operators([rho])
        for route in routes:
            assert route.first(rho) == pytest.approx(-np.trace(P @ K), abs=1e-6)
            assert route.second(rho) == pytest.approx(-np.trace(P @ K @ K), abs=1e-4)
        nodes, weights = np.polynomial.legendre.leggauss(20)
        pairs = [dense.operators([rho * (x + 1) / 2])[2:4] for x in nodes]
        slopes = [np.trace(P @ K) for P, K in pairs]
        for route in routes:
            assert route.value(rho) == pytest.approx(-0.5 * rho * weights @ slopes, abs=1e-6)


@pytest.mark.parametrize("fixed", ["individual", "time", "two-way"])
def test_restricted_determinant_by_interpolation(fixed, monkeypatch):
    problem = fitted(case("directed", seed=9), "sem", fixed).estimate.problem
    data, base = MovingData(problem), log_determinant(problem.error_weights)
    exact = restricted.RestrictedDeterminant(base, data)
    expected = [(exact.value(x), exact.first(x), exact.second(x)) for x in (-0.5, 0.1, 0.7)]
    monkeypatch.setattr(restricted, "_FEW_DUMMIES", 0)
    rough = restricted.RestrictedDeterminant(base, data)
    found = [(rough.value(x), rough.first(x), rough.second(x)) for x in (-0.5, 0.1, 0.7)]
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7)
    assert rough.error_bound < 1e-8


def test_probes_stand_for_the_traces_of_many_dummies(monkeypatch):
    fit = fitted(case(seed=2, n_units=40, n_times=6), "gns", "two-way")
    problem, point = fit.estimate.problem, fit.estimate
    exact = adjusted.drift(problem, point)
    monkeypatch.setattr(adjusted, "_CHEAP", 0.0)
    probed = adjusted.drift(problem, point)
    assert probed.own == pytest.approx(exact.own, rel=0.2)
    assert probed.cross == pytest.approx(exact.cross, rel=0.5, abs=0.2 * exact.own)


@pytest.mark.parametrize("fixed", EFFECTS)
@pytest.mark.parametrize("model", ["sar", "sem", "sac", "sdm", "sdem", "gns"])
def test_balanced_panels_under_one_w_give_lee_and_yu(model, fixed):
    """The same data as cells: the adjustment is the transformation."""
    one = case(deleted=0.0, seed=1, n_units=14, n_times=8)
    usual = fitted(one, model, fixed)
    problem = usual.estimate.problem
    w = usual.weights
    present = np.ones((8, 14), dtype=bool)
    stacked = stack([w] * 8, present, units=usual.units, times=one.times, missing="renormalize")
    cells = build_problem(
        problem.design, SpatialLinks.same(stacked), spec=problem.spec, effects=problem.effects, bias="lee-yu"
    )
    found = estimate_ml(cells)
    np.testing.assert_allclose(found.params, usual.params, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(found.bread, usual.cov, rtol=1e-7, atol=1e-9 * np.abs(usual.cov.to_numpy()).max())
    assert found.loglik == pytest.approx(usual.loglik, abs=1e-8)
    assert cells.n == problem.n
    for kind in ("cluster", "cluster-time", "driscoll-kraay", *["cluster-two-way"] * (fixed != "none")):
        expected = covariance(usual.estimate, kind)
        np.testing.assert_allclose(covariance(found, kind), expected, rtol=1e-6, atol=1e-7 * np.abs(expected).max())
