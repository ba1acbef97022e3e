"""Models: a table of specifications, one likelihood, plain estimates."""

from spatial_de.models.estimate import Estimate, estimate_ml
from spatial_de.models.problem import Problem, SpatialLinks, build_problem
from spatial_de.models.random_effects import estimate_random
from spatial_de.models.spec import MODELS, ModelSpec

__all__ = [
    "MODELS",
    "Estimate",
    "ModelSpec",
    "Problem",
    "SpatialLinks",
    "build_problem",
    "estimate_ml",
    "estimate_random",
]
