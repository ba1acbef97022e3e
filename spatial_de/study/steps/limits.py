"""The step that says what the answer does not cover."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spatial_de import datasets
from spatial_de.study.job import Job, effect_estimate
from spatial_de.study.scaling import spread_left
from spatial_de.study.section import Bullets, Item, Section, Text
from spatial_de.study.steps.data import BOUNDARY_NOTE
from spatial_de.study.words import Scale, amount

if TYPE_CHECKING:
    from spatial_de.results import Results


def limits(job: Job) -> Section:
    """Caveats of the data that touch the result, of the design, and the conventions of the estimation."""
    items: list[Item] = [Text("About the method", strong=True), Bullets(tuple(design_notes(job)))]
    cautions = datasets.warnings_for(job.variables) if job.is_bundled else []
    lines = [BOUNDARY_NOTE[True].strip()] if job.has_bundled_lines else []
    if cautions or lines:
        items += [Text("About the figures", strong=True), Bullets((*cautions, *lines))]
    items += [Text("Conventions", strong=True), Bullets(tuple(conventions(job, job.main)))]
    return Section(tuple(items))


CAUSALITY = (
    "These are associations {where}, given the controls, not proven causes: nothing here rules out "
    "that the {gap} acts back on the {index}, or that something left out moves both."
)


COMPARED = {
    "two-way": "within {units} over time",
    "individual": "within {units} over time",
    "time": "between {units} within the same time",
    "none": "between {units} and over time",
}


def design_notes(job: Job) -> list[str]:
    """What the design can and cannot say."""
    subject = job.subject
    notes = [
        CAUSALITY.format(
            where=COMPARED[job.config.model.fixed].format(units=subject.units), gap=subject.gap, index=subject.index
        ),
        step_note(job),
    ]
    if job.config.model.fixed in {"two-way", "time"}:
        notes.append(
            f"What all {subject.units} share in a year is taken out. The total effect extends differences between "
            f"{subject.units} to a change that all of them make; it is not read off such a change."
        )
    if job.config.robustness.weights and "economic" in job.config.robustness.weights:
        notes.append(
            f"Economic-distance weights are made of {job.short_label(str(job.config.weights.economic))}, averaged over "
            "the sample: they are only as exogenous as that is."
        )
    if "driscoll-kraay" in {job.config.model.cov, *job.config.robustness.covariances}:
        notes.append(
            f"Driscoll-Kraay errors rest on many times; there are {job.panel.n_times}. With so few they are often too "
            "small."
        )
    if "cluster" in {job.config.model.cov, *job.config.robustness.covariances}:
        notes.append(f"Clustered errors rest on many {subject.units}; there are {job.panel.n_units}.")
    return notes


def step_note(job: Job) -> str:
    """Whether the step of the report is a change that the data know."""
    spread = spread_left(job.panel, [job.config.index.name], fixed=job.config.model.fixed)[0]
    effect = effect_estimate(job.effects, job.config.index.name, "total").estimate
    typical = Scale(spread, log_outcome=job.scale.log_outcome)
    left = "it" if job.config.model.fixed == "none" else "what fixed effects leave of it"
    return (
        f"A change of the index by {job.scale.step:g} is {job.scale.step / spread:.1f} standard deviations of {left} "
        f"({spread:.3f}). One such standard deviation goes with a total change of the "
        f"{job.subject.measure} by {amount(effect, typical)}."
    )


def conventions(job: Job, main: Results) -> list[str]:
    """How the main specification was estimated."""
    out = [f"Formula: {main.formula}. Model: {main.model.upper()}, fixed effects: {main.fixed}."]
    out += [_BIAS[main.bias]] if main.fixed != "none" else []
    out.append(
        f"Exact maximum likelihood; standard errors from the {main.information} information, {main.cov_type}. "
        f"Observations {main.nobs:,}, in the likelihood {main.n_likelihood:,}."
    )
    w = main.weights
    if w is not None:
        notes = f" {'; '.join(w.provenance.notes)}." if w.provenance.notes else ""
        out.append(
            f"Weights: {w.provenance.rule}, normalisation {w.normalization}, {w.n_links} links, on average "
            f"{w.n_links / w.n:.1f} per {job.subject.unit}.{notes}"
        )
    inference = job.config.inference
    out.append(
        f"Intervals of effects: {inference.draws:,} draws from the estimates' normal distribution (LeSage and Pace "
        f"2009), seed {inference.seed}; p is (2 k + 1) / (draws + 1) with k draws on the "
        "rarer side of zero or without admissible rho."
    )
    return out


_BIAS = {
    "lee-yu": "Fixed effects are eliminated by the orthonormal transformation of Lee and Yu (2010); without it the "
    "spatial parameter is too low in short panels of few units.",
    "none": "Fixed effects are estimated by the direct likelihood, whose spatial parameter is too low in short panels "
    "of few units.",
    "correction": "Fixed effects are estimated, and their bias corrected analytically (Lee and Yu 2010).",
}
