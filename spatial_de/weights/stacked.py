"""Weights between the cells of a panel: block-diagonal, one block for each time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy import sparse

from spatial_de.weights.core import Provenance, SpatialWeights
from spatial_de.wording import plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

MissingNeighbors = Literal["renormalize", "zero"]
MISSING_NEIGHBORS: tuple[MissingNeighbors, ...] = ("renormalize", "zero")


class StackedWeights(SpatialWeights):
    """Weights between the units that are there at each time, as one block-diagonal matrix.

    Labels are ``"unit, time"``, in the order of times, then units.

    Attributes
    ----------
    blocks
        The weights of each time, between the units that are there.
    lost_links
        Links of units that are there to units that are not.
    raw_blocks
        Whether the weights given have no normalisation that could be repeated.
    """

    def __init__(
        self, blocks: Sequence[SpatialWeights], times: Sequence[Any], *, lost_links: int, given: str, raw: bool
    ) -> None:
        self.blocks = tuple(blocks)
        self.lost_links = lost_links
        self.raw_blocks = raw
        labels = [f"{unit}, {time}" for block, time in zip(blocks, times, strict=True) for unit in block.ids]
        variables = dict.fromkeys(name for block in blocks for name in block.provenance.variables)
        super().__init__(
            sparse.block_diag([block.sparse for block in blocks], format="csr"),
            labels,
            provenance=Provenance(
                rule=f"{given}, at each of {plural(len(blocks), 'time')}",
                variables=tuple(variables),
                times=tuple(dict.fromkeys(time for block in blocks for time in block.provenance.times)),
            ),
            allow_negative=True,
        )


def stack(
    weights: Sequence[SpatialWeights],
    present: NDArray[np.bool_],
    *,
    units: pd.Index[Any],
    times: Sequence[Any],
    missing: MissingNeighbors,
) -> StackedWeights:
    """Weights of each time between the units that are there.

    Parameters
    ----------
    weights
        One for each time: over all units in the order of `units`, or over those that are there, in their order.
    present
        Which units are there, shape (T, N).
    units, times
        Labels of the axes.
    missing
        ``"renormalize"``: the weights that are left are normalised again as those given were (rows that add up to one
        count as row-standardised; weights without any normalisation stay as they are). ``"zero"``: they are
        kept as they are, so that a neighbour that is missing counts as zero.
    """
    known: dict[tuple[int, bytes], SpatialWeights] = {}
    blocks, lost = [], 0
    for w, here in zip(weights, present, strict=True):
        key = (id(w), here.tobytes())
        if key not in known:
            known[key] = w if w.n == here.sum() else _cut(w, units[here], missing=missing)
        blocks.append(known[key])
        if w.n == len(here):
            lost += int(w.sparse[here].nnz - known[key].n_links)
    rules = dict.fromkeys(f"{w.provenance.rule} ({w.normalization})" for w in weights)
    given = next(iter(rules)) + " and others" * (len(rules) > 1)
    raw = any(_normalised(w).normalization == "none" for w in weights)
    return StackedWeights(blocks, times, lost_links=lost, given=given, raw=raw)


def _normalised(w: SpatialWeights) -> SpatialWeights:
    """The weights with the normalisation they have: rows that add up to one as given are row-standardised too."""
    if w.normalization != "none":
        return w
    sums = np.asarray(w.sparse.sum(axis=1)).ravel()
    return w.normalized("row") if np.allclose(sums[sums != 0.0], 1.0, rtol=0.0, atol=1e-12) else w


def _cut(w: SpatialWeights, kept: pd.Index[Any], *, missing: MissingNeighbors) -> SpatialWeights:
    """The weights between some units."""
    positions = w.ids.get_indexer(kept)
    if missing == "renormalize" and w.raw[positions][:, positions].nnz:
        return _normalised(w).subset(kept)
    return SpatialWeights(
        w.sparse[positions][:, positions], kept, provenance=w.provenance, normalization="none", allow_negative=True
    )
