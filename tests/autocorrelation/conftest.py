import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spatial_de.weights import SpatialWeights

GOLDEN = Path(__file__).parents[1] / "golden" / "autocorrelation"


@pytest.fixture(scope="session")
def columbus():
    """Golden figures with the series and weights they belong to."""
    golden = json.loads((GOLDEN / "columbus.json").read_text())
    ids = pd.Index(golden["ids"])
    edges = golden["edges"]
    matrix = np.zeros((len(ids), len(ids)))
    matrix[ids.get_indexer(edges["focal"]), ids.get_indexer(edges["neighbor"])] = edges["weight"]
    golden["x"] = pd.Series(golden["crime"], index=ids, name="CRIME")
    golden["w"] = SpatialWeights(matrix, ids, normalization="none")
    return golden


@pytest.fixture(scope="session")
def us_income():
    """Incomes of 48 states as a panel variable (unit, time), and contiguity, from libpysal's example."""
    import libpysal

    table = pd.read_csv(libpysal.examples.get_path("usjoin.csv"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = libpysal.io.open(libpysal.examples.get_path("states48.gal")).read()
    order = sorted(graph.id_order, key=int)
    matrix = pd.DataFrame(0.0, index=order, columns=order)
    for focal, neighbors in graph.neighbors.items():
        matrix.loc[focal, neighbors] = 1.0
    names = table["Name"].tolist()
    long = table.melt("Name", [c for c in table.columns if c.isdigit()], var_name="year", value_name="income")
    x = long.astype({"year": int, "income": float}).set_index(["Name", "year"])["income"].sort_index()
    return x, SpatialWeights(matrix, names, normalization="row")


@pytest.fixture(scope="session")
def esda_results():
    """What esda gives for a series under `SpatialWeights`, in the order of the series."""

    def run(x, w, *, local=False, permutations=999):
        import esda

        graph = w.reorder(x.index).to_w()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not local:
                return esda.Moran(x.to_numpy(), graph, transformation=graph.transform, permutations=permutations)
            return esda.Moran_Local(
                x.to_numpy(),
                graph,
                transformation=graph.transform,
                permutations=permutations,
                seed=1,
                n_jobs=1,
            )

    return run
