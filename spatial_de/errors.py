"""Every exception and warning class of the package, in one tree.

All exceptions derive from `SpatialDEError`, all warnings from `SpatialDEWarning`. A message says what was
found, where (unit, year, column), and what to do about it.

::

    SpatialDEError
    ├── OptionError          an argument has a value that is not allowed
    ├── DataError            values that cannot be used: missing, infinite, text, constant
    │   └── PanelError       the unit-by-time structure is broken: duplicates, gaps, unbalanced years
    ├── AlignmentError       two labelled things do not have the same labels
    ├── FormulaError         a formula names what is not there, or cannot be read
    ├── IdentificationError  the data cannot determine what is asked: collinearity, too few observations
    ├── ConvergenceError     an optimiser did not reach a maximum; its numbers are in `.diagnostics`
    ├── WeightsError         a weights matrix that is not one
    │   └── IslandError      units without neighbours, and no word on what to do with them
    ├── BoundaryError        geometry or coordinate systems that cannot be used
    ├── CapacityError        the computation would not fit into memory
    ├── FileError            a file that cannot be read, or not be written
    ├── FontError            a label needs a glyph that no available font has
    └── StudyError           a study configuration or step that failed
"""

from __future__ import annotations

from typing import Any


class SpatialDEError(Exception):
    """Base of every exception raised by the package."""


class OptionError(SpatialDEError, ValueError):
    """An argument has a value that is not allowed."""


class DataError(SpatialDEError, ValueError):
    """Values that cannot be used: missing, infinite, text where numbers belong, constant."""


class PanelError(DataError):
    """The unit-by-time structure is broken: duplicates, gaps, unbalanced years."""


class AlignmentError(SpatialDEError, ValueError):
    """Two labelled objects do not have the same labels."""


class FormulaError(SpatialDEError, ValueError):
    """A formula cannot be read or names what is not in the data."""


class IdentificationError(SpatialDEError, ValueError):
    """The data cannot determine what is asked: collinear regressors, too few observations."""


class ConvergenceError(SpatialDEError, RuntimeError):
    """An optimiser did not reach an interior maximum.

    Parameters
    ----------
    message
        What failed and what to do.
    diagnostics
        The optimiser's numbers (position, gradient, evaluations), for inspection, not for tables.
    """

    def __init__(self, message: str, diagnostics: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.diagnostics = diagnostics or {}


class WeightsError(SpatialDEError, ValueError):
    """A weights matrix with properties that a weights matrix cannot have."""


class IslandError(WeightsError):
    """Units without neighbours, and no word on what to do with them."""


class BoundaryError(SpatialDEError, ValueError):
    """Geometry or coordinate systems that cannot be used as asked."""


class CapacityError(SpatialDEError, MemoryError):
    """The computation would need more memory than is sensible; says how much."""


class FileError(SpatialDEError, OSError):
    """A file that cannot be read or written."""


class FontError(SpatialDEError, ValueError):
    """A label needs a glyph that no available font has."""


class StudyError(SpatialDEError, RuntimeError):
    """A study configuration that is not valid, or a step that failed."""


class SpatialDEWarning(UserWarning):
    """Base of every warning issued by the package."""


class AlignmentWarning(SpatialDEWarning):
    """Labels were absent or normalised; says what was assumed."""


class DataWarning(SpatialDEWarning):
    """Data that can be used but look wrong: suspicious values, gaps in years, near collinearity."""


class EstimationWarning(SpatialDEWarning):
    """An estimate that must be read with care: at a bound, biased in small samples, ill-conditioned."""


class EndogenousWeightsWarning(EstimationWarning):
    """Weights built from the response, or from values of the sample: the estimators take weights as given."""


class WeightsWarning(SpatialDEWarning):
    """Weights that need attention: islands kept, several components, dense or negative weights."""


class BoundaryWarning(SpatialDEWarning):
    """Geometry that was repaired or snapped; says where."""
