"""ln|I - rho W|, its derivatives, and the admissible interval of rho."""

from spatial_de.logdet.adjusted import InterpolatedTrace, WeightedEigenvalues
from spatial_de.logdet.base import DENSE_LIMIT, METHODS, JacobianTerm, LogDeterminant, Method, log_determinant
from spatial_de.logdet.eigenvalues import EigenvalueLogDeterminant

__all__ = [
    "DENSE_LIMIT",
    "METHODS",
    "EigenvalueLogDeterminant",
    "InterpolatedTrace",
    "JacobianTerm",
    "LogDeterminant",
    "Method",
    "WeightedEigenvalues",
    "log_determinant",
]
