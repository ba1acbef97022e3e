"""Polygons of units: reading, repair, coordinate systems, distances."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from spatial_de.errors import BoundaryError, BoundaryWarning, FileError
from spatial_de.wording import did_you_mean, name_some, plural

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

EARTH_RADIUS_KM = 6371.0088  # mean radius of the Earth (IUGG)


def read(
    path: str | Path,
    *,
    id: str,  # noqa: A002  the word users know
    layer: str | None = None,
    encoding: str | None = None,
    repair: bool = True,
    dissolve: bool = False,
) -> gpd.GeoDataFrame:
    """Read polygons from a file and index them by unit.

    Parameters
    ----------
    path
        Shapefile, GeoPackage, GeoJSON or whatever GDAL reads; .parquet and .feather as geopandas writes them.
    id
        Column with the unit labels.
    layer
        Layer of a file that has several.
    encoding
        Of the attributes, e.g. ``"GB18030"`` for shapefiles without a .cpg file.
    repair
        Mend invalid polygons (and say which); otherwise they are an error.
    dissolve
        Merge rows with the same label into one unit; otherwise they are an error.

    Returns
    -------
    GeoDataFrame
        One row per unit, indexed by `id`.

    Raises
    ------
    FileError
        The file is not there or cannot be read.
    BoundaryError
        No such column, missing or repeated labels, empty or invalid polygons.

    Examples
    --------
    >>> import spatial_de as sde
    >>> provinces = sde.datasets.load_provinces()
    >>> len(provinces)
    34
    """
    frame = _read_file(Path(path), layer=layer, encoding=encoding)
    if id not in frame.columns:
        raise BoundaryError(
            f"{Path(path).name} has no column {id!r}.{did_you_mean(id, frame.columns)} "
            f"It has {name_some(frame.columns.drop(frame.geometry.name), 10)}."
        )
    holes = np.flatnonzero(frame[id].isna())
    if len(holes):
        raise BoundaryError(f"Column {id!r} is missing in {plural(len(holes), 'row')}: {name_some(holes.tolist())}.")
    if frame[id].duplicated().any():
        twice = frame[id][frame[id].duplicated()].unique()
        if not dissolve:
            raise BoundaryError(
                f"{plural(len(twice), 'label')} in column {id!r} occur more than once: {name_some(twice)}. "
                "Pass dissolve=True to merge their polygons into one unit each."
            )
        frame = frame.dissolve(id, as_index=False)
    return check_polygons(frame.set_index(id), repair=repair)


def check_polygons(gdf: gpd.GeoDataFrame, *, repair: bool = True) -> gpd.GeoDataFrame:
    """Polygons that can be trusted: one per label, none missing, all valid.

    Parameters
    ----------
    gdf
        Polygons indexed by unit label.
    repair
        Mend invalid polygons with `shapely.make_valid`, keep their areas, and say which.

    Raises
    ------
    BoundaryError
        Repeated labels; missing or empty geometry; geometry that is not polygons; invalid polygons where
        `repair` is off. The units are named.
    """
    import shapely

    if not gdf.index.is_unique:
        twice = gdf.index[gdf.index.duplicated()].unique()
        raise BoundaryError(f"Units occur more than once: {name_some(twice)}. Merge them with gdf.dissolve().")
    shapes = gdf.geometry.to_numpy()
    missing = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    if missing.any():
        raise BoundaryError(f"Units without geometry: {name_some(gdf.index[missing])}. Supply it or leave them out.")
    polygonal = np.isin(shapely.get_type_id(shapes), [3, 6])
    if not polygonal.all():
        raise BoundaryError(f"Units that are not polygons: {name_some(gdf.index[~polygonal])}.")
    invalid = ~shapely.is_valid(shapes)
    if not invalid.any():
        return gdf
    broken = gdf.index[invalid]
    if not repair:
        reason = shapely.is_valid_reason(shapes[invalid][0])
        raise BoundaryError(
            f"Invalid polygons: {name_some(broken)} ({reason}). Pass repair=True to mend them, or mend the file."
        )
    mended = gdf.copy()
    mended.geometry = [_mend(shape) if bad else shape for shape, bad in zip(shapes, invalid, strict=True)]
    warnings.warn(
        f"Invalid polygons were repaired: {name_some(broken)}. Look at them on a map before trusting the borders.",
        BoundaryWarning,
        stacklevel=3,
    )
    return mended


@dataclass(frozen=True)
class Points:
    """Representative points of units, ready for distances.

    Attributes
    ----------
    ids
        Labels of the n units.
    xyz_km
        Coordinates in kilometres: planar, shape (n, 2), or on the sphere, shape (n, 3).
    metric
        ``"projected"``: straight lines in the plane. ``"great-circle"``: arcs on the sphere.
    crs
        Name of the coordinate system they come from.
    """

    ids: pd.Index[Any]
    xyz_km: NDArray[np.float64]
    metric: Literal["projected", "great-circle"]
    crs: str

    def arc_km(self, chord_km: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distances from straight-line distances between `xyz_km`."""
        if self.metric == "projected":
            return chord_km
        half = np.clip(chord_km / (2.0 * EARTH_RADIUS_KM), 0.0, 1.0)
        return np.asarray(2.0 * EARTH_RADIUS_KM * np.arcsin(half))

    def chord_km(self, arc_km: float) -> float:
        """Straight-line distance between `xyz_km` that belongs to a distance."""
        if self.metric == "projected":
            return arc_km
        angle = min(arc_km / (2.0 * EARTH_RADIUS_KM), np.pi / 2)
        return float(2.0 * EARTH_RADIUS_KM * np.sin(angle))


def points(gdf: gpd.GeoDataFrame) -> Points:
    """Centroids of polygons (or the points themselves) in kilometres.

    In a geographic system the centroid is that of the area on the sphere, so that neither the latitude nor the
    date line distorts it; distances are great circles. In a projected system they are planar.

    Raises
    ------
    BoundaryError
        No coordinate system is set, or geometry is missing.
    """
    import shapely

    if gdf.crs is None:
        raise BoundaryError(
            "Distances need a coordinate system and the polygons have none: set it, e.g. gdf.set_crs('EPSG:4326') for "
            "degrees of longitude and latitude."
        )
    shapes = gdf.geometry.to_numpy()
    missing = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    if missing.any():
        raise BoundaryError(f"Units without geometry: {name_some(gdf.index[missing])}. Supply it or leave them out.")
    name = crs_name(gdf.crs)
    if gdf.crs.is_geographic:
        check_degrees(gdf.crs)
        _check_range(gdf)
        return Points(gdf.index, EARTH_RADIUS_KM * sphere_centroids(shapes), "great-circle", name)
    to_km = gdf.crs.axis_info[0].unit_conversion_factor / 1000.0
    return Points(gdf.index, shapely.get_coordinates(shapely.centroid(shapes)) * to_km, "projected", name)


def check_degrees(crs: Any) -> None:
    """Refuse geographic systems in other units, such as grads."""
    unit = crs.axis_info[0].unit_name
    if unit != "degree":
        raise BoundaryError(f"{crs_name(crs)} counts in {unit}s, not in degrees: use gdf.to_crs('EPSG:4326').")


def _check_range(gdf: gpd.GeoDataFrame) -> None:
    """Refuse "degrees" that are none, mostly metres under the wrong system."""
    bounds = gdf.geometry.bounds
    outside = (bounds[["miny", "maxy"]].abs() > 90.0).any(axis=1) | (bounds[["minx", "maxx"]].abs() > 360.0).any(axis=1)
    if outside.any():
        raise BoundaryError(
            f"Coordinates of {name_some(gdf.index[outside])} are no degrees of longitude and latitude, as "
            f"{crs_name(gdf.crs)} has them: they go up to {bounds[outside].abs().to_numpy().max():,.0f}. Name the true "
            "system, gdf.set_crs(..., allow_override=True)."
        )


def crs_name(crs: Any) -> str:
    """``"EPSG:4326"`` where there is a code, the system's name otherwise."""
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.name)


def on_sphere(lon_lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors of longitudes and latitudes in degrees, shape (n, 3)."""
    lon, lat = np.radians(lon_lat[:, 0]), np.radians(lon_lat[:, 1])
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def around(shapes: NDArray[np.object_], centre: NDArray[np.float64]) -> NDArray[np.object_]:
    """Shapes in degrees drawn around a centre (unit vector) in the azimuthal equidistant projection, in kilometres."""
    import shapely

    pole = np.array([0.0, 0.0, 1.0]) if abs(centre[2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    east = np.cross(pole, centre)
    east /= np.linalg.norm(east)
    frame = np.stack([east, np.cross(centre, east)])

    def draw(lon_lat: NDArray[np.float64]) -> NDArray[np.float64]:
        place = on_sphere(lon_lat)
        plane = place @ frame.T
        sine = np.linalg.norm(plane, axis=1)
        angle = np.arctan2(sine, place @ centre)
        stretch = np.divide(angle, sine, out=np.ones_like(sine), where=sine > 0)
        return np.asarray(EARTH_RADIUS_KM * stretch[:, None] * plane)

    return np.asarray(shapely.transform(shapes, draw))


def sphere_centroids(shapes: NDArray[np.object_]) -> NDArray[np.float64]:
    """Centroids of areas on the sphere as unit vectors, shape (n, 3).

    The integral of the position over a spherical polygon is half the sum over its edges of edge angle times edge
    normal (Stokes' theorem), which needs no projection.
    """
    import shapely

    if np.all(shapely.get_dimensions(shapes) == 0):
        return on_sphere(shapely.get_coordinates(shapely.centroid(shapes)))
    parts, owner = shapely.get_parts(shapely.orient_polygons(shapes), return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    lon_lat, ring = shapely.get_coordinates(rings, return_index=True)
    v = on_sphere(lon_lat)
    same = ring[1:] == ring[:-1]
    start, stop = v[:-1][same], v[1:][same]
    normal = np.cross(start, stop)
    sine = np.linalg.norm(normal, axis=1)
    angle = np.arctan2(sine, np.einsum("ij,ij->i", start, stop))
    factor = np.divide(angle, sine, out=np.ones_like(sine), where=sine > 0)
    unit = owner[part_of_ring[ring[:-1][same]]]
    total = np.column_stack([np.bincount(unit, weights=factor * normal[:, d], minlength=len(shapes)) for d in range(3)])
    size = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(total / size)


def _read_file(path: Path, *, layer: str | None, encoding: str | None) -> gpd.GeoDataFrame:
    import geopandas as gpd

    if not path.exists():
        raise FileError(f"There is no file {str(path)!r}.")
    readers = {".parquet": gpd.read_parquet, ".feather": gpd.read_feather}
    try:
        if path.suffix.lower() in readers:
            return readers[path.suffix.lower()](path)
        options = {key: value for key, value in (("layer", layer), ("encoding", encoding)) if value is not None}
        return gpd.read_file(path, **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise FileError(f"{str(path)!r} cannot be read as boundaries: {error}.") from error


def _mend(shape: Any) -> Any:
    """The areas of a repaired polygon; lines and points that fall off are dropped."""
    import shapely

    mended = shapely.make_valid(shape)
    areas = [part for part in shapely.get_parts([mended]) if shapely.get_type_id(part) in {3, 6}]
    flat = shapely.get_parts(np.array(areas, dtype=object))
    return flat[0] if len(flat) == 1 else shapely.multipolygons(flat)
