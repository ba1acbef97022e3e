"""Contiguity of irregular polygons against libpysal in one run.

    python benchmarks/bench_contiguity.py            # 3,100 and 100,000 polygons: about two minutes
    python benchmarks/bench_contiguity.py 3100

Voronoi cells of a unit square with edges of several vertices (about 31 a cell). Both find the links; the time of
ours includes the checks of the polygons and the second pass for gaps and T-junctions.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time

import geopandas as gpd
import libpysal
import numpy as np
import shapely
from libpysal.graph import Graph
from scipy.spatial import Voronoi

import spatial_de as sde

REPEATS = 5


def cells(n: int, bends: int = 4) -> gpd.GeoDataFrame:
    """Voronoi cells whose borders have `bends` vertices between the corners, shared exactly."""
    points = np.random.default_rng(0).uniform(size=(n, 2))
    mirrored = [points * s + o for s, o in (((-1, 1), (0, 0)), ((1, -1), (0, 0)), ((-1, 1), (2, 0)), ((1, -1), (0, 2)))]
    diagram = Voronoi(np.vstack([points, *mirrored]))
    corners = diagram.vertices
    share = np.linspace(0, 1, bends + 2)[1:-1, None]
    shapes = []
    for region in diagram.point_region[:n]:
        ring = np.array(diagram.regions[region])
        parts = []
        for a, b in zip(ring, np.roll(ring, -1), strict=True):
            low, high = min(a, b), max(a, b)
            between = corners[low] * (1 - share) + corners[high] * share
            parts += [corners[a][None], between if a < b else between[::-1]]
        shapes.append(shapely.Polygon(np.vstack(parts)))
    return gpd.GeoDataFrame(geometry=shapes)


def median_seconds(call, repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def compare(n: int) -> None:
    frame = cells(n)
    vertices = int(shapely.get_num_coordinates(frame.geometry.to_numpy()).sum())
    print(f"{n:,} polygons, {vertices:,} vertices")
    for rule in ("queen", "rook"):
        ours = sde.weights.contiguity(frame, rule=rule)
        theirs = Graph.build_contiguity(frame, rook=rule == "rook")
        same = (ours.raw != theirs.sparse.astype(float)).nnz == 0
        mine = median_seconds(lambda rule=rule: sde.weights.contiguity(frame, rule=rule), REPEATS)
        peer = median_seconds(
            lambda rule=rule: Graph.build_contiguity(frame, rook=rule == "rook"), REPEATS if n < 20_000 else 1
        )
        print(
            f"  {rule:<6} ours {mine:7.3f} s   libpysal {peer:7.3f} s   ratio {peer / mine:5.1f}   "
            f"links identical: {same}"
        )


def main() -> None:
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}, "
        f"shapely {shapely.__version__}, libpysal {libpysal.__version__}; medians of {REPEATS}"
    )
    for n in [int(argument) for argument in sys.argv[1:]] or [3_100, 100_000]:
        compare(n)


if __name__ == "__main__":
    main()
