"""The steps of a study, in the order in which they run. A new step is a function and a line here."""

from __future__ import annotations

from spatial_de.study.section import Step
from spatial_de.study.steps import answer, data, dependence, estimates, limits, robustness

STEPS: tuple[Step, ...] = (
    Step("index", "Index and weights of its indicators", data.index),
    Step("descriptives", "Descriptive statistics", data.descriptives),
    Step("maps", "Maps", data.maps),
    Step("moran", "Spatial dependence by year", dependence.by_time),
    Step("lisa", "Local clusters", dependence.clusters),
    Step("tests", "Specification tests", estimates.tests),
    Step("models", "Models side by side", estimates.models),
    Step("effects", "Direct and spillover effects", estimates.effects),
    Step("robustness", "How the answer changes", robustness.variants),
    Step("answer", "The answer", answer.answer),
    Step("limits", "What to keep in mind", limits.limits),
)

FIRST = "answer"  # read first, known last

__all__ = ["FIRST", "STEPS"]
