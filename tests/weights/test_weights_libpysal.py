"""Agreement with libpysal: its builders, and its W and Graph on the way in and out."""

import warnings

import geopandas as gpd
import libpysal
import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from libpysal.weights import KNN, DistanceBand, Kernel, W, lat2W

from spatial_de.errors import IslandError, OptionError, WeightsError
from spatial_de.weights import distance_band, from_graph, inverse_distance, knn, read

N = 80


@pytest.fixture(scope="module")
def gdf():
    rng = np.random.default_rng(11)
    places = gpd.points_from_xy(rng.uniform(0, 5e5, N), rng.uniform(0, 4e5, N))
    return gpd.GeoDataFrame(geometry=places, index=[f"u{k:03d}" for k in range(N)], crs="EPSG:32650")


def dense(obj):
    """Labelled matrix of a W or a Graph, by their own words."""
    if isinstance(obj, W):
        full, ids = obj.full()
        return pd.DataFrame(full, index=ids, columns=ids)
    edges = obj.adjacency.reset_index()
    table = edges.pivot_table(index="focal", columns="neighbor", values="weight").reindex(
        index=obj.unique_ids, columns=obj.unique_ids
    )
    return table.fillna(0.0)


def same(ours, theirs, **tolerance):
    expected = dense(theirs)
    found = ours.to_dense().loc[expected.index, expected.columns]
    np.testing.assert_allclose(found.to_numpy(), expected.to_numpy(), **({"rtol": 1e-15, "atol": 0} | tolerance))


# --- builders ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 4, 9])
def test_knn(gdf, k):
    same(knn(gdf, k=k, normalize="none"), KNN.from_dataframe(gdf, k=k, use_index=True, silence_warnings=True))
    same(knn(gdf, k=k), Graph.build_knn(gdf, k=k).transform("r"))


def test_distance_band(gdf):
    theirs = DistanceBand.from_dataframe(gdf, 90e3, use_index=True, silence_warnings=True)
    same(distance_band(gdf, threshold=90, normalize="none", islands="keep"), theirs)
    same(distance_band(gdf, threshold=90, islands="keep"), Graph.build_distance_band(gdf, 90e3).transform("r"))


def test_inverse_distance_in_a_band(gdf):
    with np.errstate(divide="ignore"):  # libpysal inverts the distance of each unit to itself
        theirs = DistanceBand.from_dataframe(
            gdf, 120e3, binary=False, alpha=-1.5, use_index=True, silence_warnings=True
        )
    ours = inverse_distance(gdf, power=1.5, cutoff=120, normalize="none")
    expected = dense(theirs) * 1000.0**1.5  # metres there, kilometres here
    np.testing.assert_allclose(ours.to_dense(), expected, rtol=1e-12)


@pytest.mark.parametrize("kernel", ["uniform", "triangular", "quadratic", "quartic", "gaussian"])
def test_kernels(gdf, kernel):
    """libpysal's uniform kernel is 1/2 where ours is 1, and its matrices hold the unit itself."""
    theirs = Kernel.from_dataframe(gdf, bandwidth=110e3, fixed=True, function=kernel, use_index=True)
    expected = dense(theirs) * (2.0 if kernel == "uniform" else 1.0)
    expected = expected.where(~np.eye(N, dtype=bool), 0.0)
    ours = distance_band(gdf, threshold=110, kernel=kernel, normalize="none", islands="keep")
    np.testing.assert_allclose(ours.to_dense().loc[expected.index, expected.columns], expected, rtol=1e-9, atol=1e-12)


# --- round trips -------------------------------------------------------------------------------------------------


@pytest.fixture(params=["columbus.gal", "states48.gal", "mexico.gal", "sids2.gal", "juvenile.gwt"])
def example(request):
    path = libpysal.examples.get_path(request.param)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # open files and a missing .dbf
        return path, libpysal.io.open(path).read()


def test_files_read_as_libpysal_reads_them(example):
    path, theirs = example
    ours = read(path, id_type="integer" if isinstance(theirs.id_order[0], int) else "text")
    assert sorted(ours.ids) == sorted(theirs.id_order)
    if path.endswith("gal"):
        assert ours.ids.tolist() == theirs.id_order
    same(ours, theirs)


@pytest.mark.parametrize("transform", ["O", "R", "B", "D", "V"])
def test_w_in_and_out(example, transform):
    _, theirs = example
    theirs.transform = transform
    before = dense(theirs)
    ours = from_graph(theirs)
    same(ours, theirs)
    back = ours.to_w()
    assert back.id_order == theirs.id_order
    assert back.islands == theirs.islands
    assert back.transform == ("R" if transform == "R" else "O")
    pd.testing.assert_frame_equal(dense(back), before, rtol=1e-15, atol=0)
    assert from_graph(back) == ours
    assert theirs.transform == transform
    pd.testing.assert_frame_equal(dense(theirs), before)


@pytest.mark.parametrize("transform", ["O", "R", "B", "D", "V"])
def test_graph_in_and_out(example, transform):
    _, source = example
    theirs = Graph.from_W(source).transform(transform) if transform != "O" else Graph.from_W(source)
    ours = from_graph(theirs)
    same(ours, theirs)
    back = ours.to_graph()
    pd.testing.assert_index_equal(back.unique_ids, theirs.unique_ids)
    assert back.transformation == ("R" if transform == "R" else "O")
    assert back.n_edges == theirs.n_edges
    pd.testing.assert_frame_equal(dense(back), dense(theirs), rtol=1e-15, atol=0)
    assert from_graph(back) == ours


def test_the_transformation_is_said():
    w = lat2W(3, 3)
    assert from_graph(w).provenance.notes == ()
    assert from_graph(w).normalization == "none"
    w.transform = "R"
    ours = from_graph(w)
    assert ours.normalization == "row"
    assert set(ours.raw.data) == {1.0}
    w.transform = "V"
    assert from_graph(w).provenance.notes == ("libpysal transformation V: variance-stabilised, kept as given",)
    assert from_graph(Graph.from_W(w)).provenance.rule == "libpysal Graph"
    assert from_graph(w, normalize="row").normalization == "row"


def test_islands_survive_and_are_not_silent():
    w = W({"a": ["b"], "b": ["a"], "c": []}, silence_warnings=True)
    expected = (
        "1 unit without neighbours: 'c'. Pass islands='keep' to leave their rows empty, or leave these units out."
    )
    for obj in (w, Graph.from_W(w)):
        with pytest.raises(IslandError) as caught:
            from_graph(obj)
        assert str(caught.value) == expected
        ours = from_graph(obj, islands="keep")
        assert ours.islands.tolist() == ["c"]
        assert ours.to_w().islands == ["c"]
        assert ours.to_graph().isolates.tolist() == ["c"]
        assert ours.normalized("row").to_graph().isolates.tolist() == ["c"]
        with pytest.raises(OptionError, match="islands='nearest' is not available"):
            from_graph(obj, islands="nearest")


def test_integer_and_text_labels_keep_their_type():
    ints = from_graph(lat2W(2, 2))
    assert ints.ids.tolist() == [0, 1, 2, 3]
    assert [type(i) for i in ints.to_w().id_order] == [int] * 4
    assert ints.to_graph().unique_ids.dtype.kind == "i"


def test_labels_that_sort_otherwise_keep_their_order():
    w = W({"z": ["a"], "a": ["m"], "m": ["z"]}, {"z": [1.0], "a": [2.0], "m": [3.0]}, id_order=["z", "a", "m"])
    ours = from_graph(w)
    assert ours.ids.tolist() == ["z", "a", "m"]
    assert ours.to_graph().unique_ids.tolist() == ["z", "a", "m"]
    np.testing.assert_array_equal(ours.to_graph().sparse.toarray(), ours.sparse.toarray())
    np.testing.assert_array_equal(ours.to_w().sparse.toarray(), ours.sparse.toarray())


def test_kernel_weights_with_self_neighbours_are_refused(gdf):
    with pytest.raises(WeightsError, match="A unit is its own neighbour"):
        from_graph(Kernel.from_dataframe(gdf, use_index=True))


def test_negative_weights_need_a_word():
    w = W({"a": ["b"], "b": ["a"]}, {"a": [-1.0], "b": [1.0]})
    with pytest.raises(WeightsError, match=r"1 weight negative at \(focal, neighbor\) \('a', 'b'\)"):
        from_graph(w)
    assert from_graph(w, allow_negative=True).to_dense().loc["a", "b"] == -1


@pytest.mark.parametrize("obj", [None, np.eye(3), {"a": ["b"]}, pd.DataFrame()])
def test_anything_else_is_refused(obj):
    with pytest.raises(WeightsError) as caught:
        from_graph(obj)
    assert str(caught.value) == (
        f"A libpysal Graph or W, or a networkx graph, is needed, got {type(obj).__name__}. For a matrix use "
        "from_matrix(a, ids), for a table of links from_edges(df)."
    )
