"""Tests of random effects, and of models with them: values from the definition, comparisons that must be refused."""

import numpy as np
import pytest
from scipy.stats import chi2

import spatial_de as sde
from spatial_de.diagnostics import likelihood_ratio, mundlak_test, random_effects_test, wald_test
from spatial_de.errors import IdentificationError, OptionError

FORMULA = "y ~ x1 + x2"


@pytest.fixture(scope="module")
def panel(example):
    return example(20, 6, "row", seed=3)


@pytest.fixture(scope="module")
def fits(panel):
    data, w = panel
    return {
        model: sde.fit(FORMULA, data, w, model=model, random="kkp") for model in ("ols", "sar", "sem", "sdm", "gns")
    }


@pytest.mark.parametrize("cov", ["classical", "cluster"])
@pytest.mark.parametrize("model", ["ols", "sdm"])
def test_mundlak(panel, model, cov):
    data, w = panel
    fit = sde.fit(FORMULA, data, w, model=model, random=True, correlated=True, cov=cov)
    names = [name for name in fit.params.index if name.startswith("mean_")]
    assert names == ["mean_x1", "mean_x2", *(["mean_W_x1", "mean_W_x2"] if model == "sdm" else [])]
    expected = fit.params[names] @ np.linalg.inv(fit.cov.loc[names, names]) @ fit.params[names]
    test = mundlak_test(fit)
    assert test.statistic == pytest.approx(expected, rel=1e-9)
    assert test.df == len(names)
    assert test.p_value == pytest.approx(chi2.sf(expected, len(names)), rel=1e-9)


def test_coefficients_of_unit_means_are_between_minus_within(panel):
    """Which is what Hausman's test compares (Hausman and Taylor 1981)."""
    data, w = panel
    fit = sde.fit(FORMULA, data, w, model="ols", random=True, correlated=True, information="expected")
    within = fit.params[["x1", "x2"]].to_numpy()
    gap = fit.params[["mean_x1", "mean_x2"]].to_numpy()
    frame = data.to_frame()
    means = frame.reset_index().groupby("unit")[["y", "x1", "x2"]].mean()
    between = np.linalg.lstsq(np.column_stack([np.ones(20), means[["x1", "x2"]]]), means["y"], rcond=None)[0][1:]
    np.testing.assert_allclose(within + gap, between, rtol=1e-9)


def test_no_unit_means_no_test(fits):
    with pytest.raises(OptionError, match="no unit means to test"):
        mundlak_test(fits["sdm"])


@pytest.mark.parametrize("model", ["ols", "sar", "sem"])
def test_of_no_variance(panel, fits, model):
    data, w = panel
    pooled = sde.fit(FORMULA, data, w, model=model, fixed="none")
    test = random_effects_test(fits[model], pooled)
    assert test.statistic == pytest.approx(2 * (fits[model].loglik - pooled.loglik), rel=1e-12)
    assert test.p_value == pytest.approx(0.5 * chi2.sf(test.statistic, 1), rel=1e-9)


def test_of_no_variance_refuses_other_differences(panel, fits):
    data, w = panel
    pooled = sde.fit("y ~ x1", data, w, model="sar", fixed="none")
    with pytest.raises(OptionError, match="different regressors"):
        random_effects_test(fits["sar"], pooled)
    with pytest.raises(OptionError, match="different effects"):
        random_effects_test(fits["sar"], sde.fit(FORMULA, data, w, model="sar", fixed="individual"))
    with pytest.raises(OptionError, match="then one without"):
        random_effects_test(pooled, fits["sar"])


def test_likelihood_ratios(panel, fits):
    for big, small, df in (("sdm", "sar", 2), ("sdm", "sem", 2), ("gns", "sdm", 1), ("sar", "ols", 1)):
        test = likelihood_ratio(fits[big], fits[small])
        assert test.df == df
        assert test.statistic == pytest.approx(2 * (fits[big].loglik - fits[small].loglik), rel=1e-10)


def test_likelihood_ratios_across_forms_are_refused(panel, fits):
    data, w = panel
    beside = sde.fit(FORMULA, data, w, model="sem", random="bsk")
    with pytest.raises(IdentificationError, match="fit the SEM with random='kkp'"):
        likelihood_ratio(fits["sdm"], beside)
    with pytest.raises(OptionError, match="different forms of random effects"):
        likelihood_ratio(fits["gns"], beside)
    with pytest.raises(OptionError, match="random_effects_test"):
        likelihood_ratio(fits["sdm"], sde.fit(FORMULA, data, w, model="sar", fixed="none"))
    assert likelihood_ratio(sde.fit(FORMULA, data, w, model="sac", random="bsk"), fits["sar"]).df == 1


def test_wald_takes_the_unit_means_of_lags_along(panel):
    data, w = panel
    fit = sde.fit(FORMULA, data, w, model="sdm", random="kkp", correlated=True)
    names = ["W_x1", "W_x2", "mean_W_x1", "mean_W_x2"]
    expected = fit.params[names] @ np.linalg.inv(fit.cov.loc[names, names]) @ fit.params[names]
    assert wald_test(fit, "sar").statistic == pytest.approx(expected, rel=1e-9)
    assert wald_test(fit, "sar").df == 4
    p = fit.params
    pairs = [("x1", "W_x1"), ("x2", "W_x2"), ("mean_x1", "mean_W_x1"), ("mean_x2", "mean_W_x2")]
    value = np.array([p[theta] + p["rho"] * p[beta] for beta, theta in pairs])
    gradient = np.zeros((4, len(p)))
    for i, (beta, theta) in enumerate(pairs):
        at = [p.index.get_loc(name) for name in (theta, beta, "rho")]
        gradient[i, at] = 1.0, p["rho"], p[beta]
    expected = value @ np.linalg.solve(gradient @ fit.cov.to_numpy() @ gradient.T, value)
    assert wald_test(fit, "sem").statistic == pytest.approx(expected, rel=1e-9)
    small = sde.fit(FORMULA, data, w, model="sem", random="kkp", correlated=True)
    assert likelihood_ratio(fit, small).df == 4
