"""Contiguity weights: units that share a border (rook) or a point of it (queen)."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import sparse

from spatial_de.boundaries import around, check_degrees, check_polygons, crs_name, sphere_centroids
from spatial_de.errors import BoundaryWarning, IslandError, OptionError
from spatial_de.weights.core import IslandTreatment, Provenance, SpatialWeights
from spatial_de.weights.islands import Treated, treat_islands
from spatial_de.weights.labels import as_index
from spatial_de.weights.links import paths_of_order
from spatial_de.weights.normalisation import Normalization
from spatial_de.weights.shared_borders import contiguous_pairs
from spatial_de.wording import check_option, name_some, plural

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    from numpy.typing import NDArray

Rule = Literal["queen", "rook"]


def contiguity(
    gdf: gpd.GeoDataFrame,
    *,
    rule: Rule = "queen",
    order: int = 1,
    include_lower_orders: bool = False,
    islands: IslandTreatment = "error",
    normalize: Normalization = "row",
    snap: float | None = None,
) -> SpatialWeights:
    """Weights between units whose polygons touch.

    Borders are found by their shared vertices (queen) or shared edges (rook); what is left is compared once more
    within a small tolerance, so that slivers, small gaps and T-junctions do not hide a border. Links that only the
    tolerance finds are reported.

    Parameters
    ----------
    gdf
        Polygons indexed by unit.
    rule
        ``"queen"``: a shared point is enough. ``"rook"``: a shared line is needed.
    order
        1 for neighbours, 2 for neighbours of neighbours (shortest path of exactly that length), and so on.
    include_lower_orders
        Count shorter paths as well.
    islands
        What to do with units that touch no other: ``"error"`` names them and stops, ``"nearest"`` links each with
        the nearest polygon in both directions, ``"keep"`` leaves them without neighbours.
    normalize
        ``"row"``, ``"spectral"``, ``"minmax"``, ``"none"``.
    snap
        Tolerance in units of the coordinates; by default a millionth of the typical diameter of a polygon. 0 switches
        the second pass off.

    Raises
    ------
    BoundaryError
        Missing, empty or repeated polygons.
    IslandError
        Units without neighbours and ``islands="error"``.

    Examples
    --------
    >>> import spatial_de as sde
    >>> provinces = sde.datasets.load_provinces()
    >>> w = contiguity(provinces[provinces["region"] != "none"], islands="nearest")
    >>> w.provenance.notes
    ('HI -> GD (nearest)',)
    """
    check_option(rule, ("queen", "rook"), "rule")
    if not isinstance(order, int) or order < 1:
        raise OptionError(f"order={order!r} must be a whole number from 1 on.")
    ids = as_index(gdf.index, what="the polygons")
    shapes = check_polygons(gdf).geometry.to_numpy()
    pairs = contiguous_pairs(shapes, rule=rule, snap=snap)
    n = len(ids)
    links = np.concatenate([pairs.i, pairs.j]), np.concatenate([pairs.j, pairs.i])
    matrix = sparse.csr_array((np.ones(len(links[0])), links), shape=(n, n))
    treated = treat_islands(matrix, ids, treatment=islands, nearest=lambda alone: nearest_polygons(gdf, shapes, alone))
    matrix = treated.matrix
    if order > 1:
        matrix = paths_of_order(matrix, order, include_lower=include_lower_orders)
        treated = _second_islands(treated, matrix, ids, order=order, islands=islands)
    which = f"orders 1 to {order}" if include_lower_orders and order > 1 else f"order {order}"
    return SpatialWeights(
        matrix,
        ids,
        provenance=Provenance(
            rule=f"{rule} contiguity of {which}",
            crs=None if gdf.crs is None else crs_name(gdf.crs),
            islands=treated.islands,
            notes=(*treated.notes, *_report_snapping(ids, pairs.i[pairs.snapped], pairs.j[pairs.snapped])),
        ),
        normalization=normalize,
    )


def _report_snapping(ids: pd.Index[Any], i: NDArray[np.intp], j: NDArray[np.intp]) -> tuple[str, ...]:
    """A warning and a note for links that only the tolerance found."""
    if not len(i):
        return ()
    names = name_some([(ids[a], ids[b]) for a, b in zip(i, j, strict=True)])
    note = f"{plural(len(i), 'border')} found by snapping (no shared vertices): {names}"
    warnings.warn(
        f"{note}. The polygons leave gaps, overlap or meet between vertices there; look at them, or pass snap=0 to "
        "accept exact borders only.",
        BoundaryWarning,
        stacklevel=4,
    )
    return (note,)


def _second_islands(
    treated: Treated, matrix: sparse.csr_array, ids: pd.Index[Any], *, order: int, islands: IslandTreatment
) -> Treated:
    """Units that have neighbours, but none of the higher order."""
    alone = ids[np.diff(matrix.indptr) == 0]
    if not len(alone) or matrix.nnz == 0:
        return treated
    words = f"{plural(len(alone), 'unit')} without neighbours of order {order}: {name_some(alone)}"
    if islands == "error":
        raise IslandError(
            f"{words}. Pass islands='keep' to leave their rows empty, or include_lower_orders=True to count nearer "
            "neighbours as well."
        )
    return Treated(treated.matrix, treated.islands, (*treated.notes, words))


def nearest_polygons(gdf: gpd.GeoDataFrame, shapes: NDArray[np.object_], alone: NDArray[np.intp]) -> NDArray[np.intp]:
    """Position of the polygon nearest to each of some polygons, border to border.

    Degrees are drawn around each of them in the azimuthal equidistant projection, which is true to distances from its
    centre; other coordinates are taken as planar. Of several equally near the first is taken.
    """
    import shapely

    geographic = gdf.crs is not None and gdf.crs.is_geographic
    if geographic:
        check_degrees(gdf.crs)
    centres = sphere_centroids(shapes[alone]) if geographic else None
    found = np.empty(len(alone), dtype=np.intp)
    for k, unit in enumerate(alone):
        drawn = shapes if centres is None else around(shapes, centres[k])
        distance = shapely.distance(drawn[unit], drawn)
        distance[unit] = np.inf
        found[k] = int(distance.argmin())
    return found
