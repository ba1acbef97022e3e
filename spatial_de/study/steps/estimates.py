"""Steps about the model: specification tests, models side by side, effects."""

from __future__ import annotations

from functools import partial
from typing import Any

from spatial_de import maps as draw
from spatial_de import specification_tests, tables
from spatial_de.study.job import Job, effect_estimate
from spatial_de.study.scaling import standard_ratios, standardised
from spatial_de.study.section import Bullets, Drawing, Section, Table, Text
from spatial_de.study.words import effect_sentence, p_words

KINDS = ("direct", "indirect", "total")
FOREST_TITLE = "Effects with 95 % intervals, in standard deviations of what fixed effects leave"
HEADS = {
    "test": "Test",
    "statistic": "Statistic",
    "df": "df",
    "df_resid": "Residual df",
    "p_value": "p",
    "null": "Null hypothesis",
    "reference": "Reference",
    "term": "Regressor",
    "effect": "Effect",
    "estimate": "Estimate",
    "std_error": "Std. error",
    "conf_low": "95 % low",
    "conf_high": "95 % high",
}


def tests(job: Job) -> Section:
    """Which model the data ask for."""
    model = job.config.model
    found = specification_tests(
        job.formula(),
        job.panel,
        job.weights(),
        fixed=model.fixed,
        bias=model.bias if model.fixed != "none" else None,
    )
    items: list[Any] = [Text(found.verdict, strong=True), Bullets(found.reasons)]
    if found.model != model.model:
        items.append(
            Text(f"The study uses {model.model.upper()} all the same, as its configuration says; see the other models.")
        )
    table = found.table.drop(columns="reference")
    items.append(Table("specification_tests", "Specification tests", table, labels=HEADS))
    items += [Bullets(found.not_tested)] if found.not_tested else []
    return Section(tuple(items))


def models(job: Job) -> Section:
    """OLS, SAR, SEM and the SDM (or whatever the study names) side by side, with the effects of the index."""
    chosen = list(dict.fromkeys(["ols", "sar", "sem", "sdm", job.config.model.model]))
    fits = [job.main if name == job.config.model.model else job.fit(model=name) for name in chosen]
    content = tables.regression(fits, labels=job.config.labels)
    best = min(fits, key=lambda fit: fit.aic)
    words = f"By Akaike's criterion {best.model.upper()} fits best (AIC {best.aic:,.1f})."
    if "rho" in job.main.params:
        words += (
            f" In the main specification the spatial lag of the outcome is {job.main.rho:.3f} "
            f"({p_words(job.main.pvalues['rho'])})."
        )
    return Section((Text(words), Table("models", "Models side by side", content)))


def effects(job: Job) -> Section:
    """Direct, indirect and total effects of every regressor; those of the index in words."""
    found, name = job.effects, job.config.index.name
    sentences = tuple(
        effect_sentence(effect_estimate(found, name, kind), kind, scale=job.scale, subject=job.subject)
        for kind in KINDS
    )
    how = f"Intervals from {found.draws:,} draws of the parameters, seed {found.seed}"
    how += f"; {found.rejected} outside the admissible range of rho left out." if found.rejected else "."
    return Section(
        (
            Bullets(sentences),
            Drawing("effects", FOREST_TITLE, partial(_forest, job), wide=True),
            Table(
                "effects",
                "Average effects of one unit more",
                found,
                labels=HEADS | job.config.labels,
                note=f"{how} Standard errors: {job.main.cov_type}.",
            ),
        )
    )


def _forest(job: Job) -> Any:
    ratios = standard_ratios(job.panel, job.config.model.outcome, list(job.effects.table.index.unique(0)), fixed=job.config.model.fixed)
    shown = standardised(job.effects, ratios)
    return draw.effects(shown, labels=job.config.labels, language=job.config.figures.language)
