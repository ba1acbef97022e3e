"""`fit`: the door to every model."""

from spatial_de.fitting.alignment import align
from spatial_de.fitting.core import Model, fit

__all__ = ["Model", "align", "fit"]
