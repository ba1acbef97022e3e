from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.weights import SpatialWeights

GOLDEN = Path(__file__).parents[1] / "golden" / "models"


@pytest.fixture(scope="session")
def crime():
    """Crime in 49 neighbourhoods of Columbus, and weights."""
    table = pd.read_csv(GOLDEN / "columbus.csv", index_col="id")
    links = pd.read_csv(GOLDEN / "columbus_links.csv")
    matrix = np.zeros((len(table), len(table)))
    matrix[table.index.get_indexer(links["focal"]), table.index.get_indexer(links["neighbor"])] = 1.0
    return table, SpatialWeights(matrix, table.index, normalization="row")


@pytest.fixture(scope="session")
def provinces():
    """A small panel, rows in no order, and weights of a ring."""
    rng = np.random.default_rng(4)
    ids = [f"u{i:02d}" for i in range(16)]
    index = pd.MultiIndex.from_product([ids, range(2001, 2009)], names=["code", "year"])
    table = pd.DataFrame(rng.normal(size=(len(index), 3)), index=index, columns=["y", "x", "z"])
    table["y"] += table["x"]
    table["region"] = np.where(table.index.get_level_values(0) < "u08", "east", "west")
    shuffled = table.reset_index().sample(frac=1.0, random_state=1)
    i = np.arange(16)
    matrix = np.zeros((16, 16))
    matrix[i, (i + 1) % 16] = matrix[(i + 1) % 16, i] = 1.0
    return sde.Panel(shuffled, unit="code", time="year"), SpatialWeights(matrix, ids, normalization="row")
