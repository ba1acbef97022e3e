import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import EstimationWarning
from spatial_de.weights import SpatialWeights

GOLDEN = Path(__file__).parents[1] / "golden" / "diagnostics"


def weights_of(data):
    links = pd.DataFrame({"focal": data["focal"], "neighbor": data["neighbor"], "one": 1.0})
    square = links.pivot_table(index="focal", columns="neighbor", values="one", fill_value=0.0)
    square = square.reindex(index=data["id"], columns=data["id"], fill_value=0.0)
    return SpatialWeights(square.to_numpy(), data["id"], normalization="row")


@pytest.fixture(scope="session")
def columbus():
    """Table, weights and golden figures of the cross-section."""
    golden = json.loads((GOLDEN / "columbus.json").read_text())
    data = golden["data"]
    table = pd.DataFrame({name: data[name] for name in ("CRIME", "INC", "HOVAL")}, index=pd.Index(data["id"]))
    return table, weights_of(data), golden


@pytest.fixture(scope="session")
def cigarettes():
    """Panel, weights and golden figures of the cigarette demand of 46 states."""
    golden = json.loads((GOLDEN / "cigarettes.json").read_text())
    data = golden["data"]
    price, ndi, sales = (np.array(data[name]) for name in ("price", "ndi", "sales"))
    cpi = np.array(data["cpi"])
    index = pd.MultiIndex.from_product([data["id"], data["time"]], names=["state", "year"])
    columns = {"logc": np.log(sales), "logp": np.log(price / cpi), "logy": np.log(ndi / cpi)}
    frame = pd.DataFrame({name: values.ravel() for name, values in columns.items()}, index=index)
    return sde.Panel(frame.reset_index(), unit="state", time="year"), weights_of(data), golden


@pytest.fixture
def quietly():
    """Call a function whose warning about the direct likelihood is known and not the point."""

    def run(function, *args, **kwargs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EstimationWarning)
            return function(*args, **kwargs)

    return run


def random_matrix(n, kind, *, seed):
    """Weights of every sort: asymmetric, distance-like, not row-stochastic, with an island."""
    rng = np.random.default_rng(seed)
    matrix = rng.uniform(0.2, 1.0, (n, n)) * (rng.uniform(size=(n, n)) < 0.35)
    np.fill_diagonal(matrix, 0.0)
    for i in range(n):  # a ring, so that no unit is alone by chance
        matrix[i, (i + 1) % n] = 1.0
    if kind == "island":
        matrix[2, :] = 0.0
    if kind == "binary":
        matrix = ((matrix + matrix.T) > 0).astype(float)
    if kind in {"row", "island"}:
        matrix /= np.where(matrix.sum(axis=1) > 0, matrix.sum(axis=1), 1.0)[:, None]
    return matrix


def random_data(n, t, *, seed, k=2):
    """A panel (or, for t = 1, a table by unit) without spatial dependence."""
    rng = np.random.default_rng(seed)
    units = [f"u{i:02d}" for i in range(n)]
    x = rng.normal(size=(n, t, k)) + rng.normal(size=(n, 1, k))
    y = 1.0 + x.sum(axis=2) + rng.normal(size=(n, t)) + rng.normal(size=(n, 1)) + rng.normal(size=(1, t))
    columns = {"y": y.ravel()} | {f"x{j + 1}": x[:, :, j].ravel() for j in range(k)}
    if t == 1:
        return pd.DataFrame(columns, index=pd.Index(units))
    index = pd.MultiIndex.from_product([units, range(2000, 2000 + t)], names=["unit", "year"])
    return sde.Panel(pd.DataFrame(columns, index=index).reset_index(), unit="unit", time="year")


@pytest.fixture(scope="session")
def example():
    """Random data and weights: ``example(n, t, kind, seed=0)``."""

    def build(n, t, kind, *, seed=0, k=2):
        data = random_data(n, t, seed=seed, k=k)
        ids = data.index if t == 1 else data.units
        return data, SpatialWeights(random_matrix(n, kind, seed=seed + 1), ids)

    return build
