"""Nested, multiplied and directed weights, gravity, flows, costs, borders, higher orders, by their definitions."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
from shapely.affinity import scale
from shapely.geometry import Polygon, box

import spatial_de as sde
from spatial_de.errors import (
    AlignmentError,
    BoundaryWarning,
    DataError,
    EndogenousWeightsWarning,
    IslandError,
    OptionError,
    WeightsError,
    WeightsWarning,
)
from spatial_de.weights import (
    SpatialWeights,
    border_length,
    by_time,
    contiguity,
    cost,
    directed,
    economic,
    flows,
    gravity,
    higher_order,
    inverse_distance,
    knn,
    nested,
    pre_sample_mean,
    product,
)

IDS = ["a", "b", "c", "d", "e", "f"]
WEALTH = pd.Series([3.0, 1.0, 2.0, 7.0, 9.0, 2.0], index=IDS, name="gdp")


@pytest.fixture
def grid():
    """Six squares of 100 km in two rows: a b c above d e f."""
    cells = [box(x, y, x + 1e5, y + 1e5) for y in (1e5, 0) for x in (0, 1e5, 2e5)]
    return gpd.GeoDataFrame(geometry=cells, index=IDS, crs="EPSG:32650")


def test_nested_is_the_convex_combination_by_label(grid):
    geography, economy = contiguity(grid), economic(WEALTH.replace({2.0: 4.0}) + np.arange(6) / 8)
    shuffled = economy.reorder(IDS[::-1])
    w = nested(geography, shuffled, share=0.3)
    expected = 0.3 * geography.to_dense() + 0.7 * economy.to_dense()
    np.testing.assert_allclose(w.to_dense(), expected, rtol=1e-14)
    assert w.ids.tolist() == IDS
    assert w.provenance.variables == ("gdp",)
    assert "0.3 x (queen contiguity of order 1) + 0.7 x (inverse absolute" in w.provenance.rule
    assert nested(geography, economy, share=1.0) == geography
    assert nested(geography, economy, share=0.0) == economy


def test_product_keeps_links_that_both_have(grid):
    geography, economy = contiguity(grid), economic(WEALTH + np.arange(6) / 10)
    w = product(geography, economy, normalize="none")
    np.testing.assert_allclose(w.to_dense(), geography.raw.toarray() * economy.raw.toarray(), rtol=1e-14)
    assert w.n_links == geography.n_links
    alone = SpatialWeights(np.diag(np.ones(5), 1) + np.diag(np.ones(5), -1), IDS)
    other = SpatialWeights(np.diag(np.ones(4), 2) + np.diag(np.ones(4), -2), IDS)
    with pytest.raises(IslandError, match="'a'"):
        product(alone, other)


@pytest.mark.parametrize("combine", [nested, product])
def test_units_must_be_the_same(grid, combine):
    other = economic(WEALTH.drop(["c", "d"]))
    with pytest.raises(AlignmentError, match="'c'"):
        combine(contiguity(grid), other)


@pytest.mark.parametrize("share", [-0.1, 1.1, "half", True, np.nan])
def test_a_share_is_a_share(grid, share):
    with pytest.raises(OptionError, match="share"):
        nested(contiguity(grid), contiguity(grid), share=share)


def test_nested_warns_of_scales_that_cannot_be_compared(grid):
    distance = inverse_distance(grid, normalize="none")
    with pytest.warns(WeightsWarning, match=r"inverse .* are not normalised"):
        nested(contiguity(grid), distance)
    given = SpatialWeights(contiguity(grid).sparse, IDS)  # rows add up to one: no warning
    assert nested(given, distance.normalized("minmax")).n_links == 30


@pytest.mark.parametrize("flow", ["richer-to-poorer", "poorer-to-richer"])
def test_directed_keeps_who_is_ahead(grid, flow):
    base = contiguity(grid, normalize="none")
    w = directed(base, WEALTH.sample(frac=1, random_state=1), flow=flow, normalize="none")
    v = WEALTH.to_numpy()
    ahead = v[None, :] > v[:, None] if flow == "richer-to-poorer" else v[None, :] < v[:, None]
    np.testing.assert_array_equal(w.to_dense(), base.to_dense() * ahead)
    assert "2 links between units with equal 'gdp' left out" in w.provenance.notes
    assert w.provenance.variables == ("gdp",)


def test_directed_parts_add_up_to_the_whole_but_for_ties(grid):
    base = contiguity(grid, normalize="none")
    down, up = (directed(base, WEALTH, flow=f, normalize="none") for f in ("richer-to-poorer", "poorer-to-richer"))
    lost = (base.raw - down.raw - up.raw).toarray()
    tied = WEALTH.to_numpy()[:, None] == WEALTH.to_numpy()
    np.testing.assert_array_equal(lost != 0, base.raw.toarray().astype(bool) & tied)
    assert list(down.islands) == ["e"]
    with pytest.raises(IslandError, match="'e'"):
        directed(base, WEALTH, islands="error")
    with pytest.raises(OptionError, match="flow"):
        directed(base, WEALTH, flow="down")


def test_gravity_is_mass_times_mass_over_distance(grid):
    w = gravity(grid, WEALTH, power=2, normalize="none")
    xy = np.column_stack([grid.centroid.x, grid.centroid.y]) / 1000
    d = np.linalg.norm(xy[:, None] - xy, axis=2)
    np.fill_diagonal(d, np.inf)
    m = WEALTH.to_numpy() / np.exp(np.log(WEALTH.to_numpy()).mean())
    np.testing.assert_allclose(w.to_dense(), m[:, None] * m / d**2, rtol=1e-12)
    rows = gravity(grid, WEALTH).to_dense().to_numpy()
    expected = WEALTH.to_numpy() / d**2
    np.testing.assert_allclose(rows, expected / expected.sum(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(gravity(grid, 1e200 * WEALTH).to_dense(), rows, rtol=1e-12)
    with pytest.raises(DataError, match="'b'"):
        gravity(grid, WEALTH.replace(1.0, 0.0))
    with pytest.raises(AlignmentError, match="'f'"):
        gravity(grid, WEALTH.drop("f"))
    assert gravity(grid, WEALTH, cutoff=120).n_links == contiguity(grid, rule="rook").n_links


MOVES = pd.DataFrame(
    {"origin": ["a", "b", "b", "c", "a"], "destination": ["b", "a", "c", "a", "c"], "flow": [5.0, 1.0, 2.0, 4.0, 0.0]}
)


def test_flows_in_each_direction():
    dense = np.array([[0, 5.0, 0], [1.0, 0, 2.0], [4.0, 0, 0]])  # from row to column
    found = {d: flows(MOVES, direction=d, normalize="none").to_dense() for d in ("sent", "received", "both")}
    for direction, expected in (("sent", dense), ("received", dense.T), ("both", dense + dense.T)):
        np.testing.assert_array_equal(found[direction].loc[list("abc"), list("abc")], expected)
    assert flows(MOVES).normalization == "row"


def test_flows_of_a_unit_to_itself_are_a_decision():
    moves = pd.concat([MOVES, pd.DataFrame({"origin": ["b"], "destination": ["b"], "flow": [9.0]})])
    with pytest.raises(WeightsError, match=r"'b'.*within='drop'"):
        flows(moves)
    w = flows(moves, within="drop", normalize="none")
    np.testing.assert_array_equal(w.to_dense(), flows(MOVES, normalize="none").to_dense())
    assert "1 flow of units to themselves left out" in w.provenance.notes


def test_bad_flows_are_named():
    with pytest.raises(WeightsError, match="people"):
        flows(MOVES, flow="people")
    with pytest.raises(WeightsError):
        flows(MOVES.assign(flow=[5.0, -1.0, 2.0, 4.0, 1.0]))
    with pytest.raises(IslandError, match="'d'"):
        flows(MOVES, ids=list("abcd"))
    assert list(flows(MOVES, ids=list("abcd"), islands="keep").islands) == ["d"]


def test_flows_over_times_are_added_up():
    late = pd.DataFrame({"origin": ["a", "c"], "destination": ["b", "b"], "flow": [2.0, 3.0], "year": 2011})
    moves = pd.concat([MOVES.assign(year=2009), late]).sample(frac=1, random_state=0)
    w = flows(moves, time="year", direction="sent", normalize="none", ids=list("abc"))
    np.testing.assert_array_equal(w.to_dense(), [[0, 7.0, 0], [1.0, 0, 2.0], [4.0, 3.0, 0]])
    assert w.provenance.times == (2009, 2011)
    assert w.provenance.rule.endswith("added up over 2009 to 2011")
    with pytest.raises(WeightsError, match=r"\('a', 'b'\).*time="):
        flows(moves)
    for bad in (np.nan, -1.0, np.inf):
        with pytest.raises(WeightsError, match=r"1 row of flows.*\('c', 'b', 2011\)"):
            flows(moves.assign(flow=moves["flow"].mask(moves["flow"] == 3.0, bad)), time="year")
    with pytest.raises(WeightsError, match="text"):
        flows(moves.assign(flow="3"), time="year")
    with pytest.raises(WeightsError, match="missing label"):
        flows(moves.assign(origin=moves["origin"].replace("b", None)), time="year")


def test_a_pair_listed_twice_is_refused_also_with_a_flow_of_zero():
    again = pd.DataFrame({"origin": ["a"], "destination": ["b"], "flow": [0.0]})
    with pytest.raises(WeightsError, match=r"listed more than once.*\('a', 'b'\)"):
        flows(pd.concat([MOVES, again]))
    with pytest.raises(WeightsError, match="Series"):
        flows(MOVES["flow"])


def test_costs_of_any_kind():
    rng = np.random.default_rng(0)
    c = pd.DataFrame(rng.uniform(1, 9, (4, 4)), index=list("abcd"), columns=list("abcd"))
    c.loc["a", "d"] = np.inf
    shuffled = c[list("dbca")]
    off = 1.0 - np.eye(4)
    np.testing.assert_allclose(cost(shuffled, power=2, normalize="none").to_dense(), c**-2.0 * off, rtol=1e-14)
    np.testing.assert_allclose(
        cost(c, decay="exponential", scale=3, normalize="none").to_dense(), np.exp(-c / 3) * off, rtol=1e-14
    )
    near = cost(c, cutoff=5, normalize="none", islands="keep").to_dense()
    np.testing.assert_allclose(near, (c**-1.0).where(c <= 5, 0.0) * off, rtol=1e-14)
    with pytest.raises(OptionError, match="scale"):
        cost(c, decay="exponential")
    for bad in (np.nan, -1.0, 0.0):
        with pytest.raises(WeightsError, match=r"\('b', 'c'\)"):
            cost(c.mask((c.index.to_numpy()[:, None] == "b") & (c.columns.to_numpy() == "c"), bad))
    with pytest.raises(WeightsError, match="numbers: could not convert"):
        cost(c.astype(object).replace(np.inf, "far"))
    with pytest.raises(AlignmentError):
        cost(c.rename(columns={"a": "z"}))


def test_borders_in_kilometres(grid):
    w = border_length(grid, normalize="none").to_dense()
    assert w.loc["a", "b"] == pytest.approx(100.0)
    assert w.loc["a", "d"] == pytest.approx(100.0)
    assert w.loc["a", "e"] == 0.0  # a corner is no border
    wide = grid.copy()
    wide.loc["b", "geometry"] = box(1e5, 1e5, 3e5, 2e5)
    wide = wide.drop("c")
    with pytest.warns(BoundaryWarning, match="snapping"):
        w = border_length(wide, normalize="none").to_dense()
    assert w.loc["b", "e"] == pytest.approx(100.0)
    assert w.loc["b", "f"] == pytest.approx(100.0)
    rows = border_length(grid).to_dense()
    assert rows.loc["e", "b"] == pytest.approx(1 / 3)


def test_borders_in_degrees_are_those_of_the_globe():
    cells = [box(10, 60, 11, 61), box(11, 60, 12, 61), box(10, 61, 11, 62)]
    gdf = gpd.GeoDataFrame(geometry=cells, index=list("abc"), crs="EPSG:4326")
    w = border_length(gdf, normalize="none").to_dense()
    degree = 6371.0088 * np.pi / 180
    assert w.loc["a", "b"] == pytest.approx(degree, rel=1e-12)
    assert w.loc["a", "c"] == pytest.approx(degree * np.cos(np.radians(61)), rel=1e-4)  # a parallel is no great circle


def test_borders_of_provinces_do_not_depend_on_the_order_and_are_as_long_as_geodesics():
    provinces = sde.datasets.load_provinces()
    w = border_length(provinces, islands="keep", normalize="none")
    again = border_length(provinces.iloc[::-1], islands="keep", normalize="none").to_dense()
    np.testing.assert_allclose(again.loc[w.ids, w.ids], w.to_dense(), rtol=1e-9, atol=1e-9)
    geod = pyproj.Geod(a=6371008.8, b=6371008.8)
    shapes = provinces.geometry
    for (i, j), km in w.to_edges().set_index(["focal", "neighbor"])["weight"].iloc[::15].items():
        line = shapes[i].boundary.intersection(shapes[j].boundary)
        assert km == pytest.approx(geod.geometry_length(line) / 1000, rel=1e-9)


@pytest.mark.parametrize("size", [1.0, 1e5])
def test_a_slanted_border_counts_where_one_side_has_more_vertices(size):
    """The border leads from (0, 0) over (1, 3) to (2, 3); on its slanted part b has two vertices that a lacks."""
    between = [(1 / 3 + 1e-13, 1.0), (0.7 + 1e-13, 2.1)]
    a = Polygon([(0, 0), (1, 3), (2, 3), (2, 5), (-3, 5), (-3, 0)])
    b = Polygon([(0, 0), *between, (1, 3), (2, 3), (4, 3), (4, 0)])
    gdf = gpd.GeoDataFrame(geometry=[scale(s, size, size, origin=(0, 0)) for s in (a, b)], index=["a", "b"], crs=32650)
    for rows in (gdf, gdf.iloc[::-1]):
        w = border_length(rows, normalize="none").to_dense()
        assert w.loc["a", "b"] == pytest.approx(size / 1000 * (1 + np.sqrt(10)), rel=1e-5)
        assert w.loc["b", "a"] == w.loc["a", "b"]


def test_an_island_gets_a_typical_border(grid):
    moved = grid.copy()
    moved.loc["f", "geometry"] = box(9e5, 0, 1e6, 1e5)
    with pytest.raises(IslandError, match="'f'"):
        border_length(moved)
    with pytest.warns(WeightsWarning, match="median length of 100 km"):
        w = border_length(moved, islands="nearest", normalize="none")
    assert w.to_dense().loc["f"].sum() == pytest.approx(100.0)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("lower", [False, True])
def test_higher_orders_as_libpysal(grid, order, lower):
    w = contiguity(grid, rule="rook")
    found = higher_order(w, order, include_lower_orders=lower, normalize="none").to_dense().to_numpy()
    if order == 1:
        np.testing.assert_array_equal(found, w.raw.toarray())
        return
    expected = w.to_graph().higher_order(order, lower_order=lower).sparse.toarray()
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(
        found, contiguity(grid, rule="rook", order=order, include_lower_orders=lower, islands="keep").raw.toarray()
    )


def test_higher_order_of_directed_links_follows_them():
    ring = SpatialWeights(np.roll(np.eye(5), 1, axis=1), list("abcde"))
    np.testing.assert_array_equal(higher_order(ring, 2, normalize="none").to_dense(), np.roll(np.eye(5), 2, axis=1))
    with pytest.raises(OptionError, match="order"):
        higher_order(ring, 0)


def panel_variable():
    index = pd.MultiIndex.from_product([IDS, range(2008, 2014)], names=["unit", "year"])
    rng = np.random.default_rng(2)
    return pd.Series(rng.uniform(1, 9, len(index)), index=index, name="gdp")


def test_means_from_before_the_sample():
    x = panel_variable()
    found = pre_sample_mean(x.sample(frac=1, random_state=0), before=2011)
    expected = x[x.index.get_level_values("year") < 2011].groupby(level=0).mean()
    pd.testing.assert_series_equal(found.loc[IDS], expected.loc[IDS], check_names=False, check_exact=False)
    w = economic(found)
    assert w.provenance.times == (2008, 2009, 2010)
    assert "averaged over 2008 to 2010" in w.provenance.rule
    assert SpatialWeights.from_dict(w.to_dict()).provenance == w.provenance
    with pytest.raises(DataError, match="begins with"):
        pre_sample_mean(x, before=2008)
    with pytest.raises(DataError, match="panel variable"):
        pre_sample_mean(WEALTH, before=2011)


def test_fit_warns_of_weights_from_the_sample(grid):
    x = panel_variable()
    frame = x[x.index.get_level_values("year") >= 2011].reset_index()
    rng = np.random.default_rng(3)
    frame["y"], frame["z"] = rng.normal(size=(2, len(frame)))
    panel = sde.Panel(frame, unit="unit", time="year")
    inside = economic(panel["gdp"])
    with pytest.warns(EndogenousWeightsWarning, match="'gdp' of times in the sample.*pre_sample_mean"):
        sde.fit("y ~ z", panel, inside, model="sar")
    with pytest.warns(EndogenousWeightsWarning, match="'gdp', which.*though these are values from before the sample"):
        sde.fit("gdp ~ z", panel, economic(pre_sample_mean(x, before=2011)), model="sar")
    with pytest.warns(EndogenousWeightsWarning, match="'gdp', which.*Use another variable, or values from before"):
        sde.fit("gdp ~ z", panel, inside, model="sar")
    with pytest.warns(EndogenousWeightsWarning) as caught:
        sde.fit("y ~ z", panel, by_time(economic, panel["gdp"]), model="sar")
    assert len(caught) == 1
    sde.fit("y ~ z", panel, economic(pre_sample_mean(x, before=2011)), model="sar")  # warnings are errors here
    moves = pd.DataFrame({"origin": IDS, "destination": IDS[1:] + IDS[:1], "flow": 1.0, "year": 2012})
    with pytest.warns(EndogenousWeightsWarning, match="'flow' of times in the sample"):
        sde.fit("y ~ z", panel, flows(moves, time="year"), model="sar")
    sde.fit("y ~ z", panel, flows(moves.assign(year=2010), time="year"), model="sar")
    mixed = nested(contiguity(grid), inside)
    with pytest.warns(EndogenousWeightsWarning, match="times in the sample"):
        sde.fit("y ~ z", panel, mixed, model="sar")


@pytest.mark.parametrize("build", [gravity, lambda g, v: directed(contiguity(g), v)])
def test_bad_values_are_refused_by_unit(grid, build):
    twice = pd.concat([WEALTH, WEALTH.loc[["c"]]])
    with pytest.raises(AlignmentError, match="'c'"):
        build(grid, twice)
    for bad in (np.nan, np.inf):
        with pytest.raises(DataError, match="'gdp' is missing or infinite at 'd'"):
            build(grid, WEALTH.mask(WEALTH == 7.0, bad))
    with pytest.raises(AlignmentError, match="'e'"):
        build(grid, WEALTH.drop("e"))
    with pytest.raises(DataError, match="must hold numbers"):
        build(grid, WEALTH.astype(str))


def test_means_before_the_sample_need_all_units_at_all_times():
    x = panel_variable()
    with pytest.raises(DataError, match=r"different times: 1 unit.*'b'"):
        pre_sample_mean(x.drop(("b", 2009)), before=2011)
    with pytest.raises(DataError, match="more than once"):
        pre_sample_mean(pd.concat([x, x.iloc[:1]]), before=2011)


def test_nested_weights_of_each_time(grid):
    x = panel_variable()
    found = by_time(lambda v: nested(contiguity(grid), economic(v), share=0.4), x)
    now = economic(x.xs(2012, level="year")).to_dense().loc[IDS, IDS]
    np.testing.assert_allclose(found[2012].to_dense(), 0.4 * contiguity(grid).to_dense() + 0.6 * now, rtol=1e-14)


def test_weights_of_each_time():
    x = panel_variable()
    found = by_time(economic, x)
    assert list(found) == list(range(2008, 2014))
    np.testing.assert_allclose(
        found[2010].to_dense().loc[IDS, IDS], economic(x.xs(2010, level="year")).to_dense().loc[IDS, IDS], rtol=1e-14
    )
    assert found[2010].provenance.times == (2010,)


@pytest.mark.parametrize(
    "build",
    [
        lambda g: nested(inverse_distance(g), knn(g, k=2)),
        lambda g: product(inverse_distance(g), contiguity(g)),
        lambda g: directed(contiguity(g), WEALTH),
        lambda g: gravity(g, WEALTH),
        border_length,
        lambda g: higher_order(contiguity(g, rule="rook"), 2),
    ],
)
def test_order_of_units_changes_nothing(grid, build):
    moved = grid.loc[["f", "b", "a", "e", "d", "c"]]
    np.testing.assert_allclose(build(moved).to_dense().loc[IDS, IDS], build(grid).to_dense(), rtol=1e-12)
