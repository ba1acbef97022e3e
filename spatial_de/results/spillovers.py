"""Effects of a fit: from its coefficients and weights to labelled tables."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.effects import spread
from spatial_de.effects.core import Effects, admissible, compute_effects, wrap
from spatial_de.effects.inference import Coefficients, Sampling, infer
from spatial_de.effects.replications import Positions
from spatial_de.errors import IdentificationError, OptionError
from spatial_de.panel.layout import Cells
from spatial_de.wording import check_option, check_whole

if TYPE_CHECKING:
    from spatial_de.results.core import Results
    from spatial_de.weights import SpatialWeights


def average(fit: Results, how: Sampling) -> Effects:
    """Average direct, indirect and total effects."""
    found = compute_effects(
        coefficients(fit),
        fit.weights if fit.estimate.problem.spec.lag_y else fit.durbin_weights,
        how=how,
        covariance=fit.cov_type,
        logdet=fit.estimate.logdet,
        durbin=fit.durbin_weights,
    )
    return replace(found, notes=(*found.notes, *_shared_variables(found.table.index.unique("term"))))


def by_group(fit: Results, groups: pd.Series | dict[Any, Any], how: Sampling) -> Effects:
    """Effects between groups of units."""
    members = spread.Groups.of(groups, fit.units)
    c, network = coefficients(fit), _network(fit)
    found = infer(c, partial(spread.group_parts, network, members), bounds=_bounds(fit, c), how=how)
    names = members.names
    rows = [
        (term, receiver, emitter)
        for term in c.terms
        for receiver in names
        for emitter in (*names, f"{receiver} (direct)")
    ]
    index = pd.MultiIndex.from_tuples(rows, names=["term", "on", "of"])
    title = "Effects on an average unit of a group, of one more in all units of a group"
    return replace(wrap(found, index, how=how, covariance=fit.cov_type), title=title)


def by_unit(fit: Results, how: Sampling) -> Effects:
    """What each unit does to itself, gives to all others and gets from them; delta method."""
    if how.inference != "delta":
        raise OptionError(f"effects_by_unit() has inference='delta' only, not {how.inference!r}.")
    c, network = coefficients(fit), _network(fit)
    at = spread.unit_parts(network, c.rho)
    found = infer(c, lambda _: at, bounds=None, how=how)
    index = pd.MultiIndex.from_product([c.terms, ["direct", "emitted", "received"], fit.units])
    index.names = ["term", "effect", fit.units.name or "unit"]
    return replace(wrap(found, index, how=how, covariance=fit.cov_type), title="Effects by unit")


def by_order(fit: Results, orders: int, how: Sampling) -> Effects:
    """Effects by power of the weights."""
    check_whole(orders, "orders", least=0)
    c, network = coefficients(fit), _network(fit)

    def parts(rho: Any) -> Any:
        at = spread.order_parts(network, orders, rho)
        return type(at)(*(_with_indirect(values) for values in (at.beta, at.theta, at.d_beta, at.d_theta)))

    found = infer(c, parts, bounds=_bounds(fit, c), how=how)
    index = pd.MultiIndex.from_product(
        [c.terms, range(orders + 1), ["direct", "indirect", "total"]], names=["term", "order", "effect"]
    )
    return replace(wrap(found, index, how=how, covariance=fit.cov_type), title="Effects by order of neighbours")


def matrix(fit: Results, term: str) -> pd.DataFrame:
    """E of one regressor: row = unit that is affected, column = unit whose regressor changes."""
    c = coefficients(fit)
    check_option(term, c.terms, "term")
    j, network = c.terms.index(term), _network(fit)
    inner = c.beta[j] * np.eye(len(network.W)) + c.theta[j] * network.V
    units = fit.units
    values = network.inverse(c.rho) @ inner
    return pd.DataFrame(values, index=units.rename("on"), columns=units.rename("of"))


def coefficients(fit: Results) -> Coefficients:
    """Coefficients of the regressors that have effects, with their covariance."""
    at = Positions.of(fit.estimate.problem, fit.estimate.names)
    positions = np.concatenate([at.beta, at.theta, [at.rho]])  # -1 picks the zero appended below
    params = np.append(fit.estimate.params, 0.0)[positions]
    padded = np.pad(fit.cov.to_numpy(), (0, 1))[np.ix_(positions, positions)]
    m = len(at.terms)
    _refuse_explosive(fit)
    return Coefficients(at.terms, params[:m], params[m:-1], float(params[-1]), padded, fit.df_resid)


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


def _bounds(fit: Results, c: Coefficients) -> tuple[float, float] | None:
    return admissible(c, _lag_weights(fit), fit.estimate.logdet)


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
