"""Weights by the length of the shared border."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from spatial_de.boundaries import EARTH_RADIUS_KM, check_polygons, on_sphere
from spatial_de.errors import WeightsWarning
from spatial_de.weights.contiguity import contiguity
from spatial_de.weights.core import IslandTreatment, Provenance, SpatialWeights
from spatial_de.weights.distance import locate
from spatial_de.weights.shared_borders import SNAP, typical_diameter
from spatial_de.wording import name_some, plural

if TYPE_CHECKING:
    from collections.abc import Callable

    import geopandas as gpd
    from numpy.typing import NDArray

    from spatial_de.weights.normalisation import Normalization

_GAINED = 1e-4  # share of a border by which a grid must find more than exact edges do


def border_length(
    gdf: gpd.GeoDataFrame, *, islands: IslandTreatment = "error", normalize: Normalization = "row"
) -> SpatialWeights:
    """Weights by the length of the shared border, in kilometres; row-standardised, the share of all land borders.

    In degrees, the lengths are those of great circles between vertices; other coordinates are taken as planar. Borders
    that meet in points only are no links.

    Parameters
    ----------
    gdf
        Polygons indexed by unit.
    islands
        Units without a border: ``"error"``, ``"keep"``, or ``"nearest"``: linked with the nearest unit as if by a
        border of the median length.
    normalize
        Of the result.

    Raises
    ------
    BoundaryError
        Missing, empty or repeated polygons.
    IslandError
        Units without neighbours and ``islands="error"``.

    References
    ----------
    Dacey, M. F. (1968). A review on measures of contiguity for two and k-color maps. In Berry and Marble (eds.),
    *Spatial Analysis*, 479-495.
    """
    crs = locate(gdf).crs  # refuses maps without a coordinate system, which lengths need
    touching = contiguity(gdf, rule="rook", islands=islands, normalize="none")
    links = sparse.triu(touching.raw, k=1).tocoo()
    i, j = links.coords
    km = _shared_km(gdf, i, j)
    linked = km <= 0.0  # by islands="nearest", or by snapping alone
    if linked.any():
        typical = float(np.median(km[~linked])) if not linked.all() else 1.0
        km = np.where(linked, typical, km)
        names = name_some([(touching.ids[a], touching.ids[b]) for a, b in zip(i[linked], j[linked], strict=True)])
        warnings.warn(
            f"{plural(int(linked.sum()), 'pair')} linked without a common line, given the median length of "
            f"{typical:,.0f} km: {names}.",
            WeightsWarning,
            stacklevel=2,
        )
    upper = sparse.csr_array((km, (i, j)), shape=touching.raw.shape)
    return SpatialWeights(
        sparse.csr_array(upper + upper.T),
        touching.ids,
        provenance=Provenance(
            rule="length of the shared border, km",
            crs=crs,
            islands=touching.provenance.islands,
            notes=touching.provenance.notes,
        ),
        normalization=normalize,
    )


def _shared_km(gdf: gpd.GeoDataFrame, i: NDArray[np.intp], j: NDArray[np.intp]) -> NDArray[np.float64]:
    """Length of the line that two polygons share, pair by pair.

    Edges with the same two vertices are found exactly. Where one side has vertices that the other lacks, a slanted line
    is missed for the rounding of its coordinates: all is laid on a grid as wide as the tolerance of contiguity, and
    pairs for which that finds more keep it.
    """
    import shapely

    shapes = check_polygons(gdf).geometry.to_numpy()
    length = _arc_km if gdf.crs.is_geographic else _planar_km(gdf)
    grid = 2.0 * SNAP * typical_diameter(shapes)
    out = np.empty(len(i))
    for a in np.unique(i):
        here = np.flatnonzero(i == a)
        own, others = shapely.boundary(shapes[a]), shapely.boundary(shapes[j[here]])
        exact = length(shapely.intersection(own, others))
        snapped = length(shapely.intersection(own, others, grid_size=grid))
        out[here] = np.where(snapped > exact * (1.0 + _GAINED), snapped, exact)
    return out


def _arc_km(lines: NDArray[np.object_]) -> NDArray[np.float64]:
    """Lengths of lines in degrees along great circles, vertex to vertex, shape of `lines`."""
    import shapely

    parts, owner = shapely.get_parts(lines, return_index=True)
    lon_lat, part = shapely.get_coordinates(parts, return_index=True)
    chord = np.linalg.norm(np.diff(on_sphere(lon_lat), axis=0), axis=1)
    arc = 2.0 * EARTH_RADIUS_KM * np.arcsin(np.clip(chord / 2.0, 0.0, 1.0))
    within = part[1:] == part[:-1]
    km = np.bincount(owner[part[1:][within]], weights=arc[within], minlength=len(lines))
    return np.asarray(km, dtype=np.float64)


def _planar_km(gdf: gpd.GeoDataFrame) -> Callable[[NDArray[np.object_]], NDArray[np.float64]]:
    """Length of lines in the units of the map."""
    import shapely

    km = float(gdf.crs.axis_info[0].unit_conversion_factor) / 1000.0
    return lambda lines: np.asarray(shapely.length(lines) * km)
