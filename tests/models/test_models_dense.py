"""Fits against brute force: explicit dummies or orthonormal transformations, dense determinants, complex steps."""

import warnings

import numpy as np
import pytest

import spatial_de as sde
from spatial_de.errors import EstimationWarning
from spatial_de.models import MODELS

EFFECTS = ("none", "individual", "time", "two-way")
SPATIAL = ("sar", "sem", "sac", "sdm", "sdem", "gns")
KINDS = ("asymmetric-row", "symmetric-row", "binary", "islands", "asymmetric", "spectral", "minmax")


def quiet_fit(panel, w, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        return sde.fit("y ~ x0 + x1", panel, w, **options)


def flags(model):
    spec = MODELS[model]
    return {"lag_y": spec.lag_y, "lag_x": spec.lag_x, "lag_error": spec.lag_error}


def same(fit, brute, *, rtol=1e-9):
    """Parameters, log-likelihood, zero score and observed information."""
    expected = brute.fit()
    np.testing.assert_allclose(fit.params, expected, rtol=rtol, atol=1e-10)
    np.testing.assert_allclose(fit.loglik, brute.at(expected), rtol=1e-11)
    found = fit.params.to_numpy()
    information = brute.information(expected)
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    assert np.abs(brute.score(found) * errors).max() < 1e-6
    cov = fit.cov.to_numpy().copy()
    if fit.df_resid is not None:
        cov[:-1, :-1] *= fit.df_resid / fit.n_likelihood  # least squares divides by the degrees of freedom
    np.testing.assert_allclose(
        cov / np.outer(errors, errors), np.linalg.inv(information) / np.outer(errors, errors), atol=1e-6
    )


@pytest.mark.parametrize("kind", ["asymmetric-row", "islands"])
@pytest.mark.parametrize("fixed", EFFECTS)
@pytest.mark.parametrize("model", MODELS)
def test_direct_form_equals_explicit_dummies(model, fixed, kind, instance, dense):
    panel, w, (y, X, W) = instance(kind, seed=3)
    fit = quiet_fit(panel, w, model=model, fixed=fixed, bias="none")
    same(fit, dense.build(y, X, W, **flags(model), fixed=fixed, transformed=()))
    assert fit.n_likelihood == y.size


@pytest.mark.parametrize("fixed", ["individual", "time", "two-way"])
@pytest.mark.parametrize("model", MODELS)
def test_lee_yu_equals_orthonormal_transformation(model, fixed, instance, dense):
    panel, w, (y, X, W) = instance("asymmetric-row", n=12, t=6, seed=5)
    fit = quiet_fit(panel, w, model=model, fixed=fixed, bias="lee-yu")
    gone = ("individual", "time") if fixed == "two-way" else (fixed,)
    brute = dense.build(y, X, W, **flags(model), fixed=fixed, transformed=gone)
    same(fit, brute)
    assert fit.n_likelihood == brute.n


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", SPATIAL)
def test_individual_effects_under_any_weights(model, kind, instance, dense):
    panel, w, (y, X, W) = instance(kind, seed=8)
    np.testing.assert_allclose(w.to_dense(), W, rtol=1e-12)
    fit = quiet_fit(panel, w, model=model, fixed="individual")
    same(fit, dense.build(y, X, W, **flags(model), fixed="individual", transformed=("individual",)))


@pytest.mark.parametrize("kind", ["binary", "islands", "spectral"])
@pytest.mark.parametrize("fixed", ["time", "two-way"])
@pytest.mark.parametrize("model", SPATIAL)
def test_time_effects_of_weights_that_are_not_row_stochastic(model, fixed, kind, instance, dense):
    """Time dummies are estimated and the bias corrected: dense least squares with dummies plus the formula."""
    panel, w, (y, X, W) = instance(kind, seed=11)
    fit = quiet_fit(panel, w, model=model, fixed=fixed, bias="lee-yu", information="expected")
    gone = ("individual",) if fixed == "two-way" else ()
    brute = dense.build(y, X, W, **flags(model), fixed=fixed, transformed=gone)
    T, N = y.shape
    n_free = (T - (fixed == "two-way")) * (N - 1)
    np.testing.assert_allclose(fit.params, dense.bias_correction(brute, n_free), rtol=1e-8, atol=1e-10)
    assert any("estimated, and the bias corrected" in note for note in fit.notes)


@pytest.mark.parametrize("fixed", ["individual", "time", "two-way"])
@pytest.mark.parametrize("model", SPATIAL)
def test_bias_correction_of_row_stochastic_weights(model, fixed, instance, dense):
    panel, w, (y, X, W) = instance("asymmetric-row", seed=13)
    fit = quiet_fit(panel, w, model=model, fixed=fixed, bias="correction", information="expected")
    gone = ("individual",) if fixed in {"individual", "two-way"} else ()
    brute = dense.build(y, X, W, **flags(model), fixed=fixed, transformed=gone)
    T, N = y.shape
    n_free = (T - (fixed in {"individual", "two-way"})) * (N - (fixed in {"time", "two-way"}))
    found = fit.params.to_numpy()
    if fixed == "individual":
        np.testing.assert_allclose(found, brute.fit(), rtol=1e-9, atol=1e-10)  # nothing is left to correct
    else:
        expected = dense.bias_correction(brute, n_free, published=True)
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("model", SPATIAL)
def test_cross_section(model, instance, dense):
    panel, w, (y, X, W) = instance("binary", n=25, t=1, seed=2)
    table = panel.to_frame().set_index("unit")
    fit = sde.fit("y ~ x0 + x1", table, w, model=model)
    same(fit, dense.build(y, X, W, **flags(model), fixed="none", transformed=()))


@pytest.mark.parametrize("fixed", ["time", "two-way"])
@pytest.mark.parametrize("model", ["sar", "sem"])
def test_a_maximum_at_the_unit_root_is_never_taken_for_an_interior_one(model, fixed, instance, dense):
    """Without time effects' unit eigenvalue the transformed likelihood is smooth up to one and can rise all the way."""
    found = {True: 0, False: 0}
    for seed in range(40):
        panel, w, (y, X, W) = instance("symmetric-row", n=6, t=2, seed=seed)
        fit = quiet_fit(panel, w, model=model, fixed=fixed)
        gone = ("individual", "time") if fixed == "two-way" else ("time",)
        brute = dense.build(y, X, W, **flags(model), fixed=fixed, transformed=gone)
        low, edge = dense.admissible(W)[0], 1.0 - 1e-7
        grid = [*np.linspace(low, edge, 400)[1:], edge]
        best = int(np.argmax([brute.concentrated([x]) for x in grid]))
        rises = best >= len(grid) - 2 and brute.slope([edge])[0] > 0
        found[rises] += 1
        if rises:
            assert fit.optimization.status == "at bound"
            assert fit.std_errors.isna().all()
        elif fit.converged:
            np.testing.assert_allclose(brute.slope([fit.params.iloc[-2]])[0], 0.0, atol=1e-6)
    assert min(found.values()) > 0, found


@pytest.mark.parametrize("model", ["sar", "sem"])
@pytest.mark.parametrize("fixed", ["individual", "two-way"])
def test_models_of_effects_alone(model, fixed, instance, dense):
    """No regressor but the effects: what is left is spatial dependence."""
    panel, w, (y, X, W) = instance("asymmetric-row", n=12, t=6, seed=5)
    fit = sde.fit("y ~ 1", panel, w, model=model, fixed=fixed)
    gone = ("individual", "time") if fixed == "two-way" else (fixed,)
    brute = dense.build(y, X[:, :, :0], W, **flags(model), fixed=fixed, transformed=gone)
    assert brute.loglik(np.empty(0), fit.params.to_numpy()[:-1], fit.sigma2) == pytest.approx(fit.loglik, rel=1e-11)
    assert np.abs(brute.slope(fit.params.to_numpy()[:-1])).max() < 1e-6


def test_r_squared_leaves_out_what_the_effects_explain(instance):
    """Dummies of times among the regressors count as effects: W row-standardised or almost, the figure is the same."""
    panel, w, _ = instance("symmetric-row", n=12, t=6, seed=5)
    almost = w.raw.multiply(1.0 / w.raw.sum(axis=1)[:, None]).tolil()
    almost[0] *= 1.0 + 1e-9
    other = sde.weights.from_matrix(almost.tocsr(), w.ids)
    one, two = (quiet_fit(panel, weights, model="sar", fixed="two-way", bias="none") for weights in (w, other))
    assert two.estimate.problem.n_time_dummies > 0
    assert one.r_squared == pytest.approx(two.r_squared, abs=1e-6)
