"""Spatial weights: labelled, immutable, with provenance."""

from spatial_de.weights.core import Provenance, SpatialWeights

__all__ = ["Provenance", "SpatialWeights"]
