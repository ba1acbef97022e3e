"""Units, offsets and effects added to the data change what they must and nothing else."""

from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_instances import (
    BIASES,
    FORMULA,
    LAGGED,
    ROW_STOCHASTIC,
    SPATIAL,
    assert_same_numbers,
    instances,
    quiet,
    random_checks,
)

import spatial_de as sde
from spatial_de.errors import DataWarning
from spatial_de.models import MODELS

POWERS = st.integers(-12, 12)
OFFSETS = st.sampled_from([1.0, -1e4, 2.0**29, 1e9])
INFORMATION = st.sampled_from(["observed", "expected"])
SPATIAL_NAMES = {"rho", "lambda"}


def rescaled(fit, *, response=1.0, terms=None):
    """(estimates, covariance, log-likelihood) of a fit on rescaled data, in the units of the original data."""
    terms = terms or {}
    factors = np.array([1.0 if t in SPATIAL_NAMES else terms.get(t, 1.0) / response for t in fit.params.index])
    factors[-1] = response**-2.0
    loglik = fit.loglik + fit.n_likelihood * np.log(abs(response))
    return fit.params * factors, fit.cov * np.outer(factors, factors), loglik


def assert_rescaled(found, expected, *, rtol=1e-11, **changes):
    params, cov, loglik = rescaled(found, **changes)
    se = expected.std_errors
    assert ((params - expected.params).abs() <= rtol * (expected.params.abs() + se)).all()
    size = np.outer(se, se)
    np.testing.assert_allclose(cov / size, expected.cov / size, rtol=0.0, atol=100 * rtol)
    np.testing.assert_allclose(loglik, expected.loglik, rtol=100 * rtol, atol=100 * rtol)


@pytest.mark.parametrize("model", MODELS)
@random_checks()
@given(case=instances(), power=POWERS)
def test_units_of_the_response(model, case, power):
    c = 10.0**power
    found, expected = case.fit(model, data=case.panel(y=case.table["y"] * c)), case.fit(model)
    assert_rescaled(found, expected, response=c)
    slopes = [t for t in expected.params.index if t != "sigma2"]
    np.testing.assert_allclose(found.pvalues[slopes], expected.pvalues[slopes], rtol=1e-7, atol=1e-14)


@pytest.mark.parametrize("model", MODELS)
@random_checks()
@given(case=instances(), powers=st.tuples(POWERS, POWERS))
def test_units_of_the_regressors(model, case, powers):
    a, b = (10.0**p for p in powers)
    data = case.panel(x1=case.table["x1"] * a, x2=case.table["x2"] * b)
    found, expected = case.fit(model, data=data), case.fit(model)
    assert_rescaled(found, expected, terms={"x1": a, "W_x1": a, "x2": b, "W_x2": b})
    effects = quiet(found.effects, "delta").table.loc["x2", "estimate"] * b
    np.testing.assert_allclose(effects, quiet(expected.effects, "delta").table.loc["x2", "estimate"], rtol=1e-9)


@pytest.mark.parametrize("model", MODELS)
@random_checks()
@given(case=instances(kinds=ROW_STOCHASTIC), offset=OFFSETS, info=INFORMATION)
def test_offsets_of_the_regressors(model, case, offset, info):
    """Years as a regressor, or an identifier: only the intercept may notice."""
    moved = case.panel(x1=case.table["x1"] + offset)
    found, expected = (case.fit(model, data=data, information=info) for data in (moved, None))
    terms = [t for t in expected.params.index if t != "Intercept"]
    se = expected.std_errors[terms]
    assert ((found.params - expected.params)[terms].abs() <= 1e-11 * (expected.params[terms].abs() + se)).all()
    np.testing.assert_allclose(found.std_errors[terms], se, rtol=1e-9)
    np.testing.assert_allclose(found.loglik, expected.loglik, rtol=1e-10)
    if case.fixed == "none":
        moved = expected.params["Intercept"] - offset * (expected.params["x1"] + expected.params.get("W_x1", 0.0))
        np.testing.assert_allclose(found.params["Intercept"], moved, rtol=1e-10, atol=1e-12 * abs(offset))


@pytest.mark.parametrize("model", MODELS)
@random_checks()
@given(case=instances(kinds=ROW_STOCHASTIC), offset=OFFSETS, info=INFORMATION)
def test_offset_of_the_response(model, case, offset, info):
    moved = case.panel(y=case.table["y"] + offset)
    found, expected = (case.fit(model, data=data, information=info) for data in (moved, None))
    terms = [t for t in expected.params.index if t != "Intercept"]
    se = expected.std_errors[terms]
    assert ((found.params - expected.params)[terms].abs() <= 1e-11 * (expected.params[terms].abs() + se)).all()
    np.testing.assert_allclose(found.std_errors[terms], se, rtol=1e-9)
    if case.fixed == "none":
        moved = expected.params["Intercept"] + offset * (1.0 - expected.params.get("rho", 0.0))
        np.testing.assert_allclose(found.params["Intercept"], moved, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", ["binary", "islands", "spectral"])
@pytest.mark.parametrize("model", MODELS)
@random_checks(4)
@given(data=st.data())
def test_offsets_under_individual_effects_and_any_weights(model, kind, data):
    """W 1 is constant over time, so that individual effects absorb the lag of an offset."""
    case = data.draw(instances(kinds=(kind,), effects=("individual",)))
    found = case.fit(model, data=case.panel(x1=case.table["x1"] + 1e9, y=case.table["y"] - 2.0**28))
    assert_same_numbers(found, case.fit(model), rtol=1e-11)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("model", MODELS)
@random_checks(6)
@given(data=st.data())
def test_effects_added_to_the_response_are_taken_out(model, bias, data):
    case = data.draw(instances(kinds=ROW_STOCHASTIC, effects=("individual", "time", "two-way"), biases=(bias,)))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    unit = dict(zip(case.ids, rng.integers(-1000, 1000, case.n_units), strict=True))
    year = dict(zip(case.table["year"].unique(), rng.integers(-1000, 1000, case.n_times), strict=True))
    y = case.table["y"]
    if case.fixed != "time":
        y = y + case.table["unit"].map(unit)
    if case.fixed != "individual":
        y = y + case.table["year"].map(year)
    assert_same_numbers(case.fit(model, data=case.panel(y=y)), case.fit(model), rtol=1e-11)


@pytest.mark.parametrize("model", ["ols", "slx", "sdm", "sdem"])
@random_checks(6)
@given(case=instances(kinds=ROW_STOCHASTIC), shift=st.integers(-8, 8))
def test_adding_a_regressor_to_the_response(model, case, shift):
    """y + d x1: beta grows by d, theta of the Durbin model by -rho d, nothing else moves."""
    y = case.table["y"] + shift * case.table["x1"]
    found, expected = case.fit(model, data=case.panel(y=y), bias=_linear(case)), case.fit(model, bias=_linear(case))
    moved = expected.params.copy()
    moved["x1"] += shift
    if model == "sdm":
        moved["W_x1"] -= expected.rho * shift
    se = expected.std_errors
    assert ((found.params - moved).abs() <= 1e-10 * (moved.abs() + se)).all()
    np.testing.assert_allclose(found.loglik, expected.loglik, rtol=1e-10, atol=1e-9)


def _linear(case):
    """The additive bias correction depends on the parameters and does not carry over term by term."""
    return "none" if case.bias == "correction" else case.bias


@pytest.mark.parametrize("model", SPATIAL)
@random_checks()
@given(case=instances(kinds=("binary", "asymmetric")), power=st.integers(-6, 6))
def test_scale_of_weights_that_are_not_normalised(model, case, power):
    c = 10.0**power
    found, expected = case.fit(model, w=case.weights(scale=c)), case.fit(model)
    scale = {"rho": c, "lambda": c, "W_x1": c, "W_x2": c}
    factors = np.array([scale.get(t, 1.0) for t in expected.params.index])
    se = expected.std_errors
    assert ((found.params * factors - expected.params).abs() <= 1e-10 * (expected.params.abs() + se)).all()
    np.testing.assert_allclose(found.std_errors * factors, se, rtol=1e-8)
    np.testing.assert_allclose(found.loglik, expected.loglik, rtol=1e-11)
    a, b = (quiet(fit.effects, "delta").table[["estimate", "std_error"]] for fit in (found, expected))
    np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9 * b.abs().to_numpy().max())


@pytest.mark.parametrize("model", MODELS)
@random_checks(6)
@given(case=instances(effects=("none",)))
def test_the_same_panel_twice(model, case):
    """Every period repeated: estimates stay, the log-likelihood doubles, standard errors fall by the root of two."""
    twice = pd.concat([case.table, case.table.assign(year=case.table["year"] + 1000)])
    with pytest.warns(DataWarning, match="not evenly spaced") if case.n_times > 1 else nullcontext():
        data = sde.Panel(twice, unit="unit", time="year")
    found, expected = case.fit(model, data=data), case.fit(model)
    se = expected.std_errors
    assert ((found.params - expected.params).abs() <= 1e-11 * (expected.params.abs() + se)).all()
    np.testing.assert_allclose(found.loglik, 2.0 * expected.loglik, rtol=1e-11)
    half = 0.5 * expected.cov
    if expected.df_resid is not None:  # least squares divides by the degrees of freedom
        half.iloc[:-1, :-1] *= 2 * expected.df_resid / found.df_resid
    np.testing.assert_allclose(found.cov, half, rtol=1e-7, atol=1e-13)


@pytest.mark.parametrize("model", LAGGED)
@random_checks(6)
@given(case=instances(kinds=("binary",), effects=("individual",)))
def test_every_normalisation_by_a_constant_is_the_same_model(model, case):
    spectral, minmax = (case.weights().normalized(kind) for kind in ("spectral", "minmax"))
    a, b = case.fit(model, w=spectral, formula=FORMULA), case.fit(model, w=minmax, formula=FORMULA)
    np.testing.assert_allclose(a.loglik, b.loglik, rtol=1e-11)
    left, right = (quiet(fit.effects, "delta").table["estimate"] for fit in (a, b))
    np.testing.assert_allclose(left, right, rtol=1e-8, atol=1e-9)
