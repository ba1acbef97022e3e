"""What the commands on own data have in common: where the figures, the boundaries and the weights come from."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from spatial_de.cli.groups import under
from spatial_de.errors import OptionError
from spatial_de.wording import check_option, did_you_mean, name_some

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from spatial_de.panel import Panel
    from spatial_de.weights import SpatialWeights

Command = TypeVar("Command", bound=Callable[..., Any])

RULES = ("queen", "rook", "knn", "inverse-distance")
_BELONGS_TO = {"k": ("knn",), "islands": ("queen", "rook")}


@dataclass(frozen=True, eq=False)
class Inputs:
    """Data, boundaries and weights as the options name them; the bundled China data by default.

    Attributes
    ----------
    data, unit, time
        File with the figures, its columns with the unit's id and the time; without a time it is a cross-section.
    boundaries, id
        File with the boundaries, its column with the unit's id.
    weights, k, islands
        A rule of `RULES` or a file; neighbours of "knn"; what to do with units that border nobody.
    first, last
        Times used.
    index
        A preset of `composite_index`, added as the variable "digital".
    unbalanced
        Take a panel in which rows are missing as it is.
    """

    data: str | None = None
    unit: str = "code"
    time: str | None = None
    boundaries: str | None = None
    id: str = "code"
    weights: str = "queen"
    k: int = 4
    islands: Any = "nearest"
    first: int | None = None
    last: int | None = None
    index: str | None = None
    unbalanced: bool = False

    @cached_property
    def figures(self) -> Panel | pd.DataFrame:
        """A panel, or a table indexed by unit where no time column is named."""
        from spatial_de import datasets

        if self.unbalanced and (self.data is None or self.time is None):
            raise OptionError("--unbalanced is for own panels: name the file with --data, its time column with --time.")
        if self.data is None:
            return self._prepared(datasets.load_china_panel())
        if self.time is not None:
            own = datasets.read_panel(self.data, unit=self.unit, time=self.time, unbalanced=self.unbalanced)
            return self._prepared(own)
        from spatial_de.datasets.tables import read_table

        if self.index is not None or self.first is not None or self.last is not None:
            raise OptionError("--index, --first and --last need a panel: name its time column with --time.")
        table = read_table(self.data)
        check_option(self.unit, list(table.columns), "--unit")
        return table.set_index(self.unit)

    @cached_property
    def regions(self) -> gpd.GeoDataFrame:
        """All units of the boundary file."""
        from spatial_de import boundaries, datasets

        if self.boundaries is not None:
            return boundaries.read(self.boundaries, id=self.id)
        provinces = datasets.load_provinces().reset_index()
        check_option(self.id, list(provinces.columns.drop("geometry")), "--id")
        return provinces.set_index(self.id)

    @property
    def units(self) -> pd.Index[Any]:
        """Units of the figures."""
        figures: Any = self.figures
        found: pd.Index[Any] = figures.index if self.time is None and self.data is not None else figures.units
        return found

    def build_weights(self) -> SpatialWeights:
        """Weights between the units of the figures."""
        return make_weights(self, self._with_figures() if self.weights in RULES else None)

    def values(self, variable: str) -> pd.Series:
        """One variable, indexed by (unit, time) or by unit."""
        self.check_index(variable)
        figures: Any = self.figures
        if self.time is None and self.data is not None and variable not in figures:
            raise OptionError(
                f"{self.data} has no column {variable!r}.{did_you_mean(variable, figures.columns)} It has "
                f"{name_some(figures.columns, 8)}."
            )
        found: pd.Series = figures[variable]  # a panel says itself what it lacks
        return found

    def check_index(self, text: str) -> None:
        """Refuse the bundled data's index where no option makes it."""
        if self.data is None and self.index is None and re.search(r"\bdigital\b", text):
            raise OptionError("'digital' is a composite index, not a column of the data: add --index china-digital-7.")

    def _with_figures(self) -> gpd.GeoDataFrame:
        absent = self.units.difference(self.regions.index)
        if len(absent):
            own = self.data is not None and self.boundaries is None
            which = "bundled boundaries" if own else "boundaries"
            others = ", or give your own: --boundaries FILE --id COLUMN, or --weights FILE" if own else ""
            raise OptionError(f"The {which} lack {name_some(absent)} of the data: check --id and --unit{others}.")
        without = self.regions.index.difference(self.units)
        if len(without) and self.data is not None:
            click.echo(f"Polygons without data, left out of the weights: {name_some(without)}.\n", err=True)
        return self.regions.loc[self.units]

    def _prepared(self, panel: Panel) -> Panel:
        first = panel.times[0] if self.first is None else self.first
        last = panel.times[-1] if self.last is None else self.last
        times = [t for t in panel.times if first <= t <= last]
        if not times:
            given = [f"--{end} {value}" for end in ("first", "last") if (value := getattr(self, end)) is not None]
            raise OptionError(
                f"{' '.join(given)} leaves no time: the data cover {panel.times[0]} to {panel.times[-1]}."
            )
        chosen = panel.select(times=times) if len(times) < panel.n_times else panel
        if self.index is None:
            return chosen
        from spatial_de.index import composite_index

        return chosen.assign(digital=composite_index(chosen, self.index).values)


def make_weights(inputs: Inputs, regions: gpd.GeoDataFrame | None) -> SpatialWeights:
    """Weights by a rule between some polygons, or from a file."""
    from spatial_de import weights

    _refuse_unused(inputs.weights)
    if regions is None:
        if not Path(inputs.weights).exists():
            raise OptionError(
                f"--weights={inputs.weights!r} is neither a rule ({name_some(RULES)}) nor a file that is there."
                f"{did_you_mean(inputs.weights, RULES)}"
            )
        found = weights.read(inputs.weights)
        return found if found.is_row_stochastic else found.normalized("row")
    if inputs.weights == "knn":
        return weights.knn(regions, k=inputs.k)
    if inputs.weights == "inverse-distance":
        return weights.inverse_distance(regions)
    rule: Any = inputs.weights
    return weights.contiguity(regions, rule=rule, islands=inputs.islands)


def _refuse_unused(weights: str) -> None:
    """Refuse options of other weights that were given on the command line, rather than pass over them."""
    context = click.get_current_context(silent=True)
    for name, rules in _BELONGS_TO.items():
        source = None if context is None else context.get_parameter_source(name)
        if source is ParameterSource.COMMANDLINE and weights not in rules:
            raise OptionError(
                f"--{name} belongs to --weights {' and '.join(rules)}; --weights {weights} makes no use of it. "
                "Leave it out."
            )


_data, _boundaries, _weights = (under(group) for group in ("Data", "Boundaries", "Weights"))
_DATA = (
    _data("--data", "data", metavar="FILE", help="csv, xlsx, dta, parquet; default: the bundled China panel."),
    _data("--unit", default="code", show_default=True, help="Column of the data with the unit's id."),
    _data("--time", help="Column of the data with the time; without it, a cross-section."),
    _data("--first", type=int, help="First time used."),
    _data("--last", type=int, help="Last time used."),
    _data("--index", metavar="PRESET", help="Add a composite index as 'digital', e.g. china-digital-7."),
)
_BOUNDARIES = (
    _boundaries(
        "--boundaries",
        metavar="FILE",
        help="Vector file; default: the bundled provinces (ids: code, name_en, name_zh, ...).",
    ),
    _boundaries("--id", default="code", show_default=True, help="Column of the boundaries with the unit's id."),
)
_WEIGHTS = (
    _weights("--weights", default="queen", show_default=True, help=f"{', '.join(RULES)}, or a weights file."),
    _weights("--k", default=4, show_default=True, help="Neighbours of knn."),
    _weights(
        "--islands",
        type=click.Choice(["nearest", "error", "keep"]),
        default="nearest",
        show_default=True,
        help="What to do with units that border nobody.",
    ),
)


def options(*, data: bool = True, weights: bool = True) -> Callable[[Command], Command]:
    """The options a command shares with others."""
    chosen = (*(_DATA if data else ()), *_BOUNDARIES, *(_WEIGHTS if weights else ()))

    def add(command: Command) -> Command:
        for option in reversed(chosen):
            command = option(command)
        return command

    return add


def check_stem(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Refuse a name with an ending, before anything is computed."""
    ending = Path(value).suffix if value is not None else ""
    if ending.lower() in {".csv", ".md", ".tex", ".txt", ".html", ".docx", ".xlsx", ".pdf"}:
        stem = str(value).removesuffix(ending)
        raise click.BadParameter(
            f"give the name without {ending}: '-o {stem}' writes {stem}.csv, {stem}.md and {stem}.tex."
        )
    return value


def say(paths: Any) -> None:
    """Name the files that were written."""
    click.echo("\n" + "\n".join(map(str, paths)))
