"""The step that varies one thing at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.study import robustness
from spatial_de.study.job import Job
from spatial_de.study.section import Bullets, Section, Table, Text
from spatial_de.tables import Grid, Row, numbers
from spatial_de.wording import stars

if TYPE_CHECKING:
    from spatial_de.study.robustness import Estimated


@dataclass(frozen=True)
class VariantTable:
    """Variants as rows; effect, interval and p of each kind as columns. `to_frame` has them unrounded."""

    rows: Sequence[Estimated]

    def to_frame(self) -> pd.DataFrame:
        """One row per variant and effect."""
        return robustness.numbers(self.rows)

    def grid(self) -> Grid:
        """For reading: a heading per group, two lines per variant."""
        frame = self.to_frame()
        lines: list[Row] = []
        group = ""
        for row in self.rows:
            if row.group != group:
                group = row.group
                lines.append(Row((group, *[""] * 6), rule=bool(lines), heading=True))
            mark = "" if row.comparable or row.effects is None else " †"
            own = frame[(frame["variant"] == row.name) & (frame["group"] == row.group)]
            lines += _lines(f"{row.name}{mark}", own)
        heads = [head for kind in ("Direct", "Indirect", "Total") for head in (kind, "p")]
        return Grid(("", *heads), tuple(lines), ("l", "r", "r", "r", "r", "r", "r"), frame)


def _lines(name: str, own: pd.DataFrame) -> list[Row]:
    upper, lower = [name], [""]
    for _, cell in own.iterrows():
        if not np.isfinite(cell["estimate"]):
            upper += [numbers.MISSING, ""]
            lower += ["", ""]
            continue
        spread = (cell["conf_high"] - cell["conf_low"]) / 4  # a few wild draws can make the standard error huge
        low, value, high = (numbers.beside(cell[key], spread) for key in ("conf_low", "estimate", "conf_high"))
        upper += [f"{value}{stars(cell['p_value'])}", numbers.p_value(cell["p_value"])]
        lower += [f"[{low}, {high}]", ""]
    return [Row(tuple(upper)), Row(tuple(lower))]


def variants(job: Job) -> Section:
    """Effects of the index under other weights, outcomes, samples, indices, errors and estimators."""
    rows = (robustness.main(job), *robustness.estimated(job))
    note = "95 % intervals in square brackets. * p < 0.10, ** p < 0.05, *** p < 0.01."
    if not all(row.comparable for row in rows):
        note += " † In other units than the main estimate: compare sign and p, or the figure."
    note += robustness.odds_note(rows)
    words = (
        "Each row changes one thing against the main specification; the answer shows them as a figure. The index is "
        f"that of the full sample, also where {job.subject.units} or years are left out."
    )
    failed = tuple(f"{row.name}: {row.failure}" for row in rows if row.effects is None)
    title = f"Effects of the {job.subject.index}, one thing varied at a time"
    items: list[Any] = [Text(words), Table("robustness", title, VariantTable(rows), note=note)]
    items += [Text("Not estimated:"), Bullets(failed)] if failed else []
    return Section(tuple(items))
