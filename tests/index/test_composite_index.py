import json
import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from spatial_de.errors import DataError, DataWarning
from spatial_de.index import composite_index, presets
from spatial_de.panel import Panel

METHODS = ["entropy", "entropy-topsis", "pca", "equal"]
VALID = [
    ("entropy", "minmax"),
    ("entropy-topsis", "minmax"),
    ("pca", "z"),
    ("pca", "minmax"),
    ("equal", "minmax"),
    ("equal", "z"),
]


def frame(columns, *, units=("a", "b"), times=(1, 2)):
    rows = pd.MultiIndex.from_product([units, times], names=["code", "year"]).to_frame(index=False)
    return rows.assign(**columns)


def panel(columns, **shape):
    return Panel(frame(columns, **shape), unit="code", time="year")


# Two units, two years. After min-max: p = 0, .25, .5, 1 and q (less is better) = 1, .5, 1, 0.
SMALL = {"p": [0.0, 1.0, 2.0, 4.0], "q": [10.0, 20.0, 10.0, 30.0]}
DIRECTIONS = {"p": "positive", "q": -1}


def test_entropy_by_hand():
    shares_p, shares_q = [1 / 7, 2 / 7, 4 / 7], [0.4, 0.2, 0.4]  # zeros add nothing
    entropies = [-sum(s * math.log(s) for s in shares) / math.log(4) for shares in (shares_p, shares_q)]
    redundancy = [1 - e for e in entropies]
    weights = [r / sum(redundancy) for r in redundancy]
    found = composite_index(panel(SMALL), DIRECTIONS)
    assert found.weights["entropy"].tolist() == pytest.approx(entropies, rel=1e-14)
    assert found.weights["redundancy"].tolist() == pytest.approx(redundancy, rel=1e-14)
    assert found.weights["weight"].tolist() == pytest.approx(weights, rel=1e-14)
    by_hand = [weights[0] * p + weights[1] * q for p, q in [(0, 1), (0.25, 0.5), (0.5, 1), (1, 0)]]
    assert found.values.tolist() == pytest.approx(by_hand, rel=1e-14)


def test_entropy_of_a_concentrated_and_of_an_even_indicator():
    columns = {"one": [0.0, 0, 0, 5], "even": [1.0, 1, 1, 0]}
    weights = composite_index(panel(columns), ["one", "even"]).weights
    assert weights.loc["one", "entropy"] == 0.0  # all of it in one observation
    assert weights.loc["even", "entropy"] == pytest.approx(math.log(3) / math.log(4))
    assert weights.loc["one", "weight"] == pytest.approx(1 / (2 - math.log(3) / math.log(4)))


def test_entropy_counts_the_smallest_shares():
    rng = np.random.default_rng(5)
    columns = {name: rng.lognormal(sigma=4.0, size=200) for name in "pqr"}
    shape = {"units": [f"u{i:02d}" for i in range(40)], "times": range(5)}
    found = composite_index(panel(columns, **shape), list("pqr")).weights
    for name, values in columns.items():
        shares = [(v - values.min()) / (values - values.min()).sum() for v in values]
        assert 0 < sorted(shares)[1] < 1e-6
        by_hand = -math.fsum(s * math.log(s) for s in shares if s > 0) / math.log(200)
        assert found.loc[name, "entropy"] == pytest.approx(by_hand, rel=1e-13)


def test_topsis_by_hand():
    w = composite_index(panel(SMALL), DIRECTIONS).weights["weight"].tolist()
    closeness = []
    for p, q in [(0, 1), (0.25, 0.5), (0.5, 1), (1, 0)]:
        best = math.hypot(w[0] * (1 - p), w[1] * (1 - q))
        worst = math.hypot(w[0] * p, w[1] * q)
        closeness.append(worst / (best + worst))
    found = composite_index(panel(SMALL), DIRECTIONS, method="entropy-topsis")
    assert found.values.tolist() == pytest.approx(closeness, rel=1e-14)
    assert found.weights["weight"].tolist() == w


def test_equal_weights_by_hand():
    found = composite_index(panel(SMALL), DIRECTIONS, method="equal")
    assert found.values.tolist() == [0.5, 0.375, 0.75, 0.5]
    standard = composite_index(panel(SMALL), DIRECTIONS, method="equal", normalization="z")
    z_p = [(v - 1.75) / math.sqrt(8.75 / 3) for v in SMALL["p"]]  # sum of squared deviations 8.75, divisor 3
    z_q = [-(v - 17.5) / math.sqrt(275 / 3) for v in SMALL["q"]]
    assert standard.values.tolist() == pytest.approx([(a + b) / 2 for a, b in zip(z_p, z_q, strict=True)])


def test_first_component_of_two_indicators_is_their_mean():
    # A 2 x 2 correlation matrix with r > 0 has the loadings (1, 1) / sqrt 2 and variance 1 + r.
    columns = {"p": [0.0, 1.0, 2.0, 4.0], "q": [1.0, 0.0, 2.0, 3.0]}
    found = composite_index(panel(columns), ["p", "q"], method="pca")
    mean = composite_index(panel(columns), ["p", "q"], method="equal", normalization="z")
    np.testing.assert_allclose(found.values, mean.values, atol=1e-14)
    np.testing.assert_allclose(found.weights["loading_1"], math.sqrt(0.5))
    r = np.corrcoef(columns["p"], columns["q"])[0, 1]
    assert found.summary.loc["all", "explained"] == pytest.approx((1 + r) / 2)
    assert found.summary.loc["all", "components"] == 1
    assert f"{(1 + r) / 2:.4f}" in str(found)


def test_several_components_by_singular_values():
    rng = np.random.default_rng(1)
    data = rng.normal(size=(40, 4)) @ rng.normal(size=(4, 4))
    columns = dict(zip("pqrs", data.T, strict=True))
    z = (data - data.mean(axis=0)) / data.std(axis=0, ddof=1)
    _, singular, rows = np.linalg.svd(z, full_matrices=False)
    shares = singular**2 / (singular**2).sum()
    count = int(np.searchsorted(np.cumsum(shares), 0.9) + 1)
    assert 1 < count < 4
    signed = [row * np.sign(row.sum()) for row in rows[:count]]
    combined = sum(share * row for share, row in zip(shares[:count], signed, strict=True))
    shape = {"units": [f"u{i:02d}" for i in range(8)], "times": range(5)}
    with pytest.warns(DataWarning, match="Negative weight"):
        found = composite_index(panel(columns, **shape), list("pqrs"), method="pca", explained=0.9)
    np.testing.assert_allclose(found.weights["weight"], combined / combined.sum(), rtol=1e-10)
    np.testing.assert_allclose(found.values, z @ combined / combined.sum(), atol=1e-10)
    assert found.summary.loc["all", "components"] == count
    assert found.summary.loc["all", "explained"] == pytest.approx(shares[:count].sum())


@pytest.mark.parametrize("method", METHODS)
def test_per_year_is_each_year_alone(method):
    rng = np.random.default_rng(2)
    common = rng.normal(size=30)
    columns = {name: common + rng.normal(size=30) for name in "pqr"}
    shape = {"units": [f"u{i}" for i in range(10)], "times": [2013, 2014, 2015]}
    whole = panel(columns, **shape)
    found = composite_index(whole, list("pqr"), method=method, scope="per-year")
    assert "compare between units of the same time only" in found.notes[0]
    assert found.weights.index.names == ["year", "indicator"]
    for year in (2013, 2014, 2015):
        alone = composite_index(whole.select(times=[year]), list("pqr"), method=method)
        pd.testing.assert_frame_equal(found.weights.loc[year], alone.weights, rtol=1e-12)
        same = found.values[found.values.index.get_level_values("year") == year]
        pd.testing.assert_series_equal(same, alone.values, rtol=1e-12)
    assert found.summary["observations"].tolist() == [10, 10, 10]


def test_global_scope_lets_years_compare_and_per_year_does_not():
    rng = np.random.default_rng(3)
    level = np.tile([0.0, 10.0, 20.0], 10)  # every indicator grows by the same amount every year
    columns = {name: level + rng.uniform(size=30) for name in "pq"}
    shape = {"units": [f"u{i}" for i in range(10)], "times": [2013, 2014, 2015]}
    means = {
        scope: composite_index(panel(columns, **shape), ["p", "q"], scope=scope).values.groupby("year").mean()
        for scope in ("global", "per-year")
    }
    assert means["global"].diff().dropna().min() > 0.4
    assert np.ptp(means["per-year"]) < 0.4


random_data = st.tuples(st.integers(0, 10_000), st.integers(5, 9), st.integers(1, 3), st.integers(2, 5))


def random_columns(data):
    seed, n, t, k = data
    rng = np.random.default_rng(seed)
    common = rng.normal(size=n * t)
    columns = {f"x{j}": common + 0.7 * rng.normal(size=n * t) for j in range(k)}
    return rng, columns, {"units": [f"u{i}" for i in range(n)], "times": list(range(2000, 2000 + t))}


def index_of(data, directions, method, normalization):
    """The index; instances in which the first component has next to no direction are left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        try:
            found = composite_index(data, directions, method=method, normalization=normalization)
        except DataError:
            reject()
    assume(found.weights["weight"].abs().max() < 100)
    return found


@pytest.mark.parametrize(("method", "normalization"), VALID)
@settings(max_examples=50, deadline=None)
@given(data=random_data, factor=st.floats(1e-9, 1e9))
def test_units_of_measurement_change_nothing(method, normalization, data, factor):
    _, columns, shape = random_columns(data)
    names = list(columns)
    plain = index_of(panel(columns, **shape), names, method, normalization)
    rescaled = index_of(panel(columns | {"x0": columns["x0"] * factor}, **shape), names, method, normalization)
    np.testing.assert_allclose(rescaled.values, plain.values, atol=1e-9)
    np.testing.assert_allclose(rescaled.weights["weight"], plain.weights["weight"], atol=1e-9)


@pytest.mark.parametrize(("method", "normalization"), VALID)
@settings(max_examples=50, deadline=None)
@given(data=random_data)
def test_flipped_sign_and_flipped_direction_are_equal(method, normalization, data):
    _, columns, shape = random_columns(data)
    directions = dict.fromkeys(columns, 1)
    plain = index_of(panel(columns, **shape), directions, method, normalization)
    flipped = index_of(
        panel(columns | {"x1": -columns["x1"]}, **shape), directions | {"x1": "negative"}, method, normalization
    )
    np.testing.assert_allclose(flipped.values, plain.values, atol=1e-9)
    np.testing.assert_allclose(flipped.weights["weight"], plain.weights["weight"], atol=1e-9)


@pytest.mark.parametrize(("method", "normalization"), VALID)
@settings(max_examples=50, deadline=None)
@given(data=random_data)
def test_order_of_rows_and_indicators_changes_nothing(method, normalization, data):
    rng, columns, shape = random_columns(data)
    plain = index_of(panel(columns, **shape), list(columns), method, normalization)
    long = frame(columns, **shape)
    shuffled = Panel(long.iloc[rng.permutation(len(long))], unit="code", time="year")
    again = index_of(shuffled, list(columns), method, normalization)
    turned = index_of(shuffled, list(columns)[::-1], method, normalization)
    assert again.values.equals(plain.values)
    np.testing.assert_allclose(turned.values, plain.values, atol=1e-9)
    np.testing.assert_allclose(turned.weights["weight"][::-1], plain.weights["weight"], atol=1e-9)


@pytest.mark.parametrize(("method", "normalization"), VALID)
@settings(max_examples=50, deadline=None)
@given(data=random_data)
def test_weights_add_up_and_the_index_follows_the_indicators(method, normalization, data):
    _, columns, shape = random_columns(data)
    found = index_of(panel(columns, **shape), list(columns), method, normalization)
    assert found.weights["weight"].sum() == pytest.approx(1.0, abs=1e-12)
    if normalization == "minmax" and method != "pca":
        assert found.values.between(-1e-12, 1 + 1e-12).all()
    sums = index_of(panel(columns, **shape), list(columns), "equal", normalization).values
    if method == "pca":
        assert np.cov(found.values, sums)[0, 1] > 0


@settings(max_examples=200, deadline=None)
@given(data=random_data)
def test_entropy_index_is_the_weighted_mean_of_the_normalised_indicators(data):
    _, columns, shape = random_columns(data)
    found = composite_index(panel(columns, **shape), list(columns))
    normalized = pd.DataFrame(columns)
    normalized = (normalized - normalized.min()) / (normalized.max() - normalized.min())
    np.testing.assert_allclose(found.values, normalized @ found.weights["weight"].to_numpy(), atol=1e-12)
    assert (found.weights["weight"] > 0).all()


def test_normalisation_constants_are_in_the_weights_table():
    table = composite_index(panel(SMALL), DIRECTIONS).weights
    assert table[["minimum", "maximum"]].to_numpy().tolist() == [[0.0, 4.0], [10.0, 30.0]]
    assert table["direction"].tolist() == [1, -1]
    table = composite_index(panel(SMALL), DIRECTIONS, method="equal", normalization="z").weights
    assert table.loc["p", "mean"] == 1.75
    assert table.loc["p", "std"] == pytest.approx(np.std(SMALL["p"], ddof=1))


def test_preset_brings_units_and_sources():
    listed = presets().loc["china-digital-7"]
    assert len(listed) == 7
    assert set(listed["direction"]) == {1}
    assert listed[["label", "unit", "source"]].map(len).min(axis=None) > 2
    rng = np.random.default_rng(4)
    data = panel({name: rng.uniform(size=4) for name in listed.index})
    found = composite_index(data, "china-digital-7")
    assert found.weights.index.tolist() == listed.index.tolist()
    assert found.weights["unit"].tolist() == listed["unit"].tolist()
    assert found.weights["source"].tolist() == listed["source"].tolist()
    assert found.values.equals(composite_index(data, list(listed.index)).values)


def test_preset_fits_the_bundled_panel():
    from spatial_de.datasets import load_china_panel

    data = load_china_panel().select(times=range(2013, 2023))
    found = composite_index(data, "china-digital-7")
    assert len(found.values) == 310
    table = data.to_frame().set_index(["code", "year"])[found.weights.index.tolist()].astype(float)
    scaled = (table - table.min()) / (table.max() - table.min())
    shares = scaled / scaled.sum()
    redundancy = 1 + (shares * np.log(shares.where(shares > 0, 1.0))).sum() / math.log(310)
    by_hand = (scaled * redundancy / redundancy.sum()).sum(axis=1)
    np.testing.assert_allclose(found.values, by_hand.reindex(found.values.index), rtol=1e-12)


def test_values_go_back_into_the_panel_by_label():
    data = panel(SMALL)
    found = composite_index(data, DIRECTIONS, name="score")
    with_index = data.assign(score=found.values.sample(frac=1, random_state=0))
    assert with_index["score"].tolist() == found.values.tolist()
    assert found.values.name == found.name == "score"
    assert found.values.index.names == ["code", "year"]


def test_unbalanced_panel_is_accepted():
    rows = frame(SMALL).iloc[1:]
    found = composite_index(Panel(rows, unit="code", time="year", unbalanced=True), ["p", "q"])
    assert found.values.index.tolist() == [("a", 2), ("b", 1), ("b", 2)]


@pytest.mark.parametrize("scope", ["global", "per-year"])
def test_result_can_be_read_and_stored(scope):
    columns = {"p": SMALL["p"], "q": [10.0, 20.0, 15.0, 30.0]}
    found = composite_index(panel(columns), DIRECTIONS, scope=scope)
    text = str(found)
    assert f"Composite index 'digital': method entropy, scope {scope}, normalisation minmax" in text
    assert found.notes[0] in repr(found)
    assert "<table" in found._repr_html_()
    assert found.to_frame().columns.tolist() == ["digital"]
    stored = json.loads(json.dumps(found.to_dict()))
    assert stored["values"]["digital"] == found.values.tolist()
    assert stored["weights"]["weight"] == found.weights["weight"].tolist()
