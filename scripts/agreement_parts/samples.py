"""The data sets of the agreement page: public ones, bundled with this project or with libpysal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from libpysal import examples

import spatial_de as sde
from spatial_de.weights import SpatialWeights

GOLDEN = Path(__file__).parents[2] / "tests" / "golden" / "models"


@dataclass(frozen=True)
class Sample:
    """A data set with its weights.

    Attributes
    ----------
    name, title, source
        For file names, headings and readers.
    frame
        Columns y and x; indexed by unit, or for panels by (time, unit). Units are in the order of the weights.
    y, x
        Names of the columns.
    w
        Weights.
    """

    name: str
    title: str
    source: str
    frame: pd.DataFrame
    y: str
    x: tuple[str, ...]
    w: SpatialWeights

    @property
    def is_panel(self) -> bool:
        """Whether there are several times."""
        return isinstance(self.frame.index, pd.MultiIndex)

    @property
    def formula(self) -> str:
        """What `fit` reads."""
        return f"{self.y} ~ {' + '.join(self.x)}"

    @property
    def data(self) -> pd.DataFrame | sde.Panel:
        """What `fit` takes."""
        return sde.Panel(self.frame.reset_index(), unit="unit", time="time") if self.is_panel else self.frame

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Plain arrays y (T, N), X (T, N, k), W (N, N), units in the order of the weights."""
        n = self.w.n
        y = self.frame[self.y].to_numpy().reshape(-1, n)
        X = np.stack([self.frame[name].to_numpy().reshape(-1, n) for name in self.x], axis=2)
        return y, X, self.w.to_dense().to_numpy()


def _cross(frame: pd.DataFrame, w: SpatialWeights, **words: str) -> dict[str, Sample]:
    """The same data with row-standardised and with binary weights."""
    y, *x = frame.columns
    frame = frame.loc[w.ids]
    out = {}
    for how, normalization in (("row", "row"), ("binary", "none")):
        name = f"{words['name']}-{how}"
        weights = w.normalized(normalization)
        title = f"{words['title']}, {'row-standardised' if how == 'row' else 'binary'} weights"
        out[name] = Sample(name, title, words["source"], frame, y, tuple(x), weights)
    return out


def _golden_weights(name: str, ids: pd.Index) -> SpatialWeights:
    links = pd.read_csv(GOLDEN / name)
    dense = np.zeros((len(ids), len(ids)))
    dense[ids.get_indexer(links["focal"]), ids.get_indexer(links["neighbor"])] = 1.0
    return SpatialWeights(dense, ids)


def columbus() -> dict[str, Sample]:
    """Crime in 49 neighbourhoods of Columbus, Ohio."""
    frame = pd.read_csv(GOLDEN / "columbus.csv", index_col="id")[["CRIME", "INC", "HOVAL"]]
    words = {"name": "columbus", "title": "Columbus crime, 49 neighbourhoods", "source": "Anselin (1988), spData"}
    return _cross(frame, _golden_weights("columbus_links.csv", frame.index), **words)


def baltimore() -> dict[str, Sample]:
    """Prices of 211 houses in Baltimore."""
    table = gpd.read_file(examples.get_path("baltim.dbf")).set_index("STATION")
    frame = pd.DataFrame({"lprice": np.log(table["PRICE"]), "nroom": table["NROOM"], "nbath": table["NBATH"]})
    frame = frame.assign(age=table["AGE"] / 100.0, ac=table["AC"])
    w = sde.weights.read(examples.get_path("baltim_q.gal"))
    words = {"name": "baltimore", "title": "Baltimore house prices, 211 houses", "source": "Dubin (1992), libpysal"}
    return _cross(frame, w, **words)


def georgia() -> dict[str, Sample]:
    """Education in 159 counties of Georgia; four nearest neighbours are asymmetric weights with complex eigenvalues."""
    table = pd.read_csv(examples.get_path("GData_utm.csv")).set_index("AreaKey")
    frame = table[["PctBach", "PctFB", "PctBlack", "PctRural"]] / 10.0
    points = gpd.GeoSeries(gpd.points_from_xy(table["X"], table["Y"]), index=table.index, crs="EPSG:32617")
    words = {
        "name": "georgia",
        "title": "Georgia education, 159 counties, four nearest neighbours",
        "source": "Fotheringham, Brunsdon and Charlton (2002), libpysal",
    }
    return _cross(frame, sde.weights.knn(points, k=4), **words)


def st_louis() -> dict[str, Sample]:
    """Homicide in 78 counties around St. Louis."""
    table = gpd.read_file(examples.get_path("stl_hom.dbf")).set_index("POLY_ID_OG")
    frame = pd.DataFrame({"hr": table["HR8893"], "rdac": table["RDAC90"], "pe": table["PE87"]})
    w = sde.weights.read(examples.get_path("stl.gal"))
    words = {
        "name": "stlouis",
        "title": "St. Louis homicides, 78 counties",
        "source": "Messner et al. (2000), libpysal",
    }
    return _cross(frame, w, **words)


def mexico() -> dict[str, Sample]:
    """Growth of 32 Mexican states, 1940 to 2000, on initial income."""
    table = pd.read_csv(examples.get_path("mexico.csv"))
    start = np.log(table["pcgdp1940"])
    frame = pd.DataFrame({"growth": 100.0 * (np.log(table["pcgdp2000"]) - start) / 60.0, "start": start})
    w = sde.weights.read(examples.get_path("mexico.gal"))
    words = {
        "name": "mexico",
        "title": "Mexican growth, 32 states",
        "source": "Rey and Sastre Gutierrez (2010), libpysal",
    }
    return _cross(frame, w, **words)


def cigarettes() -> dict[str, Sample]:
    """Cigarette demand in 46 states, 1963 to 1992."""
    table = pd.read_csv(GOLDEN / "cigarettes.csv").rename(columns={"id": "unit"})
    ids = pd.Index(sorted(table["unit"].unique()))
    frame = table.set_index(["time", "unit"]).sort_index()[["logc", "logp", "logy"]]
    w = _golden_weights("cigarettes_links.csv", ids).normalized("row")
    title, source = "Cigarette demand, 46 US states, 1963-1992", "Baltagi (2001), plm"
    return {"cigarettes": Sample("cigarettes", title, source, frame, "logc", ("logp", "logy"), w)}


def us_growth() -> dict[str, Sample]:
    """Growth of income per head in 48 states over eight decades from 1929, on income at the start."""
    table = pd.read_csv(examples.get_path("usjoin.csv"))
    years = list(range(1929, 2000, 10))
    rows = []
    for year in years:
        start, end = np.log(table[str(year)]), np.log(table[str(year + 10)])
        rows.append(pd.DataFrame({"time": year, "unit": table.index, "growth": 10.0 * (end - start), "start": start}))
    frame = pd.concat(rows).set_index(["time", "unit"])
    w = sde.weights.read(examples.get_path("states48.gal")).normalized("row")
    title, source = "Growth of income per head, 48 US states, eight decades from 1929", "libpysal us_income (BEA)"
    return {"usgrowth": Sample("usgrowth", title, source, frame, "growth", ("start",), w)}


def china() -> dict[str, Sample]:
    """The urban-rural income ratio of 31 provinces, 2013 to 2023."""
    table = sde.datasets.load_china_panel().to_frame()
    provinces = sde.datasets.load_provinces().loc[sorted(table["code"].unique())]
    w = sde.weights.contiguity(provinces, islands="nearest")
    frame = pd.DataFrame(
        {
            "time": table["year"],
            "unit": table["code"],
            "lgap": 10.0 * np.log(table["urban_rural_ratio"]),
            "lgdp": np.log(table["gdp_per_head"]),
            "urban": table["urbanisation"] / 10.0,
        }
    )
    frame = frame.set_index(["time", "unit"]).sort_index()
    frame = frame.reindex(pd.MultiIndex.from_product([frame.index.levels[0], w.ids], names=["time", "unit"]))
    title, source = "Urban-rural income ratio, 31 Chinese provinces, 2013-2023", "bundled (codebook.md)"
    return {"china": Sample("china", title, source, frame, "lgap", ("lgdp", "urban"), w)}


SAMPLES: tuple[Callable[[], dict[str, Sample]], ...] = (
    columbus,
    baltimore,
    georgia,
    st_louis,
    mexico,
    cigarettes,
    us_growth,
    china,
)


@cache
def load() -> dict[str, Sample]:
    """Every sample by name."""
    return {name: sample for make in SAMPLES for name, sample in make().items()}


def export(folder: Path) -> None:
    """Write every sample as plain tables, for programs that are not Python."""
    for name, sample in load().items():
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        sample.frame[[sample.y, *sample.x]].reset_index().to_csv(target / "data.csv", index=False, float_format="%.17g")
        rows, columns = np.nonzero(sample.w.to_dense().to_numpy())
        pd.DataFrame({"i": rows + 1, "j": columns + 1}).to_csv(target / "links.csv", index=False)
