"""Weights of their own for the error and for the lagged regressors: dense brute force, and named refusals."""

import warnings

import numpy as np
import pytest

import spatial_de as sde
from spatial_de.effects.other_weights import of_other_weights
from spatial_de.errors import AlignmentError, EstimationWarning, OptionError, WeightsError
from spatial_de.models import MODELS
from spatial_de.weights import SpatialWeights

EFFECTS = ("none", "individual", "time", "two-way")
N, T = 9, 4
OTHER = {"error": 21, "durbin": 34}


def other(dense, kind, which, n=N):
    raw, how = dense.matrix(kind, n, OTHER[which])
    return SpatialWeights(raw, [f"u{i:02d}" for i in range(n)], normalization=how)


def fitted(panel, w, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        return sde.fit("y ~ x0 + x1", panel, w, **options)


def options_of(model, dense, kind, n=N):
    spec = MODELS[model]
    found = {}
    if spec.lag_error:
        found["error_weights"] = other(dense, kind, "error", n)
    if spec.lag_x:
        found["durbin_weights"] = other(dense, kind, "durbin", n)
    return found


def brute(dense, data, model, own, **how):
    y, X, W = data
    spec = MODELS[model]
    matrices = {name: w.to_dense().to_numpy() for name, w in own.items()}
    return dense.build(
        y,
        X,
        W,
        lag_y=spec.lag_y,
        lag_x=spec.lag_x,
        lag_error=spec.lag_error,
        M=matrices.get("error_weights"),
        durbin_W=matrices.get("durbin_weights"),
        **how,
    )


def same(fit, model):
    expected = model.fit()
    np.testing.assert_allclose(fit.params, expected, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(fit.loglik, model.at(expected), rtol=1e-11)
    information = model.information(expected)
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    assert np.abs(model.score(fit.params.to_numpy()) * errors).max() < 1e-6
    cov = fit.cov.to_numpy().copy()
    if fit.df_resid is not None:
        cov[:-1, :-1] *= fit.df_resid / fit.n_likelihood
    scale = np.outer(errors, errors)
    np.testing.assert_allclose(cov / scale, np.linalg.inv(information) / scale, atol=1e-6)


@pytest.mark.parametrize("fixed", EFFECTS)
@pytest.mark.parametrize("model", ["slx", "sem", "sac", "sdm", "sdem", "gns"])
def test_lee_yu_with_weights_of_its_own_for_every_term(model, fixed, instance, dense):
    panel, w, data = instance("asymmetric-row", n=N, t=T, seed=5)
    own = options_of(model, dense, "symmetric-row")
    gone = {"none": (), "two-way": ("individual", "time")}.get(fixed, (fixed,))
    same(
        fitted(panel, w, model=model, fixed=fixed, **own), brute(dense, data, model, own, fixed=fixed, transformed=gone)
    )


@pytest.mark.parametrize("kind", ["binary", "islands"])
@pytest.mark.parametrize("model", ["sac", "sdm", "sdem", "gns"])
def test_direct_form_with_weights_of_any_kind(model, kind, instance, dense):
    panel, w, data = instance("asymmetric-row", n=N, t=T, seed=3)
    own = options_of(model, dense, kind)
    fit = fitted(panel, w, model=model, fixed="two-way", bias="none", **own)
    same(fit, brute(dense, data, model, own, fixed="two-way", transformed=()))


@pytest.mark.parametrize("model", ["sem", "sac", "gns"])
def test_time_effects_need_both_weights_row_stochastic(model, instance, dense):
    """With binary weights of the error, times are dummies, and the bias is corrected."""
    panel, w, data = instance("asymmetric-row", n=N, t=T, seed=6)
    own = options_of(model, dense, "binary")
    fit = fitted(panel, w, model=model, fixed="two-way", information="expected", **own)
    model_of = brute(dense, data, model, own, fixed="two-way", transformed=("individual",))
    np.testing.assert_allclose(fit.params, dense.bias_correction(model_of, (T - 1) * (N - 1)), rtol=1e-8, atol=1e-9)
    assert any("estimated, and the bias corrected" in note for note in fit.notes)


def test_weights_given_thrice_are_weights_given_once(instance):
    panel, w, _ = instance("asymmetric-row", n=N, t=T, seed=5)
    once = fitted(panel, w, model="gns")
    thrice = fitted(panel, w, model="gns", error_weights=w, durbin_weights=w)
    np.testing.assert_array_equal(once.params, thrice.params)
    np.testing.assert_array_equal(once.cov, thrice.cov)
    np.testing.assert_array_equal(once.effects("delta").table, thrice.effects("delta").table)


def test_weights_meet_the_data_by_label(instance, dense):
    panel, w, _ = instance("asymmetric-row", n=N, t=T, seed=5)
    own = options_of("gns", dense, "symmetric-row")
    turned = {name: weights.reorder(weights.ids[::-1]) for name, weights in own.items()}
    np.testing.assert_allclose(
        fitted(panel, w, model="gns", **own).params, fitted(panel, w, model="gns", **turned).params, rtol=1e-10
    )
    with pytest.raises(AlignmentError, match="u08"):
        fitted(panel, w, model="gns", error_weights=own["error_weights"].subset(w.ids[:-1]))


@pytest.mark.parametrize("kind", ["symmetric-row", "binary", "islands"])
@pytest.mark.parametrize("model", ["slx", "sdm", "gns"])
def test_effects_are_those_of_the_dense_inverse(model, kind, instance, dense):
    panel, w, (_, _, W) = instance("asymmetric-row", n=N, t=T, seed=5)
    own = options_of(model, dense, kind)
    fit = fitted(panel, w, model=model, fixed="individual", **own)
    V = own["durbin_weights"].to_dense().to_numpy()
    names = list(fit.params.index)
    places = [names.index("x0"), names.index("W_x0"), *([names.index("rho")] if "rho" in names else [])]

    def effects(point):
        rho = point[2] if len(point) == 3 else 0.0
        S = np.linalg.inv(np.eye(N) - rho * W)
        E = S @ (point[0] * np.eye(N) + point[1] * V)
        direct, total = np.trace(E) / N, E.sum() / N
        return np.array([direct, total - direct, total])

    point = fit.params.to_numpy()[places]
    table = fit.effects("delta").table.loc["x0"]
    np.testing.assert_allclose(table["estimate"], effects(point), rtol=1e-10, atol=1e-12)
    steps = 1e-6 * np.eye(len(point))
    slopes = np.array([(effects(point + h) - effects(point - h)) / 2e-6 for h in steps])
    cov = fit.cov.to_numpy()[np.ix_(places, places)]
    np.testing.assert_allclose(table["std_error"], np.sqrt(np.diag(slopes.T @ cov @ slopes)), rtol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        simulated = fit.effects(draws=500, seed=1)
    np.testing.assert_allclose(simulated.table.loc["x0", "estimate"], table["estimate"], rtol=1e-12)


@pytest.mark.parametrize("kind", ["asymmetric-row", "binary"])
def test_sparse_traces_are_those_of_the_dense_inverse(kind, dense, monkeypatch):
    """Complex steps of sparse determinants, interpolated over draws and around a single value."""
    w, v = other(dense, kind, "error", 30), other(dense, "asymmetric", "durbin", 30)
    top = 1.0 / np.abs(np.linalg.eigvals(w.to_dense())).max()
    rho = top * np.linspace(-0.5, 0.99, 7)
    expected = [np.array(of_other_weights(w, v, rho[i : i + 1]))[:, 0] for i in range(7)]
    np.testing.assert_allclose(np.array(of_other_weights(w, v, rho)).T, expected, rtol=1e-6)
    monkeypatch.setattr("spatial_de.effects.other_weights._FEW_UNITS", 10)
    np.testing.assert_allclose(np.array(of_other_weights(w, v, rho)).T, expected, rtol=1e-6)
    np.testing.assert_allclose(np.array(of_other_weights(w, v, rho[3:4]))[:, 0], expected[3], rtol=1e-6)


def test_weights_without_a_term_and_without_links_are_refused(instance, dense):
    panel, w, _ = instance("asymmetric-row", n=N, t=T, seed=5)
    with pytest.raises(OptionError, match=r"^error_weights= has no use in model='sdm': they belong to models with a"):
        fitted(panel, w, model="sdm", error_weights=w)
    with pytest.raises(OptionError, match=r"^durbin_weights= has no use in model='sar'"):
        fitted(panel, w, model="sar", durbin_weights=w)
    empty = SpatialWeights(np.zeros((N, N)), w.ids)
    with pytest.raises(WeightsError, match=r"^durbin_weights hold no links"):
        fitted(panel, w, model="sdm", durbin_weights=empty)
    with pytest.raises(OptionError, match="needs spatial weights"):
        fitted(panel, None, model="sac", error_weights=w)
    alone = fitted(panel, None, model="sem", error_weights=w)
    np.testing.assert_array_equal(alone.params, fitted(panel, w, model="sem").params)


def test_without_regressors_different_weights_tell_rho_from_lambda(instance, dense):
    panel, w, (y, X, W) = instance("asymmetric-row", n=N, t=8, seed=5)
    own = {"error_weights": other(dense, "symmetric-row", "error")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        fit = sde.fit("y ~ 1", panel, w, model="sac", fixed="none", **own)
    same(fit, brute(dense, (y, X[:, :, :0], W), "sac", own, fixed="none", transformed=()))


def test_the_summary_and_the_record_name_all_weights(instance, dense):
    panel, w, _ = instance("asymmetric-row", n=N, t=T, seed=5)
    own = options_of("gns", dense, "symmetric-row")
    fit = fitted(panel, w, model="gns", **own)
    assert fit.error_weights.fingerprint == own["error_weights"].fingerprint
    assert fit.durbin_weights.fingerprint == own["durbin_weights"].fingerprint
    text = fit.summary()
    assert "of the error" in text
    assert "of regressors" in text
    record = fit.to_dict()
    assert record["error_weights"] == own["error_weights"].fingerprint
    assert record["durbin_weights"] == own["durbin_weights"].fingerprint
    assert "error_weights" not in fitted(panel, w, model="gns").to_dict()
