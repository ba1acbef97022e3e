import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_de.autocorrelation import moran
from spatial_de.autocorrelation.moments import variance_normality, variance_randomization, weight_sums
from spatial_de.weights import SpatialWeights


def random_weights(rng, n, *, islands=0):
    """Sparse, asymmetric, unequal weights; the last units have no neighbours."""
    W = rng.random((n, n)) * (rng.random((n, n)) < 0.5)
    W[0, 1] = W[1, 2] = 1.0
    np.fill_diagonal(W, 0.0)
    if islands:
        W[-islands:] = 0.0
    return W


def dense_moran(x, W):
    """The definition, by loops."""
    n, mean = len(x), sum(x) / len(x)
    cross = sum(W[i][j] * (x[i] - mean) * (x[j] - mean) for i in range(n) for j in range(n))
    total = sum(W[i][j] for i in range(n) for j in range(n))
    return n / total * cross / sum((v - mean) ** 2 for v in x)


@pytest.mark.parametrize("islands", [0, 2])
@pytest.mark.parametrize("normalization", ["none", "row", "spectral"])
def test_statistic_equals_the_definition(islands, normalization):
    rng = np.random.default_rng(1)
    w = SpatialWeights(random_weights(rng, 9, islands=islands), list("abcdefghi"), normalization=normalization)
    x = pd.Series(rng.normal(size=9), index=list("abcdefghi"))
    by_loops = dense_moran(x.tolist(), w.to_dense().to_numpy())
    assert by_loops == pytest.approx(moran(x, w).I, abs=1e-14)


@pytest.mark.parametrize("islands", [0, 2])
def test_randomization_moments_are_those_of_all_arrangements(islands):
    rng = np.random.default_rng(2)
    W, x = random_weights(rng, 6, islands=islands), rng.exponential(size=6)
    every = np.array([dense_moran(list(order), W) for order in itertools.permutations(x)])
    found = moran(pd.Series(x), SpatialWeights(W, range(6)), permutations=99)
    assert found.expected == pytest.approx(every.mean(), rel=1e-12)
    assert found.variance == pytest.approx(every.var(), rel=1e-10)


def test_normality_variance_is_that_of_the_ratio_of_quadratic_forms():
    rng = np.random.default_rng(3)
    n, W = 11, random_weights(np.random.default_rng(3), 11, islands=1)
    centre = np.eye(n) - 1 / n
    form = centre @ (W + W.T) / 2 @ centre * n / W.sum()
    trace, square = np.trace(form), np.trace(form @ form)
    second_moment = (trace**2 + 2 * square) / ((n - 1) * (n + 1))
    x, w = pd.Series(rng.normal(size=n)), SpatialWeights(W, range(n))
    found = moran(x, w, inference="normality", permutations=9)
    assert found.variance == pytest.approx(second_moment - 1 / (n - 1) ** 2, rel=1e-12)


def test_permutations_have_the_analytic_moments():
    rng = np.random.default_rng(4)
    w = SpatialWeights(random_weights(rng, 30, islands=2), range(30), normalization="row")
    found = moran(pd.Series(rng.lognormal(size=30)), w, permutations=20_000)
    error = math.sqrt(found.variance / 20_000)
    assert abs(found.sim_mean - found.expected) < 4 * error
    assert found.sim_variance == pytest.approx(found.variance, rel=0.05)


def test_permutation_p_value_is_the_share_of_all_arrangements():
    rng = np.random.default_rng(5)
    W, x = random_weights(rng, 7), rng.normal(size=7)
    observed = dense_moran(list(x), W)
    every = np.array([dense_moran(list(order), W) for order in itertools.permutations(x)])
    exact = {"greater": np.mean(every >= observed - 1e-12), "less": np.mean(every <= observed + 1e-12)}
    exact["two-sided"] = min(1.0, 2 * min(exact.values()))
    for alternative, share in exact.items():
        found = moran(pd.Series(x), SpatialWeights(W, range(7)), permutations=4000, alternative=alternative)
        assert found.p_sim == pytest.approx(share, abs=4 * 2 * math.sqrt(0.25 / 4000))


def test_spdep_on_columbus(columbus):
    x, w, golden = columbus["x"], columbus["w"], columbus["spdep"]
    for key, options in {
        "randomization_greater": {"alternative": "greater"},
        "randomization_two": {"alternative": "two-sided"},
        "normality_greater": {"alternative": "greater", "inference": "normality"},
    }.items():
        found = moran(x, w, **options)
        for field in ("I", "expected", "variance", "z", "p_value"):
            assert getattr(found, field) == pytest.approx(golden[key][field], rel=1e-11), (key, field)
    simulated = moran(x, w, permutations=9999, alternative="greater")
    assert simulated.p_sim == golden["mc"]["p_greater"]
    assert simulated.sim_mean == pytest.approx(golden["mc"]["perm_mean"], abs=0.004)
    assert math.sqrt(simulated.sim_variance) == pytest.approx(golden["mc"]["perm_sd"], rel=0.03)


def test_esda_golden_on_columbus(columbus):
    x, w, golden = columbus["x"], columbus["w"], columbus["esda"]["global"]
    for inference, suffix in (("randomization", "rand"), ("normality", "norm")):
        found = moran(x, w, inference=inference, permutations=9999)
        assert golden["I"] == pytest.approx(found.I, rel=1e-12)
        assert found.expected == pytest.approx(golden["EI"], rel=1e-12)
        assert found.variance == pytest.approx(golden[f"VI_{suffix}"], rel=1e-12)
        assert found.z == pytest.approx(golden[f"z_{suffix}"], rel=1e-12)
        assert found.p_value == pytest.approx(golden[f"p_{suffix}"], rel=1e-11)
        assert found.p_sim == 2 * golden["p_sim"]


@pytest.mark.parametrize("year", [1929, 1969, 2009])
def test_esda_on_us_incomes(us_income, esda_results, year):
    panel, w = us_income
    x = panel.xs(year, level="year")
    found, peer = moran(x, w), esda_results(x, w)
    np.testing.assert_allclose(found.I, peer.I, rtol=1e-12)
    assert found.variance == pytest.approx(peer.VI_rand, rel=1e-12)
    assert found.z == pytest.approx(peer.z_rand, rel=1e-12)
    assert found.p_value == pytest.approx(peer.p_rand, rel=1e-10)
    assert found.p_sim == pytest.approx(2 * peer.p_sim, abs=4 * 2 * math.sqrt(0.25 / 999))


def test_two_sided_p_is_twice_the_smaller_tail(us_income):
    _, w = us_income
    rng = np.random.default_rng(6)
    x = pd.Series(rng.normal(size=w.n), index=w.ids)
    p = {a: moran(x, w, alternative=a).p_sim for a in ("two-sided", "greater", "less")}
    assert p["two-sided"] == 2 * min(p["greater"], p["less"])
    assert p["greater"] + p["less"] == pytest.approx(1 + 1 / 1000)  # the observed one counts in both


@pytest.mark.parametrize(("low", "high"), [(1.1, 1.7), (0.1, 0.3), (1 / 3, 2.2)])
def test_arrangements_equal_up_to_rounding_are_ties(low, high):
    ring = [[float((i - j) % 5 in {1, 4}) for j in range(5)] for i in range(5)]
    w = SpatialWeights(ring, range(5), normalization="row")
    # I takes two values only: the two low ones are neighbours, or they are not
    together, apart = pd.Series([low, low, high, high, high]), pd.Series([low, high, low, high, high])
    assert moran(together, w, permutations=99, alternative="less").p_sim == 1.0
    assert moran(apart, w, permutations=99, alternative="greater").p_sim == 1.0


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(7, 15),
    islands=st.integers(0, 2),
    slope=st.floats(1e-6, 1e6),
    sign=st.sampled_from([-1, 1]),
    intercept=st.floats(-100, 100),
)
def test_linear_transformations_change_nothing(seed, n, islands, slope, sign, intercept):
    rng = np.random.default_rng(seed)
    w = SpatialWeights(random_weights(rng, n, islands=islands), range(n))
    x = pd.Series(rng.normal(size=n))
    plain = moran(x, w, permutations=49)
    changed = moran((sign * slope) * (x + intercept), w, permutations=49)
    for field in ("I", "variance", "z", "p_value"):
        assert getattr(changed, field) == pytest.approx(getattr(plain, field), rel=1e-8, abs=1e-9)
    assert changed.p_sim == plain.p_sim


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(7, 15), scale=st.floats(1e-6, 1e6))
def test_order_of_units_and_scale_of_weights_change_nothing(seed, n, scale):
    rng = np.random.default_rng(seed)
    ids = [f"unit {i}" for i in range(n)]
    w = SpatialWeights(random_weights(rng, n, islands=1), ids, normalization="row")
    x = pd.Series(rng.normal(size=n), index=ids, name="x")
    plain = moran(x, w, permutations=49)
    shuffled = moran(x.sample(frac=1, random_state=seed), w.reorder(rng.permutation(ids)), permutations=49)
    assert shuffled == plain
    scaled = SpatialWeights(w.raw * scale, ids)
    raw = SpatialWeights(w.raw, ids)
    assert moran(x, scaled, permutations=49).z == pytest.approx(moran(x, raw, permutations=49).z, abs=1e-9)


def test_panel_variable_gives_each_year_as_if_alone(us_income):
    panel, w = us_income
    panel = panel[panel.index.isin([1929, 1950, 2009], level="year")]
    result = moran(panel, w, permutations=199)
    assert result.table.index.tolist() == [1929, 1950, 2009]
    assert result.table.index.name == "year"
    assert result.table.columns.tolist() == ["I", "expected", "variance", "z", "p_value", "p_sim"]
    for year in result:
        alone = moran(panel.xs(year, level="year"), w, permutations=199)
        assert result[year] == alone
        assert result.table.loc[year].tolist() == alone.to_frame().iloc[0].tolist()
    shuffled = moran(panel.sample(frac=1, random_state=0), w, permutations=199)
    assert shuffled.table.equals(result.table)


def test_seed_decides_the_permutations(columbus):
    x = columbus["x"].sample(frac=1, random_state=5).set_axis(columbus["x"].index)  # no pattern left
    first, again, other = (moran(x, columbus["w"], seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.sim_mean != other.sim_mean


def test_permutations_do_not_depend_on_the_block_size(columbus, monkeypatch):
    from spatial_de.autocorrelation import permutation

    whole = moran(columbus["x"], columbus["w"])
    monkeypatch.setattr(permutation, "_BLOCK", 49 * 7)
    assert moran(columbus["x"], columbus["w"]).sim_mean == pytest.approx(whole.sim_mean, rel=1e-12)


def test_variances_are_positive_and_differ(columbus):
    sums = weight_sums(columbus["w"].sparse)
    z = columbus["x"].to_numpy() - columbus["x"].mean()
    assert 0 < variance_normality(sums, 49) != variance_randomization(sums, z) > 0


def test_result_can_be_read_and_stored(columbus):
    import json

    found = moran(columbus["x"], columbus["w"])
    assert "Moran's I of CRIME, 49 units" in str(found)
    assert "0.485771" in repr(found)
    assert "<table" in found._repr_html_()
    stored = json.loads(json.dumps(found.to_dict()))
    assert stored["I"] == found.I
    assert stored["islands"] == []
    assert stored["seed"] == 0


def test_panel_result_can_be_read_and_stored(us_income):
    import json

    panel, w = us_income
    found = moran(panel[panel.index.isin([1929, 1930], level="year")], w, permutations=99)
    assert "Moran's I of income by year, 48 units" in str(found)
    assert "<table" in found._repr_html_()
    assert found.to_frame().equals(found.table)
    assert len(found) == 2
    assert json.loads(json.dumps(found.to_dict()))["times"] == [1929, 1930]


def test_units_without_neighbours_are_named():
    W = random_weights(np.random.default_rng(0), 9, islands=1)
    found = moran(pd.Series(np.arange(9.0)), SpatialWeights(W, range(9)), permutations=9)
    assert found.islands == (8,)
    assert "1 unit without neighbours: 8" in str(found)
