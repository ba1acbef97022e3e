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


def here(fit, brute):
    """All parameters, dummies of times included, by least squares at the fit's spatial parameters and phi."""
    spatial = [fit.params[name] for name, free in (("rho", brute.lag), ("lambda", brute.error)) if free]
    return brute.profile(np.array([*spatial, fit.sigma2_mu / fit.sigma2]))


def same(fit, brute, best, *, expected_information=False):
    """Parameters, log-likelihood, zero score and information at the maximum `best`."""
    k, s = brute.Z.shape[1], brute.lag + brute.error
    kept = [*range(len(fit.params) - 2 - s), *range(k, k + 2 + s)]  # dummies of times are not reported
    np.testing.assert_allclose(fit.params, best[kept], rtol=2e-8, atol=1e-9)
    assert fit.loglik == pytest.approx(brute.loglik(best), rel=1e-11)
    at_zero = best[-2] == 0.0
    free = [j for j in range(len(best)) if not (at_zero and j == len(best) - 2)]
    information = (brute.expected if expected_information else brute.information)(best)[np.ix_(free, free)]
    inverse = np.full((len(best), len(best)), np.nan)
    inverse[np.ix_(free, free)] = np.linalg.inv(information)
    score, errors = brute.score(best), np.sqrt(np.diag(inverse))
    assert np.nanmax(np.abs(score * errors)) < 1e-6
    assert not at_zero or score[-2] < 0
    inverse, errors = inverse[np.ix_(kept, kept)], errors[kept]
    np.testing.assert_allclose(fit.cov / np.outer(errors, errors), inverse / np.outer(errors, errors), atol=2e-6)


def check_every_model(model, form, kind, instance, dense, dense_random):
    panel, w, (y, X, W) = instance(kind, seed=3)
    fit = quiet_fit(panel, w, model=model, random=form)
    brute = dense_random.build_random(y, X, W, **flags(model), form=form, interval=dense.admissible)
    same(fit, brute, brute.fit())
    assert fit.n_likelihood == y.size
    assert fit.random == form


@each_form
def test_every_model(model, form, instance, dense, dense_random):
    check_every_model(model, form, "asymmetric", instance, dense, dense_random)


@pytest.mark.slow
@each_form
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "asymmetric"])
def test_every_model_under_any_weights(model, form, kind, instance, dense, dense_random):
    check_every_model(model, form, kind, instance, dense, dense_random)


@each_form
def test_expected_information(model, form, instance, dense, dense_random):
    panel, w, (y, X, W) = instance("asymmetric", n=8, t=3, seed=6)
    fit = quiet_fit(panel, w, model=model, random=form, information="expected")
    brute = dense_random.build_random(y, X, W, **flags(model), form=form, interval=dense.admissible)
    same(fit, brute, here(fit, brute), expected_information=True)


@each_form
@pytest.mark.parametrize("kind", ["islands", pytest.param("symmetric-row", marks=pytest.mark.slow)])
def test_time_dummies_and_unit_means(model, form, kind, instance, dense, dense_random):
    panel, w, (y, X, W) = instance(kind, n=14, seed=9)
    fit = quiet_fit(panel, w, model=model, random=form, fixed="time", bias="none", correlated=True)
    brute = dense_random.build_random(
        y, X, W, **flags(model), form=form, times=True, means=True, interval=dense.admissible
    )
    same(fit, brute, here(fit, brute))
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
    same(fit, brute, here(fit, brute), expected_information=information == "expected")
    assert fit.n_likelihood == 9 * 4


def brute_prediction(fit, brute):
    """``E[mu | y] = sigma2_mu D' Omega^-1 u`` with D the dummies of units."""
    params = fit.params.to_numpy()
    k, T, N = brute.Z.shape[1], brute.T, len(brute.W)
    spatial, (s2_mu, s2) = params[k:-2], params[-2:]
    u = brute.target(spatial) - brute.Z @ params[:k]
    loading = np.kron(np.ones((T, 1)), np.eye(N))
    if brute.form == "kkp":
        loading = loading @ np.linalg.inv(np.eye(N) - brute.split(spatial)[1] * brute.M)
    return s2_mu * loading.T @ np.linalg.solve(s2 * brute.covariance(spatial, s2_mu / s2), u), u, loading


@each_form
@pytest.mark.parametrize("kind", ["asymmetric", "binary"])
def test_predicted_effects_and_residuals(model, form, kind, instance, dense, dense_random):
    panel, w, (y, X, W) = instance(kind, n=12, seed=3)
    fit = quiet_fit(panel, w, model=model, random=form)
    brute = dense_random.build_random(y, X, W, **flags(model), form=form, interval=dense.admissible)
    mu, u, loading = brute_prediction(fit, brute)
    np.testing.assert_allclose(fit.unit_effects, mu, rtol=1e-9, atol=1e-11)
    lam = fit.params.get("lambda", 0.0)
    filtered = (u - loading @ mu).reshape(y.shape) @ (np.eye(12) - lam * W).T
    np.testing.assert_allclose(fit.residuals.unstack("unit").to_numpy(), filtered, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(fit.fitted.unstack("unit").to_numpy(), y - filtered, rtol=1e-9)


@pytest.mark.parametrize("form", ["bsk", "kkp"])
@pytest.mark.parametrize("model", ["gns", "sac"])
def test_weights_of_their_own(model, form, instance, dense, dense_random):
    panel, w, (y, X, W) = instance("asymmetric-row", n=8, seed=3)
    _, other, (_, _, M) = instance("binary", n=8, seed=31)
    lagged = {"durbin_weights": other} if model == "gns" else {}
    fit = quiet_fit(panel, w, model=model, random=form, error_weights=other, **lagged)
    brute = dense_random.build_random(y, X, W, **flags(model), form=form, M=M, durbin_W=M, interval=dense.admissible)
    same(fit, brute, here(fit, brute))


def by_unit(model, params, brute):
    """Scores by pairs of units from explicit matrices, their expectation taken off, shape (N, N, p).

    ``s_x = v' (C x Q_x) v + l_x'(C x I) v - constants`` with C the inverse covariance over time, ``Q`` and ``l`` from
    differentiating the dense log-likelihood's parts.
    """
    k, T, N = brute.Z.shape[1], brute.T, len(brute.W)
    spatial, (s2_mu, s2) = params[k:-2], params[-2:]
    rho, lam = brute.split(spatial)
    A, B = np.eye(N) - rho * brute.W, np.eye(N) - lam * brute.M
    over_time = s2 * np.eye(T) + s2_mu * np.ones((T, T))
    C = np.linalg.inv(over_time)
    mean = (brute.Z @ params[:k]).reshape(T, N)
    v = (brute.y.reshape(T, N) @ A.T - mean) @ B.T
    # quadratic form between units, matrix over time, linear part
    parts = [(np.zeros((N, N)), C, brute.Z[:, j].reshape(T, N) @ B.T) for j in range(k)]
    G = brute.W @ np.linalg.inv(A)
    if brute.lag:
        parts.append((B @ G @ np.linalg.inv(B), C, mean @ G.T @ B.T))
    if brute.error:
        parts.append((brute.M @ np.linalg.inv(B), C, np.zeros((T, N))))
    changes = (np.ones((T, T)), np.eye(T))  # of the covariance over time, by sigma2_mu and sigma2
    parts += [(0.5 * np.eye(N), C @ change @ C, np.zeros((T, N))) for change in changes]
    pairs = np.zeros((N, N, len(parts)))
    for x, (Q, middle, linear) in enumerate(parts):
        pairs[:, :, x] = Q * (v.T @ middle @ v)
        own = np.einsum("ti,ts,si->i", linear, C, v) - np.diag(Q) * np.trace(middle @ over_time)
        pairs[np.arange(N), np.arange(N), x] += own
    return pairs


@pytest.mark.parametrize(("model", "form"), [f for f in FORMS if f[1] == "kkp" or f[0] not in ERROR])
def test_clusters_of_units(model, form, instance, dense, dense_random):
    """Own terms of units and pairs of units, whose errors are independent, added up by brute force."""
    panel, w, (y, X, W) = instance("asymmetric", n=11, t=4, seed=5)
    fit = quiet_fit(panel, w, model=model, random=form)
    assert fit.sigma2_mu > 0
    brute = dense_random.build_random(y, X, W, **flags(model), form=form, interval=dense.admissible)
    pairs = by_unit(model, fit.params.to_numpy(), brute)
    np.testing.assert_allclose(pairs.sum(axis=(0, 1)), brute.score(fit.params.to_numpy()), atol=1e-6)
    own = pairs[np.arange(11), np.arange(11)]
    meat = own.T @ own
    for i in range(11):
        for j in range(i):
            both = pairs[i, j] + pairs[j, i]
            meat += np.outer(both, both)
    inverse = fit.cov.to_numpy()
    expected = inverse @ meat @ inverse * 11 / 10
    size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(fit.with_cov("cluster").cov / size, expected / size, atol=1e-8)
