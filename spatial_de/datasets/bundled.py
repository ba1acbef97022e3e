"""Panels that come with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from spatial_de.boundaries import check_polygons
from spatial_de.datasets.codebook import DATA
from spatial_de.datasets.derived import add_derived
from spatial_de.panel import Panel

if TYPE_CHECKING:
    import geopandas as gpd


def load_china_panel() -> Panel:
    """31 provinces of China, 2013-2023: income gap, digital economy, controls.

    Published figures of the National Bureau of Statistics and the Ministry of Industry and Information Technology,
    and variables computed from them (see `codebook`). Every variable of the main job is complete for 2013-2022; some
    others cover fewer years.

    Returns
    -------
    Panel
        unit ``code`` (two letters), time ``year``.

    Examples
    --------
    >>> panel = load_china_panel()
    >>> panel.n_units, panel.n_times
    (31, 11)
    """
    frame = pd.read_csv(DATA / "china_provinces.csv")
    return Panel(add_derived(frame), unit="code", time="year")


def load_us_incomes() -> Panel:
    """Income per head of 48 US states, 1929-2009.

    Bureau of Economic Analysis figures as bundled with libpysal (``us_income``), current dollars: ``income``,
    ``ln_income``, ``relative_income`` (over the mean of the 48 states in the same year).

    Returns
    -------
    Panel
        unit ``state`` (name), time ``year``.

    Examples
    --------
    >>> load_us_incomes().wide("income").loc[1929, "Alabama"]
    np.int64(323)
    """
    from libpysal.examples import get_path

    wide = pd.read_csv(get_path("usjoin.csv")).drop(columns="STATE_FIPS").rename(columns={"Name": "state"})
    frame = wide.melt(id_vars="state", var_name="year", value_name="income").astype({"year": int})
    frame["ln_income"] = np.log(frame["income"])
    frame["relative_income"] = frame["income"] / frame.groupby("year")["income"].transform("mean")
    return Panel(frame, unit="state", time="year")


def load_us_states() -> gpd.GeoDataFrame:
    """Boundaries of the 48 US states of `load_us_incomes`, indexed by name, in degrees.

    The file bundled with libpysal records no datum; its degrees are read as EPSG:4326 (datums of North America differ
    by less than a few hundred metres).

    Examples
    --------
    >>> states = load_us_states()
    >>> len(states)
    48
    """
    import geopandas as gpd
    from libpysal.examples import get_path

    layer = gpd.read_file(get_path("us48.shp")).set_crs("EPSG:4326").rename(columns={"STATE_NAME": "state"})
    return check_polygons(layer.set_index("state")[["geometry"]].sort_index())
