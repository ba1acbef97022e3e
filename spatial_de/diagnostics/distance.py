"""How far spillovers reach: one model under W of growing distance."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from scipy import sparse

from spatial_de.diagnostics.compared_weights import compare_weights
from spatial_de.errors import IslandError, OptionError
from spatial_de.weights import Provenance, SpatialWeights, distance_band, inverse_distance
from spatial_de.weights.islands import treat_islands
from spatial_de.weights.links import check_positive
from spatial_de.wording import check_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    import geopandas as gpd

    from spatial_de.fitting import Model
    from spatial_de.panel import Panel
    from spatial_de.weights.imports import ImportedIslands

Kind = Literal["band", "inverse", "ring"]
_WIDTH = 88


@dataclass(frozen=True, eq=False)
class DistanceScan:
    """One model under W that reach further and further.

    Attributes
    ----------
    table
        Index cutoff, km; columns links, loglik, rho (or lambda), probability (posterior, of each cutoff), and of the
        effect looked at: estimate, std_error, p_value, conf_low, conf_high.
    term, effect
        Which effect that is.
    kind
        ``"band"``, ``"inverse"`` or ``"ring"``.
    alpha
        Level of `reach`.
    skipped
        Cutoffs that could not be used, with the reason.
    notes
        What the reader should know, as cutoffs whose likelihoods cannot be compared with the others.
    """

    table: pd.DataFrame
    term: str
    effect: str
    kind: str
    alpha: float
    skipped: dict[float, str]
    notes: tuple[str, ...] = ()

    @property
    def boundary(self) -> float:
        """The cutoff, km, under which the data are most probable (or have the highest likelihood)."""
        known = self.table["probability"].notna().any()
        return float(self.table.index[int(self.table["probability" if known else "loglik"].argmax())])

    @property
    def reach(self) -> float | None:
        """The largest cutoff, km, at which the effect is significant at `alpha`; None where it is at none."""
        found = self.table.index[self.table["p_value"] < self.alpha]
        return None if found.empty else float(found.max())

    def to_frame(self) -> pd.DataFrame:
        """The table with the cutoff as a column."""
        return self.table.reset_index()

    def to_dict(self) -> dict[str, Any]:
        """Plain Python types."""
        return {
            "table": self.to_frame().to_dict(orient="list"),
            "term": self.term,
            "effect": self.effect,
            "kind": self.kind,
            "alpha": self.alpha,
            "boundary": self.boundary,
            "reach": self.reach,
            "skipped": dict(self.skipped),
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        rule = "=" * _WIDTH
        what = {"band": "all units within", "inverse": "inverse distance up to", "ring": "units in the ring up to"}
        title = f"{self.effect.capitalize()} effect of {self.term}: W of {what[self.kind]} the cutoff, km"
        formats = {"links": "{:,.0f}".format, "loglik": "{:.3f}".format, "probability": "{:.3f}".format}
        lines = [
            title,
            rule,
            *self.table.to_string(formatters=formats, float_format="{:.4f}".format).splitlines(),
            rule,
        ]
        lines.append(f"Best supported cutoff: {self.boundary:g} km.")
        level = f"significant at the {100 * self.alpha:g} % level"
        none = f"The effect is {level} at no cutoff."
        lines.append(none if self.reach is None else f"Largest cutoff at which it is {level}: {self.reach:g} km.")
        for cutoff, why in self.skipped.items():
            lines += textwrap.wrap(f"{cutoff:g} km left out: {why}", _WIDTH, initial_indent="- ")
        lines += [part for note in self.notes for part in textwrap.wrap(note, _WIDTH, initial_indent="- ")]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return str(self.table.to_html(float_format=lambda x: f"{x:.4f}"))


def distance_scan(
    formula: str,
    data: Panel | pd.DataFrame,
    gdf: gpd.GeoDataFrame,
    *,
    cutoffs: Iterable[float],
    term: str,
    effect: Literal["direct", "indirect", "total"] = "indirect",
    kind: Kind = "band",
    model: Model = "sdm",
    islands: ImportedIslands = "error",
    alpha: float = 0.05,
    n_jobs: int = 1,
    progress: bool | None = None,
    **options: Any,
) -> DistanceScan:
    """Fit one model under W of growing reach, and find the distance at which spillovers end.

    Parameters
    ----------
    formula, data
        As for `fit`.
    gdf
        Polygons or points of the units, with a coordinate system.
    cutoffs
        Distances in kilometres, growing.
    term, effect
        Which effect to follow.
    kind
        ``"band"``: all units within the cutoff, equal weights; ``"inverse"``: inverse distance up to the cutoff;
        ``"ring"``: units between the cutoff before and this one, equal weights: what neighbours at that distance alone
        contribute.
    model
        Any model with a spatial term.
    islands
        Cutoffs that leave a unit without neighbours: ``"error"`` leaves these cutoffs out and says so, ``"keep"`` fits
        with the rows of such units empty.
    alpha
        Level at which the effect counts as significant.
    n_jobs, progress, **options
        As for `compare_weights`.

    Raises
    ------
    OptionError
        Cutoffs that do not grow, a term without effects.
    IslandError
        No cutoff gives every unit a neighbour.

    Notes
    -----
    Two readings: `DistanceScan.boundary`, the W that the data support best, and `DistanceScan.reach`, the largest
    cutoff at which the effect is significant, which papers often report. The second follows the size of samples as much
    as spillovers, and testing at many cutoffs finds something at one of them too often: prefer the first.

    Examples
    --------
    >>> far = range(400, 1300, 100)
    >>> sde.distance_scan("ln_gap ~ digital", panel, provinces, cutoffs=far, term="digital")  # doctest: +SKIP
    """
    check_option(kind, ("band", "inverse", "ring"), "kind")
    steps = [check_positive(cutoff, "cutoffs", unit=" of kilometres") for cutoff in cutoffs]
    if len(steps) < 2 or any(a >= b for a, b in pairwise(steps)):
        raise OptionError(f"cutoffs={steps} must be two or more distances, each larger than the one before.")
    weights, skipped = {}, {}
    for i, cutoff in enumerate(steps):
        try:
            weights[cutoff] = _weights(gdf, steps[i - 1] if i else 0.0, cutoff, kind=kind, islands=islands)
        except IslandError as error:
            skipped[cutoff] = str(error).split(". ")[0] + "."
    if not weights:
        raise IslandError(f"At no cutoff every unit has a neighbour: {skipped[steps[-1]]} Pass islands='keep'.")
    found = compare_weights(formula, data, weights, model=model, n_jobs=n_jobs, progress=progress, **options)
    own = found.effect(term, effect)[["estimate", "std_error", "p_value", "conf_low", "conf_high"]]
    spatial = [name for name in ("rho", "lambda") if name in found.table]
    table = found.table[["links", "loglik", *spatial, "probability"]].join(own).rename_axis("cutoff")
    return DistanceScan(
        table=table,
        term=term,
        effect=effect,
        kind=kind,
        alpha=alpha,
        skipped=skipped | found.failed,
        notes=found.notes,
    )


def _weights(
    gdf: gpd.GeoDataFrame, inner: float, cutoff: float, *, kind: str, islands: ImportedIslands
) -> SpatialWeights:
    if kind == "inverse":
        return inverse_distance(gdf, cutoff=cutoff, islands=islands)
    if kind == "band" or inner == 0.0:
        return distance_band(gdf, threshold=cutoff, islands=islands)
    outer, near = (distance_band(gdf, threshold=km, islands="keep", normalize="none") for km in (cutoff, inner))
    ring = sparse.csr_array(outer.raw - near.raw)
    ring.eliminate_zeros()
    treated = treat_islands(ring, outer.ids, treatment=islands)
    provenance = Provenance(
        rule=f"units {inner:g} to {cutoff:g} km away", crs=outer.provenance.crs, islands=treated.islands
    )
    return SpatialWeights(treated.matrix, outer.ids, provenance=provenance, normalization="row")
