"""Map of the links of spatial weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from spatial_de.errors import AlignmentError
from spatial_de.maps.base import draw_classes, draw_names, prepare
from spatial_de.maps.theme import INK, add_notes, finish, new_figure, theme, words
from spatial_de.maps.words import Language
from spatial_de.wording import name_some, plural

if TYPE_CHECKING:
    from pathlib import Path

    import geopandas as gpd
    from matplotlib.figure import Figure

    from spatial_de.weights import SpatialWeights

_GROUND, _LINK, _ONE_WAY, _ALONE = "#e9e9e4", "#1b6ca8", "#c0602a", "#b2182b"
_WIDEST, _THINNEST = 2.2, 0.25


def links(
    w: SpatialWeights,
    gdf: gpd.GeoDataFrame,
    *,
    title: str | None = None,
    source: str | None = None,
    approval: str | None = None,
    language: Language = "en",
    unit_labels: str | None = None,
    crs: Any = None,
    font: str | Path | None = None,
) -> Figure:
    """Lines between the units that are linked, the wider the larger the weight.

    Links in both directions are blue; links in one direction only are brown arrows that point to the unit that
    receives (whose row holds the weight). Units without neighbours are ringed in red.

    Parameters
    ----------
    w
        Weights; as they are normalised.
    gdf
        Polygons or points of all its units; further ones are drawn without links.
    title, source, approval, language, unit_labels, crs, font
        As in `choropleth`.

    Raises
    ------
    AlignmentError
        A unit of the weights has no polygon.
    """
    lost = w.ids[~w.ids.isin(gdf.index)]
    if len(lost):
        raise AlignmentError(f"{plural(len(lost), 'unit')} of the weights without a polygon: {name_some(lost)}.")
    layer = prepare(gdf, crs=crs)
    places = layer.shapes.geometry.representative_point()
    xy = np.column_stack([places.x, places.y])[gdf.index.get_indexer(w.ids)]
    left, bottom, right, top = layer.frame
    with theme(font):
        width = 7.0
        fig = new_figure(width, width * min(max((top - bottom) / (right - left), 0.4), 1.6) + 0.5)
        ax = fig.add_subplot()
        draw_classes(ax, layer, classes=np.zeros(len(gdf), dtype=np.intp), colours=[_GROUND])
        _draw_links(ax, w, xy)
        alone = xy[np.isin(w.ids, w.islands)]
        ax.plot(alone[:, 0], alone[:, 1], "o", markersize=9, color="none", markeredgecolor=_ALONE, zorder=6)
        ax.plot(xy[:, 0], xy[:, 1], "o", markersize=2.5, color=INK, zorder=6)
        if unit_labels is not None:
            draw_names(ax, layer, unit_labels)
        said = words(language)["links"].format(links=f"{w.n_links:,}", units=f"{w.n:,}")
        ax.set_title(said, loc="left", fontsize=9)
        add_notes(fig, title=title, source=source, approval=approval, language=language)
        return finish(fig, font=font)


def _draw_links(ax: Any, w: SpatialWeights, xy: np.ndarray) -> None:
    from matplotlib.collections import LineCollection

    matrix = w.sparse
    mutual = sparse.csr_array(matrix.astype(bool).multiply(matrix.T.astype(bool)))
    both, one = sparse.triu(mutual, k=1).tocoo(), sparse.csr_array(matrix - matrix.multiply(mutual)).tocoo()
    largest = float(np.abs(matrix.data).max(initial=0.0)) or 1.0
    if both.nnz:
        i, j = both.coords
        size = np.maximum(np.abs(matrix[i, j]), np.abs(matrix[j, i])) / largest
        ends = list(np.stack([xy[i], xy[j]], axis=1))
        ax.add_collection(LineCollection(ends, linewidths=_widths(size), colors=_LINK, alpha=0.75, zorder=5))
    keep = one.data != 0.0
    i, j, size = one.coords[0][keep], one.coords[1][keep], np.abs(one.data[keep]) / largest
    for to, start, wide in zip(xy[i], xy[j], _widths(size), strict=True):
        style = {"arrowstyle": "-|>", "color": _ONE_WAY, "linewidth": wide, "shrinkA": 1, "shrinkB": 2, "alpha": 0.8}
        ax.annotate("", to, start, arrowprops=style | {"mutation_scale": 7}, zorder=5)


def _widths(size: np.ndarray) -> np.ndarray:
    return _THINNEST + (_WIDEST - _THINNEST) * size
