"""Variance inflation and condition numbers against least squares; Lind and Mehlum's test against its definition."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import spatial_de as sde
from spatial_de.diagnostics import collinearity, u_test
from spatial_de.errors import FormulaError, IdentificationError, OptionError
from spatial_de.panel.design import build_design

FORMULA = "y ~ x1 + x2"


def test_condition_number_of_columbus_as_spreg(columbus):
    table, w, _ = columbus
    found = collinearity(sde.fit("CRIME ~ INC + HOVAL", table, w, model="ols"))
    assert found.condition_number == pytest.approx(6.541827751443797, rel=1e-9)  # spreg 1.9.0, mulColli


@pytest.mark.parametrize("kind", ["row", "binary"])
@pytest.mark.parametrize("fixed", ["none", "individual", "time", "two-way"])
def test_vif_is_that_of_regressions_on_all_others(example, fixed, kind):
    panel, w = example(10, 6, kind)
    fit = sde.fit(FORMULA, panel, w, model="sdm", fixed=fixed)
    X, W = build_design(FORMULA, panel).X, w.to_dense().to_numpy()
    columns = {name: X[:, :, j].ravel() for j, name in enumerate(("x1", "x2"))}
    columns |= {f"W_{name}": (X[:, :, j] @ W.T).ravel() for j, name in enumerate(("x1", "x2"))}
    names = list(columns)
    cells = pd.MultiIndex.from_product([range(6), range(10)], names=["year", "unit"])
    frame = pd.DataFrame(columns, index=cells).reset_index()
    kept = {"none": [], "individual": ["unit"], "time": ["year"], "two-way": ["unit", "year"]}[fixed]
    base = np.ones((len(frame), 1))
    if kept:
        dummies = pd.get_dummies(frame[kept].astype(str), drop_first=True).to_numpy(float)
        base = np.column_stack([base, dummies])
    for name in names:
        others = np.column_stack([base, frame[[n for n in names if n != name]]])
        x = frame[name].to_numpy()
        rest = x - others @ np.linalg.lstsq(others, x, rcond=None)[0]
        own = x - base @ np.linalg.lstsq(base, x, rcond=None)[0]
        assert collinearity(fit).table.loc[name, "vif"] == pytest.approx((own @ own) / (rest @ rest), rel=1e-7)


def test_a_nearly_collinear_pair_is_named(example):
    table, w = example(40, 1, "row")
    rng = np.random.default_rng(0)
    table = table.assign(x2=table["x1"] + 1e-3 * rng.normal(size=40))
    found = collinearity(sde.fit(FORMULA, table, w, model="sar"))
    assert found.high == ["x1", "x2"]
    assert found.table.loc["x1", "closest"] == "x2"
    assert "Condition number" in str(found)
    with pytest.raises(IdentificationError):
        collinearity(sde.fit("y ~ 1", table, w, model="sar"))


def curved(n=200, *, peak=2.0, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.0, 4.0, n)
    y = -((x - peak) ** 2) + rng.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "x2": x**2})


def test_against_the_definition_and_fieller():
    data = curved()
    fit = sde.fit("y ~ x + x2", data, model="ols")
    found = u_test(fit, "x", "x2")
    X = np.column_stack([np.ones(200), data["x"], data["x2"]])
    b = np.linalg.lstsq(X, data["y"], rcond=None)[0]
    s2 = np.sum((data["y"] - X @ b) ** 2) / 197
    V = s2 * np.linalg.inv(X.T @ X)

    def t_at(x):
        g = np.array([0.0, 1.0, 2.0 * x])
        return g @ b / np.sqrt(g @ V @ g)

    assert found.shape == "inverse U"
    assert found.extremum == pytest.approx(-b[1] / (2 * b[2]))
    assert found.t_low == pytest.approx(t_at(data["x"].min()), rel=1e-8)
    assert found.t_high == pytest.approx(t_at(data["x"].max()), rel=1e-8)
    assert found.p_value == pytest.approx(stats.t.sf(min(found.t_low, -found.t_high), 197), rel=1e-6)
    for end in (found.conf_low, found.conf_high):  # the ends are the points where the slope is just not significant
        assert abs(t_at(end)) == pytest.approx(stats.t.ppf(0.975, 197), rel=1e-6)
    assert found.conf_low < found.extremum < found.conf_high
    assert "inside the data" in str(found)


def test_a_significant_square_is_not_enough():
    """The relation only flattens out within the data: the square is significant, the shape is not there."""
    data = curved(400, peak=4.2)
    fit = sde.fit("y ~ x + x2", data, model="ols")
    assert fit.pvalues["x2"] < 1e-6
    assert u_test(fit, "x", "x2").p_value > 0.3


def test_size_at_the_least_favourable_point():
    """Slope zero at one end: 5 % of 400 samples, standard error 1.1 points."""
    rejected = [
        u_test(sde.fit("y ~ x + x2", curved(peak=4.0, seed=s), model="ols"), "x", "x2", between=(0.0, 4.0)).p_value
        < 0.05
        for s in range(400)
    ]
    assert 0.02 < np.mean(rejected) < 0.085


def test_lags_and_sums(example):
    table, w = example(60, 1, "row")
    table = table.assign(x2=table["x1"] ** 2)
    fit = sde.fit(FORMULA, table, w, model="sdm")
    own, theirs, total = (u_test(fit, "x1", "x2", of=of) for of in ("own", "neighbors", "total"))
    assert own.extremum == pytest.approx(-fit.params["x1"] / (2 * fit.params["x2"]))
    assert theirs.extremum == pytest.approx(-fit.params["W_x1"] / (2 * fit.params["W_x2"]))
    sums = [fit.params[n] + fit.params[f"W_{n}"] for n in ("x1", "x2")]
    assert total.extremum == pytest.approx(-sums[0] / (2 * sums[1]))
    with pytest.raises(FormulaError, match="W_x1"):
        u_test(sde.fit(FORMULA, table, w, model="sar"), "x1", "x2", of="total")


def test_misuse_is_named(example):
    table, w = example(40, 1, "row")
    fit = sde.fit(FORMULA, table, w, model="sar")
    with pytest.raises(OptionError, match="not the square"):
        u_test(fit, "x1", "x2")
    with pytest.raises(FormulaError, match="x9"):
        u_test(fit, "x9", "x2")
