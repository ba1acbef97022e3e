"""Predictions of a fit under labels, in and out of sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from spatial_de.errors import AlignmentError, ConvergenceError, DataError, OptionError
from spatial_de.models import SpatialLinks
from spatial_de.models.prediction import (
    best_prediction,
    decompose,
    expectation,
    expectation_in_sample,
    leave_one_out,
    leave_one_out_with_random_effects,
    systematic,
)
from spatial_de.panel import Panel
from spatial_de.panel.design import evaluate_again
from spatial_de.results.balance import refuse_cells
from spatial_de.weights import SpatialWeights
from spatial_de.wording import check_option, name_some

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.prediction import Decomposition
    from spatial_de.results.core import Results

Kind = Literal["trend", "reduced", "conditional", "blup"]
_KINDS: tuple[Kind, ...] = ("trend", "reduced", "conditional", "blup")
TimeEffect = float | dict[Any, float] | pd.Series | None


def parts(fit: Results) -> pd.DataFrame:
    """Trend, signal and noise, indexed like the data."""
    _refuse(fit, "decompose()")
    found = decompose(fit.estimate)
    columns = {"trend": found.trend, "signal": found.signal, "noise": found.noise}
    return pd.DataFrame({name: _series(fit, values) for name, values in columns.items()})


def effects(fit: Results, axis: Literal["unit", "time"]) -> pd.Series | None:
    """Estimated effects of units or times; random ones as predicted."""
    random = fit.estimate.random
    if random is not None and axis == "unit":
        return pd.Series(random.predicted * fit.estimate.problem.y_scale, index=fit.units, name="unit_effect")
    _refuse(fit, "unit_effects or time_effects")
    found: Decomposition = decompose(fit.estimate)
    values, labels = (found.unit_effects, fit.units) if axis == "unit" else (found.time_effects, fit.times)
    return None if values is None else pd.Series(values, index=labels, name=f"{axis}_effect")


def in_sample(fit: Results, kind: Kind) -> pd.Series:
    """Predictions for the data of the fit."""
    _check(fit, kind)
    found = decompose(fit.estimate)
    if kind == "trend":
        values = found.trend
    elif kind == "reduced":
        values = expectation_in_sample(fit.estimate, found.trend)
    elif kind == "conditional":
        values = found.trend + found.signal
    elif fit.estimate.random is not None:
        values = leave_one_out_with_random_effects(fit.estimate)
    else:
        values = leave_one_out(fit.estimate, found)
    return _series(fit, values).rename("prediction")


def same_units(fit: Results, data: Panel | pd.DataFrame, kind: Kind, *, time_effect: TimeEffect) -> pd.Series:
    """Predictions for the units of the fit with other regressors: new times, or other values."""
    _check(fit, kind)
    if kind in {"conditional", "blup"}:
        raise OptionError(
            f"kind={kind!r} rests on the response, which other data do not have; errors of other times tell nothing "
            "about it: use kind='reduced', which then is the best prediction."
        )
    X, frame = evaluate_again(fit.estimate.problem.design, data)
    found, trend = decompose(fit.estimate), systematic(fit.estimate, X, fit.durbin_weights)
    if found.unit_effects is not None:
        trend = trend + found.unit_effects
    if found.time_effects is not None:
        times = data.times if isinstance(data, Panel) else pd.Index([])
        trend = trend + _time_effects(pd.Series(found.time_effects, index=fit.times), times, time_effect)[:, None]
    elif time_effect is not None:
        raise OptionError(f"time_effect= belongs to fits with time effects; this one has fixed={fit.fixed!r}.")
    values = trend if kind == "trend" else expectation(fit.estimate, trend, fit.estimate.problem.weights)
    index = frame.index if isinstance(data, Panel) else data.index
    return pd.Series(values.T.ravel(), index=frame.index, name="prediction").reindex(index)


def new_units(fit: Results, data: pd.DataFrame, kind: Kind, *, weights: dict[str, SpatialWeights | None]) -> pd.Series:
    """Predictions for units that were not in the fit of a cross-section, under weights of all units."""
    _check(fit, kind)
    if kind == "conditional":
        raise OptionError("kind='conditional' is for the data of the fit: kind='blup' is the best for new units.")
    estimate = fit.estimate
    design = estimate.problem.design
    X, frame = evaluate_again(design, data)
    both = fit.units.append(frame.index)
    links = _links(fit, both, weights)
    trend = systematic(estimate, np.concatenate([design.X, X], axis=1), links.durbin)[0]
    old = len(fit.units)
    if kind == "trend":
        values = trend[old:]
    elif kind == "reduced":
        values = expectation(estimate, trend[None], links.lag)[0, old:]
    else:
        values = best_prediction(estimate, trend, design.y[0], links=links)
    return pd.Series(values, index=frame.index, name="prediction").reindex(data.index)


def predict(
    fit: Results,
    data: Panel | pd.DataFrame | None,
    kind: Kind,
    *,
    weights: dict[str, SpatialWeights | None],
    time_effect: TimeEffect,
) -> pd.Series:
    """The prediction that `data` ask for."""
    given = [name for name, w in weights.items() if w is not None]
    if data is None:
        if given or time_effect is not None:
            raise OptionError(f"{given[0] if given else 'time_effect'}= has no use without data= to predict for.")
        return in_sample(fit, kind)
    refuse_cells(fit, "predict() for other data than those of the fit")
    if isinstance(data, Panel) != (fit.times is not None):
        needed = "a cross-section: give a DataFrame" if fit.times is None else "a panel: give a Panel"
        raise DataError(f"The fit is of {needed} for prediction, not a {type(data).__name__}.")
    units = data.units if isinstance(data, Panel) else data.index
    unknown = units[~units.isin(fit.units)]
    if not len(unknown):
        absent = fit.units[~fit.units.isin(units)]
        if len(absent):
            raise AlignmentError(
                f"The data lack {name_some(absent)}: units depend on each other, so that all units of the fit are "
                "needed."
            )
        if given:
            raise OptionError(f"{given[0]}= has no use here: all units are those of the fit.")
        return same_units(fit, data, kind, time_effect=time_effect)
    if isinstance(data, Panel):
        raise AlignmentError(
            f"The data have units that the fit has not: {name_some(unknown)}. In panels only the units of the fit can "
            "be predicted."
        )
    known = units[units.isin(fit.units)]
    if len(known):
        raise AlignmentError(
            f"The data mix units of the fit ({name_some(known)}) and new ones ({name_some(unknown)}): give the new "
            "ones only, the old ones are known to the fit."
        )
    if time_effect is not None:
        raise OptionError("time_effect= belongs to panels; this is a cross-section.")
    return new_units(fit, data, kind, weights=weights)


def _check(fit: Results, kind: Kind) -> None:
    check_option(kind, _KINDS, "kind")
    _refuse(fit, "predict()")
    if kind in {"reduced", "blup"} and not fit.converged:
        raise ConvergenceError(
            f"kind={kind!r} needs the inverse of I - rho W, which does not exist at the bound that the estimate is at."
        )


def _refuse(fit: Results, what: str) -> None:
    if fit.random is not None and fit.fixed != "none":
        raise OptionError(
            f"{what} is not available with random effects beside fixed={fit.fixed!r}: use fixed='none', or effects of "
            "units and times that are both fixed, fixed='two-way'."
        )


def _series(fit: Results, values: NDArray[np.float64]) -> pd.Series:
    design = fit.estimate.problem.design
    return pd.Series(design.rows(values), index=design.index).reindex(design.given_index)


def _time_effects(estimated: pd.Series, times: pd.Index[Any], given: TimeEffect) -> NDArray[np.float64]:
    """Effects of times: estimated where the fit has them, given or the mean elsewhere, shape (T,)."""
    new = times[~times.isin(estimated.index)]
    if given is None:
        extra = pd.Series(estimated.mean(), index=new)
    elif isinstance(given, dict | pd.Series):
        extra = pd.Series(given, dtype=float)
        absent = new[~new.isin(extra.index)]
        if len(absent):
            raise AlignmentError(f"time_effect= has no value for {name_some(absent)}.")
        extra = extra.loc[new]
    else:
        try:
            extra = pd.Series(float(given), index=new)
        except (TypeError, ValueError) as error:
            raise OptionError(
                f"time_effect={given!r} is not allowed: give a number, or one by time; None takes the mean."
            ) from error
    if not np.isfinite(extra).all():
        raise DataError(f"time_effect= is not a finite number for {name_some(extra.index[~np.isfinite(extra)])}.")
    return np.asarray(pd.concat([estimated, extra]).loc[times], dtype=np.float64)


def _links(fit: Results, units: pd.Index[Any], weights: dict[str, SpatialWeights | None]) -> SpatialLinks:
    """Weights over old and new units for every term of the model."""
    used = SpatialLinks(fit.weights, fit.error_weights, fit.durbin_weights).used(fit.estimate.problem.spec)
    for name in ("error_weights", "durbin_weights"):
        if weights[name] is not None and name not in used:
            raise OptionError(f"{name}= has no use for model={fit.model!r}.")
        if name in used and used[name] is not fit.weights and weights[name] is None:
            raise OptionError(f"The fit has {name} of its own: give them over old and new units, {name}=.")
    for name, w in weights.items():
        if w is not None and not isinstance(w, SpatialWeights):
            raise OptionError(f"{name}= must be SpatialWeights over old and new units, not {type(w).__name__}.")
    found = {name: weights["w"] if weights[name] is None else weights[name] for name in used}
    if any(w is None for w in found.values()):
        raise OptionError(
            f"New units of model={fit.model!r} need weights over the units of the fit and the new ones: predict(data, "
            "w=...)."
        )
    distinct = {id(w): w.reorder(units, name="fit and new data") for w in found.values() if w is not None}
    lag, error, durbin = (distinct.get(id(found.get(name))) for name in ("w", "error_weights", "durbin_weights"))
    return SpatialLinks(lag, error, durbin)
