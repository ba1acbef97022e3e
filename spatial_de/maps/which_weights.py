"""Figures of what hangs on W: many W side by side, growing distance, random W."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spatial_de.errors import OptionError
from spatial_de.maps.forest import KINDS, SURE, UNSURE, draw_intervals
from spatial_de.maps.theme import FAINT, INK, LINE, add_notes, finish, new_figure, theme, words
from spatial_de.maps.words import Language
from spatial_de.wording import name_some

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from matplotlib.figure import Figure

    from spatial_de.diagnostics import ComparedWeights, DistanceScan, PlaceboWeights

_BAR, _BEST = "#c9a227", "#b2182b"


def compared_weights(
    found: ComparedWeights,
    term: str,
    *,
    labels: Mapping[Any, str] | None = None,
    title: str | None = None,
    source: str | None = None,
    language: Language = "en",
    font: str | Path | None = None,
) -> Figure:
    """Direct, indirect and total effect of one regressor under every W, and the posterior probability of each W.

    Parameters
    ----------
    found
        Result of `compare_weights`.
    term
        The regressor.
    labels
        Names to print for weights.
    title, source, language, font
        As in `choropleth`.
    """
    vocabulary, table = words(language), found.table
    names = [(labels or {}).get(name, str(name)) for name in table.index]
    known = table["probability"].notna().any()
    with theme(font):
        fig = new_figure(10.5 if known else 9.0, 1.4 + 0.34 * len(table) + 0.2 * bool(title))
        widths = [1.0, 1.0, 1.0, 0.8] if known else [1.0, 1.0, 1.0]
        axes = fig.subplots(1, len(widths), sharey=True, squeeze=False, gridspec_kw={"width_ratios": widths})[0]
        for ax, kind in zip(axes, KINDS, strict=False):
            estimates = found.effect(term, kind).reindex(table.index)
            draw_intervals(ax, [row for _, row in estimates.iterrows()])
            ax.set_title(vocabulary[kind])
            ax.locator_params(axis="x", nbins=4)
        axes[1].set_xlabel(vocabulary["effect"])
        if known:
            axes[3].barh(range(len(table)), table["probability"], color=_BAR, height=0.55)
            axes[3].set_xlim(0.0, 1.0)
            axes[3].set_title(vocabulary["probability"])
        axes[0].set_yticks(range(len(table)), names)
        axes[0].set_ylim(len(table) - 0.4, -0.6)
        for ax in axes:
            ax.tick_params(axis="y", length=0)
        add_notes(fig, title=title, source=source, language=language)
        return finish(fig, font=font)


def distance_scan(
    found: DistanceScan,
    *,
    name: str | None = None,
    title: str | None = None,
    source: str | None = None,
    language: Language = "en",
    font: str | Path | None = None,
) -> Figure:
    """The effect with its interval by cutoff, and the posterior probability (or log-likelihood) of each cutoff.

    Parameters
    ----------
    found
        Result of `distance_scan`.
    name
        Label of the regressor.
    title, source, language, font
        As in `choropleth`.
    """
    vocabulary, table = words(language), found.table
    km = table.index.to_numpy(dtype=float)
    known = table["probability"].notna().any()
    with theme(font):
        fig = new_figure(7.2, 5.2 + 0.2 * bool(title))
        above, below = fig.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [2, 1]})
        above.axhline(0.0, color=LINE, linewidth=0.8)
        above.fill_between(km, table["conf_low"], table["conf_high"], color=UNSURE, alpha=0.45, linewidth=0)
        above.plot(km, table["estimate"], color=SURE, marker="o", markersize=4)
        above.set_ylabel(f"{vocabulary[found.effect]}: {name or found.term}")
        column = "probability" if known else "loglik"
        colours = [_BEST if cutoff == found.boundary else _BAR for cutoff in table.index]
        if known:
            gap = float(np.diff(km).min()) if len(km) > 1 else 1.0
            below.bar(km, table[column], width=0.6 * gap, color=colours)
        else:
            below.plot(km, table[column], color=_BAR)
            below.scatter(km, table[column], color=colours, zorder=3)
        below.set_ylabel(vocabulary[column])
        below.set_xlabel(vocabulary["cutoff"])
        above.axvline(found.boundary, color=_BEST, linewidth=1.0, linestyle=":")
        add_notes(fig, title=title, source=source, language=language)
        return finish(fig, font=font)


def placebo_weights(
    found: PlaceboWeights,
    *,
    statistics: tuple[str, ...] = ("rho", "indirect", "loglik"),
    title: str | None = None,
    source: str | None = None,
    language: Language = "en",
    font: str | Path | None = None,
) -> Figure:
    """Histograms of the estimates under random W, with the one under the true W.

    Parameters
    ----------
    found
        Result of `placebo_weights`.
    statistics
        Which of its rows.
    title, source, language, font
        As in `choropleth`.
    """
    unknown = [name for name in statistics if name not in found.draws]
    if unknown:
        raise OptionError(f"There is no {name_some(unknown)}; there are {name_some(list(found.draws))}.")
    vocabulary = words(language)
    with theme(font):
        fig = new_figure(3.2 * len(statistics), 3.0 + 0.2 * bool(title))
        for k, name in enumerate(statistics):
            ax = fig.add_subplot(1, len(statistics), k + 1)
            draws = found.draws[name].to_numpy()
            ax.hist(draws, bins=min(30, max(8, len(draws) // 12)), color=UNSURE, edgecolor="white", linewidth=0.4)
            ax.axvline(float(found.table["observed"][name]), color=_BEST, linewidth=1.6)
            ax.set_title(f"{vocabulary.get(name, name)} (p = {float(found.table['p_value'][name]):.3f})", color=INK)
            ax.tick_params(axis="y", labelcolor=FAINT)
            ax.locator_params(axis="x", nbins=5)
        add_notes(fig, title=title, source=source, language=language)
        return finish(fig, font=font)
