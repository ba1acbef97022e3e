"""What a fit returns: labelled, frozen, consistent with each other."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import spatial_de as sde
from spatial_de.errors import OptionError
from spatial_de.models import MODELS

CRIME = "CRIME ~ INC + HOVAL"
COLUMNS = ["term", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]


@pytest.fixture(params=MODELS)
def fit(request, crime):
    table, w = crime
    return sde.fit(CRIME, table, w, model=request.param)


def test_names_of_the_parameters(fit):
    spec = MODELS[fit.model]
    own, lags = ["Intercept", "INC", "HOVAL"], ["W_INC", "W_HOVAL"]
    expected = own + lags * spec.lag_x + ["rho"] * spec.lag_y + ["lambda"] * spec.lag_error + ["sigma2"]
    assert list(fit.params.index) == expected
    for labelled in (fit.std_errors, fit.statistics, fit.pvalues, fit.conf_int(), fit.cov, fit.cov.T):
        assert list(labelled.index) == expected
    assert fit.n_params == len(expected)


def test_numbers_agree_with_each_other(fit):
    p, se = fit.params, fit.std_errors
    np.testing.assert_allclose(se, np.sqrt(np.diag(fit.cov)))
    slopes = p.index.drop("sigma2")
    np.testing.assert_allclose(fit.statistics[slopes], (p / se)[slopes])
    assert np.isnan(fit.statistics["sigma2"])  # its null would be at the edge of what is possible
    law = stats.norm if fit.df_resid is None else stats.t(fit.df_resid)
    np.testing.assert_allclose(fit.pvalues[slopes], 2 * law.sf(np.abs(fit.statistics[slopes])), rtol=1e-10)
    for level in (0.9, 0.95, 0.99):
        half = law.ppf(0.5 + level / 2) * se
        np.testing.assert_allclose(fit.conf_int(level)["conf_low"], p - half)
        np.testing.assert_allclose(fit.conf_int(level)["conf_high"], p + half)
    np.testing.assert_allclose(fit.aic, 2 * fit.n_params - 2 * fit.loglik)
    np.testing.assert_allclose(fit.bic, np.log(49) * fit.n_params - 2 * fit.loglik)


def test_scalars_are_the_parameters(fit):
    spec = MODELS[fit.model]
    assert (fit.rho == fit.params["rho"]) if spec.lag_y else np.isnan(fit.rho)
    assert (fit.lam == fit.params["lambda"]) if spec.lag_error else np.isnan(fit.lam)
    assert fit.sigma2 == fit.params["sigma2"]
    assert (fit.nobs, fit.n_likelihood, fit.fixed, fit.method) == (49, 49, "none", "ml")
    assert (fit.df_resid is None) == (spec.lag_y or spec.lag_error)
    assert fit.converged
    assert fit.times is None
    assert fit.response == "CRIME"


def test_table_and_dictionary_hold_the_same_numbers(fit):
    frame = fit.to_frame()
    assert list(frame.columns) == COLUMNS
    pd.testing.assert_series_equal(frame.set_index("term")["estimate"], fit.params, check_names=False)
    content = fit.to_dict()
    plain = json.loads(json.dumps(content))  # plain types only: it must survive a file
    assert plain["table"]["estimate"] == fit.params.tolist()
    assert plain["loglik"] == fit.loglik
    assert plain["weights"] == (None if fit.weights is None else fit.weights.fingerprint)
    assert plain["optimization"]["status"] in {"converged", "closed form"}


def test_residuals_are_what_the_model_says(fit, crime):
    """e = B (A y - Z delta) by hand, in the order of the data."""
    table, w = crime
    W, p = w.to_dense(), fit.params
    u = table["CRIME"] - p.get("rho", 0.0) * (W @ table["CRIME"]) - p["Intercept"]
    for name in ("INC", "HOVAL"):
        u = u - p[name] * table[name] - p.get(f"W_{name}", 0.0) * (W @ table[name])
    e = u - p.get("lambda", 0.0) * (W @ u)
    pd.testing.assert_series_equal(fit.residuals, e, check_names=False, rtol=1e-9)
    pd.testing.assert_series_equal(fit.fitted, table["CRIME"] - e, check_names=False, rtol=1e-9)
    np.testing.assert_allclose(fit.sigma2, (e**2).mean(), rtol=1e-10)
    assert (fit.residuals.name, fit.fitted.name) == ("residual", "fitted")


def test_share_of_variance(crime):
    table, w = crime
    fit = sde.fit(CRIME, table, w, model="sar")
    total = ((table["CRIME"] - table["CRIME"].mean()) ** 2).sum()
    np.testing.assert_allclose(fit.r_squared, 1.0 - (fit.residuals**2).sum() / total)


def test_nothing_that_is_returned_reaches_back(fit):
    """Changing a returned table changes no later number."""
    before = fit.to_frame()
    for returned in (fit.params, fit.std_errors, fit.pvalues, fit.statistics, fit.residuals, fit.fitted):
        returned.iloc[0] = 1e6
    for returned in (fit.cov, fit.conf_int()):
        returned.iloc[0, 0] = 1e6
    pd.testing.assert_frame_equal(fit.to_frame(), before)
    assert fit.params.iloc[0] != 1e6
    assert fit.residuals.iloc[0] != 1e6
    assert fit.cov.iloc[0, 0] != 1e6


def test_frozen(fit):
    with pytest.raises(AttributeError):
        fit.method = "other"
    with pytest.raises(AttributeError):
        fit.params = fit.params


def test_a_fit_survives_a_file(fit):
    again = pickle.loads(pickle.dumps(fit))  # noqa: S301
    pd.testing.assert_frame_equal(again.to_frame(), fit.to_frame(), check_exact=True)
    assert again.summary() == fit.summary()


def test_another_covariance_is_a_new_result(provinces):
    panel, w = provinces
    fit = sde.fit("y ~ x + z", panel, w)
    clustered = fit.with_cov("cluster")
    assert (fit.cov_type, clustered.cov_type) == ("classical", "cluster")
    pd.testing.assert_series_equal(clustered.params, fit.params, check_exact=True)
    assert (clustered.std_errors != fit.std_errors).all()
    same = sde.fit("y ~ x + z", panel, w, cov="cluster")
    pd.testing.assert_frame_equal(same.cov, clustered.cov, check_exact=True)
    pd.testing.assert_frame_equal(clustered.with_cov("classical").cov, fit.cov, check_exact=True)


@pytest.mark.parametrize("fixed", ["none", "individual", "time", "two-way"])
def test_residuals_of_a_panel_carry_its_labels(fixed, provinces):
    panel, w = provinces
    fit = sde.fit("y ~ x + z", panel, w, fixed=fixed)
    assert fit.residuals.index.equals(panel.frame.index)
    assert fit.residuals.index.names == ["code", "year"]
    pd.testing.assert_series_equal(fit.residuals + fit.fitted, panel["y"], check_names=False)
    by_unit, by_year = (fit.residuals.groupby(level=level).mean() for level in ("code", "year"))
    assert (by_unit.abs().max() < 1e-12) == (fixed in {"individual", "two-way"})
    assert (by_year.abs().max() < 1e-12) == (fixed in {"time", "two-way"})
    counted = {"none": 16 * 8, "individual": 16 * 7, "time": 15 * 8, "two-way": 15 * 7}
    assert fit.n_likelihood == counted[fixed]
    np.testing.assert_allclose((fit.residuals**2).sum() / fit.n_likelihood, fit.sigma2, rtol=1e-10)


def test_options_are_checked(fit):
    with pytest.raises(OptionError, match=r"^level=1\.5 must lie between 0 and 1\.$"):
        fit.conf_int(1.5)
    with pytest.raises(OptionError, match="cov='robus' is not available"):
        fit.with_cov("robus")
    with pytest.raises(OptionError, match="needs a panel with at least two times"):
        fit.with_cov("cluster")
