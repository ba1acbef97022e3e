"""What must not change a result: order, labels, units of measurement, origins. Run over the registries."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spatial_de as sde
from spatial_de.errors import AlignmentError, SpatialDEWarning
from spatial_de.models import MODELS
from spatial_de.models.covariance import COVARIANCES
from spatial_de.panel.transforms import EFFECTS
from spatial_de.weights import SpatialWeights

FORMS = [
    (model, fixed, bias)
    for model in MODELS
    for fixed in EFFECTS
    for bias in ("lee-yu", "none", "correction")
    if fixed != "none" or bias == "none"
]
each_form = pytest.mark.parametrize(("model", "fixed", "bias"), FORMS, ids=["-".join(f) for f in FORMS])
quick = settings(derandomize=True, deadline=None, max_examples=5)


def quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpatialDEWarning)
        return function(*args, **kwargs)


def agree(one, other, *, rtol=1e-12):
    """Parameters, covariance in units of standard errors, log-likelihood, effects of the same seed."""
    assert list(one.params.index) == list(other.params.index)
    assert one.converged == other.converged
    if not one.converged:  # at a bound: there is a point, and nothing around it
        np.testing.assert_allclose(one.params, other.params, rtol=1e-6)
        return
    se = one.std_errors.to_numpy()
    gap = np.abs(one.params - other.params) / np.maximum(np.abs(one.params), se)
    assert gap.max() <= rtol, gap
    assert np.abs((one.cov - other.cov).to_numpy() / np.outer(se, se)).max() <= 100 * rtol
    assert one.loglik == pytest.approx(other.loglik, rel=rtol)
    first, second = (quietly(fit.effects, draws=50, seed=4).table for fit in (one, other))
    np.testing.assert_allclose(first["estimate"], second["estimate"], rtol=100 * rtol, atol=1e-12)
    np.testing.assert_allclose(first["std_error"], second["std_error"], rtol=1e4 * rtol)


@each_form
@pytest.mark.parametrize("kind", ["row", "binary"])
def test_order_of_rows_of_weights_and_of_years(model, fixed, bias, kind, sample):
    s = sample(kind=kind, seed=3)
    options = {"model": model, "fixed": fixed, "bias": bias}
    base = s.fit(**options)
    shuffled = s.table.sample(frac=1.0, random_state=1)
    turned = s.w.reorder(np.random.default_rng(2).permutation(s.w.ids))
    agree(base, s.fit(shuffled, turned, **options))
    agree(base, s.fit(s.table.sort_values(["unit", "year"], ascending=[False, True]), **options))
    backwards = s.table.assign(year=4000 - s.table["year"])  # a static model knows no direction of time
    agree(base, s.fit(backwards, **options), rtol=1e-11)


@pytest.mark.parametrize("cov", [cov for cov in COVARIANCES if cov != "hac"])  # of panels
@pytest.mark.parametrize("model", MODELS)
@given(seed=st.integers(0, 10_000))
@quick
def test_random_orders_under_every_covariance(model, cov, seed, sample):
    # the difference of clusters is a covariance only where both have many members
    n, t = (30, 60) if cov == "cluster-two-way" else (12, 6)
    s = sample(seed=seed % 7, n=n, t=t)
    rng = np.random.default_rng(seed)
    one = s.fit(model=model, cov=cov)
    turned = s.w.reorder(rng.permutation(s.w.ids))
    other = s.fit(s.table.iloc[rng.permutation(len(s.table))], turned, model=model, cov=cov)
    agree(one, other)
    assert one.cov.equals(other.cov)


@pytest.mark.parametrize("model", MODELS)
def test_other_names_of_units_change_nothing_but_rounding(model, sample):
    """New labels sort differently: sums are taken in another order."""
    s = sample(seed=5)
    names = dict(zip(s.w.ids, np.random.default_rng(0).permutation([f"区{i}" for i in range(14)]), strict=True))
    renamed = s.table.assign(unit=s.table["unit"].map(names))
    w = SpatialWeights(s.w.raw, [names[i] for i in s.w.ids], normalization="row")
    agree(s.fit(model=model), s.fit(renamed, w, model=model), rtol=1e-10)


@pytest.mark.parametrize("model", [m for m in MODELS if m != "ols"])
def test_weights_of_other_units_are_refused(model, sample):
    s = sample()
    for ids in (["x00", *s.w.ids[1:]], [*s.w.ids[:-1], "u99"]):
        with pytest.raises(AlignmentError, match=r"u00|u13"):
            s.fit(w=SpatialWeights(s.w.raw, ids, normalization="row"), model=model)


@each_form
@given(y_power=st.integers(-12, 12), x_power=st.integers(-12, 12))
@quick
def test_units_of_measurement(model, fixed, bias, y_power, x_power, sample):
    s = sample(seed=7)
    c, d = 10.0**y_power, 10.0**x_power
    options = {"model": model, "fixed": fixed, "bias": bias}
    one = s.fit(**options)
    other = s.fit(s.table.assign(y=c * s.table["y"], a=d * s.table["a"]), **options)
    factor = pd.Series(c, index=one.params.index)
    factor[[t for t in ("a", "W_a") if t in factor.index]] = c / d
    factor[[t for t in ("rho", "lambda") if t in factor.index]] = 1.0
    factor["sigma2"] = c**2
    se = one.std_errors
    assert (np.abs(other.params / factor - one.params) / np.maximum(np.abs(one.params), se)).max() < 1e-9
    np.testing.assert_allclose(other.std_errors / factor, se, rtol=1e-9)
    np.testing.assert_allclose(other.pvalues.dropna(), one.pvalues.dropna(), rtol=1e-7, atol=1e-300)
    assert other.loglik == pytest.approx(one.loglik - one.n_likelihood * np.log(c), rel=1e-10, abs=1e-8)


@each_form
def test_large_offsets(model, fixed, bias, sample):
    """A constant of 1e9 in y and x moves the intercept only (rows of W add up to one)."""
    s = sample(seed=9)
    table = s.table.copy()
    table[["y", "a", "b"]] = np.round(table[["y", "a", "b"]] * 2**16) / 2**16  # so that adding the offset is exact
    moved = table.assign(y=table["y"] + 1e9, a=table["a"] + 1e9)
    options = {"model": model, "fixed": fixed, "bias": bias}
    one, other = s.fit(table, **options), s.fit(moved, **options)
    keep = [t for t in one.params.index if t != "Intercept"]
    np.testing.assert_allclose(other.params[keep], one.params[keep], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(other.std_errors[keep], one.std_errors[keep], rtol=1e-9)
    assert other.loglik == pytest.approx(one.loglik, rel=1e-10)


@pytest.mark.parametrize("bias", ["lee-yu", "none", "correction"])
@pytest.mark.parametrize("model", MODELS)
@given(seed=st.integers(0, 1000))
@quick
def test_fixed_effects_absorb_what_they_should(model, bias, seed, sample):
    s = sample(seed=11)
    rng = np.random.default_rng(seed)
    units = s.table["unit"].map(dict(zip(s.w.ids, 100 * rng.normal(size=14), strict=True)))
    years = s.table["year"].map(dict(zip(range(2001, 2008), 100 * rng.normal(size=7), strict=True)))
    for fixed, shift in (("individual", units), ("time", years), ("two-way", units + years)):
        one = s.fit(model=model, fixed=fixed, bias=bias)
        other = s.fit(s.table.assign(y=s.table["y"] + shift), model=model, fixed=fixed, bias=bias)
        np.testing.assert_allclose(other.params, one.params, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(other.std_errors, one.std_errors, rtol=1e-9)


@each_form
def test_order_of_regressors(model, fixed, bias, sample):
    s = sample(kind="binary", seed=13)
    options = {"model": model, "fixed": fixed, "bias": bias}
    one, other = s.fit(**options), s.fit(formula="y ~ b + a", **options)
    assert set(one.params.index) == set(other.params.index)
    names = one.params.index
    np.testing.assert_allclose(other.params[names], one.params, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(other.cov.loc[names, names], one.cov, rtol=1e-8, atol=1e-13)
    table = other.effects("delta").table.loc[["a", "b"]]
    np.testing.assert_allclose(table, one.effects("delta").table.loc[["a", "b"]], rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("model", ["slx", "sar", "sem", "sdm", "sdem"])
@pytest.mark.parametrize("fixed", ["none", "individual", "two-way"])
@pytest.mark.parametrize("c", [0.01, 3.0])
def test_scale_of_weights(model, fixed, c, sample):
    s = sample(kind="binary", seed=15)
    scaled = SpatialWeights(c * s.w.raw, s.w.ids)
    one, other = s.fit(model=model, fixed=fixed), s.fit(w=scaled, model=model, fixed=fixed)
    factor = pd.Series(1.0, index=one.params.index)
    factor[[t for t in factor.index if t.startswith("W_") or t in {"rho", "lambda"}]] = c
    np.testing.assert_allclose(other.params * factor, one.params, rtol=1e-9)
    assert other.loglik == pytest.approx(one.loglik, rel=1e-11)
    np.testing.assert_allclose(
        other.effects("delta").table[["estimate", "std_error"]],
        one.effects("delta").table[["estimate", "std_error"]],
        rtol=1e-8,
        atol=1e-12,
    )


def test_cross_section_in_any_order(sample, quiet):
    s = sample(n=30, t=1, seed=17)
    table = s.table.set_index("unit")[["y", "a", "b"]]
    turned = s.w.reorder(np.random.default_rng(2).permutation(s.w.ids))
    for model in MODELS:
        one = sde.fit("y ~ a + b", table, s.w, model=model)
        other = sde.fit("y ~ a + b", table.sample(frac=1.0, random_state=3), turned, model=model)
        agree(one, other)
        assert list(other.residuals.index) != list(one.residuals.index)
        pd.testing.assert_series_equal(other.residuals[one.residuals.index], one.residuals, rtol=1e-10)
