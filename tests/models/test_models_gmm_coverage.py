"""Monte Carlo: intervals under errors whose variance depends on a regressor."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import Delaunay

import spatial_de as sde
from spatial_de.errors import EstimationWarning
from spatial_de.weights import SpatialWeights

TRUE = {"a": 1.0, "b": 1.0, "rho": 0.4, "lambda": 0.4}
WAYS = {"robust": {"method": "gmm", "cov": "robust"}, "classical": {"method": "gmm"}, "ml": {}}


def delaunay(n, seed=3):
    """Row-standardised neighbours of a triangulation of random points."""
    corners = Delaunay(np.random.default_rng(seed).uniform(size=(n, 2))).simplices
    raw = np.zeros((n, n))
    for i, j in ((0, 1), (1, 2), (2, 0)):
        raw[corners[:, i], corners[:, j]] = raw[corners[:, j], corners[:, i]] = 1.0
    return SpatialWeights(raw, [f"u{i:04d}" for i in range(n)], normalization="row")


def run(model, n, replications, *, ways=tuple(WAYS), seed=0):
    """Bias, standard deviation, mean standard error and coverage in per cent, by way and parameter."""
    w = delaunay(n)
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    sigma = np.exp(0.8 * x[:, 0])
    sigma /= np.sqrt(np.mean(sigma**2))
    W = w.sparse.toarray()
    A = np.eye(n) - (TRUE["rho"] if model in {"sar", "sac"} else 0.0) * W
    B = np.eye(n) - (TRUE["lambda"] if model in {"sem", "sac"} else 0.0) * W
    rows = []
    for _ in range(replications):
        u = np.linalg.solve(B, sigma * rng.normal(size=n))
        table = pd.DataFrame(
            {"y": np.linalg.solve(A, 1.0 + x.sum(axis=1) + u), "a": x[:, 0], "b": x[:, 1]}, index=w.ids
        )
        for way in ways:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", EstimationWarning)
                fit = sde.fit("y ~ a + b", table, w, model=model, **WAYS[way])
            rows += [
                (way, name, fit.params[name] - TRUE[name], fit.std_errors[name])
                for name in TRUE
                if name in fit.params.index
            ]
    found = pd.DataFrame(rows, columns=["way", "name", "error", "se"]).dropna()
    found["covered"] = 100.0 * (found["error"].abs() < 1.96 * found["se"])
    grouped = found.groupby(["way", "name"])
    return pd.DataFrame(
        {
            "bias": grouped["error"].mean(),
            "sd": grouped["error"].std(),
            "se": grouped["se"].mean(),
            "coverage": grouped["covered"].mean(),
        }
    )


@pytest.mark.parametrize("model", ["sar", "sem", "sac"])
def test_standard_errors_in_small(model):
    """Robust ones are of the size of the spread; others miss that of the regressor the variance depends on."""
    table = run(model, 100, 80, ways=("robust", "classical"))
    ratio = table["se"] / table["sd"]
    assert (abs(ratio["robust"] - 1.0) < 0.3).all(), ratio
    assert ratio["classical", "a"] < 0.8


@pytest.mark.slow
@pytest.mark.parametrize("model", ["sar", "sem", "sac"])
def test_coverage(model):
    """At 400 units 93 to 97 %, give or take the error of 500 replications; at 100 some points less, as White's are."""
    large = run(model, 400, 500, ways=("robust", "ml"))
    assert large.loc["robust", "coverage"].between(92.0, 97.5).all(), large
    assert large.loc[("ml", "a"), "coverage"] < 85.0
    assert (large.loc["robust", "bias"].abs() < 0.4 * large.loc["robust", "sd"]).all()
    small = run(model, 100, 500, ways=("robust", "ml"))
    assert small.loc["robust", "coverage"].between(88.0, 97.5).all(), small
    assert small.loc[("ml", "a"), "coverage"] < 85.0
