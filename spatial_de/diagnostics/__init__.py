"""Specification tests: which spatial model, which effects, and why."""

from spatial_de.diagnostics.base import HypothesisTest
from spatial_de.diagnostics.collinearity import Collinearity, collinearity
from spatial_de.diagnostics.compared_weights import ComparedWeights, compare_weights
from spatial_de.diagnostics.comparison import ModelProbabilities, model_probabilities
from spatial_de.diagnostics.convex import ConvexWeights, convex_weights
from spatial_de.diagnostics.cross_dependence import pesaran_cd, randomised_w_test
from spatial_de.diagnostics.distance import DistanceScan, distance_scan
from spatial_de.diagnostics.hausman import hausman_test, spatial_hausman_test
from spatial_de.diagnostics.joint import fixed_effects_tests
from spatial_de.diagnostics.lagrange import conditional_lm_tests, durbin_lm_tests, lm_tests
from spatial_de.diagnostics.non_nested import j_test
from spatial_de.diagnostics.placebo import PlaceboWeights, placebo_weights
from spatial_de.diagnostics.random_effects import mundlak_test, random_effects_test
from spatial_de.diagnostics.registry import TESTS
from spatial_de.diagnostics.residuals import (
    ResidualMoran,
    heteroskedasticity_test,
    normality_test,
    residual_moran,
)
from spatial_de.diagnostics.restrictions import likelihood_ratio, wald_test
from spatial_de.diagnostics.specification import SpecificationTests, specification_tests
from spatial_de.diagnostics.turning_point import UTest, u_test
from spatial_de.diagnostics.unit_effects import baltagi_song_koh_tests

__all__ = [
    "TESTS",
    "Collinearity",
    "ComparedWeights",
    "ConvexWeights",
    "DistanceScan",
    "HypothesisTest",
    "ModelProbabilities",
    "PlaceboWeights",
    "ResidualMoran",
    "SpecificationTests",
    "UTest",
    "baltagi_song_koh_tests",
    "collinearity",
    "compare_weights",
    "conditional_lm_tests",
    "convex_weights",
    "distance_scan",
    "durbin_lm_tests",
    "fixed_effects_tests",
    "hausman_test",
    "heteroskedasticity_test",
    "j_test",
    "likelihood_ratio",
    "lm_tests",
    "model_probabilities",
    "mundlak_test",
    "normality_test",
    "pesaran_cd",
    "placebo_weights",
    "random_effects_test",
    "randomised_w_test",
    "residual_moran",
    "spatial_hausman_test",
    "specification_tests",
    "u_test",
    "wald_test",
]
