"""Weights made of other weights: nested, multiplied, directed, of higher order."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import sparse

from spatial_de.errors import OptionError, WeightsError, WeightsWarning
from spatial_de.weights.core import Provenance, SpatialWeights
from spatial_de.weights.islands import treat_islands
from spatial_de.weights.labels import match_labels
from spatial_de.weights.links import check_count, paths_of_order
from spatial_de.weights.variables import per_unit
from spatial_de.wording import check_option

if TYPE_CHECKING:
    import pandas as pd

    from spatial_de.weights.imports import ImportedIslands
    from spatial_de.weights.normalisation import Normalization

Flow = Literal["richer-to-poorer", "poorer-to-richer"]


def nested(
    geography: SpatialWeights, economy: SpatialWeights, *, share: float = 0.5, normalize: Normalization = "row"
) -> SpatialWeights:
    """Weights nested of geography and economy, ``share W_geography + (1 - share) W_economy``.

    Both enter as they are normalised; row-standardise them first, so that the share is one of influence. Where one of
    them has no neighbours for a unit, row-standardising the result leaves that unit to the other alone.

    Parameters
    ----------
    geography, economy
        Weights of the same units, in any order.
    share
        Of the first, between 0 and 1. `convex_weights` estimates it.
    normalize
        Of the result: ``"row"``, ``"spectral"``, ``"minmax"``, ``"none"``.

    Raises
    ------
    AlignmentError
        The two hold different units.
    OptionError
        A share outside 0 to 1.

    Warns
    -----
    WeightsWarning
        Weights without any normalisation: the share then depends on their units of measurement.

    References
    ----------
    Debarsy, N. and LeSage, J. P. (2022). Bayesian model averaging for spatial autoregressive models based on convex
    combinations of different types of connectivity matrices. *Journal of Business & Economic Statistics* 40, 547-558.

    Examples
    --------
    >>> w = nested(contiguity(gdf), economic(gdp), share=0.5)  # doctest: +SKIP
    """
    number = isinstance(share, int | float | np.floating) and not isinstance(share, bool)
    if not (number and 0.0 <= share <= 1.0):
        raise OptionError(f"share={share!r} must be a number from 0 to 1: the weight of geography.")
    other = _aligned(geography, economy)
    _warn_of_scales(geography, other)
    matrix = sparse.csr_array(share * geography.sparse + (1.0 - share) * other.sparse)
    matrix.eliminate_zeros()
    rule = f"{share:g} x ({_rule(geography)}) + {1.0 - share:g} x ({_rule(economy)})"
    return _made(matrix, (geography, other), rule=rule, normalize=normalize)


def product(
    geography: SpatialWeights,
    economy: SpatialWeights,
    *,
    islands: ImportedIslands = "error",
    normalize: Normalization = "row",
) -> SpatialWeights:
    """Weights that multiply geography and economy, ``w_ij = g_ij e_ij``: near and alike at once.

    Parameters
    ----------
    geography, economy
        Weights of the same units, in any order; they enter before normalisation, whose row sums would distort products.
    islands
        Units that no link of both kinds is left: ``"error"`` or ``"keep"``.
    normalize
        Of the result.

    Raises
    ------
    AlignmentError
        The two hold different units.
    IslandError
        Units without links and ``islands="error"``.
    """
    other = _aligned(geography, economy)
    matrix = sparse.csr_array(geography.raw * other.raw)
    matrix.eliminate_zeros()
    treated = treat_islands(matrix, geography.ids, treatment=islands)
    rule = f"({_rule(geography)}) x ({_rule(economy)})"
    return _made(treated.matrix, (geography, other), rule=rule, normalize=normalize, islands=treated.islands)


def directed(
    w: SpatialWeights,
    values: pd.Series,
    *,
    flow: Flow = "richer-to-poorer",
    islands: ImportedIslands = "keep",
    normalize: Normalization = "row",
) -> SpatialWeights:
    """Links in one direction only: from richer to poorer units, or from poorer to richer ones.

    A row holds those a unit receives from. With ``flow="richer-to-poorer"`` these are its neighbours with larger
    values: the richest of its neighbourhood receives from none, and its row is empty. Neighbours with equal values have
    no link.

    Parameters
    ----------
    w
        Weights whose links are thinned; they enter before normalisation.
    values
        One number per unit, or a panel variable, which is averaged; better from before the sample (`pre_sample_mean`).
    flow
        ``"richer-to-poorer"`` or ``"poorer-to-richer"``.
    islands
        Units that receive from none: ``"keep"`` (there always are some) or ``"error"``.
    normalize
        Of the result.

    Raises
    ------
    AlignmentError, DataError
        Units of weights and values differ; values that are missing.
    """
    check_option(flow, ("richer-to-poorer", "poorer-to-richer"), "flow")
    found = per_unit(values, "directed()")
    v = found.numbers[match_labels(found.ids, w.ids, left="values", right="weights")]
    links = w.raw.tocoo()
    i, j = links.coords
    ahead = v[j] > v[i] if flow == "richer-to-poorer" else v[j] < v[i]
    matrix = sparse.csr_array((links.data[ahead], (i[ahead], j[ahead])), shape=w.raw.shape)
    treated = treat_islands(matrix, w.ids, treatment=islands)
    ties = int(np.sum(v[i] == v[j]))
    notes = [found.warning] + ([f"{ties} links between units with equal {found.name!r} left out"] if ties else [])
    return SpatialWeights(
        treated.matrix,
        w.ids,
        provenance=Provenance(
            rule=f"{_rule(w)}, from {flow.replace('-to-', ' to ')} by {found.name!r}{found.span}",
            crs=w.provenance.crs,
            islands=treated.islands,
            notes=(*w.provenance.notes, *notes),
            variables=tuple(dict.fromkeys((*w.provenance.variables, found.name))),
            times=tuple(dict.fromkeys((*w.provenance.times, *found.times))),
        ),
        normalization=normalize,
    )


def higher_order(
    w: SpatialWeights,
    order: int = 2,
    *,
    include_lower_orders: bool = False,
    islands: ImportedIslands = "keep",
    normalize: Normalization = "row",
) -> SpatialWeights:
    """Neighbours of a higher order: units whose shortest path along links of `w` has that many steps.

    Parameters
    ----------
    w
        Weights of order 1; only which links they hold counts.
    order
        Number of steps.
    include_lower_orders
        Count shorter paths as well.
    islands
        Units without neighbours of that order: ``"keep"`` or ``"error"``.
    normalize
        Of the result, whose links weigh one each.
    """
    order = check_count(order, "order", most=max(w.n - 1, 1), why=", the longest path there can be")
    links = sparse.csr_array(w.raw.astype(bool).astype(np.float64))
    matrix = links if order == 1 else paths_of_order(links, order, include_lower=include_lower_orders)
    treated = treat_islands(matrix, w.ids, treatment=islands)
    which = f"orders 1 to {order}" if include_lower_orders and order > 1 else f"order {order}"
    rule = f"neighbours of {which} under ({_rule(w)})"
    return _made(treated.matrix, (w,), rule=rule, normalize=normalize, islands=treated.islands)


def _aligned(first: SpatialWeights, second: SpatialWeights) -> SpatialWeights:
    for w in (first, second):
        if not isinstance(w, SpatialWeights):
            raise WeightsError(f"Weights to combine must be SpatialWeights, got {type(w).__name__}.")
    return second.reorder(first.ids, name="the first weights")


def _warn_of_scales(*parts: SpatialWeights) -> None:
    """Rows that add up to one, or none at all, are normalised, whatever they say."""
    for w in parts:
        sums = w.sparse.sum(axis=1)
        if w.normalization == "none" and not np.allclose(sums[sums != 0.0], 1.0, rtol=0.0, atol=1e-9):
            warnings.warn(
                f"The weights to be nested ({_rule(w)}) are not normalised, so that the share depends on their units "
                "of measurement: normalise both first, w.normalized('row').",
                WeightsWarning,
                stacklevel=3,
            )


def _made(
    matrix: sparse.csr_array,
    parents: tuple[SpatialWeights, ...],
    *,
    rule: str,
    normalize: Normalization,
    islands: str = "",
) -> SpatialWeights:
    """Weights that carry on what their parents were made of."""

    def union(field: str) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(value for w in parents for value in getattr(w.provenance, field)))

    crs = next((w.provenance.crs for w in parents if w.provenance.crs), None)
    provenance = Provenance(
        rule=rule, crs=crs, islands=islands, notes=union("notes"), variables=union("variables"), times=union("times")
    )
    negative = bool((matrix.data < 0.0).any())
    return SpatialWeights(
        matrix, parents[0].ids, provenance=provenance, normalization=normalize, allow_negative=negative
    )


def _rule(w: SpatialWeights) -> str:
    return w.provenance.rule
