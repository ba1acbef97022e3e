import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import box


@pytest.fixture
def cli(capsys):
    """Runs a command line in this process: exit code, standard output, standard error."""
    from spatial_de.cli import run

    def call(*arguments):
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture(scope="session")
def own_files(tmp_path_factory):
    """A cross-section and a panel of 16 cells, and their boundaries."""
    folder = tmp_path_factory.mktemp("own")
    ids = [f"c{i:02d}" for i in range(16)]
    cells = [box(i % 4, i // 4, i % 4 + 1, i // 4 + 1) for i in range(16)]
    gpd.GeoDataFrame({"cell": ids}, geometry=cells, crs="EPSG:3857").to_file(folder / "grid.gpkg")
    rng = np.random.default_rng(0)
    panel = pd.DataFrame([(cell, year) for cell in ids for year in range(2001, 2006)], columns=["cell", "year"])
    panel["x"] = rng.normal(size=len(panel))
    panel["y"] = panel["x"] + rng.normal(size=len(panel))
    panel.to_csv(folder / "panel.csv", index=False)
    panel[panel["year"] == 2003].drop(columns="year").to_excel(folder / "cross.xlsx", index=False)
    return folder
