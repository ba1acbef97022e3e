"""Data and weights meet by unit label."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from spatial_de.errors import AlignmentError, AlignmentWarning, OptionError, WeightsError
from spatial_de.weights import SpatialWeights
from spatial_de.wording import name_some

if TYPE_CHECKING:
    from spatial_de.panel.design import Design


def align(design: Design, w: SpatialWeights) -> SpatialWeights:
    """Weights in the order of the design's units, by label.

    Raises
    ------
    AlignmentError
        Units are missing on one side.
    """
    check_type(w)
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


def check_type(w: object) -> None:
    """Refuse what are not weights."""
    if not isinstance(w, SpatialWeights):
        raise WeightsError(
            f"Weights must be SpatialWeights, not {type(w).__name__}: use sde.weights.from_graph(...) for libpysal "
            "objects, sde.weights.from_matrix(a, ids) for matrices."
        )


def align_times(design: Design, given: Mapping[Any, SpatialWeights], name: str) -> list[SpatialWeights]:
    """Weights of each time of the panel: over all its units, or over those that are there, each in their order.

    Raises
    ------
    AlignmentError
        Times or units are missing on one side.
    """
    if design.times is None:
        raise OptionError(f"{name}= has weights for each time, but a cross-section has no times: give one W.")
    times = pd.Index(list(given))
    lacking, extra = design.times[~design.times.isin(times)], times[~times.isin(design.times)]
    if len(lacking) or len(extra):
        parts = [f"lacks {name_some(lacking)}"] * bool(len(lacking)) + [f"has {name_some(extra)} too many"] * bool(
            len(extra)
        )
        raise AlignmentError(
            f"{name}= must have weights for each time of the panel, {name_some(design.times[:1])} to "
            f"{name_some(design.times[-1:])}: it "
            f"{' and '.join(parts)}."
        )
    here = [None] * len(design.times) if design.present is None else design.present
    known: dict[tuple[int, int], SpatialWeights] = {}
    out = []
    for time, there in zip(design.times, here, strict=True):
        w = given[time]
        check_type(w)
        part = design.units if there is None or set(w.ids) != set(design.units[there]) else design.units[there]
        key = (id(w), len(part))
        if key not in known:
            try:
                known[key] = w.reorder(part, name="data")
            except AlignmentError as error:
                raise AlignmentError(f"{name}= at {time!r}: {error}") from error
        out.append(known[key])
    return out


def _unlabelled(index: pd.Index[Any]) -> bool:
    """Whether the labels are pandas' default: positions, not ids."""
    return isinstance(index, pd.RangeIndex) and index.name is None and index.start == 0 and index.step == 1


def _left_of_positions(index: pd.Index[Any], w: SpatialWeights) -> bool:
    """Whether the labels are what a filter left of pandas' default ones, none of them known to the weights."""
    nameless = index.name is None and index.inferred_type == "integer" and w.ids.inferred_type == "string"
    return nameless and not set(index.astype(str)) & set(w.ids)


def _first_labels(index: pd.Index[Any]) -> str:
    return ", ".join(str(label) for label in index[:3])
