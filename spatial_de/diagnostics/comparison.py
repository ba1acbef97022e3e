"""Bayesian comparison of spatial models and weights: which model, which W, and how sure the data are."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.errors import EstimationWarning, IdentificationError, OptionError, SpatialDEError
from spatial_de.fitting import cautions
from spatial_de.fitting.options import resolve_durbin, resolve_effects, resolve_links
from spatial_de.models import MODELS, build_problem
from spatial_de.models.evidence import Evidence, evidence
from spatial_de.models.prior import Prior
from spatial_de.panel.design import build_design
from spatial_de.parallel import run_tasks
from spatial_de.weights.stacked import StackedWeights
from spatial_de.wording import check_option, plural

if TYPE_CHECKING:
    from spatial_de.models.problem import Bias, Problem
    from spatial_de.panel import Panel
    from spatial_de.panel.design import Design
    from spatial_de.panel.transforms import Effects
    from spatial_de.weights import SpatialWeights

COMPARED = ("slx", "sar", "sem", "sdm", "sdem")
_WIDTH = 88
_SHOWN = 12  # rows of a printed table


@dataclass(frozen=True, eq=False)
class ModelProbabilities:
    """Posterior probabilities of models and weights, all equally likely beforehand.

    Attributes
    ----------
    table
        Index (weights, model), in the order given; columns log_marginal, probability, spatial_mean, spatial_sd: log
        marginal likelihood, posterior probability among all rows, and posterior mean and standard deviation of the
        spatial parameter (rho, or lambda; NaN for slx).
    prior
        Prior of the coefficients, the variance and the spatial parameter, the same for all.
    fixed
        Fixed effects, eliminated by the Lee-Yu transformation; flat time dummies where W is not row-standardised.
    nobs
        Observations of the likelihood.
    notes
        What the reader should know.
    """

    table: pd.DataFrame
    prior: Prior
    fixed: str
    nobs: int
    notes: tuple[str, ...]

    @cached_property
    def by_weights(self) -> pd.Series:
        """Probability of each W, whatever the model."""
        return self.table["probability"].groupby(level="weights", sort=False).sum()

    @cached_property
    def by_model(self) -> pd.Series:
        """Probability of each model, whatever the W."""
        return self.table["probability"].groupby(level="model", sort=False).sum()

    @property
    def best(self) -> tuple[Any, str]:
        """Weights and model with the highest probability."""
        weights, model = self.table.index[int(self.table["probability"].argmax())]
        return weights, model

    def to_frame(self) -> pd.DataFrame:
        """The table with weights and model as columns."""
        return self.table.reset_index()

    def to_dict(self) -> dict[str, Any]:
        """Plain Python types."""
        return {
            "table": self.to_frame().to_dict(orient="list"),
            "by_weights": self.by_weights.to_dict(),
            "by_model": self.by_model.to_dict(),
            "fixed": self.fixed,
            "nobs": self.nobs,
            "g": self.prior.g,
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        rule, (weights, model) = "=" * _WIDTH, self.best
        ranked = self.table.sort_values("probability", ascending=False, kind="stable")
        share = self.table["probability"].max()
        head = f"{plural(len(self.by_model), 'model')}, {len(self.by_weights)} W, {self.nobs:,} observations"
        lines = ["Posterior model probabilities".center(_WIDTH).rstrip(), rule, head]
        lines += [f"Fixed effects: {self.fixed}; Zellner's g = {self.prior.g:g}" if self.prior.g else "", rule]
        lines += ranked.head(_SHOWN).to_string(float_format=lambda x: f"{x:.4f}", na_rep="").splitlines()
        if len(ranked) > _SHOWN:
            rest = float(ranked["probability"].iloc[_SHOWN:].sum())
            lines.append(f"... and {len(ranked) - _SHOWN} more with {rest:.4f} together")
        lines += [rule, "By model:    " + _listed(self.by_model), "By weights:  " + _listed(self.by_weights)]
        lines.append(f"Most probable: {model.upper()} with W = {weights} ({share:.1%}).")
        lines += [part for note in self.notes for part in textwrap.wrap(note, _WIDTH, initial_indent="- ")]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return str(self.table.to_html(float_format=lambda x: f"{x:.4f}"))


def model_probabilities(
    formula: str,
    data: Panel | pd.DataFrame,
    weights: Mapping[Any, SpatialWeights],
    *,
    models: Sequence[str] = COMPARED,
    fixed: Effects | None = None,
    durbin: Sequence[str] | None = None,
    prior: Prior | None = None,
    n_jobs: int = 1,
    client: Any = None,
    progress: bool | None = None,
) -> ModelProbabilities:
    """Which model and which W do the data support? Posterior probabilities over all pairs of both.

    Every parameter is integrated out: coefficients and variance analytically, the spatial parameter by quadrature over
    its admissible interval. Comparing likelihoods at their maxima would favour the pair with the most parameters;
    testing one pair against another knows no third.

    Parameters
    ----------
    formula, data
        As for `fit`. Panels must be balanced.
    weights
        Name -> weights, one or many.
    models
        Models to compare: ``"slx"``, ``"sar"``, ``"sem"``, ``"sdm"``, ``"sdem"``.
    fixed
        Effects, as for `fit`; they are eliminated by the Lee-Yu transformation, so that they need no prior.
    durbin
        Regressors that enter spatially lagged; by default all but categorical ones.
    prior
        The prior of all models; it must be proper for slopes, or models with more of them could not be compared. By
        default Zellner's with g the larger of the number of observations and the square of the largest number of
        slopes (Fernandez, Ley and Steel 2001), a density ``1 / sigma2``, and a uniform one for rho and lambda.
    n_jobs, client, progress
        As for `fit_many`; the work is shared out by weights.

    Returns
    -------
    ModelProbabilities

    Raises
    ------
    OptionError
        No weights, an unknown model, a prior without g, under time effects weights that are not row-standardised beside
        others or other models.
    IdentificationError, AlignmentError, FormulaError, DataError, PanelError
        As for `fit`; the message names the weights and the model.

    References
    ----------
    LeSage, J. and Pace, R. K. (2009). *Introduction to Spatial Econometrics*, chapter 6.
    LeSage, J. P. (2014). Spatial econometric panel data model specification: a Bayesian approach. *Spatial Statistics*
    9, 122-145.
    Fernandez, C., Ley, E. and Steel, M. F. J. (2001). Benchmark priors for Bayesian model averaging. *Journal of
    Econometrics* 100, 381-427.

    Examples
    --------
    >>> sde.model_probabilities("ln_gap ~ digital", panel, {"border": w1, "distance": w2})  # doctest: +SKIP
    """
    _check(weights, models, prior)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        design = build_design(formula, data, unbalanced=True)
        effects, treatment = resolve_effects(design, fixed, None)
        tasks = [_Task(name, w, tuple(models), effects, treatment, durbin) for name, w in weights.items()]
        first = _problem(design, tasks[0], max(models, key=lambda name: MODELS[name].lag_x))
        chosen = prior or Prior(g=float(max(first.n, first.n_reported**2)))
        cautions.warn_of_two_values(design)
        cautions.warn_of_interactions(design, MODELS[models[0]])
    found = run_tasks(
        _compare, tasks, shared=(design, chosen), n_jobs=n_jobs, client=client, progress=progress, what="weights"
    )
    notes = list(dict.fromkeys([str(item.message) for item in caught] + [note for one in found for note in one.notes]))
    for note in notes:
        warnings.warn(note, EstimationWarning, stacklevel=2)
    _refuse_different_data(found)
    table = pd.concat([one.table for one in found], ignore_index=True).set_index(["weights", "model"])
    relative = np.exp(table["log_marginal"] - table["log_marginal"].max())
    table.insert(1, "probability", relative / relative.sum())
    return ModelProbabilities(table, chosen, effects, first.n, tuple(notes))


@dataclass(frozen=True, slots=True)
class _Task:
    """All models under one W."""

    name: Any
    w: SpatialWeights
    models: tuple[str, ...]
    effects: Effects
    bias: Bias
    durbin: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class _Compared:
    """What one W gave: rows of the table, what the likelihoods count, notes."""

    name: Any
    table: pd.DataFrame
    counts: frozenset[tuple[int, int]]
    notes: tuple[str, ...]


def _check(weights: Any, models: Sequence[str], prior: Prior | None) -> None:
    if not isinstance(weights, Mapping) or not weights:
        raise OptionError("weights= must be a mapping from names to weights: {'border': w1, 'distance': w2}.")
    if isinstance(models, str) or not isinstance(models, Sequence) or not models:
        raise OptionError(f"models={models!r} must be a list of models: ['sar', 'sdm'].")
    for model in models:
        check_option(model, COMPARED, "models")
    if len(set(models)) < len(models):
        raise OptionError(f"models= names a model twice: {', '.join(models)}.")
    if prior is not None and (not isinstance(prior, Prior) or prior.g is None):
        raise OptionError(
            "prior= must be a Prior with g=, e.g. sde.Prior(g=300): with flat priors of the slopes, models with "
            "different regressors have no common scale."
        )


def _compare(shared: tuple[Design, Prior], task: _Task) -> _Compared:
    design, prior = shared
    rows, counts = [], set()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for model in task.models:
            problem = _problem(design, task, model)
            found: Evidence = evidence(problem, prior)
            counts.add((problem.n, problem.n_time_dummies))
            rows.append((task.name, model, found.log_marginal, found.mean, found.std))
    table = pd.DataFrame(rows, columns=["weights", "model", "log_marginal", "spatial_mean", "spatial_sd"])
    notes = dict.fromkeys(f"Weights {task.name!r}: {item.message}" for item in caught)
    return _Compared(task.name, table, frozenset(counts), tuple(notes))


def _problem(design: Design, task: _Task, model: str) -> Problem:
    """The model under the task's W; errors name both."""
    try:
        return _build(design, task, model)
    except SpatialDEError as error:
        raise type(error)(f"Weights {task.name!r}, model {model!r}: {error}") from error


def _build(design: Design, task: _Task, model: str) -> Problem:
    spec, links = resolve_links(design, MODELS[model], w=task.w, error_weights=None, durbin_weights=None)
    if spec.name != model:
        raise IdentificationError("The weights hold no links: there is nothing spatial to compare.")
    if design.present is not None or any(isinstance(w, StackedWeights) for w in links.used(spec).values()):
        raise OptionError(
            "Model probabilities need a balanced panel under weights that do not change: use panel.balance()."
        )
    cautions.refuse_uniform(links, task.effects, spec)
    cautions.refuse_exchangeable(design, links, spec)
    cautions.warn_of_endogenous_weights(design, links.used(spec))
    durbin = resolve_durbin(task.durbin, design, spec) if spec.lag_x else None
    return build_problem(design, links, spec=spec, effects=task.effects, bias=task.bias, durbin=durbin)


def _refuse_different_data(found: Sequence[_Compared]) -> None:
    """Time effects of weights whose rows do not add up to one stay in the data: other data than those of the others."""
    counts = set().union(*(one.counts for one in found))
    if len(counts) > 1:
        name = next(one.name for one in found if any(dummies for _, dummies in one.counts))
        raise OptionError(
            f"The rows of weights {name!r} do not add up to one: their time effects cannot be eliminated by the "
            "transformation that the other models use, and the marginal likelihoods would be of different data. Use "
            "w.normalized('row'), or fixed='individual'."
        )


def _listed(series: pd.Series) -> str:
    ranked = series.sort_values(ascending=False, kind="stable")
    shown = ", ".join(f"{name} {value:.4f}" for name, value in ranked.head(6).items())
    return shown + (", ..." if len(ranked) > 6 else "")
