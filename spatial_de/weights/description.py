"""Words and tables that describe weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from spatial_de.weights.spectrum import real_extremes
from spatial_de.wording import name_some, plural

if TYPE_CHECKING:
    from spatial_de.weights.core import SpatialWeights

_NOTES_SHOWN = 5


def describe(w: SpatialWeights) -> pd.Series:
    """What to check before using weights, one entry per fact.

    The inverses of the smallest and the largest real eigenvalue bound rho; NaN where an eigenvalue was not found.
    """
    smallest, largest = real_extremes(w.sparse, w.symmetric_form)
    if w.is_row_stochastic and not (w.raw.data < 0.0).any():
        largest = 1.0  # of rows that add up to one, whatever iterations found
    found = facts(w)
    found["eigenvalue_min"], found["eigenvalue_max"] = smallest, largest
    return found


def facts(w: SpatialWeights) -> pd.Series:
    """What needs no eigenvalues, at once for any number of units."""
    counts = np.diff(w.raw.indptr)
    return pd.Series(
        {
            "units": w.n,
            "links": w.n_links,
            "density_percent": 100.0 * w.n_links / w.n**2,
            "neighbors_min": int(counts.min()),
            "neighbors_mean": float(counts.mean()),
            "neighbors_max": int(counts.max()),
            "weight_min": float(w.sparse.data.min()) if w.n_links else np.nan,
            "weight_max": float(w.sparse.data.max()) if w.n_links else np.nan,
            "islands": len(w.islands),
            "components": w.n_components,
            "largest_component": int(np.bincount(w.component_labels).max()),
            "symmetric_links": w.is_symmetric,
            "similar_to_symmetric": w.symmetric_form is not None,
            "row_stochastic": w.is_row_stochastic,
            "equal_weights": w.is_uniform,
            "normalization": w.normalization,
        },
        name=w.provenance.rule,
        dtype=object,
    )


def text(w: SpatialWeights) -> str:
    """Several lines: where the weights come from and what they look like."""
    source = w.provenance
    counts = np.diff(w.raw.indptr)
    islands = source.islands or ("left without neighbours" if len(w.islands) else "none")
    alone = f": {name_some(w.islands)}" if len(w.islands) else ""
    lines = [
        f"SpatialWeights: {source.rule}",
        f"  units          {w.n:,} ({name_some(w.ids, 3)})",
        f"  links          {w.n_links:,} ({counts.min()} to {counts.max()} per unit, mean {counts.mean():.2f})",
        f"  normalisation  {w.normalization}",
        f"  CRS            {source.crs or 'not applicable'}",
        f"  islands        {islands}{alone}",
    ]
    if w.n_components > 1:
        lines.append(f"  components     {w.n_components:,}: no path leads from one to another")
    if w.is_uniform:
        lines.append(
            "  attention      all units are linked with equal weights: rho and time effects exclude each other"
        )
    lines += [f"  note           {note}" for note in source.notes[:_NOTES_SHOWN]]
    rest = len(source.notes) - _NOTES_SHOWN
    if rest > 0:
        lines.append(f"  note           and {plural(rest, 'more note')} in w.provenance.notes")
    return "\n".join(lines)
