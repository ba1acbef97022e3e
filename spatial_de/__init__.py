"""Spatial econometrics from boundaries to the spillover table.

Everything public hangs here and is loaded when first used, so that importing the package stays fast::

    import spatial_de as sde

    panel = sde.datasets.load_china_panel().select(times=range(2013, 2023))
    provinces = sde.datasets.load_provinces().loc[panel.units]
    w = sde.weights.contiguity(provinces, islands="nearest")
    fit = sde.fit("ln_gap ~ urbanisation + ln_gdp_pc", panel, w, model="sdm")
    print(fit.effects())
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spatial_de import autocorrelation, boundaries, datasets, errors, index, maps, study, tables, weights
    from spatial_de.autocorrelation import local_moran, moran
    from spatial_de.diagnostics import (
        compare_weights,
        convex_weights,
        distance_scan,
        model_probabilities,
        placebo_weights,
        specification_tests,
    )
    from spatial_de.fitting import fit, fit_many, fit_replications
    from spatial_de.index import composite_index
    from spatial_de.models.prior import Prior
    from spatial_de.panel import Panel
    from spatial_de.results import Results

__version__ = "0.1.0"

_ROOMS = ("autocorrelation", "boundaries", "datasets", "errors", "index", "maps", "study", "tables", "weights")
_NAMES = {
    "Panel": "spatial_de.panel",
    "Prior": "spatial_de.models.prior",
    "Results": "spatial_de.results",
    "compare_weights": "spatial_de.diagnostics",
    "composite_index": "spatial_de.index",
    "convex_weights": "spatial_de.diagnostics",
    "distance_scan": "spatial_de.diagnostics",
    "fit": "spatial_de.fitting",
    "fit_many": "spatial_de.fitting",
    "fit_replications": "spatial_de.fitting",
    "local_moran": "spatial_de.autocorrelation",
    "model_probabilities": "spatial_de.diagnostics",
    "moran": "spatial_de.autocorrelation",
    "placebo_weights": "spatial_de.diagnostics",
    "specification_tests": "spatial_de.diagnostics",
}

__all__ = [
    "Panel",
    "Prior",
    "Results",
    "autocorrelation",
    "boundaries",
    "compare_weights",
    "composite_index",
    "convex_weights",
    "datasets",
    "distance_scan",
    "errors",
    "fit",
    "fit_many",
    "fit_replications",
    "index",
    "local_moran",
    "maps",
    "model_probabilities",
    "moran",
    "placebo_weights",
    "specification_tests",
    "study",
    "tables",
    "weights",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"spatial_de.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'spatial_de' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
