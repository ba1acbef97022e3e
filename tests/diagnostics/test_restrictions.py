"""Likelihood ratio and Wald tests: values from the definition, and comparisons that must be refused."""

import warnings

import numpy as np
import pytest

import spatial_de as sde
from spatial_de.diagnostics import likelihood_ratio, wald_test
from spatial_de.errors import EstimationWarning, IdentificationError, OptionError

FORMULA = "y ~ x1 + x2"


@pytest.fixture(scope="module")
def panel(example):
    data, w = example(12, 6, "row", seed=3)
    return data, w


def brute_wald(fit, function):
    """``r' (G V G')^-1 r`` with G by complex steps."""
    params, V = fit.params, fit.cov.to_numpy()
    value = function(params)
    G = np.empty((len(value), len(params)))
    for i in range(len(params)):
        moved = params.astype(complex)
        moved.iloc[i] += 1e-30j
        G[:, i] = function(moved).imag / 1e-30
    return value @ np.linalg.inv(G @ V @ G.T) @ value


def common_factor(p):
    return np.array([p["W_x1"] + p["rho"] * p["x1"], p["W_x2"] + p["rho"] * p["x2"]])


CASES = [
    ("sdm", "sar", lambda p: np.array([p["W_x1"], p["W_x2"]])),
    ("sdm", "sem", common_factor),
    ("sdm", "slx", lambda p: np.array([p["rho"]])),
    ("sdm", "ols", lambda p: np.array([p["W_x1"], p["W_x2"], p["rho"]])),
    ("sdem", "sem", lambda p: np.array([p["W_x1"], p["W_x2"]])),
    ("sdem", "slx", lambda p: np.array([p["lambda"]])),
    ("sar", "ols", lambda p: np.array([p["rho"]])),
]


@pytest.mark.parametrize(("big", "small", "function"), CASES)
@pytest.mark.parametrize("cov", ["classical", "cluster"])
def test_wald_from_its_definition(panel, big, small, function, cov):
    data, w = panel
    fit = sde.fit(FORMULA, data, w, model=big, cov=cov)
    found = wald_test(fit, small)
    assert found.name == f"Wald {big.upper()} -> {small.upper()}"
    assert found.df == len(function(fit.params))
    assert found.statistic == pytest.approx(brute_wald(fit, function), rel=1e-9)


def test_wald_of_a_cross_section_skips_the_intercept(example):
    data, w = example(20, 1, "binary")
    fit = sde.fit(FORMULA, data, w, model="sdm")
    assert wald_test(fit, "sem").statistic == pytest.approx(brute_wald(fit, common_factor), rel=1e-9)


def test_a_linear_model_gets_the_f_test_of_its_sums_of_squares(panel):
    data, w = panel
    slx, ols = (sde.fit(FORMULA, data, w, model=m) for m in ("slx", "ols"))
    found = wald_test(slx, "ols")
    rss, free = ols.sigma2 * ols.n_likelihood, slx.sigma2 * slx.n_likelihood
    assert found.name == "F SLX -> OLS"
    assert (found.df, found.df_resid) == (2, slx.df_resid)
    assert found.statistic == pytest.approx((rss - free) / 2 / (free / slx.df_resid), rel=1e-9)


def test_units_of_the_regressors_change_nothing(panel):
    data, w = panel
    scaled = data.assign(x1=lambda p: 1e9 * p["x1"], x2=lambda p: 1e-6 * p["x2"])
    for small in ("sar", "sem"):
        one, other = (wald_test(sde.fit(FORMULA, p, w), small).statistic for p in (data, scaled))
        assert one == pytest.approx(other, rel=1e-8)


def test_likelihood_ratio_with_some_regressors_lagged(panel):
    data, w = panel
    big, part, sar = (
        sde.fit(FORMULA, data, w),
        sde.fit(FORMULA, data, w, durbin=["x1"]),
        sde.fit(FORMULA, data, w, model="sar"),
    )
    first, second = likelihood_ratio(big, part), likelihood_ratio(part, sar)
    assert (first.df, first.null) == (1, "no effect of 'W_x2'")
    assert (second.df, second.null) == (1, "no spatially lagged regressors (theta = 0)")
    assert first.statistic + second.statistic == pytest.approx(likelihood_ratio(big, sar).statistic, rel=1e-9)


def test_likelihood_ratio_of_a_regressor_left_out(panel):
    data, w = panel
    found = likelihood_ratio(sde.fit(FORMULA, data, w, model="sar"), sde.fit("y ~ x1", data, w, model="ols"))
    assert (found.df, found.null) == (2, "no spatial lag of the response (rho = 0) and no effect of 'x2'")
    with pytest.raises(IdentificationError, match="regressors that the larger one lacks: 'x2'"):
        likelihood_ratio(sde.fit("y ~ x1", data, w, model="sar"), sde.fit(FORMULA, data, w, model="ols"))


def test_the_sem_is_not_nested_where_not_everything_is_lagged(panel):
    data, w = panel
    part, sem = sde.fit(FORMULA, data, w, durbin=["x1"]), sde.fit(FORMULA, data, w, model="sem")
    message = "'x2' does not enter spatially lagged"
    with pytest.raises(IdentificationError, match=message):
        likelihood_ratio(part, sem)
    with pytest.raises(IdentificationError, match=message):
        wald_test(part, "sem")


@pytest.mark.parametrize(("kind", "fixed"), [("binary", "none"), ("island", "none"), ("binary", "two-way")])
def test_the_sem_is_not_nested_where_it_lags_its_constants(example, kind, fixed):
    data, w = example(10, 5, kind)
    sdm, sem = (sde.fit(FORMULA, data, w, model=m, fixed=fixed) for m in ("sdm", "sem"))
    with pytest.raises(IdentificationError, match="rows of W add up to different values"):
        likelihood_ratio(sdm, sem)
    assert wald_test(sdm, "sem").df == 2


def test_individual_effects_absorb_the_lagged_constant(example):
    data, w = example(10, 5, "binary")
    sdm, sem = (sde.fit(FORMULA, data, w, model=m, fixed="individual") for m in ("sdm", "sem"))
    assert likelihood_ratio(sdm, sem).df == 2


def test_no_restriction_to_test(panel):
    data, w = panel
    sdm, sar, sem, sdem = (sde.fit(FORMULA, data, w, model=m) for m in ("sdm", "sar", "sem", "sdem"))
    with pytest.raises(IdentificationError, match="'sdm' is not a restricted form of 'sar': it has lagged regressors"):
        likelihood_ratio(sar, sdm)
    with pytest.raises(IdentificationError, match="'sem' is not a restricted form of 'sar': it has spatial errors"):
        likelihood_ratio(sar, sem)
    with pytest.raises(IdentificationError, match="'sdm' is not a restricted form of 'sdem': it has a spatial lag"):
        wald_test(sdem, "sdm")
    with pytest.raises(IdentificationError, match="Nothing in this 'sdm' fit has to vanish to make it 'sdm'"):
        wald_test(sdm, "sdm")
    with pytest.raises(IdentificationError, match="The larger model comes first"):
        likelihood_ratio(sdm, sdm)
    with pytest.raises(OptionError, match=r"null='sra' is not available.*Did you mean 'sar'\?"):
        wald_test(sdm, "sra")


def test_differently_transformed_data_are_never_compared(panel, quietly):
    data, w = panel
    sdm = sde.fit(FORMULA, data, w)
    for options, message in (
        ({"fixed": "individual"}, r"different fixed effects \('two-way' and 'individual'\)"),
        ({"bias": "none"}, "different treatments of the effects"),
        ({"bias": "correction"}, "different treatments of the effects"),
    ):
        other = quietly(sde.fit, FORMULA, data, w, model="sar", **options)
        with pytest.raises(OptionError, match=message):
            likelihood_ratio(sdm, other)


def test_different_data_are_never_compared(panel, example):
    data, w = panel
    sdm = sde.fit(FORMULA, data, w)
    shorter = sde.fit(FORMULA, data.select(times=list(data.times[1:])), w, model="sar")
    with pytest.raises(OptionError, match=r"different observations in the likelihood \(55 and 44\)"):
        likelihood_ratio(sdm, shorter)
    with pytest.raises(OptionError, match="different response values"):
        likelihood_ratio(sdm, sde.fit("I(2 * y) ~ x1 + x2", data, w, model="sar"))
    moved = data.assign(x1=lambda p: 2.0 * p["x1"])
    with pytest.raises(OptionError, match="'x1' has different values"):
        likelihood_ratio(sdm, sde.fit(FORMULA, moved, w, model="sar"))
    frame = data.to_frame()
    frame["unit"] = "v" + frame["unit"]
    renamed = sde.Panel(frame, unit="unit", time="year")
    relabelled = sde.weights.SpatialWeights(w.sparse, renamed.units)
    with pytest.raises(OptionError, match="different units or times"):
        likelihood_ratio(sdm, sde.fit(FORMULA, renamed, relabelled, model="sar"))


def test_different_weights_are_never_compared_unless_one_fit_has_none(panel, example):
    data, w = panel
    _, other = example(12, 6, "row", seed=9)
    sdm = sde.fit(FORMULA, data, w)
    with pytest.raises(OptionError, match="different weights"):
        likelihood_ratio(sdm, sde.fit(FORMULA, data, other, model="sar"))
    assert likelihood_ratio(sdm, sde.fit(FORMULA, data, other, model="ols")).df == 3


def test_moments_have_no_likelihood(example):
    data, w = example(90, 1, "row")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)  # weak instruments are not the point
        moments = sde.fit(FORMULA, data, w, method="gmm")
    with pytest.raises(OptionError, match="only method='ml' has a likelihood"):
        likelihood_ratio(moments, sde.fit(FORMULA, data, w, model="sar"))
    theta = ["W_x1", "W_x2"]
    expected = moments.params[theta] @ np.linalg.inv(moments.cov.loc[theta, theta]) @ moments.params[theta]
    assert wald_test(moments, "sar").statistic == pytest.approx(expected, rel=1e-9)


def test_a_bound_has_no_test(example):
    data, w = example(9, 1, "row")
    wave = np.where(np.arange(9) % 2, 1.0, -1.0)
    ring = np.roll(np.eye(9), 1, axis=1)
    w = sde.weights.SpatialWeights(ring[:8, :8] + ring[:8, :8].T, data.index[:8], normalization="row")
    data = data.iloc[:8].assign(y=wave[:8] * 5 + 1e-10 * data["y"].iloc[:8])
    with pytest.warns(sde.errors.EstimationWarning, match="bound"):
        fit = sde.fit("y ~ x1", data, w, model="sar")
    with pytest.raises(IdentificationError, match="rho of the sar fit is at the bound"):
        wald_test(fit, "ols")


def test_fewer_times_than_restrictions_under_driscoll_kraay(example, quietly):
    data, w = example(12, 3, "row", k=5)
    fit = quietly(sde.fit, "y ~ x1 + x2 + x3 + x4 + x5", data, w, cov="driscoll-kraay")
    with pytest.raises(IdentificationError, match="covariance of the 5 restrictions is singular"):
        wald_test(fit, "sar")
