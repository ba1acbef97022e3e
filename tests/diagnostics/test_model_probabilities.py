"""Posterior model probabilities: they are those of the fits, indifferent to order, and find what was planted."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

import spatial_de as sde
from spatial_de.errors import OptionError, SpatialDEError
from spatial_de.logdet import log_determinant
from spatial_de.weights import SpatialWeights


def nearest(n, k, seed):
    points = np.random.default_rng(seed).random((n, 2))
    neighbors = cKDTree(points).query(points, k + 1)[1][:, 1:]
    W = np.zeros((n, n))
    W[np.repeat(np.arange(n), k), neighbors.ravel()] = 1.0 / k
    return SpatialWeights(W, [f"u{i:03}" for i in range(n)], normalization="row")


def simulated(w, model, *, times=None, seed=0, strength=0.5):
    """A cross-section, or a panel with effects of units and times."""
    rng = np.random.default_rng(seed)
    n, T = w.n, times or 1
    W = w.sparse.toarray()
    B = np.eye(n) - strength * W
    x, e = rng.standard_normal((T, n)), rng.standard_normal((T, n))
    mean = x + (0.8 * x @ W.T if model in {"slx", "sdm", "sdem"} else 0.0)
    if times:
        mean = mean + rng.standard_normal(n) + rng.standard_normal((T, 1))
    if model in {"sem", "sdem"}:
        y = mean + np.linalg.solve(B, e.T).T
    else:
        y = mean + e if model == "slx" else np.linalg.solve(B, (mean + e).T).T
    if not times:
        return pd.DataFrame({"y": y[0], "x": x[0]}, index=w.ids)
    rows = [(w.ids[i], 2000 + t, y[t, i], x[t, i]) for t in range(T) for i in range(n)]
    return sde.Panel(pd.DataFrame(rows, columns=["unit", "year", "y", "x"]), unit="unit", time="year")


@pytest.fixture(scope="module")
def weights():
    return {"three": nearest(60, 3, 0), "six": nearest(60, 6, 0), "elsewhere": nearest(60, 4, 9)}


@pytest.mark.parametrize("times", [None, 5])
def test_probabilities_are_the_ratios_of_the_marginal_likelihoods_of_fits(weights, times):
    data = simulated(weights["three"], "sar", times=times, strength=0.2)
    prior = sde.Prior(g=60.0)
    found = sde.model_probabilities("y ~ x", data, weights, prior=prior)
    logs = {
        (name, model): sde.fit("y ~ x", data, w, model=model, method="bayes", prior=prior, draws=100)
        for name, w in weights.items()
        for model in ("slx", "sar", "sem", "sdm", "sdem")
    }
    expected = pd.Series({key: fit.posterior.log_marginal_likelihood for key, fit in logs.items()})
    shares = np.exp(expected - expected.max())
    np.testing.assert_allclose(found.table["log_marginal"], expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.table["probability"], shares / shares.sum(), rtol=1e-8, atol=1e-15)
    np.testing.assert_allclose([found.by_weights.sum(), found.by_model.sum()], 1.0)
    assert found.best == expected.idxmax()


def test_order_of_rows_weights_and_models_and_units_of_measurement_do_not_matter(weights):
    data = simulated(weights["three"], "sdm", strength=0.3)
    base = sde.model_probabilities("y ~ x", data, weights).table
    shuffled = data.sample(frac=1.0, random_state=1).assign(y=lambda d: 1e6 * d.y - 3.0, x=lambda d: 1e-4 * d.x)
    turned = {name: w.reorder(w.ids[::-1]) for name, w in reversed(weights.items())}
    other = sde.model_probabilities("y ~ x", shuffled, turned, models=["sdem", "sdm", "sem", "sar", "slx"]).table
    pd.testing.assert_frame_equal(
        base[["probability", "spatial_mean", "spatial_sd"]],
        other.loc[base.index, ["probability", "spatial_mean", "spatial_sd"]],
        rtol=1e-7,
    )


def test_workers_change_nothing(weights, monkeypatch):
    monkeypatch.setattr("spatial_de.parallel._TRIAL", 0.0)
    data = simulated(weights["three"], "sdm", strength=0.3)
    one = sde.model_probabilities("y ~ x", data, weights)
    two = sde.model_probabilities("y ~ x", data, weights, n_jobs=2)
    pd.testing.assert_frame_equal(one.table, two.table)
    again = pickle.loads(pickle.dumps(one))  # noqa: S301
    pd.testing.assert_frame_equal(one.table, again.table)
    assert again.prior == one.prior


@pytest.mark.parametrize("model", ["slx", "sar", "sem", "sdm", "sdem"])
def test_the_planted_model_and_weights_are_found(model):
    """LeSage (2014): with a spatial parameter of 0.5 and a few hundred observations almost always."""
    weights = {name: nearest(100, k, seed) for name, k, seed in (("a", 5, 0), ("b", 5, 1), ("c", 8, 0), ("d", 3, 0))}
    hits = 0
    for seed in range(10):
        data = simulated(weights["a"], model, times=12, seed=seed)
        hits += sde.model_probabilities("y ~ x", data, weights).best == ("a", model)
    assert hits >= 9


@pytest.mark.slow
@pytest.mark.parametrize("model", ["slx", "sar", "sem", "sdm", "sdem"])
def test_probabilities_are_calibrated(model):
    """Where models and parameters are drawn from their priors, a probability of p is right in a share p of samples."""
    w = nearest(40, 4, 0)
    rng = np.random.default_rng(1)
    gaps = []
    W, eye = w.sparse.toarray(), np.eye(40)
    x = rng.standard_normal(40)
    g = 40.0
    models = ("slx", "sar", "sem", "sdm", "sdem")
    low, high = log_determinant(w).bounds
    for _ in range(600):
        true = models[rng.integers(5)]
        Z = np.column_stack([x, W @ x]) if true in {"slx", "sdm", "sdem"} else x[:, None]
        centred = Z - Z.mean(axis=0)
        beta = np.sqrt(g) * np.linalg.solve(np.linalg.cholesky(centred.T @ centred).T, rng.standard_normal(Z.shape[1]))
        B = eye - rng.uniform(low, high) * W
        e = rng.standard_normal(40)
        if true in {"sem", "sdem"}:
            y = Z @ beta + np.linalg.solve(B, e)
        else:
            y = Z @ beta + e if true == "slx" else np.linalg.solve(B, Z @ beta + e)
        data = pd.DataFrame({"y": y, "x": x}, index=w.ids)
        p = sde.model_probabilities("y ~ x", data, {"w": w}, prior=sde.Prior(g=g)).by_model
        gaps.append((true == model) - p[model])
    gaps = np.array(gaps)
    assert abs(gaps.mean()) < 3.5 * gaps.std() / np.sqrt(len(gaps))


def test_what_is_printed(weights):
    data = simulated(weights["three"], "sdm", times=6)
    found = sde.model_probabilities("y ~ x", data, weights)
    text = repr(found)
    assert "Most probable: SDM with W = three" in text
    assert "two-way" in text
    assert "nan" not in text.lower()
    assert all(len(line) <= 88 for line in text.splitlines())
    assert found.to_frame().columns[:2].tolist() == ["weights", "model"]
    assert found.to_dict()["by_model"].keys() == {"slx", "sar", "sem", "sdm", "sdem"}


def test_bad_input(weights):
    data = simulated(weights["three"], "sdm", times=4)
    ask = sde.model_probabilities
    with pytest.raises(OptionError, match="mapping from names to weights"):
        ask("y ~ x", data, weights["three"])
    with pytest.raises(OptionError, match="'sac'"):
        ask("y ~ x", data, weights, models=["sac"])
    with pytest.raises(OptionError, match="twice"):
        ask("y ~ x", data, weights, models=["sar", "sar"])
    with pytest.raises(OptionError, match="g="):
        ask("y ~ x", data, weights, prior=sde.Prior())
    with pytest.raises(OptionError, match="'raw' do not add up to one"):
        ask("y ~ x", data, {**weights, "raw": SpatialWeights(2.0 * weights["six"].sparse, weights["six"].ids)})
    short = SpatialWeights(np.ones((2, 2)) - np.eye(2), ["u000", "u001"], normalization="row")
    with pytest.raises(SpatialDEError, match=r"'short', model 'slx'.*not in weights"):
        ask("y ~ x", data, {**weights, "short": short})
    holes = sde.Panel(data.frame.iloc[1:].reset_index(), unit="unit", time="year", unbalanced=True)
    with pytest.raises(OptionError, match="balanced"):
        ask("y ~ x", holes, weights)
