"""Maps of local spatial clusters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.autocorrelation import LocalMoran, LocalMoranByTime
from spatial_de.errors import OptionError
from spatial_de.maps.base import by_time, draw_classes, draw_names, grid, legend, on_units, prepare
from spatial_de.maps.theme import add_notes, finish, new_figure, theme, words
from spatial_de.maps.words import Language

if TYPE_CHECKING:
    from pathlib import Path

    import geopandas as gpd
    from matplotlib.figure import Figure

# The colours of GeoDa, which readers of these maps know.
CLUSTER_COLOURS = {
    "High-High": "#d7191c",
    "Low-Low": "#2c7bb6",
    "Low-High": "#abd9e9",
    "High-Low": "#fdae61",
    "Not significant": "#dddddd",
    "No neighbours": "#8f8f8f",
}

_COUNTED = 3  # maps whose units the legend counts one by one


def lisa(
    gdf: gpd.GeoDataFrame,
    local: LocalMoran | LocalMoranByTime,
    *,
    times: Iterable[Any] | None = None,
    title: str | None = None,
    source: str | None = None,
    approval: str | None = None,
    language: Language = "en",
    unit_labels: str | None = None,
    basemap: gpd.GeoDataFrame | None = None,
    crs: Any = None,
    font: str | Path | None = None,
) -> Figure:
    """Cluster map of local Moran statistics.

    Parameters
    ----------
    gdf
        Polygons indexed by unit; those without a value are hatched.
    local
        Result of `local_moran`, for one time or several (small multiples with one legend).
    times
        Times to draw.
    title, source, approval, language, unit_labels, basemap, crs, font
        As in `choropleth`.

    Returns
    -------
    matplotlib.figure.Figure
        The legend counts the units of each class; with two or three maps, in each of them.
    """
    if not isinstance(local, LocalMoran | LocalMoranByTime):
        raise OptionError(f"lisa() draws results of sde.local_moran(), not {type(local).__name__}.")
    vocabulary = words(language)
    names = list(CLUSTER_COLOURS)
    clusters = local.table["cluster"].astype(str)
    codes = pd.Series([float(names.index(cluster)) for cluster in clusters], index=clusters.index)
    maps = {name: on_units(series, gdf) for name, series in by_time(codes, times).items()}
    with theme(font):
        layer = prepare(gdf, crs=crs, basemap=basemap)
        rows, columns, width, height = grid(len(maps), layer)
        fig = new_figure(width, height)
        for number, (name, series) in enumerate(maps.items(), start=1):
            ax = fig.add_subplot(rows, columns, number)
            classes = np.where(series.isna(), -1, series.fillna(0)).astype(np.intp)
            draw_classes(ax, layer, classes=classes, colours=list(CLUSTER_COLOURS.values()))
            if unit_labels is not None:
                draw_names(ax, layer, unit_labels)
            if name:
                ax.set_title(name)
        counts = {name: [int((drawn == code).sum()) for drawn in maps.values()] for code, name in enumerate(names)}
        kept = [name for name in names if any(counts[name]) or name != "No neighbours"]
        labels = [vocabulary[name] + _counted(counts[name]) for name in kept]
        gaps = vocabulary["no_data"] if any(drawn.isna().any() for drawn in maps.values()) else None
        legend(fig, labels, [CLUSTER_COLOURS[name] for name in kept], title=None, no_data=gaps)
        add_notes(fig, title=title, source=source, approval=approval, language=language)
        return finish(fig, font=font)


def _counted(counts: list[int]) -> str:
    return f" ({', '.join(map(str, counts))})" if len(counts) <= _COUNTED else ""
