"""Forest plots of direct, indirect and total effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.errors import OptionError
from spatial_de.maps.theme import FAINT, LINE, add_notes, finish, new_figure, theme, words
from spatial_de.maps.words import Language
from spatial_de.wording import name_some

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from spatial_de.effects import Effects

KINDS = ("direct", "indirect", "total")
SURE, UNSURE = "#1b6ca8", "#9db8cc"


def effects(
    found: Effects | Mapping[str, Effects],
    *,
    terms: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str | None = None,
    source: str | None = None,
    language: Language = "en",
    font: str | Path | None = None,
) -> Figure:
    """Point estimates and intervals, one column of axes for direct, indirect and total effects.

    Intervals that hold zero are pale.

    Parameters
    ----------
    found
        Result of `Results.effects`, or several by label: then one row per label and term.
    terms
        Regressors to show; all by default.
    labels
        Names to print for regressors.
    title, source, language, font
        As in `choropleth`.

    Raises
    ------
    OptionError
        A term that is in none of the results.
    """
    several = found if isinstance(found, Mapping) else {"": found}
    rows = _rows(several, terms, labels or {})
    vocabulary = words(language)
    with theme(font):
        fig = new_figure(9.0, 1.3 + 0.34 * len(rows) + 0.2 * bool(title))
        first = None
        for column, kind in enumerate(KINDS):
            first = ax = fig.add_subplot(1, 3, column + 1, sharey=first)
            draw_intervals(ax, [table.loc[(term, kind)] for _, term, table in rows])
            ax.set_title(vocabulary[kind])
            ax.set_yticks(range(len(rows)), [label for label, _, _ in rows])
            ax.tick_params(axis="y", length=0, labelleft=column == 0)
            ax.set_ylim(len(rows) - 0.4, -0.6)
            ax.locator_params(axis="x", nbins=4)
        fig.axes[1].set_xlabel(vocabulary["effect"])
        add_notes(fig, title=title, source=source, language=language)
        return finish(fig, font=font)


def _rows(
    several: Mapping[str, Effects], terms: Sequence[str] | None, labels: Mapping[str, str]
) -> list[tuple[str, str, pd.DataFrame]]:
    """Label, term and table of each row."""
    rows = []
    known = {term for item in several.values() for term in item.table.index.get_level_values("term")}
    unknown = [term for term in terms or () if term not in known]
    if unknown:
        raise OptionError(f"terms names {name_some(unknown)}; there are effects of {name_some(sorted(known), 12)}.")
    for name, item in several.items():
        own = item.table.index.get_level_values("term").unique()
        shown = [term for term in (terms or own) if term in own]
        for term in shown:
            label = labels.get(term, term)
            alone = name and len(shown) == 1
            rows.append((name if alone else f"{name}: {label}" if name else label, term, item.table))
    return rows


def draw_intervals(ax: Axes, estimates: Sequence[Any]) -> None:
    """Points with intervals, one below the other; those that hold zero are pale, a dash stands for none."""
    ax.axvline(0, color=LINE, linewidth=0.8, zorder=1)
    for y, row in enumerate(estimates):
        if np.isnan(row["estimate"]):
            ax.text(0.0, y, " \N{EN DASH}", va="center", color=FAINT)
            continue
        colour = UNSURE if row["conf_low"] <= 0 <= row["conf_high"] else SURE
        ax.plot([row["conf_low"], row["conf_high"]], [y, y], color=colour, linewidth=2.2, solid_capstyle="butt")
        ax.plot(row["estimate"], y, "o", color=colour, markersize=6, zorder=3)
    ax.grid(axis="x", color="#ececec", linewidth=0.7)
    ax.set_axisbelow(True)
    ax.spines["left"].set_visible(False)
    ax.spines["bottom"].set_color(FAINT)
