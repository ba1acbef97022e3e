import warnings

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import SpatialDEWarning
from spatial_de.weights import SpatialWeights


def raw_weights(n, kind, seed):
    """Positive links with a ring, so that no unit is alone by chance."""
    rng = np.random.default_rng(seed)
    links = rng.uniform(size=(n, n)) < 0.3
    np.fill_diagonal(links, val=False)
    links[np.arange(n), (np.arange(n) + 1) % n] = True
    if kind == "binary":
        return 1.0 * (links | links.T)
    return links * rng.uniform(0.3, 1.0, (n, n))


def simulate(W, t, seed, *, rho=0.25):
    """Long table of a spatial Durbin model with unit and time effects; W rows are units in sorted order."""
    rng = np.random.default_rng(seed)
    n = len(W)
    x = rng.normal(size=(t, n, 2)) + rng.normal(size=(1, n, 2))
    mean = x @ [1.0, -0.5] + 0.3 * x[:, :, 0] @ W.T + rng.normal(size=(1, n)) + rng.normal(size=(t, 1))
    share = rho / np.abs(np.linalg.eigvals(W)).max()
    y = np.linalg.solve(np.eye(n) - share * W, (mean + rng.normal(size=(t, n))).T).T
    return pd.DataFrame(
        {
            "year": np.repeat(np.arange(2001, 2001 + t), n),
            "unit": np.tile([f"u{i:02d}" for i in range(n)], t),
            "y": y.ravel(),
            "a": x[:, :, 0].ravel(),
            "b": x[:, :, 1].ravel(),
        }
    )


class Sample:
    """A long table with its weights, and fits of it without the warnings that are not the point."""

    def __init__(self, *, n=14, t=7, kind="row", seed=0):
        raw = raw_weights(n, kind, seed)
        self.w = SpatialWeights(raw, [f"u{i:02d}" for i in range(n)], normalization="row" if kind == "row" else "none")
        self.W = self.w.to_dense().to_numpy()
        self.table = simulate(self.W, t, seed + 1)

    def fit(self, table=None, w=None, *, formula="y ~ a + b", **options):
        panel = sde.Panel(self.table if table is None else table, unit="unit", time="year")
        return quietly(sde.fit, formula, panel, self.w if w is None else w, **options)


def quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpatialDEWarning)
        return function(*args, **kwargs)


@pytest.fixture(scope="session")
def sample():
    """``sample(n=, t=, kind="row" | "binary", seed=)``."""
    return Sample


@pytest.fixture(scope="session")
def quiet():
    return quietly
