"""Which polygons touch: hashed vertices and edges first, a tolerance for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SNAP = 1e-6  # of the median diameter of a polygon's bounding box
_OVERLAP = 10.0  # times the tolerance: shortest shared line that counts for the rook rule


@dataclass(frozen=True, slots=True)
class Pairs:
    """Touching polygons.

    Attributes
    ----------
    i, j
        Positions with ``i < j``, sorted, each pair once, shape (m,).
    snapped
        Pairs that only the tolerance found, shape (m,).
    """

    i: NDArray[np.intp]
    j: NDArray[np.intp]
    snapped: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Edges:
    """Directed edges of all rings: end points as positions of vertices, and the polygon they belong to."""

    start: NDArray[np.intp]
    owner: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Corners:
    """Hashes of all vertices and the polygons they belong to, shape (E,)."""

    key: NDArray[np.uint64]
    owner: NDArray[np.intp]


def contiguous_pairs(shapes: NDArray[np.object_], *, rule: str, snap: float | None = None) -> Pairs:
    """Pairs of polygons that share a vertex (queen) or an edge (rook).

    Parameters
    ----------
    shapes
        n valid polygons or multipolygons.
    rule
        ``"queen"`` or ``"rook"``.
    snap
        Tolerance of the second pass; None for a millionth of the median diameter, 0 for none.
    """
    n = len(shapes)
    xy, edges = _edges(shapes)
    vertex = _hash(xy[edges.start])
    head = _hash(xy[edges.start + 1])
    real = vertex != head  # a repeated vertex makes an edge that is a point, and a point is no border
    if not real.all():
        vertex, head, edges = vertex[real], head[real], _Edges(edges.start[real], edges.owner[real])
    edge = _mix(vertex + head)  # the same for both directions
    lonely, edge_pairs = _matches(edge, edges.owner, n)
    exact = _matches(vertex, edges.owner, n)[1] if rule == "queen" else edge_pairs
    tolerance = SNAP * typical_diameter(shapes) if snap is None else snap
    if tolerance < 0:
        raise OptionError(f"snap={snap!r} must not be negative.")
    gained = np.empty(0, dtype=np.int64)
    if tolerance > 0 and lonely.any():
        rim = _Edges(edges.start[lonely], edges.owner[lonely])
        if rule == "queen":
            near = _near_vertices(shapes, xy, rim, corners=_Corners(vertex, edges.owner), tolerance=tolerance)
        else:
            near = _near_edges(shapes, xy, rim, tolerance=tolerance)
        gained = np.setdiff1d(near, exact, assume_unique=True)
    keys = np.concatenate([exact, gained])
    order = np.argsort(keys)
    snapped = np.repeat([False, True], [len(exact), len(gained)])[order]
    return Pairs((keys // n)[order].astype(np.intp), (keys % n)[order].astype(np.intp), snapped)


def _edges(shapes: NDArray[np.object_]) -> tuple[NDArray[np.float64], _Edges]:
    """Coordinates, shape (V, 2), and the edges between consecutive ones of the same ring."""
    import shapely

    _, xy, offsets = shapely.to_ragged_array(shapes, include_z=False)
    ring_offsets, polygon_offsets = offsets[0], offsets[1]
    ring_owner = np.repeat(np.arange(len(polygon_offsets) - 1), np.diff(polygon_offsets))
    if len(offsets) == 3:
        ring_owner = np.repeat(np.arange(len(shapes)), np.diff(offsets[2]))[ring_owner]
    vertex_owner = np.repeat(ring_owner, np.diff(ring_offsets))
    starts = np.ones(len(xy), dtype=bool)
    starts[ring_offsets[1:] - 1] = False  # the closing vertex starts no edge
    start = np.flatnonzero(starts)
    return xy + 0.0, _Edges(start, vertex_owner[start])  # + 0.0 turns -0.0 into 0.0


def _hash(xy: NDArray[np.float64]) -> NDArray[np.uint64]:
    """64-bit hash of coordinates: equal bits, equal hash."""
    bits = np.ascontiguousarray(xy).view(np.uint64)
    return _mix(bits[:, 0] * np.uint64(0x9E3779B97F4A7C15) + _mix(bits[:, 1]))


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Finaliser of splitmix64 (Steele, Lea and Flood 2014): spreads every bit over all bits."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _matches(key: NDArray[np.uint64], owner: NDArray[np.intp], n: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Items whose key no other polygon has, shape of `key`; pairs of owners with a common key as ``i n + j``."""
    order, ranked = _sorted(key)
    equal = ranked[1:] == ranked[:-1]
    grouped = np.zeros(len(key), dtype=bool)
    grouped[1:] |= equal
    grouped[:-1] |= equal
    lonely = np.ones(len(key), dtype=bool)
    lonely[order[grouped]] = False
    members = owner[order[grouped]]
    group = np.cumsum(np.concatenate([[True], ~equal]))[grouped]
    found = [np.empty(0, dtype=np.int64)]
    for step in range(1, len(members)):
        together = group[step:] == group[:-step]
        if not together.any():
            break
        a, b = members[:-step][together], members[step:][together]
        apart = a != b
        found.append(_pair_keys(a[apart], b[apart], n))
    return lonely, _distinct(np.concatenate(found))


def _distinct(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sorted keys, each once; sorting is several times faster here than the hashing of `np.unique`."""
    keys.sort()
    new = np.ones(len(keys), dtype=bool)
    new[1:] = keys[1:] != keys[:-1]
    return keys[new]


def _sorted(key: NDArray[np.uint64]) -> tuple[NDArray[np.intp], NDArray[np.uint64]]:
    """Order and sorted values of 64-bit keys, several times faster than `argsort`.

    The position is packed into the low bits, so that sorting values is enough; the few keys that agree in the
    remaining high bits only are put in order afterwards.
    """
    bits = np.uint64(max(len(key) - 1, 1).bit_length())
    packed = (key >> bits) << bits | np.arange(len(key), dtype=np.uint64)
    packed.sort()
    order = (packed & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.intp)
    ranked = key[order]
    same_high = (packed[1:] >> bits) == (packed[:-1] >> bits)
    unsettled = same_high & (ranked[1:] != ranked[:-1])
    if unsettled.any():
        runs = np.concatenate([[0], np.cumsum(~same_high)])
        places = np.flatnonzero(np.isin(runs, runs[1:][unsettled]))
        order[places] = order[places][np.argsort(ranked[places], kind="stable")]
        ranked = key[order]
    return order, ranked


def _pair_keys(a: NDArray[np.intp], b: NDArray[np.intp], n: int) -> NDArray[np.int64]:
    return np.minimum(a, b).astype(np.int64) * n + np.maximum(a, b)


def typical_diameter(shapes: NDArray[np.object_]) -> float:
    """Median diameter of the polygons' bounding boxes, in the units of the map."""
    import shapely

    box = shapely.bounds(shapes)
    return float(np.median(np.hypot(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1])))


def _near_vertices(
    shapes: NDArray[np.object_], xy: NDArray[np.float64], lonely: _Edges, *, corners: _Corners, tolerance: float
) -> NDArray[np.int64]:
    """Pairs of polygons with a vertex of one within the tolerance of the other.

    Only ends of edges that no other polygon has can hide a contact: the outer rim of the layer, gaps, overlaps,
    T-junctions. Where such an end lies on a polygon that has no vertex there, all polygons that meet in it touch it,
    also those whose own edges are all matched.
    """
    import shapely

    ends, first = np.unique(np.concatenate([lonely.start, lonely.start + 1]), return_index=True)
    owner = np.concatenate([lonely.owner, lonely.owner])[first]
    point, polygon = shapely.STRtree(shapes).query(shapely.points(xy[ends]), predicate="dwithin", distance=tolerance)
    apart = owner[point] != polygon
    point, polygon = point[apart], polygon[apart]
    key = _hash(xy[ends])
    between = ~np.isin(_belonging(key[point], polygon), _belonging(key, owner))
    place, unit = _meeting(corners, key[point[between]], polygon[between])
    pairs = [_pair_keys(owner[point], polygon, len(shapes)), _pair_keys(place, unit, len(shapes))]
    return _distinct(np.concatenate(pairs))


def _belonging(key: NDArray[np.uint64], owner: NDArray[np.intp]) -> NDArray[np.uint64]:
    """Hash of a vertex together with a polygon."""
    return _mix(key + owner.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def _meeting(
    corners: _Corners, key: NDArray[np.uint64], polygon: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Every polygon with a vertex of the given hashes, paired with the polygon given for it."""
    if not len(key):
        return polygon, polygon
    order = np.argsort(key)
    key, polygon = key[order], polygon[order]
    low = np.uint64(0xFFFF)
    seen = np.zeros(int(low) + 1, dtype=bool)  # the low bits sort out almost all vertices at little cost
    seen[key & low] = True
    at = np.flatnonzero(seen[corners.key & low])
    first, last = (np.searchsorted(key, corners.key[at], side) for side in ("left", "right"))
    count = last - first
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    unit, other = np.repeat(corners.owner[at], count), polygon[np.repeat(first, count) + within]
    apart = unit != other
    return unit[apart], other[apart]


def _near_edges(
    shapes: NDArray[np.object_], xy: NDArray[np.float64], lonely: _Edges, *, tolerance: float
) -> NDArray[np.int64]:
    """Pairs of polygons whose unmatched edges run along each other within the tolerance."""
    import shapely

    segments = np.stack([xy[lonely.start], xy[lonely.start + 1]], axis=1)
    lines = shapely.linestrings(segments)
    a, b = shapely.STRtree(lines).query(lines, predicate="dwithin", distance=tolerance)
    apart = lonely.owner[a] < lonely.owner[b]
    a, b = a[apart], b[apart]
    along = np.maximum(_overlap(segments[a], segments[b], tolerance), _overlap(segments[b], segments[a], tolerance))
    long = along > _OVERLAP * tolerance
    return _distinct(_pair_keys(lonely.owner[a[long]], lonely.owner[b[long]], len(shapes)))


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
    """Length over which segments run along each other within the tolerance, shape (m,).

    Segments have shape (m, 2, 2). Both are close where both ends of the common stretch are.
    """
    axis = b[:, 1] - b[:, 0]
    length = np.linalg.norm(axis, axis=1)
    axis = axis / length[:, None]
    normal = np.stack([-axis[:, 1], axis[:, 0]], axis=1)
    along = np.einsum("mpd,md->mp", a - b[:, :1], axis)
    away = np.einsum("mpd,md->mp", a - b[:, :1], normal)
    low = np.maximum(along.min(axis=1), 0.0)
    high = np.minimum(along.max(axis=1), length)
    run = along[:, 1] - along[:, 0]
    slope = np.divide(away[:, 1] - away[:, 0], run, out=np.zeros_like(run), where=np.abs(run) > 0)
    offsets = [np.abs(away[:, 0] + slope * (t - along[:, 0])) for t in (low, high)]
    close = (offsets[0] <= 2.0 * tolerance) & (offsets[1] <= 2.0 * tolerance)
    return np.where(close, high - low, 0.0)
