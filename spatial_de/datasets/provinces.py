"""The bundled province layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from spatial_de import boundaries
from spatial_de.errors import FileError

if TYPE_CHECKING:
    import geopandas as gpd

_PACKAGE = Path(__file__).parents[1]


def province_file() -> Path:
    """The shapefile: inside an installed package, beside the package in a working copy."""
    for folder in (_PACKAGE / "shapefiles", _PACKAGE.parent / "shapefiles"):
        if (folder / "provinces.shp").exists():
            return folder / "provinces.shp"
    raise FileError("The bundled shapefiles/provinces.shp is missing: reinstall the package.")


def load_provinces() -> gpd.GeoDataFrame:
    """The 34 provincial units of China, indexed by two-letter code.

    Columns: ``gb2260`` (GB/T 2260, text), ``iso3166_2``, ``name_en``, ``name_zh``, ``short_zh``, ``region`` (east,
    central, west, northeast; none for Hong Kong, Macau and Taiwan, which have no data in the bundled panel), geometry
    in degrees (EPSG:4326).

    The lines are Natural Earth's de facto lines (1:10m, public domain), for analysis. Who publishes maps brings the
    officially approved layer and its approval number: `boundaries.read` and every map accept it.

    Examples
    --------
    >>> provinces = load_provinces()
    >>> provinces.loc["GD", "name_en"]
    'Guangdong'
    >>> mainland = provinces[provinces["region"] != "none"]
    >>> len(mainland)
    31
    """
    return boundaries.read(province_file(), id="code", encoding="UTF-8")
