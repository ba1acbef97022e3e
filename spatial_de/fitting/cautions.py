"""What a model cannot identify is refused, what its reader should know is said."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from spatial_de.errors import EndogenousWeightsWarning, EstimationWarning, IdentificationError
from spatial_de.models.optimise import MARGIN
from spatial_de.weights.stacked import StackedWeights
from spatial_de.wording import name_some

if TYPE_CHECKING:
    from spatial_de.models import Estimate, ModelSpec, SpatialLinks
    from spatial_de.models.problem import Bias, Problem
    from spatial_de.panel.design import Design
    from spatial_de.panel.transforms import Effects
    from spatial_de.weights import SpatialWeights
    from spatial_de.weights.stacked import MissingNeighbors

TIME_DUMMIES = (
    "W is not row-stochastic, so that time effects cannot be eliminated by transformation: they were estimated, and "
    "the bias corrected analytically (Lee and Yu 2010)."
)


def refuse_uniform(links: SpatialLinks, effects: Effects, spec: ModelSpec) -> None:
    """With equal weights W y is a combination of y and the time mean: nothing identifies rho."""
    if effects not in {"time", "two-way"}:
        return
    if any(_only_means(w) for name, w in links.used(spec).items() if name != "durbin_weights"):
        raise IdentificationError(
            "Every unit has every other as neighbour with the same weight: with time effects the spatial lag is a "
            "multiple of the response itself, and rho is not identified. Use other weights or drop the time effects."
        )


def _only_means(w: SpatialWeights) -> bool:
    """Whether lags are the same multiple of means at all times: other multiples at other times would tell rho."""
    if not isinstance(w, StackedWeights):
        return w.is_uniform
    return all(block.is_uniform or not block.n_links for block in w.blocks) and len(set(w.sparse.data.round(12))) == 1


def refuse_exchangeable(design: Design, links: SpatialLinks, spec: ModelSpec) -> None:
    """Without regressors ``(I - rho W)(I - lambda W) y = e``: rho and lambda can change places."""
    if not (spec.lag_y and spec.lag_error) or design.x_names:
        return
    if links.lag is not None and links.lag == links.error:
        raise IdentificationError(
            f"model={spec.name!r} without regressors cannot tell rho from lambda, which can change places: use "
            "model='sar' or 'sem', or add regressors."
        )


def warn_of_two_values(design: Design) -> None:
    """Warn of a response that is a yes or no."""
    values = np.unique(design.rows(design.y))
    if len(values) == 2:
        warnings.warn(
            f"The response {design.y_name!r} takes only two values ({values[0]:g} and {values[1]:g}): a linear model "
            "treats them as quantities, and its predictions may lie outside them.",
            EstimationWarning,
            stacklevel=3,
        )


def warn_of_interactions(design: Design, spec: ModelSpec) -> None:
    """Products of a variable and a category have coefficients, but no lags, and no part in the variable's effects."""
    products = [name for name, dummy in zip(design.x_names, design.dummies, strict=True) if dummy and ":" in name]
    if products and (spec.lag_y or spec.lag_x):
        warnings.warn(
            f"Interactions with categories ({name_some(products)}) are controls only: they are not spatially lagged, "
            "and effects are those of the base category. Build the products as columns to lag them.",
            EstimationWarning,
            stacklevel=3,
        )


def warn_of_direct_bias(problem: Problem, *, asked: Bias) -> None:
    """Warn of the direct likelihood where its bias matters; `asked` is the treatment wanted, if W allows it."""
    (T, N), spec, effects = problem.design.y.shape, problem.spec, problem.effects
    if problem.bias == "none" and effects in {"time", "two-way"} and (spec.lag_y or spec.lag_error) and N < 300:
        way_out = (
            "The default bias='lee-yu' corrects this."
            if asked == "none"
            else "W is not row-stochastic, so that with random effects bias='lee-yu' cannot correct this: "
            "row-standardise the weights, or use fixed='two-way'."
        )
        warnings.warn(
            f"bias='none' with {effects} effects at N = {N}, T = {T}: rho is biased downwards and its intervals are "
            f"too narrow (at N = 31, T = 12 by about 0.1, covering 64 to 75 % instead of 95 %). {way_out}",
            EstimationWarning,
            stacklevel=3,
        )


def warn_of_endogenous_weights(design: Design, used: dict[str, SpatialWeights]) -> None:
    """Weights built from the response depend on its errors, which every estimator here takes as given."""
    made = [w for w in used.values() if w.provenance.variables]
    parts = {design.y_name, *re.findall(r"\w+", design.y_name)}
    own = [w for w in made if parts.intersection(w.provenance.variables)]
    sample: set[Any] = set() if design.times is None else set(design.times)
    inside = [w for w in made if sample.intersection(w.provenance.times)]
    if own:
        names = name_some(dict.fromkeys(name for w in own for name in w.provenance.variables if name in parts))
        start = f"The weights were built from {names}, which the response {design.y_name!r} is made of: "
        message = start + (
            "though these are values from before the sample, they share unit effects and errors that persist with it. "
            "Keep unit effects in the model and test the errors for serial correlation, or use another variable."
            if sample and all(_earlier(w, sample) for w in own)
            else "they are endogenous, and estimates of spillovers are biased. Use another variable, or values from "
            "before the sample."
        )
    elif inside:
        names = name_some(dict.fromkeys(name for w in inside for name in w.provenance.variables))
        message = (
            f"The weights were built from {names} of times in the sample: where it reacts to the response, "
            "they are endogenous, and estimates of spillovers are biased. Build them from earlier values: "
            "sde.weights.pre_sample_mean(panel[...], before=...)."
        )
    else:
        return
    warnings.warn(message, EndogenousWeightsWarning, stacklevel=3)


def _earlier(w: SpatialWeights, sample: set[Any]) -> bool:
    """Whether all values that weights were built from are known to be older than the sample."""
    times = w.provenance.times
    try:
        return bool(times) and bool(max(times) < min(sample))
    except TypeError:  # years against dates, say: nothing is known
        return False


def warn_of_bound(estimate: Estimate) -> None:
    """Warn of the spatial parameters at the end of their admissible intervals, if any is."""
    record = estimate.optimization
    if record.converged or record.bounds is None:
        return
    at = _at_bounds(record.parameter, record.bounds, values={"rho": estimate.rho, "lambda": estimate.lam})
    names, intervals = " and ".join(at), " and ".join(f"({low:.4f}, {high:.4f})" for low, high in at.values())
    where = (
        "is at the bound of its admissible interval"
        if len(at) == 1
        else "are at the bounds of their admissible intervals"
    )
    warnings.warn(
        f"{names} {where} {intervals}: this is not an interior maximum, and only at one does the curvature tell how "
        "precise estimates are. There are no standard errors (NaN), and effects are not defined. Often a sign of few "
        "observations for the model (choose one with fewer spatial terms), of a missing trend or missing time effects "
        "(add them), or of weights with very many links (use sparser ones).",
        EstimationWarning,
        stacklevel=3,
    )


def _at_bounds(parameter: str, bounds: tuple[Any, ...], *, values: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Intervals of the parameters at their bounds: the nearest in widths of its interval, others within the margin.

    The record of a search says that it ended at a bound, and not for which of two parameters.
    """
    pairs = bounds if isinstance(bounds[0], tuple) else (bounds,)
    intervals = {name: pair for name, pair in zip(parameter.split(" and "), pairs, strict=True) if name in values}
    gaps = {n: min(values[n] - low, high - values[n]) / (high - low) for n, (low, high) in intervals.items()}
    reach = max(MARGIN, min(gaps.values()))
    return {name: pair for name, pair in intervals.items() if gaps[name] <= reach}


def warn_of_no_unit_effects(estimate: Estimate) -> None:
    """Warn where the variance of random unit effects is estimated as zero, the end of its range."""
    if estimate.random is None or not estimate.random.at_zero:
        return
    warnings.warn(
        "The variance of the random unit effects is estimated as zero (sigma2_mu = 0): units differ no more over time "
        "than errors alone would make them, and the fit equals the pooled one. Inference on all other parameters is "
        "conditional on sigma2_mu = 0, which has no standard error there.",
        EstimationWarning,
        stacklevel=3,
    )


def note_on_means(problem: Problem, *, correlated: bool) -> list[str]:
    """Which regressors have no unit mean of their own in a model with correlated random effects."""
    if not correlated:
        return []
    own = [name for name in problem.regressor_names if f"mean_{name}" not in problem.names]
    if not own:
        return []
    return [
        f"Without a unit mean of their own (constant over time, or equal on average in all units): {name_some(own)}."
    ]


def note_on_cells(
    design: Design, links: SpatialLinks, spec: ModelSpec, *, effects: Effects, missing: MissingNeighbors | None
) -> list[str]:
    """What was done about units that are missing at some times."""
    present = design.present
    if present is None:
        return []
    absent = present.size - int(present.sum())
    found = [f"The panel is unbalanced: {design.nobs:,} rows, {absent:,} of {present.size:,} missing."]
    lost = {name: w.lost_links for name, w in links.used(spec).items() if isinstance(w, StackedWeights)}
    if any(lost.values()):
        how = (
            "are kept, so that a missing neighbour counts as zero"
            if missing == "zero"
            else "have no normalisation that could be repeated, and are kept"
            if any(isinstance(w, StackedWeights) and w.raw_blocks for w in links.used(spec).values())
            else "are normalised again as those given were"
        )
        numbers = ", ".join(f"{count:,} of {name}" for name, count in lost.items())
        found.append(
            f"Links to units that are missing at the time: {numbers}. The weights that are left {how} "
            f"(missing_neighbors={missing or 'renormalize'!r})."
        )
    once = design.units[present.sum(axis=0) == 1]
    if len(once) and effects in {"individual", "two-way"}:
        found.append(
            f"Present at one time only: {name_some(once)}. Their individual effects absorb their rows, which say "
            "nothing about the coefficients; as neighbours they count."
        )
    return found


def note_on_islands(links: SpatialLinks, spec: ModelSpec) -> list[str]:
    """Zero is a value as any other: far from the others' where a variable is not centred."""
    used = links.used(spec)
    islands = dict.fromkeys(unit for name, w in used.items() if name != "error_weights" for unit in w.islands)
    if not islands:
        return []
    lags = "Their spatial lags are zero, which for variables far from zero is an extreme value"
    if any(isinstance(w, StackedWeights) for w in used.values()):
        return [f"Without neighbours at a time: {name_some(islands)}. {lags}."]
    return [f"Without neighbours: {name_some(islands)}. {lags}; islands='nearest' links them."]
