"""Weights from distances: nearest neighbours, inverse distance, distance bands.

Distances are those of `boundaries.points`: great circles between centroids for longitude and latitude, straight
lines in a projected system, kilometres always, never planar degrees.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from spatial_de import boundaries
from spatial_de.errors import WeightsError
from spatial_de.weights.core import IslandTreatment, Provenance, SpatialWeights
from spatial_de.weights.islands import LinkWeight, treat_islands
from spatial_de.weights.labels import as_index
from spatial_de.weights.links import check_capacity, check_count, check_positive, symmetric
from spatial_de.weights.normalisation import Normalization
from spatial_de.wording import check_option, name_some, plural

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

    from spatial_de.boundaries import Points

Kernel = Literal["uniform", "triangular", "quadratic", "quartic", "gaussian"]

_SAME = 1e-9  # distances closer than this share of themselves are equal: rounding must not decide about a link
_COINCIDENT_KM = 1e-6

_KERNELS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "uniform": np.ones_like,
    "triangular": lambda z: 1.0 - z,
    "quadratic": lambda z: 0.75 * (1.0 - z**2),
    "quartic": lambda z: 0.9375 * (1.0 - z**2) ** 2,
    "gaussian": lambda z: np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi),
}


def knn(gdf: gpd.GeoDataFrame, *, k: int = 4, normalize: Normalization = "row") -> SpatialWeights:
    """Weights of one for the k nearest neighbours of every unit.

    Where several units are equally far at the k-th place, those whose labels sort first are taken, so that the result
    does not depend on the order of rows; the provenance names the units concerned.

    Parameters
    ----------
    gdf
        Polygons or points indexed by unit, with a coordinate system.
    k
        Number of neighbours, from 1 to n - 1.
    normalize
        ``"row"``, ``"spectral"``, ``"minmax"``, ``"none"``.

    Raises
    ------
    OptionError
        `k` is not a whole number between 1 and n - 1.
    BoundaryError
        No coordinate system, missing geometry.
    AlignmentError
        Labels are missing or repeated.

    Examples
    --------
    >>> import spatial_de as sde
    >>> w = sde.weights.knn(sde.datasets.load_provinces(), k=4)
    >>> w.describe()["neighbors_max"]
    4
    """
    place = locate(gdf)
    n = len(place.ids)
    k = check_count(k, "k", most=n - 1, why=f": there are {plural(n, 'unit')}")
    found = _nearest(place, np.arange(n), k=k)
    matrix = sparse.csr_array((np.ones(n * k), found.positions.ravel(), np.arange(n + 1) * k), shape=(n, n))
    tied = place.ids[found.tied]
    note = f"equal distances at place {k}, the label that sorts first was taken, for {name_some(tied)}"
    return SpatialWeights(
        matrix,
        place.ids,
        provenance=Provenance(
            rule=f"{plural(k, 'nearest neighbour')} by {place.metric} distance",
            crs=place.crs,
            islands="none possible",
            notes=(note,) if len(tied) else (),
        ),
        normalization=normalize,
    )


def inverse_distance(
    gdf: gpd.GeoDataFrame,
    *,
    power: float = 1.0,
    cutoff: float | None = None,
    islands: IslandTreatment = "error",
    normalize: Normalization = "row",
) -> SpatialWeights:
    """Weights ``d ** -power``, with distances d in kilometres between centroids.

    Parameters
    ----------
    gdf
        Polygons or points indexed by unit, with a coordinate system.
    power
        Above zero; 2 makes the weights of gravity models.
    cutoff
        Largest distance of a link in kilometres, inclusive; None links every unit with every other.
    islands
        What to do with units that have no other within the cutoff: ``"error"``, ``"nearest"`` (link with the nearest
        unit, by the same formula), ``"keep"``.
    normalize
        ``"row"``, ``"spectral"``, ``"minmax"``, ``"none"``.

    Raises
    ------
    WeightsError
        Units lie at the same place, so that the inverse of their distance is infinite; they are named.
    IslandError
        Units without neighbours and ``islands="error"``.
    CapacityError
        Too many links for memory.
    BoundaryError, OptionError, AlignmentError
        As in `knn`.

    Examples
    --------
    >>> import spatial_de as sde
    >>> w = sde.weights.inverse_distance(sde.datasets.load_provinces(), power=2)
    >>> w.n_links == w.n * (w.n - 1)
    True
    """
    power = check_positive(power, "power")
    place = locate(gdf)
    pairs = pairs_within(place, None if cutoff is None else check_positive(cutoff, "cutoff", unit=" of kilometres"))
    _refuse_coincident(place, pairs)
    reach = "" if cutoff is None else f", up to {cutoff:g} km"
    return _finish(
        place,
        pairs,
        rule=f"inverse {place.metric} distance to the power {power:g}{reach}",
        weights=pairs.km**-power,
        link_weight=lambda a, b: _distances(place, a, b) ** -power,
        reach="cutoff",
        islands=islands,
        normalize=normalize,
    )


def distance_band(
    gdf: gpd.GeoDataFrame,
    *,
    threshold: float,
    kernel: Kernel = "uniform",
    islands: IslandTreatment = "error",
    normalize: Normalization = "row",
) -> SpatialWeights:
    """Weights between units that are at most `threshold` kilometres apart.

    Parameters
    ----------
    gdf
        Polygons or points indexed by unit, with a coordinate system.
    threshold
        Largest distance of a link in kilometres, inclusive.
    kernel
        Weight as a function of z = distance / threshold: ``"uniform"`` 1 (a binary matrix), ``"triangular"`` 1 - z,
        ``"quadratic"`` 3/4 (1 - z^2), ``"quartic"`` 15/16 (1 - z^2)^2, ``"gaussian"`` exp(-z^2 / 2) / sqrt(2 pi), cut
        at z = 1. For inverse distances within a band use ``inverse_distance(gdf, cutoff=...)``.
    islands
        What to do with units that have no other within the band: ``"error"`` (the message gives the threshold that
        leaves none), ``"nearest"`` (link with the nearest unit, with weight 1 under any kernel), ``"keep"``.
    normalize
        ``"row"``, ``"spectral"``, ``"minmax"``, ``"none"``.

    Raises
    ------
    IslandError
        Units without neighbours and ``islands="error"``.
    CapacityError
        Too many links for memory.
    BoundaryError, OptionError, AlignmentError
        As in `knn`.

    Examples
    --------
    >>> import spatial_de as sde
    >>> w = sde.weights.distance_band(sde.datasets.load_provinces(), threshold=2000)
    >>> w.provenance.rule
    'great-circle distance of at most 2000 km, uniform kernel'
    """
    threshold = check_positive(threshold, "threshold", unit=" of kilometres")
    check_option(kernel, _KERNELS, "kernel")
    place = locate(gdf)
    pairs = pairs_within(place, threshold)
    return _finish(
        place,
        pairs,
        rule=f"{place.metric} distance of at most {threshold:g} km, {kernel} kernel",
        weights=_KERNELS[kernel](np.minimum(pairs.km / threshold, 1.0)),
        link_weight=None,
        reach="threshold",
        islands=islands,
        normalize=normalize,
    )


class Pairs(NamedTuple):
    """Pairs i < j of positions and their distances in kilometres, three arrays of one length."""

    i: NDArray[np.intp]
    j: NDArray[np.intp]
    km: NDArray[np.float64]


class _Nearest(NamedTuple):
    """Positions of the k nearest units, shape (m, k); the k-th distances and whether others are as near, shape (m,)."""

    positions: NDArray[np.intp]
    km: NDArray[np.float64]
    tied: NDArray[np.bool_]


def locate(gdf: gpd.GeoDataFrame) -> Points:
    """Labelled points of a map, checked."""
    if not hasattr(gdf, "geometry"):
        raise WeightsError(f"Distances need a GeoDataFrame indexed by unit, got {type(gdf).__name__}.")
    place: Points = boundaries.points(gdf)
    as_index(place.ids, what="the geometry")
    lost = np.flatnonzero(~np.isfinite(place.xyz_km).all(axis=1))
    if len(lost):
        raise WeightsError(f"Units whose coordinates are not finite numbers: {name_some(place.ids[lost])}.")
    if len(place.ids) < 2:
        raise WeightsError(f"Weights need at least two units, got {len(place.ids)}.")
    return place


def pairs_within(place: Points, km: float | None) -> Pairs:
    """All pairs of units, or those at most `km` apart."""
    from scipy.spatial import KDTree
    from scipy.spatial.distance import pdist

    n = len(place.ids)
    if km is None:
        check_capacity(n * (n - 1), advice="Pass cutoff= in kilometres to keep near links only")
        i, j = np.triu_indices(n, 1)
        return Pairs(i, j, place.arc_km(pdist(place.xyz_km)))
    tree = KDTree(place.xyz_km)
    chord = place.chord_km(km * (1.0 + _SAME))
    check_capacity(int(tree.count_neighbors(tree, chord)) - n, advice="Choose a smaller distance")
    found = tree.query_pairs(chord, output_type="ndarray")
    i, j = found[:, 0], found[:, 1]
    return Pairs(i, j, _distances(place, i, j))


def _distances(place: Points, i: NDArray[np.intp], j: NDArray[np.intp]) -> NDArray[np.float64]:
    return place.arc_km(np.linalg.norm(place.xyz_km[i] - place.xyz_km[j], axis=1))


def _finish(
    place: Points,
    pairs: Pairs,
    *,
    rule: str,
    weights: NDArray[np.float64],
    link_weight: LinkWeight | None,
    reach: str,
    islands: IslandTreatment,
    normalize: Normalization,
) -> SpatialWeights:
    """Weights from pairs, with units that no pair contains treated as asked."""
    matrix = symmetric(pairs.i, pairs.j, weights, n=len(place.ids))
    treated = treat_islands(
        matrix,
        place.ids,
        treatment=islands,
        nearest=lambda alone: _nearest(place, alone, k=1).positions[:, 0],
        link_weight=link_weight,
        hint=_hint(place, matrix, reach),
    )
    return SpatialWeights(
        treated.matrix,
        place.ids,
        provenance=Provenance(rule=rule, crs=place.crs, islands=treated.islands, notes=treated.notes),
        normalization=normalize,
    )


def _hint(place: Points, matrix: sparse.csr_array, reach: str) -> str:
    """The reach that leaves no unit alone, rounded up to a tenth of a kilometre; empty where none is alone."""
    alone = np.flatnonzero(np.diff(matrix.indptr) == 0)
    if not len(alone):
        return ""
    return f"{reach}={math.floor(_nearest(place, alone, k=1).km.max() * 10 + 1) / 10:g} leaves none alone"


def _nearest(place: Points, units: NDArray[np.intp], *, k: int) -> _Nearest:
    """The k nearest other units of some units; of equally near ones those whose labels sort first."""
    from scipy.spatial import KDTree

    xyz, n = place.xyz_km, len(place.ids)
    tree = KDTree(xyz)
    chord, index = tree.query(xyz[units], k=min(k + 2, n))  # the unit itself, k others, and one more to see ties
    last = chord[:, k]
    tied = chord[:, k + 1] <= last * (1 + _SAME) if k + 1 < n else np.zeros(len(units), dtype=bool)
    positions = np.empty((len(units), k), dtype=np.intp)
    candidates = index[~tied, : k + 1]
    positions[~tied] = candidates[candidates != units[~tied, None]].reshape(-1, k)
    rank = pd.factorize(place.ids, sort=True)[0]
    for row in np.flatnonzero(tied):
        near = np.asarray(tree.query_ball_point(xyz[units[row]], last[row] * (1 + _SAME)))
        near = near[near != units[row]]
        edge = np.linalg.norm(xyz[near] - xyz[units[row]], axis=1) >= last[row] * (1 - _SAME)
        positions[row] = near[np.lexsort((rank[near], edge))][:k]
    return _Nearest(positions, place.arc_km(last), tied)


def _refuse_coincident(place: Points, pairs: Pairs) -> None:
    same = pairs.km <= _COINCIDENT_KM
    if same.any():
        names = name_some([(place.ids[a], place.ids[b]) for a, b in zip(pairs.i[same], pairs.j[same], strict=True)])
        raise WeightsError(
            f"{plural(int(same.sum()), 'pair')} of units at the same place: {names}. The inverse of a distance of zero "
            "is infinite; merge these units, move one, or use knn or distance_band."
        )
