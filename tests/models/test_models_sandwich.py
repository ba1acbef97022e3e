"""Robust covariances against the variance of quadratic forms of stacked errors, textbook sandwiches, simulations."""

import warnings

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import IdentificationError, OptionError, SpatialDEWarning
from spatial_de.models import MODELS
from spatial_de.models.sandwich import cumulants
from spatial_de.weights import SpatialWeights

MODELS_OF_TWO = ("sar", "sem", "sac", "sdm", "sdem", "gns")


def quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpatialDEWarning)
        return function(*args, **kwargs)


def centring(n):
    return np.eye(n) - 1.0 / n


@pytest.mark.parametrize("fixed", ["none", "individual", "time", "two-way"])
@pytest.mark.parametrize("model", MODELS_OF_TWO)
def test_the_sandwich_of_stacked_quadratic_forms(model, fixed, instance):
    """Var(e'Qe + l'e) = k4 sum q_ii^2 + 2 k3 sum q_ii l_i + s4 (tr QQ + tr QQ') + s2 l'l, everything by kron."""
    panel, w, (y, X, W) = instance("asymmetric-row", n=10, t=6, seed=21)
    T, N = y.shape
    spec = MODELS[model]
    fit = quietly(sde.fit, "y ~ x0 + x1", panel, w, model=model, fixed=fixed)
    individual, timed = fixed in {"individual", "two-way"}, fixed in {"time", "two-way"}
    P = np.kron(centring(T) if individual else np.eye(T), centring(N) if timed else np.eye(N))
    Z = np.concatenate([X, np.einsum("ij,tjk->tik", W, X)], axis=2) if spec.lag_x else X
    Z = Z.reshape(T * N, -1)
    if fixed == "none":
        Z = np.column_stack([np.ones(T * N), Z])
    k = Z.shape[1]
    delta, s2 = fit.params.to_numpy()[:k], fit.sigma2
    A = np.eye(N) - fit.params.get("rho", 0.0) * W
    B = np.eye(N) - fit.params.get("lambda", 0.0) * W
    big = [np.kron(np.eye(T), matrix) for matrix in (A, B, W)]
    e = P @ big[1] @ (big[0] @ y.ravel() - Z @ delta)
    # the errors before effects were taken out: P projects, so that scores are those of P Q P
    quadratic, linear = [np.zeros_like(P)] * k, list((P @ big[1] @ Z / s2).T)
    G = big[2] @ np.linalg.inv(big[0])
    if spec.lag_y:
        quadratic.append(P @ big[1] @ G @ np.linalg.inv(big[1]) @ P / s2)
        linear.append(P @ big[1] @ G @ (P @ Z if fixed != "none" else Z) @ delta / s2)
    if spec.lag_error:
        quadratic.append(P @ big[2] @ np.linalg.inv(big[1]) @ P / s2)
        linear.append(np.zeros(T * N))
    quadratic.append(P / (2 * s2**2))
    linear.append(np.zeros(T * N))
    powers = [np.mean(np.sum(P**p, axis=1)) for p in (2, 3, 4)]
    k3 = np.mean(e**3) / powers[1]
    k4 = (np.mean(e**4) - 3 * (powers[0] * s2) ** 2) / powers[2]
    size = len(quadratic)
    meat = np.empty((size, size))
    for a in range(size):
        for b in range(size):
            Q, R, l, m = quadratic[a], quadratic[b], linear[a], linear[b]
            Q, R = (Q + Q.T) / 2, (R + R.T) / 2
            q, r = np.diag(Q), np.diag(R)
            meat[a, b] = k4 * q @ r + k3 * (q @ m + r @ l) + 2 * s2**2 * np.trace(Q @ R) + s2 * l @ m
    bread = fit.cov.to_numpy()
    expected = bread @ meat @ bread
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(fit.with_cov("robust").cov / scale, expected / scale, atol=1e-8)


@pytest.mark.parametrize("fixed", ["none", "individual", "time", "two-way"])
def test_cumulants_of_errors_from_residuals(fixed, instance):
    """Errors of a centred chi-squared distribution with one degree of freedom: cumulants 8 and 48."""
    panel, w, _ = instance("symmetric-row", n=9, t=3)
    problem = quietly(sde.fit, "y ~ x0", panel, w, model="sar", fixed=fixed).estimate.problem
    draws = np.random.default_rng(3).chisquare(1, size=(30_000, 3, 9)) - 1.0
    if fixed in {"individual", "two-way"}:
        draws -= draws.mean(axis=1, keepdims=True)
    if fixed in {"time", "two-way"}:
        draws -= draws.mean(axis=2, keepdims=True)
    found = [cumulants(problem, e, 2.0) for e in draws]
    assert np.mean([one.fourth for one in found]) == pytest.approx(48.0, rel=0.1)
    assert np.mean([one.third for one in found]) == pytest.approx(8.0, rel=0.05)


@pytest.mark.parametrize("kind", ["robust", "cluster", "driscoll-kraay"])
@pytest.mark.parametrize("model", ["ols", *MODELS_OF_TWO])
def test_the_direct_likelihood_of_unit_effects_is_the_same_estimator(model, kind, instance):
    """Both likelihoods of individual effects have one maximum, sigma2 apart: sandwiches cannot differ either."""
    panel, w, _ = instance("asymmetric-none", n=10, t=3, seed=6)
    fits = [quietly(sde.fit, "y ~ x0", panel, w, model=model, fixed="individual", bias=b) for b in ("lee-yu", "none")]
    transformed, direct = (quietly(fit.with_cov, kind).std_errors for fit in fits)
    wanted = transformed * np.where(transformed.index == "sigma2", 2.0 / 3.0, 1.0)
    np.testing.assert_allclose(direct, wanted, rtol=1e-5)


@pytest.mark.parametrize("fixed", ["none", "two-way"])
def test_linear_models_get_white_s_sandwich(fixed, instance):
    panel, _, (y, X, _) = instance("symmetric-row", n=9, t=12, seed=4)
    T, N = y.shape
    columns = X.reshape(T * N, -1)
    if fixed == "none":
        columns, target, free = np.column_stack([np.ones(T * N), columns]), y.ravel(), T * N
    else:
        P = np.kron(centring(T), centring(N))
        columns, target, free = P @ columns, P @ y.ravel(), (T - 1) * (N - 1)
    bread = np.linalg.inv(columns.T @ columns)
    e = target - columns @ bread @ columns.T @ target
    k = columns.shape[1]
    expected = bread @ (columns.T * e**2 @ columns) @ bread * free / (free - k)
    fit = sde.fit("y ~ x0 + x1", panel, model="ols", fixed=fixed, cov="robust")
    np.testing.assert_allclose(fit.cov.iloc[:k, :k], expected, rtol=1e-9)
    assert "heteroskedasticity-robust (HC1)" in fit.summary()


def test_skewed_errors_move_the_standard_error_of_the_variance_most():
    """500 replications with errors of a lognormal kind: robust errors are right where classical ones are not."""
    rng, n = np.random.default_rng(5), 200
    ring = np.roll(np.eye(n), 1, axis=1) + np.roll(np.eye(n), -1, axis=1)
    ids = [f"u{i:03d}" for i in range(n)]
    w = SpatialWeights(ring, ids, normalization="row")
    inverse = np.linalg.inv(np.eye(n) - 0.4 * ring / 2)
    x = rng.standard_normal(n)
    drawn, robust, classical = [], [], []
    for _ in range(500):
        e = rng.chisquare(2, n) / 2.0 - 1.0
        frame = pd.DataFrame({"x": x, "y": inverse @ (1.0 + x + e)}, index=ids)
        fit = sde.fit("y ~ x", frame, w, model="sar")
        drawn.append(fit.params)
        classical.append(fit.std_errors)
        robust.append(fit.with_cov("robust").std_errors)
    spread = pd.DataFrame(drawn).std()
    ratio = pd.DataFrame(robust).mean() / spread
    assert ratio.between(0.88, 1.12).all(), ratio
    assert (pd.DataFrame(classical).mean() / spread)["sigma2"] < 0.65


@pytest.mark.parametrize("model", ["ols", "sdm", "sac"])
def test_clustered_by_time_is_driscoll_kraay_without_lags(model, instance):
    panel, w, _ = instance("asymmetric-row", n=8, t=14, seed=2)
    fit = quietly(sde.fit, "y ~ x0 + x1", panel, w, model=model)
    by_time = quietly(fit.with_cov, "cluster-time")
    expected = quietly(fit.with_cov, "driscoll-kraay", bandwidth=0).cov * 14 / 13
    np.testing.assert_allclose(by_time.cov, expected, rtol=1e-12)
    assert any(note.startswith("Time-clustered standard errors rest on 14 times") for note in by_time.notes)


def test_two_way_clusters_add_and_subtract(instance):
    """OLS: unit clusters plus time clusters minus White's own cells, each with its factor."""
    panel, _, (y, X, _) = instance("symmetric-row", n=12, t=25, seed=4)
    T, N = y.shape
    P = np.kron(centring(T), centring(N))
    columns, target = P @ X.reshape(T * N, -1), P @ y.ravel()
    bread = np.linalg.inv(columns.T @ columns)
    scores = (columns * (target - columns @ bread @ columns.T @ target)[:, None]).reshape(T, N, -1)
    units, times, cells = scores.sum(axis=0), scores.sum(axis=1), scores.reshape(T * N, -1)
    meat = units.T @ units * N / (N - 1) + times.T @ times * T / (T - 1) - cells.T @ cells * N * T / (N * T - 1)
    fit = quietly(sde.fit, "y ~ x0 + x1", panel, model="ols")
    np.testing.assert_allclose(
        quietly(fit.with_cov, "cluster-two-way").cov.iloc[:2, :2], bread @ meat @ bread, rtol=1e-9
    )


def test_two_way_clusters_that_leave_negative_variances_are_refused(instance):
    """With four times some difference is negative: of a coefficient, or of a combination that effects need."""
    refused = {"coefficient": 0, "effects": 0}
    for seed in range(20):
        panel, w, _ = instance("asymmetric-row", n=6, t=4, seed=seed)
        fit = quietly(sde.fit, "y ~ x0 + x1", panel, w, model="sdm", fixed="none")
        try:
            two_way = quietly(fit.with_cov, "cluster-two-way")
            quietly(two_way.effects)
        except IdentificationError as error:
            coefficient = "a negative variance with 6 units and 4 times" in str(error)
            refused["coefficient" if coefficient else "effects"] += 1
    assert min(refused.values()) > 0, refused


def test_what_needs_times_is_refused_without_them(instance):
    panel, w, _ = instance("asymmetric-row", n=10, t=1)
    frame = panel.to_frame().set_index("unit")
    fit = sde.fit("y ~ x0 + x1", frame, w, model="sar")
    for cov in ("cluster-time", "cluster-two-way"):
        with pytest.raises(OptionError, match="needs a panel with at least two times"):
            fit.with_cov(cov)
    assert fit.with_cov("robust").std_errors.gt(0).all()
    two, w, _ = instance("asymmetric-row", n=10, t=2)
    with pytest.raises(OptionError, match="not defined for two times with individual effects"):
        quietly(sde.fit, "y ~ x0 + x1", two, w, model="sar", cov="cluster-time")
