"""Composite indices: entropy weights, entropy-TOPSIS, principal components, equal weights."""

from spatial_de.index.composite import CompositeIndex, composite_index
from spatial_de.index.indicators import presets

__all__ = ["CompositeIndex", "composite_index", "presets"]
