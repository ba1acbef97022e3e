"""Figures of other computations on public data: cigarette demand (panel), Columbus (cross-section)."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import spatial_de as sde
from spatial_de.errors import EstimationWarning

GOLDEN = Path(__file__).parents[1] / "golden" / "models"
TOLERANCE = 1e-6
CIGARETTES = json.loads((GOLDEN / "cigarettes_exact.json").read_text())["cases"]
COLUMBUS = json.loads((GOLDEN / "columbus_spatialreg.json").read_text())["cases"]


def close(found, expected, tolerance=TOLERANCE):
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=0.0)


def close_covariance(found, expected):
    """Compare in units of correlation: entries near zero hold no digits of their own."""
    expected = np.asarray(expected)
    size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(np.asarray(found) / size, expected / size, rtol=0.0, atol=TOLERANCE)


def fit_cigarettes(case, cigarettes):
    panel, w = cigarettes
    options = {key: case[key] for key in ("model", "fixed", "bias")}
    with warnings.catch_warnings():
        if case["bias"] == "none":
            warnings.simplefilter("ignore", EstimationWarning)  # that the direct form is biased is known
        return sde.fit("logc ~ logp + logy", panel, w, information="expected", **options)


def cases(of, carrying):
    """The golden cases whose source has the figure asked for."""
    chosen = [case for case in of if carrying in case]
    names = ["-".join(case[key] for key in ("model", "fixed", "bias") if key in case) for case in chosen]
    return pytest.mark.parametrize("case", chosen, ids=names)


def test_every_cell_of_the_grid_is_there():
    cells = {(c["model"], c["fixed"], c["bias"]) for c in CIGARETTES}
    models = {"ols", "slx", "sar", "sem", "sdm", "sdem"}
    effects = {"individual", "time", "two-way"}
    assert {(m, f, "none") for m in models for f in effects} <= cells
    assert {(m, f, "lee-yu") for m in ("sar", "sem", "sdm", "sdem") for f in effects} <= cells
    assert {("sar", "two-way", "correction"), ("sdm", "two-way", "correction")} <= cells
    assert len(CIGARETTES) == 35


class TestCigarettes:
    @cases(CIGARETTES, "beta")
    def test_estimates(self, case, cigarettes):
        fit = fit_cigarettes(case, cigarettes)
        spatial = {"sar": "rho", "sdm": "rho", "sem": "lambda", "sdem": "lambda"}.get(case["model"])
        terms = ["logp", "logy", "W_logp", "W_logy"]
        if case["fixed"] == "none":
            terms = ["Intercept", *terms]
        terms = terms[: len(case["beta"])]
        assert list(fit.params.index) == [*terms, *([spatial] if spatial else []), "sigma2"]
        close(fit.params[terms], case["beta"])
        close(fit.sigma2, case["sigma2"])
        if "loglik" in case:
            close(fit.loglik, case["loglik"])
        if "se_beta" in case:
            close(fit.std_errors[terms], case["se_beta"])
        if spatial:
            close(fit.params[spatial], case["rho"])
        if "se_rho" in case:
            close(fit.std_errors[spatial], case["se_rho"])

    @cases(CIGARETTES, "vcov")
    def test_covariance(self, case, cigarettes):
        expected = np.array(case["vcov"])
        found = fit_cigarettes(case, cigarettes).cov.to_numpy()
        size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))  # in units of correlation
        np.testing.assert_allclose(found / size, expected / size, rtol=0.0, atol=TOLERANCE)

    @cases(CIGARETTES, "effects_exact")
    def test_effects_and_their_delta_errors(self, case, cigarettes):
        table = fit_cigarettes(case, cigarettes).effects("delta").table.loc[["logp", "logy"]]
        close(table["estimate"], np.ravel(case["effects_exact"])[-6:])  # an intercept comes first in the source
        close(table["std_error"], case["effects_delta_se"][-6:])


class TestColumbus:
    @staticmethod
    def fit(case, columbus):
        return sde.fit("CRIME ~ INC + HOVAL", *columbus, model=case["model"], information="expected")

    @cases(COLUMBUS, "estimate")
    def test_estimates(self, case, columbus):
        fit = self.fit(case, columbus)
        terms = list(case["estimate"])
        assert set(fit.params.index) == {*terms, "sigma2"}
        reach = case.get("tolerance", TOLERANCE)  # two spatial parameters: their optimiser stops early on a flat ridge
        close(fit.params[terms], list(case["estimate"].values()), reach)
        close(fit.std_errors[terms], list(case["std_error"].values()), reach)
        close(fit.loglik, case["loglik"])
        if "sigma2" in case:
            close(fit.sigma2, case["sigma2"], reach)

    @cases(COLUMBUS, "cov")
    def test_covariance(self, case, columbus):
        names, expected = case["cov"]["names"], np.array(case["cov"]["values"])
        found = self.fit(case, columbus).cov.loc[names, names].to_numpy()
        size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
        np.testing.assert_allclose(found / size, expected / size, rtol=0.0, atol=TOLERANCE)

    @cases(COLUMBUS, "effects")
    def test_effects(self, case, columbus):
        table = self.fit(case, columbus).effects("delta").table
        for term, values in case["effects"].items():
            close(table.loc[term, "estimate"], values, case.get("tolerance", TOLERANCE))
        for term, values in case.get("effects_se", {}).items():
            close(table.loc[term, "std_error"], values)
