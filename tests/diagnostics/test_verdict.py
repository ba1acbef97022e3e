"""What is recommended for every pattern of rejections, and that the reasons say it."""

import pytest

from spatial_de.diagnostics.base import HypothesisTest
from spatial_de.diagnostics.verdict import decide

NO, YES = 0.5, 0.001  # p-values: does not reject, rejects


def make(**p_values):
    """Tests by name from keywords such as ``lm_lag=YES``."""
    names = {
        "lm_lag": "LM lag",
        "lm_error": "LM error",
        "robust_lag": "Robust LM lag",
        "robust_error": "Robust LM error",
        "lr_sar": "LR SDM -> SAR",
        "wald_sar": "Wald SDM -> SAR",
        "lr_sem": "LR SDM -> SEM",
        "wald_sem": "Wald SDM -> SEM",
        "lr_slx": "LR SDM -> SLX",
        "wald_slx": "Wald SDM -> SLX",
        "f_slx": "F SLX -> OLS",
        "individual": "F individual effects",
        "time": "F time effects",
    }
    return {
        names[key]: HypothesisTest(names[key], statistic=1.0 / p, df=1, df_resid=None, p_value=p, null="", reference="")
        for key, p in p_values.items()
    }


def recommend(fixed="none", alpha=0.05, **p_values):
    return decide(make(**p_values), alpha=alpha, fixed=fixed, panel=True)


def with_dependence(sar, sem, *, lag, error):
    return recommend(
        lm_lag=YES, lm_error=YES, robust_lag=lag, robust_error=error,
        lr_sar=sar, wald_sar=sar, lr_sem=sem, wald_sem=sem,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sar", "sem", "lag", "error", "model"),
    [
        (YES, YES, YES, NO, "sdm"),
        (YES, YES, NO, YES, "sdm"),
        (YES, YES, NO, NO, "sdm"),
        (NO, YES, YES, NO, "sar"),  # only the SEM is rejected, and the robust tests point to a lag
        (NO, YES, NO, YES, "sdm"),  # conflict
        (NO, YES, NO, NO, "sdm"),  # the robust tests say nothing
        (YES, NO, NO, YES, "sem"),
        (YES, NO, YES, NO, "sdm"),  # conflict
        (YES, NO, NO, NO, "sdm"),
        (NO, NO, YES, NO, "sar"),  # both would do: the robust tests decide
        (NO, NO, NO, YES, "sem"),
        (NO, NO, NO, NO, "sdm"),
        (NO, YES, 1e-8, YES, "sar"),  # both robust tests reject: the larger one points
        (YES, NO, YES, 1e-8, "sem"),
    ],
)
def test_with_dependence(sar, sem, lag, error, model):
    assert with_dependence(sar, sem, lag=lag, error=error).model == model


def test_both_robust_tests_reject():
    reasons = with_dependence(YES, YES, lag=1e-8, error=YES).reasons
    assert "point to a spatial lag more than to an error, and find both" in reasons[1]


def test_a_conflict_is_called_one():
    verdict = with_dependence(NO, YES, lag=NO, error=YES)
    assert any("conflict" in reason for reason in verdict.reasons)
    assert "Spatial Durbin model (SDM)" in verdict.sentence


@pytest.mark.parametrize("pattern", [{"lr_sar": 0.04, "wald_sar": 0.06}, {"lr_sar": 0.06, "wald_sar": 0.04}])
def test_likelihood_ratio_and_wald_disagree(pattern):
    tests = {"lm_lag": YES, "lm_error": YES, "robust_lag": YES, "robust_error": NO, "lr_sem": YES, "wald_sem": YES}
    verdict = recommend(**tests, **pattern)
    assert verdict.model == "sdm"
    assert any("the two tests disagree at the 5 % level" in reason for reason in verdict.reasons)
    assert recommend(**tests, **pattern, alpha=0.01).model == "sar"


@pytest.mark.parametrize(("lag", "error", "model"), [(YES, NO, "sar"), (NO, YES, "sem")])
def test_one_plain_test_rejects_and_no_robust_one(lag, error, model):
    verdict = recommend(
        lm_lag=lag, lm_error=error, robust_lag=NO, robust_error=NO,
        lr_sar=NO, wald_sar=NO, lr_sem=NO, wald_sem=NO,
    )  # fmt: skip
    assert verdict.model == model


@pytest.mark.parametrize(
    ("tested", "lag", "error", "untested"),
    [("sar", NO, YES, r"SEM (theta + rho beta = 0)"), ("sem", YES, NO, r"SAR (theta = 0)")],
)
def test_a_restriction_that_was_not_tested_is_not_imposed(tested, lag, error, untested):
    verdict = recommend(
        lm_lag=YES, lm_error=YES, robust_lag=lag, robust_error=error,
        **{f"lr_{tested}": YES, f"wald_{tested}": YES},
    )  # fmt: skip
    assert verdict.model == "sdm"
    assert any(f"{untested} could not be tested" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(("lag", "error", "model"), [(YES, NO, "sar"), (NO, YES, "sem"), (NO, NO, "sdm")])
def test_without_any_restriction(lag, error, model):
    verdict = recommend(lm_lag=YES, lm_error=YES, robust_lag=lag, robust_error=error)
    assert verdict.model == model
    assert any("could not be tested" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("theta", "rho", "model"), [(NO, NO, "ols"), (NO, YES, "ols"), (YES, NO, "slx"), (YES, YES, "sdm")]
)
def test_without_dependence(theta, rho, model):
    verdict = recommend(lm_lag=NO, lm_error=NO, robust_lag=NO, robust_error=NO, f_slx=theta, lr_slx=rho, wald_slx=rho)
    assert verdict.model == model
    assert "no spatial dependence (LM lag = 2.00, p = 0.500; LM error = 2.00, p = 0.500)" in verdict.reasons[0]


def test_alpha_moves_the_verdict():
    tests = {"lm_lag": 0.03, "lm_error": 0.2, "robust_lag": 0.03, "robust_error": 0.6, "f_slx": NO}
    tests |= dict.fromkeys(("lr_sar", "wald_sar", "lr_sem", "wald_sem", "lr_slx", "wald_slx"), NO)
    assert recommend(**tests).model == "sar"
    assert recommend(**tests, alpha=0.01).model == "ols"
    assert "1 % level" in recommend(**tests, alpha=0.01).sentence


@pytest.mark.parametrize(
    ("individual", "time", "supported"),
    [(YES, YES, "two-way"), (YES, NO, "individual"), (NO, YES, "time"), (NO, NO, "none")],
)
@pytest.mark.parametrize("fixed", ["none", "individual", "time", "two-way"])
def test_effects(individual, time, supported, fixed):
    verdict = recommend(fixed, lm_lag=NO, lm_error=NO, f_slx=NO, individual=individual, time=time)
    assert verdict.effects == supported
    missing = {"none": set(), "individual": {"individual"}, "time": {"time"}, "two-way": {"individual", "time"}}
    left_out = missing[supported] - missing[fixed]
    assert ("repeat with fixed=" in verdict.sentence) == bool(left_out)
    if left_out == {"time"}:
        assert "the joint tests also support time effects" in verdict.sentence
    said = verdict.reasons[-1]
    assert ("effects left out can pass for spatial dependence" in said) == bool(left_out)
    assert ("which the tests used" in said) == (supported == fixed)


def test_effects_to_repeat_with():
    """What is left out is added to what is used; effects that are used stay."""
    verdict = recommend("none", lm_lag=NO, lm_error=NO, f_slx=NO, individual=YES, time=NO)
    assert "fixed='individual'" in verdict.sentence
    verdict = recommend("time", lm_lag=NO, lm_error=NO, f_slx=NO, individual=YES, time=NO)
    assert "fixed='two-way'" in verdict.sentence


def test_a_cross_section_says_nothing_of_effects():
    verdict = recommend(lm_lag=NO, lm_error=NO, f_slx=NO)
    assert verdict.effects is None
    assert "effects" not in verdict.sentence


def test_what_was_not_tested_is_not_called_insignificant():
    verdict = recommend(lm_lag=NO, lm_error=NO)
    assert verdict.model == "ols"
    assert verdict.reasons[1] == "Spatially lagged regressors could not be tested."
    verdict = recommend(lm_lag=NO, lm_error=NO, f_slx=YES)
    assert verdict.model == "slx"
    assert verdict.reasons[2] == "A spatial lag of the response beside them could not be tested."


@pytest.mark.parametrize(("panel", "advice"), [(True, "cov='cluster'."), (False, "cov='robust'.")])
def test_advice_on_errors_is_a_fit_that_exists(panel, advice):
    """Linear models take White's errors as they are; the method of moments is refused for them."""
    tests = make(lm_lag=0.9, lm_error=0.9, f_slx=0.9)
    tests["Koenker"] = HypothesisTest("Koenker", 9.0, df=1, df_resid=None, p_value=0.001, null="", reference="")
    found = decide(tests, alpha=0.05, fixed="none", panel=panel)
    assert found.model == "ols"
    assert next(reason for reason in found.reasons if "Koenker" in reason).endswith(advice)
