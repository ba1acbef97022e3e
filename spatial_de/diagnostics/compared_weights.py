"""One model under many W: effects side by side, fit, and posterior probabilities."""

from __future__ import annotations

import textwrap
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.diagnostics.comparison import COMPARED, model_probabilities
from spatial_de.errors import OptionError, SpatialDEError, SpatialDEWarning
from spatial_de.fitting import Model, fit_many
from spatial_de.models import MODELS
from spatial_de.wording import check_option, name_some, stars

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spatial_de.fitting.many import Fits
    from spatial_de.panel import Panel
    from spatial_de.weights import SpatialWeights

_WIDTH = 88
SPATIAL = {"rho": "lag_y", "lambda": "lag_error"}


@dataclass(frozen=True, eq=False)
class ComparedWeights:
    """One model under many W.

    Attributes
    ----------
    table
        Index weights, in the order given; columns links, loglik, aic, bic, the spatial parameters of the model (rho,
        lambda) with their standard errors, and probability: the posterior probability of each W given the model (NaN
        where it has none). Log-likelihoods and criteria that cannot be compared with the others are NaN (`notes`).
    effects
        Columns weights, term, effect, estimate, std_error, statistic, p_value, conf_low, conf_high.
    model
        Name of the model.
    failed
        Weights under which the model could not be fitted, with the reason.
    notes
        What the reader should know.
    """

    table: pd.DataFrame
    effects: pd.DataFrame
    model: str
    failed: dict[Any, str]
    notes: tuple[str, ...]

    @property
    def best(self) -> Any:
        """The W with the highest probability, or log-likelihood where there are no probabilities."""
        known = self.table["probability"].notna().any()
        return self.table["probability" if known else "loglik"].idxmax()

    def effect(self, term: str, effect: str = "indirect") -> pd.DataFrame:
        """One effect under every W: index weights; columns estimate, std_error, statistic, p_value and interval.

        Raises
        ------
        OptionError
            There is no such term or effect.
        """
        here = self.effects[(self.effects["term"] == term) & (self.effects["effect"] == effect)]
        if here.empty:
            terms = ", ".join(map(repr, self.effects["term"].unique()))
            raise OptionError(
                f"There is no {effect!r} effect of {term!r}; there are direct, indirect, total of {terms}."
            )
        return here.drop(columns=["term", "effect"]).set_index("weights")

    def to_frame(self) -> pd.DataFrame:
        """The table with the weights as a column."""
        return self.table.reset_index()

    def to_dict(self) -> dict[str, Any]:
        """Plain Python types."""
        return {
            "model": self.model,
            "table": self.to_frame().to_dict(orient="list"),
            "effects": self.effects.to_dict(orient="list"),
            "failed": dict(self.failed),
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        rule = "=" * _WIDTH
        title = f"{MODELS[self.model].label} under {len(self.table)} W"
        lines = [title.center(_WIDTH).rstrip(), rule, *_shown(self.table).splitlines(), rule]
        for effect in ("direct", "indirect", "total"):
            lines += [
                f"{effect.capitalize()} effects (* p < .1, ** p < .05, *** p < .01)",
                *_side(self, effect),
                "-" * _WIDTH,
            ]
        lines[-1] = rule
        lines.append(f"Best supported: {self.best}.")
        notes = [*self.notes, *(f"Not fitted: {name}: {why}" for name, why in self.failed.items())]
        lines += [part for note in notes for part in textwrap.wrap(note, _WIDTH, initial_indent="- ")]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return _shown(self.table, html=True)


def compare_weights(
    formula: str,
    data: Panel | pd.DataFrame,
    weights: Mapping[Any, SpatialWeights],
    *,
    model: Model = "sdm",
    probabilities: bool = True,
    n_jobs: int = 1,
    progress: bool | None = None,
    **options: Any,
) -> ComparedWeights:
    """Fit one model under many W, and set effects, fit and probabilities side by side.

    Parameters
    ----------
    formula, data
        As for `fit`.
    weights
        Name -> weights.
    model
        Any model with a spatial term.
    probabilities
        Whether to compute the posterior probability of each W given the model (`model_probabilities`); for slx, sar,
        sem, sdm and sdem.
    n_jobs, progress
        As for `fit_many`.
    **options
        Options of `fit`: fixed, durbin, bias, cov, ....

    Returns
    -------
    ComparedWeights
        Weights under which the fit fails do not stop the others: `failed` names them.

    Raises
    ------
    OptionError
        No weights, or a model without a spatial term.
    SpatialDEError
        The fit fails under every W: the error of the first.

    Notes
    -----
    Average effects, by the delta method. Choosing the W whose effects look best is a way to find what is not there:
    let the probabilities choose, and report the others.

    References
    ----------
    LeSage, J. P. and Pace, R. K. (2014). The biggest myth in spatial econometrics. *Econometrics* 2, 217-249.

    Examples
    --------
    >>> sde.compare_weights("ln_gap ~ digital", panel, {"border": w1, "distance": w2})  # doctest: +SKIP
    """
    check_option(model, tuple(name for name in MODELS if name != "ols"), "model")
    if not weights:
        raise OptionError("compare_weights() needs weights by name: {'border': w1, 'distance': w2}.")
    fits = fit_under(weights, data, formula=formula, model=model, n_jobs=n_jobs, progress=progress, **options)
    if not fits.records:
        raise fits.failures[0].error
    alike, notes = _comparable(fits)
    fitted = {name: weights[name] for name in alike}
    found, said = _probabilities(formula, data, fitted, model=model, options=options) if probabilities else (None, [])
    notes += [*said, *_notes(fits)]
    effects = fits.effects_frame().rename(columns={"fit": "weights"})
    return ComparedWeights(
        table=_table(fits, weights, alike, model=model, probabilities=found),
        effects=effects,
        model=model,
        failed={one.label: one.message for one in fits.failures},
        notes=tuple(notes),
    )


def fit_under(weights: Mapping[Any, SpatialWeights], data: Panel | pd.DataFrame, **options: Any) -> Fits:
    """One fit, with effects by the delta method, under every W; what they warn of is in their records."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpatialDEWarning)
        return fit_many({name: {"w": w} for name, w in weights.items()}, data, effects="delta", **options)


def _comparable(fits: Fits) -> tuple[list[Any], list[str]]:
    """Weights whose likelihoods are of the same transformed data: the most, and a note about the others.

    Under time effects a W that is not row-stochastic (one with islands) leaves the effects to be estimated, and the
    likelihood counts more observations.
    """
    counts = pd.Series({record.label: record.n_likelihood for record in fits.records})
    alike = counts.index[counts == counts.mode().iloc[-1]]
    other = counts.index.difference(alike, sort=False)
    if other.empty:
        return list(alike), []
    note = (
        f"Log-likelihoods under {name_some(list(other))} are of differently transformed data (W is not row-stochastic) "
        "and cannot be compared with the others: they are left out. Effects can."
    )
    return list(alike), [note]


def _notes(fits: Fits) -> list[str]:
    """What the fits had to say, each once, with the weights that it is about."""
    about: dict[str, list[str]] = {}
    for record in fits.records:
        for note in record.notes:
            about.setdefault(note, []).append(str(record.label))
    every = len(fits.records)
    return [note if len(names) == every else f"{name_some(names)}: {note}" for note, names in about.items()]


def _table(
    fits: Fits, weights: Mapping[Any, SpatialWeights], alike: list[Any], *, model: str, probabilities: Any
) -> pd.DataFrame:
    rows = []
    wanted = [name for name, term in SPATIAL.items() if getattr(MODELS[model], term)]
    for record in fits.records:
        terms = record.table.set_index("term")
        spatial = {
            key: terms.loc[name, column]
            for name in wanted
            for key, column in ((name, "estimate"), (f"se({name})", "std_error"))
        }
        row = {"weights": record.label, "links": weights[record.label].n_links, "loglik": record.loglik}
        rows.append(row | {"aic": record.aic, "bic": record.bic} | spatial)
    table = pd.DataFrame(rows).set_index("weights")
    table.loc[~table.index.isin(alike), ["loglik", "aic", "bic"]] = np.nan
    return table.assign(probability=np.nan if probabilities is None else probabilities.reindex(table.index))


def _probabilities(
    formula: str, data: Any, weights: Mapping[Any, SpatialWeights], *, model: str, options: dict[str, Any]
) -> tuple[pd.Series | None, list[str]]:
    """Posterior probability of each W given the model, or the reason why there is none."""
    if model not in COMPARED:
        return None, [
            f"There are no posterior probabilities for model={model!r}: they exist for {', '.join(COMPARED)}."
        ]
    known = {name: options[name] for name in ("fixed", "durbin") if name in options}
    other = sorted(set(options) & {"random", "error_weights", "durbin_weights", "missing_neighbors"})
    if other:
        return None, [f"There are no posterior probabilities with {other[0]}=."]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SpatialDEWarning)
            found = model_probabilities(formula, data, weights, models=(model,), **known)
    except SpatialDEError as error:
        return None, [f"No posterior probabilities: {error}"]
    return found.by_weights, []


def _shown(table: pd.DataFrame, *, html: bool = False) -> str:
    whole = {"links": "{:,.0f}".format, "probability": "{:.3f}".format}
    fine = {name: "{:.3f}".format if name in {"loglik", "aic", "bic"} else "{:.4f}".format for name in table.columns}
    formats = fine | whole
    return str(table.to_html(formatters=formats) if html else table.to_string(formatters=formats))


def _side(found: ComparedWeights, effect: str) -> list[str]:
    """Estimates with stars, a column per term."""
    here = found.effects[found.effects["effect"] == effect]
    cells = [f"{value:.4f}{stars(p):3}" for value, p in zip(here["estimate"], here["p_value"], strict=True)]
    wide = here.assign(cell=cells).pivot_table(
        index="weights", columns="term", values="cell", aggfunc="first", sort=False
    )
    wide.columns.name = None
    return str(wide.to_string()).splitlines()
