"""The map itself: projection, polygons in classes, names, legend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.errors import AlignmentError, BoundaryError, OptionError
from spatial_de.maps.theme import INK, NO_DATA
from spatial_de.wording import did_you_mean, name_some, plural

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_SMALL = 8e-5  # share of the map's frame below which a unit gets a dot as well
_DETAIL = 2500  # details smaller than this part of the map's width are not drawn


@dataclass(frozen=True, slots=True)
class Layer:
    """Polygons ready to draw.

    Attributes
    ----------
    shapes
        Projected polygons indexed by unit.
    base
        The user's base map in the same projection, or None.
    """

    shapes: gpd.GeoDataFrame
    base: gpd.GeoDataFrame | None

    @property
    def frame(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top of everything drawn."""
        left, bottom, right, top = self.shapes.total_bounds
        return float(left), float(bottom), float(right), float(top)


def prepare(gdf: gpd.GeoDataFrame, *, crs: Any = None, basemap: gpd.GeoDataFrame | None = None) -> Layer:
    """Project polygons for drawing.

    Degrees go to an Albers equal-area projection fitted to the layer; projected layers stay as they are, unless
    `crs` says otherwise.
    """
    import shapely

    if gdf.geometry.isna().any() or gdf.geometry.is_empty.any():
        empty = gdf.index[gdf.geometry.isna() | gdf.geometry.is_empty]
        raise BoundaryError(f"Units without geometry: {name_some(empty)}. Supply it or leave them out.")
    target = crs or (_albers(gdf) if gdf.crs is not None and gdf.crs.is_geographic else None)
    shapes = gdf if target is None else gdf.to_crs(target)
    left, _, right, _ = shapes.total_bounds
    polygons = shapes.geometry.to_numpy()
    if (shapely.get_dimensions(polygons) == 2).all() and shapely.coverage_is_valid(polygons):
        shapes = shapes.set_geometry(shapely.coverage_simplify(polygons, (right - left) / _DETAIL), crs=shapes.crs)
    base = None if basemap is None else (basemap if target is None else basemap.to_crs(target))
    return Layer(shapes, base)


def _albers(gdf: gpd.GeoDataFrame) -> str:
    """Albers equal-area with standard parallels a sixth of the range inside the layer."""
    left, bottom, right, top = gdf.total_bounds
    sixth = (top - bottom) / 6.0
    first, second = bottom + sixth, top - sixth
    if abs(first + second) < 1.0:  # a layer astride the equator: the cone would become a cylinder
        first = second + 1.0
    centre = (left + right) / 2.0, (bottom + top) / 2.0
    return f"+proj=aea +lat_1={first:.4f} +lat_2={second:.4f} +lat_0={centre[1]:.4f} +lon_0={centre[0]:.4f} +units=m"


def on_units(values: pd.Series, gdf: gpd.GeoDataFrame) -> pd.Series:
    """Values in the order of the polygons; NaN for polygons without one.

    Raises
    ------
    AlignmentError
        A unit has a value but no polygon, or occurs more than once.
    """
    if not values.index.is_unique:
        raise AlignmentError(f"Units occur more than once: {name_some(values.index[values.index.duplicated()])}.")
    lost = values.index[~values.index.isin(gdf.index)]
    if len(lost):
        near = did_you_mean(lost[0], gdf.index) if len(lost) == 1 else ""
        raise AlignmentError(
            f"{plural(len(lost), 'unit')} with values but without a polygon: {name_some(lost)}.{near} The polygons are "
            f"indexed by labels such as {name_some(gdf.index, 3)}."
        )
    return values.reindex(gdf.index)


def draw_classes(ax: Axes, layer: Layer, *, classes: NDArray[np.intp], colours: list[str]) -> None:
    """Polygons in the colours of their classes; class -1 is hatched."""
    left, bottom, right, top = layer.frame
    tiny = _is_tiny(layer)
    if layer.base is not None:
        layer.base.plot(ax=ax, color="none", edgecolor="#b5b5b5", linewidth=0.4, zorder=0)
    for number in sorted(set(classes.tolist())):
        part = layer.shapes[classes == number]
        style: dict[str, Any] = {"color": NO_DATA, "hatch": "////"} if number < 0 else {"color": colours[number]}
        edge = "#9a9a9a" if number < 0 else "white"
        part.plot(ax=ax, edgecolor=edge, linewidth=0.5, zorder=1 + (number >= 0), **style)
        small = part[tiny[classes == number]].representative_point()
        if len(small):
            face = "none" if number < 0 else colours[number]
            ax.plot(small.x, small.y, "o", markersize=4, color=face, markeredgecolor=INK, markeredgewidth=0.5, zorder=4)
    ax.set_xlim(left - 0.01 * (right - left), right + 0.01 * (right - left))
    ax.set_ylim(bottom - 0.01 * (top - bottom), top + 0.01 * (top - bottom))
    ax.set_aspect("equal")
    ax.set_axis_off()


def _is_tiny(layer: Layer) -> NDArray[np.bool_]:
    left, bottom, right, top = layer.frame
    return np.asarray(layer.shapes.area < _SMALL * (right - left) * (top - bottom))


def draw_names(ax: Axes, layer: Layer, column: str) -> None:
    """Names of units at a point inside each."""
    from matplotlib.patheffects import withStroke

    if column != "id" and column not in layer.shapes.columns:
        raise OptionError(
            f"unit_labels={column!r} is not a column of the polygons.{did_you_mean(column, layer.shapes.columns)}"
        )
    names = layer.shapes.index if column == "id" else layer.shapes[column]
    places = layer.shapes.representative_point()
    tiny = _is_tiny(layer)
    easternmost = float(places[tiny].x.max()) if tiny.any() else np.inf
    for name, place, beside in zip(names, places, tiny, strict=True):
        # a name does not fit into a tiny unit: it goes to its right, for a western neighbour to its lower left
        offset, side = ((0, 0), "center") if not beside else ((5, -2), "left")
        if beside and place.x < easternmost:
            offset, side = (-4, -6), "right"
        ax.annotate(
            str(name),
            (place.x, place.y),
            xytext=offset,
            textcoords="offset points",
            fontsize=6.5,
            ha=side,
            va="center",
            zorder=5,
            path_effects=[withStroke(linewidth=1.5, foreground="white")],
        )


def legend(fig: Figure, labels: list[str], colours: list[str], *, title: str | None, no_data: str | None) -> None:
    """One legend for the whole figure, to its right."""
    from matplotlib.patches import Patch

    keys = [Patch(facecolor=colour, edgecolor="#9a9a9a", linewidth=0.5) for colour in colours]
    if no_data is not None:
        keys.append(Patch(facecolor=NO_DATA, edgecolor="#9a9a9a", hatch="////", linewidth=0.5))
        labels = [*labels, no_data]
    fig.legend(
        keys,
        labels,
        title=title,
        loc="outside right center",
        frameon=False,
        fontsize=9,
        title_fontsize=9.5,
        alignment="left",
        handlelength=1.6,
        handleheight=1.2,
        labelspacing=0.6,
    )


def grid(count: int, layer: Layer) -> tuple[int, int, float, float]:
    """Rows, columns, width and height in inches for `count` maps."""
    columns = min(count, 3)
    rows = -(-count // columns)
    left, bottom, right, top = layer.frame
    shape = float(np.clip((top - bottom) / (right - left), 0.4, 1.8))
    width = 6.2 if columns == 1 else 3.4 * columns
    return rows, columns, width + 1.9, width / columns * shape * rows + 0.7 + 0.25 * rows * (count > 1)


def by_time(values: pd.Series | pd.DataFrame, times: Any = None) -> dict[str, pd.Series]:
    """One series per map: a single one, or one per time of a panel variable (or per column of a table).

    Raises
    ------
    OptionError
        Neither a series nor a table, or times that the variable does not cover.
    """
    if not isinstance(values, pd.Series | pd.DataFrame):
        raise OptionError(
            f"A map needs a series or a table indexed by unit, not {type(values).__name__}: e.g. gdf['column'], "
            "panel['variable']."
        )
    if isinstance(values, pd.DataFrame):
        return {str(column): values[column] for column in (values.columns if times is None else list(times))}
    if not isinstance(values.index, pd.MultiIndex):
        return {"": values}
    wide = values.unstack(level=1)  # noqa: PD010
    chosen = list(wide.columns if times is None else times)
    absent = [time for time in chosen if time not in wide.columns]
    if absent:
        raise OptionError(f"times names {name_some(absent)}; the variable covers {name_some(wide.columns, 12)}.")
    return {str(time): wide[time] for time in chosen}
