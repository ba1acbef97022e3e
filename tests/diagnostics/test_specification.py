"""`specification_tests`: the result object, invariances, known truths, and what cannot be tested."""

import json
import re
import warnings

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.diagnostics import TESTS, SpecificationTests
from spatial_de.errors import (
    AlignmentError,
    AlignmentWarning,
    ConvergenceError,
    DataError,
    EstimationWarning,
    FormulaError,
    IdentificationError,
    OptionError,
    WeightsError,
)
from spatial_de.weights import SpatialWeights

FORMULA = "y ~ x1 + x2"
COLUMNS = ["statistic", "df", "df_resid", "p_value", "null", "reference"]


@pytest.fixture(scope="module")
def panel_tests(cigarettes):
    panel, w, _ = cigarettes
    return sde.specification_tests("logc ~ logp + logy", panel, w)


def lattice(side):
    """Rook contiguity of a square, row-standardised."""
    line = np.eye(side, k=1) + np.eye(side, k=-1)
    matrix = np.kron(np.eye(side), line) + np.kron(line, np.eye(side))
    return SpatialWeights(matrix, [f"u{i:03d}" for i in range(side**2)], normalization="row")


def simulated(w, times, *, rho=0.0, lam=0.0, theta=(0.0, 0.0), seed=0):
    """A two-way panel from the general model, ``beta = (1, 1)``."""
    rng = np.random.default_rng(seed)
    W = w.to_dense().to_numpy()
    n = w.n
    x1, x2 = rng.normal(size=(2, times, n))
    noise = np.linalg.solve(np.eye(n) - lam * W, rng.normal(size=(times, n)).T).T
    mean = x1 + x2 + (theta[0] * x1 + theta[1] * x2) @ W.T + rng.normal(size=(1, n)) + rng.normal(size=(times, 1))
    y = np.linalg.solve(np.eye(n) - rho * W, (mean + noise).T).T
    index = pd.MultiIndex.from_product([range(times), w.ids], names=["year", "unit"])
    frame = pd.DataFrame({"y": y.ravel(), "x1": x1.ravel(), "x2": x2.ravel()}, index=index)
    return sde.Panel(frame.reset_index(), unit="unit", time="year")


@pytest.mark.parametrize(
    ("truth", "model"),
    [
        ({}, "ols"),
        ({"theta": (0.5, -0.5)}, "slx"),
        ({"rho": 0.5}, "sar"),
        ({"lam": 0.6}, "sem"),
        ({"rho": 0.5, "theta": (0.5, -0.5)}, "sdm"),
    ],
)
def test_a_planted_model_is_found(truth, model):
    w = lattice(10)
    found = sde.specification_tests(FORMULA, simulated(w, 10, seed=2, **truth), w)
    assert found.model == model
    assert found.effects == "two-way"
    assert found.verdict.endswith("with individual and time fixed effects.")


def test_strong_lagged_regressors_look_like_a_lag_until_the_sdm_is_fitted():
    w = lattice(10)
    found = sde.specification_tests(FORMULA, simulated(w, 10, seed=2, theta=(0.5, 0.5)), w)
    assert found.model == "sdm"
    assert any("the SLX model, without it, describes the data as well" in reason for reason in found.reasons)


def test_the_table_of_a_panel(panel_tests):
    table = panel_tests.table
    assert list(table.columns) == COLUMNS
    assert table.index.name == "test"
    assert list(table.index) == [name for name, test in TESTS.items() if set(test.needs) <= {"panel"}]
    assert panel_tests.not_tested == ()
    assert table[["statistic", "df", "p_value"]].notna().all(axis=None)
    assert table["null"].str.len().gt(5).all()
    assert table["reference"].str.contains(r"\(\d{4}").all()
    assert panel_tests.model == "sdm"
    assert panel_tests.effects == "two-way"


def test_the_table_of_a_cross_section(columbus):
    table, w, _ = columbus
    found = sde.specification_tests("CRIME ~ INC + HOVAL", table, w)
    assert list(found.table.index) == [name for name, test in TESTS.items() if set(test.needs) <= {"cross-section"}]
    assert found.effects is None
    assert found.model == "sdm"
    assert "fixed effects" not in found.verdict


def test_reasons_quote_the_numbers_of_the_table(panel_tests):
    text = " ".join(panel_tests.reasons)
    quoted = {float(x.replace(",", "")) for x in re.findall(r"= ([\d,]*\d\.\d\d)[,;)]", text)}
    assert len(quoted) >= 12
    assert quoted <= {round(x, 2) for x in panel_tests.table["statistic"]}


def test_text_and_html(panel_tests):
    text = str(panel_tests)
    assert max(len(line) for line in text.splitlines()) <= 88
    for word in (
        "logc ~ logp + logy",
        "46 units, 30 times",
        "Lee-Yu",
        "Recommended",
        "Reasons",
        *panel_tests.table.index,
    ):
        assert word in text
    html = panel_tests._repr_html_()
    assert html.count("<tr") == len(panel_tests.tests) + 2
    assert "SDM -&gt; SAR" in html
    assert "-> " not in html


def test_round_trip(panel_tests):
    plain = panel_tests.to_dict()
    assert SpecificationTests.from_dict(json.loads(json.dumps(plain))) == panel_tests
    pd.testing.assert_frame_equal(panel_tests.to_frame().set_index("test"), panel_tests.table)
    one = panel_tests.tests[0]
    assert list(one.to_frame().columns) == ["test", *COLUMNS]
    assert str(one).startswith("LM lag = 60.4098, chi-squared(1), p = ")
    assert "LM lag" in one._repr_html_()


def test_order_of_rows_and_of_weights_changes_nothing(example):
    panel, w = example(12, 5, "row")
    frame = panel.to_frame()
    expected = sde.specification_tests(FORMULA, panel, w).table["statistic"]
    rng = np.random.default_rng(1)
    shuffled = sde.Panel(frame.iloc[rng.permutation(len(frame))], unit="unit", time="year")
    moved = w.reorder(list(w.ids[rng.permutation(w.n)]))
    found = sde.specification_tests(FORMULA, shuffled, moved).table["statistic"]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("bias", ["lee-yu", "none", "correction"])
def test_units_of_measurement_change_nothing(example, quietly, bias):
    panel, w = example(12, 5, "row")
    other = panel.assign(y=lambda p: 1e9 * p["y"] + 1e12, x1=lambda p: 1e-6 * p["x1"] + 3.0, x2=lambda p: 1e6 * p["x2"])
    one, two = (quietly(sde.specification_tests, FORMULA, p, w, bias=bias).table["statistic"] for p in (panel, other))
    np.testing.assert_allclose(two, one, rtol=1e-6)


def test_effects_added_to_the_response_change_nothing(example):
    panel, w = example(12, 5, "row")
    shifted = panel.assign(y=lambda p: p["y"] + 7.0 * p["x1"].groupby(level=0).transform("mean"))
    shifted = shifted.assign(y=lambda p: p["y"] + p["x2"].groupby(level=1).transform("max"))
    spatial = [name for name, test in TESTS.items() if not test.needs]
    one, two = (sde.specification_tests(FORMULA, p, w).table["statistic"].loc[spatial] for p in (panel, shifted))
    np.testing.assert_allclose(two, one, rtol=1e-7)


def test_one_time_is_the_cross_section(example):
    panel, w = example(15, 3, "binary")
    first = panel.select(times=[2000])
    table = panel.to_frame().query("year == 2000").set_index("unit")[["y", "x1", "x2"]]
    pooled = sde.specification_tests(FORMULA, first, w, fixed="none")
    plain = sde.specification_tests(FORMULA, table, w)
    both = [name for name in plain.table.index if not TESTS[name].needs]
    np.testing.assert_allclose(pooled.table.loc[both, "statistic"], plain.table.loc[both, "statistic"], rtol=1e-10)
    assert all(line.startswith(("LR", "F")) for line in pooled.not_tested if "at least two" in line)
    assert sum("at least two units and two times" in line for line in pooled.not_tested) == 4


def test_information_moves_the_wald_tests_only(example):
    panel, w = example(12, 5, "row")
    one, two = (
        sde.specification_tests(FORMULA, panel, w, information=kind).table["statistic"]
        for kind in ("observed", "expected")
    )
    moved = one.index[~np.isclose(one, two, rtol=1e-9)]
    assert list(moved) == ["Wald SDM -> SAR", "Wald SDM -> SEM", "Wald SDM -> SLX", "Wald SDEM -> SLX"]


def test_the_warning_of_the_direct_form_comes_once(example):
    panel, w = example(12, 5, "row")
    with pytest.warns(EstimationWarning, match="bias='none' with two-way effects") as caught:
        found = sde.specification_tests(FORMULA, panel, w, bias="none")
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert any("bias='none'" in note for note in found.notes)


@pytest.mark.parametrize("kind", ["binary", "island"])
def test_what_is_not_nested_is_named(example, kind):
    panel, w = example(12, 5, kind)
    found = sde.specification_tests(FORMULA, panel, w)
    assert "LR SDM -> SEM" not in found.table.index
    assert "Wald SDM -> SEM" in found.table.index
    named = {line.split(":")[0] for line in found.not_tested}
    assert named == {"LR SDM -> SEM", "LR SDM -> SLX", "LR SDEM -> SLX"}
    assert "Not tested" in str(found)
    assert "Not tested" in found._repr_html_()
    assert any("W is not row-stochastic" in note for note in found.notes)
    assert any("before the bias correction" in note for note in found.notes)
    others = sde.specification_tests(FORMULA, panel, w, fixed="individual").notes
    assert [note.split(":")[0] for note in others] == (["Without neighbours"] if kind == "island" else [])


def test_some_regressors_lagged(example):
    panel, w = example(12, 5, "row")
    found = sde.specification_tests(FORMULA, panel, w, durbin=["x1"])
    assert found.table.loc["LR SDM -> SAR", "df"] == 1
    assert {line.split(":")[0] for line in found.not_tested} == {"LR SDM -> SEM", "Wald SDM -> SEM"}


def test_without_regressors_a_lag_is_an_error(example):
    table, w = example(16, 1, "row")
    found = sde.specification_tests("y ~ 1", table, w)
    assert found.table.loc["LM lag", "statistic"] == pytest.approx(found.table.loc["LM error", "statistic"], rel=1e-9)
    assert any(line.startswith("Robust LM lag: Given a spatial error, nothing is left") for line in found.not_tested)


def test_an_sdm_that_cannot_be_estimated_leaves_the_other_tests(example):
    table, w = example(16, 1, "row")
    table = table.assign(x2=w.lag(table["x1"]))  # W x1 is in the SDM twice
    found = sde.specification_tests(FORMULA, table, w)
    assert {"LM lag", "Robust LM error"} <= set(found.table.index)
    assert not any(name.startswith(("LR", "Wald")) for name in found.table.index)
    assert any("x2" in line for line in found.not_tested)


def test_a_fit_that_does_not_converge_leaves_the_other_tests(example, monkeypatch):
    from spatial_de.diagnostics import candidates

    real = candidates.fit

    def failing(*args, model, **options):
        if model == "sem":
            raise ConvergenceError("no maximum")
        return real(*args, model=model, **options)

    monkeypatch.setattr(candidates, "fit", failing)
    panel, w = example(12, 5, "row")
    found = sde.specification_tests(FORMULA, panel, w)
    assert found.not_tested == ("LR SDM -> SEM: no maximum", "LM lag in SEM: no maximum")
    assert "Wald SDM -> SEM" in found.table.index


def test_equal_weights_leave_nothing_to_test(example):
    panel, _ = example(8, 5, "row")
    w = SpatialWeights(1.0 - np.eye(8), panel.units, normalization="row")
    with pytest.raises(IdentificationError, match="leave no spatial dependence to test for"):
        sde.specification_tests(FORMULA, panel, w)


def test_bad_input(example):
    panel, w = example(8, 5, "row")
    with pytest.raises(OptionError, match=r"alpha=5 must lie between 0 and 1"):
        sde.specification_tests(FORMULA, panel, w, alpha=5)
    with pytest.raises(OptionError, match=r"fixed='twoway' is not available.*Did you mean 'two-way'"):
        sde.specification_tests(FORMULA, panel, w, fixed="twoway")
    with pytest.raises(OptionError, match="bias='leeyu' is not available"):
        sde.specification_tests(FORMULA, panel, w, bias="leeyu")
    with pytest.raises(OptionError, match="information='exact' is not available"):
        sde.specification_tests(FORMULA, panel, w, information="exact")
    with pytest.raises(OptionError, match="need spatial weights"):
        sde.specification_tests(FORMULA, panel, None)
    with pytest.raises(WeightsError, match="must be SpatialWeights, not ndarray"):
        sde.specification_tests(FORMULA, panel, w.sparse.toarray())
    with pytest.raises(IdentificationError, match="hold no links"):
        sde.specification_tests(FORMULA, panel, SpatialWeights(np.zeros((8, 8)), panel.units))
    with pytest.raises(AlignmentError, match="u07"):
        sde.specification_tests(FORMULA, panel, w.subset(w.ids[:7]))
    with pytest.raises(FormulaError, match=r"names 'x3'"):
        sde.specification_tests("y ~ x3", panel, w)
    with pytest.raises(OptionError, match=r"durbin= names 'x9'"):
        sde.specification_tests(FORMULA, panel, w, durbin=["x9"])
    with pytest.raises(OptionError, match="needs a panel"):
        sde.specification_tests(FORMULA, example(8, 1, "row")[0], w, fixed="individual")
    with pytest.raises(IdentificationError, match="x2"):
        sde.specification_tests(FORMULA, panel.assign(x2=lambda p: 2 * p["x1"]), w)
    with pytest.raises(DataError, match="x1"):
        sde.specification_tests(FORMULA, panel.assign(x1=lambda p: p["x1"].where(p["x1"] > 0)), w)


def test_data_without_labels_are_told_once(example):
    table, w = example(16, 1, "row")
    w = SpatialWeights(w.sparse, pd.RangeIndex(16))
    with pytest.warns(AlignmentWarning, match="matched by position") as caught:
        sde.specification_tests(FORMULA, table.reset_index(drop=True), w)
    assert len(caught) == 1


def test_nothing_is_printed_and_nothing_changed(example, capsys):
    panel, w = example(8, 5, "row")
    before, mark = panel.to_frame(), w.fingerprint
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sde.specification_tests(FORMULA, panel, w)
    assert capsys.readouterr().out == ""
    pd.testing.assert_frame_equal(panel.to_frame(), before)
    assert w.fingerprint == mark


def test_the_general_model_comes_on_request(example):
    table, w = example(40, 1, "row")
    plain, general = (sde.specification_tests(FORMULA, table, w, general=asked) for asked in (False, True))
    more = [name for name in general.table.index if name not in plain.table.index]
    assert more == ["LR GNS -> SDM", "LR GNS -> SDEM", "LR GNS -> SAC"]
    big, small = (sde.fit(FORMULA, table, w, model=model) for model in ("gns", "sac"))
    assert general.table.loc["LR GNS -> SAC", "statistic"] == pytest.approx(2 * (big.loglik - small.loglik), abs=1e-6)
    assert general.table.loc["LR GNS -> SAC", "df"] == 2


def test_errors_that_are_left_are_in_the_reasons():
    w = lattice(10)
    panel = simulated(w, 10, seed=2, rho=0.4, theta=(0.5, -0.5), lam=-0.7)
    found = sde.specification_tests(FORMULA, panel, w)
    assert any("leaves spatial dependence" in reason for reason in found.reasons)
    rng = np.random.default_rng(0)
    heavy = panel.assign(y=lambda p: p["y"] + np.exp(p["x1"]) * rng.standard_t(3, size=len(p["y"])))
    reasons = sde.specification_tests(FORMULA, heavy, w).reasons
    assert any("use cov='cluster'" in reason for reason in reasons)
    assert any("not normal" in reason for reason in reasons)
