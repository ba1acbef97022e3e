"""From formula and labelled data to arrays."""

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import DataError, FormulaError
from spatial_de.panel.design import build_design


@pytest.fixture
def panel(table):
    regions = {"a": "east", "b": "east", "c": "west", "d": "centre"}
    table = table.assign(size=np.exp(table["y"]), region=table["code"].map(regions))
    return sde.Panel(table, unit="code", time="year")


def test_arrays_have_axes_time_unit_regressor(panel):
    design = build_design("y ~ x + log(size)", panel)
    assert design.y.shape == (3, 4)
    assert design.X.shape == (3, 4, 2)
    np.testing.assert_array_equal(design.y, panel.wide("y"))
    np.testing.assert_array_equal(design.X[:, :, 0], panel.wide("x"))
    np.testing.assert_allclose(design.X[:, :, 1], panel.wide("y"))
    assert (design.y_name, design.x_names, design.intercept) == ("y", ("x", "log(size)"), True)
    assert design.is_panel
    assert not design.dummies.any()
    np.testing.assert_array_equal(design.y.T.ravel(), panel["y"].reindex(design.index))


@pytest.mark.parametrize(
    ("formula", "names"),
    [
        ("y ~ x", ["x"]),
        ("y ~ x + I(x**2)", ["x", "I(x ** 2)"]),  # one spelling, however it is written
        ("y ~ x + I(x ** 2)", ["x", "I(x ** 2)"]),
        ("y ~ x * size", ["x", "size", "x:size"]),
        ("y ~ x:size", ["x:size"]),
        ("y ~ (x + size)**2", ["x", "size", "x:size"]),
        ("y ~ I(exp(log(size))**2)", ["I(exp(log(size)) ** 2)"]),
        ("y ~ center(x)", ["center(x)"]),
        ("y ~ 0 + x", ["x"]),
        ("y ~ x - 1", ["x"]),
        ("y ~ x + C(region)", ["x", "C(region)[T.east]", "C(region)[T.west]"]),
    ],
)
def test_names_of_terms(formula, names, panel):
    design = build_design(formula, panel)
    assert sorted(design.x_names) == sorted(names)
    assert design.intercept == (" 0 " not in formula and "- 1" not in formula)
    for j, name in enumerate(design.x_names):
        assert design.dummies[j] == name.startswith("C(")


def test_interaction_and_power_are_what_they_say(panel):
    design = build_design("y ~ I(x**2) + x:size", panel)
    for j, expected in enumerate((panel["x"] ** 2, panel["x"] * panel["size"])):
        np.testing.assert_allclose(design.X[:, :, j].T.ravel(), expected, rtol=1e-14)


def test_transformed_response(panel):
    design = build_design("log(size) ~ x", panel)
    assert design.y_name == "log(size)"
    np.testing.assert_allclose(design.y, panel.wide("y"))


def test_cross_section_is_sorted_and_remembers_its_order(table):
    cross = table[table["year"] == 2000].set_index("code")
    design = build_design("y ~ x", cross)
    assert list(design.units) == ["a", "b", "c", "d"]
    assert list(design.given_index) == list(cross.index)
    assert not design.is_panel
    np.testing.assert_array_equal(design.y[0], cross["y"].sort_index())


def refused(formula, data):
    with pytest.raises((DataError, FormulaError)) as caught:
        build_design(formula, data)
    return type(caught.value).__name__, str(caught.value)


@pytest.mark.parametrize(
    ("formula", "kind", "start"),
    [
        ("y ~ x +", "FormulaError", "The formula 'y ~ x +' cannot be read: write it as 'y ~ x1 + x2'."),
        ("x", "FormulaError", "The formula 'x' needs one response"),
        ("y + size ~ x", "FormulaError", "The formula 'y + size ~ x' needs one response"),
        ("y ~ siz", "FormulaError", "The formula names 'siz', which is not in the data. Did you mean 'size'?"),
        ("y ~ x + region", "DataError", "Variable 'region' holds text where numbers are needed"),
        ("y ~ log(x)", "DataError", "The term 'log(x)' is not a finite number at"),
        ("y ~ lag(x)", "FormulaError", "lag() in a formula would shift rows across units"),
        ("y ~ nosuch(x)", "FormulaError", "The formula names 'nosuch', which is not in the data."),
        (
            "y ~ x | code",
            "FormulaError",
            "The formula 'y ~ x | code' has a part after '|': choose fixed effects by fixed=",
        ),
        ("y ~ x + x^2", "FormulaError", "The formula 'y ~ x + x^2' raises a variable to a power"),
        ("y ~ x + log(size) ** 2", "FormulaError", "The formula 'y ~ x + log(size) ** 2' raises a variable to a power"),
        ("", "FormulaError", "The formula '' needs one response"),
    ],
)
def test_formulas_that_cannot_be_used(formula, kind, start, panel):
    found, message = refused(formula, panel)
    assert found == kind
    assert message.startswith(start)


def test_names_are_looked_up_in_the_data_only(panel):
    x_outside = np.arange(12.0)  # noqa: F841  a local name that must not be found
    assert refused("y ~ x_outside", panel)[0] == "FormulaError"


def test_missing_category(panel):
    holes = panel.assign(region=panel["region"].where(panel["region"] != "centre"))
    kind, message = refused("y ~ x + C(region)", holes)
    assert (kind, message) == (
        "DataError",
        "Variable 'region' is missing at ('d', 2000), ('d', 2001), ('d', 2002).",
    )


@pytest.mark.parametrize("dtype", ["Int64", "float32", "int8", "uint8", "Float64"])
def test_nullable_and_small_types(dtype, table):
    values = pd.Series(np.arange(12) % 5, index=table.index)
    found = build_design("y ~ x", sde.Panel(table.assign(x=values.astype(dtype)), "code", "year"))
    expected = build_design("y ~ x", sde.Panel(table.assign(x=values.astype(float)), "code", "year"))
    np.testing.assert_array_equal(found.X, expected.X)
    assert found.X.dtype == np.float64


def test_chinese_names(table):
    named = table.rename(columns={"x": "数字经济", "y": "收入差距"})
    design = build_design("收入差距 ~ 数字经济", sde.Panel(named, "code", "year"))
    assert (design.y_name, design.x_names) == ("收入差距", ("数字经济",))


def test_names_with_blanks_in_backticks(table):
    named = table.rename(columns={"x": "digital index"})
    design = build_design("y ~ `digital index`", sde.Panel(named, "code", "year"))
    np.testing.assert_array_equal(design.X[:, :, 0], sde.Panel(table, "code", "year").wide("x"))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "Int8", "float32", "int64"])
@pytest.mark.parametrize("term", ["I(x**2)", "I(x*z)", "x:z", "I(-x)", "I(x-z)", "log(x)", "exp(x)"])
def test_arithmetic_in_a_formula_is_that_of_double_precision(term, dtype):
    """Small integers overflow in silence: 60 squared is 16 in int8."""
    rng = np.random.default_rng(0)
    plain = pd.DataFrame(
        {"y": rng.normal(size=30), "x": rng.integers(20, 70, 30) * 1.0, "z": rng.integers(20, 70, 30) * 1.0}
    )
    small = plain.astype({"x": dtype, "z": dtype})
    np.testing.assert_array_equal(build_design(f"y ~ {term}", small).X, build_design(f"y ~ {term}", plain).X)


def test_large_integers_do_not_overflow():
    yuan = pd.DataFrame({"y": [1.0, 2.0, 4.0, 3.0], "gdp": [10**10, 5 * 10**10, 7 * 10**10, 3 * 10**10]})
    np.testing.assert_allclose(build_design("y ~ I(gdp**2)", yuan).X[0, :, 0], yuan["gdp"].astype(float) ** 2)


def test_a_variable_called_intercept_is_refused():
    table = pd.DataFrame({"y": [1.0, 2.0, 4.0], "Intercept": [1.0, 5.0, 2.0]})
    with pytest.raises(FormulaError, match="A variable cannot be called 'Intercept'"):
        build_design("y ~ Intercept", table)


def test_conditions_inside_c():
    table = pd.DataFrame({"y": [1.0, 2.0, 4.0, 0.0], "x": [1, 5, 2, 7]})
    assert build_design("y ~ C(x > 3)", table).x_names == ("C(x > 3)[T.True]",)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_units_of_an_ordered_category_are_sorted_by_label_like_others(order):
    labels = pd.CategoricalIndex(np.array(["c", "b", "a"])[order], categories=["c", "b", "a"], ordered=True)
    frame = pd.DataFrame({"y": np.array([3.0, 2.0, 1.0])[order], "x": np.ones(3)}, index=labels)
    design = build_design("y ~ x", frame)
    assert list(design.units) == ["a", "b", "c"]
    np.testing.assert_array_equal(design.y, [[1.0, 2.0, 3.0]])
