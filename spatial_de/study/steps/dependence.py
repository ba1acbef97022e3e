"""Steps about spatial dependence: Moran's I by year, local clusters."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from spatial_de import local_moran, moran
from spatial_de import maps as draw
from spatial_de.study.job import Job
from spatial_de.study.section import Drawing, Section, Table, Text
from spatial_de.study.steps.data import map_options, unit_names
from spatial_de.study.words import LEVEL
from spatial_de.wording import plural

if TYPE_CHECKING:
    from spatial_de.autocorrelation import LocalMoran, LocalMoranByTime, MoranByTime

HEADS = {
    "year": "Year",
    "variable": "Variable",
    "I": "Moran's I",
    "expected": "Expected",
    "z": "z",
    "p_value": "p",
    "p_sim": "p (permutation)",
    "code": "Unit",
    "name": "Name",
    "value": "Value",
    "lag": "Neighbours' mean",
    "q_value": "q (false discovery)",
    "quadrant": "Quadrant",
    "cluster": "Cluster",
}


_NEAR_MEAN = 0.1
SCATTER_COLOURS = "Red: high among high; blue: low among low; grey: unlike their neighbours."


def by_time(job: Job) -> Section:
    """Moran's I of the outcome and of the index in every year."""
    found = {name: _moran(job, name) for name in _names(job)}
    columns = ["I", "expected", "z", "p_value", "p_sim"]
    parts = {job.label(name): result.table[columns] for name, result in found.items()}
    table = pd.concat(parts, names=["variable"])
    words = [moran_sentence(job.label(name), result) for name, result in found.items()]
    return Section(
        (
            *(Text(sentence) for sentence in words),
            Drawing("moran_by_year", "Moran's I by year", partial(_lines, job, found), wide=True),
            Table(
                "moran_by_year",
                "Moran's I by year",
                table,
                labels=HEADS,
                note=(
                    f"Weights: {job.weights().provenance.rule}. p from the normal approximation under randomisation, "
                    f"and from {job.config.inference.permutations:,} permutations, seed {job.config.inference.seed}."
                ),
            ),
        )
    )


def clusters(job: Job) -> Section:
    """Local Moran statistics of the outcome and of the index in the first and the last year."""
    first, last = job.panel.times[0], job.panel.times[-1]
    items: list[Any] = []
    for name, file in zip(_names(job), ("outcome", "index"), strict=True):
        ends = job.panel.select(times=[first, last])[name].rename(job.label(name))
        found = _local(job, ends, "fdr")
        items += [
            Text(lisa_sentence(job.label(name), _named(job, found[last]), last)),
            *_doubtful_sides(_named(job, found[last])),
            Text(pointwise_sentence(_named(job, _local(job, ends, "none")[last]), last)),
            Drawing(f"lisa_{file}", f"{job.label(name)}: local clusters", partial(_lisa, job, found), wide=True),
            Table(
                f"lisa_{file}",
                f"{job.label(name)}: local Moran statistics",
                _lisa_table(job, found),
                labels=HEADS,
                folded=True,
            ),
        ]
    scatter = partial(_scatter, job, job.config.figures.outcome)
    caption = f"{job.label(job.config.figures.outcome)}: Moran scatter, {last}. {SCATTER_COLOURS}"
    items.append(Drawing("moran_scatter", caption, scatter))
    return Section(tuple(items))


def moran_sentence(name: str, found: MoranByTime) -> str:
    """What Moran's I says over the years: how often it differs from chance (by permutation), and where it went."""
    table = found.table
    significant = int((table["p_sim"] < LEVEL).sum())
    first, last = table["I"].iloc[0], table["I"].iloc[-1]
    if significant == 0:
        return f"{name}: in no year can Moran's I be told from chance at 5 %, by permutation."
    often = "in every year" if significant == len(table) else f"in {significant} of {plural(len(table), 'year')}"
    signs = (table["I"] > table["expected"])[table["p_sim"] < LEVEL]
    kind = "neighbours are alike" if signs.all() else "neighbours are unlike" if not signs.any() else "the sign changes"
    return (
        f"{name}: Moran's I differs from chance at 5 %, by permutation, {often}; {kind}. "
        f"It went from {first:.2f} in {table.index[0]} "
        f"to {last:.2f} in {table.index[-1]}."
    )


def lisa_sentence(name: str, found: LocalMoran, time: object) -> str:
    """Which units are in clusters that survive the control for the number of tests."""
    level = f"{100 * found.settings.alpha:g} %"
    parts = cluster_members(found)
    lead = f"{name}, {time}, with the false-discovery rate over all units held at {level}: "
    return lead + (parts or "no cluster that could be told from chance") + "."


def _doubtful_sides(found: LocalMoran) -> list[Text]:
    """A caution where a cluster's high or low hangs on a value that is almost the mean."""
    own = (found.table["value"] - found.table["value"].mean()) / found.table["value"].std(ddof=0)
    close = found.table.index[found.table["significant"] & (own.abs() < _NEAR_MEAN)]
    if not len(close):
        return []
    return [
        Text(
            f"{', '.join(map(str, close))}: the own value is almost the mean (within {_NEAR_MEAN:g} standard "
            "deviations), so that its being called high or low means little; what stands out are the neighbours."
        )
    ]


def pointwise_sentence(found: LocalMoran, time: object) -> str:
    """Which units would be in clusters if each were the only one tested, and how many that gives by chance."""
    by_chance = found.settings.alpha * found.table["I"].notna().sum()
    parts = cluster_members(found) or "still none"
    return (
        f"Tested one by one, as such maps often are, it would be in {time}: {parts}. About {by_chance:.1f} would be "
        "there by chance alone."
    )


def cluster_members(found: LocalMoran) -> str:
    """Units by cluster, the significant ones only."""
    groups = found.table[found.table["significant"]].groupby("cluster", observed=True)
    return "; ".join(f"{cluster}: {', '.join(map(str, group.index))}" for cluster, group in groups)


def _named(job: Job, found: LocalMoran) -> LocalMoran:
    """The same with names of units for people."""
    return replace(found, table=found.table.rename(index=dict(unit_names(job))))


def _local(job: Job, values: pd.Series, control: Any) -> Any:
    inference = job.config.inference
    return local_moran(
        values,
        job.weights(),
        permutations=inference.permutations,
        seed=inference.seed,
        alpha=inference.alpha,
        control=control,
    )


def _lisa_table(job: Job, found: LocalMoranByTime) -> pd.DataFrame:
    columns = ["name", "value", "lag", "I", "z", "p_sim", "q_value", "quadrant", "cluster"]
    names = unit_names(job)
    named = found.table.assign(name=[str(names[unit]) for unit in found.table.index.get_level_values(0)])
    return named[columns].astype({"quadrant": str, "cluster": str}).swaplevel().sort_index()


def _names(job: Job) -> tuple[str, str]:
    return job.config.figures.outcome, job.config.index.name


def _moran(job: Job, name: str) -> MoranByTime:
    inference = job.config.inference
    options: Any = {"permutations": inference.permutations, "seed": inference.seed}
    found: Any = moran(job.panel[name], job.weights(), **options)
    by_time: MoranByTime = found
    return by_time


def _lines(job: Job, found: dict[str, MoranByTime]) -> Any:
    series = {job.label(name): result for name, result in found.items()}
    return draw.moran_by_time(series, language=job.config.figures.language)


def _lisa(job: Job, found: LocalMoranByTime) -> Any:
    return draw.lisa(job.map, found, **map_options(job))


def _scatter(job: Job, name: str) -> Any:
    values: Any = job.panel.wide(name).loc[job.config.data.last]
    return draw.moran_scatter(values, job.weights(), name=job.label(name), language=job.config.figures.language)
