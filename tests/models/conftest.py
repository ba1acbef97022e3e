import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.weights import SpatialWeights

GOLDEN = Path(__file__).parents[1] / "golden" / "models"


def _weights(name, ids):
    links = pd.read_csv(GOLDEN / name)
    places = pd.Index(ids)
    matrix = np.zeros((len(places), len(places)))
    matrix[places.get_indexer(links.focal), places.get_indexer(links.neighbor)] = 1.0
    return SpatialWeights(matrix, places, normalization="row")


@pytest.fixture(scope="session")
def golden():
    """Content of a golden file."""
    return lambda name: json.loads((GOLDEN / name).read_text())


@pytest.fixture(scope="session")
def cigarettes():
    """Panel and weights of cigarette demand in 46 states."""
    table = pd.read_csv(GOLDEN / "cigarettes.csv")
    return sde.Panel(table, unit="id", time="time"), _weights("cigarettes_links.csv", table["id"].unique())


@pytest.fixture(scope="session")
def columbus():
    """Table and weights of crime in 49 neighbourhoods."""
    table = pd.read_csv(GOLDEN / "columbus.csv", index_col="id")
    return table, _weights("columbus_links.csv", table.index)


def _beside(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def dense():
    """The brute-force module beside this file."""
    return _beside("dense")


@pytest.fixture(scope="session")
def dense_moments():
    """The dense method of moments beside this file."""
    return _beside("dense_moments")


@pytest.fixture(scope="session")
def dense_random():
    """The brute-force module of random effects beside this file."""
    return _beside("dense_random")


@pytest.fixture(scope="session")
def instance(dense):
    """Random panel, weights and the same numbers as arrays: ``instance(kind, n, t, seed)``."""

    def make(kind, n=9, t=4, seed=0, k=2):
        raw, how = dense.matrix(kind, n, seed)
        rng = np.random.default_rng(seed + 100)
        W = dense.normalised(raw, how)
        X = rng.normal(size=(t, n, k))
        radius = np.abs(np.linalg.eigvals(W)).max()
        effects = rng.normal(size=(1, n)) + rng.normal(size=(t, 1))
        mean = X @ np.arange(1.0, k + 1) + 0.5 * np.einsum("ij,tjk->tik", W, X)[:, :, 0] + effects
        y = np.linalg.solve(np.eye(n) - 0.4 / radius * W, (mean + rng.normal(size=(t, n))).T).T
        ids = [f"u{i:02d}" for i in range(n)]
        index = pd.MultiIndex.from_product([range(2000, 2000 + t), ids], names=["year", "unit"])
        columns = {"y": y.ravel()} | {f"x{j}": X[:, :, j].ravel() for j in range(k)}
        table = pd.DataFrame(columns, index=index).reset_index()
        return sde.Panel(table, unit="unit", time="year"), SpatialWeights(raw, ids, normalization=how), (y, X, W)

    return make
