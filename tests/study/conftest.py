import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import box

from spatial_de.study import load_config, run

SIDE, TIMES = 6, range(2011, 2019)


@pytest.fixture(scope="session")
def bundled(tmp_path_factory):
    """The bundled study, with one format of figures and fewer permutations."""
    config = load_config()
    config = config.model_copy(
        update={
            "figures": config.figures.model_copy(update={"formats": ["png"]}),
            "inference": config.inference.model_copy(update={"permutations": 999}),
        }
    )
    return config, run(config, tmp_path_factory.mktemp("bundled") / "results")


@pytest.fixture(scope="session")
def own_study(tmp_path_factory):
    """Writes a study on own data, 36 cells and 8 years, with given effects of the index at home and next door."""

    def make(home, next_door, *, robustness="", noise=0.02, seed=1):
        folder = tmp_path_factory.mktemp("own")
        ids = [f"c{i:02d}" for i in range(SIDE * SIDE)]
        cells = [box(i % SIDE, i // SIDE, i % SIDE + 1, i // SIDE + 1) for i in range(SIDE * SIDE)]
        gpd.GeoDataFrame({"cell": ids}, geometry=cells, crs="EPSG:3857").to_file(folder / "grid.gpkg")
        rng = np.random.default_rng(seed)
        shape = (len(ids), len(TIMES))
        a, b, x, e = rng.uniform(size=shape), rng.uniform(size=shape), rng.normal(size=shape), rng.normal(size=shape)
        touching = np.array([[i != j and p.intersects(q) for j, q in enumerate(cells)] for i, p in enumerate(cells)])
        level = (a + b) / 2
        around = touching / touching.sum(axis=1, keepdims=True) @ level
        gap = np.exp(1.0 + home * level + next_door * around + noise * e)
        index = pd.MultiIndex.from_product([ids, TIMES], names=["cell", "year"])
        frame = pd.DataFrame({"a": a.ravel(), "b": b.ravel(), "x": x.ravel(), "gap": gap.ravel()}, index=index)
        frame.reset_index().to_csv(folder / "panel.csv", index=False)
        (folder / "study.toml").write_text(STUDY.format(robustness=robustness), encoding="utf-8")
        return folder / "study.toml"

    return make


STUDY = """
title = "Cells"
[data]
panel = "panel.csv"
boundaries = "grid.gpkg"
unit = "cell"
id = "cell"
first = 2011
last = 2018
[index]
indicators = {{ a = 1, b = 1 }}
method = "equal"
[model]
outcome = "log(gap)"
controls = ["x"]
[robustness]
{robustness}
[inference]
permutations = 99
[figures]
formats = ["svg"]
outcome = "gap"
[words]
index = "index"
measure = "ratio"
gap = "gap"
unit = "cell"
units = "cells"
"""
