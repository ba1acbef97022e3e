"""What must hold for any weights, on random instances."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spatial_de.weights import (
    SpatialWeights,
    distance_band,
    economic,
    from_edges,
    from_graph,
    from_matrix,
    inverse_distance,
    kernel,
    knn,
    read,
)
from spatial_de.weights.normalisation import NORMALIZATIONS

EXAMPLES = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FEW = settings(EXAMPLES, max_examples=50)

labels = st.lists(st.text("abcXYZ海南0123456789", min_size=1, max_size=4), min_size=2, max_size=12, unique=True)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def weights(draw, islands=True):
    ids = draw(st.one_of(labels, st.lists(st.integers(-5, 10**6), min_size=2, max_size=12, unique=True)))
    rng = np.random.default_rng(draw(seeds))
    n = len(ids)
    dense = rng.gamma(1.0, size=(n, n)) * (rng.random((n, n)) < draw(st.sampled_from([0.2, 0.6, 1.0])))
    np.fill_diagonal(dense, 0.0)
    alone = np.flatnonzero(dense.sum(axis=1) == 0)
    if not islands or not dense.any():
        dense[alone, (alone + 1) % n] = 1.0
    kind = draw(st.sampled_from(["none", "row", "minmax"]))
    return SpatialWeights(dense, ids, normalization=kind)


@st.composite
def places(draw, geographic=None):
    """Random points; on the sphere they reach over the date line and to the poles."""
    rng = np.random.default_rng(draw(seeds))
    n = draw(st.integers(4, 25))
    ids = [f"u{k}" for k in rng.permutation(n)]
    if draw(st.booleans()) if geographic is None else geographic:
        lon, lat = rng.uniform(-180, 180, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
        return gpd.GeoDataFrame(geometry=gpd.points_from_xy(lon, lat), index=ids, crs="EPSG:4326")
    xy = rng.uniform(0, 1e6, (n, 2))
    return gpd.GeoDataFrame(geometry=gpd.points_from_xy(*xy.T), index=ids, crs="EPSG:32650")


BUILDERS = {
    "knn": lambda gdf: knn(gdf, k=3, normalize="none"),
    "inverse distance": lambda gdf: inverse_distance(gdf, power=1.5, normalize="none"),
    "cut": lambda gdf: inverse_distance(gdf, cutoff=400, islands="nearest", normalize="none"),
    "band": lambda gdf: distance_band(gdf, threshold=400, islands="nearest", normalize="none"),
    "kernel": lambda gdf: distance_band(gdf, threshold=400, kernel="quartic", islands="keep", normalize="none"),
    "kernel of pairs": lambda gdf: kernel(gdf, bandwidth=400, function="bisquare"),
}
builders = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS.keys())


def same(found, expected, rtol=1e-12):
    a, b = found.to_dense(), expected.to_dense()
    np.testing.assert_allclose(a.loc[b.index, b.columns], b, rtol=rtol, atol=0)


@builders
@FEW
@given(gdf=places(), seed=seeds)
def test_order_of_rows_does_not_matter(build, gdf, seed):
    same(build(gdf.sample(frac=1, random_state=seed)), build(gdf))


@builders
@FEW
@given(gdf=places(geographic=False), angle=st.floats(-4, 4), dx=st.floats(-1e6, 1e6), dy=st.floats(-1e6, 1e6))
def test_rotation_and_translation_do_not_matter(build, gdf, angle, dx, dy):
    x, y = gdf.geometry.x.to_numpy(), gdf.geometry.y.to_numpy()
    c, s = np.cos(angle), np.sin(angle)
    moved = gdf.set_geometry(gpd.points_from_xy(c * x - s * y + dx, s * x + c * y + dy), crs=gdf.crs)
    same(build(moved), build(gdf), rtol=1e-6)


@builders
@FEW
@given(gdf=places(geographic=True), shift=st.floats(-360, 360))
def test_turning_the_globe_does_not_matter(build, gdf, shift):
    lon = (gdf.geometry.x.to_numpy() + shift + 180) % 360 - 180
    turned = gdf.set_geometry(gpd.points_from_xy(lon, gdf.geometry.y), crs=gdf.crs)
    same(build(turned), build(gdf), rtol=1e-6)


@FEW
@given(gdf=places(geographic=False), factor=st.floats(0.01, 100))
def test_scaling_distances_scales_the_band(gdf, factor):
    x, y = gdf.geometry.x.to_numpy(), gdf.geometry.y.to_numpy()
    larger = gdf.set_geometry(gpd.points_from_xy(factor * x, factor * y), crs=gdf.crs)
    same(
        distance_band(larger, threshold=400 * factor, islands="keep"), distance_band(gdf, threshold=400, islands="keep")
    )
    same(knn(larger, k=3), knn(gdf, k=3))
    same(inverse_distance(larger, power=2), inverse_distance(gdf, power=2), rtol=1e-9)


@EXAMPLES
@given(gdf=places(), data=st.data())
def test_knn_has_exactly_k_neighbours(gdf, data):
    k = data.draw(st.integers(1, len(gdf) - 1))
    w = knn(gdf, k=k)
    assert set(np.diff(w.raw.indptr)) == {k}
    assert w.islands.empty
    assert w.is_row_stochastic
    assert knn(gdf, k=len(gdf) - 1).is_uniform


@EXAMPLES
@given(gdf=places())
def test_distances_are_symmetric_before_normalisation(gdf):
    for name in ("inverse distance", "cut", "band", "kernel", "kernel of pairs"):
        raw = BUILDERS[name](gdf).raw
        assert (raw != raw.T).nnz == 0


@EXAMPLES
@given(gdf=places(), near=st.floats(50, 3000), far=st.floats(1, 4))
def test_a_wider_band_holds_the_narrower_one(gdf, near, far):
    narrow = distance_band(gdf, threshold=near, islands="keep", normalize="none").raw
    wide = distance_band(gdf, threshold=near * far, islands="keep", normalize="none").raw
    assert (narrow > wide).nnz == 0


@EXAMPLES
@given(values=st.dictionaries(st.text("abcd", min_size=1), st.integers(1, 10**6), min_size=2, max_size=15), seed=seeds)
def test_economic_distance_by_label(values, seed):
    series = pd.Series(values, name="gdp").drop_duplicates().astype(float)
    if len(series) < 2:
        return
    w = economic(series, normalize="none")
    same(economic(series.sample(frac=1, random_state=seed), normalize="none"), w)
    same(economic(series + 7e5, normalize="none"), w, rtol=1e-9)
    assert w.is_symmetric
    assert economic(series).is_row_stochastic


@EXAMPLES
@given(w=weights())
def test_links_bring_the_weights_back(w):
    assert from_edges(w.to_edges(), ids=w.ids, islands="keep") == w


@EXAMPLES
@given(w=weights(islands=False), seed=seeds)
def test_links_in_any_order_bring_the_weights_back(w, seed):
    assert from_edges(w.to_edges()) == w
    shuffled = w.to_edges().sample(frac=1, random_state=seed)
    assert from_edges(shuffled).reorder(w.ids) == w


@EXAMPLES
@given(w=weights(), seed=seeds)
def test_matrices_bring_the_weights_back(w, seed):
    assert from_matrix(w.to_dense(), islands="keep") == w
    assert from_matrix(w.sparse, w.ids, islands="keep") == w
    rng = np.random.default_rng(seed)
    table = w.to_dense().iloc[rng.permutation(w.n), rng.permutation(w.n)]
    assert from_matrix(table, ids=w.ids, islands="keep") == w


@EXAMPLES
@given(w=weights())
def test_dictionaries_bring_the_weights_back(w):
    again = SpatialWeights.from_dict(w.to_dict())
    assert again == w
    assert again.provenance == w.provenance
    for kind in NORMALIZATIONS[:2]:
        assert again.normalized(kind) == w.normalized(kind)


@EXAMPLES
@given(w=weights())
def test_libpysal_brings_the_weights_back(w):
    for obj in (w.to_graph(), w.to_w()):
        again = from_graph(obj, islands="keep")
        assert again == w
        assert (again.normalization == "row") == (w.normalization == "row")
        assert again.islands.equals(w.islands)


@pytest.mark.parametrize("suffix", ["npz", "csv", "parquet", "dta"])
@FEW
@given(w=weights())
def test_files_bring_the_weights_back(tmp_path_factory, suffix, w):
    file = tmp_path_factory.mktemp("w") / f"w.{suffix}"
    kind = "integer" if w.ids.inferred_type == "integer" else "text"
    assert read(w.write(file), islands="keep", id_type=kind) == w


@EXAMPLES
@given(w=weights(), seed=seeds)
def test_lags_meet_by_label_in_any_order(w, seed):
    rng = np.random.default_rng(seed)
    x = pd.Series(rng.normal(size=w.n), index=w.ids)
    order = w.ids[rng.permutation(w.n)]
    expected = pd.Series(w.to_dense().to_numpy() @ x.to_numpy(), index=w.ids)
    pd.testing.assert_series_equal(w.lag(x), expected, rtol=1e-12)
    pd.testing.assert_series_equal(w.reorder(order).lag(x), w.lag(x), rtol=1e-12)
    pd.testing.assert_series_equal(w.lag(x[order]).loc[w.ids], w.lag(x), rtol=1e-12)


@EXAMPLES
@given(w=weights(), seed=seeds)
def test_reordering_and_back_changes_no_bit(w, seed):
    order = w.ids[np.random.default_rng(seed).permutation(w.n)]
    assert w.reorder(order).normalized("none").reorder(w.ids).raw.toarray().tolist() == w.raw.toarray().tolist()
    same(w.reorder(order), w)
