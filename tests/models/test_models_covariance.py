"""Cluster and Driscoll-Kraay covariances against their definitions, written with loops and dense matrices."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import OptionError, SpatialDEWarning
from spatial_de.models import MODELS, SpatialLinks, build_problem, estimate_ml
from spatial_de.models.covariance import covariance, default_bandwidth
from spatial_de.panel.design import build_design
from spatial_de.weights import SpatialWeights


def demean(a, fixed):
    if fixed in {"individual", "two-way"}:
        a = a - a.mean(axis=0, keepdims=True)
    if fixed in {"time", "two-way"}:
        a = a - a.mean(axis=1, keepdims=True)
    return a


def quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpatialDEWarning)
        return function(*args, **kwargs)


def kernel_sum(scores, lags):
    """Bartlett long-run variance of scores by time, shape (T, p)."""
    T = len(scores)
    out = np.zeros((scores.shape[1],) * 2)
    for s in range(T):
        for t in range(T):
            out += max(0.0, 1.0 - abs(s - t) / (lags + 1.0)) * np.outer(scores[s], scores[t])
    return out


@pytest.mark.parametrize("fixed", ["none", "individual", "time", "two-way"])
def test_least_squares_is_the_textbook_sandwich(fixed, instance):
    panel, _, (y, X, _) = instance("symmetric-row", n=9, t=12, seed=4)
    T, N = y.shape
    columns = demean(X, fixed)
    if fixed == "none":
        columns = np.concatenate([np.ones((T, N, 1)), X], axis=2)
    flat, target = columns.reshape(T * N, -1), demean(y, fixed).ravel()
    bread = np.linalg.inv(flat.T @ flat)
    e = (target - flat @ (bread @ flat.T @ target)).reshape(T, N)
    fit = sde.fit("y ~ x0 + x1", panel, model="ols", fixed=fixed)
    slopes = slice(0, flat.shape[1])

    meat = sum(np.outer(s, s) for s in (columns[:, i].T @ e[:, i] for i in range(N)))
    expected = bread @ meat @ bread * N / (N - 1)
    np.testing.assert_allclose(
        quietly(fit.with_cov, "cluster").cov.iloc[slopes, slopes], expected, rtol=1e-9, atol=1e-14
    )

    by_time = np.einsum("tnk,tn->tk", columns, e)
    for lags in (0, 2):
        expected = bread @ kernel_sum(by_time, lags) @ bread
        found = quietly(fit.with_cov, "driscoll-kraay", bandwidth=lags).cov.iloc[slopes, slopes]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14)


def spatial_pieces(fit, y, X, W, *, model, fixed):
    """e, regressors of the e-equation, quadratic and linear operators of the spatial scores."""
    N, spec = y.shape[1], MODELS[model]
    Z = np.concatenate([X, np.einsum("ij,tjk->tik", W, X)], axis=2) if spec.lag_x else X
    delta = fit.params.to_numpy()[: Z.shape[2]]
    A, B = np.eye(N) - fit.params.get("rho", 0.0) * W, np.eye(N) - fit.params.get("lambda", 0.0) * W
    e = demean((y @ A.T - Z @ delta) @ B.T, fixed)
    BZ = demean(np.einsum("ij,tjk->tik", B, Z), fixed)
    G, H = W @ np.linalg.inv(A), W @ np.linalg.inv(B)
    Ks, Ls = [], []
    if spec.lag_y:
        Ks.append(B @ G @ np.linalg.inv(B))
        Ls.append(demean((demean(Z, fixed) @ delta) @ (B @ G).T, fixed))
    if spec.lag_error:
        Ks.append(H)
        Ls.append(np.zeros_like(y))
    if fixed == "two-way":
        Ks = [(np.eye(N) - 1.0 / N) @ K for K in Ks]
    return e, BZ, Ks, Ls


@pytest.mark.parametrize("model", ["sar", "sdm", "sem", "sdem", "sac", "gns"])
@pytest.mark.parametrize("fixed", ["individual", "two-way"])
def test_spatial_models_follow_the_documented_double_sum(model, fixed, instance):
    panel, w, (y, X, W) = instance("asymmetric-row", n=10, t=14, seed=21)
    T, N = y.shape
    fit = sde.fit("y ~ x0 + x1", panel, w, model=model, fixed=fixed)
    e, BZ, Ks, Ls = spatial_pieces(fit, y, X, W, model=model, fixed=fixed)
    s2, k, bread = fit.sigma2, BZ.shape[2], fit.cov.to_numpy()
    n, periods = fit.n_likelihood, T - 1

    def own(i, t):
        """Contribution of one unit and time that involves no other unit."""
        quadratic = [K[i, i] * (e[t, i] ** 2 / s2 - periods / T) for K in Ks]
        linear = [L[t, i] * e[t, i] / s2 for L in Ls]
        variance = e[t, i] ** 2 / (2 * s2**2) - n / (T * N) / (2 * s2)
        return np.array([*(BZ[t, i] * e[t, i] / s2), *np.add(quadratic, linear), variance])

    def pair(i, j, t):
        out = np.zeros(size)
        out[k:-1] = [(K[i, j] + K[j, i]) * e[t, i] * e[t, j] / s2 for K in Ks]
        return out

    size = k + len(Ks) + 1
    meat = np.zeros((size, size))
    by_time = np.zeros((T, size))
    for i in range(N):
        units = [own(i, t) for t in range(T)]
        meat += np.outer(sum(units), sum(units))
        by_time += units
        for j in range(i):
            pairs = [pair(i, j, t) for t in range(T)]
            meat += np.outer(sum(pairs), sum(pairs))
            by_time += pairs
    expected = bread @ meat @ bread * N / (N - 1)
    size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(quietly(fit.with_cov, "cluster").cov / size, expected / size, atol=1e-8)

    by_time -= by_time.mean(axis=0)
    expected = bread @ kernel_sum(by_time, 3) @ bread
    size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    found = quietly(fit.with_cov, "driscoll-kraay", bandwidth=3).cov
    np.testing.assert_allclose(found / size, expected / size, atol=1e-8)


def ar1(rng, shape, phi):
    """Stationary AR(1) over the first axis, variance one."""
    out = np.empty(shape)
    out[0] = rng.normal(size=shape[1])
    for t in range(1, shape[0]):
        out[t] = phi * out[t - 1] + np.sqrt(1 - phi**2) * rng.normal(size=shape[1])
    return out


def test_cluster_errors_are_right_when_errors_are_correlated_over_time():
    """400 replications of a spatial lag model with AR(1) errors and AR(1) regressor within units."""
    N, T, phi, rho = 40, 10, 0.7, 0.4
    ring = np.roll(np.eye(N), 1, axis=1) + np.roll(np.eye(N), -1, axis=1)
    w = SpatialWeights(ring, range(1, N + 1), normalization="row")
    inverse = np.linalg.inv(np.eye(N) - rho * ring / 2)
    rng = np.random.default_rng(7)
    x = ar1(rng, (T, N), phi)
    keys = {"year": np.repeat(np.arange(T), N), "unit": np.tile(np.arange(1, N + 1), T)}
    panel = sde.Panel(pd.DataFrame({**keys, "y": x.ravel(), "x": x.ravel()}), unit="unit", time="year")
    design = build_design("y ~ x", panel)
    estimates, clustered, classical = [], [], []
    for _ in range(400):
        drawn = replace(design, y=(x + ar1(rng, (T, N), phi)) @ inverse.T)
        estimate = estimate_ml(
            build_problem(drawn, SpatialLinks.same(w), spec=MODELS["sar"], effects="none", bias="none")
        )
        assert estimate.names == ("Intercept", "x", "rho", "sigma2")
        estimates.append(estimate.params[1:3])
        classical.append(np.sqrt(np.diag(covariance(estimate, "classical"))[1:3]))
        clustered.append(np.sqrt(np.diag(covariance(estimate, "cluster"))[1:3]))
    spread = np.std(estimates, axis=0, ddof=1)
    ratio = np.mean(clustered, axis=0) / spread
    # Monte Carlo error of a standard deviation of 400 draws: 3.5 per cent; clustering is a little low at N = 40
    assert (np.abs(ratio - 0.98) < 0.11).all(), ratio
    assert (np.mean(classical, axis=0) / spread < 0.85).all()  # what clustering is for


def test_covariances_refuse_what_they_cannot_do(instance):
    panel, w, _ = instance("symmetric-row", t=4, seed=4)
    fit = sde.fit("y ~ x0", panel, w, model="sar", fixed="none")
    with pytest.raises(OptionError, match="bandwidth=2 belongs to cov='driscoll-kraay', not to cov='cluster'"):
        fit.with_cov("cluster", bandwidth=2)
    with pytest.raises(OptionError, match="between 0 and T - 1 = 3"):
        quietly(fit.with_cov, "driscoll-kraay", bandwidth=4)
    with pytest.raises(OptionError, match="classical"):
        fit.with_cov("clusters")
    table = panel.select(times=[2000]).to_frame().set_index("unit")
    with pytest.raises(OptionError, match="needs a panel with at least two times"):
        sde.fit("y ~ x0", table, w, model="sar", cov="cluster")


def test_default_bandwidth():
    assert [default_bandwidth(t) for t in (5, 10, 30, 100, 200)] == [2, 2, 3, 4, 4]


@pytest.mark.parametrize("cov", ["classical", "cluster", "driscoll-kraay"])
@pytest.mark.parametrize("fixed", ["none", "two-way"])
def test_effects_inherit_the_covariance(cov, fixed, instance):
    """Delta errors of the total effect, (beta + theta) / (1 - rho), by hand from the fit's own covariance."""
    panel, w, _ = instance("asymmetric-row", n=10, t=14, seed=21)
    fit = quietly(sde.fit, "y ~ x0 + x1", panel, w, model="sdm", fixed=fixed, cov=cov)
    table = fit.effects("delta").table
    for term in ("x0", "x1"):
        names = [term, f"W_{term}", "rho"]
        beta, theta, rho = fit.params[names]
        slope = np.array([1.0, 1.0, (beta + theta) / (1.0 - rho)]) / (1.0 - rho)
        variance = slope @ fit.cov.loc[names, names].to_numpy() @ slope
        assert table.loc[(term, "total"), "std_error"] == pytest.approx(np.sqrt(variance), rel=1e-10)


@pytest.mark.parametrize("fixed", ["individual", "two-way"])
def test_two_times_have_no_driscoll_kraay_variance(fixed, instance):
    """The scores of the two times are the same: their variance would be rounding noise."""
    panel, w, _ = instance("asymmetric-row", n=10, t=2, seed=21)
    fit = sde.fit("y ~ x0 + x1", panel, w, model="sar", fixed=fixed)
    with pytest.raises(OptionError, match="not defined for two times with individual effects"):
        fit.with_cov("driscoll-kraay")


def test_notes_of_another_covariance_do_not_stay(instance):
    panel, w, _ = instance("asymmetric-row", n=10, t=8, seed=21)
    fit = sde.fit("y ~ x0 + x1", panel, w, model="sar")
    kraay = quietly(fit.with_cov, "driscoll-kraay")
    assert quietly(kraay.with_cov, "driscoll-kraay").notes == kraay.notes
    assert kraay.with_cov("cluster").notes == fit.notes
