"""Effects of a fit: from its coefficients and weights to labelled tables."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from spatial_de.effects import spread
from spatial_de.effects.core import Effects, admissible, compute_effects, wrap
from spatial_de.effects.inference import Coefficients, Inference, Parts, Sampling, infer
from spatial_de.effects.replications import Positions
from spatial_de.errors import AlignmentError, CapacityError, DataError, IdentificationError, OptionError
from spatial_de.panel.layout import Cells
from spatial_de.wording import check_option, check_whole, name_some

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from spatial_de.results.core import Results
    from spatial_de.weights import SpatialWeights

Own = Literal["apart", "within"]
_NUMBERS = 40_000_000  # multipliers over all draws, 1.3 GB with their slopes


def sampling(
    fit: Results, inference: Inference | None, *, default: Inference, draws: int, seed: int, level: float
) -> Sampling:
    """How inference is done: as asked for, or by default; of a Bayesian fit by the draws of its posterior.

    Raises
    ------
    OptionError
        Another inference is asked for of a Bayesian fit.
    """
    posterior = fit.estimate.posterior
    if posterior is None:
        if isinstance(inference, str) and inference == "posterior":
            raise OptionError("inference='posterior' needs a fit with method='bayes'.")
        return Sampling(default if inference is None else inference, draws, seed, level)
    if inference is not None and inference != "posterior":
        raise OptionError(
            f"inference={inference!r}: effects of a Bayesian fit are those of the draws of its posterior. Leave "
            "inference= out."
        )
    return Sampling("posterior", len(posterior.params), posterior.seed, level)


def average(fit: Results, how: Sampling) -> Effects:
    """Average direct, indirect and total effects."""
    how.check()
    found = compute_effects(
        coefficients(fit, how),
        fit.weights if fit.estimate.problem.spec.lag_y else fit.durbin_weights,
        how=how,
        covariance=_covariance(fit, how),
        logdet=fit.estimate.logdet,
        durbin=fit.durbin_weights,
    )
    shared = _shared_variables(found.table.index.unique("term"))
    return replace(found, notes=(*found.notes, *shared, *_bootstrap_notes(fit, how)))


def by_group(fit: Results, groups: pd.Series | dict[Any, Any], how: Sampling) -> Effects:
    """Effects between groups of units."""
    members = spread.Groups.of(groups, fit.units)
    names = members.names
    labels = [(receiver, emitter) for receiver in names for emitter in (*names, f"{receiver} (direct)")]
    return _spread(
        fit,
        partial(spread.group_parts, _network(fit), members),
        pd.MultiIndex.from_tuples(labels, names=["on", "of"]),
        how=how,
        title="Effects on an average unit of a group, of one more in all units of a group",
    )


def by_unit(fit: Results, own: Own, how: Sampling) -> Effects:
    """What each unit does to itself, gives to all others and gets from them."""
    check_option(own, ("apart", "within"), "own")
    network = _network(fit)
    kinds = ["direct", "emitted", "received"] if own == "apart" else ["emitted", "received"]
    _refuse_many(how, len(kinds) * network.n)
    return _spread(
        fit,
        partial(spread.unit_parts if own == "apart" else spread.sum_parts, network),
        pd.MultiIndex.from_arrays(
            [np.repeat(kinds, network.n), np.tile(fit.units, len(kinds))], names=["effect", fit.units.name or "unit"]
        ),
        how=how,
        title="Effects by unit" if own == "apart" else "Effects by unit, with the unit's effect on itself",
    )


def by_order(fit: Results, orders: int, how: Sampling) -> Effects:
    """Effects by power of the weights."""
    check_whole(orders, "orders", least=0)
    network = _network(fit)

    def parts(rho: Any) -> Any:
        at = spread.order_parts(network, orders, rho)
        return type(at)(*(_with_indirect(values) for values in (at.beta, at.theta, at.d_beta, at.d_theta)))

    index = pd.MultiIndex.from_product([range(orders + 1), ["direct", "indirect", "total"]], names=["order", "effect"])
    return _spread(fit, parts, index, how=how, title="Effects by order of neighbours")


def of_change(fit: Results, term: str, change: pd.Series | dict[Any, Any], *, how: Sampling) -> Effects:
    """What a change of one regressor, given by unit, does to every unit."""
    check_option(term, Positions.of(fit.estimate.problem, fit.estimate.names).terms, "term")
    network = _network(fit)
    _refuse_many(how, network.n)
    return _spread(
        fit,
        partial(spread.change_parts, network, _by_label(change, fit.units)),
        fit.units.rename(fit.units.name or "unit"),
        how=how,
        title=f"Effects of a change of {term} on every unit",
        term=term,
    )


def matrix(fit: Results, term: str) -> pd.DataFrame:
    """E of one regressor: row = unit that is affected, column = unit whose regressor changes."""
    c = coefficients(fit, Sampling("delta"))
    check_option(term, c.terms, "term")
    j, network = c.terms.index(term), _network(fit)
    network.require_dense("effects_of_change() gives the effects of any change on every unit, at any size.")
    inner = c.beta[j] * np.eye(network.n) + c.theta[j] * network.dense[1]
    units = fit.units
    values = network.inverse(c.rho) @ inner
    return pd.DataFrame(values, index=units.rename("on"), columns=units.rename("of"))


def _spread(
    fit: Results,
    parts: Callable[[NDArray[np.float64]], Parts],
    index: pd.Index[Any],
    *,
    how: Sampling,
    title: str,
    term: str | None = None,
) -> Effects:
    """Effects of all regressors, or of one, under labels that repeat for each of them."""
    how.check()
    c = coefficients(fit, how)
    if term is not None:
        c = c.only(term)
    found = infer(c, parts, bounds=admissible(c, _lag_weights(fit), fit.estimate.logdet), how=how)
    levels = [index.get_level_values(i) for i in range(index.nlevels)]
    labels = pd.MultiIndex.from_arrays(
        [np.repeat(c.terms, len(index)), *(np.tile(level, len(c.terms)) for level in levels)],
        names=["term", *index.names],
    )
    out = wrap(found, labels, how=how, covariance=_covariance(fit, how))
    return replace(out, title=title, notes=(*out.notes, *_bootstrap_notes(fit, how)))


def _by_label(change: pd.Series | dict[Any, Any], units: pd.Index[Any]) -> NDArray[np.float64]:
    """A change by unit in the order of the units, zero for units that are not named."""
    given = pd.Series(change, dtype=object)
    unknown = given.index.difference(units)
    if len(unknown):
        raise AlignmentError(
            f"change= names {name_some(unknown)}: the fit has no such unit, but {name_some(units, 3)}."
        )
    if not given.index.is_unique:
        raise AlignmentError(f"change= names units twice: {name_some(given.index[given.index.duplicated()])}.")
    numbers = pd.to_numeric(given, errors="coerce").astype(float)
    bad = numbers.index[~np.isfinite(numbers)]
    if len(bad):
        raise DataError(f"change= is not a finite number for {name_some(bad)}.")
    if given.empty:
        raise DataError("change= names no unit: give the change of the regressor by unit.")
    return np.asarray(numbers.reindex(units, fill_value=0.0), dtype=np.float64)


def _refuse_many(how: Sampling, effects: int) -> None:
    """Draws of very many effects would not fit into memory."""
    if how.inference != "delta" and how.draws * effects > _NUMBERS:
        raise CapacityError(
            f"{how.draws:,} draws of the multipliers of {effects:,} effects need {32 * how.draws * effects / 1e9:.0f} "
            "GB: use inference='delta' or fewer draws."
        )


def _covariance(fit: Results, how: Sampling) -> str:
    return how.inference if how.inference in {"bootstrap", "posterior"} else fit.cov_type


def _bootstrap_notes(fit: Results, how: Sampling) -> tuple[str, ...]:
    return fit.bootstrap(how.draws, seed=how.seed).notes if how.inference == "bootstrap" else ()


def coefficients(fit: Results, how: Sampling) -> Coefficients:
    """Coefficients of the regressors that have effects, with their covariance or their bootstrap."""
    at = Positions.of(fit.estimate.problem, fit.estimate.names)
    positions = np.concatenate([at.beta, at.theta, [at.rho]])  # -1 picks the zero appended below
    params = np.append(fit.estimate.params, 0.0)[positions]
    padded = np.pad(fit.cov.to_numpy(), (0, 1))[np.ix_(positions, positions)]
    m = len(at.terms)
    _refuse_explosive(fit)
    found = Coefficients(at.terms, params[:m], params[m:-1], float(params[-1]), padded, fit.df_resid)
    posterior = fit.estimate.posterior
    if posterior is not None:
        return replace(found, sample=np.pad(posterior.params, ((0, 0), (0, 1)))[:, positions])
    if how.inference != "bootstrap":
        return found
    resampled = fit.bootstrap(how.draws, seed=how.seed)
    sample = np.pad(resampled.params.to_numpy(), ((0, 0), (0, 1)))[:, positions]
    return replace(found, sample=sample, lost=how.draws - len(sample))


def _refuse_explosive(fit: Results) -> None:
    """By the method of moments rho can lie where effects do not exist."""
    logdet, rho = fit.estimate.logdet, fit.estimate.rho
    if fit.method == "gmm" and logdet is not None and not logdet.bounds[0] < rho < logdet.bounds[1]:
        low, high = logdet.bounds
        raise IdentificationError(
            f"rho = {rho:.4f} lies outside its admissible interval ({low:.4f}, {high:.4f}): there are no effects. Use "
            "method='ml', other instruments or another model."
        )


def _with_indirect(values: Any) -> Any:
    """From (direct, total) by order to (direct, indirect, total)."""
    pairs = values.reshape(len(values), -1, 2)
    direct, total = pairs[:, :, 0], pairs[:, :, 1]
    return np.stack([direct, total - direct, total], axis=2).reshape(len(values), -1)


def _lag_weights(fit: Results) -> SpatialWeights | None:
    return fit.weights if fit.estimate.problem.spec.lag_y else None


def _network(fit: Results) -> spread.Network:
    if isinstance(fit.estimate.problem.layout, Cells):
        raise OptionError(
            "Effects between units are those of one W at all times, and here it changes with the units that are there "
            "or with time: effects() gives the averages over times; effects of units need a balanced panel under one W."
        )
    lagged = fit.estimate.problem.spec.lag_x
    return spread.Network.of(len(fit.units), _lag_weights(fit), fit.durbin_weights if lagged else None)


def _shared_variables(terms: pd.Index[Any]) -> list[str]:
    """A note for each variable in several terms: none of their effects is that of the variable."""
    inside: dict[str, list[str]] = {}
    for term in terms:
        for name in dict.fromkeys(re.findall(r"[^\W\d]\w*\b(?!\s*\()", str(term))):
            inside.setdefault(name, []).append(str(term))
    return [
        f"{name!r} is in several terms ({', '.join(found)}): effects are those of the terms, which it moves together."
        for name, found in inside.items()
        if len(found) > 1
    ]
