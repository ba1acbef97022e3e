"""Figures of other programs and of an exact dense computation, with the options under which they arise."""

import pytest

import spatial_de as sde
from spatial_de.diagnostics import (
    conditional_lm_tests,
    durbin_lm_tests,
    fixed_effects_tests,
    likelihood_ratio,
    lm_tests,
    wald_test,
)

CRIME = "CRIME ~ INC + HOVAL"
CIGARETTES = "logc ~ logp + logy"
LM = ["LM lag", "LM error", "Robust LM lag", "Robust LM error"]


@pytest.fixture(scope="module")
def crime_fits(columbus):
    table, w, _ = columbus
    models = ("ols", "slx", "sar", "sem", "sdm", "sdem")
    return {m.upper(): sde.fit(CRIME, table, w, model=m, information="expected") for m in models}


@pytest.mark.parametrize("peer", ["spatialreg", "spreg"])
@pytest.mark.parametrize("name", LM)
def test_lm_of_columbus(columbus, peer, name):
    table, w, golden = columbus
    found = lm_tests(CRIME, table, w).loc[name]
    assert found["statistic"] == pytest.approx(golden[peer][name]["statistic"], rel=1e-8)
    assert found["p_value"] == pytest.approx(golden[peer][name]["p"], rel=1e-8)
    assert found["df"] == golden[peer][name]["df"] == 1


OF_SPATIALREG = {
    lm_tests: ["LM lag and error"],
    durbin_lm_tests: ["LM WX", "LM lag and WX", "Robust LM WX", "Robust LM lag (WX)", "LM error and WX"],
    conditional_lm_tests: ["LM error in SAR", "LM error in SDM"],
}


@pytest.mark.parametrize(("tests", "name"), [(tests, name) for tests, names in OF_SPATIALREG.items() for name in names])
def test_joint_durbin_and_conditional_lm_of_columbus(columbus, tests, name):
    table, w, golden = columbus
    found, expected = tests(CRIME, table, w).loc[name], golden["spatialreg"][name]
    tolerance = 1e-5 if tests is conditional_lm_tests else 1e-10  # spatialreg stops at 1.5e-8 in rho
    assert found["statistic"] == pytest.approx(expected["statistic"], rel=tolerance)
    assert found["p_value"] == pytest.approx(expected["p"], rel=tolerance)
    assert found["df"] == expected["df"]


RATIOS = ["SDM -> SAR", "SDM -> SEM", "SDM -> SLX", "SDEM -> SEM", "SAR -> OLS", "SEM -> OLS"]


@pytest.mark.parametrize("arrow", RATIOS)
def test_likelihood_ratios_of_columbus(columbus, crime_fits, arrow):
    expected = columbus[2]["spatialreg"][f"LR {arrow}"]
    big, small = arrow.split(" -> ")
    found = likelihood_ratio(crime_fits[big], crime_fits[small])
    assert found.name == f"LR {arrow}"
    assert found.df == expected["df"]
    assert found.statistic == pytest.approx(expected["statistic"], rel=1e-8)
    assert found.p_value == pytest.approx(expected["p"], rel=1e-8)


WALDS = [("spreg", "SDM -> SEM"), *(("spatialreg", arrow) for arrow in ("SDM -> SLX", "SAR -> OLS", "SEM -> OLS"))]


@pytest.mark.parametrize(("peer", "arrow"), WALDS)
def test_wald_of_columbus_with_expected_information(columbus, crime_fits, peer, arrow):
    expected = columbus[2][peer][f"Wald {arrow}"]
    big, small = arrow.split(" -> ")
    found = wald_test(crime_fits[big], small.lower())
    assert found.df == expected["df"]
    assert found.statistic == pytest.approx(expected["statistic"], rel=1e-6)
    assert found.p_value == pytest.approx(expected["p"], rel=1e-6)


@pytest.mark.parametrize("fixed", ["none", "individual", "time", "two-way"])
def test_lm_of_the_cigarette_panel_in_the_direct_form(cigarettes, fixed):
    panel, w, golden = cigarettes
    found = lm_tests(CIGARETTES, panel, w, fixed=fixed, bias="none")
    for name in LM:
        assert found.loc[name, "statistic"] == pytest.approx(golden["splm"][fixed][name]["statistic"], rel=1e-7)
        assert found.loc[name, "p_value"] == pytest.approx(golden["splm"][fixed][name]["p"], rel=1e-6)


def test_lm_of_the_cigarette_panel_after_the_transformation(cigarettes):
    panel, w, golden = cigarettes
    found = lm_tests(CIGARETTES, panel, w, fixed="individual")
    for name, expected in golden["debarsy_ertur"]["individual"].items():
        assert found.loc[name, "statistic"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("bias", ["none", "lee-yu"])
@pytest.mark.parametrize("fixed", ["individual", "time", "two-way"])
def test_restrictions_of_the_cigarette_panel(cigarettes, quietly, fixed, bias):
    panel, w, golden = cigarettes
    found = quietly(sde.specification_tests, CIGARETTES, panel, w, fixed=fixed, bias=bias, information="expected")
    for name, expected in golden["exact"][f"bias {bias}"][fixed].items():
        assert found.table.loc[name, "statistic"] == pytest.approx(expected, rel=1e-6), name
        assert found.table.loc[name, "df"] == (1 if name.endswith("SLX") else 2)


def test_joint_effects_of_the_cigarette_panel(cigarettes):
    panel, _, golden = cigarettes
    found = fixed_effects_tests(CIGARETTES, panel)
    for name in ("LR individual effects", "LR time effects"):
        assert found.loc[name, "statistic"] == pytest.approx(golden["joint"][name]["statistic"], rel=1e-10)
        assert found.loc[name, "df"] == golden["joint"][name]["df"] == golden["joint"][name]["df_published"] - 1
