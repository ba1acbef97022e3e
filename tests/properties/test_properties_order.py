"""Labels decide: the order of rows, units, times and regressors changes nothing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_instances import FORMULA, KINDS, assert_same_numbers, instances, quiet, quiet_fit, random_checks

import spatial_de as sde
from spatial_de.errors import AlignmentError
from spatial_de.models import MODELS
from spatial_de.models.covariance import COVARIANCES
from spatial_de.weights import SpatialWeights

# a difference of covariances may cancel to anything in small panels; its parts are here
SUMS = [cov for cov in COVARIANCES if cov not in {"cluster-two-way", "hac"}]
SEEDS = st.integers(0, 10**6)


def shuffled_weights(case, rng):
    order = rng.permutation(case.n_units)
    ids = [case.ids[i] for i in order]
    return SpatialWeights(case.raw[np.ix_(order, order)], ids, normalization=case.normalization)


@pytest.mark.parametrize("model", MODELS)
@random_checks()
@given(case=instances(), seed=SEEDS)
def test_shuffled_rows_and_weights_give_the_same_bits(model, case, seed):
    rng = np.random.default_rng(seed)
    expected = case.fit(model)
    table = case.table.sample(frac=1.0, random_state=seed)[rng.permutation(case.table.columns)]
    found = case.fit(model, data=sde.Panel(table, unit="unit", time="year"), w=shuffled_weights(case, rng))
    pd.testing.assert_frame_equal(found.to_frame(), expected.to_frame(), check_exact=True)
    pd.testing.assert_frame_equal(found.cov, expected.cov, check_exact=True)
    assert found.loglik == expected.loglik
    pd.testing.assert_frame_equal(
        quiet(found.effects, draws=20).table, quiet(expected.effects, draws=20).table, check_exact=True
    )


@pytest.mark.parametrize("model", MODELS)
@random_checks()
@given(case=instances(t=(1, 1), effects=("none",), n=(12, 30)), seed=SEEDS)
def test_shuffled_cross_section_gives_the_same_bits(model, case, seed):
    rng = np.random.default_rng(seed)
    table = case.table.set_index("unit")
    expected = case.fit(model, data=table, fixed=None, bias=None)
    moved = table.sample(frac=1.0, random_state=seed)
    found = case.fit(model, data=moved, w=shuffled_weights(case, rng), fixed=None, bias=None)
    pd.testing.assert_frame_equal(found.to_frame(), expected.to_frame(), check_exact=True)
    assert found.residuals.index.equals(moved.index)
    pd.testing.assert_series_equal(found.residuals[table.index], expected.residuals, check_exact=True)
    pd.testing.assert_series_equal(found.fitted + found.residuals, moved["y"], check_names=False, rtol=1e-12)


@pytest.mark.parametrize("cov", SUMS)
@pytest.mark.parametrize("model", MODELS)
@random_checks()
@given(case=instances(t=(3, 8)), seed=SEEDS)
def test_other_names_of_units_permute_nothing_but_labels(model, cov, case, seed):
    """New names change the internal order of the units; numbers may move by rounding only."""
    rng = np.random.default_rng(seed)
    names = dict(zip(case.ids, rng.permutation(case.ids), strict=True))
    w = SpatialWeights(case.raw, [names[i] for i in case.ids], normalization=case.normalization)
    renamed = case.panel(unit=case.table["unit"].map(names))
    expected = quiet(case.fit(model).with_cov, cov)
    found = quiet(case.fit(model, data=renamed, w=w).with_cov, cov)
    assert_same_numbers(found, expected, rtol=1e-11)
    a = quiet(found.effects, "delta").table[["estimate", "std_error"]]
    b = quiet(expected.effects, "delta").table[["estimate", "std_error"]]
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10 * b.abs().to_numpy().max())
    back = found.residuals.rename(index={new: old for old, new in names.items()}, level="unit")
    pd.testing.assert_series_equal(back.sort_index(), expected.residuals.sort_index(), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("cov", SUMS)
@pytest.mark.parametrize("model", MODELS)
@random_checks(6)
@given(case=instances(t=(3, 8)))
def test_static_models_do_not_know_the_direction_of_time(model, cov, case):
    years = case.table["year"]
    mirrored = case.panel(year=years.max() + years.min() - years)
    found = quiet(case.fit(model, data=mirrored).with_cov, cov)
    assert_same_numbers(found, quiet(case.fit(model).with_cov, cov), rtol=1e-11)


@pytest.mark.parametrize("model", MODELS)
@random_checks(6)
@given(case=instances())
def test_order_of_regressors(model, case):
    assert_same_numbers(case.fit(model, formula="y ~ x2 + x1"), case.fit(model), rtol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
@random_checks(4)
@given(data=st.data())
def test_every_way_to_bring_the_same_weights(kind, data):
    case = data.draw(instances(kinds=(kind,), n=(8, 14), t=(4, 5)))
    w = case.weights()
    expected = case.fit("sdm")
    ways = [
        sde.weights.from_matrix(w.to_dense(), islands="keep"),
        sde.weights.from_matrix(w.sparse, w.ids, islands="keep"),
        sde.weights.from_edges(w.to_edges(), ids=w.ids, islands="keep"),
        sde.weights.from_graph(w.to_graph(), islands="keep"),
        sde.weights.from_graph(w.to_w(), islands="keep"),
        SpatialWeights.from_dict(w.to_dict()),
    ]
    for other in ways:
        assert_same_numbers(case.fit("sdm", w=other), expected, rtol=1e-11)


@pytest.mark.parametrize("model", [name for name in MODELS if name != "ols"])
@random_checks(4)
@given(case=instances())
def test_weights_of_other_units_are_refused(model, case):
    others = SpatialWeights(case.raw, [f"v{i}" for i in range(case.n_units)], normalization=case.normalization)
    with pytest.raises(AlignmentError, match="not the same"):
        quiet_fit(FORMULA, case.panel(), others, model=model, fixed=case.fixed)
