"""Hausman tests: peers, the definition, and a difference that is not positive definite."""

import numpy as np
import pytest

import spatial_de as sde
from spatial_de.diagnostics import hausman_test, spatial_hausman_test
from spatial_de.errors import IdentificationError, OptionError

CRIME = "CRIME ~ INC + HOVAL"
CIGARETTES = "logc ~ logp + logy"
FORMULA = "y ~ x1 + x2"


def dense(y, X, W, fit, *, transposed):
    """The statistic from its definition; with `transposed` False from the product that spatialreg takes."""
    B = np.eye(len(y)) - fit.lam * W
    inverse, root = np.linalg.inv(X.T @ X), np.linalg.inv(B)
    spread = inverse @ X.T @ root @ (root.T if transposed else root) @ X @ inverse
    V = fit.sigma2 * (spread - np.linalg.inv(X.T @ B.T @ B @ X))
    d = inverse @ X.T @ y - fit.params.to_numpy()[: X.shape[1]]
    return d @ np.linalg.solve(V, d)


@pytest.mark.parametrize("model", ["sem", "sdem"])
def test_by_the_definition_and_why_spatialreg_differs(columbus, model):
    """Columbus SEM: 5.1666, where spatialreg prints 6.4729 from a covariance that is not symmetric."""
    table, w, golden = columbus
    fit = sde.fit(CRIME, table, w, model=model)
    W, y = w.to_dense().to_numpy(), table["CRIME"].to_numpy()
    X = np.column_stack([np.ones(len(y)), table["INC"], table["HOVAL"]])
    if model == "sdem":
        X = np.column_stack([X, W @ X[:, 1:]])
    found = spatial_hausman_test(fit)
    assert found.statistic == pytest.approx(dense(y, X, W, fit, transposed=True), rel=1e-6)
    assert found.df == X.shape[1]
    printed = golden["spatialreg"]["known_wrong"][f"Hausman {model.upper()}"]["statistic"]
    assert dense(y, X, W, fit, transposed=False) == pytest.approx(printed, rel=1e-6)
    assert found.statistic < 0.9 * printed


@pytest.mark.parametrize("kind", ["binary", "island"])
def test_by_the_definition_for_any_weights(example, kind):
    table, w = example(30, 1, kind)
    fit = sde.fit(FORMULA, table, w, model="sem")
    X = np.column_stack([np.ones(30), table["x1"], table["x2"]])
    expected = dense(table["y"].to_numpy(), X, w.to_dense().to_numpy(), fit, transposed=True)
    assert spatial_hausman_test(fit).statistic == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("model", "key"), [("sem", "error_ML"), ("sdem", "durbin_error_ML")])
def test_splm_prints_the_absolute_value_of_an_indefinite_form(cigarettes, quietly, model, key):
    panel, w, golden = cigarettes
    fixed = quietly(sde.fit, CIGARETTES, panel, w, model=model, fixed="individual", bias="none", information="expected")
    random = sde.fit(CIGARETTES, panel, w, model=model, fixed="none", random="kkp", information="expected")
    printed = golden["splm"]["sphtest"][key]["statistic"]
    with pytest.raises(IdentificationError, match=rf"not positive definite.*would be -{printed:.4g}"):
        hausman_test(fixed, random)


def test_two_estimators_of_one_model(example):
    panel, w = example(25, 6, "row")
    fixed = sde.fit(FORMULA, panel, w, model="sar", fixed="individual")
    random = sde.fit(FORMULA, panel, w, model="sar", fixed="none", random=True)
    names = ["x1", "x2"]
    d = (fixed.params[names] - random.params[names]).to_numpy()
    V = (fixed.cov.loc[names, names] - random.cov.loc[names, names]).to_numpy()
    found = hausman_test(fixed, random)
    assert found.statistic == pytest.approx(d @ np.linalg.solve(V, d), rel=1e-9)
    assert found.df == 2


def test_effects_that_go_with_a_regressor_are_found(example):
    panel, w = example(40, 8, "row", seed=2)
    frame = panel.to_frame().reset_index()
    frame["y"] += 0.5 * frame.groupby("unit")["x1"].transform("mean")
    panel = sde.Panel(frame, unit="unit", time="year")
    fixed = sde.fit(FORMULA, panel, w, model="sar", fixed="individual")
    random = sde.fit(FORMULA, panel, w, model="sar", fixed="none", random=True)
    assert hausman_test(fixed, random).p_value < 0.05


def test_misuse_is_refused(example, columbus):
    panel, w = example(12, 4, "row")
    fixed = sde.fit(FORMULA, panel, w, model="sar", fixed="individual")
    random = sde.fit(FORMULA, panel, w, model="sar", fixed="none", random=True)
    with pytest.raises(OptionError, match="then one with random=True"):
        hausman_test(random, fixed)
    with pytest.raises(OptionError, match="different models"):
        hausman_test(sde.fit(FORMULA, panel, w, model="sdm", fixed="individual"), random)
    with pytest.raises(OptionError, match="unit effects alone"):
        hausman_test(sde.fit(FORMULA, panel, w, model="sar"), random)
    with pytest.raises(OptionError, match="model='sar'"):
        spatial_hausman_test(fixed)


def test_other_regressors_are_refused(example):
    panel, w = example(12, 4, "row")
    fixed = sde.fit(FORMULA, panel, w, model="sar", fixed="individual")
    fewer = sde.fit("y ~ x1", panel, w, model="sar", fixed="none", random=True)
    with pytest.raises(OptionError, match="different regressors"):
        hausman_test(fixed, fewer)
    other = panel.assign(x1=lambda p: 2.0 * p["x1"])
    with pytest.raises(OptionError, match="different regressors"):
        hausman_test(fixed, sde.fit(FORMULA, other, w, model="sar", fixed="none", random=True))


def test_regressors_that_do_not_vary_over_time_are_the_random_fit_s_alone(example):
    panel, w = example(25, 6, "row")
    panel = panel.assign(size=lambda p: p["x2"].groupby(level=0).transform("first"))
    fixed = sde.fit(FORMULA, panel, w, model="sar", fixed="individual")
    random = sde.fit(FORMULA + " + size", panel, w, model="sar", fixed="none", random=True)
    assert hausman_test(fixed, random).df == 2
