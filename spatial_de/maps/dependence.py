"""Plots of spatial dependence: Moran scatter, Moran's I over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.autocorrelation import MoranByTime, moran
from spatial_de.errors import DataError, OptionError
from spatial_de.maps.theme import FAINT, INK, LINE, add_notes, finish, new_figure, theme, words
from spatial_de.maps.words import Language

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from spatial_de.weights import SpatialWeights

_NAMED = 6  # most distant points that get their label
_HIGH, _LOW = "#d7191c", "#2c7bb6"


def moran_scatter(
    x: pd.Series,
    w: SpatialWeights,
    *,
    name: str | None = None,
    title: str | None = None,
    source: str | None = None,
    language: Language = "en",
    font: str | Path | None = None,
) -> Figure:
    """Each unit's value against that of its neighbours, both standardised by the variable's mean and deviation.

    The line is the least-squares fit; with row-standardised weights its slope is Moran's I, which is printed.
    High values among high ones are red, low among low blue, the others grey.

    Parameters
    ----------
    x
        Variable indexed by unit.
    w
        Weights of the same units.
    name
        Label of the variable; by default the series' name.
    title, source, language, font
        As in `choropleth`.
    """
    if isinstance(x.index, pd.MultiIndex):
        raise DataError("moran_scatter() draws one time: choose it, e.g. x.xs(2022, level='year').")
    statistic = moran(x, w, permutations=99)
    vocabulary = words(language)
    label = name or str(x.name or "x")
    z = (x - x.mean()) / x.std(ddof=0)
    lag = w.lag(z)
    slope, intercept = np.polyfit(z, lag, 1)
    with theme(font):
        fig = new_figure(5.6, 5.2)
        ax = fig.add_subplot()
        ax.axhline(0, color=LINE, linewidth=0.8)
        ax.axvline(0, color=LINE, linewidth=0.8)
        ax.scatter(z, lag, s=26, color=[_point_colour(a, b) for a, b in zip(z, lag, strict=True)], alpha=0.85, zorder=3)
        ends = np.array([z.min(), z.max()])
        ax.plot(ends, intercept + slope * ends, color=INK, linewidth=1.4, zorder=2)
        for unit in (z**2 + (lag / (lag.std(ddof=0) or 1.0)) ** 2).nlargest(min(_NAMED, len(z))).index:
            ax.annotate(str(unit), (z[unit], lag[unit]), xytext=(4, 3), textcoords="offset points", fontsize=8)
        ax.set_xlabel(vocabulary["own"].format(name=label))
        ax.set_ylabel(vocabulary["lag"].format(name=label))
        ax.set_title(vocabulary["moran"].format(value=f"{_value(statistic):.3f}"), loc="left")
        add_notes(fig, title=title, source=source, language=language)
        return finish(fig, font=font)


def moran_by_time(
    result: MoranByTime | dict[str, MoranByTime],
    *,
    title: str | None = None,
    source: str | None = None,
    language: Language = "en",
    font: str | Path | None = None,
) -> Figure:
    """Moran's I of one or more variables over time; filled where the permutation p-value is below 0.05.

    Parameters
    ----------
    result
        Result of `moran` for a panel variable, or several by label.
    title, source, language, font
        As in `choropleth`.
    """
    series = result if isinstance(result, dict) else {str(result.name): result}
    if not all(isinstance(item, MoranByTime) for item in series.values()):
        raise OptionError("moran_by_time() draws results of sde.moran() for panel variables.")
    vocabulary = words(language)
    with theme(font):
        fig = new_figure(7.2, 3.9)
        ax = fig.add_subplot()
        for number, (name, item) in enumerate(series.items()):
            _line(ax, item.table, name, colour=("#1b6ca8", "#d1495b", "#3d8361", "#8d5a97")[number % 4])
        expected = next(iter(series.values())).table["expected"]
        ax.plot(expected.index, expected, color=FAINT, linewidth=1, linestyle=":", label=vocabulary["expected"])
        ax.set_xticks(list(expected.index))
        ax.tick_params(axis="x", labelrotation=0 if len(expected) <= 12 else 90)
        ax.set_ylabel("Moran's I")
        ax.margins(y=0.15)
        ax.plot([], [], "o", color=INK, label=vocabulary["significant"])
        ax.plot([], [], "o", color=INK, markerfacecolor="white", label=vocabulary["insignificant"])
        fig.legend(loc="outside right center", frameon=False, fontsize=9)
        add_notes(fig, title=title, source=source, language=language)
        return finish(fig, font=font)


def _line(ax: Axes, table: pd.DataFrame, name: str, *, colour: str) -> None:
    ax.plot(table.index, table["I"], color=colour, linewidth=1.6, label=name)
    p = table["p_sim"] if table["p_sim"].notna().all() else table["p_value"]
    for rows, face in ((p < 0.05, colour), (p >= 0.05, "white")):
        ax.plot(table.index[rows], table["I"][rows], "o", color=colour, markerfacecolor=face, markersize=6)


def _point_colour(own: float, neighbours: float) -> str:
    if own > 0 and neighbours > 0:
        return _HIGH
    return _LOW if own <= 0 and neighbours <= 0 else FAINT


def _value(statistic: Any) -> float:
    return float(statistic.I)
