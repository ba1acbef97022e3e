import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.weights.core import Provenance, SpatialWeights


@pytest.fixture(scope="session")
def ring():
    """Twelve units in a ring, row-standardised."""
    ids = [f"u{i:02d}" for i in range(12)]
    matrix = np.roll(np.eye(12), 1, axis=1) + np.roll(np.eye(12), -1, axis=1)
    provenance = Provenance(rule="ring", crs=None, islands="none", notes=())
    return SpatialWeights(matrix, ids, provenance=provenance).normalized("row")


@pytest.fixture(scope="session")
def panel(ring):
    rng = np.random.default_rng(3)
    index = pd.MultiIndex.from_product([ring.ids, range(2001, 2009)], names=["code", "year"])
    df = pd.DataFrame({"x1": rng.normal(size=len(index)), "x_2": rng.normal(size=len(index))}, index=index)
    df["y"] = df["x1"] - 0.001 * df["x_2"] + rng.normal(size=len(index))
    return sde.Panel(df.reset_index(), unit="code", time="year")


@pytest.fixture(scope="session")
def fits(panel, ring):
    return [sde.fit("y ~ x1 + x_2", panel, ring, model=model) for model in ("ols", "sar", "sem", "sdm")]
