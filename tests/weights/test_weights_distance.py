"""Nearest neighbours, inverse distance and bands against brute force, on the plane and on the sphere."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from spatial_de.boundaries import EARTH_RADIUS_KM
from spatial_de.errors import (
    AlignmentError,
    BoundaryError,
    CapacityError,
    IslandError,
    OptionError,
    WeightsError,
    WeightsWarning,
)
from spatial_de.weights import distance_band, inverse_distance, knn, links

N = 60


def message(call, error):
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def points(x, y, crs="EPSG:32650", ids=None):
    return gpd.GeoDataFrame(geometry=gpd.points_from_xy(x, y), index=ids, crs=crs)


def haversine(lon, lat):
    """Great-circle distances, written without any three-dimensional coordinates."""
    lon, lat = np.radians(lon), np.radians(lat)
    a = (
        np.sin((lat[:, None] - lat) / 2) ** 2
        + np.cos(lat)[:, None] * np.cos(lat) * np.sin((lon[:, None] - lon) / 2) ** 2
    )
    return 2.0 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(a, 0, 1)))


def ids(n=N):
    return [f"u{k:03d}" for k in range(n)]


@pytest.fixture(params=["plane", "sphere"])
def case(request):
    """Points and their distances in kilometres by brute force."""
    rng = np.random.default_rng(5)
    if request.param == "plane":
        x, y = rng.uniform(0, 4e5, N), rng.uniform(0, 3e5, N)
        return points(x, y, ids=ids()), np.hypot(x[:, None] - x, y[:, None] - y) / 1000.0
    lon, lat = rng.uniform(-180, 180, N), np.degrees(np.arcsin(rng.uniform(-1, 1, N)))
    return points(lon, lat, "EPSG:4326", ids()), haversine(lon, lat)


def off_diagonal(km):
    return np.where(np.eye(len(km), dtype=bool), np.inf, km)


@pytest.mark.parametrize("k", [1, 4, N - 1])
def test_knn_is_brute_force(case, k):
    gdf, km = case
    expected = np.zeros((N, N))
    np.put_along_axis(expected, off_diagonal(km).argsort(axis=1)[:, :k], 1.0, axis=1)
    w = knn(gdf, k=k)
    np.testing.assert_array_equal(w.raw.toarray(), expected)
    np.testing.assert_allclose(w.sparse.data, 1.0 / k, rtol=1e-15)
    assert w.provenance.notes == ()


@pytest.mark.parametrize("power", [1, 2, 0.5])
@pytest.mark.parametrize("share", [None, 0.4])
def test_inverse_distance_is_brute_force(case, power, share):
    gdf, km = case
    cutoff = None if share is None else share * float(km.max())
    expected = off_diagonal(km) ** -float(power)
    if cutoff is not None:
        expected[km > cutoff] = 0.0
    w = inverse_distance(gdf, power=power, cutoff=cutoff, normalize="none")
    np.testing.assert_allclose(w.sparse.toarray(), expected, rtol=1e-8, atol=0)
    assert w.is_symmetric


@pytest.mark.parametrize(
    ("kernel", "formula"),
    [
        ("uniform", lambda z: 1.0 + 0.0 * z),
        ("triangular", lambda z: 1.0 - z),
        ("quadratic", lambda z: 0.75 * (1.0 - z * z)),
        ("quartic", lambda z: 15 / 16 * (1.0 - z * z) ** 2),
        ("gaussian", lambda z: np.exp(-z * z / 2) / np.sqrt(2 * np.pi)),
    ],
)
def test_band_is_brute_force(case, kernel, formula):
    gdf, km = case
    threshold = 0.35 * float(km.max())
    expected = np.where(off_diagonal(km) <= threshold, formula(km / threshold), 0.0)
    w = distance_band(gdf, threshold=threshold, kernel=kernel, normalize="none", islands="keep")
    np.testing.assert_allclose(w.sparse.toarray(), expected, rtol=1e-7, atol=1e-12)


def test_provenance_names_rule_metric_and_crs(case):
    gdf, _ = case
    metric = "great-circle" if gdf.crs.is_geographic else "projected"
    assert knn(gdf, k=3).provenance.rule == f"3 nearest neighbours by {metric} distance"
    assert knn(gdf, k=1).provenance.rule == f"1 nearest neighbour by {metric} distance"
    w = inverse_distance(gdf, power=2, cutoff=15000)
    assert w.provenance.rule == f"inverse {metric} distance to the power 2, up to 15000 km"
    assert w.provenance.crs == gdf.crs.to_string()
    assert w.normalization == "row"


def test_across_the_date_line_22_km_are_22_km():
    gdf = points([179.9, -179.9, 170.0, -170.0], [0, 0, 0, 0], "EPSG:4326", ["east", "west", "far east", "far west"])
    w = knn(gdf, k=1)
    assert w.neighbors("east").index.tolist() == ["west"]
    assert w.neighbors("west").index.tolist() == ["east"]
    near = inverse_distance(gdf, cutoff=30, islands="keep", normalize="none")
    np.testing.assert_allclose(1.0 / near.neighbors("east")["west"], 0.2 * np.pi / 180 * EARTH_RADIUS_KM, rtol=1e-9)
    assert near.islands.tolist() == ["far east", "far west"]


def test_at_the_poles_all_meridians_meet():
    gdf = points([0, 90, 180, 0], [89.9, 89.9, 89.9, 60], "EPSG:4326", list("abcd"))
    assert distance_band(gdf, threshold=25, islands="keep").islands.tolist() == ["d"]


def test_kilometres_not_degrees_and_not_metres():
    gdf = points([116.4, 117.2], [39.9, 39.1], "EPSG:4326", ["BJ", "TJ"])
    km = 1.0 / inverse_distance(gdf, normalize="none").neighbors("BJ")["TJ"]
    assert 110 < km < 115
    feet = gdf.to_crs("EPSG:2263")  # a system in US feet: far from home, but lengths are converted
    km_per_foot = 0.3048006096012192 / 1000
    expected = km_per_foot * np.hypot(np.diff(feet.geometry.x), np.diff(feet.geometry.y))[0]
    found = 1.0 / inverse_distance(feet, normalize="none").neighbors("BJ")["TJ"]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_polygons_count_by_their_centroids():
    boxes = gpd.GeoDataFrame(
        geometry=[shapely.box(0, 0, 2000, 2000), shapely.box(4000, 0, 5000, 2000)], index=["a", "b"], crs=32650
    )
    assert inverse_distance(boxes, normalize="none").neighbors("a")["b"] == pytest.approx(1 / 3.5)


# --- ties -----------------------------------------------------------------------------------------------------------


def cross(order="abcde"):
    places = {"a": (0, 0), "b": (0, 1000), "c": (1000, 0), "d": (0, -1000), "e": (-1000, 0)}
    return points([places[u][0] for u in order], [places[u][1] for u in order], ids=list(order))


@pytest.mark.parametrize("order", ["abcde", "edcba", "cadbe"])
def test_ties_go_to_the_label_that_sorts_first_and_are_named(order):
    w = knn(cross(order), k=2)
    assert sorted(w.neighbors("a").index) == ["b", "c"]
    assert sorted(w.neighbors("e").index) == ["a", "b"]
    assert w.provenance.notes[0].startswith("equal distances at place 2, the label that sorts first was taken, for ")
    assert set("abcde") == set(w.provenance.notes[0].split(" for ")[1].replace("'", "").split(", "))


def test_all_neighbours_leave_no_tie():
    assert knn(cross(), k=4).provenance.notes == ()


def test_ties_survive_rounding():
    """A grid rotated by an odd angle has the same ties as an upright one."""
    x, y = (part.ravel() for part in np.meshgrid(np.arange(8) * 100.0, np.arange(8) * 100.0))
    c, s = np.cos(0.7), np.sin(0.7)
    upright = knn(points(x, y, ids=ids(64)), k=3)
    turned = knn(points(c * x - s * y + 1e6, s * x + c * y, ids=ids(64)), k=3)
    assert upright == turned
    band = distance_band(points(c * x - s * y, s * x + c * y, ids=ids(64)), threshold=0.1)
    assert band.n_links == 2 * 2 * 8 * 7


def test_units_at_one_place_are_neighbours_of_distance_zero():
    gdf = points([0, 0, 0, 0, 5000], [0, 0, 0, 0, 0], ids=list("edcba"))
    w = knn(gdf, k=2)
    assert sorted(w.neighbors("e").index) == ["b", "c"]
    assert sorted(w.neighbors("b").index) == ["c", "d"]
    assert set(np.diff(w.raw.indptr)) == {2}


def test_numbers_sort_as_numbers():
    w = knn(points([0, 1000, -1000], [0, 0, 0], ids=[1, 10, 9]), k=1)
    assert w.neighbors(1).index.tolist() == [9]


# --- islands ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def outlier():
    return points([0, 1000, 2000, 50_000], [0, 0, 0, 0], ids=["a", "b", "c", "far"])


def test_islands_are_refused_with_the_reach_that_leaves_none(outlier):
    assert message(lambda: distance_band(outlier, threshold=1.5), IslandError) == (
        "1 unit without neighbours: 'far' (threshold=48.1 leaves none alone). Pass islands='nearest' to link each with "
        "its nearest unit, islands='keep' to leave their rows empty, or leave these units out."
    )
    assert "(cutoff=48.1 leaves none alone)" in message(lambda: inverse_distance(outlier, cutoff=1.5), IslandError)
    assert distance_band(outlier, threshold=48.1).islands.empty
    assert not distance_band(outlier, threshold=47.9, islands="keep").islands.empty


def test_the_hint_leaves_none_alone_under_kernels_that_end_at_zero():
    gdf = points([0, 1000], [0, 0], ids=["a", "b"])
    assert "(threshold=1.1 leaves none alone)" in message(
        lambda: distance_band(gdf, threshold=1.0, kernel="triangular"), IslandError
    )
    assert distance_band(gdf, threshold=1.1, kernel="triangular").islands.empty


def test_nearest_names_the_link_and_goes_both_ways(outlier):
    w = distance_band(outlier, threshold=1.5, islands="nearest", normalize="none")
    assert w.provenance.notes == ("far -> c (nearest)",)
    assert w.to_dense().loc["far", "c"] == w.to_dense().loc["c", "far"] == 1.0
    w = inverse_distance(outlier, cutoff=1.5, islands="nearest", normalize="none")
    assert w.to_dense().loc["far", "c"] == w.to_dense().loc["c", "far"] == pytest.approx(1 / 48)
    assert repr(w).splitlines()[-2:] == [
        "  islands        1 island linked with the nearest unit, in both directions",
        "  note           far -> c (nearest)",
    ]


def test_kept_islands_are_named(outlier):
    w = distance_band(outlier, threshold=1.5, islands="keep")
    assert w.islands.tolist() == ["far"]
    assert "  islands        kept, 1 unit without neighbours: 'far'" in repr(w)


# --- bad input ------------------------------------------------------------------------------------------------------


def test_coincident_points_are_named():
    gdf = points([0, 0, 0, 9000], [0, 0, 0, 0], ids=["BJ", "TJ", "HE", "SD"])
    assert message(lambda: inverse_distance(gdf), WeightsError) == (
        "3 pairs of units at the same place: ('BJ', 'TJ'), ('BJ', 'HE'), ('TJ', 'HE'). The inverse of a distance of "
        "zero is infinite; merge these units, move one, or use knn or distance_band."
    )
    assert "3 pairs of units" in message(lambda: inverse_distance(gdf, cutoff=1), WeightsError)


@pytest.mark.parametrize("k", [0, -1, 4, 2.0, True, "2"])
def test_k_must_fit_the_units(k):
    gdf = points([0, 1000, 2000, 3000], [0, 0, 0, 0], ids=list("abcd"))
    assert message(lambda: knn(gdf, k=k), OptionError) == (
        f"k={k!r} must be a whole number from 1 to 3: there are 4 units."
    )


@pytest.mark.parametrize("value", [0, -1, np.nan, np.inf, "5", True, None])
def test_distances_and_powers_are_positive_numbers(value):
    gdf = points([0, 1000], [0, 0], ids=list("ab"))
    assert message(lambda: distance_band(gdf, threshold=value), OptionError) == (
        f"threshold={value!r} must be a positive number of kilometres."
    )
    assert message(lambda: inverse_distance(gdf, power=value), OptionError) == (
        f"power={value!r} must be a positive number."
    )
    if value is not None:
        assert message(lambda: inverse_distance(gdf, cutoff=value), OptionError) == (
            f"cutoff={value!r} must be a positive number of kilometres."
        )


def test_numpy_numbers_are_numbers():
    gdf = points([0, 1000, 2000], [0, 0, 0], ids=list("abc"))
    assert knn(gdf, k=np.int64(1)).n_links == 3
    assert distance_band(gdf, threshold=np.float32(1.5)).n_links == 4


def test_misspelt_options_are_named():
    gdf = points([0, 1000], [0, 0], ids=list("ab"))
    found = message(lambda: distance_band(gdf, threshold=2, kernel="gausian"), OptionError)
    assert found.endswith("Did you mean 'gaussian'?")
    assert "islands='nearst' is not available" in message(
        lambda: distance_band(gdf, threshold=2, islands="nearst"), OptionError
    )


def test_no_coordinate_system_is_refused():
    assert "Distances need a coordinate system" in message(
        lambda: knn(points([0, 1], [0, 1], None), k=1), BoundaryError
    )


def test_geometry_that_is_not_there_is_named():
    gdf = points([0, 1, 2], [0, 1, 2], ids=list("abc"))
    gdf.loc["b", "geometry"] = None
    assert "Units without geometry: 'b'" in message(lambda: knn(gdf, k=1), BoundaryError)
    frame = pd.DataFrame({"x": [1, 2]})
    assert message(lambda: knn(frame, k=1), WeightsError) == (
        "Distances need a GeoDataFrame indexed by unit, got DataFrame."
    )
    assert message(lambda: knn(gdf.loc[["a"]], k=1), WeightsError) == "Weights need at least two units, got 1."


def test_repeated_and_missing_labels_are_named():
    assert message(lambda: knn(points([0, 1, 2], [0, 0, 0], ids=["a", "a", "b"]), k=1), AlignmentError) == (
        "The geometry: 1 label occurs more than once: 'a'. Every unit may occur only once."
    )


def test_memory_is_looked_at_before_it_is_taken(monkeypatch):
    gdf = points(np.arange(20) * 1000.0, np.zeros(20), ids=ids(20))
    monkeypatch.setattr(links, "_TOO_MANY_LINKS", 300)
    assert message(lambda: inverse_distance(gdf), CapacityError) == (
        "The weights would hold 0 million links, about 0.0 GB while building. Pass cutoff= in kilometres to keep near "
        "links only."
    )
    assert inverse_distance(gdf, cutoff=5).n_links == 2 * (19 + 18 + 17 + 16 + 15)
    assert "Choose a smaller distance." in message(lambda: distance_band(gdf, threshold=18), CapacityError)
    monkeypatch.setattr(links, "_MANY_LINKS", 100)
    with pytest.warns(WeightsWarning, match="estimation will be slow"):
        distance_band(gdf, threshold=5)


def test_dense_weights_of_a_hundred_thousand_units_are_refused_at_once():
    gdf = points(np.arange(100_000) * 10.0, np.zeros(100_000))
    found = message(lambda: inverse_distance(gdf), CapacityError)
    assert found.startswith("The weights would hold 10,000 million links, about 480.0 GB while building.")
