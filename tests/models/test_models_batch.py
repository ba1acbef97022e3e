"""Batches: chunks, statuses, the path from Gram matrices, several maxima."""

from dataclasses import replace

import numpy as np
import pytest

from spatial_de.errors import DataError, OptionError
from spatial_de.models import MODELS, SpatialLinks, build_problem, estimate_ml, replications
from spatial_de.models.batch import Factors, factors_of_gram, maximise_batch
from spatial_de.models.estimate import make_jacobian
from spatial_de.models.replications import estimate_replications
from spatial_de.models.simulation import simulate
from spatial_de.panel.design import build_design


@pytest.fixture
def case(instance):
    """A row-standardised two-way problem and replications of it."""
    panel, w, _ = instance("asymmetric", n=12, t=5, seed=3)
    design = build_design("y ~ x0 + x1", panel)

    def problem(model="sdm", w=w, effects="two-way", bias="lee-yu", **changes):
        links = SpatialLinks.same(w.normalized("row"))
        return build_problem(replace(design, **changes), links, spec=MODELS[model], effects=effects, bias=bias)

    rng = np.random.default_rng(8)
    y = design.y + rng.normal(size=(40, *design.y.shape))
    X = design.X + rng.normal(size=(40, *design.X.shape))
    return problem, y, X


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("model", ["sdm", "sdem"])
def test_chunks_change_nothing(case, model, own, monkeypatch):
    problem, y, X = case
    whole = estimate_replications(problem(model), y, X=X if own else None)
    monkeypatch.setattr(replications, "_CHUNK", 7 * y[0].size * 4)
    parts = estimate_replications(problem(model), y, X=X if own else None)
    alone = estimate_replications(problem(model), y[17:18], X=X[17:18] if own else None)
    assert whole.params.shape == (40, 6)
    np.testing.assert_allclose(parts.params, whole.params, rtol=1e-10)
    np.testing.assert_allclose(parts.bread, whole.bread, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(alone.params[0], whole.params[17], rtol=1e-10)


def test_replications_without_an_estimate_say_so_and_disturb_no_other(case):
    problem, y, X = case
    p = problem("sdm")
    good = estimate_replications(p, y[:3], X=X[:3])
    y, X = y[:6].copy(), X[:6].copy()
    y[3] = 2.0 * X[3, :, :, 0] + 1.0  # no error left
    X[4, :, :, 1] = 3.0 * X[4, :, :, 0]  # collinear
    y[5] = 4.0  # nothing to explain
    found = estimate_replications(p, y, X=X)
    assert found.status.tolist() == ["converged"] * 3 + ["exact fit", "collinear", "exact fit"]
    assert np.isnan(found.params[3:]).all()
    assert np.isnan(found.bread[3:]).all()
    assert np.isnan(found.loglik[3:]).all()
    np.testing.assert_allclose(found.params[:3], good.params, rtol=1e-12)


def test_what_cannot_be_done_in_a_batch_is_refused(case):
    problem, y, _ = case
    with pytest.raises(OptionError, match="two spatial parameters"):
        estimate_replications(problem("sac"), y)
    with pytest.raises(OptionError, match="bias correction"):
        estimate_replications(problem(bias="correction"), y)
    with pytest.raises(DataError, match=r"must be \(40, 5, 12\)"):
        estimate_replications(problem(), y[:, :, :-1])
    bad = y.copy()
    bad[[4, 9], 0, 0] = np.nan, np.inf
    with pytest.raises(DataError, match="not finite in replications 4, 9"):
        estimate_replications(problem(), bad)


@pytest.mark.parametrize("model", ["slx", "sdm", "sdem"])
def test_resampled_gram_matrices_are_resampled_data(case, model):
    """Counts of units times the Gram matrices of their rows, against the likelihood of the stacked rows themselves."""
    problem, _, _ = case
    p = problem(model)
    lag = {"slx": [], "sdm": [p.Wy], "sdem": [p.MZ, p.My]}[model]
    table = np.concatenate([p.Z, p.y[:, :, None], *(a.reshape(*p.y.shape, -1) for a in lag)], axis=2)
    draws = np.random.default_rng(0).integers(0, 12, size=(30, 12))
    counts = np.stack([np.bincount(d, minlength=12) for d in draws])
    gram = np.einsum("tna,tnb->nab", table, table)
    factors = factors_of_gram((counts @ gram.reshape(12, -1)).reshape(30, *gram.shape[1:]))
    term = {"slx": "none", "sdm": "lag", "sdem": "error"}[model]
    jacobian = None if model == "slx" else make_jacobian(p, p.weights)
    found = maximise_batch(Factors.of(factors, p.k, term=term), n=p.n, jacobian=jacobian)
    for r in (0, 11, 29):
        arrays = {name: getattr(p, name) for name in ("y", "Wy", "Z", "My", "MZ")}
        one = estimate_ml(replace(p, **{name: a[:, draws[r]] for name, a in arrays.items() if a is not None}))
        np.testing.assert_allclose(found.delta[r], one.delta, rtol=1e-6)
        np.testing.assert_allclose(found.sigma2[r], one.sigma2_scaled, rtol=1e-6)
        np.testing.assert_allclose(found.bread[r], one.scaled_bread, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(("rho", "lam"), [(0.4, 0.0), (0.0, -0.3), (0.4, 0.3), (0.0, 0.0)])
def test_simulated_responses_follow_the_model(instance, rho, lam):
    _, w, (_, X, W) = instance("asymmetric", n=12, t=5, seed=3)
    rho, lam = (value / np.abs(np.linalg.eigvals(W)).max() for value in (rho, lam))
    mean, errors = X[:, :, 0], np.random.default_rng(1).normal(size=(7, 5, 12))
    y = simulate(mean, errors, w=w, rho=rho, error_weights=w, lam=lam)
    u = y - rho * y @ W.T - mean
    np.testing.assert_allclose(u - lam * u @ W.T, errors, atol=1e-12)


@pytest.fixture
def near_one(instance):
    """Responses of a process with rho = 0.97: estimates are close to the pole of the log-determinant."""
    panel, w, (_, X, _) = instance("asymmetric", n=20, t=5, seed=4)
    design, w = build_design("y ~ x0 + x1", panel), w.normalized("row")
    y = simulate(X[:, :, 0], np.random.default_rng(3).normal(size=(40, 5, 20)), w=w, rho=0.97)

    def problem(r=0):
        links = SpatialLinks.same(w)
        return build_problem(replace(design, y=y[r]), links, spec=MODELS["sar"], effects="individual", bias="lee-yu")

    return problem, y


def test_sparse_log_determinants_serve_estimates_near_the_bound(near_one):
    """A window of several standard errors around such an estimate would reach beyond the bound."""
    problem, _ = near_one
    for r in range(12):
        one, other = estimate_ml(problem(r), logdet="sparse"), estimate_ml(problem(r), logdet="eigenvalues")
        assert one.rho > 0.8
        se = np.sqrt(np.diag(other.bread))
        np.testing.assert_allclose((one.params - other.params) / se, 0.0, atol=1e-7)


def test_a_batch_whose_estimates_are_too_far_apart_for_one_interpolation(near_one):
    problem, y = near_one
    y = np.concatenate(
        [y, -0.5 * y[:20] @ np.diag((-1.0) ** np.arange(20)), np.random.default_rng(0).normal(size=(20, 5, 20))]
    )
    sparse, dense = (estimate_replications(problem(), y, logdet=method) for method in ("sparse", "eigenvalues"))
    assert np.ptp(dense.params[:, -2]) > 1.2
    assert (sparse.status == dense.status).all()
    ok = dense.converged
    np.testing.assert_allclose((sparse.params - dense.params)[ok] / dense.std_errors[ok], 0.0, atol=1e-7)
