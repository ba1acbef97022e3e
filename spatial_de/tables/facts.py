"""What stands at the foot of a regression table: facts of each fit, and notes on how to read the columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from spatial_de.tables import numbers

if TYPE_CHECKING:
    from spatial_de.effects.core import Effects
    from spatial_de.results import Results

Below = Literal["std_error", "p_value", "statistic", "conf_int", "none"]

SPATIAL = ("rho", "lambda")
_EFFECTS = {"none": "none", "individual": "units", "time": "times", "two-way": "units and times"}
_BIAS = {"lee-yu": "Lee-Yu", "none": "direct", "correction": "bias-corrected"}
_FORMS = {"bsk": "units (BSK)", "kkp": "units (KKP)"}
_DECIMALS = {
    "Log-likelihood": 2,
    "AIC": 2,
    "R-squared": 3,
    "Share of units": 3,
    "First-stage F": 2,
    "J statistic": 2,
    "p-value of J": 3,
    "Log marginal likelihood": 2,
    "R-hat": 3,
}
_BELOW = {
    "std_error": "Standard errors in brackets.",
    "p_value": "p-values in brackets.",
    "statistic": "z (for linear models t) statistics in brackets.",
    "conf_int": "95 % confidence intervals in square brackets.",
    "none": "",
}
_BELOW_MEANS = {
    "std_error": "standard deviations in brackets",
    "p_value": "95 % credible intervals in square brackets",
    "statistic": "95 % credible intervals in square brackets",
    "conf_int": "95 % credible intervals in square brackets",
    "none": "",
}


def is_lag(term: str, terms: pd.Index[Any]) -> bool:
    """Whether a term is the spatial lag of another, and not a variable that is called so."""
    return term.startswith("W_") and term[2:] in terms


def facts_of(fits: Mapping[str, Results]) -> pd.DataFrame:
    """Index: what, in the order of a table; one column per fit."""
    methods = {fit.method for fit in fits.values()}
    random = any(fit.random is not None for fit in fits.values())
    panel = any(fit.times is not None for fit in fits.values())
    columns = {}
    for head, fit in fits.items():
        facts: dict[str, object] = {"Observations": fit.nobs}
        if methods != {"ml"}:
            facts["Estimator"] = fit.estimator
        facts |= _fit_of(fit)
        if "bayes" in methods:
            facts |= _posterior(fit)
        if "gmm" in methods:
            facts |= _moments(fit)
        facts |= _variances(fit, random=random) | _specification(fit, random=random, panel=panel)
        columns[head] = facts
    found = pd.DataFrame(columns)
    return found.drop(index="Standard errors") if methods == {"bayes"} else found


def _fit_of(fit: Results) -> dict[str, object]:
    return {
        "in the likelihood": fit.n_likelihood if fit.method != "gmm" else None,
        "Log-likelihood": fit.loglik if fit.method == "ml" else None,
        "AIC": fit.aic if fit.method == "ml" else None,
        "R-squared": fit.r_squared,
    }


def _posterior(fit: Results) -> dict[str, object]:
    found = fit.posterior
    return {
        "Log marginal likelihood": None if found is None else found.log_marginal_likelihood,
        "Draws": None if found is None else len(found.numbers.params),
        "R-hat": None if found is None or not found.diagnostics.chains else found.diagnostics.rhat,
    }


def _moments(fit: Results) -> dict[str, object]:
    first, test = fit.first_stage, fit.overidentification
    return {
        "First-stage F": None if first is None else first.F,
        "J statistic": None if test is None else test.statistic,
        "Degrees of freedom of J": None if test is None else test.df,
        "p-value of J": None if test is None else test.p_value,
    }


def _variances(fit: Results, *, random: bool) -> dict[str, object]:
    units = {"sigma² of units": fit.sigma2_mu, "Share of units": fit.unit_share} if random else {}
    return {"sigma²": fit.sigma2, **units}


def _specification(fit: Results, *, random: bool, panel: bool) -> dict[str, object]:
    spec, facts = fit.estimate.problem.spec, dict[str, object]()
    if panel:
        facts |= {"Fixed effects": _EFFECTS[fit.fixed], "Estimation": _BIAS[fit.bias] if fit.fixed != "none" else "-"}
    if random:
        form = "-" if fit.random is None else _FORMS[fit.random] if spec.lag_error else "units"
        facts["Random effects"] = form + (", correlated" if fit.correlated else "")
    used = any(name in SPATIAL or is_lag(name, fit.params.index) for name in fit.params.index)
    facts["Weights"] = fit.weights.provenance.rule if used and fit.weights is not None else "-"
    facts["Standard errors"] = fit.cov_label if fit.posterior is None else "-"
    return facts


def show(name: str, value: object) -> str:
    """One fact as text; nothing where a fit does not have it."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, float):
        decimals = _DECIMALS.get(name)
        return numbers.significant(value, 4) if decimals is None else numbers.fixed(value, decimals)
    return f"{value:,}" if isinstance(value, int) else str(value)


def notes_on(fits: Mapping[str, Results], effects: Sequence[Effects | None], *, below: Below, stars: bool) -> list[str]:
    """How to read the columns."""
    bayes = [head for head, fit in fits.items() if fit.posterior is not None]
    tested = len(bayes) < len(fits)
    notes = [_BELOW[below]] if tested and _BELOW[below] else []
    if stars and tested:
        notes.append("* p < 0.10, ** p < 0.05, *** p < 0.01.")
    if bayes:
        which = f"{', '.join(bayes)}: posterior" if tested else "Posterior"
        notes.append(", ".join(part for part in (f"{which} means", _BELOW_MEANS[below]) if part) + ".")
    notes += _on_effects(dict(zip(fits, effects, strict=True)))
    if any(fit.method == "gmm" for fit in fits.values()):
        notes.append("R-squared without a likelihood: squared correlation with what regressors and lag explain.")
    if any(fit.overidentification is not None for fit in fits.values()):
        notes.append("J: test of the overidentifying restrictions under the covariance of each column.")
    if any(fit.random is not None for fit in fits.values()):
        notes.append(
            "Share of units: of their random effects in the variance, sigma² of units / (sigma² of units + sigma²)."
        )
    if any(fit.fixed != "none" and fit.random is None for fit in fits.values()):
        notes.append("R-squared: of the variation that fixed effects leave.")
    likelihoods = [fit for fit in fits.values() if fit.method == "ml"]
    if (
        len(
            {
                (fit.n_likelihood, fit.fixed, fit.bias if fit.fixed != "none" else None, fit.response)
                for fit in likelihoods
            }
        )
        > 1
    ):
        notes.append("Log-likelihoods and AIC of columns with different data or transformations cannot be compared.")
    return notes


def _on_effects(effects: Mapping[str, Effects | None]) -> list[str]:
    """What the errors of effects rest on, each kind once; columns are named where there are several kinds."""
    kinds: dict[str, list[str]] = {}
    for head, found in effects.items():
        if found is not None:
            kinds.setdefault(_source(found), []).append(head)
    if len(kinds) < 2:
        return [f"Errors of effects {source}." for source in kinds]
    return [f"Errors of effects in {', '.join(heads)} {source}." for source, heads in kinds.items()]


def _source(effects: Effects) -> str:
    if effects.inference == "delta":
        return "by the delta method"
    if effects.inference == "posterior":
        return f"from {effects.draws:,} draws of the posterior, seed {effects.seed}"
    return (
        f"from {effects.draws:,} draws, seed {effects.seed}; their p-values from the shares of draws on either side of "
        "zero"
    )
