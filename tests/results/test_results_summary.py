"""The summary: its layout on Columbus, and that the numbers printed are those of the fit."""

import re
import warnings

import numpy as np
import pytest

import spatial_de as sde
from spatial_de.errors import EstimationWarning
from spatial_de.models import MODELS

LAYOUT = """\
                               Spatial Durbin model (SDM)
========================================================================================
Response       CRIME                                  Observations                    49
Estimator      ML                                     in the likelihood               49
Units          49                                     Log-likelihood           -182.0161
Weights        matrix given by the user, row          AIC                       378.0322
                                                      BIC                       391.2750
                                                      R-squared                   0.6534
========================================================================================
CRIME                        Coef.   Std. err.        z   P>|z|     [95% conf. interval]
----------------------------------------------------------------------------------------
Intercept                  45.5929     13.1287     3.47  <0.001      19.8612     71.3246
INC                        -0.9391      0.3382    -2.78   0.005      -1.6020     -0.2762
HOVAL                      -0.2996      0.0908    -3.30  <0.001      -0.4777     -0.1216
Spatial lags of regressors
W_INC                      -0.6184      0.5771    -1.07   0.284      -1.7494      0.5126
W_HOVAL                     0.2666      0.1840     1.45   0.147      -0.0940      0.6272
Spatial parameters
rho                         0.3825      0.1624     2.36   0.018       0.0643      0.7008
----------------------------------------------------------------------------------------
sigma2                     95.0506     19.4751
========================================================================================
Standard errors: classical; expected information; rho in (-1.534, 1.000), converged,
log-determinant by eigenvalues."""

ROW = re.compile(r"^(\S+) +(-?[\d.,e+-]+) +([\d.,e+-]+) +(-?[\d.]+) +(<?[\d.]+) +(-?[\d.,e+-]+) +(-?[\d.,e+-]+)$")


def number(text):
    return float(text.lstrip("<").replace(",", ""))


def test_layout_of_columbus(crime):
    """The figures are spatialreg's (coefficients, standard errors, log-likelihood: tests/golden/models)."""
    table, w = crime
    fit = sde.fit("CRIME ~ INC + HOVAL", table, w, model="sdm", information="expected")
    assert fit.summary() == LAYOUT
    assert repr(fit) == LAYOUT
    assert fit._repr_html_() == f"<pre>{LAYOUT}</pre>"


@pytest.mark.parametrize("model", MODELS)
def test_printed_numbers_are_those_of_the_fit(model, crime):
    table, w = crime
    fit = sde.fit("CRIME ~ INC + HOVAL", table, w, model=model)
    expected = fit.to_frame().set_index("term").drop(index="sigma2")
    found = {m[1]: [number(x) for x in m.groups()[1:]] for m in map(ROW.match, fit.summary().splitlines()) if m}
    assert list(found) == list(expected.index)
    for term, values in found.items():
        row = expected.loc[term].to_numpy(dtype=float, copy=True)
        row[3] = max(row[3], 0.001)  # printed as <0.001
        assert (np.abs(values - row) <= [5.1e-5, 5.1e-5, 5.1e-3, 5.1e-4, 5.1e-5, 5.1e-5]).all(), term


def test_what_a_panel_says(provinces):
    panel, w = provinces
    text = sde.fit("y ~ x + z", panel, w, cov="cluster").summary()
    for line in (
        "Times          8 (2001 to 2008)",
        "Fixed effects  individual and time",
        "Estimation     Lee-Yu transformation",
        "in the likelihood              105",
        "(within)",
        "Standard errors: clustered by unit; observed information",
    ):
        assert line in text
    assert "Intercept" not in text


def test_warnings_stay_with_the_result(provinces):
    panel, w = provinces
    with pytest.warns(sde.errors.EstimationWarning, match="biased downwards") as caught:
        fit = sde.fit("y ~ x + z", panel, w, bias="none")
    assert fit.notes == (str(caught[0].message),)
    flat = " ".join(fit.summary().split())
    assert f"Note: {fit.notes[0]}" in flat


def test_lines_fit_the_page(provinces):
    panel, w = provinces
    long_name = "a_variable_with_a_name_that_does_not_fit_into_its_column"
    fit = sde.fit(f"y ~ x + {long_name}", panel.assign(**{long_name: panel["z"]}), w)
    assert max(map(len, fit.summary().splitlines())) <= 88
    assert "a_variable_with_a_na…" in fit.summary()
    assert long_name in fit.params.index


@pytest.mark.parametrize(
    ("scale", "shown"),
    [(1e-9, r"\d\.\d{3}e-\d\d"), (1.0, r"\d\.\d{4}"), (1e5, r"\d{1,3},\d{3}\.\d\d"), (1e12, r"e\+\d\d")],
)
def test_numbers_of_any_size_fit_their_columns(scale, shown, provinces):
    panel, w = provinces
    text = sde.fit("y ~ x + z", panel.assign(y=panel["y"] * scale), w, model="sar").summary()
    line = next(line for line in text.splitlines() if line.startswith("x "))
    assert re.search(shown, line)
    assert ROW.match(line)


def test_gmm_says_what_it_does_not_have(crime):
    table, w = crime
    text = sde.fit("CRIME ~ INC + HOVAL", table, w, model="sar", method="gmm").summary()
    assert "instruments: the first spatial lag of the regressors;" in " ".join(text.split())
    assert re.search(r"^Estimator +S2SLS ", text, flags=re.MULTILINE)
    assert re.search(r"Pseudo R-squared +0\.\d{4}$", text, flags=re.MULTILINE)
    assert re.search(r"Sargan J\(1\) +\d", text, flags=re.MULTILINE)
    assert not re.search("nan|likelihood|AIC", text)


def test_a_posterior_has_no_test_statistics(crime):
    table, w = crime
    fit = sde.fit("CRIME ~ INC + HOVAL", table, w, model="sar", method="bayes", draws=500)
    lines = fit.summary().splitlines()
    assert any(re.match("Estimator +Bayes ", line) for line in lines)
    head = next(line for line in lines if "Mean" in line)
    assert head.split() == ["CRIME", "Mean", "Std.", "dev.", "P(>0)", "[95%", "cred.", "interval]"]
    for term in ("INC", "rho"):
        cells = next(line for line in lines if line.startswith(f"{term} ")).split()
        assert cells[3] == f"{(fit.posterior.draws[term] > 0).mean():.3f}"
    assert not re.search(r"P>\||p-value|\bnan\b", fit.summary())


@pytest.mark.parametrize(
    ("model", "options", "estimator"),
    [
        ("ols", {}, "OLS"),
        ("slx", {}, "OLS"),
        ("sem", {}, "ML"),
        ("sdm", {"method": "gmm"}, "S2SLS"),
        ("sac", {"method": "gmm"}, "GS2SLS"),
        ("sem", {"method": "gmm"}, "GMM"),
        ("ols", {"method": "bayes", "draws": 200}, "Bayes"),
    ],
)
def test_the_estimator_is_named(crime, model, options, estimator):
    table, w = crime
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        assert sde.fit("CRIME ~ INC + HOVAL", table, w, model=model, **options).estimator == estimator
