"""Weights from what people bring about pairs of units: flows and costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy import sparse

from spatial_de.errors import OptionError, WeightsError
from spatial_de.weights.checks import as_csr
from spatial_de.weights.core import Provenance, SpatialWeights
from spatial_de.weights.imports import from_edges
from spatial_de.weights.islands import treat_islands
from spatial_de.weights.labels import as_index, match_labels
from spatial_de.weights.links import check_positive
from spatial_de.weights.variables import span
from spatial_de.wording import check_option, name_some, plural

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from spatial_de.weights.imports import ImportedIslands
    from spatial_de.weights.normalisation import Normalization

Direction = Literal["received", "sent", "both"]
Decay = Literal["inverse", "exponential"]


def flows(
    df: pd.DataFrame,
    *,
    origin: str = "origin",
    destination: str = "destination",
    flow: str = "flow",
    time: str | None = None,
    direction: Direction = "received",
    within: Literal["error", "drop"] = "error",
    ids: Iterable[Any] | None = None,
    islands: ImportedIslands = "error",
    normalize: Normalization = "row",
) -> SpatialWeights:
    """Weights from a table of flows: migration, trade, commuting, patents cited. In general not symmetric.

    Parameters
    ----------
    df
        One row per pair of origin and destination.
    origin, destination, flow
        Its columns.
    time
        Column with the times of flows, which are then added up over all times in the table; a pair that is not listed
        at a time has no flow then. The provenance carries the times, so that `fit` can tell whether they lie in the
        sample: select earlier rows where you can.
    direction
        Which flows a unit's row holds: ``"received"``, by origin (spillovers go with the flow); ``"sent"``, by
        destination; ``"both"``, their sum.
    within
        Flows of a unit to itself: ``"error"``, or ``"drop"`` them.
    ids
        All units, in the order wanted; by default those of the table.
    islands
        Units without flows: ``"error"`` or ``"keep"``.
    normalize
        Of the result.

    Raises
    ------
    WeightsError
        Missing columns, flows that are missing or negative, pairs that occur twice (at a time), flows of a unit to
        itself.
    IslandError
        Units without flows and ``islands="error"``.

    Examples
    --------
    >>> moves = pd.DataFrame({"origin": ["a", "b", "b"], "destination": ["b", "a", "c"], "flow": [5.0, 1.0, 2.0]})
    >>> flows(moves, direction="both", normalize="none").to_dense().loc["a", "b"]
    np.float64(6.0)
    """
    check_option(direction, ("received", "sent", "both"), "direction")
    check_option(within, ("error", "drop"), "within")
    if not isinstance(df, pd.DataFrame):
        raise WeightsError(f"flows() needs a table with one row per pair, got {type(df).__name__}.")
    columns = [origin, destination, flow] + ([] if time is None else [time])
    missing = [name for name in columns if name not in df.columns]
    if missing:
        raise WeightsError(f"The table of flows has no column {name_some(missing)}; it has {name_some(df.columns)}.")
    inside = df[origin] == df[destination]
    if inside.any() and within == "error":
        raise WeightsError(
            f"{plural(int(inside.sum()), 'flow')} of a unit to itself: {name_some(df.loc[inside, origin])}. Weights "
            "have no diagonal: pass within='drop' to leave them out."
        )
    units = pd.unique(pd.concat([df[origin], df[destination]])) if ids is None else list(ids)
    focal, neighbor = (destination, origin) if direction != "sent" else (origin, destination)
    table, times = _added_up(df[~inside], (origin, destination), flow=flow, time=time)
    found = from_edges(table[table[flow] != 0], focal=focal, neighbor=neighbor, weight=flow, ids=units, islands="keep")
    matrix = sparse.csr_array(found.raw + found.raw.T) if direction == "both" else found.raw
    treated = treat_islands(matrix, found.ids, treatment=islands)
    way = "in both directions" if direction == "both" else direction
    notes = (f"{plural(int(inside.sum()), 'flow')} of units to themselves left out",) if inside.any() else ()
    return SpatialWeights(
        treated.matrix,
        found.ids,
        provenance=Provenance(
            rule=f"flows {way}, column {flow!r}{span(times, 'added up')}",
            islands=treated.islands,
            notes=(*notes, f"endogenous if {flow!r} reacts to the outcome: take flows from before the sample"),
            variables=(flow,),
            times=times,
        ),
        normalization=normalize,
    )


def _added_up(
    df: pd.DataFrame, pair: tuple[str, str], *, flow: str, time: str | None
) -> tuple[pd.DataFrame, tuple[Any, ...]]:
    """Flows of each pair over all times, and the times."""
    keys = list(pair) if time is None else [*pair, time]
    twice = df.duplicated(keys) & df[keys].notna().all(axis=1)
    if twice.any():
        names = name_some(list(df.loc[twice, keys].itertuples(index=False, name=None)))
        raise WeightsError(
            f"{plural(int(twice.sum()), 'pair')} of origin and destination listed more than once: {names}. Add such "
            "flows up first, or name the column of times: time=."
        )
    if time is None:
        return df, ()
    _check_rows(df, keys, flow)
    total = df.groupby(list(pair), sort=False, observed=True)[flow].sum().reset_index()
    return total, tuple(df[time].drop_duplicates().sort_values())


def _check_rows(df: pd.DataFrame, keys: list[str], flow: str) -> None:
    """Sums would hide what is missing or negative."""
    numbers = pd.to_numeric(df[flow], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~(np.isfinite(numbers) & (numbers >= 0.0)) | df[keys].isna().any(axis=1).to_numpy()
    text = not pd.api.types.is_numeric_dtype(df[flow].dtype)
    if text or bad.any():
        rows = df.loc[bad, keys].itertuples(index=False, name=None)
        raise WeightsError(
            f"Column {flow!r} holds text: convert it to numbers."
            if text
            else f"{plural(int(bad.sum()), 'row')} of flows with a missing label, or a flow that is missing, infinite "
            f"or negative: {name_some(list(rows))}."
        )


def cost(
    costs: pd.DataFrame,
    *,
    decay: Decay = "inverse",
    power: float = 1.0,
    scale: float | None = None,
    cutoff: float | None = None,
    islands: ImportedIslands = "error",
    normalize: Normalization = "row",
) -> SpatialWeights:
    """Weights from any matrix of costs between units: travel times, freight rates, cultural distance.

    Parameters
    ----------
    costs
        Square table, units as index and columns; row: the unit, column: its neighbour. Infinite: no link. The diagonal
        is not looked at.
    decay
        ``"inverse"``: ``c ** -power``; ``"exponential"``: ``exp(-c / scale)``.
    power, scale
        Of the decay, above zero; `scale` in the units of the costs.
    cutoff
        Largest cost of a link, inclusive.
    islands, normalize
        As for `from_matrix`.

    Raises
    ------
    WeightsError
        Costs that are missing, negative, or (``decay="inverse"``) zero: the pairs are named.
    AlignmentError
        Index and columns hold different units.
    OptionError
        ``decay="exponential"`` without a scale.

    Examples
    --------
    A table with one row per pair becomes a square one by pivoting.

    >>> trips = pd.DataFrame({"from": ["a", "b"], "to": ["b", "a"], "hours": [4.0, 5.0]})
    >>> w = cost(trips.pivot(index="from", columns="to", values="hours"), normalize="none")
    >>> w.to_dense().loc["a", "b"]
    np.float64(0.25)
    """
    check_option(decay, ("inverse", "exponential"), "decay")
    power = check_positive(power, "power")
    if decay == "exponential" and scale is None:
        raise OptionError("decay='exponential' needs scale=, the cost at which weights have fallen to a third.")
    if not isinstance(costs, pd.DataFrame):
        raise WeightsError(f"costs must be a table with units as index and columns, got {type(costs).__name__}.")
    ids = as_index(costs.index, what="rows of costs")
    order = match_labels(as_index(costs.columns, what="columns of costs"), ids, left="columns", right="rows")
    try:
        c = costs.to_numpy(dtype=np.float64, na_value=np.nan)[:, order].copy()
    except (TypeError, ValueError) as error:
        raise WeightsError(f"Costs must be numbers: {error}. Convert the table first.") from error
    np.fill_diagonal(c, np.inf)
    _refuse_costs(c, ids, inverse=decay == "inverse")
    if cutoff is not None:
        c[c > check_positive(cutoff, "cutoff")] = np.inf
    raw = c**-power if decay == "inverse" else np.exp(-c / check_positive(scale, "scale"))
    shape = f"to the power {-power:g}" if decay == "inverse" else f"in exp(-cost / {scale:g})"
    reach = "" if cutoff is None else f", up to {cutoff:g}"
    treated = treat_islands(as_csr(raw), ids, treatment=islands)
    provenance = Provenance(rule=f"costs {shape}{reach}", islands=treated.islands)
    return SpatialWeights(treated.matrix, ids, provenance=provenance, normalization=normalize)


def _refuse_costs(c: NDArray[np.float64], ids: pd.Index[Any], *, inverse: bool) -> None:
    bad = np.isnan(c) | (c < 0.0) | ((c == 0.0) & inverse)
    if bad.any():
        i, j = np.nonzero(bad)
        what = "missing, negative or zero" if inverse else "missing or negative"
        names = name_some([(ids[int(a)], ids[int(b)]) for a, b in zip(i, j, strict=True)])
        raise WeightsError(f"Costs that are {what}: {names}. Write infinity where there is no way.")
