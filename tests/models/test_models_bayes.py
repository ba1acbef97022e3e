"""Posteriors against brute force: dense likelihoods on grids, closed forms, quadrature, dense effects of each draw."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.integrate import quad

import spatial_de as sde
from spatial_de.errors import EstimationWarning, OptionError
from spatial_de.logdet.interpolation import Chart
from spatial_de.models import MODELS
from spatial_de.models.chains import diagnose, effective
from spatial_de.models.line import tabulate
from spatial_de.weights import SpatialWeights

DRAWS = 40_000
PRIORS = {
    "flat": sde.Prior(),
    "proper": sde.Prior(coefficients={"x": (0.3, 0.8)}, sigma2=(3.0, 2.0)),
    "beta": sde.Prior(spatial=3.0),
}


def quietly(*args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        return sde.fit(*args, **options)


def ring(n):
    i = np.arange(n)
    W = np.zeros((n, n))
    W[i, (i + 1) % n] = W[i, (i - 1) % n] = W[i, (i + 2) % n] = 1.0
    return W / W.sum(axis=1, keepdims=True)


def cross(n=24, *, model="sar", seed=0):
    rng = np.random.default_rng(seed)
    W, x, noise = ring(n), rng.standard_normal(n), 0.7 * rng.standard_normal(n)
    filtered = np.linalg.inv(np.eye(n) - 0.4 * W)
    y = filtered @ (0.5 + x + noise) if model == "sar" else 0.5 + x + filtered @ noise
    table = pd.DataFrame({"y": y, "x": x}, index=[f"u{j}" for j in range(n)])
    return table, SpatialWeights(W, table.index, normalization="row"), W


def grid_posterior(y, X, W, *, log_determinant, lag, bounds, prior=None, named=None):
    """Log marginal likelihood, means and standard deviations of (coefficients, spatial parameter, sigma2).

    All residuals are formed; coefficients are laid out in units of sigma around least squares.
    """
    prior = prior or sde.Prior()
    m, k = X.shape
    u = np.stack([g.ravel() for g in np.meshgrid(*[np.linspace(-8.0, 8.0, 27)] * k, indexing="ij")])
    t = np.linspace(-9.0, 9.0, 181)
    low, high = bounds
    spatial = (low + high) / 2.0 + (high - low) / 2.0 * np.tanh(t / 2.0)
    slope = (high - low) / 4.0 / np.cosh(t / 2.0) ** 2
    rows = []
    for value, jacobian in zip(spatial, slope, strict=True):
        B = np.eye(m) - value * W
        ys, Xs = B @ y, (X if lag else B @ X)
        centre = np.linalg.lstsq(Xs, ys, rcond=None)[0]
        root = np.linalg.inv(np.linalg.cholesky(Xs.T @ Xs)).T
        guess = np.log(((ys - Xs @ centre) ** 2).mean())
        for step in np.linspace(-1.8, 3.2, 51):
            sigma = np.exp(0.5 * (guess + step))
            b = centre[:, None] + sigma * root @ u
            e = ys[:, None] - Xs @ b
            log_joint = (
                -0.5 * m * np.log(2.0 * np.pi)
                - m * np.log(sigma)
                - 0.5 * (e**2).sum(axis=0) / sigma**2
                + log_determinant(value)
                + stats.beta(prior.spatial, prior.spatial, low, high - low).logpdf(value)
            )
            for name, (mean, scale) in prior.coefficients.items():
                log_joint = log_joint + stats.norm(mean, scale * sigma).logpdf(b[named.index(name)])
            if prior.sigma2 is not None:
                a, rate = prior.sigma2
                log_joint = log_joint + stats.invgamma(a, scale=rate).logpdf(sigma**2) + np.log(sigma**2)
            volume = k * np.log(sigma) + np.log(np.abs(np.linalg.det(root))) + k * np.log(16.0 / 26.0)
            mass = log_joint + volume + np.log(jacobian * (t[1] - t[0]) * 0.1)
            top = mass.max()
            w = np.exp(mass - top)
            values = np.vstack([b, np.full(b.shape[1], value), np.full(b.shape[1], sigma**2)])
            rows.append((top, w.sum(), values @ w, values**2 @ w))
    top = max(row[0] for row in rows)
    share = [np.exp(row[0] - top) for row in rows]
    total = sum(s * row[1] for s, row in zip(share, rows, strict=True))
    mean = sum(s * row[2] for s, row in zip(share, rows, strict=True)) / total
    square = sum(s * row[3] for s, row in zip(share, rows, strict=True)) / total
    return top + np.log(total), mean, np.sqrt(square - mean**2)


def agree(fit, expected):
    log_marginal, mean, sd = expected
    assert fit.posterior.log_marginal_likelihood == pytest.approx(log_marginal, abs=1e-4)
    draws = fit.posterior.draws.to_numpy()
    error = sd / np.sqrt(len(draws))
    np.testing.assert_array_less(np.abs(draws.mean(axis=0) - mean) / error, 4.0)
    wide = ((draws - mean) ** 2).std(axis=0) / np.sqrt(len(draws))
    np.testing.assert_array_less(np.abs(((draws - mean) ** 2).mean(axis=0) - sd**2) / wide, 4.0)


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("model", ["sar", "sem"])
def test_cross_sections_equal_dense_likelihoods_on_a_grid(model, prior):
    """Without a constant: with a flat one the density of lambda does not vanish at one, where a grid has to end."""
    table, w, W = cross(model=model)
    fit = sde.fit("y ~ 0 + x", table, w, model=model, method="bayes", draws=DRAWS, prior=PRIORS[prior])
    real = np.linalg.eigvals(W)
    expected = grid_posterior(
        table.y.to_numpy(), table[["x"]].to_numpy(), W,
        log_determinant=lambda r: np.linalg.slogdet(np.eye(len(W)) - r * W)[1],
        lag=model == "sar", bounds=(1.0 / real.real[np.abs(real.imag) < 1e-9].min(), 1.0),
        prior=PRIORS[prior], named=["x"],
    )  # fmt: skip
    agree(fit, expected)


def test_linear_models_have_their_t_distribution():
    table, _, _ = cross(n=40)
    fit = sde.fit("y ~ x", table, model="ols", method="bayes", draws=DRAWS)
    ml = sde.fit("y ~ x", table, model="ols")
    nu = 38
    for name in ("Intercept", "x"):
        t = (fit.posterior.draws[name] - ml.params[name]) / ml.std_errors[name]
        assert stats.kstest(t, stats.t(nu).cdf).pvalue > 1e-3
    scaled = (ml.residuals**2).sum() / fit.posterior.draws["sigma2"]
    assert stats.kstest(scaled, stats.chi2(nu).cdf).pvalue > 1e-3


@pytest.mark.parametrize("model", ["sar", "sdm", "sem", "sdem", "sac"])
def test_seeds_order_units_and_offsets(model):
    table, w, _ = cross(n=40, seed=3)
    options = {"model": model, "method": "bayes", "draws": 2000}
    usual = quietly("y ~ x", table, w, **options)
    pd.testing.assert_frame_equal(usual.posterior.draws, quietly("y ~ x", table, w, **options).posterior.draws)
    assert not usual.posterior.draws.equals(quietly("y ~ x", table, w, seed=1, **options).posterior.draws)
    turned = quietly("y ~ x", table.sample(frac=1.0, random_state=2), w.reorder(table.index[::-1]), **options)
    np.testing.assert_allclose(turned.params, usual.params, rtol=1e-6)
    scaled = quietly("y ~ x", table.assign(y=1e12 * table.y, x=1e-6 * table.x), w, **options)
    factor = [{"x": 1e18, "W_x": 1e18, "Intercept": 1e12, "sigma2": 1e24}.get(name, 1.0) for name in usual.params.index]
    np.testing.assert_allclose(scaled.params, usual.params * factor, rtol=1e-6)


def test_marginal_likelihoods_know_the_units_of_the_response():
    table, w, _ = cross()
    proper = {"coefficients": {"x": (0.0, 2.0)}}
    base = sde.fit("y ~ 0 + x", table, w, model="sar", method="bayes", prior=sde.Prior(**proper))
    scaled = sde.fit(
        "y ~ 0 + x", table.assign(y=1000.0 * table.y), w, model="sar", method="bayes", prior=sde.Prior(**proper)
    )
    gap = base.posterior.log_marginal_likelihood - scaled.posterior.log_marginal_likelihood
    assert gap == pytest.approx(24 * np.log(1000.0), rel=1e-9)


@pytest.mark.parametrize("model", ["sac", "gns"])
def test_chains_reach_what_quadrature_gives(model):
    """The marginal posterior of (rho, lambda), coefficients and variance integrated out with dense matrices."""
    table, w, W = cross(n=60, model="sar", seed=5)
    fit = quietly("y ~ x", table, w, model=model, method="bayes", draws=DRAWS, prior=sde.Prior(spatial=3.0))
    X = np.column_stack([np.ones(60), table.x, *([W @ table.x] if model == "gns" else [])])
    real = np.linalg.eigvals(W)
    low = 1.0 / real.real[np.abs(real.imag) < 1e-9].min()
    grid = low + (1.0 - low) * (np.arange(120) + 0.5) / 120
    beta = stats.beta(3.0, 3.0, low, 1.0 - low).logpdf(grid)
    logdet = np.array([np.linalg.slogdet(np.eye(60) - r * W)[1] for r in grid])
    values = np.empty((120, 120))
    for j, lam in enumerate(grid):
        B = np.eye(60) - lam * W
        Q, R = np.linalg.qr(B @ X)
        left = np.eye(60) - Q @ Q.T
        a, b = left @ B @ table.y.to_numpy(), left @ B @ W @ table.y.to_numpy()
        squares = a @ a - 2.0 * grid * (a @ b) + grid**2 * (b @ b)
        values[:, j] = logdet + logdet[j] - np.log(np.abs(np.diag(R))).sum() - 0.5 * (60 - X.shape[1]) * np.log(squares)
    mass = np.exp(values + beta[:, None] + beta[None] - (values + beta[:, None] + beta[None]).max())
    mass /= mass.sum()
    found = fit.posterior.diagnostics
    for name, share in (("rho", mass.sum(axis=1)), ("lambda", mass.sum(axis=0))):
        mean = share @ grid
        sd = np.sqrt(share @ (grid - mean) ** 2)
        assert fit.params[name] == pytest.approx(mean, abs=5.0 * sd / np.sqrt(found.ess_bulk))
        assert fit.std_errors[name] == pytest.approx(sd, rel=0.1)
    assert found.rhat < 1.02
    assert found.chains == 8


def test_effective_draws_of_processes_that_remember():
    rng, phi = np.random.default_rng(0), 0.6
    chain = np.zeros((4, 20_000))
    for t in range(1, 20_000):
        chain[:, t] = phi * chain[:, t - 1] + rng.standard_normal(4)
    assert effective(chain) == pytest.approx(80_000 * (1.0 - phi) / (1.0 + phi), rel=0.1)
    shifted = chain + 3.0 * np.arange(4)[:, None]
    assert diagnose(chain[:, :, None], 0.5).rhat < 1.01
    assert diagnose(shifted[:, :, None], 0.5).rhat > 1.1


@pytest.mark.parametrize("density", ["two tops", "up to the end"])
def test_tabulated_densities_are_their_quadrature(density):
    chart = Chart(-1.0, 1.0, strip=np.pi / 2)

    def log_density(x):
        if density == "up to the end":
            return 8.0 * x
        return np.log(0.7 * stats.norm(-0.6, 0.05).pdf(x) + 0.3 * stats.norm(0.5, 0.1).pdf(x))

    modes = [1.0 - 1e-6] if density == "up to the end" else [-0.6, 0.5]
    line = tabulate(log_density, chart, modes=modes, scale=0.1)
    whole = quad(lambda x: np.exp(log_density(x)), -1.0, 1.0, limit=400, epsabs=1e-12, points=[-0.6, 0.5])[0]
    assert np.exp(line.log_integral) == pytest.approx(whole, rel=1e-5)
    at = chart.to_rho(line.s)
    for q in (0.1, 0.5, 0.9):
        point = np.interp(q, line.distribution, at)
        part = quad(lambda x: np.exp(log_density(x)), -1.0, point, limit=400, epsabs=1e-12, points=[-0.6])[0]
        assert part / whole == pytest.approx(q, abs=1e-5)


def test_effects_are_those_of_every_draw():
    table, w, W = cross(n=30, seed=2)
    fit = sde.fit("y ~ x", table, w, model="sdm", method="bayes", draws=300)
    found = fit.effects()
    rows = []
    for _, draw in fit.posterior.draws.iterrows():
        E = np.linalg.solve(np.eye(30) - draw["rho"] * W, draw["x"] * np.eye(30) + draw["W_x"] * W)
        rows.append([np.trace(E) / 30, E.sum() / 30])
    rows = np.array(rows)
    assert found.inference == "posterior"
    assert found.table.loc[("x", "direct"), "estimate"] == pytest.approx(rows[:, 0].mean())
    assert found.table.loc[("x", "total"), "std_error"] == pytest.approx(rows[:, 1].std(ddof=1))
    assert fit.effects_by_unit().table.loc[("x", "direct"), "estimate"].mean() == pytest.approx(rows[:, 0].mean())
    groups = {unit: unit < "u2" for unit in table.index}
    assert np.isfinite(fit.effects_by_group(groups).table["estimate"]).all()
    assert np.isfinite(fit.effects_by_order(3).table["estimate"]).all()
    assert "10,000" not in fit.summary()
    assert "Posterior: 300 draws" in fit.summary()


REFUSALS = {
    "delta": lambda fit: fit.effects("delta"),
    "bootstrap": lambda fit: fit.bootstrap(10),
    "with_cov": lambda fit: fit.with_cov("robust"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_a_posterior_has_no_other_inference(what):
    table, w, _ = cross()
    fit = sde.fit("y ~ x", table, w, model="sar", method="bayes", draws=200)
    with pytest.raises(OptionError, match=r"posterior|method='ml'"):
        REFUSALS[what](fit)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"draws": 5}, "draws=5"),
        ({"cov": "robust"}, "no covariance to choose"),
        ({"prior": sde.Prior(coefficients={"z": (0.0, 1.0)})}, "names 'z', which is no coefficient"),
        ({"prior": 3}, "prior= must be a Prior"),
    ],
)
def test_options_are_refused_by_name(options, words):
    table, w, _ = cross()
    with pytest.raises(OptionError, match=words):
        sde.fit("y ~ x", table, w, model="sar", method="bayes", **options)
    with pytest.raises(OptionError, match="draws= belongs to method='bayes'"):
        sde.fit("y ~ x", table, w, draws=100)
    with pytest.raises(OptionError, match="positive scale"):
        sde.Prior(coefficients={"x": (0.0, -1.0)})


def calibration(model, *, replications, draws=200, seed=0):
    """Ranks of the true parameters among draws of their posterior, when the truth is drawn from the prior."""
    rng, n = np.random.default_rng(seed), 20
    W = ring(n)
    ids = [f"u{i:02d}" for i in range(n)]
    w, x = SpatialWeights(W, ids, normalization="row"), rng.standard_normal(n)
    low = 1.0 / min(v.real for v in np.linalg.eigvals(W) if abs(v.imag) < 1e-9)
    names = ["x", "W_x"] if MODELS[model].lag_x else ["x"]
    prior = sde.Prior(coefficients=dict.fromkeys(names, (0.0, 1.0)), sigma2=(4.0, 3.0))
    ranks = []
    for r in range(replications):
        sigma2 = 3.0 / rng.gamma(4.0)
        coefficients = np.sqrt(sigma2) * rng.standard_normal(len(names))
        value = rng.uniform(low, 1.0)
        mean = np.column_stack([x, W @ x])[:, : len(names)] @ coefficients
        noise = np.sqrt(sigma2) * rng.standard_normal(n)
        S = np.linalg.inv(np.eye(n) - value * W)
        y = S @ (mean + noise) if MODELS[model].lag_y else mean + S @ noise
        table = pd.DataFrame({"y": y, "x": x}, index=ids)
        fit = quietly("y ~ 0 + x", table, w, model=model, method="bayes", draws=draws, seed=r, prior=prior)
        truth = np.array([*coefficients, value, sigma2])
        ranks.append((fit.posterior.draws.to_numpy() < truth).sum(axis=0))
    return np.array(ranks)


def uniform(ranks, draws, bins=10):
    counts = np.stack([np.histogram(one, bins=bins, range=(0, draws + 1))[0] for one in ranks.T])
    return stats.chisquare(counts, axis=1).pvalue


@pytest.mark.parametrize("model", ["sar", "sem"])
def test_posteriors_are_calibrated(model):
    assert (uniform(calibration(model, replications=150), 200) > 1e-3).all()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["sar", "sdm", "sem", "sdem"])
def test_posteriors_are_calibrated_in_many_samples(model):
    assert (uniform(calibration(model, replications=1000), 200) > 1e-3).all()


def test_posteriors_are_pickled_with_their_prior():
    table, w, _ = cross()
    fit = quietly("y ~ x", table, w, model="sar", method="bayes", draws=200)
    again = pickle.loads(pickle.dumps(fit))  # noqa: S301
    pd.testing.assert_series_equal(again.params, fit.params)
    assert again.posterior.prior == fit.posterior.prior == sde.Prior()
