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


def test_cross_section_has_no_lines_on_panel_effects(ring, panel, fits):
    frame = panel.frame.xs(2001, level="year")
    fit = sde.fit("y ~ x1 + x_2", frame, ring, model="sar")
    assert "Fixed effects" not in regression([fit]).facts.index
    beside = regression([fit, fits[1]]).facts  # the order of rows does not depend on that of columns
    assert list(beside.index) == list(regression([fits[1], fit]).facts.index)
    assert list(beside.loc["Fixed effects"]) == ["none", "units and times"]


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


@pytest.fixture(scope="module")
def methods(panel, ring):
    """The same cross-section by maximum likelihood, by moments and as a posterior."""
    frame = panel.frame.xs(2001, level="year")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)  # twelve units make weak instruments
        options = ({}, {"method": "gmm"}, {"method": "bayes", "draws": 400})
        return [sde.fit("y ~ x1 + x_2", frame, ring, model="sar", **how) for how in options]


FORMATS = ["csv", "md", "tex", "html", "txt"]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("below", ["std_error", "p_value", "statistic", "conf_int", "none"])
def test_a_posterior_is_not_tested(methods, below, kind):
    shown = regression([methods[2]], effects=True, below=below)
    text = render(shown, kind)
    assert shown.numbers[["statistic", "p_value"]].isna().all(axis=None)
    assert not re.search(
        r"\d\*|\*\*|p &lt;|p <|p-value|p_value|statistic|confidence|tandard error", text.replace("**(1)", "")
    )
    if kind != "csv":
        assert "Posterior means" in text


@pytest.mark.parametrize("below", ["p_value", "statistic", "conf_int", "std_error"])
def test_below_a_posterior_mean_stands_its_spread(methods, below):
    posterior = methods[2].posterior.draws["x1"]
    rows = regression(methods, below=below, digits=3).grid().rows
    cell = rows[[row.cells[0] for row in rows].index("x1") + 1].cells[3]
    if below == "std_error":
        assert float(cell.strip("()")) == pytest.approx(posterior.std(ddof=1), rel=0.01)
    else:
        ends = [float(end) for end in cell.strip("[]").split(", ")]
        assert ends == pytest.approx(np.quantile(posterior, [0.025, 0.975]), abs=0.002)


def test_stars_of_the_other_columns_stay(panel, ring):
    """x1 has an effect of one: beside its posterior mean, the same estimate by maximum likelihood is starred."""
    ml, bayes = (sde.fit("y ~ x1", panel, ring, model="sar", method=method) for method in ("ml", "bayes"))
    rows = {row.cells[0]: row.cells for row in regression([ml, bayes]).grid().rows}
    assert rows["x1"][1].endswith("***")
    assert "*" not in rows["x1"][2]


def test_notes_say_which_columns_are_posteriors(methods):
    notes = regression(methods, names=["ML", "moments", "posterior"], effects=[None, None, methods[2].effects()]).notes
    assert "Standard errors in brackets." in notes
    assert "posterior: posterior means, standard deviations in brackets." in notes
    assert "Errors of effects from 400 draws of the posterior, seed 0." in notes
    alone = regression(methods[2:]).notes
    assert alone[0] == "Posterior means, standard deviations in brackets."
    assert not any("p <" in note or "tandard errors" in note for note in alone)


def test_effects_of_different_sources_name_their_columns(methods):
    found = [methods[0].effects("delta"), None, methods[2].effects()]
    notes = regression(methods, effects=found).notes
    assert "Errors of effects in (1) SAR by the delta method." in notes
    assert "Errors of effects in (3) SAR from 400 draws of the posterior, seed 0." in notes


def test_facts_are_those_of_the_method(methods):
    ml, gmm, bayes = methods
    table = regression(methods, names=["ml", "gmm", "bayes"])
    facts, shown = table.facts, {row.cells[0]: row.cells[1:] for row in table.grid().rows}
    assert list(facts.loc["Estimator"]) == ["ML", "S2SLS", "Bayes"]
    assert shown["Log-likelihood"] == (f"{ml.loglik:.2f}", "", "")
    assert shown["in the likelihood"] == ("12", "", "12")
    assert facts.loc["J statistic", "gmm"] == gmm.overidentification.statistic
    assert shown["p-value of J"] == ("", f"{gmm.overidentification.p_value:.3f}", "")
    assert shown["First-stage F"][1] == f"{gmm.first_stage.F:.2f}"
    assert facts.loc["Log marginal likelihood", "bayes"] == bayes.posterior.log_marginal_likelihood
    assert shown["Draws"] == ("", "", "400")
    assert "R-hat" not in shown  # independent draws
    assert shown["Standard errors"] == ("classical", "classical", "-")
    assert not {"Estimator", "J statistic", "Draws"} & set(regression([ml]).facts.index)


def test_likelihoods_are_compared_only_where_there_are_some(methods, panel, ring):
    clustered = sde.fit("y ~ x1 + x_2", panel, ring, model="sar")
    assert any("cannot be compared" in note for note in regression([methods[0], clustered]).notes)
    assert not any("cannot be compared" in note for note in regression([methods[1], methods[2], clustered]).notes)


def test_variance_components_of_random_effects(panel, ring):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        fit = sde.fit("y ~ x1 + x_2", panel, ring, model="sem", random="kkp", correlated=True)
    table = regression([fit], labels={"x1": "Digital index"})
    assert table.facts.loc["Share of units"].item() == fit.sigma2_mu / (fit.sigma2_mu + fit.sigma2)
    assert table.facts.loc["Random effects"].item() == "units (KKP), correlated"
    means = table.numbers.loc[table.numbers["block"] == "Unit means of regressors", "term"]
    assert list(means) == ["mean_x1", "mean_x_2"]
    assert "Mean of Digital index" in render(table, "txt")


def test_effects_are_shown_without_tests_of_a_posterior_and_without_nan(methods):
    ml, _, bayes = methods
    for shown in (repr(bayes.effects()), bayes.effects()._repr_html_()):
        assert "p_value" not in shown
        assert "statistic" not in shown
        assert "conf_low" in shown
    assert "p_value" in repr(ml.effects())
    by_order = ml.effects_by_order(2)  # a unit has no effect on itself through its neighbours' neighbours alone
    assert by_order.table["statistic"].isna().any()
    assert "nan" not in repr(by_order).lower()
    assert "nan" not in by_order._repr_html_().lower()


def test_one_fit_is_a_table_of_one_column(fits):
    assert str(regression(fits[1])) == str(regression([fits[1]]))
    assert str(regression(fit for fit in fits)) == str(regression(fits))
