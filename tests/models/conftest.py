import json
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
