"""Limiting cases, nested models, and the maximum itself. Run over the registries."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spatial_de as sde
from spatial_de.errors import EstimationWarning
from spatial_de.models import MODELS
from spatial_de.models.estimate import make_likelihood
from spatial_de.panel.transforms import EFFECTS
from spatial_de.weights import SpatialWeights

quick = settings(derandomize=True, deadline=None, max_examples=4)
SPATIAL = [name for name, spec in MODELS.items() if spec.lag_y or spec.lag_error]
NESTED = [
    ("ols", "slx"),
    ("ols", "sar"),
    ("ols", "sem"),
    ("slx", "sdm"),
    ("slx", "sdem"),
    ("sar", "sdm"),
    ("sem", "sdm"),
    ("sem", "sdem"),
]


@pytest.mark.parametrize("fixed", EFFECTS)
@pytest.mark.parametrize("model", [m for m in MODELS if m != "ols"])
def test_without_links_every_model_is_least_squares(model, fixed, sample):
    s = sample(seed=1)
    empty = SpatialWeights(np.zeros((14, 14)), s.w.ids)
    panel = sde.Panel(s.table, unit="unit", time="year")
    with pytest.warns(EstimationWarning, match="hold no links"):
        fit = sde.fit("y ~ a + b", panel, empty, model=model, fixed=fixed)
    ols = s.fit(model="ols", fixed=fixed)
    pd.testing.assert_series_equal(fit.params, ols.params, rtol=1e-13)
    pd.testing.assert_frame_equal(fit.cov, ols.cov, rtol=1e-13)


@pytest.mark.parametrize("fixed", EFFECTS)
@pytest.mark.parametrize("bias", ["lee-yu", "none"])
@given(seed=st.integers(0, 500))
@quick
def test_nested_likelihoods_are_ordered(fixed, bias, seed, sample):
    """Within one transformation of the data; SEM lies in the SDM by theta = -rho beta (rows of W add up to one)."""
    s = sample(seed=seed)
    loglik = {m: s.fit(model=m, fixed=fixed, bias=bias).loglik for m in MODELS}
    for small, large in NESTED:
        assert loglik[small] <= loglik[large] + 1e-8 * abs(loglik[large]), (small, large)


@pytest.mark.parametrize("fixed", EFFECTS)
@pytest.mark.parametrize("bias", ["lee-yu", "none"])
@pytest.mark.parametrize("kind", ["row", "binary"])
@pytest.mark.parametrize("model", SPATIAL)
def test_the_maximum_is_one(model, kind, fixed, bias, sample):
    """Score zero, curvature negative, and no higher point on a fine grid of the admissible interval."""
    fit = sample(kind=kind, seed=2).fit(model=model, fixed=fixed, bias=bias)
    if not fit.converged:
        pytest.fail("choose another seed: the maximum of this sample is at the bound")
    likelihood = make_likelihood(fit.estimate.problem)
    spec, record = MODELS[model], fit.optimization
    both, end = spec.lag_y and spec.lag_error, record.path[-1]  # the maximum itself, before any bias correction
    best = likelihood.at(*(end if both else (end, 0.0) if spec.lag_y else (0.0, end)))
    assert abs(record.gradient) < 1e-6
    assert np.linalg.eigvalsh(likelihood.curvature(best)).max() < 0
    pairs = record.bounds if both else (record.bounds, (0.0, 0.0)) if spec.lag_y else ((0.0, 0.0), record.bounds)
    axes = [np.linspace(*ends, 42 if both else 2002)[1:-1] if ends[1] else [0.0] for ends in pairs]
    assert max(likelihood.at(x, y).loglik for x in axes[0] for y in axes[1]) <= best.loglik + 1e-9
    inside = [low < x < high for x, (low, high) in zip((best.rho, best.lam), pairs, strict=True) if high]
    assert all(inside)


@pytest.mark.parametrize("model", MODELS)
def test_one_period_is_the_cross_section(model, sample):
    s = sample(n=30, t=1, seed=4)
    panel = s.fit(model=model, fixed="none")
    cross = sde.fit("y ~ a + b", s.table.set_index("unit")[["y", "a", "b"]], s.w, model=model)
    pd.testing.assert_series_equal(panel.params, cross.params, rtol=1e-13)
    pd.testing.assert_frame_equal(panel.cov, cross.cov, rtol=1e-13)
    assert panel.loglik == pytest.approx(cross.loglik, rel=1e-14)


@pytest.mark.parametrize("kind", ["row", "binary"])
@pytest.mark.parametrize("model", MODELS)
def test_pooled_panel_is_a_block_diagonal_cross_section(model, kind, sample):
    s = sample(kind=kind, n=10, t=4, seed=6)
    ids = [f"{unit}@{year}" for year in range(2001, 2005) for unit in s.w.ids]
    big = SpatialWeights(np.kron(np.eye(4), s.W), ids)
    table = s.table.set_index(s.table["unit"] + "@" + s.table["year"].astype(str))[["y", "a", "b"]]
    cross = sde.fit("y ~ a + b", table, big, model=model)
    panel = s.fit(model=model, fixed="none")
    np.testing.assert_allclose(panel.params, cross.params, rtol=1e-10)
    np.testing.assert_allclose(panel.std_errors, cross.std_errors, rtol=1e-9)
    assert panel.loglik == pytest.approx(cross.loglik, rel=1e-12)
    one, other = panel.effects("delta").table, cross.effects("delta").table
    np.testing.assert_allclose(one["estimate"], other["estimate"], rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(one["std_error"], other["std_error"], rtol=1e-8)


@pytest.mark.parametrize("model", MODELS)
def test_every_period_twice(model, sample):
    """The same estimates from twice the data; ML standard errors shrink by the root of two, exactly."""
    s = sample(seed=8)
    again = pd.concat([s.table, s.table.assign(year=s.table["year"] + 7)])
    one, two = s.fit(model=model, fixed="none"), s.fit(again, model=model, fixed="none")
    np.testing.assert_allclose(two.params, one.params, rtol=1e-10)
    assert two.loglik == pytest.approx(2 * one.loglik, rel=1e-12)
    divisor = [np.sqrt(f.df_resid / f.nobs) if f.df_resid else 1.0 for f in (one, two)]
    shrink = (two.std_errors * divisor[1])[:-1] * np.sqrt(2) / (one.std_errors * divisor[0])[:-1]
    np.testing.assert_allclose(shrink, 1.0, rtol=1e-9)


@pytest.mark.parametrize("fixed", EFFECTS)
@pytest.mark.parametrize("model", MODELS)
def test_total_effect_of_row_stochastic_weights(model, fixed, sample):
    fit = sample(seed=10).fit(model=model, fixed=fixed)
    table = fit.effects("delta").table["estimate"]
    rho = fit.params.get("rho", 0.0)
    for term in ("a", "b"):
        total = (fit.params[term] + fit.params.get(f"W_{term}", 0.0)) / (1.0 - rho)
        assert table[term, "total"] == pytest.approx(total, rel=1e-12)
        assert table[term, "direct"] + table[term, "indirect"] == pytest.approx(total, rel=1e-12)


def test_sar_effects_of_all_regressors_have_one_ratio(sample):
    table = sample(kind="binary", seed=12).fit(model="sar").effects("delta").table["estimate"]
    ratio = [table[term, "indirect"] / table[term, "direct"] for term in ("a", "b")]
    assert ratio[0] == pytest.approx(ratio[1], rel=1e-12)


@pytest.mark.parametrize("model", SPATIAL)
def test_disconnected_components_add_up(model, sample):
    """At given parameters the log-likelihood of two separate blocks is the sum of theirs: the pooled fit nests both."""
    one, two = sample(n=9, seed=14), sample(n=9, seed=16)
    second = two.table.assign(unit="v" + two.table["unit"])
    blocks = np.block([[one.W, np.zeros((9, 9))], [np.zeros((9, 9)), two.W]])
    ids = [*one.w.ids, *("v" + i for i in two.w.ids)]
    joint = one.fit(pd.concat([one.table, second]), SpatialWeights(blocks, ids), model=model, fixed="none")
    swapped = SpatialWeights(
        np.block([[two.W, np.zeros((9, 9))], [np.zeros((9, 9)), one.W]]), [*("v" + i for i in two.w.ids), *one.w.ids]
    )
    again = one.fit(pd.concat([second, one.table]), swapped, model=model, fixed="none")
    assert again.loglik == joint.loglik
    apart = [s.fit(model=model, fixed="none") for s in (one, two)]
    assert joint.loglik <= sum(f.loglik for f in apart) + 1e-9
    # the determinant is a product over blocks
    x = np.ravel(joint.optimization.path[-1])[0]
    own = [np.log(np.linalg.det(np.eye(9) - x * s.W)) for s in (one, two)]
    likelihood = make_likelihood(joint.estimate.problem)
    value = (likelihood.lag or likelihood.error).logdet.value(x)
    assert float(value) == pytest.approx(sum(own), rel=1e-12)
