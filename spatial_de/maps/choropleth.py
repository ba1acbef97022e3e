"""Choropleth maps: one variable, once or over years with shared classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.errors import DataError
from spatial_de.maps.base import by_time, draw_classes, draw_names, grid, legend, on_units, prepare
from spatial_de.maps.classes import Scheme, class_labels, class_of, upper_bounds
from spatial_de.maps.theme import add_notes, finish, new_figure, theme, words
from spatial_de.maps.words import Language

if TYPE_CHECKING:
    from pathlib import Path

    import geopandas as gpd
    from matplotlib.figure import Figure


def choropleth(
    gdf: gpd.GeoDataFrame,
    values: pd.Series | pd.DataFrame,
    *,
    scheme: Scheme = "quantiles",
    k: int = 5,
    bins: Sequence[float] | None = None,
    times: Iterable[Any] | None = None,
    title: str | None = None,
    legend_title: str | None = None,
    source: str | None = None,
    approval: str | None = None,
    language: Language = "en",
    unit_labels: str | None = None,
    palette: str = "YlGnBu",
    basemap: gpd.GeoDataFrame | None = None,
    crs: Any = None,
    font: str | Path | None = None,
) -> Figure:
    """Map of a variable.

    Parameters
    ----------
    gdf
        Polygons indexed by unit. All are drawn; those without a value are hatched.
    values
        Series indexed by unit: one map. A panel variable (indexed by unit and time) or a table with one column per
        map: small multiples with the same classes and one legend.
    scheme, k
        Classification (mapclassify) of all values together, and number of classes.
    bins
        Own upper bounds instead.
    times
        Times of a panel variable to draw.
    title, legend_title
        Texts above the map and above the legend.
    source, approval
        Source note and approval number of the base map, below.
    language
        Of the words that the map itself adds.
    unit_labels
        Column with the names to print on the map (such as ``"short_zh"``), or ``"id"``.
    palette
        Name of a matplotlib colour map, light to dark.
    basemap
        Own lines to draw below the units.
    crs
        Projection; by default equal-area for degrees.
    font
        Font file for characters that the bundled font does not have.

    Returns
    -------
    matplotlib.figure.Figure
        To show, or to write with `maps.save`.

    Raises
    ------
    AlignmentError
        A value belongs to no polygon.
    FontError
        A character has no glyph.

    Examples
    --------
    >>> import spatial_de as sde
    >>> panel = sde.datasets.load_china_panel()
    >>> fig = choropleth(sde.datasets.load_provinces(), panel["urban_rural_ratio"], times=[2013, 2022])
    >>> len(fig.axes)
    2
    """
    vocabulary = words(language)
    maps = {name: on_units(_numbers(series), gdf) for name, series in by_time(values, times).items()}
    shown = np.concatenate([series.to_numpy() for series in maps.values()])
    if np.isinf(shown).any():
        raise DataError("Infinite values cannot be mapped.")
    present = shown[~np.isnan(shown)]
    bounds = upper_bounds(present, scheme=scheme, k=k, bins=bins)
    with theme(font):
        colours = sequence(palette, len(bounds))
        layer = prepare(gdf, crs=crs, basemap=basemap)
        rows, columns, width, height = grid(len(maps), layer)
        fig = new_figure(width, height)
        for number, (name, series) in enumerate(maps.items(), start=1):
            ax = fig.add_subplot(rows, columns, number)
            draw_classes(ax, layer, classes=class_of(series.to_numpy(), bounds), colours=colours)
            if unit_labels is not None:
                draw_names(ax, layer, unit_labels)
            if name:
                ax.set_title(name)
        labels = class_labels(float(present.min()), bounds, to=vocabulary["to"])
        gaps = np.isnan(shown).any()
        legend(fig, labels, colours, title=legend_title, no_data=vocabulary["no_data"] if gaps else None)
        add_notes(fig, title=title, source=source, approval=approval, language=language)
        return finish(fig, font=font)


def sequence(palette: str, count: int) -> list[str]:
    """Colours of `count` classes from a colour map, without its palest end."""
    import matplotlib as mpl
    from matplotlib.colors import to_hex

    from spatial_de.wording import check_option

    check_option(palette, list(mpl.colormaps), "palette")
    colours = mpl.colormaps[palette]
    return [to_hex(colours(x)) for x in (np.linspace(0.12, 0.92, count) if count > 1 else [0.5])]


def _numbers(series: pd.Series) -> pd.Series:
    if not pd.api.types.is_numeric_dtype(series.dtype):
        raise DataError(f"Variable {series.name!r} holds {series.dtype}, not numbers.")
    return series.astype(np.float64)
