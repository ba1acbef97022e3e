"""Figures that only a study needs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.maps.theme import FAINT, LINE, finish, new_figure, theme, words
from spatial_de.study.job import effect_estimate
from spatial_de.study.robustness import KINDS, TERM
from spatial_de.study.words import direction

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from spatial_de.maps.words import Language
    from spatial_de.study.robustness import Estimated
    from spatial_de.study.words import Estimate

_SURE, _UNSURE, _BAND = "#1b6ca8", "#9db8cc", "#e9f1f7"
_TOO_WIDE = 3.0  # times the median width: such intervals do not set the axis
_AXIS = {
    "en": "Standard deviations of the outcome per standard deviation of the index, 95 % intervals",
    "zh": "指数变动一个标准差时结果变量变动的标准差数，95%置信区间",
}


def variants(rows: Sequence[Estimated], *, language: Language = "en") -> Figure:
    """Effects under every variant: one column of axes for direct, indirect and total.

    The first row is the main estimate; its interval is shaded behind the others. Pale rows cannot be told from zero
    by the rule of `words.direction`. An interval too wide for the axis ends in an arrow.

    Parameters
    ----------
    rows
        The main estimate and the variants; those without effects are left out.
    language
        Of the words on the figure.
    """
    shown = [row for row in rows if row.standardised is not None]
    vocabulary = words(language)
    with theme():
        fig = new_figure(9.6, 1.1 + 0.3 * len(shown))
        first = None
        for column, kind in enumerate(KINDS):
            first = ax = fig.add_subplot(1, 3, column + 1, sharey=first)
            estimates = [effect_estimate(row.standardised, TERM, kind) for row in shown if row.standardised]
            _draw(ax, estimates)
            _separate(ax, [row.group for row in shown])
            ax.set_title(vocabulary[kind])
            ax.set_yticks(range(len(shown)), [row.name[:1].upper() + row.name[1:] for row in shown])
            ax.tick_params(axis="y", length=0, labelleft=column == 0)
            ax.set_ylim(len(shown) - 0.4, -0.6)
            ax.locator_params(axis="x", nbins=5)
        fig.axes[1].set_xlabel(_AXIS[language])
        return finish(fig)


def axis_limits(estimates: Sequence[Estimate]) -> tuple[float, float]:
    """Range of an axis: zero, and every interval that is not far wider than the others.

    Examples
    --------
    >>> from spatial_de.study.words import Estimate
    >>> axis_limits([Estimate(0.5, 0.0, 1.0, 0.1), Estimate(0.5, 0.2, 0.8, 0.1), Estimate(3.0, 0.0, 50.0, 0.1)])
    (-0.05, 1.05)
    """
    ends = np.array([(item.conf_low, item.conf_high) for item in estimates])
    widths = ends[:, 1] - ends[:, 0]
    usual = ends[widths <= _TOO_WIDE * np.median(widths)]
    low, high = min(0.0, float(usual.min())), max(0.0, float(usual.max()))
    margin = 0.05 * (high - low)
    return low - margin, high + margin


def _draw(ax: Axes, estimates: Sequence[Estimate]) -> None:
    low, high = axis_limits(estimates)
    ax.axvspan(estimates[0].conf_low, estimates[0].conf_high, color=_BAND, zorder=0)
    ax.axvline(0, color=LINE, linewidth=0.9, zorder=1)
    for y, item in enumerate(estimates):
        colour = _UNSURE if direction(item) == "unclear" else _SURE
        ends = np.clip([item.conf_low, item.conf_high], low, high)
        ax.plot(ends, [y, y], color=colour, linewidth=2.2, solid_capstyle="butt", zorder=2)
        if low <= item.estimate <= high:
            ax.plot(item.estimate, y, "o", color=colour, markersize=5.5, zorder=3)
        for end, beyond, marker in ((low, item.conf_low < low, "<"), (high, item.conf_high > high, ">")):
            if beyond:
                ax.plot(end, y, marker, color=colour, markersize=6, clip_on=False, zorder=3)
    ax.set_xlim(low, high)
    ax.grid(axis="x", color="#ececec", linewidth=0.7)
    ax.set_axisbelow(True)
    ax.spines["left"].set_visible(False)
    ax.spines["bottom"].set_color(FAINT)


def _separate(ax: Axes, groups: Sequence[str]) -> None:
    """A faint line where another thing is varied."""
    for i, (one, other) in enumerate(itertools.pairwise(groups)):
        if one != other:
            ax.axhline(i + 0.5, color="#dddddd", linewidth=0.7, zorder=0)
