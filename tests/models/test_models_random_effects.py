"""Random effects against brute force: the full covariance by Kronecker products, its likelihood, complex steps."""

import warnings

import numpy as np
import pytest

import spatial_de as sde
from spatial_de.errors import EstimationWarning
from spatial_de.models import MODELS

ERROR = ("sem", "sac", "sdem", "gns")
FORMS = [(model, form) for model in MODELS for form in (("bsk", "kkp") if model in ERROR else ("bsk",))]
each_form = pytest.mark.parametrize(("model", "form"), FORMS, ids=["-".join(f) for f in FORMS])
KINDS = ("asymmetric-row", "symmetric-row", "binary", "islands", "asymmetric", "spectral", "minmax")


def quiet_fit(panel, w, formula="y ~ x0 + x1", **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        return sde.fit(formula, panel, w, **options)


def flags(model):
    spec = MODELS[model]
    return {"lag_y": spec.lag_y, "lag_x": spec.lag_x, "lag_error": spec.lag_error}


def same(fit, brute, *, expected_information=False):
    """Parameters, log-likelihood, zero score and information."""
    k = brute.Z.shape[1]
    shown = len(fit.params) - (2 + brute.lag + brute.error)
    kept = [*range(shown), *range(k, k + 2 + brute.lag + brute.error)]  # dummies of times are not reported
    best = brute.fit()
    np.testing.assert_allclose(fit.params, best[kept], rtol=2e-8, atol=1e-9)
    assert fit.loglik == pytest.approx(brute.loglik(best), rel=1e-11)
    at_zero = best[-2] == 0.0
    free = [j for j in range(len(best)) if not (at_zero and j == len(best) - 2)]
    information = (brute.expected if expected_information else brute.information)(best)[np.ix_(free, free)]
    inverse = np.full((len(best), len(best)), np.nan)
    inverse[np.ix_(free, free)] = np.linalg.inv(information)
    inverse = inverse[np.ix_(kept, kept)]
    errors = np.sqrt(np.diag(inverse))
    np.testing.assert_allclose(fit.cov / np.outer(errors, errors), inverse / np.outer(errors, errors), atol=2e-6)
    if shown == k:
        score = brute.score(fit.params.to_numpy())
        assert np.nanmax(np.abs(score * errors)) < 1e-6
        assert not at_zero or score[-2] < 0


@each_form
@pytest.mark.parametrize("kind", KINDS)
def test_every_model_under_any_weights(model, form, kind, instance, dense, dense_random):
    panel, w, (y, X, W) = instance(kind, seed=3)
    fit = quiet_fit(panel, w, model=model, random=form)
    same(fit, dense_random.build_random(y, X, W, **flags(model), form=form, interval=dense.admissible))
    assert fit.n_likelihood == y.size
    assert fit.random == form


@each_form
def test_expected_information(model, form, instance, dense, dense_random):
    panel, w, (y, X, W) = instance("asymmetric", n=8, t=3, seed=6)
    fit = quiet_fit(panel, w, model=model, random=form, information="expected")
    brute = dense_random.build_random(y, X, W, **flags(model), form=form, interval=dense.admissible)
    same(fit, brute, expected_information=True)


@each_form
@pytest.mark.parametrize("kind", ["islands", "symmetric-row"])
def test_time_dummies_and_unit_means(model, form, kind, instance, dense, dense_random):
    panel, w, (y, X, W) = instance(kind, n=14, seed=9)
    fit = quiet_fit(panel, w, model=model, random=form, fixed="time", bias="none", correlated=True)
    brute = dense_random.build_random(
        y, X, W, **flags(model), form=form, times=True, means=True, interval=dense.admissible
    )
    same(fit, brute)
    own = ["x0", "x1", "W_x0", "W_x1"] if MODELS[model].lag_x else ["x0", "x1"]
    assert list(fit.params.index)[: 1 + 2 * len(own)] == ["Intercept", *own, *(f"mean_{name}" for name in own)]


@each_form
@pytest.mark.parametrize("information", ["observed", "expected"])
def test_time_effects_by_transformation(model, form, information, instance, dense, dense_random):
    """Lee and Yu: F'W F takes the place of W, with N - 1 orthonormal combinations of the units."""
    panel, w, (y, X, W) = instance("asymmetric-row", n=10, seed=4)
    fit = quiet_fit(panel, w, model=model, random=form, fixed="time", information=information)
    F = dense.basis(10)
    lagged = np.concatenate([X, np.einsum("ij,tjk->tik", W, X)], axis=2) if MODELS[model].lag_x else X
    brute = dense_random.build_random(
        y @ F,
        np.einsum("tik,ij->tjk", lagged, F),
        F.T @ W @ F,
        **(flags(model) | {"lag_x": False}),
        form=form,
        interval=lambda _: dense.admissible(W),
    )
    brute.Z = brute.Z[:, 1:]  # the intercept is gone with the means over units
    same(fit, brute, expected_information=information == "expected")
    assert fit.n_likelihood == 9 * 4
