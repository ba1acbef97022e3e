"""Predictions with random effects: conditional means of the normal distribution of all times together."""

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import OptionError
from spatial_de.weights import SpatialWeights

N, T = 11, 4
FORMS = [("ols", "bsk"), ("sar", "bsk"), ("sem", "bsk"), ("sem", "kkp"), ("sdm", "bsk"), ("gns", "bsk"), ("gns", "kkp")]


def weights(seed=3):
    rng = np.random.default_rng(seed)
    links = rng.uniform(size=(N, N)) < 0.3
    np.fill_diagonal(links, val=False)
    links[np.arange(N), (np.arange(N) + 1) % N] = True
    return SpatialWeights(1.0 * links, [f"u{i:02d}" for i in range(N)], normalization="row")


def table_of(w, times, seed):
    rng = np.random.default_rng(seed)
    W = w.to_dense().to_numpy()
    x, z = rng.normal(size=(2, len(times), N))
    shift = np.random.default_rng(99).normal(size=N)  # the same units at all times
    u = (1.2 * shift + 0.7 * rng.normal(size=(len(times), N))) @ np.linalg.inv(np.eye(N) - 0.3 * W).T
    y = (2.0 + x - 0.5 * z + 0.4 * x @ W.T + u) @ np.linalg.inv(np.eye(N) - 0.3 * W).T
    index = pd.MultiIndex.from_product([times, w.ids], names=["year", "unit"])
    return pd.DataFrame({"y": y.ravel(), "x": x.ravel(), "z": z.ravel()}, index=index).reset_index()


def fitted(model, form, **options):
    w = weights()
    table = table_of(w, range(2001, 2001 + T), 0).sample(frac=1.0, random_state=2)
    fit = sde.fit("y ~ x + z", sde.Panel(table, "unit", "year"), w, model=model, random=form, **options)
    return fit, table


def wide(series):
    return series.sort_index().to_numpy().reshape(N, -1).T


def slope_of(fit, table):
    """``X beta + W X theta`` with the intercept and unit means of the sample, shape (t, N)."""
    W, value = weights().to_dense().to_numpy(), fit.params.get
    data = table.set_index(["unit", "year"])
    x, z = (wide(data[name]) for name in ("x", "z"))
    return value("Intercept") + value("x") * x + value("z") * z + (value("W_x", 0.0) * x + value("W_z", 0.0) * z) @ W.T


def distribution(fit, slope, times):
    """Mean and covariance of the response at several times, stacked by time."""
    W = weights().to_dense().to_numpy()
    eye = np.eye(N)
    A, B = eye - fit.params.get("rho", 0.0) * W, eye - fit.params.get("lambda", 0.0) * W
    errors = np.linalg.inv(B.T @ B)
    shared = errors if fit.random == "kkp" else eye
    omega = fit.sigma2_mu * np.kron(np.ones((times, times)), shared) + fit.sigma2 * np.kron(np.eye(times), errors)
    back = np.kron(np.eye(times), np.linalg.inv(A))
    return back @ slope.ravel(), back @ omega @ back.T


@pytest.mark.parametrize(("model", "form"), FORMS)
def test_other_times_are_predicted_by_the_conditional_mean(model, form):
    fit, table = fitted(model, form)
    later = table_of(fit.weights if model != "ols" else weights(), [2010, 2011], 8)
    both = np.vstack([slope_of(fit, table), slope_of(fit, later)])
    mean, cov = distribution(fit, both, T + 2)
    y, seen = wide(table.set_index(["unit", "year"])["y"]).ravel(), np.arange(T * N)
    new = np.arange(T * N, (T + 2) * N)
    expected = mean[new] + cov[np.ix_(new, seen)] @ np.linalg.solve(cov[np.ix_(seen, seen)], y - mean[seen])
    panel = sde.Panel(later.drop(columns="y").sample(frac=1.0, random_state=1), "unit", "year")
    np.testing.assert_allclose(wide(fit.predict(panel)).ravel(), expected, rtol=1e-9)


@pytest.mark.parametrize(("model", "form"), FORMS)
def test_in_sample(model, form):
    fit, table = fitted(model, form)
    mean, cov = distribution(fit, slope_of(fit, table), T)
    response = table.set_index(["unit", "year"])["y"]
    y = wide(response).ravel()
    parts = fit.decompose()
    np.testing.assert_allclose(parts.sum(axis=1), response.loc[parts.index], rtol=1e-11)
    np.testing.assert_allclose(parts["noise"], fit.residuals, rtol=1e-8, atol=1e-10)
    A = np.eye(N) - fit.params.get("rho", 0.0) * weights().to_dense().to_numpy()
    np.testing.assert_allclose(wide(fit.predict()), wide(parts["trend"]) @ np.linalg.inv(A).T, rtol=1e-9)
    best = np.empty(N * T)
    for i in range(N * T):
        others = np.arange(N * T) != i
        share = np.linalg.solve(cov[np.ix_(others, others)], cov[others, i])
        best[i] = mean[i] + (y - mean)[others] @ share
    np.testing.assert_allclose(wide(fit.predict(kind="blup")).ravel(), best, rtol=1e-8)
    if model == "ols" or form == "bsk":
        trend = slope_of(fit, table) + fit.unit_effects.to_numpy()
        np.testing.assert_allclose(wide(parts["trend"]), trend, rtol=1e-9)


def test_unit_means_of_the_sample_stay_with_the_units():
    fit, table = fitted("sdm", "bsk", correlated=True)
    later = table_of(fit.weights, [2010], 8)
    W = weights().to_dense().to_numpy()
    means = slope_of(fit, table) * 0.0
    data = table.set_index(["unit", "year"])
    for name in ("x", "z"):
        own = wide(data[name]).mean(axis=0)
        means = means + fit.params[f"mean_{name}"] * own + fit.params[f"mean_W_{name}"] * (W @ own)
    trend = slope_of(fit, later) + means[:1] + fit.unit_effects.to_numpy()
    expected = trend @ np.linalg.inv(np.eye(N) - fit.rho * W).T
    panel = sde.Panel(later.drop(columns="y"), "unit", "year")
    np.testing.assert_allclose(wide(fit.predict(panel)), expected, rtol=1e-9)


def test_beside_time_effects_it_is_refused():
    fit, _ = fitted("sar", "bsk", fixed="time")
    with pytest.raises(OptionError, match="beside fixed='time'"):
        fit.predict()
