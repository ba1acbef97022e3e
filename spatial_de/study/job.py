"""`Job`: a study's materials, each made once, when first asked for."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from spatial_de import boundaries, weights
from spatial_de.datasets import load_china_panel, load_provinces, read_panel
from spatial_de.errors import AlignmentWarning, StudyError
from spatial_de.fitting import fit
from spatial_de.index import composite_index
from spatial_de.study.words import Estimate, Scale, Subject
from spatial_de.wording import name_some, plural

if TYPE_CHECKING:
    import geopandas as gpd

    from spatial_de.effects import Effects
    from spatial_de.index import CompositeIndex
    from spatial_de.panel import Panel
    from spatial_de.results import Results
    from spatial_de.study.config import StudyConfig, WeightsSection
    from spatial_de.weights import SpatialWeights

BUNDLED = "the bundled China data"


@dataclass(frozen=True, eq=False)
class Job:
    """What the steps of a study work with.

    Attributes
    ----------
    config
        The options.
    """

    config: StudyConfig
    _made: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def is_bundled(self) -> bool:
        """Whether the study runs on the data that come with the package."""
        return self.config.data.panel is None

    @property
    def has_bundled_lines(self) -> bool:
        """Whether maps show the lines that come with the package."""
        return self.config.data.boundaries is None

    @property
    def subject(self) -> Subject:
        """What the study is about, in words."""
        return Subject(**self.config.words.model_dump())

    @property
    def scale(self) -> Scale:
        """The step of the index in everyday units of the outcome."""
        return Scale(self.config.index.step, log_outcome=is_log(self.config.model.outcome))

    @cached_property
    def map(self) -> gpd.GeoDataFrame:
        """All units of the boundary file, those without data included."""
        data = self.config.data
        return load_provinces() if data.boundaries is None else boundaries.read(data.boundaries, id=data.id)

    @cached_property
    def raw(self) -> Panel:
        """The panel at the times of the study, before the index."""
        data = self.config.data
        panel = self._read_panel()
        times = [time for time in panel.times if data.first <= time <= data.last]
        absent = {data.first, data.last} - set(times)
        if absent:
            raise StudyError(
                f"data.first and data.last name {name_some(sorted(absent))}; the panel runs from {panel.times[0]} to "
                f"{panel.times[-1]}."
            )
        return panel.select(times=times)

    def _read_panel(self) -> Panel:
        data = self.config.data
        if data.panel is None:
            return load_china_panel()
        return read_panel(data.panel, unit=data.unit, time=data.time)

    @cached_property
    def index(self) -> CompositeIndex:
        """The composite index of the main specification."""
        return self.index_by(self.config.index.method)

    def index_by(self, method: Any) -> CompositeIndex:
        """The composite index under another method."""
        section = self.config.index
        indicators: Any = section.indicators
        return composite_index(self.raw, indicators, method=method, scope=section.scope, name=section.name)

    @cached_property
    def panel(self) -> Panel:
        """The panel with the index."""
        return self.raw.assign(**{self.config.index.name: self.index.values})

    @cached_property
    def regions(self) -> gpd.GeoDataFrame:
        """Boundaries of the units that have data, in the order of the panel."""
        units = self.raw.units
        absent = units.difference(self.map.index)
        if len(absent):
            raise StudyError(
                f"The boundaries lack {name_some(absent)} of the panel's {self.subject.units}: check data.id and "
                "data.unit."
            )
        without = self.map.index.difference(units)
        if len(without) and not self.has_bundled_lines:
            warnings.warn(
                f"{plural(len(without), 'unit')} of the boundaries without data, drawn hatched and nobody's neighbour: "
                f"{name_some(without)}.",
                AlignmentWarning,
                stacklevel=2,
            )
        return self.map.loc[units]

    def weights(self, rule: str | None = None, units: Iterable[Any] | None = None) -> SpatialWeights:
        """Weights by a rule of `NEIGHBOURS`, for all or some units; the main rule by default."""
        chosen = rule or self.config.weights.rule
        members = tuple(self.regions.index if units is None else units)
        found: SpatialWeights = self.once(
            (chosen, members),
            lambda: NEIGHBOURS[chosen](self, self.regions.loc[list(members)], self.config.weights),
        )
        return found

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` gives, made once per key."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def formula(self, outcome: str | None = None, index: str | None = None) -> str:
        """The formula, with another outcome or another form of the index."""
        model = self.config.model
        terms = [index or self.config.index.name, *model.controls]
        return f"{outcome or model.outcome} ~ {' + '.join(terms)}"

    @property
    def variables(self) -> list[str]:
        """Variables behind the main specification: the outcome, the controls, the indicators."""
        model = self.config.model
        names = [name for term in (model.outcome, *model.controls) for name in names_in(term)]
        return list(dict.fromkeys([*names, *self.index.weights.index.unique(-1)]))

    def fit(self, **changes: Any) -> Results:
        """A fit of the main specification with some arguments of `fit` changed."""
        model = self.config.model
        options: dict[str, Any] = {"model": model.model, "fixed": model.fixed, "cov": model.cov}
        options["bias"] = model.bias if model.fixed != "none" else None
        arguments: dict[str, Any] = {"formula": self.formula(), "data": self.panel, "w": self.weights()}
        return fit(**(arguments | options | changes))

    @cached_property
    def main(self) -> Results:
        """The main specification."""
        return self.fit()

    @cached_property
    def effects(self) -> Effects:
        """Effects of the main specification."""
        return self.effects_of(self.main)

    def effects_of(self, result: Results) -> Effects:
        """Effects with the draws and the seed of the study."""
        return result.effects(draws=self.config.inference.draws, seed=self.config.inference.seed)

    def label(self, name: str) -> str:
        """What a variable or term is called in tables."""
        names = {self.config.index.name: self.subject.index, self.config.figures.outcome: self.subject.measure}
        own = names.get(name, name)
        return self.config.labels.get(name, own if own == name else own[:1].upper() + own[1:])

    def short_label(self, name: str) -> str:
        """The label without the unit in brackets, for sentences."""
        return self.label(name).partition(" (")[0]


def is_log(term: str) -> bool:
    """Whether a term of a formula is a logarithm.

    Examples
    --------
    >>> is_log("log(urban_rural_ratio)"), is_log("theil")
    (True, False)
    """
    return re.fullmatch(r"\s*log\(.*\)\s*", term) is not None


def names_in(term: str) -> list[str]:
    """Variables in a term of a formula.

    Examples
    --------
    >>> names_in("log(gdp_per_head)"), names_in("a:b")
    (['gdp_per_head'], ['a', 'b'])
    """
    return re.findall(r"\b[^\W\d]\w*\b(?!\s*\()", term)


def effect_estimate(effects: Effects, term: str, kind: str) -> Estimate:
    """One effect of one term with its interval."""
    row: Any = effects.table.loc[(term, kind)]
    return Estimate(*(float(row[name]) for name in ("estimate", "conf_low", "conf_high", "p_value")))


def _contiguity(rule: Any) -> Callable[[Job, gpd.GeoDataFrame, WeightsSection], SpatialWeights]:
    def build(_: Job, regions: gpd.GeoDataFrame, section: WeightsSection) -> SpatialWeights:
        return weights.contiguity(regions, rule=rule, islands=section.islands)

    return build


def _knn(_: Job, regions: gpd.GeoDataFrame, section: WeightsSection) -> SpatialWeights:
    return weights.knn(regions, k=section.k)


def _inverse_distance(_: Job, regions: gpd.GeoDataFrame, section: WeightsSection) -> SpatialWeights:
    return weights.inverse_distance(regions, power=section.power)


def _economic(job: Job, regions: gpd.GeoDataFrame, section: WeightsSection) -> SpatialWeights:
    return weights.economic(job.raw.select(units=regions.index)[str(section.economic)])


NEIGHBOURS: dict[str, Callable[[Job, gpd.GeoDataFrame, WeightsSection], SpatialWeights]] = {
    "queen": _contiguity("queen"),
    "rook": _contiguity("rook"),
    "knn": _knn,
    "inverse-distance": _inverse_distance,
    "economic": _economic,
}

NEIGHBOUR_NAMES = {
    "queen": "shared borders or corners",
    "rook": "shared borders",
    "knn": "nearest neighbours",
    "inverse-distance": "inverse distance",
    "economic": "economic distance",
}
