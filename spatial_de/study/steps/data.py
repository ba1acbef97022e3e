"""Steps about the data: the index, descriptive statistics, maps."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from spatial_de import maps as draw
from spatial_de.study.job import Job, names_in
from spatial_de.study.scaling import spread_left
from spatial_de.study.section import Drawing, Section, Table, Text
from spatial_de.wording import plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_METHODS = {
    "entropy": "Entropy weights: an indicator weighs the more, the more unevenly it is spread",
    "entropy-topsis": "Entropy weights, combined as closeness to the best values (TOPSIS)",
    "pca": "First principal component",
    "equal": "Equal weights",
}


def index(job: Job) -> Section:
    """The composite index: weights of the indicators, and what it looks like."""
    made, name = job.index, job.subject.index
    table = made.weights.sort_values("weight", ascending=False)
    if "label" in table:
        table = table.reset_index().set_index("label")
    keep = [column for column in ("weight", "direction", "unit", "source", "indicator") if column in table]
    table = table[keep]
    heaviest, first = table["weight"].iloc[0], table.index[0]
    last = job.config.data.last
    at_end = made.values.xs(last, level=1).sort_values(ascending=False)
    names = unit_names(job)
    ranked = [f"{names[unit]} {value:.2f}" for unit, value in zip(at_end.index, at_end, strict=True)]
    top, bottom = ", ".join(ranked[:3]), ", ".join(ranked[:-4:-1])
    words = (
        f"The {name} is made of {plural(len(table), 'indicator')}. {_METHODS[made.method]}. {made.notes[0]} "
        f"The heaviest is {first} with {100 * heaviest:.0f} % of the weight. In {last} the lowest are {bottom}, "
        f"the highest {top}; half of the {job.subject.units} lie below {at_end.median():.2f}."
    )
    return Section((Text(words), Table("index_weights", "Indicators and their weights", table, labels=_HEADS)))


def descriptives(job: Job) -> Section:
    """Mean, spread and range of every variable of the main specification, and of the variation that is left."""
    model = job.config.model
    names = [name for term in (model.outcome, job.config.index.name, *model.controls) for name in names_in(term)]
    names += [name for term in job.config.robustness.outcomes for name in names_in(term)]
    chosen = job.panel.select(columns=list(dict.fromkeys(names))).frame
    fixed = job.config.model.fixed
    table = pd.DataFrame(
        {
            "observations": chosen.count(),
            "mean": chosen.mean(),
            "std": chosen.std(),
            "within": spread_left(job.panel, list(chosen.columns), fixed=fixed),
            "minimum": chosen.min(),
            "median": chosen.median(),
            "maximum": chosen.max(),
        }
    ).rename_axis("variable")
    times = job.panel.times
    words = (
        f"{plural(job.panel.n_units, job.subject.unit, job.subject.units)}, {times[0]} to {times[-1]}: "
        f"{job.panel.n_units * job.panel.n_times:,} observations, none missing."
    )
    if fixed == "none":
        table = table.drop(columns="within")
    else:
        words += f" 'Left' is the standard deviation of what the {fixed} fixed effects leave of a variable."
    labels = _HEADS | job.config.labels
    return Section((Text(words), Table("descriptives", "Descriptive statistics", table, labels=labels)))


def maps(job: Job) -> Section:
    """The index and the outcome in the first, middle and last year, with the same classes in all three."""
    times = job.panel.times
    chosen = list(dict.fromkeys([times[0], times[(len(times) - 1) // 2], times[-1]]))
    span = ", ".join(map(str, chosen))
    outcome = job.config.figures.outcome
    pairs = ((job.config.index.name, "map_index"), (outcome, "map_outcome"))
    drawings = [
        Drawing(file, f"{job.label(name)}, {span}", partial(_map, job, name, times=chosen), wide=True)
        for name, file in pairs
    ]
    words = (
        "Classes are the same in all years, so that colours compare over time." + BOUNDARY_NOTE[job.has_bundled_lines]
    )
    return Section((Text(words), *drawings))


def _map(job: Job, name: str, *, times: list[object]) -> Figure:
    figure: Figure = draw.choropleth(
        job.map,
        job.panel[name],
        times=times,
        legend_title=job.label(name),
        **map_options(job),
    )
    return figure


def unit_names(job: Job) -> pd.Series:
    """Names of the units for people."""
    units, column = job.panel.units, f"name_{job.config.figures.language}"
    return pd.Series(job.regions[column] if column in job.regions else units.astype(str), index=units)


def map_options(job: Job) -> dict[str, Any]:
    """What all maps of a study share: source, language, names."""
    figures = job.config.figures
    data = job.config.data
    publisher = "National Bureau of Statistics, MIIT" if data.panel is None else Path(data.panel).name
    lines = "Natural Earth (de facto lines, for analysis)" if data.boundaries is None else Path(data.boundaries).name
    return {
        "source": f"{publisher}; lines: {lines}",
        "language": figures.language,
        "unit_labels": figures.unit_labels,
        "approval": figures.approval,
    }


BOUNDARY_NOTE = {
    True: (
        " The lines are Natural Earth's de facto lines, drawn for analysis. Who publishes a map brings the officially "
        "approved layer and its approval number."
    ),
    False: "",
}

_HEADS = {
    "indicator": "Variable",
    "label": "Indicator",
    "unit": "Unit",
    "direction": "Direction",
    "weight": "Weight",
    "source": "Source",
    "variable": "Variable",
    "observations": "N",
    "mean": "Mean",
    "std": "Std. dev.",
    "within": "Left",
    "minimum": "Min.",
    "median": "Median",
    "maximum": "Max.",
}
