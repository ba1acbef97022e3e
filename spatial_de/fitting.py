"""`fit`: the door to every model. Options are checked once, here."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from spatial_de.errors import (
    AlignmentError,
    AlignmentWarning,
    EstimationWarning,
    IdentificationError,
    OptionError,
    WeightsError,
)
from spatial_de.logdet import METHODS, Method
from spatial_de.models import MODELS, SpatialLinks, build_problem, estimate_ml
from spatial_de.models.covariance import COVARIANCES, Covariance
from spatial_de.models.gmm import estimate_gmm
from spatial_de.panel.design import Design, build_design
from spatial_de.panel.transforms import EFFECTS, Effects
from spatial_de.results import Results
from spatial_de.weights import SpatialWeights
from spatial_de.wording import check_option, did_you_mean, name_some

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spatial_de.models import ModelSpec
    from spatial_de.models.problem import Bias
    from spatial_de.panel import Panel

_TERMS = {
    "error_weights": "they belong to models with a spatial error, 'sem', 'sac', 'sdem' and 'gns'",
    "durbin_weights": "they belong to models with lagged regressors, 'slx', 'sdm', 'sdem' and 'gns'",
}
TIME_DUMMIES = (
    "W is not row-stochastic, so that time effects cannot be eliminated by transformation: they were estimated, and "
    "the bias corrected analytically (Lee and Yu 2010)."
)
Model = Literal["ols", "slx", "sar", "sem", "sac", "sdm", "sdem", "gns"]


def fit(
    formula: str,
    data: Panel | pd.DataFrame,
    w: SpatialWeights | None = None,
    *,
    model: Model = "sdm",
    fixed: Effects | None = None,
    durbin: Sequence[str] | None = None,
    error_weights: SpatialWeights | None = None,
    durbin_weights: SpatialWeights | None = None,
    bias: Bias | None = None,
    information: Literal["observed", "expected"] = "observed",
    cov: Covariance = "classical",
    bandwidth: int | None = None,
    method: Literal["ml", "gmm"] = "ml",
    logdet: Method = "auto",
) -> Results:
    """Fit a spatial model by exact maximum likelihood.

    Parameters
    ----------
    formula
        ``"y ~ x1 + log(x2)"``. With fixed effects the intercept is left out.
    data
        A balanced `Panel`, or a DataFrame indexed by unit (cross-section).
    w
        Spatial weights; needed by all models but ``"ols"``. Data and weights meet by unit label.
    model
        ``"ols"``, ``"slx"``, ``"sar"``, ``"sem"``, ``"sac"``, ``"sdm"``, ``"sdem"``, ``"gns"``.
    fixed
        ``"two-way"`` (default for panels), ``"individual"``, ``"time"``, ``"none"`` (default for cross-sections).
    error_weights, durbin_weights
        Weights of the spatial error, and of the lagged regressors; by default `w` for both.
    durbin
        Regressors that enter spatially lagged in slx, sdm, sdem and gns; by default all but categorical ones.
    bias
        Treatment of fixed effects. ``"lee-yu"`` (default): they are eliminated by an orthonormal transformation;
        where W is not row-stochastic, time effects are estimated and the bias corrected analytically.
        ``"correction"``: time effects are estimated and the bias corrected. ``"none"``: direct likelihood, whose
        rho is biased in short panels of few units.
    information
        ``"observed"`` (default) or ``"expected"`` information for standard errors.
    cov
        ``"classical"``, ``"robust"``, ``"cluster"`` (by unit), ``"cluster-time"``, ``"cluster-two-way"``,
        ``"driscoll-kraay"``; see `Results.with_cov`.
    bandwidth
        Lags of the Driscoll-Kraay kernel.
    method
        ``"ml"``, or ``"gmm"``: spatial two-stage least squares (cross-section sar and sdm, through spreg).
    logdet
        How ln|I - rho W| is computed: ``"eigenvalues"`` (dense), ``"sparse"`` (factorisations at a few values of rho,
        interpolated with an error bound below 1e-9), ``"stochastic"`` (random probes, with a standard error), or by
        default whichever of the first two is faster. The fit records what was used.

    Returns
    -------
    Results

    Raises
    ------
    OptionError, FormulaError, DataError, PanelError, AlignmentError, IdentificationError, ConvergenceError

    References
    ----------
    Ord, K. (1975). *Journal of the American Statistical Association* 70, 120-126.
    Lee, L.-F. and Yu, J. (2010). *Journal of Econometrics* 154, 165-185.
    Elhorst, J. P. (2014). *Spatial Econometrics: From Cross-Sectional Data to Spatial Panels*.
    """
    check_option(model, MODELS, "model")
    check_option(information, ("observed", "expected"), "information")
    check_option(cov, COVARIANCES, "cov")
    check_option(method, ("ml", "gmm"), "method")
    check_option(logdet, ("auto", *METHODS), "logdet")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        design = build_design(formula, data)
        effects, treatment = _effects(design, fixed, bias)
        spec, links = _links(design, MODELS[model], w=w, error_weights=error_weights, durbin_weights=durbin_weights)
        _refuse_uniform(links, effects, spec)
        _refuse_exchangeable(design, links, spec)
        lagged = _durbin(durbin, design, spec)
        problem = build_problem(design, links, spec=spec, effects=effects, bias=treatment, durbin=lagged)
        _warn_of_two_values(design)
        _warn_of_interactions(design, spec)
        _warn_of_endogenous_weights(design, links.used(spec))
        _warn_of_direct_bias(design, spec, effects=effects, bias=treatment)
        if method == "gmm":
            estimate = estimate_gmm(problem)
        else:
            estimate = estimate_ml(problem, information=information, logdet=logdet)
        if not estimate.optimization.converged:
            _warn_of_bound(estimate)
        notes = [str(item.message) for item in caught]
        if problem.n_time_dummies and treatment == "lee-yu":
            notes.append(TIME_DUMMIES)
        notes += _note_on_islands(links, spec)
        result = Results(
            estimate=estimate,
            method=method,
            information=information,
            cov_type="classical",
            bandwidth=None,
            notes=tuple(notes),
        )
        if cov != "classical" or bandwidth is not None:
            result = result.with_cov(cov, bandwidth=bandwidth)
    for item in caught:  # again, pointing at the caller's line
        warnings.warn(item.message, item.category, stacklevel=2)
    return result


def _links(design: Design, spec: ModelSpec, **given: SpatialWeights | None) -> tuple[ModelSpec, SpatialLinks]:
    """Weights of every term, aligned; without links in any of them the model loses its spatial terms."""
    terms = {"error_weights": spec.lag_error, "durbin_weights": spec.lag_x}
    for name, present in terms.items():
        if given[name] is not None and not present:
            raise OptionError(f"{name}= has no use in model={spec.name!r}: {_TERMS[name]}.")
    own = {name: given["w"] if given[name] is None else given[name] for name in terms}
    needed = [*([given["w"]] if spec.lag_y else []), *(own[name] for name, present in terms.items() if present)]
    if any(w is None for w in needed):
        raise OptionError(f"model={spec.name!r} needs spatial weights: fit(formula, data, w, model={spec.name!r}).")
    distinct = {id(w): w for w in (given["w"], *own.values()) if w is not None}
    aligned = {key: align(design, w) for key, w in distinct.items()}
    pick = {name: aligned.get(id(w)) for name, w in {"lag": given["w"], **own}.items()}
    links = SpatialLinks(lag=pick["lag"], error=pick["error_weights"], durbin=pick["durbin_weights"])
    used = links.used(spec)
    if used and all(w.n_links == 0 for w in used.values()):
        return _without_links(spec), SpatialLinks.same(None)
    for name, w in used.items():
        if w.n_links == 0:
            raise WeightsError(f"{name} hold no links: the term they stand for is not identified. Leave it out.")
    return spec, links


def align(design: Design, w: SpatialWeights) -> SpatialWeights:
    """Weights in the order of the design's units, by label.

    Raises
    ------
    AlignmentError
        Units are missing on one side.
    """
    if not isinstance(w, SpatialWeights):
        raise WeightsError(
            f"Weights must be SpatialWeights, not {type(w).__name__}: use sde.weights.from_graph(...) for libpysal "
            "objects, sde.weights.from_matrix(a, ids) for matrices."
        )
    positions = pd.RangeIndex(w.n)
    by_position = _unlabelled(design.given_index) and w.ids.isin(positions).all()
    if not by_position and (_unlabelled(design.given_index) or _left_of_positions(design.given_index, w)):
        raise AlignmentError(
            f"The data carry no unit labels (their index is {_first_labels(design.given_index)}, ...), the weights do, "
            "such as "
            f"{name_some(w.ids, 2)}: use df.set_index(...) for a cross-section, sde.Panel(df, unit=..., time=...) "
            "for a panel."
        )
    if by_position:
        warnings.warn(
            "Neither the data nor the weights carry labels: rows are matched by position. Set the index of both to "
            "the unit's id to be safe.",
            AlignmentWarning,
            stacklevel=3,
        )
    return w.reorder(design.units, name="data")


def _unlabelled(index: pd.Index[Any]) -> bool:
    """Whether the labels are pandas' default: positions, not ids."""
    return isinstance(index, pd.RangeIndex) and index.name is None and index.start == 0 and index.step == 1


def _left_of_positions(index: pd.Index[Any], w: SpatialWeights) -> bool:
    """Whether the labels are what a filter left of pandas' default ones, none of them known to the weights."""
    nameless = index.name is None and index.inferred_type == "integer" and w.ids.inferred_type == "string"
    return nameless and not set(index.astype(str)) & set(w.ids)


def _first_labels(index: pd.Index[Any]) -> str:
    return ", ".join(str(label) for label in index[:3])


def _effects(design: Design, fixed: Effects | None, bias: Bias | None) -> tuple[Effects, Bias]:
    if not design.is_panel:
        if fixed not in {None, "none"}:
            raise OptionError(f"fixed={fixed!r} needs a panel: build sde.Panel(df, unit=..., time=...).")
        if bias not in {None, "none"}:
            raise OptionError(f"bias={bias!r} belongs to fixed effects: this is a cross-section.")
        return "none", "none"
    effects: Effects = "two-way" if fixed is None else fixed
    check_option(effects, EFFECTS, "fixed")
    T, N = design.y.shape
    if T < 2 and effects in {"individual", "two-way"}:
        raise OptionError(f"fixed={effects!r} needs at least two times; the panel has {T}. Use fixed='none'.")
    if N < 2 and effects in {"time", "two-way"}:
        raise OptionError(f"fixed={effects!r} needs at least two units; the panel has {N}.")
    treatment: Bias = "lee-yu" if bias is None else bias
    check_option(treatment, ("lee-yu", "none", "correction"), "bias")
    return effects, treatment


def _durbin(durbin: Sequence[str] | None, design: Design, spec: ModelSpec) -> tuple[str, ...] | None:
    if durbin is None:
        if spec.lag_x and design.dummies.all():
            raise OptionError(
                f"model={spec.name!r} lags regressors, and the formula has none that can be lagged (dummies and "
                "constants cannot): use model='sar', 'sem' or 'ols'."
            )
        return None
    if isinstance(durbin, str):
        raise OptionError(f"durbin={durbin!r} must be a list of names: durbin=[{durbin!r}].")
    if not spec.lag_x:
        raise OptionError(f"durbin= belongs to slx, sdm, sdem and gns; model={spec.name!r} lags no regressors.")
    for name in durbin:
        if name not in design.x_names:
            raise OptionError(
                f"durbin= names {name!r}, which is not a regressor.{did_you_mean(name, design.x_names)} "
                f"There are {name_some(design.x_names, 10)}."
            )
    if not durbin:
        raise OptionError("durbin=[] lags no regressors: use model='sar', 'sem' or 'ols' instead.")
    return tuple(durbin)


def _without_links(spec: ModelSpec) -> ModelSpec:
    warnings.warn(
        f"The weights hold no links: rho, lambda and theta of {spec.name!r} are not identified, and the model is "
        "estimated without spatial terms.",
        EstimationWarning,
        stacklevel=3,
    )
    return MODELS["ols"]


def _refuse_uniform(links: SpatialLinks, effects: Effects, spec: ModelSpec) -> None:
    """With equal weights W y is a combination of y and the time mean: nothing identifies rho."""
    if effects not in {"time", "two-way"}:
        return
    if any(w.is_uniform for name, w in links.used(spec).items() if name != "durbin_weights"):
        raise IdentificationError(
            "Every unit has every other as neighbour with the same weight: with time effects the spatial lag is a "
            "multiple of the response itself, and rho is not identified. Use other weights or drop the time effects."
        )


def _refuse_exchangeable(design: Design, links: SpatialLinks, spec: ModelSpec) -> None:
    """Without regressors ``(I - rho W)(I - lambda W) y = e``: rho and lambda can change places."""
    if links.lag is None or links.error is None or links.lag.fingerprint != links.error.fingerprint:
        return
    if spec.lag_y and spec.lag_error and not design.x_names:
        raise IdentificationError(
            f"model={spec.name!r} without regressors cannot tell rho from lambda, which can change places: use "
            "model='sar' or 'sem', or add regressors."
        )


def _warn_of_two_values(design: Design) -> None:
    values = np.unique(design.y)
    if len(values) == 2:
        warnings.warn(
            f"The response {design.y_name!r} takes only two values ({values[0]:g} and {values[1]:g}): a linear model "
            "treats them as quantities, and its predictions may lie outside them.",
            EstimationWarning,
            stacklevel=3,
        )


def _warn_of_interactions(design: Design, spec: ModelSpec) -> None:
    """Products of a variable and a category have coefficients, but no lags, and no part in the variable's effects."""
    products = [name for name, dummy in zip(design.x_names, design.dummies, strict=True) if dummy and ":" in name]
    if products and (spec.lag_y or spec.lag_x):
        warnings.warn(
            f"Interactions with categories ({name_some(products)}) are controls only: they are not spatially lagged, "
            "and effects are those of the base category. Build the products as columns to lag them.",
            EstimationWarning,
            stacklevel=3,
        )


def _warn_of_direct_bias(design: Design, spec: ModelSpec, *, effects: Effects, bias: Bias) -> None:
    T, N = design.y.shape
    if bias == "none" and effects in {"time", "two-way"} and (spec.lag_y or spec.lag_error) and N < 300:
        warnings.warn(
            f"bias='none' with {effects} effects at N = {N}, T = {T}: rho is biased downwards and its intervals are "
            "too narrow (at N = 31, T = 12 by about 0.1, covering 64 to 75 % instead of 95 %). The default "
            "bias='lee-yu' corrects this.",
            EstimationWarning,
            stacklevel=3,
        )


def _note_on_islands(links: SpatialLinks, spec: ModelSpec) -> list[str]:
    """Zero is a value as any other: far from the others' where a variable is not centred."""
    used = links.used(spec)
    islands = dict.fromkeys(unit for name, w in used.items() if name != "error_weights" for unit in w.islands)
    if not islands:
        return []
    note = (
        f"Without neighbours: {name_some(islands)}. Their spatial lags are zero, which for variables far from zero "
        "is an extreme value; islands='nearest' links them."
    )
    return [note]


def _warn_of_endogenous_weights(design: Design, used: dict[str, SpatialWeights]) -> None:
    """Weights built from the response depend on its errors, which every estimator here takes as given."""
    names = set(re.findall(r"\w+", design.y_name))
    variables = dict.fromkeys(name for w in used.values() for name in w.provenance.variables)
    made_of = [name for name in variables if name in names]
    if made_of:
        warnings.warn(
            f"The weights were built from {name_some(made_of)}, which the response {design.y_name!r} is made of: "
            "they are endogenous, and estimates of spillovers are biased. Use another variable, or values from before "
            "the sample.",
            EstimationWarning,
            stacklevel=3,
        )


def _warn_of_bound(estimate: Any) -> None:
    record = estimate.optimization
    pairs = record.bounds if isinstance(record.bounds[0], tuple) else (record.bounds,)
    values = (estimate.rho, estimate.lam) if len(pairs) == 2 else (estimate.rho or estimate.lam,)
    # of two parameters the one that is at its bound is meant
    at = min(range(len(pairs)), key=lambda i: min(values[i] - pairs[i][0], pairs[i][1] - values[i]))
    name = record.parameter.split(" and ")[at]
    warnings.warn(
        f"{name} is at the bound of its admissible interval ({pairs[at][0]:.4f}, {pairs[at][1]:.4f}): this is not an "
        "interior maximum, there are no standard errors, and effects are not defined. Often a sign of a missing "
        "trend, of missing time effects, or of weights with very many links.",
        EstimationWarning,
        stacklevel=3,
    )
