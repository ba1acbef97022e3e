"""`fit`: the door to every model, and `fit_many` for thousands of them."""

from spatial_de.fitting.alignment import align
from spatial_de.fitting.core import Model, fit
from spatial_de.fitting.many import FitFailure, FitRecord, Fits, fit_many
from spatial_de.fitting.replications import Replications, fit_replications

__all__ = ["FitFailure", "FitRecord", "Fits", "Model", "Replications", "align", "fit", "fit_many", "fit_replications"]
