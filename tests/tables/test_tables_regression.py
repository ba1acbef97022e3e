import itertools
import re
import warnings

import numpy as np
import pytest

import spatial_de as sde
from spatial_de.errors import EstimationWarning, OptionError
from spatial_de.tables import regression, render
from spatial_de.weights import Provenance, SpatialWeights


@pytest.fixture
def table(fits):
    return regression(fits, effects=True, labels={"x1": "Digital index"})


def test_numbers_are_those_of_the_fits(table, fits):
    for head, fit in zip(table.models, fits, strict=True):
        own = table.numbers[(table.numbers["model"] == head) & (table.numbers["block"].isin(_COEFFICIENT_BLOCKS))]
        expected = fit.to_frame().set_index("term").drop("sigma2")
        assert own.set_index("term")["estimate"].equals(expected["estimate"].loc[own["term"].to_list()])
        assert sorted(own["term"]) == sorted(expected.index)


_COEFFICIENT_BLOCKS = ["Coefficients", "Spatial lags of regressors", "Spatial parameters"]


def test_effects_are_those_of_the_fits(table, fits):
    own = table.numbers.set_index(["model", "block", "term"])["estimate"]
    effects = fits[3].effects().table["estimate"]
    assert own["(4) SDM", "Total effects", "x1"] == effects["x1", "total"]
    assert own["(4) SDM", "Indirect effects", "x_2"] == effects["x_2", "indirect"]


def test_default_heads_name_models(table):
    assert table.models == ["(1) OLS", "(2) SAR", "(3) SEM", "(4) SDM"]


def test_lags_of_a_labelled_term_follow_the_label(table):
    text = render(table, "txt")
    assert "W × Digital index" in text
    assert "W_x_2" in text


def test_every_number_shown_rounds_the_number_held(table):
    grid = table.grid()
    shown = {row.cells[0]: row.cells for row in grid.rows}
    estimate = table.numbers.set_index(["model", "term"]).loc[("(2) SAR", "rho"), "estimate"]
    text = shown["rho"][2].rstrip("*")
    assert float(text) == pytest.approx(estimate, abs=0.5 * 10 ** -len(text.partition(".")[2]))


def test_estimate_and_error_have_the_same_decimals(table):
    rows = table.grid().rows
    for upper, lower in itertools.pairwise(rows):
        for a, b in zip(upper.cells[1:], lower.cells[1:], strict=True):
            if re.fullmatch(r"\(-?[\d.,]+\)", b):
                assert len(a.rstrip("*").partition(".")[2]) == len(b.strip("()").partition(".")[2])


def test_effects_a_model_cannot_have_are_zero_without_error(table):
    rows = table.grid().rows
    start = next(i for i, row in enumerate(rows) if row.cells[0] == "Indirect effects")
    assert rows[start + 1].cells[1] == "0"
    assert rows[start + 2].cells[1] == ""


def test_stars_follow_p_values(fits):
    table = regression(fits)
    numbers = table.numbers.set_index(["model", "term"])
    for row in table.grid().rows:
        for head, cell in zip(table.models, row.cells[1:], strict=True):
            if cell and row.cells[0] in {"x1", "rho", "lambda"}:
                p = numbers.loc[(head, row.cells[0]), "p_value"]
                assert cell.count("*") == sum(p < level for level in (0.1, 0.05, 0.01))
    assert "*" not in "".join("".join(row.cells) for row in regression(fits, stars=False).grid().rows)


@pytest.mark.parametrize(
    ("below", "pattern"),
    [
        ("p_value", r"\((<0\.001|0\.\d{3})\)"),
        ("statistic", r"\(-?\d+\.\d\d\)"),
        ("conf_int", r"\[-?[\d.]+, -?[\d.]+\]"),
    ],
)
def test_what_stands_below(fits, below, pattern):
    second = regression(fits, below=below).grid().rows[1]
    assert all(re.fullmatch(pattern, cell) for cell in second.cells[1:])


def test_nothing_below_on_request(fits):
    rows = regression(fits, below="none").grid().rows
    assert [row.cells[0] for row in rows[:2]] == ["x1", "x_2"]


def test_facts_hold_n_loglik_aic_effects_and_covariance(table, fits):
    facts = table.facts["(4) SDM"]
    assert facts["Observations"] == fits[3].nobs
    assert facts["Log-likelihood"] == fits[3].loglik
    assert facts["AIC"] == fits[3].aic
    shown = {row.cells[0]: row.cells[4] for row in table.grid().rows}
    assert shown["Log-likelihood"] == f"{fits[3].loglik:,.2f}"
    assert facts["Fixed effects"] == "units and times"
    assert "Weights: ring." in table.notes
    clustered = regression([fits[3].with_cov("cluster")]).facts["(1) SDM"]
    assert clustered["Standard errors"] == "clustered by unit"


def test_different_weights_get_a_row(fits, panel, ring):
    renamed = SpatialWeights(ring.raw, ring.ids, provenance=Provenance(rule="other ring"), normalization="row")
    table = regression([fits[0], fits[1], sde.fit("y ~ x1 + x_2", panel, renamed, model="sar")])
    assert list(table.facts.loc["Weights"]) == ["-", "ring", "other ring"]


def test_log_likelihoods_of_different_transformations_carry_a_warning(fits, panel, ring):
    assert not any("cannot be compared" in note for note in regression(fits).notes)
    other = sde.fit("y ~ x1 + x_2", panel, ring, model="sdm", fixed="individual")
    assert any("cannot be compared" in note for note in regression([fits[3], other]).notes)


def test_wide_keeps_unrounded_numbers_and_the_facts(table, fits):
    wide = table.wide().set_index(["block", "term", "quantity"])
    assert wide.loc[("Spatial parameters", "rho", "estimate"), "(2) SAR"] == fits[1].rho
    assert np.isnan(wide.loc[("Spatial parameters", "rho", "estimate"), "(1) OLS"])
    assert wide.loc[("Facts", "Observations", "value"), "(1) OLS"] == fits[0].nobs
    assert list(wide.columns) == table.models


def test_cross_section_has_no_lines_on_panel_effects(ring, panel):
    frame = panel.frame.xs(2001, level="year")
    fit = sde.fit("y ~ x1 + x_2", frame, ring, model="sar")
    assert "Fixed effects" not in regression([fit]).facts.index


def test_moments_have_no_likelihood_to_show(ring, panel):
    frame = panel.frame.xs(2001, level="year")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)  # twelve units make weak instruments
        fit = sde.fit("y ~ x1 + x_2", frame, ring, model="sem", method="gmm")
    shown = regression([fit])
    assert shown.facts.loc[["in the likelihood", "Log-likelihood", "AIC"]].isna().all(axis=None)
    assert "R-squared without a likelihood: squared correlation with what regressors and lag explain." in shown.notes
    assert "nan" not in repr(shown)


def test_to_dict_and_html(table):
    assert set(table.to_dict()) == {"numbers", "facts", "notes"}
    assert "<table>" in table._repr_html_()
    assert "Digital index" in repr(table)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": ["a"]}, "1 name for 4 fits"),
        ({"names": "abcd"}, "one name per fit, as a list"),
        ({"names": ["a", "a", "b", "c"]}, "differ"),
        ({"effects": [None]}, "holds 1 for 4 fits"),
        ({"below": "se"}, "below='se' is not available"),
    ],
)
def test_bad_options(fits, arguments, message):
    with pytest.raises(OptionError, match=re.escape(message)):
        regression(fits, **arguments)


def test_no_fit():
    with pytest.raises(OptionError, match="There is no fit to show"):
        regression([])


def test_random_effects_beside_fixed_ones(panel, ring):
    frame = panel.to_frame()
    shift = 2.0 * (frame.groupby("code").ngroup() % 3)
    moved = sde.Panel(frame.assign(y=frame["y"] + shift).reset_index(), unit="code", time="year")
    random = sde.fit("y ~ x1", moved, ring, model="sar", random=True, correlated=True)
    fixed = sde.fit("y ~ x1", moved, ring, model="sar")
    found = regression([random, fixed], names=["random", "fixed"])
    assert {"mean_x1", "rho"} <= set(found.numbers["term"])
    assert not {"sigma2", "sigma2_mu"} & set(found.numbers["term"])
    assert list(found.facts.loc["Random effects"]) == ["units, correlated", "-"]
    assert list(found.facts.loc["Fixed effects"]) == ["none", "units and times"]
    assert found.facts.loc["sigma² of units", "random"] == random.sigma2_mu
    shown = {row.cells[0]: row.cells[1:] for row in found.grid().rows}
    assert float(shown["sigma² of units"][0]) == pytest.approx(random.sigma2_mu, rel=1e-3)
    assert shown["sigma² of units"][1] == ""
    assert "Random effects" not in regression([fixed]).facts.index
