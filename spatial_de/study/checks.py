"""What is refused before the first step, so that no run stops halfway for a reason known at its start."""

from __future__ import annotations

from spatial_de.maps.theme import check_glyphs
from spatial_de.panel.design import build_design
from spatial_de.study.job import Job
from spatial_de.study.robustness import GROUPS


def check(job: Job) -> None:
    """Formulas that name what is not there, periods and units that do not exist, labels that cannot be printed.

    Raises
    ------
    SpatialDEError
        Of the kind and with the message that the step concerned would give.
    """
    for outcome in (job.config.model.outcome, *job.config.robustness.outcomes):
        build_design(job.formula(outcome=outcome), job.panel)
    for group in GROUPS:
        tuple(group(job))
    for text in _printed(job):
        check_glyphs(text)


def _printed(job: Job) -> list[str]:
    """Own words on figures."""
    figures = job.config.figures
    texts = [job.label(figures.outcome), job.label(job.config.index.name), figures.approval or ""]
    if figures.unit_labels in job.map:
        texts += [str(name) for name in job.map[figures.unit_labels]]
    return texts
