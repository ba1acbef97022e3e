"""Contiguity: the known borders of China's provinces, libpysal's links, broken polygons."""

from pathlib import Path

import geopandas as gpd
import libpysal
import numpy as np
import pandas as pd
import pytest
import shapely
from libpysal.graph import Graph
from scipy.spatial import Voronoi

from spatial_de.datasets.provinces import load_provinces
from spatial_de.errors import BoundaryError, BoundaryWarning, IslandError, OptionError
from spatial_de.weights import shared_borders
from spatial_de.weights.contiguity import contiguity

KNOWN = pd.read_csv(Path(__file__).parents[1] / "golden" / "boundaries" / "known_adjacency.csv")


@pytest.fixture(scope="module")
def provinces():
    return load_provinces()


@pytest.fixture(scope="module")
def mainland(provinces):
    return provinces[provinces["region"] != "none"]


def borders(w):
    edges = w.to_edges()
    return {frozenset(pair) for pair in zip(edges["focal"], edges["neighbor"], strict=True)}


def grid(rows, columns):
    cells = [shapely.box(i, j, i + 1, j + 1) for i in range(rows) for j in range(columns)]
    return gpd.GeoDataFrame(geometry=cells, index=[f"c{k:03d}" for k in range(rows * columns)])


def tessellation(n, seed):
    """Voronoi cells of a unit square: irregular, complete, sharing vertices exactly."""
    rng = np.random.default_rng(seed)
    inner = rng.uniform(size=(n, 2))
    mirrored = [inner * s + o for s, o in (((-1, 1), (0, 0)), ((1, -1), (0, 0)), ((-1, 1), (2, 0)), ((1, -1), (0, 2)))]
    diagram = Voronoi(np.vstack([inner, *mirrored]))
    cells = [shapely.Polygon(diagram.vertices[diagram.regions[r]]) for r in diagram.point_region[:n]]
    return gpd.GeoDataFrame(geometry=cells, index=[f"v{k:04d}" for k in range(n)])


def test_the_bundled_layer_has_exactly_the_known_68_land_borders(mainland):
    land = KNOWN[KNOWN["kind"] == "land"]
    known = {frozenset(pair) for pair in zip(land["a"], land["b"], strict=True)}
    assert len(known) == 68
    w = contiguity(mainland, islands="keep")
    assert borders(w) == known
    assert list(w.islands) == ["HI"]


def test_hainan_is_linked_with_guangdong_and_named(mainland):
    w = contiguity(mainland, islands="nearest")
    assert w.provenance.notes == ("HI -> GD (nearest)",)
    assert list(w.neighbors("HI").index) == ["GD"]
    assert "HI" in w.neighbors("GD").index
    assert len(borders(w)) == 69


def test_islands_are_an_error_that_names_them(mainland):
    with pytest.raises(IslandError, match=r"1 unit without neighbours: 'HI'\. Pass islands='nearest'"):
        contiguity(mainland)


@pytest.mark.parametrize("rule", ["queen", "rook"])
@pytest.mark.parametrize("layer", ["columbus", "us48", "mexico", "grid", "voronoi", "holes"])
def test_links_are_those_of_libpysal(layer, rule):
    frame = {
        "columbus": lambda: gpd.read_file(libpysal.examples.get_path("columbus.shp")),
        "us48": lambda: gpd.read_file(libpysal.examples.get_path("us48.shp")),
        "mexico": lambda: gpd.read_file(libpysal.examples.get_path("mexicojoin.shp")),
        "grid": lambda: grid(7, 9),
        "voronoi": lambda: tessellation(500, 1),
        "holes": lambda: gpd.GeoDataFrame(
            geometry=[
                shapely.box(0, 0, 3, 3).difference(shapely.box(1, 1, 2, 2)),
                shapely.box(1, 1, 2, 2),
                shapely.MultiPolygon([shapely.box(3, 0, 4, 3), shapely.box(-1, 0, 0, 3)]),
            ]
        ),
    }[layer]()
    expected = Graph.build_contiguity(frame, rook=rule == "rook", strict=layer in {"columbus", "holes", "mexico"})
    ours = contiguity(frame, rule=rule, islands="keep", snap=0)
    theirs = expected.adjacency[expected.adjacency > 0]
    links = ours.raw.tocoo()
    mine = set(zip(ours.ids[links.coords[0]], ours.ids[links.coords[1]], strict=True))
    assert mine == set(theirs.index)


@pytest.mark.parametrize("rule", ["queen", "rook"])
def test_a_gap_is_bridged_and_reported(rule):
    cells = grid(3, 3)
    cells.geometry = [
        shapely.affinity.translate(shape, 1e-7 * (name == "c004"), 0)
        for name, shape in zip(cells.index, cells.geometry, strict=True)
    ]
    with pytest.warns(BoundaryWarning, match="borders found by snapping"):
        w = contiguity(cells, rule=rule)
    assert w.n_links == {"queen": 40, "rook": 24}[rule]
    assert any("snapping" in note for note in w.provenance.notes)
    assert contiguity(cells, rule=rule, snap=0, islands="keep").n_links < w.n_links


@pytest.mark.parametrize("rule", ["queen", "rook"])
def test_a_t_junction_is_a_border(rule):
    cells = gpd.GeoDataFrame(
        geometry=[shapely.box(0, 0, 2, 2), shapely.box(2, 0, 3, 1), shapely.box(2, 1, 3, 2)], index=list("abc")
    )
    if rule == "queen":  # the corners are shared vertices
        w = contiguity(cells)
    else:
        with pytest.warns(BoundaryWarning, match=r"2 borders found by snapping"):
            w = contiguity(cells, rule="rook")
    assert borders(w) == {frozenset("ab"), frozenset("ac"), frozenset("bc")}


def test_a_corner_on_a_side_is_queen_but_not_rook():
    cells = gpd.GeoDataFrame(
        geometry=[shapely.box(0, 0, 2, 2), shapely.Polygon([(2, 1), (3, 0.5), (3, 1.5)])], index=list("ab")
    )
    with pytest.warns(BoundaryWarning):
        assert contiguity(cells).n_links == 2
    assert contiguity(cells, rule="rook", islands="keep").n_links == 0


def test_polygons_that_are_clearly_apart_are_not_connected():
    cells = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1), shapely.box(1.0001, 0, 2, 1)], index=list("ab"))
    assert contiguity(cells, islands="keep").n_links == 0


def test_invalid_polygons_are_repaired_and_named():
    cells = grid(3, 3)
    shapes = list(cells.geometry)
    shapes[0] = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    cells.geometry = shapes
    with pytest.warns(BoundaryWarning, match=r"Invalid polygons were repaired: 'c000'"):
        assert contiguity(cells).n_links == 40


@pytest.mark.parametrize("empty", [None, shapely.Polygon()])
def test_units_without_geometry_are_named(empty):
    cells = grid(2, 2)
    cells.geometry = [empty, *list(cells.geometry)[1:]]
    with pytest.raises(BoundaryError, match=r"Units without geometry: 'c000'"):
        contiguity(cells)


def test_repeated_units_are_named():
    cells = grid(2, 2)
    cells.index = ["a", "a", "b", "c"]
    with pytest.raises(Exception, match=r"1 label occurs more than once: 'a'"):
        contiguity(cells)


@pytest.mark.parametrize("seed", range(5))
def test_direction_and_start_of_rings_and_extra_vertices_change_nothing(seed):
    cells = tessellation(60, seed)
    rng = np.random.default_rng(seed)
    changed = cells.copy()
    changed.geometry = [_reworked(shape, rng) for shape in cells.geometry]
    dense = changed.copy()
    dense.geometry = shapely.segmentize(changed.geometry.to_numpy(), 1e9)
    for rule in ("queen", "rook"):
        expected = contiguity(cells, rule=rule, snap=0)
        assert borders(contiguity(dense, rule=rule, snap=0)) == borders(expected)
    assert borders(contiguity(cells, rule="rook")) <= borders(contiguity(cells))


def _reworked(shape, rng):
    ring = list(shape.exterior.coords)[:-1]
    shift = int(rng.integers(len(ring)))
    ring = ring[shift:] + ring[:shift]
    return shapely.Polygon(ring[:: 1 if rng.uniform() < 0.5 else -1])


def test_rotation_changes_nothing():
    cells = tessellation(80, 3)
    turned = cells.copy()
    turned.geometry = cells.geometry.rotate(33, origin=(0, 0))
    assert borders(contiguity(turned)) == borders(contiguity(cells))


def test_order_of_polygons_changes_nothing():
    cells = tessellation(80, 4)
    shuffled = cells.sample(frac=1, random_state=0)
    assert contiguity(shuffled).reorder(cells.index) == contiguity(cells)


def test_second_order_is_the_shortest_path_of_two():
    cells = grid(4, 4)
    first = contiguity(cells, rule="rook").raw.toarray() > 0
    paths = (first.astype(int) @ first.astype(int) > 0) & ~first & ~np.eye(16, dtype=bool)
    second = contiguity(cells, rule="rook", order=2)
    assert np.array_equal(second.raw.toarray() > 0, paths)
    both = contiguity(cells, rule="rook", order=2, include_lower_orders=True)
    assert np.array_equal(both.raw.toarray() > 0, paths | first)
    assert both.provenance.rule == "rook contiguity of orders 1 to 2"
    assert set(np.unique(both.raw.data)) == {1.0}


def test_options_are_checked():
    with pytest.raises(OptionError, match=r"rule='quen' is not available.*Did you mean 'queen'\?"):
        contiguity(grid(2, 2), rule="quen")
    with pytest.raises(OptionError, match="order=0"):
        contiguity(grid(2, 2), order=0)


def test_colliding_high_bits_are_put_in_order():
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 50, 4000).astype(np.uint64) + np.uint64(1 << 60)
    order, ranked = shared_borders._sorted(keys)
    assert np.array_equal(ranked, np.sort(keys))
    assert np.array_equal(keys[order], ranked)


def test_repeated_vertices_make_no_border():
    """Rounded coordinates repeat vertices; two polygons that meet in such a corner share a point, not a line."""
    shapes = [
        shapely.Polygon([(0, 0), (1, 0), (1, 1), (1, 1), (0, 1)]),
        shapely.Polygon([(1, 1), (1, 1), (2, 1), (2, 2), (1, 2)]),
    ]
    cells = gpd.GeoDataFrame(geometry=shapes, index=["a", "b"])
    assert contiguity(cells, rule="rook", islands="keep").n_links == 0
    assert contiguity(cells, rule="queen").n_links == 2
    plain = grid(3, 3)
    doubled = plain.set_geometry(
        [shapely.Polygon(np.repeat(shapely.get_coordinates(cell), 2, axis=0)) for cell in plain.geometry]
    )
    for rule in ("rook", "queen"):
        assert borders(contiguity(doubled, rule=rule)) == borders(contiguity(plain, rule=rule))


@pytest.mark.parametrize(
    ("crs", "unit", "origin"), [(32650, 1000.0, (0, 0)), (4326, 0.1, (100, 30)), (4326, 0.1, (165, -40))]
)
def test_an_island_is_linked_with_the_nearest_border_not_the_nearest_vertex(crs, unit, origin):
    boxes = [(0, 0, 100, 10), (0, -10, 100, 0), (48, 30, 52, 34), (52, 30, 56, 34), (49, 12, 51, 14)]
    corners = [unit * np.array(b) + np.tile(origin, 2) for b in boxes]
    shapes = gpd.GeoSeries([shapely.box(*b) for b in corners], crs=crs)
    cells = shapes.to_frame("geometry").set_index(pd.Index(["long", "below", "far1", "far2", "island"]))
    assert contiguity(cells, islands="nearest").provenance.notes == ("island -> long (nearest)",)


@pytest.mark.filterwarnings("ignore:.*found by snapping")
def test_all_polygons_that_meet_in_a_t_junction_touch_the_edge_it_lies_on():
    """The wedge between two neighbours has no unmatched edge of its own."""
    shapes = [
        shapely.Polygon([(0, 0), (2, 0), (2, 1), (0, 1)]),
        shapely.Polygon([(0, 1), (1, 1), (0, 2)]),
        shapely.Polygon([(1, 1), (2, 2), (0, 2)]),
        shapely.Polygon([(1, 1), (2, 1), (2, 2)]),
    ]
    cells = gpd.GeoDataFrame(geometry=shapes, index=["long", "left", "wedge", "right"])
    w = contiguity(cells)
    assert set(w.neighbors("wedge").index) == {"long", "left", "right"}
    assert w.n_links == 12
