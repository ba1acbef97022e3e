"""Marginal likelihoods under Zellner's prior against dense generalised least squares and quadrature."""

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import gammaln

import spatial_de as sde
from spatial_de.models import MODELS, SpatialLinks, build_problem
from spatial_de.models.evidence import evidence
from spatial_de.panel.design import build_design
from spatial_de.weights import SpatialWeights

SPATIAL = ("sar", "sem", "sdm", "sdem")


def weights(n, *, seed, symmetric=False):
    rng = np.random.default_rng(seed)
    W = (rng.random((n, n)) < 0.3).astype(float) + np.eye(n, k=1) + np.eye(n, k=1 - n)
    W = np.maximum(W, W.T) if symmetric else W
    np.fill_diagonal(W, 0.0)
    return (W > 0) / (W > 0).sum(axis=1, keepdims=True)


def given(y, flat, Z, prior_gram, *, g):
    """Log density of y integrated over coefficients and variance: y is normal with covariance I + g Z (prior) Z'."""
    n, q = flat.shape
    omega = np.eye(n) + g * Z @ np.linalg.solve(prior_gram, Z.T)
    inverse = np.linalg.inv(omega)
    gram = flat.T @ inverse @ flat
    left = y - flat @ np.linalg.solve(gram, flat.T @ inverse @ y) if q else y
    nu = n - q
    sizes = np.linalg.slogdet(omega)[1] + (np.linalg.slogdet(gram)[1] if q else 0.0)
    squares = left @ inverse @ left
    return gammaln(nu / 2) - 0.5 * sizes - 0.5 * nu * np.log(np.pi * squares)


def dense(y, flat, Z, W, *, model, g, times=1, unit_root=False):
    """Log marginal likelihood by quadrature over the interval of the spatial parameter, uniform prior."""
    n = len(W)
    centred = Z - flat @ np.linalg.lstsq(flat, Z, rcond=None)[0] if flat.shape[1] else Z
    gram = centred.T @ centred
    if model in {"ols", "slx"}:
        return given(y, flat, Z, gram, g=g)
    real = np.linalg.eigvals(W)
    real = real.real[abs(real.imag) < 1e-9]
    low, high = 1.0 / real.min(), 1.0 / max(real.max(), 1.0 if unit_root else -1.0)
    eye, big = np.eye(n), np.kron(np.eye(times), W)

    def log_density(x):
        B = np.eye(n * times) - x * big
        logdet = times * np.linalg.slogdet(eye - x * W)[1]
        if model in {"sar", "sdm"}:
            return logdet + given(B @ y, flat, Z, gram, g=g)
        return logdet + given(B @ y, B @ flat, B @ Z, gram, g=g)

    grid = np.linspace(low, high, 403)[1:-1]
    values = np.array([log_density(x) for x in grid])
    top = values.max()
    mass = quad(
        lambda x: np.exp(log_density(x) - top), low, high, points=[grid[values.argmax()]], limit=200, epsabs=1e-12
    )[0]
    return top + np.log(mass / (high - low))


@pytest.mark.parametrize("model", ["ols", "slx", *SPATIAL])
@pytest.mark.parametrize("symmetric", [True, False])
def test_cross_sections(model, symmetric):
    n, g = 14, 14.0
    rng = np.random.default_rng(5)
    W = weights(n, seed=2, symmetric=symmetric)
    X = rng.standard_normal((n, 2)) * [1.0, 30.0] + [5.0, 0.0]
    y = np.linalg.solve(np.eye(n) - 0.5 * W, 10.0 + X @ [1.0, 0.02] + rng.standard_normal(n))
    table = pd.DataFrame({"y": 1e3 * y, "a": X[:, 0], "b": X[:, 1]}, index=[f"u{j:02}" for j in range(n)])
    w = SpatialWeights(W, table.index, normalization="row")
    spec = MODELS[model]
    problem = build_problem(
        build_design("y ~ a + b", table), SpatialLinks.same(w), spec=spec, effects="none", bias="none"
    )
    found = evidence(problem, sde.Prior(g=g))
    Z = np.column_stack([X, W @ X]) if spec.lag_x else X
    expected = dense(1e3 * y, np.ones((n, 1)), Z, W, model=model, g=g)
    assert found.log_marginal == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("model", ["slx", *SPATIAL])
def test_two_way_panels_in_the_space_that_effects_leave(model):
    n, times, g = 8, 4, 50.0
    rng = np.random.default_rng(3)
    W = weights(n, seed=4)
    X = rng.standard_normal((times, n))
    noise = X @ np.eye(n) + rng.standard_normal((times, n)) + rng.standard_normal(n) + rng.standard_normal((times, 1))
    Y = np.linalg.solve(np.eye(n) - 0.4 * W, noise.T).T
    rows = [(f"u{i}", 2000 + t, Y[t, i], X[t, i]) for t in range(times) for i in range(n)]
    panel = sde.Panel(pd.DataFrame(rows, columns=["unit", "year", "y", "x"]), unit="unit", time="year")
    w = SpatialWeights(W, panel.units, normalization="row")
    spec = MODELS[model]
    problem = build_problem(
        build_design("y ~ x", panel), SpatialLinks.same(w), spec=spec, effects="two-way", bias="lee-yu"
    )

    def basis(m):
        return np.linalg.svd(np.eye(m) - 1.0 / m)[0][:, : m - 1]

    units, periods = basis(n), basis(times)
    small = units.T @ W @ units
    y, x = ((periods.T @ array @ units).ravel() for array in (Y, X))
    Wx = (periods.T @ (X @ W.T) @ units).ravel()
    Z = np.column_stack([x, Wx]) if spec.lag_x else x[:, None]
    empty = np.empty((len(y), 0))
    expected = dense(y, empty, Z, small, model=model, g=g, times=times - 1, unit_root=True)
    assert evidence(problem, sde.Prior(g=g)).log_marginal == pytest.approx(expected, abs=2e-6)


def test_the_posterior_of_a_fit_under_the_same_prior_has_the_same_evidence_and_moments():
    n = 40
    rng = np.random.default_rng(1)
    W = weights(n, seed=1)
    x = rng.standard_normal(n)
    y = np.linalg.solve(np.eye(n) - 0.5 * W, x + rng.standard_normal(n))
    table = pd.DataFrame({"y": y, "x": x}, index=[f"u{j:02}" for j in range(n)])
    w = SpatialWeights(W, table.index, normalization="row")
    prior = sde.Prior(g=float(n))
    fit = sde.fit("y ~ x", table, w, model="sdm", method="bayes", prior=prior, draws=40_000)
    found = evidence(fit.estimate.problem, prior)
    assert fit.posterior.log_marginal_likelihood == pytest.approx(found.log_marginal, abs=1e-9)
    assert fit.rho == pytest.approx(found.mean, abs=5.0 * found.std / 200.0)
    assert fit.std_errors["rho"] == pytest.approx(found.std, rel=0.02)


def test_shrinkage_of_zellners_prior_is_g_over_one_plus_g():
    n, g = 30, 3.0
    rng = np.random.default_rng(2)
    table = pd.DataFrame(
        rng.normal([4.0, 1.0, 0.0], 1.0, (n, 3)), columns=["y", "a", "b"], index=[f"u{j:02}" for j in range(n)]
    )
    flat = sde.fit("y ~ a + b", table, model="ols")
    shrunk = sde.fit("y ~ a + b", table, model="ols", method="bayes", prior=sde.Prior(g=g), draws=200_000)
    wanted = flat.params[["a", "b"]] * g / (1.0 + g)
    errors = shrunk.std_errors[["a", "b"]] / np.sqrt(200_000)
    assert (abs(shrunk.params[["a", "b"]] - wanted) < 5.0 * errors).all()


@pytest.mark.parametrize("options", [{"g": 0.0}, {"g": -1.0}, {"g": np.inf}, {"g": 3.0, "coefficients": {"x": (0, 1)}}])
def test_priors_that_cannot_be(options):
    with pytest.raises(sde.errors.OptionError, match="g="):
        sde.Prior(**options)


def test_moments_of_a_wide_density_are_its_integrals():
    n, g = 12, 20.0  # few units, so that rho is spread over most of its interval
    rng = np.random.default_rng(3)
    ids = [f"u{j:02}" for j in range(n)]
    W = 0.25 * (np.roll(np.eye(n), 1, axis=1) + 0.3 * np.roll(np.eye(n), 4, axis=1))
    table = pd.DataFrame({"y": rng.standard_normal(n), "x": rng.standard_normal(n)}, index=ids)
    found = sde.model_probabilities(
        "y ~ x", table, {"w": SpatialWeights(W, ids)}, models=["sar"], prior=sde.Prior(g=g)
    ).table.iloc[0]
    y, flat, Z = table["y"].to_numpy(), np.ones((n, 1)), table[["x"]].to_numpy()
    centred = Z - Z.mean()
    values = np.linalg.eigvals(W)
    low, high = (end(values.real[abs(values.imag) < 1e-9]) for end in (np.min, np.max))
    nodes, shares = np.polynomial.legendre.leggauss(200)
    rho = 0.5 * (1.0 / high + 1.0 / low) + 0.5 * (1.0 / high - 1.0 / low) * nodes
    heights = []
    for x in rho:
        A = np.eye(n) - x * W
        heights.append(np.linalg.slogdet(A)[1] + given(A @ y, flat, Z, centred.T @ centred, g=g))
    shares = shares * np.exp(np.array(heights) - max(heights))
    shares /= shares.sum()
    mean = rho @ shares
    assert found["spatial_mean"] == pytest.approx(mean, abs=1e-5)
    assert found["spatial_sd"] == pytest.approx(np.sqrt((rho - mean) ** 2 @ shares), abs=1e-5)
