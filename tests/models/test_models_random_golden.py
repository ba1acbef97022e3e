"""Random effects on cigarette demand: exact dense figures and those of splm (tests/golden)."""

import json
from pathlib import Path

import numpy as np
import pytest

import spatial_de as sde

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "models" / "cigarettes_random_effects.json").read_text())
EXACT, SPLM = GOLDEN["exact"]["cases"], GOLDEN["splm"]["cases"]
LAGGED = ("sar", "sac", "sdm", "gns")


def each(cases):
    return pytest.mark.parametrize("case", cases, ids=[f"{c['model']}-{c['random']}" for c in cases])


def fit_case(case, cigarettes, **options):
    return sde.fit("logc ~ logp + logy", *cigarettes, model=case["model"], random=case["random"], **options)


@each(EXACT)
def test_exact_figures(case, cigarettes):
    fit = fit_case(case, cigarettes)
    terms = ["Intercept", "logp", "logy"]
    spatial = [name for name in ("rho", "lambda") if name in case]
    assert list(fit.params.index) == [*terms, *spatial, "sigma2_mu", "sigma2"]
    close = {"rtol": 1e-6, "atol": 1e-9}
    np.testing.assert_allclose(fit.params[terms], case["beta"], **close)
    np.testing.assert_allclose(fit.params[spatial], [case[name] for name in spatial], **close)
    np.testing.assert_allclose(fit.sigma2, case["sigma2"], **close)
    np.testing.assert_allclose(fit.sigma2_mu / fit.sigma2, case["phi"], **close)
    np.testing.assert_allclose(fit.unit_share, case["phi"] / (1 + case["phi"]), **close)
    assert fit.loglik == pytest.approx(case["loglik"], rel=1e-10)


@each(SPLM)
def test_estimates_of_splm_and_errors_of_its_spatial_parameters(case, cigarettes):
    """Its errors of rho and lambda come from a numerical Hessian."""
    fit = fit_case(case, cigarettes)
    np.testing.assert_allclose(fit.params[list(case["estimate"])], list(case["estimate"].values()), rtol=1e-5)
    np.testing.assert_allclose(fit.sigma2_mu / fit.sigma2, case["phi"], rtol=1e-5)
    assert fit.loglik == pytest.approx(case["loglik"], rel=1e-10)
    spatial = [name for name in ("rho", "lambda") if name in case["std_error"]]
    np.testing.assert_allclose(fit.std_errors[spatial], [case["std_error"][name] for name in spatial], rtol=3e-3)


@each(SPLM)
def test_errors_of_coefficients_of_splm_and_where_they_are_too_small(case, cigarettes):
    """splm takes rho and lambda as known.

    Without a lag of the response that is the expected information, where both are uncorrelated. With one it is not, and
    splm's standard errors of the coefficients are too small, by half and more for the intercept.
    """
    expected = fit_case(case, cigarettes, information="expected")
    terms = [name for name in case["std_error"] if name not in {"rho", "lambda"}]
    ratio = np.array([case["std_error"][name] for name in terms]) / expected.std_errors[terms]
    if case["model"] in LAGGED:
        assert ratio["Intercept"] < 0.7
        assert (ratio < 1.001).all()
    else:
        np.testing.assert_allclose(ratio, 1.0, rtol=2e-5)


def test_several_maxima_are_listed(cigarettes):
    fit = fit_case({"model": "gns", "random": "bsk"}, cigarettes)
    maxima = fit.optimization.local_maxima
    assert len(maxima) == 2
    assert maxima[0][-1] > maxima[1][-1]
    np.testing.assert_allclose(maxima[1][:2], [-0.4719, 0.7298], atol=1e-4)
    assert fit.optimization.parameter == "rho and lambda and share of sigma2_mu"
    assert "the highest of 2 maxima" in fit.summary().replace("\n", " ")


@each([case for case in EXACT if case["random"] == "bsk" and "lambda" in case])
def test_maxima_of_many_units_are_found_from_fewer_starts(case, cigarettes, monkeypatch):
    """Where a grid of dense factorisations would take too long: a coarse one, or the other form's maxima."""
    full = fit_case(case, cigarettes)
    for budget in (2e6, 1.0):
        monkeypatch.setattr("spatial_de.models.random_search._BUDGET", budget)
        fewer = fit_case(case, cigarettes)
        assert fewer.optimization.start != full.optimization.start
        np.testing.assert_allclose(fewer.params, full.params, rtol=1e-10)


def test_sparse_log_determinants_give_the_same_fit(cigarettes):
    for model, form in (("sdm", "bsk"), ("sac", "kkp")):
        exact, sparse = (
            sde.fit("logc ~ logp + logy", *cigarettes, model=model, random=form, logdet=how)
            for how in ("eigenvalues", "sparse")
        )
        np.testing.assert_allclose(sparse.params, exact.params, rtol=1e-7)
        np.testing.assert_allclose(sparse.std_errors, exact.std_errors, rtol=1e-6)
        assert "nodes" in sparse.optimization.logdet
