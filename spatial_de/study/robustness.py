"""The same effect, one thing varied at a time: a registry of what can be varied."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from spatial_de.errors import SpatialDEError, StudyError
from spatial_de.study.job import NEIGHBOUR_NAMES, Job, effect_estimate
from spatial_de.study.scaling import standard_ratios, standardised
from spatial_de.study.verdict import Variant
from spatial_de.study.words import LEVEL, Kind
from spatial_de.wording import name_some, plural

if TYPE_CHECKING:
    from spatial_de.effects import Effects

TERM = "index"
ERRORS = "Errors"
KINDS: tuple[Kind, ...] = ("direct", "indirect", "total")
COVARIANCE_NAMES = {
    "classical": "classical standard errors",
    "robust": "robust standard errors",
    "cluster": "standard errors clustered by {unit}",
    "cluster-time": "standard errors clustered by time",
    "cluster-two-way": "standard errors clustered by {unit} and time",
    "driscoll-kraay": "Driscoll-Kraay standard errors",
}
INDEX_NAMES = {
    "entropy": "entropy weights",
    "entropy-topsis": "entropy weights and TOPSIS",
    "pca": "first principal component",
    "equal": "equal weights",
}
BIAS_NAMES = {"lee-yu": "Lee-Yu transformation", "none": "direct likelihood", "correction": "direct, bias-corrected"}


@dataclass(frozen=True)
class Change:
    """One departure from the main specification.

    Attributes
    ----------
    group, name
        What is varied, and to what.
    arguments
        Gives the arguments of `fit` that change. Called when the variant is estimated, so that weights or an index
        that cannot be made are a failure of this variant alone.
    term
        Name of the index in the formula.
    outcome
        Term of the outcome.
    """

    group: str
    name: str
    arguments: Callable[[], dict[str, Any]]
    term: str
    outcome: str


@dataclass(frozen=True)
class Estimated:
    """A variant with its effects, or with the reason why there are none.

    Attributes
    ----------
    group, name
        As in `Change`.
    effects
        Effects of the index in the units of the data; None where the fit failed.
    standardised
        The same in standard deviations of what fixed effects leave (see `scaling`), under the name "index".
    failure
        Why it failed.
    comparable
        Whether the effects are in the units of the main estimate.
    """

    group: str
    name: str
    effects: Effects | None
    standardised: Effects | None
    failure: str
    comparable: bool

    def variant(self, kind: str) -> Variant:
        """One effect of the index, for the verdict."""
        effect = None if self.effects is None else effect_estimate(self.effects, TERM, kind)
        return Variant(self.name, effect, errors_only=self.group == ERRORS)

    @property
    def at_odds(self) -> bool:
        """Whether an interval leaves out zero and its p-value does not, for draws of rho without effects."""
        found = [] if self.effects is None else [effect_estimate(self.effects, TERM, kind) for kind in KINDS]
        apart = any(e.conf_low * e.conf_high > 0.0 and e.p_value >= LEVEL for e in found)
        return apart and self.share_without_effects > 0.0

    @property
    def share_without_effects(self) -> float:
        """Share of the draws whose rho is outside its admissible interval."""
        if self.effects is None or not self.effects.rejected:
            return 0.0
        return self.effects.rejected / ((self.effects.draws or 0) + self.effects.rejected)


def odds_note(rows: Sequence[Estimated]) -> str:
    """What to say below intervals that leave out zero beside p-values that do not; empty where there are none."""
    shares = [f"{row.name}, {100 * row.share_without_effects:.0f} %" for row in rows if row.at_odds]
    if not shares:
        return ""
    return (
        f" Not told from zero although the interval leaves it out ({'; '.join(shares)} of the draws): draws of rho "
        "beyond its admissible interval have no effects. p-values count them as beyond zero, intervals leave them out."
    )


def estimated(job: Job) -> tuple[Estimated, ...]:
    """Every variant that the study asks for; what fails is kept with its reason. Computed once per job."""
    found: tuple[Estimated, ...] = job.once(
        "variants", lambda: tuple(estimate(job, change) for group in GROUPS for change in group(job))
    )
    return found


def main(job: Job) -> Estimated:
    """The main estimate in the form of a variant."""
    return estimate(job, _change(job, ("Main", "main specification"), dict))


def estimate(job: Job, change: Change) -> Estimated:
    """Fit one variant."""
    comparable = change.outcome == job.config.model.outcome and change.group != "Index"
    try:
        with _warnings_of(change.name):
            arguments = change.arguments()
            effects = _of_index(job.effects_of(job.fit(**arguments)), change.term)
        panel = arguments.get("data", job.panel)
        ratios = standard_ratios(panel, change.outcome, [change.term], fixed=job.config.model.fixed)
    except SpatialDEError as error:
        return Estimated(change.group, change.name, None, None, failure=str(error), comparable=comparable)
    standard = standardised(effects, {TERM: ratios[change.term]})
    return Estimated(change.group, change.name, effects, standard, failure="", comparable=comparable)


@contextmanager
def _warnings_of(variant: str) -> Iterator[None]:
    """Warnings given inside, again, under the name of the variant."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for item in caught:
        message = item.message
        warnings.warn(item.category(f"{variant}: {message}"), stacklevel=2)


def _of_index(effects: Effects, term: str) -> Effects:
    """The effects of one term, under the name that all variants share."""
    table = effects.table.loc[[term]].rename(index={term: TERM}, level="term")
    return replace(effects, table=table)


def numbers(rows: Sequence[Estimated]) -> pd.DataFrame:
    """One row per variant and effect, unrounded; NaN for what could not be estimated.

    Columns group, variant, effect, estimate, std_error, statistic, p_value, conf_low, conf_high; standardised,
    standardised_low, standardised_high; note.
    """
    columns = ["group", "variant", "effect", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]
    columns += ["standardised", "standardised_low", "standardised_high", "note"]
    out: list[dict[str, Any]] = []
    for row in rows:
        for kind in KINDS:
            entry: dict[str, Any] = {"group": row.group, "variant": row.name, "effect": kind, "note": row.failure}
            if row.effects is not None and row.standardised is not None:
                raw: Any = row.effects.table.loc[(TERM, kind)]
                scaled: Any = row.standardised.table.loc[(TERM, kind)]
                entry |= raw.to_dict()
                entry |= {"standardised": scaled["estimate"]}
                entry |= {f"standardised_{end}": scaled[f"conf_{end}"] for end in ("low", "high")}
            out.append(entry)
    return pd.DataFrame(out, columns=columns)


def _change(job: Job, title: tuple[str, str], arguments: Callable[[], dict[str, Any]]) -> Change:
    return Change(*title, arguments, term=job.config.index.name, outcome=job.config.model.outcome)


def _weights(job: Job) -> Iterator[Change]:
    section = job.config.weights
    for rule in job.config.robustness.weights:
        name = NEIGHBOUR_NAMES[rule]
        if rule == "knn":
            name = f"{section.k} {name}"
        if rule == "economic":
            name += f", {job.short_label(str(section.economic))}"
        yield _change(job, ("Weights", name), partial(_with_weights, job, rule))


def _with_weights(job: Job, rule: str) -> dict[str, Any]:
    return {"w": job.weights(rule)}


def _outcomes(job: Job) -> Iterator[Change]:
    for term in job.config.robustness.outcomes:
        change = _change(job, ("Outcome", job.label(term)), partial(dict, formula=job.formula(outcome=term)))
        yield replace(change, outcome=term)


def _periods(job: Job) -> Iterator[Change]:
    for first, last in job.config.robustness.periods:
        times = [time for time in job.panel.times if first <= time <= last]
        if len(times) < 2:
            raise StudyError(
                f"robustness.periods: {first} to {last} holds {plural(len(times), 'time')} of the study's "
                f"{job.panel.times[0]} to {job.panel.times[-1]}; it needs at least 2."
            )
        yield _change(job, ("Sample", f"{first}-{last} only"), partial(_with_times, job, times))


def _with_times(job: Job, times: list[Any]) -> dict[str, Any]:
    return {"data": job.panel.select(times=times)}


def _without(job: Job) -> Iterator[Change]:
    for name, left_out in job.config.robustness.without.items():
        strange = [unit for unit in left_out if unit not in job.panel.units]
        if strange:
            raise StudyError(
                f"robustness.without, {name!r}: there is no {job.subject.unit} {name_some(strange)}; there are "
                f"{name_some(job.panel.units)}."
            )
        yield _change(job, ("Sample", name), partial(_with_units, job, job.panel.units.drop(list(left_out))))


def _with_units(job: Job, units: pd.Index[Any]) -> dict[str, Any]:
    return {"data": job.panel.select(units=units), "w": job.weights(units=units)}


def _index(job: Job) -> Iterator[Change]:
    section, robustness = job.config.index, job.config.robustness
    if robustness.index_in_logs:
        term = f"log({section.name})"
        change = _change(job, ("Index", "index in logarithms"), partial(dict, formula=job.formula(index=term)))
        yield replace(change, term=term)
    for method in robustness.index_methods:
        yield _change(job, ("Index", f"index by {INDEX_NAMES[method]}"), partial(_with_index, job, method))


def _with_index(job: Job, method: str) -> dict[str, Any]:
    return {"data": job.panel.assign(**{job.config.index.name: job.index_by(method).values})}


def _covariances(job: Job) -> Iterator[Change]:
    for cov in job.config.robustness.covariances:
        name = COVARIANCE_NAMES[cov].format(unit=job.subject.unit)
        yield _change(job, (ERRORS, name), partial(dict, cov=cov))


def _biases(job: Job) -> Iterator[Change]:
    for bias in job.config.robustness.biases:
        yield _change(job, ("Estimation", f"{BIAS_NAMES[bias]}"), partial(dict, bias=bias))


GROUPS: tuple[Callable[[Job], Iterator[Change]], ...] = (
    _weights,
    _outcomes,
    _periods,
    _without,
    _index,
    _covariances,
    _biases,
)
