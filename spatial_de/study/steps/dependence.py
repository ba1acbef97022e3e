"""Steps about spatial dependence: Moran's I by year, local clusters."""

from __future__ import annotations

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
    from spatial_de.autocorrelation import LocalMoran, MoranByTime

HEADS = {
    "year": "Year",
    "variable": "Variable",
    "I": "Moran's I",
    "expected": "Expected",
    "z": "z",
    "p_value": "p",
    "p_sim": "p (permutation)",
    "cluster": "Cluster",
    "members": "Members",
    "count": "Count",
}


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
            Drawing("moran_by_year", "Moran's I by year", partial(_lines, job, found)),
            Table(
                "moran_by_year",
                "Moran's I by year",
                table,
                labels=HEADS,
                note=(
                    f"{job.weights().provenance.rule}. p from the normal approximation under randomisation and from "
                    f"{job.config.inference.permutations:,} permutations, seed {job.config.inference.seed}."
                ),
            ),
        )
    )


def clusters(job: Job) -> Section:
    """Local Moran statistics of the outcome and of the index in the last year."""
    last = job.config.data.last
    items: list[Any] = []
    for name, file in zip(_names(job), ("outcome", "index"), strict=True):
        found = local_moran(
            job.panel.wide(name).loc[last].rename(job.label(name)),
            job.weights(),
            permutations=job.config.inference.permutations,
            seed=job.config.inference.seed,
            alpha=job.config.inference.alpha,
        )
        title = f"{job.label(name)}: local clusters in {last}"
        items += [
            Text(lisa_sentence(job.label(name), found, unit_names(job))),
            Drawing(f"lisa_{file}", title, partial(_lisa, job, found)),
        ]
    scatter = partial(_scatter, job, job.config.figures.outcome)
    items.append(Drawing("moran_scatter", f"{job.label(job.config.figures.outcome)}: Moran scatter, {last}", scatter))
    return Section(tuple(items))


def moran_sentence(name: str, found: MoranByTime) -> str:
    """What Moran's I says over the years: how often it differs from chance, and where it went."""
    table = found.table
    significant = int((table["p_value"] < LEVEL).sum())
    first, last = table["I"].iloc[0], table["I"].iloc[-1]
    if significant == 0:
        return f"{name}: in no year can Moran's I be told from chance at 5 %."
    often = "in every year" if significant == len(table) else f"in {significant} of {plural(len(table), 'year')}"
    signs = (table["I"] > table["expected"])[table["p_value"] < LEVEL]
    kind = (
        "neighbours are alike" if signs.all() else "neighbours are unlike" if not signs.any() else "the sign changes"
    )
    return (
        f"{name}: Moran's I differs from chance at 5 % {often}; {kind}. It went from {first:.2f} in {table.index[0]} "
        f"to {last:.2f} in {table.index[-1]}."
    )


def lisa_sentence(name: str, found: LocalMoran, names: pd.Series) -> str:
    """Which units are in which cluster."""
    members = found.table[found.table["significant"]].groupby("cluster", observed=True)
    parts = [f"{cluster}: {', '.join(names[list(group.index)])}" for cluster, group in members]
    control = f"false-discovery rate {found.settings.alpha:g}"
    return f"{name} ({control}): " + ("; ".join(parts) if parts else "no cluster that could be told from chance") + "."


def _names(job: Job) -> tuple[str, str]:
    return job.config.figures.outcome, job.config.index.name


def _moran(job: Job, name: str) -> MoranByTime:
    inference = job.config.inference
    found: Any = moran(
        job.panel[name], job.weights(), permutations=inference.permutations, seed=inference.seed
    )
    return found


def _lines(job: Job, found: dict[str, MoranByTime]) -> Any:
    series = {job.label(name): result for name, result in found.items()}
    return draw.moran_by_time(series, language=job.config.figures.language)


def _lisa(job: Job, found: LocalMoran) -> Any:
    return draw.lisa(job.map, found, **map_options(job))


def _scatter(job: Job, name: str) -> Any:
    values = job.panel.wide(name).loc[job.config.data.last]
    return draw.moran_scatter(values, job.weights(), name=job.label(name), language=job.config.figures.language)
