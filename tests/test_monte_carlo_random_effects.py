"""Bias and coverage of random effects for 50 units and 8 times, in small."""

import warnings

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import EstimationWarning
from spatial_de.weights import SpatialWeights

N, T, REPLICATIONS = 50, 8, 300
TRUTH = {"x": 1.0, "rho": 0.4, "lambda": 0.3, "sigma2_mu": 1.0, "sigma2": 1.0}
IDS = [f"u{i:02d}" for i in range(N)]


def replicate(model, form, *, fixed="none", bias=None):
    """Estimates and whether their 95 % intervals hold the truth: two tables, one row for each replication."""
    rng = np.random.default_rng(11)
    links = np.argsort(((rng.uniform(size=(N, 1, 2)) - rng.uniform(size=(1, N, 2))) ** 2).sum(axis=2))[:, :5]
    raw = np.zeros((N, N))
    raw[np.arange(N)[:, None], links] = 1.0
    np.fill_diagonal(raw, 0.0)
    w = SpatialWeights(raw, IDS, normalization="row")
    W = w.to_dense().to_numpy()
    truth = {k: v for k, v in TRUTH.items() if k != "lambda" or model == "sac"}
    S = np.linalg.inv(np.eye(N) - truth["rho"] * W)
    B = np.linalg.inv(np.eye(N) - truth.get("lambda", 0.0) * W)
    x = rng.normal(size=(T, N)) + rng.normal(size=N)
    estimates, covered = [], []
    for _ in range(REPLICATIONS):
        mu, e = rng.normal(size=N), rng.normal(size=(T, N))
        u = (mu + e) @ B.T if form == "kkp" else mu + e @ B.T
        y = (1.0 + x + u) @ S.T
        table = pd.DataFrame({"y": y.ravel(), "x": x.ravel(), "id": IDS * T, "t": np.repeat(np.arange(T), N)})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EstimationWarning)
            panel = sde.Panel(table, unit="id", time="t")
            fit = sde.fit("y ~ x", panel, w, model=model, random=form, fixed=fixed, bias=bias)
        interval = fit.conf_int().loc[list(truth)]
        estimates.append(fit.params[list(truth)])
        covered.append((interval["conf_low"] <= pd.Series(truth)) & (pd.Series(truth) <= interval["conf_high"]))
    return pd.DataFrame(estimates), pd.DataFrame(covered), pd.Series(truth)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "form", "fixed"), [("sac", "kkp", "none"), ("sac", "bsk", "none"), ("sar", "bsk", "time")]
)
def test_bias_and_coverage(model, form, fixed):
    estimates, covered, truth = replicate(model, form, fixed=fixed)
    bias, spread = estimates.mean() - truth, estimates.std()
    assert (bias.abs() < 0.3 * spread).all(), bias  # a simulated mean is off by 0.06 of a standard deviation
    share = covered.mean()
    # 300 replications: 95 % plus or minus 4; a symmetric interval of a variance from 50 units holds it too rarely
    assert share.drop("sigma2_mu").between(0.91, 0.99).all(), share
    assert 0.86 < share["sigma2_mu"] < 0.97


@pytest.mark.slow
def test_dummies_of_times_bias_rho_and_the_transformation_does_not():
    direct, transformed = (replicate("sar", "bsk", fixed="time", bias=bias)[0]["rho"] for bias in ("none", "lee-yu"))
    assert (direct - transformed).mean() < -0.02
    assert abs(transformed.mean() - 0.4) < 0.02
