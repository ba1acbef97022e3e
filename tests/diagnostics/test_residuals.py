"""Tests of residuals against peers, dense projections, and Monte Carlo."""

import numpy as np
import pandas as pd
import pytest
from numpy.polynomial.hermite_e import hermegauss

import spatial_de as sde
from spatial_de.diagnostics import heteroskedasticity_test, normality_test, residual_moran
from spatial_de.errors import FormulaError, IdentificationError, OptionError
from spatial_de.panel.design import build_design

CRIME = "CRIME ~ INC + HOVAL"
FORMULA = "y ~ x1 + x2"


@pytest.fixture(scope="module")
def crime(columbus):
    table, w, golden = columbus
    return sde.fit(CRIME, table, w, model="ols"), golden


def test_normality_and_variance_as_spreg(crime):
    fit, golden = crime
    variances = [heteroskedasticity_test(fit, squares=True, studentized=which) for which in (False, True)]
    found = [normality_test(fit), *variances]
    for test in found:
        expected = golden["spreg"][test.name]
        assert test.statistic == pytest.approx(expected["statistic"], rel=1e-9)
        assert test.p_value == pytest.approx(expected["p"], rel=1e-9)
        assert test.df == expected["df"]


@pytest.mark.parametrize("model", ["sar", "sdm"])
def test_variance_as_spatialreg(columbus, model):
    table, w, golden = columbus
    fit = sde.fit(CRIME, table, w, model=model)
    for studentized in (False, True):
        found = heteroskedasticity_test(fit, studentized=studentized)
        expected = golden["spatialreg"][f"{found.name} {model.upper()}"]
        assert found.statistic == pytest.approx(expected["statistic"], rel=1e-6)
        assert found.df == expected["df"]


def test_moran_as_spdep(crime):
    fit, golden = crime
    found, expected = residual_moran(fit), golden["spatialreg"]["Moran of residuals"]
    for name in ("I", "expected", "variance", "z"):
        assert getattr(found, name) == pytest.approx(expected[name], rel=1e-9)
    assert found.test.distribution == "N(0, 1)"


def off(matrix):
    """The projection off the columns of a matrix."""
    U, s, _ = np.linalg.svd(matrix, full_matrices=False)
    U = U[:, s > 1e-9 * s[0]]
    return np.eye(len(matrix)) - U @ U.T


def effects_of(fixed, times, n):
    unit, time = np.kron(np.ones((times, 1)), np.eye(n)), np.kron(np.eye(times), np.ones((n, 1)))
    one = np.ones((times * n, 1))
    return np.hstack({"none": [one], "individual": [unit], "time": [time], "two-way": [unit, time]}[fixed])


@pytest.mark.parametrize("kind", ["row", "binary", "island", "weighted"])
@pytest.mark.parametrize("fixed", ["none", "individual", "time", "two-way"])
@pytest.mark.parametrize("model", ["ols", "slx"])
def test_moments_of_moran_are_those_of_the_projection(example, fixed, kind, model):
    times, n = 4, 11
    panel, w = example(n, times, kind)
    fit = sde.fit(FORMULA, panel, w, model=model, fixed=fixed, bias="lee-yu")
    design = build_design(FORMULA, panel)
    big = np.kron(np.eye(times), w.to_dense().to_numpy())
    X = design.X.reshape(times * n, -1)
    M = off(np.hstack([effects_of(fixed, times, n), X, *([big @ X] if model == "slx" else [])]))
    e = M @ design.y.ravel()
    factor, d = times * n / big.sum(), np.trace(M)
    mean = factor * np.trace(M @ big) / d
    second = np.trace(M @ big @ M @ big.T) + np.trace(M @ big @ M @ big) + np.trace(M @ big) ** 2
    found = residual_moran(fit)
    assert abs(found.I - factor * (e @ big @ e) / (e @ e)) < 1e-11
    assert found.expected == pytest.approx(mean, rel=1e-9)
    assert found.variance == pytest.approx(factor**2 * second / (d * (d + 2)) - mean**2, rel=1e-8)


@pytest.mark.parametrize("fixed", ["none", "individual", "time", "two-way"])
def test_variances_of_the_normality_test(example, fixed):
    """Variances of sums of Hermite polynomials of correlated normals, by quadrature over each pair."""
    times, n = 3, 5
    panel, w = example(n, times, "row", seed=3)
    fit = sde.fit("y ~ x1", panel, w, model="ols", fixed=fixed)
    M = off(effects_of(fixed, times, n)) if fixed != "none" else np.eye(times * n)
    r = M / np.sqrt(np.outer(np.diag(M), np.diag(M)))
    nodes, weights = hermegauss(12)
    weights = weights / weights.sum()
    a, b = np.meshgrid(nodes, nodes)
    mass = np.outer(weights, weights)

    def variance(hermite):
        total = 0.0
        for rho in r.ravel():
            total += np.sum(mass * hermite(a) * hermite(rho * a + np.sqrt(max(1 - rho**2, 0.0)) * b))
        return total

    e = fit.estimate.e.ravel()
    e = (e - e.mean()) / np.sqrt(np.mean((e - e.mean()) ** 2))
    third, fourth = variance(lambda x: x**3 - 3 * x), variance(lambda x: x**4 - 6 * x**2 + 3)
    expected = np.sum(e**3) ** 2 / third + np.sum(e**4 - 3) ** 2 / fourth
    assert normality_test(fit).statistic == pytest.approx(expected, rel=1e-8)


def test_two_times_have_no_skewness(example):
    panel, w = example(12, 2, "row")
    found = normality_test(sde.fit(FORMULA, panel, w, model="ols", fixed="individual"))
    assert found.df == 1
    assert np.isfinite(found.statistic)


@pytest.mark.parametrize("fixed", ["none", "individual", "time", "two-way"])
def test_variance_of_the_breusch_pagan_statistic(example, fixed):
    times, n = 4, 9
    panel, w = example(n, times, "row")
    fit = sde.fit(FORMULA, panel, w, model="ols", fixed=fixed)
    M = off(effects_of(fixed, times, n)) if fixed != "none" else np.eye(times * n)
    r = M / np.sqrt(np.outer(np.diag(M), np.diag(M)))
    e = fit.estimate.e.ravel()
    u = e**2 / np.mean(e**2) - 1.0
    Z = build_design(FORMULA, panel).X.reshape(times * n, -1)
    Z = Z - Z.mean(axis=0)
    expected = u @ Z @ np.linalg.inv(Z.T @ (2 * r**2) @ Z) @ Z.T @ u
    assert heteroskedasticity_test(fit, studentized=False).statistic == pytest.approx(expected, rel=1e-8)


def test_variance_by_one_regressor_and_in_any_units(example):
    table, w = example(30, 1, "row")
    fit = sde.fit(FORMULA, table, w, model="sar")
    other = sde.fit(FORMULA, table.assign(x1=1e12 * table["x1"] + 1e13, y=1e-6 * table["y"]), w, model="sar")
    assert heteroskedasticity_test(fit, by=["x1"]).df == 1
    assert heteroskedasticity_test(other).statistic == pytest.approx(heteroskedasticity_test(fit).statistic, rel=1e-4)
    with pytest.raises(FormulaError, match="x9"):
        heteroskedasticity_test(fit, by=["x9"])


def test_a_variance_that_grows_is_found():
    rng = np.random.default_rng(5)
    x = rng.uniform(size=400)
    frame = pd.DataFrame({"y": x + (0.2 + x) * rng.normal(size=400), "x": x})
    fit = sde.fit("y ~ x", frame, model="ols")
    assert heteroskedasticity_test(fit).p_value < 0.001
    assert normality_test(sde.fit("y ~ x", frame.assign(y=rng.exponential(size=400)), model="ols")).p_value < 0.001


def test_named_errors(example):
    table, w = example(20, 1, "row")
    with pytest.raises(IdentificationError, match="conditional_lm_tests"):
        residual_moran(sde.fit(FORMULA, table, w, model="sar"))
    with pytest.raises(OptionError, match="no weights"):
        residual_moran(sde.fit(FORMULA, table, model="ols"))
    panel, w = example(12, 4, "row")
    with pytest.raises(OptionError, match="random"):
        normality_test(sde.fit(FORMULA, panel, w, model="sar", random=True))


@pytest.mark.parametrize("offset", [1e6, 1e10])
def test_an_offset_drops_no_regressor(offset):
    """A year or an identifier varies little beside its level: it still counts, as it does in the fit."""
    rng = np.random.default_rng(5)
    x, z = rng.uniform(size=(2, 300))
    frame = pd.DataFrame({"y": x + z + (0.2 + x) * rng.normal(size=300), "x": x, "z": z})
    plain, moved = (
        heteroskedasticity_test(sde.fit("y ~ x + z", frame.assign(x=frame["x"] + c), model="ols"))
        for c in (0.0, offset)
    )
    assert moved.df == plain.df == 2
    assert moved.statistic == pytest.approx(plain.statistic, rel=1e-4)
