"""`Panel`: labelled, sorted, checked once; lags and selections by label."""

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import AlignmentError, DataError, DataWarning, PanelError
from spatial_de.weights import SpatialWeights


@pytest.fixture
def panel(table):
    return sde.Panel(table, unit="code", time="year")


def value(table, unit, year, column="x"):
    return table.loc[(table["code"] == unit) & (table["year"] == year), column].item()


def test_axes_are_sorted_and_labelled(panel, table):
    assert list(panel.units) == ["a", "b", "c", "d"]
    assert list(panel.times) == [2000, 2001, 2002]
    assert (panel.n_units, panel.n_times, len(panel), panel.is_balanced) == (4, 3, 12, True)
    assert (panel.unit_name, panel.time_name) == ("code", "year")
    assert list(panel.columns) == ["x", "y", "name"]
    assert "x" in panel
    assert "code" not in panel
    for unit in "abcd":
        for year in (2000, 2001, 2002):
            assert panel["x"][unit, year] == value(table, unit, year)
            assert panel.wide("x").loc[year, unit] == value(table, unit, year)


def test_values_have_axes_time_unit_variable(panel, table):
    values = panel.values(["y", "x"])
    assert values.shape == (3, 4, 2)
    assert values[1, 3, 0] == value(table, "d", 2001, "y")
    assert values[0, 2, 1] == value(table, "c", 2000, "x")


def test_any_order_of_rows_is_the_same_panel(panel, table):
    other = sde.Panel(table.iloc[::-1], unit="code", time="year")
    pd.testing.assert_frame_equal(other.frame, panel.frame)


def test_the_given_table_and_the_panel_do_not_share_memory(panel, table):
    before = panel["x"]
    table["x"] = 0.0
    frame, column = panel.frame, panel["x"]
    frame["x"] = 1.0
    column.iloc[0] = 99.0
    pd.testing.assert_series_equal(panel["x"], before)


def test_round_trip(panel):
    again = sde.Panel.from_dict(panel.to_dict())
    pd.testing.assert_frame_equal(again.frame, panel.frame)
    pd.testing.assert_frame_equal(sde.Panel(panel.to_frame(), "code", "year").frame, panel.frame)


def test_assign_meets_by_label(panel):
    reverse = panel["x"].iloc[::-1] * 2.0
    more = panel.assign(twice=reverse, one=1.0, both=lambda p: p["twice"] + p["one"])
    pd.testing.assert_series_equal(more["both"], 2.0 * panel["x"] + 1.0, check_names=False)
    assert "twice" not in panel  # the old panel is as it was


def test_assign_refuses_what_has_other_labels(panel):
    with pytest.raises(AlignmentError, match=r"^Variable 'z' has 11 rows, the panel 12"):
        panel.assign(z=panel["x"].iloc[1:])
    wrong = panel["x"].rename(index={"a": "A"}, level="code")
    with pytest.raises(AlignmentError, match=r"^Variable 'z' lacks \('a', 2000\), \('a', 2001\), \('a', 2002\)"):
        panel.assign(z=wrong)
    with pytest.raises(DataError, match="1 value infinite: z at a, 2000"):
        panel.assign(z=panel["x"].where(panel["x"].index != ("a", 2000), np.inf))


def test_select(panel):
    part = panel.select(units=["d", "a"], times=range(2001, 2003), columns=["y"])
    assert (list(part.units), list(part.times), list(part.columns)) == (["a", "d"], [2001, 2002], ["y"])
    with pytest.raises(PanelError, match=r"^The panel has no code 'q'; it has 'a', 'b', 'c' and 1 more \(4 in all\)"):
        panel.select(units=["a", "q"])
    with pytest.raises(PanelError, match="holds no rows"):
        panel.select(times=[])
    with pytest.raises(
        DataError, match=r"^The panel has no variable 'nam'\. Did you mean 'name'\? It has 'x', 'y', 'name'"
    ):
        panel.select(columns=["nam"])


def test_balance_reports_what_it_drops(table):
    hole = table.drop(table[(table["code"] == "b") & (table["year"] == 2001)].index)
    hole.loc[(hole["code"] == "c") & (hole["year"] == 2002), "y"] = np.nan
    loose = sde.Panel(hole, "code", "year", unbalanced=True)
    assert not loose.is_balanced
    assert "unbalanced, 11 rows" in repr(loose)
    with pytest.raises(PanelError, match=r"1 row of 12 missing, \('b', 2001\)"):
        loose.values(["x"])
    rows_only = loose.balance()
    assert list(rows_only.units) == ["a", "c", "d"]
    full = loose.balance(["y"])
    assert list(full.units) == ["a", "d"]
    expected = [("b", 2001, "no row"), ("c", 2002, "y is missing")]
    assert list(full.dropped.itertuples(index=False, name=None)) == expected
    assert "dropped    2 units that are not complete: 'b', 'c'" in repr(full)
    assert loose.dropped.empty


def test_balance_refuses_to_drop_everything(table):
    holes = table.assign(y=table["y"].where(table["year"] != 2000))
    with pytest.raises(PanelError, match="No unit is complete over 3 times"):
        sde.Panel(holes, "code", "year").balance(["y"])


def test_spatial_lag_by_label(panel):
    rng = np.random.default_rng(1)
    W = rng.uniform(size=(4, 4)) * (1 - np.eye(4))
    w = SpatialWeights(W, ["c", "a", "d", "b"])
    lagged = panel.lag("x", w)
    assert lagged.name == "W_x"
    for year in panel.times:
        x = panel.wide("x").loc[year]
        expected = w.to_dense().loc[x.index, x.index] @ x
        np.testing.assert_allclose([lagged[unit, year] for unit in x.index], expected)
    with pytest.raises(AlignmentError, match="not the same"):
        panel.lag("x", SpatialWeights(W, list("abce")))


def test_time_lag(panel, table):
    earlier = panel.time_lag("x")
    assert earlier.name == "L1_x"
    assert earlier["b", 2002] == value(table, "b", 2001)
    assert np.isnan(earlier["b", 2000])
    assert panel.time_lag("x", 2)["c", 2002] == value(table, "c", 2000)
    lead = panel.time_lag("x", -1)
    assert lead["c", 2000] == value(table, "c", 2001)


def test_time_lag_of_a_unit_without_a_row_is_missing_not_shifted(table):
    hole = table.drop(table[(table["code"] == "b") & (table["year"] == 2001)].index)
    loose = sde.Panel(hole, "code", "year", unbalanced=True)
    assert np.isnan(loose.time_lag("x")["b", 2002])
    assert loose.time_lag("x")["a", 2002] == value(table, "a", 2001)


def test_years_that_are_far_apart_are_pointed_at(table):
    gap = table.assign(year=table["year"].replace(2002, 2009))
    with pytest.warns(DataWarning, match=r"^The times are not evenly spaced: the step before 2009 is not 1\.$"):
        sde.Panel(gap, "code", "year")


def test_quarters_as_text_are_times(table):
    quarters = table.assign(year=table["year"].map({2000: "2013Q1", 2001: "2013Q2", 2002: "2013Q3"}))
    assert list(sde.Panel(quarters, "code", "year").times) == ["2013Q1", "2013Q2", "2013Q3"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unit": "cod"}, "There is no column 'cod'. Did you mean 'code'?"),
        ({"time": "t"}, "There is no column 't'."),
    ],
)
def test_unknown_columns(change, message, table):
    with pytest.raises(PanelError) as caught:
        sde.Panel(table, **({"unit": "code", "time": "year"} | change))
    assert str(caught.value) == message


def test_missing_labels_and_empty_tables(table):
    with pytest.raises(
        PanelError, match=r"^Column 'code' is missing in 1 row of the table \(row 4, where the first is 1\)\.$"
    ):
        sde.Panel(table.assign(code=table["code"].where(table.index != 3)), "code", "year")
    with pytest.raises(PanelError, match=r"^The data hold no rows\.$"):
        sde.Panel(table.iloc[:0], "code", "year")


def test_text(panel):
    assert repr(panel).splitlines() == [
        "Panel: 4 code units x 3 times (balanced)",
        "  code       'a', 'b', 'c', 'd'",
        "  year       2000 to 2002",
        "  variables  'x', 'y', 'name'",
    ]
    assert panel._repr_html_().startswith("<pre>Panel: 4")


@pytest.mark.parametrize(
    "times",
    [[f"2013M{m}" for m in range(1, 13)], ["Q1 2013", "Q2 2013", "Q1 2014"], ["2013Jan", "2013Feb"], ["t1", "t2"]],
)
def test_text_times_whose_order_cannot_be_told_are_refused(times):
    df = pd.DataFrame({"code": "a", "month": times, "x": range(len(times))})
    with pytest.raises(PanelError) as caught:
        sde.Panel(df, unit="code", time="month")
    shown = "2013M10" if "2013M10" in times else times[0]
    assert str(caught.value) == (
        f"Column 'month' holds times as text such as {shown!r}, which the alphabet may put into another order than "
        "the calendar. Number them with integers in their order, or write them with the year first and zeros in front, "
        "like 2013Q1, 2013M02, 2013-02."
    )


@pytest.mark.parametrize(
    "times",
    [
        [f"2013M{m:02d}" for m in range(1, 13)],
        ["2013Q4", "2014Q1"],
        ["2013-12-31", "2014-01-01"],
        ["2013 h1", "2013 h2"],
    ],
)
def test_text_times_that_sort_like_the_calendar(times):
    df = pd.DataFrame({"code": "a", "when": times, "x": range(len(times))}).sample(frac=1.0, random_state=1)
    lag = sde.Panel(df, unit="code", time="when").time_lag("x")
    assert [lag["a", time] for time in times[1:]] == list(range(len(times) - 1))
