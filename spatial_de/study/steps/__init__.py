"""The steps of a study, in the order in which they run. A new step is a function and a line here."""

from __future__ import annotations

from spatial_de.study.section import Step
from spatial_de.study.steps.answer import answer
from spatial_de.study.steps.data import descriptives, index, maps
from spatial_de.study.steps.dependence import by_time, clusters
from spatial_de.study.steps.estimates import effects, models, tests
from spatial_de.study.steps.limits import limits
from spatial_de.study.steps.robustness import variants

STEPS: tuple[Step, ...] = (
    Step("index", "Index and weights of its indicators", index),
    Step("descriptives", "Descriptive statistics", descriptives),
    Step("maps", "Maps", maps),
    Step("moran", "Spatial dependence by year", by_time),
    Step("lisa", "Local clusters", clusters),
    Step("tests", "Specification tests", tests),
    Step("models", "Models side by side", models),
    Step("effects", "Direct and spillover effects", effects),
    Step("robustness", "How the answer changes", variants),
    Step("answer", "The answer", answer),
    Step("limits", "What to keep in mind", limits),
)

FIRST = "answer"  # read first, known last

__all__ = ["FIRST", "STEPS"]
