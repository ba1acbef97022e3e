"""ln|I - rho W|, its derivatives, and the admissible interval of rho."""

from spatial_de.logdet.base import LogDeterminant, log_determinant
from spatial_de.logdet.eigenvalues import EigenvalueLogDeterminant

__all__ = ["EigenvalueLogDeterminant", "LogDeterminant", "log_determinant"]
