"""Placebo W: whether any W would have given the estimates."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy import sparse

from spatial_de.diagnostics.compared_weights import fit_under
from spatial_de.errors import IdentificationError, OptionError, WeightsError
from spatial_de.fitting import Model, fit
from spatial_de.models import MODELS
from spatial_de.weights import Provenance, SpatialWeights
from spatial_de.weights.links import check_count
from spatial_de.wording import check_option

if TYPE_CHECKING:
    from spatial_de.fitting.many import FitRecord
    from spatial_de.panel import Panel

Null = Literal["rewire", "relabel"]
_WIDTH = 88
_SWAPS = 10  # per link, after which a graph has forgotten where it came from


@dataclass(frozen=True, eq=False)
class PlaceboWeights:
    """Estimates under the true W beside those under random ones.

    Attributes
    ----------
    table
        Index statistic (rho, lambda, loglik, and direct, indirect, total effect of the term); columns observed, mean,
        sd, low, high (middle 95 % of the placebo estimates), share_below, p_value. The p-value counts placebo estimates
        at least as far out on the side of the true one, twice for two sides; for the log-likelihood, larger ones only;
        the sample itself is one of them: ``(1 + count) / (1 + draws)``.
    draws
        Placebo estimates, a column per statistic.
    null
        ``"rewire"`` or ``"relabel"``.
    term
        Whose effects.
    seed
        Of the random graphs.
    failed
        How many random W the model could not be fitted under.
    """

    table: pd.DataFrame
    draws: pd.DataFrame
    null: str
    term: str
    seed: int
    failed: int

    def to_frame(self) -> pd.DataFrame:
        """The table with the statistic as a column."""
        return self.table.reset_index()

    def to_dict(self) -> dict[str, Any]:
        """Plain Python types."""
        return {
            "table": self.to_frame().to_dict(orient="list"),
            "draws": self.draws.to_dict(orient="list"),
            "null": self.null,
            "term": self.term,
            "seed": self.seed,
            "failed": self.failed,
        }

    def __repr__(self) -> str:
        how = {"rewire": "graphs with the same numbers of neighbours", "relabel": "relabellings of the units of W"}
        rule = "=" * _WIDTH
        title = f"Placebo W: {len(self.draws):,} random {how[self.null]}; effects of {self.term}"
        lines = [title, rule, *self.table.to_string(float_format="{:.4f}".format).splitlines(), rule]
        p, below = (float(self.table[column]["loglik"]) for column in ("p_value", "share_below"))
        said = f"The true W fits better than {100 * below:.1f} % of the random ones (p = {p:.3f})."
        lines += textwrap.wrap(said, _WIDTH)
        if self.failed:
            lines.append(f"Under {self.failed} random W the model could not be fitted; they are left out.")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return str(self.table.to_html(float_format=lambda x: f"{x:.4f}"))


def placebo_weights(
    formula: str,
    data: Panel | pd.DataFrame,
    w: SpatialWeights,
    *,
    term: str,
    model: Model = "sdm",
    null: Null = "rewire",
    draws: int = 499,
    seed: int = 0,
    n_jobs: int = 1,
    progress: bool | None = None,
    **options: Any,
) -> PlaceboWeights:
    """Fit the model again under random W, and see where the estimates under the true one lie among them.

    An estimate that random neighbours give as well says nothing of these neighbours: it may come from shocks common to
    all units, or from trends.

    Parameters
    ----------
    formula, data, w
        As for `fit`.
    term
        Whose effects to follow.
    model
        Any model with a spatial term.
    null
        ``"rewire"``: random graphs in which every unit keeps its number of neighbours; for symmetric links of equal
        weight. ``"relabel"``: the units of W exchanged at random; for any W.
    draws, seed
        Random W, and the seed.
    n_jobs, progress
        As for `fit_many`; results do not depend on `n_jobs`.
    **options
        Options of `fit`.

    Raises
    ------
    WeightsError
        ``null="rewire"`` for weights that are not symmetric links of equal weight.
    IdentificationError
        The model cannot be fitted under more than half of the random W.
    OptionError
        A term without effects.

    References
    ----------
    Maslov, S. and Sneppen, K. (2002). Specificity and stability in topology of protein networks. *Science* 296,
    910-913: rewiring that keeps degrees.

    Examples
    --------
    >>> sde.placebo_weights("ln_gap ~ digital", panel, w, term="digital", draws=199)  # doctest: +SKIP
    """
    check_option(model, tuple(name for name in MODELS if name != "ols"), "model")
    check_option(null, ("rewire", "relabel"), "null")
    draws = check_count(draws, "draws", most=1_000_000, why="")
    real = fit(formula, data, w, model=model, **options)
    effects = real.effects("delta").table["estimate"]
    if term not in effects.index.get_level_values("term"):
        known = ", ".join(repr(name) for name in effects.index.get_level_values("term").unique())
        raise OptionError(f"There are no effects of {term!r}; there are effects of {known}.")
    streams = np.random.default_rng(seed).spawn(draws)
    make = rewired if null == "rewire" else relabelled
    weights = {i: make(w, rng) for i, rng in enumerate(streams)}
    found = fit_under(weights, data, formula=formula, model=model, n_jobs=n_jobs, progress=progress, **options)
    good = [record for record in found.records if record.effects is not None]
    if 2 * len(good) < draws:
        raise IdentificationError(f"Under {draws - len(good)} of {draws} random W the model could not be fitted.")
    placebo = pd.DataFrame([_statistics(record, term) for record in good])
    spatial = {name: real.params[name] for name in ("rho", "lambda") if name in real.params.index}
    observed = (
        spatial | {"loglik": real.loglik} | {kind: effects[term, kind] for kind in ("direct", "indirect", "total")}
    )
    return PlaceboWeights(
        table=_place(pd.Series(observed), placebo[list(observed)]),
        draws=placebo[list(observed)],
        null=null,
        term=term,
        seed=seed,
        failed=draws - len(good),
    )


def rewired(w: SpatialWeights, rng: np.random.Generator) -> SpatialWeights:
    """A random graph in which every unit has as many neighbours as in `w`: links exchange ends, many times over.

    Raises
    ------
    WeightsError
        Weights that are not symmetric links of equal weight.
    """
    raw = w.raw
    if raw.nnz == 0 or np.ptp(raw.data) > 0.0 or (raw != raw.T).nnz:
        raise WeightsError(
            "null='rewire' is for symmetric links of equal weight, such as contiguity: for these weights use "
            "null='relabel'."
        )
    upper = sparse.triu(raw, k=1).tocoo()
    ends = np.column_stack(upper.coords).tolist()
    linked = {(a, b) for a, b in ends} | {(b, a) for a, b in ends}
    m = len(ends)
    choices = rng.integers(m, size=(_SWAPS * m, 2)).tolist()
    turns = rng.integers(2, size=_SWAPS * m).tolist()
    for (one, two), turn in zip(choices, turns, strict=True):
        (a, b), (c, d) = ends[one], ends[two][::-1] if turn else ends[two]
        if len({a, b, c, d}) < 4 or (a, d) in linked or (c, b) in linked:
            continue
        linked -= {(a, b), (b, a), (c, d), (d, c)}
        linked |= {(a, d), (d, a), (c, b), (b, c)}
        ends[one], ends[two] = [a, d], [c, b]
    i, j = np.array(ends).T
    values = np.full(m, raw.data[0])
    graph = sparse.csr_array((values, (i, j)), shape=raw.shape)
    return SpatialWeights(
        sparse.csr_array(graph + graph.T),
        w.ids,
        provenance=Provenance(rule=f"random graph with the degrees of: {w.provenance.rule}"),
        normalization=w.normalization,
    )


def relabelled(w: SpatialWeights, rng: np.random.Generator) -> SpatialWeights:
    """The same weights with units exchanged at random."""
    order = rng.permutation(w.n)
    return SpatialWeights(
        w.raw[order][:, order],
        w.ids,
        provenance=Provenance(rule=f"units exchanged at random in: {w.provenance.rule}"),
        normalization=w.normalization,
        allow_negative=bool((w.raw.data < 0.0).any()),
    )


def _statistics(record: FitRecord, term: str) -> dict[str, float]:
    terms = record.table.set_index("term")["estimate"]
    spatial = {name: float(terms[name]) for name in ("rho", "lambda") if name in terms.index}
    if record.effects is None:
        raise ValueError("records without effects are left out before")
    own = record.effects[record.effects["term"] == term].set_index("effect")["estimate"]
    return spatial | {"loglik": record.loglik} | {str(kind): float(value) for kind, value in own.items()}


def _place(observed: pd.Series, placebo: pd.DataFrame) -> pd.DataFrame:
    n = len(placebo)
    above, below = (placebo >= observed).sum(), (placebo <= observed).sum()
    nearer = pd.concat([above, below], axis=1).min(axis=1)
    p_value = (2.0 * (1.0 + nearer) / (1.0 + n)).clip(upper=1.0)
    p_value["loglik"] = (1.0 + above["loglik"]) / (1.0 + n)
    return pd.DataFrame(
        {
            "observed": observed,
            "mean": placebo.mean(),
            "sd": placebo.std(),
            "low": placebo.quantile(0.025),
            "high": placebo.quantile(0.975),
            "share_below": (placebo < observed).mean(),
            "p_value": p_value,
        }
    ).rename_axis("statistic")
