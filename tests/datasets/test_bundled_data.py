"""The bundled panels: complete where the codebook says so, units right, derived variables as documented."""

import numpy as np
import pandas as pd
import pytest
from libpysal.examples import get_path
from libpysal.io import open as open_gal

from spatial_de import datasets
from spatial_de.datasets.derived import DERIVED
from spatial_de.errors import OptionError
from spatial_de.weights.contiguity import contiguity

MAIN_JOB = [
    *("ln_gap", "urbanisation", "ln_gdp_pc", "expenditure_share", "secondary_share", "ln_patents", "theil"),
    *("broadband_ports_per_head", "mobile_subscribers_per_100", "domains_per_head", "software_revenue_share"),
    *("ecommerce_sales_share", "it_employment_share", "firms_ecommerce_share"),
]
SOMETIMES = {
    "income_urban": [2014, 2021, 2022, 2023],
    "income_rural": [2014, 2021, 2022, 2023],
    "income_all": [2021, 2022, 2023],
    "digital_tv_users": range(2013, 2023),
    "trade_rmb": range(2016, 2024),
    "trade_usd": [2013, 2014],
    "fai": range(2013, 2018),
}


@pytest.fixture(scope="module")
def panel():
    return datasets.load_china_panel()


def test_31_provinces_from_2013_to_2023_with_the_codes_of_the_layer(panel):
    layer = datasets.load_provinces()
    assert set(panel.units) == set(layer.index[layer["region"] != "none"])
    assert list(panel.times) == list(range(2013, 2024))
    assert panel.is_balanced


def test_the_main_job_is_complete_from_2013_to_2022(panel):
    assert panel.select(times=range(2013, 2023)).values(MAIN_JOB).shape == (10, 31, len(MAIN_JOB))


def test_every_variable_exists_exactly_when_the_codebook_says(panel):
    for column in panel.columns.drop("population_basis"):
        years = set(panel[column].dropna().index.get_level_values("year"))
        assert years == set(SOMETIMES.get(column, range(2013, 2024))), column
        counts = panel[column].groupby(level="year").count()
        assert set(counts) <= {0, 31}, column


def test_the_codebook_describes_every_variable_and_no_other(panel):
    book = datasets.codebook()
    assert set(book.table.index) == set(panel.columns)
    assert (book.table[["unit", "definition", "publisher"]] != "").all().all()
    assert len(datasets.codebook("gdp")) == 1
    assert "newest revision" in repr(datasets.codebook("gdp"))
    with pytest.raises(OptionError, match=r"no variable 'urban_rural_ration'\. Did you mean 'urban_rural_ratio'\?"):
        datasets.codebook("urban_rural_ration")


def test_inputs_of_derived_variables_are_published_figures():
    book = datasets.codebook().table
    for entry in DERIVED.values():
        assert all(book.loc[name, "publisher"] != "computed" for name in entry.inputs)


def test_warnings_reach_through_derived_variables():
    notes = datasets.warnings_for(["ln_gdp_pc", "ln_patents"])
    assert [note.split(":")[0] for note in notes] == ["gdp", "population"]
    assert "break at 2014/2015" in notes[1]


def test_derived_variables_by_hand_for_beijing_2022(panel):
    """From the published figures of one row, computed here with the units written out."""
    row = panel.frame.loc[("BJ", 2022)]
    people = row["population"] * 1e4
    yuan = row["gdp"] * 1e8
    by_hand = {
        "gdp_per_head": yuan / people,
        "ln_gdp_pc": np.log(yuan / people),
        "broadband_ports_per_head": row["broadband_ports"] * 1e4 / people,
        "mobile_subscribers_per_100": row["mobile_subscribers"] * 1e4 / (people / 100),
        "domains_per_head": row["domains"] * 1e4 / people,
        "software_revenue_share": 100 * row["software_revenue"] * 1e8 / yuan,
        "ecommerce_sales_share": 100 * row["ecommerce_sales"] * 1e8 / yuan,
        "it_employment_share": 100 * row["it_employment"] / row["urban_unit_employment"],
        "expenditure_share": 100 * row["fiscal_expenditure"] * 1e8 / yuan,
        "tax_share": 100 * row["tax_revenue"] * 1e8 / yuan,
        "patents_per_10000": row["patents_granted"] / (people / 1e4),
        "ln_patents": np.log(row["patents_granted"] / (people / 1e4)),
        "rd_fte_per_10000": row["rd_fte"] / (people / 1e4),
        "graduates_per_10000": row["bachelor_graduates"] / (people / 1e4),
        "ln_gap": np.log(row["urban_rural_ratio"]),
    }
    assert set(by_hand) | {"theil"} == set(DERIVED)
    for name, value in by_hand.items():
        assert row[name] == pytest.approx(value, rel=1e-12), name
    assert 190_000 < row["gdp_per_head"] < 220_000  # yuan; about 200,000 in the press


def test_theil_is_that_of_the_two_group_distribution(panel):
    """From incomes and people of the two groups, where the levels are published."""
    frame = panel.frame.dropna(subset=["income_urban", "income_rural"])
    urban, rural = frame["urbanisation"] / 100, 1 - frame["urbanisation"] / 100
    mean = urban * frame["income_urban"] + rural * frame["income_rural"]
    expected = sum(
        share * (income / mean) * np.log(income / mean)
        for share, income in ((urban, frame["income_urban"]), (rural, frame["income_rural"]))
    )
    assert len(frame) == 4 * 31
    assert np.abs(frame["theil"] - expected).max() < 2e-5  # ratio and incomes of 2014 agree within 2e-4
    assert datasets.theil_urban_rural(2.0, 0.5) == pytest.approx(2 / 3 * np.log(4 / 3) + 1 / 3 * np.log(2 / 3))


def test_the_ratio_agrees_with_the_incomes_where_both_are_published(panel):
    frame = panel.frame.dropna(subset=["income_urban", "income_rural"])
    assert np.abs(frame["income_urban"] / frame["income_rural"] / frame["urban_rural_ratio"] - 1).max() < 2e-4


def test_us_incomes_are_those_of_the_file():
    panel = datasets.load_us_incomes()
    raw = pd.read_csv(get_path("usjoin.csv")).set_index("Name")
    assert (panel.n_units, panel.n_times) == (48, 81)
    assert panel.wide("income").loc[2009, "Wyoming"] == raw.loc["Wyoming", "2009"]
    assert panel.wide("relative_income").mean(axis=1).to_numpy() == pytest.approx(np.ones(81))


def test_borders_of_the_us_states_are_those_of_the_bundled_list():
    states = datasets.load_us_states()
    assert set(states.index) == set(datasets.load_us_incomes().units)
    names = pd.read_csv(get_path("usjoin.csv"))["Name"].tolist()
    gal = open_gal(get_path("states48.gal"))
    listed = gal.read()
    gal.close()
    expected = {frozenset((names[int(a)], names[int(b)])) for a, found in listed.neighbors.items() for b in found}
    edges = contiguity(states).to_edges()
    assert {frozenset(pair) for pair in zip(edges["focal"], edges["neighbor"], strict=True)} == expected


def test_the_page_of_the_codebook_is_current():
    import importlib.util
    from pathlib import Path

    root = Path(__file__).parents[2]
    spec = importlib.util.spec_from_file_location("build_codebook_page", root / "scripts" / "build_codebook_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.OUTPUT.read_text(encoding="utf-8") == module.page()
