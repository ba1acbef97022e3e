import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_de.autocorrelation import CLUSTERS, local_moran, moran
from spatial_de.autocorrelation.multiple import adjust
from spatial_de.autocorrelation.permutation import conditional_draws
from spatial_de.weights import SpatialWeights


def random_weights(rng, n, *, islands=0):
    """Sparse, asymmetric, unequal weights; the last units have no neighbours."""
    W = rng.random((n, n)) * (rng.random((n, n)) < 0.5)
    W[np.arange(n), (np.arange(n) + 1) % n] += 0.1
    np.fill_diagonal(W, 0.0)
    if islands:
        W[-islands:] = 0.0
    return W


def enumerate_local(x, W, i):
    """Statistic of unit i for all arrangements of the other values, by the definition."""
    z = x - x.mean()
    others = np.delete(z, i)
    m2 = (z**2).sum() / (len(x) - 1)
    row = np.delete(W[i], i)
    every = np.array([z[i] / m2 * (row @ np.array(order)) for order in itertools.permutations(others)])
    return z[i] / m2 * (W[i] @ z), every


def test_moments_are_those_of_all_arrangements():
    rng = np.random.default_rng(1)
    W, x = random_weights(rng, 6), rng.exponential(size=6)
    table = local_moran(pd.Series(x), SpatialWeights(W, range(6)), permutations=99).table
    for i in range(6):
        observed, every = enumerate_local(x, W, i)
        assert table.loc[i, "I"] == pytest.approx(observed, rel=1e-12)
        assert table.loc[i, "expected"] == pytest.approx(every.mean(), rel=1e-10)
        assert table.loc[i, "variance"] == pytest.approx(every.var(), rel=1e-10)
        assert table.loc[i, "z"] == pytest.approx((observed - every.mean()) / every.std(), rel=1e-9)


@pytest.mark.filterwarnings("ignore:5 values can be arranged")
def test_p_values_are_the_shares_of_all_arrangements():
    rng = np.random.default_rng(2)
    W, x = random_weights(rng, 6), rng.normal(size=6)
    found = local_moran(pd.Series(x), SpatialWeights(W, range(6)), permutations=8000).table["p_sim"]
    for i in range(6):
        observed, every = enumerate_local(x, W, i)
        share = min(np.mean(every >= observed - 1e-12), np.mean(every <= observed + 1e-12))
        error = 2 * math.sqrt(share * (1 - share) / 8000)
        assert found[i] == pytest.approx(min(1.0, 2 * share), abs=5 * error + 1e-3)


def test_spdep_on_columbus(columbus):
    golden = pd.DataFrame(columbus["spdep"]["local"], index=columbus["x"].index)
    table = local_moran(columbus["x"], columbus["w"], divisor="n", permutations=99).table
    for column in ("I", "expected", "variance", "z"):
        np.testing.assert_allclose(table[column], golden[column], rtol=1e-10, atol=1e-14, err_msg=column)
    assert table["quadrant"].tolist() == golden["quadrant"].tolist()


def test_esda_golden_on_columbus(columbus):
    golden = columbus["esda"]["local"]
    table = local_moran(columbus["x"], columbus["w"], permutations=9999).table
    np.testing.assert_allclose(table["I"], golden["I"], rtol=1e-10)
    names = {1: "High-High", 2: "Low-High", 3: "Low-Low", 4: "High-Low"}
    assert table["quadrant"].tolist() == [names[q] for q in golden["q"]]
    assert_same_p_values(table["p_sim"].to_numpy(), np.array(golden["p_sim"]), permutations=9999)


def assert_same_p_values(ours, tail, *, permutations):
    """Ours is twice esda's tail, within the noise of two Monte Carlo estimates."""
    error = 2 * np.sqrt(2 * tail * (1 - tail) / permutations)
    assert (np.abs(ours - np.minimum(2 * tail, 1.0)) <= 5 * error + 4 / permutations).all()


@pytest.mark.parametrize("year", [1929, 2009])
def test_esda_on_us_incomes(us_income, esda_results, year):
    panel, w = us_income
    x = panel.xs(year, level="year")
    table, peer = local_moran(x, w).table, esda_results(x, w, local=True)
    np.testing.assert_allclose(table["I"], peer.Is, rtol=1e-10, atol=1e-12)
    m2 = {"ours": x.var(ddof=1), "theirs": x.var(ddof=0)}  # esda scales I by n - 1 and its moments by n
    np.testing.assert_allclose(table["expected"] * m2["ours"] / m2["theirs"], peer.EIc, rtol=1e-10)
    np.testing.assert_allclose(table["variance"] * (m2["ours"] / m2["theirs"]) ** 2, peer.VIc, rtol=1e-10)
    assert_same_p_values(table["p_sim"].to_numpy(), peer.p_sim, permutations=999)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(8, 14), islands=st.integers(0, 2))
def test_local_statistics_add_up_to_the_global_one(seed, n, islands):
    rng = np.random.default_rng(seed)
    w = SpatialWeights(random_weights(rng, n, islands=islands), range(n))
    x = pd.Series(rng.normal(size=n))
    local = local_moran(x, w, permutations=9, divisor="n").table["I"].fillna(0.0)
    total = moran(x, w, permutations=9)
    assert local.mean() * n / total.S0 == pytest.approx(total.I, abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(8, 14), sign=st.sampled_from([-1, 1]))
def test_linear_transformations_change_no_p_value(seed, n, sign):
    rng = np.random.default_rng(seed)
    w = SpatialWeights(random_weights(rng, n, islands=1), range(n), normalization="row")
    x = pd.Series(rng.normal(size=n))
    plain = local_moran(x, w, permutations=49).table
    changed = local_moran(sign * 1e6 * (x + 3.0), w, permutations=49).table
    assert changed["p_sim"].equals(plain["p_sim"])
    np.testing.assert_allclose(changed["I"], plain["I"], rtol=1e-9, atol=1e-12)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(8, 14))
def test_order_of_units_changes_nothing(seed, n):
    rng = np.random.default_rng(seed)
    ids = [f"unit {i}" for i in range(n)]
    w = SpatialWeights(random_weights(rng, n, islands=1), ids, normalization="row")
    x = pd.Series(rng.normal(size=n), index=ids)
    plain = local_moran(x, w, permutations=49).table
    order = rng.permutation(ids)
    shuffled = local_moran(x[order], w.reorder(rng.permutation(ids)), permutations=49).table
    assert shuffled.index.tolist() == order.tolist()
    pd.testing.assert_frame_equal(shuffled.loc[ids], plain, check_exact=True)


def test_units_without_neighbours_are_never_significant():
    rng = np.random.default_rng(3)
    w = SpatialWeights(random_weights(rng, 12, islands=2), range(12), normalization="row")
    x = pd.Series([*rng.normal(size=10), 50.0, -50.0])
    for control in ("fdr", "none"):
        table = local_moran(x, w, control=control, alpha=0.999).table
        alone = table.loc[[10, 11]]
        assert (alone["cluster"] == "No neighbours").all()
        assert (alone["quadrant"] == "No neighbours").all()
        assert not alone["significant"].any()
        assert alone[["lag", "I", "expected", "variance", "z", "p_sim", "q_value"]].isna().all(axis=None)
        assert alone["value"].tolist() == [50.0, -50.0]
        assert table.loc[:9, "p_sim"].notna().all()


def test_units_without_neighbours_do_not_count_as_tests():
    rng = np.random.default_rng(3)
    w = SpatialWeights(random_weights(rng, 12, islands=2), range(12), normalization="row")
    table = local_moran(pd.Series(rng.normal(size=12)), w, control="none").table
    adjusted = adjust(table["p_sim"].to_numpy(), "bonferroni")
    assert adjusted[0] == min(1.0, 10 * table.loc[0, "p_sim"])


def test_clusters_are_the_quadrants_that_are_significant(columbus):
    table = local_moran(columbus["x"], columbus["w"], permutations=4999).table
    assert table["significant"].equals((table["q_value"] <= 0.05).rename("significant"))
    assert 2 <= table["significant"].sum() < 49
    shown = table["cluster"].astype(str).where(table["significant"], table["quadrant"].astype(str))
    assert shown.tolist() == table["quadrant"].tolist()
    assert (table.loc[~table["significant"], "cluster"] == "Not significant").all()
    high = table.loc[table["quadrant"].isin(["High-High", "High-Low"]), "value"]
    assert high.min() > columbus["x"].mean() >= table.loc[~table.index.isin(high.index), "value"].max()


def test_value_and_lag_are_in_the_units_of_the_variable(columbus):
    table = local_moran(columbus["x"], columbus["w"], permutations=99).table
    pd.testing.assert_series_equal(table["value"], columbus["x"], check_names=False)
    lag = columbus["w"].to_dense().to_numpy() @ columbus["x"].to_numpy()
    np.testing.assert_allclose(table["lag"], lag, rtol=1e-12)


def test_adjustments_by_hand():
    p = np.array([0.01, 0.04, np.nan, 0.03, 0.005])
    # sorted: .005 * 4/1, .01 * 4/2, .03 * 4/3, .04 * 4/4, then the smallest of those at or after each
    np.testing.assert_allclose(adjust(p, "fdr"), [0.02, 0.04, np.nan, 0.04, 0.02])
    np.testing.assert_allclose(adjust(p, "bonferroni"), [0.04, 0.16, np.nan, 0.12, 0.02])
    np.testing.assert_array_equal(adjust(p, "none"), p)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(0.001, 1.0), min_size=1, max_size=40), st.floats(0.01, 0.5))
def test_false_discovery_rate_is_the_step_up_rule(values, alpha):
    p = np.array(values)
    ranked = np.sort(p)
    reached = np.flatnonzero(ranked <= alpha * np.arange(1, len(p) + 1) / len(p) * (1 + 1e-12))
    rejected = p <= ranked[reached[-1]] if len(reached) else np.zeros(len(p), dtype=bool)
    np.testing.assert_array_equal(adjust(p, "fdr") <= alpha * (1 + 1e-12), rejected)


def test_draws_are_uniform_ordered_samples_without_replacement():
    draws = conditional_draws(5, 3, permutations=24_000, seed=1)
    assert all(len(set(row)) == 3 for row in draws.tolist())
    counts = pd.Series([tuple(row) for row in draws.tolist()]).value_counts()
    assert len(counts) == 24  # 4 * 3 * 2 ordered samples
    assert ((counts - 1000) ** 2 / 1000).sum() < 60  # chi-squared with 23 degrees of freedom


def test_panel_variable_gives_each_year_as_if_alone(us_income):
    panel, w = us_income
    panel = panel[panel.index.isin([1929, 2009], level="year")].sample(frac=1, random_state=0)
    result = local_moran(panel, w, permutations=199)
    assert result.table.index.equals(panel.index)
    for year in result:
        alone = local_moran(panel.xs(year, level="year"), w, permutations=199)
        pd.testing.assert_frame_equal(result[year].table, alone.table, check_exact=True)
        assert result[year].settings == alone.settings
    assert result.times.tolist() == [1929, 2009]
    assert result.counts.sum(axis=1).tolist() == [48, 48]
    assert result.counts.columns.tolist() == list(CLUSTERS)


def test_results_can_be_read_and_stored(columbus, us_income):
    found = local_moran(columbus["x"], columbus["w"], permutations=999)
    assert "Local Moran of CRIME, 49 units" in str(found)
    assert "smallest possible p_sim 0.002" in repr(found)
    assert "<table" in found._repr_html_()
    assert found.counts.index.tolist() == list(CLUSTERS)
    assert found.counts.sum() == 49
    stored = json.loads(json.dumps(found.to_dict()))
    assert stored["table"]["cluster"] == found.table["cluster"].tolist()
    assert stored["settings"]["control"] == "fdr"
    panel, w = us_income
    by_year = local_moran(panel[panel.index.isin([1929, 1930], level="year")], w, permutations=99)
    assert "Local Moran of income by year" in str(by_year)
    assert "<table" in by_year._repr_html_()
    assert by_year.to_frame() is by_year.table
    assert len(by_year) == 2
    assert json.loads(json.dumps(by_year.to_dict()))["name"] == "income"
