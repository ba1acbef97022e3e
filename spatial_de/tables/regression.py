"""`regression`: several fits side by side, as journals print them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd

from spatial_de.errors import OptionError
from spatial_de.tables import numbers
from spatial_de.tables.facts import SPATIAL, Below, facts_of, is_lag, notes_on, show
from spatial_de.tables.grid import Align, Grid, Row
from spatial_de.wording import check_option, plural, stars

if TYPE_CHECKING:
    from spatial_de.effects.core import Effects
    from spatial_de.results import Results

BLOCKS = (
    "Coefficients",
    "Spatial lags of regressors",
    "Unit means of regressors",
    "Spatial parameters",
    "Direct effects",
    "Indirect effects",
    "Total effects",
)
_VARIANCES = ("sigma2_mu", "sigma2")
_COLUMNS = ["model", "block", "term", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]


@dataclass(frozen=True, eq=False)
class RegressionTable:
    """Several fits side by side, from `regression`.

    Attributes
    ----------
    numbers
        Unrounded: columns model, block, term, estimate, std_error, statistic, p_value, conf_low, conf_high.
    facts
        Index: what (observations, log-likelihood, ...); one column per model.
    notes
        What has to stand below the table.
    below, stars, digits, labels
        How it is shown.
    """

    numbers: pd.DataFrame
    facts: pd.DataFrame
    notes: tuple[str, ...]
    below: Below
    stars: bool
    digits: int
    labels: Mapping[str, str]

    @property
    def models(self) -> list[str]:
        """Heads of the columns."""
        return [str(name) for name in self.facts.columns]

    def to_frame(self) -> pd.DataFrame:
        """The unrounded numbers, one row per model and term."""
        return self.numbers.copy()

    def to_dict(self) -> dict[str, Any]:
        """Numbers, facts and notes in plain Python types."""
        return {
            "numbers": self.numbers.to_dict(orient="list"),
            "facts": {str(name): self.facts[name].to_dict() for name in self.facts.columns},
            "notes": list(self.notes),
        }

    def wide(self) -> pd.DataFrame:
        """Unrounded, models side by side: columns block, term, quantity and one per model; facts at the end."""
        long = self.numbers.melt(["model", "block", "term"], var_name="quantity")
        keys = ["block", "term", "quantity"]
        wide = long.pivot_table(index=keys, columns="model", values="value", sort=False, dropna=False)
        order = long.drop_duplicates(keys).set_index(keys).index
        wide = wide.reindex(index=order, columns=self.models).dropna(how="all").astype(object)
        position = {name: i for i, name in enumerate(BLOCKS)}
        terms = {term: i for i, term in enumerate(dict.fromkeys(self.numbers["term"]))}
        rows = sorted(wide.index, key=lambda key: (position[key[0]], terms[key[1]]))
        facts = self.facts.set_axis(
            pd.MultiIndex.from_tuples([("Facts", name, "value") for name in self.facts.index], names=keys)
        )
        return pd.concat([wide.loc[rows], facts.astype(object)]).reset_index()

    def grid(self) -> Grid:
        """The table as text."""
        rows: list[Row] = []
        centre: Align = "c"
        present = [block for block in BLOCKS if (self.numbers["block"] == block).any()]
        for block in present:
            if block != present[0] or block != BLOCKS[0]:
                rows.append(Row((block, *([""] * len(self.models))), rule=bool(rows), heading=True))
            rows += self._block(block)
        facts = [
            (str(name), *(show(str(name), value) for value in values))
            for name, values in self.facts.astype(object).iterrows()
        ]
        shown = [cells for cells in facts if any(cells[1:])]
        rows += [Row(cells, rule=i == 0) for i, cells in enumerate(shown)]
        return Grid(
            header=("", *self.models),
            rows=tuple(rows),
            align=("l", *itertools.repeat(centre, len(self.models))),
            frame=self.wide(),
            note=" ".join(self.notes),
        )

    def _block(self, block: str) -> Iterable[Row]:
        part = self.numbers[self.numbers["block"] == block]
        for term in dict.fromkeys(part["term"]):
            cells = part[part["term"] == term].set_index("model").reindex(self.models)
            decimals = _decimals(cells, self.digits)
            yield Row((self._label(str(term)), *(self._estimate(cell, decimals) for _, cell in cells.iterrows())))
            if self.below != "none":
                yield Row(("", *(self._uncertainty(cell, decimals) for _, cell in cells.iterrows())))

    def _label(self, term: str) -> str:
        if term in self.labels:
            return self.labels[term]
        if term.startswith("W_") and term[2:] in self.labels:
            return f"W × {self.labels[term[2:]]}"
        if term.startswith("mean_") and term[5:] in self.labels:
            return f"Mean of {self.labels[term[5:]]}"
        return term

    def _estimate(self, cell: pd.Series, decimals: int | None) -> str:
        if np.isnan(cell["estimate"]):
            return ""
        if cell["std_error"] == 0.0:
            return "0"  # the model has no such effect
        return _number(cell["estimate"], decimals) + (stars(cell["p_value"]) if self.stars else "")

    def _uncertainty(self, cell: pd.Series, decimals: int | None) -> str:
        if np.isnan(cell["estimate"]) or not np.isfinite(cell["std_error"]) or cell["std_error"] == 0.0:
            return ""
        tested = not np.isnan(cell["p_value"])  # a posterior is not: its interval stands for statistics
        if self.below == "conf_int" or (self.below in {"p_value", "statistic"} and not tested):
            return f"[{_number(cell['conf_low'], decimals)}, {_number(cell['conf_high'], decimals)}]"
        if self.below == "p_value":
            return f"({numbers.p_value(cell['p_value'])})"
        if self.below == "statistic":
            return f"({numbers.fixed(cell['statistic'], 2)})"
        return f"({_number(cell['std_error'], decimals)})"

    def __str__(self) -> str:
        from spatial_de.tables.writers import render

        return render(self, "txt")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from spatial_de.tables.writers import render

        return render(self, "html")


def regression(
    fits: Results | Sequence[Results],
    *,
    names: Sequence[str] | None = None,
    effects: bool | Sequence[Effects | None] = False,
    effect_terms: Sequence[str] | None = None,
    below: Below = "std_error",
    stars: bool = True,
    digits: int = 3,
    labels: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> RegressionTable:
    """Several fits side by side: coefficients, spatial lags, spatial parameters, effects, facts of each fit.

    Parameters
    ----------
    fits
        Results of `fit`, one or several.
    names
        Heads of the columns; by default ``"(1) OLS"``, ``"(2) SAR"``, ...
    effects
        True adds the direct, indirect and total effects of each fit (simulated, 1,000 draws, seed 0); or give
        one `Effects` per fit, None for a column without.
    effect_terms
        Regressors whose effects are shown; all by default.
    below
        What stands in brackets below an estimate: "std_error", "p_value", "statistic", "conf_int", "none". Below a
        posterior mean: its standard deviation, and for "p_value" and "statistic" the credible interval.
    stars
        Mark p < 0.10, 0.05, 0.01 with one, two, three stars; a posterior mean never.
    digits
        Significant digits of the smallest standard error in a row; estimate and error get the same decimals.
    labels
        Names of terms for people: ``{"digital": "Digital-economy index"}``; spatial lags follow.
    notes
        Sentences to add below.

    Returns
    -------
    RegressionTable

    Raises
    ------
    OptionError
        No fits, names that do not fit their number, an unknown option.

    Examples
    --------
    ``print(sde.tables.regression([sar, sdm], effects=True))``
    """
    fits = list(fits) if isinstance(fits, Iterable) else [fits]
    check_option(below, get_args(Below), "below")
    heads = _heads(fits, names)
    found = _effects(fits, effects)
    blocks = [_coefficients(fit, head) for fit, head in zip(fits, heads, strict=True)]
    for eff, head in zip(found, heads, strict=True):
        if eff is not None:
            rows = _effect_rows(eff, head)
            blocks.append(rows if effect_terms is None else rows[rows["term"].isin(effect_terms)])
    columns = pd.concat(blocks, ignore_index=True)[_COLUMNS]
    bayes = [head for fit, head in zip(fits, heads, strict=True) if fit.posterior is not None]
    columns.loc[columns["model"].isin(bayes), ["statistic", "p_value"]] = np.nan  # a posterior tests nothing
    facts = facts_of(dict(zip(heads, fits, strict=True)))
    rules = set(facts.loc["Weights"]) - {"-"}
    if len(rules) == 1:  # one rule for all columns reads better below them
        facts = facts.drop(index="Weights")
        notes = (f"Weights: {rules.pop()}.", *notes)
    return RegressionTable(
        numbers=columns,
        facts=facts,
        notes=(*notes_on(dict(zip(heads, fits, strict=True)), found, below=below, stars=stars), *notes),
        below=below,
        stars=stars,
        digits=digits,
        labels=dict(labels or {}),
    )


def _heads(fits: list[Results], names: Sequence[str] | None) -> list[str]:
    if not fits:
        raise OptionError("There is no fit to show: give a list such as regression([sar, sdm]).")
    for fit in fits:
        if not hasattr(fit, "std_errors"):
            raise OptionError(
                f"regression() shows what fit() returns, not {type(fit).__name__}; the numbers of fit_many() are in "
                "its to_frame() and effects_frame()."
            )
    if names is None:
        return [f"({i}) {fit.model.upper()}" for i, fit in enumerate(fits, start=1)]
    if isinstance(names, str) or len(names) != len(fits):
        given = repr(names) if isinstance(names, str) else plural(len(names), "name")
        raise OptionError(f"names={given} for {plural(len(fits), 'fit')}: give one name per fit, as a list.")
    if len(set(names)) < len(names):
        raise OptionError("names must differ from each other, so that columns can be told apart.")
    return list(names)


def _effects(fits: list[Results], effects: bool | Sequence[Effects | None]) -> list[Effects | None]:
    if isinstance(effects, bool):
        return [fit.effects() if effects else None for fit in fits]
    if len(effects) != len(fits):
        raise OptionError(
            f"effects= holds {len(effects)} for {plural(len(fits), 'fit')}: give one Effects (or None) per fit."
        )
    return list(effects)


def _coefficients(fit: Results, head: str) -> pd.DataFrame:
    frame = fit.to_frame()
    frame = frame[~frame["term"].isin(_VARIANCES)].assign(model=head)
    return frame.assign(block=[_block_of(term, fit) for term in frame["term"]])


def _block_of(term: str, fit: Results) -> str:
    if term in SPATIAL:
        return "Spatial parameters"
    if is_lag(term, fit.params.index):
        return "Spatial lags of regressors"
    return "Unit means of regressors" if term in fit.estimate.problem.mean_names else "Coefficients"


def _effect_rows(effects: Effects, head: str) -> pd.DataFrame:
    frame = effects.to_frame().assign(model=head)
    frame["block"] = [f"{str(kind).capitalize()} effects" for kind in frame["effect"]]
    return frame.drop(columns="effect")


def _decimals(cells: pd.DataFrame, digits: int) -> int | None:
    """Decimals of a row; None where fixed decimals would not show the smallest error."""
    errors = cells["std_error"].to_numpy(dtype=float)
    errors = errors[np.isfinite(errors) & (errors > 0)]
    if not len(errors):
        return None
    smallest = float(errors.min())
    too_small = smallest < 10.0 ** -(numbers.MAX_DECIMALS - digits + 1)
    return None if too_small else numbers.decimals_for(smallest, digits)


def _number(value: float, decimals: int | None) -> str:
    return numbers.significant(value) if decimals is None else numbers.fixed(value, decimals)
