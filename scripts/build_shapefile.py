"""Build the province layer in shapefiles/ from Natural Earth's 1:10m admin-1 polygons (public domain).

Natural Earth is at naturalearthdata.com; a processed copy comes with QGIS (Debian: qgis-common) as
resources/data/world_map.gpkg, layer states_provinces.

    python scripts/build_shapefile.py /usr/share/qgis/resources/data/world_map.gpkg

The polygons of each unit are dissolved, all borders are simplified together (so that neighbours keep the same
vertices), and codes, names and regions are joined from scripts/provinces.csv. The output is the same for the same
input: the file carries a fixed date.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import geopandas as gpd
import pandas as pd
import shapely

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "scripts" / "provinces.csv"
OUTPUT = ROOT / "shapefiles" / "provinces.shp"
TOLERANCE = 0.005  # degrees: triangles below this size squared are simplified away
SIZE_LIMIT = 400_000  # bytes of the whole set

# Natural Earth's spelling -> ours, where they differ
SPELLING = {"Inner Mongol": "Inner Mongolia", "Xizang": "Tibet", "Paracel Islands": "Hainan"}
WHOLE_COUNTRIES = {"TW": "Taiwan", "HK": "Hong Kong", "MO": "Macau"}


def build(source: Path) -> gpd.GeoDataFrame:
    """The 34 units, indexed by row, with the attributes of the table."""
    world = gpd.read_file(source, layer="states_provinces")
    chosen = world[world["iso_a2"].isin(["CN", *WHOLE_COUNTRIES])].copy()
    chosen["name_en"] = chosen["iso_a2"].map(WHOLE_COUNTRIES).fillna(chosen["name"].replace(SPELLING))
    table = pd.read_csv(TABLE, dtype=str)
    unknown = set(chosen["name_en"]) ^ set(table["name_en"])
    if unknown:
        sys.exit(f"Names that do not match {TABLE.name}: {sorted(unknown)}. Extend SPELLING.")
    units = chosen.dissolve("name_en")["geometry"].loc[table["name_en"]]
    simplified = shapely.coverage_simplify(units.to_numpy(), TOLERANCE)
    if not shapely.coverage_is_valid(simplified):
        sys.exit("The simplified polygons overlap or leave gaps.")
    return gpd.GeoDataFrame(table, geometry=simplified, crs=world.crs)


def main() -> None:
    """Build and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="world_map.gpkg of QGIS, or another file with that layer")
    layer = build(parser.parse_args().source)
    OUTPUT.parent.mkdir(exist_ok=True)
    layer.to_file(OUTPUT, encoding="UTF-8", engine="pyogrio", DBF_DATE_LAST_UPDATE="2026-01-01")
    size = sum(path.stat().st_size for path in OUTPUT.parent.glob("provinces.*"))
    vertices = shapely.get_num_coordinates(layer.geometry.to_numpy()).sum()
    print(f"{len(layer)} units, {vertices:,} vertices, {size / 1000:.0f} KB in {OUTPUT.parent.name}/")
    if size > SIZE_LIMIT:
        sys.exit("The layer is larger than 400 KB: raise TOLERANCE.")


if __name__ == "__main__":
    main()
