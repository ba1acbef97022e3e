"""Direct, indirect and total effects with inference."""

from spatial_de.effects.core import Effects, compute_effects
from spatial_de.effects.multipliers import Multipliers, multipliers

__all__ = ["Effects", "Multipliers", "compute_effects", "multipliers"]
