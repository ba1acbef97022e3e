"""Steps about the model: specification tests, models side by side, effects."""

from __future__ import annotations

from functools import partial
from typing import Any

from spatial_de import maps as draw
from spatial_de import specification_tests
from spatial_de.study.job import Job, effect_estimate
from spatial_de.study.scaling import standard_ratios, standardised
from spatial_de.study.section import Bullets, Drawing, Section, Table, Text
from spatial_de.study.words import Kind, direction, p_words
from spatial_de.tables import regression

KINDS: tuple[Kind, ...] = ("direct", "indirect", "total")
FOREST_TITLE = "Effects with 95 % intervals, in standard deviations of what fixed effects leave"
HEADS = {
    "test": "Test",
    "statistic": "Statistic",
    "distribution": "Distribution",
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
    table = found.readable.drop(columns="reference")
    items.append(Table("specification_tests", "Specification tests", table, labels=HEADS))
    items += [Bullets(found.not_tested)] if found.not_tested else []
    return Section(tuple(items))


def models(job: Job) -> Section:
    """OLS, SAR, SEM and the SDM (or whatever the study names) side by side, with the effects of the index."""
    chosen = list(dict.fromkeys(["ols", "sar", "sem", "sdm", job.config.model.model]))
    fits = [job.main if name == job.config.model.model else job.fit(model=name) for name in chosen]
    content = regression(
        fits,
        effects=[job.effects if fit is job.main else job.effects_of(fit) for fit in fits],
        effect_terms=[job.config.index.name],
        labels=job.config.labels,
    )
    best = min(fits, key=lambda fit: fit.aic)
    words = f"By Akaike's criterion {best.model.upper()} fits best (AIC {best.aic:,.1f})."
    if "rho" in job.main.params:
        words += (
            f" In the main specification the spatial lag of the outcome is {job.main.rho:.3f} "
            f"({p_words(job.main.pvalues['rho'])})."
        )
    return Section((Text(words), Table("models", "Models side by side", content)))


def effects(job: Job) -> Section:
    """Direct, indirect and total effects of every regressor."""
    found = job.effects
    how = f"Intervals from {found.draws:,} draws of the parameters, seed {found.seed}"
    how += f"; {found.rejected} outside the admissible range of rho left out." if found.rejected else "."
    return Section(
        (
            Text(f"What the index does stands under 'The answer'. {controls_sentence(job)}"),
            Drawing("effects", FOREST_TITLE, partial(_forest, job), wide=True),
            Table(
                "effects",
                "Average effects of one unit more",
                found.table,
                labels=HEADS | job.config.labels,
                note=f"{how} Standard errors: {job.main.cov_type}.",
            ),
        )
    )


def controls_sentence(job: Job) -> str:
    """Which controls have effects that differ from zero."""
    terms = [term for term in job.effects.table.index.unique(0) if term != job.config.index.name]
    parts = []
    for kind in KINDS:
        found = {term: direction(effect_estimate(job.effects, term, kind)) for term in terms}
        clear = [f"{job.short_label(term)} ({_SIGNS[way]})" for term, way in found.items() if way != "unclear"]
        parts.append(f"{kind}: {', '.join(clear) or 'none'}")
    return f"Of the controls, these differ from zero at 5 %: {'; '.join(parts)}."


_SIGNS = {"up": "positive", "down": "negative"}


def _forest(job: Job) -> Any:
    model, terms = job.config.model, list(job.effects.table.index.unique(0))
    ratios = standard_ratios(job.panel, model.outcome, terms, fixed=model.fixed)
    shown = standardised(job.effects, ratios)
    return draw.effects(shown, labels=job.config.labels, language=job.config.figures.language)
