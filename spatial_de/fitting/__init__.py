"""`fit`: the door to every model, and `fit_many` for thousands of them."""

from spatial_de.fitting.alignment import align
from spatial_de.fitting.core import Model, fit
from spatial_de.fitting.many import FitFailure, FitRecord, Fits, fit_many

__all__ = ["FitFailure", "FitRecord", "Fits", "Model", "align", "fit", "fit_many"]
