"""The taxonomy: every model is a row of this table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which terms are spatially lagged.

    The general nesting model is ``y = rho W y + X beta + W X theta + u``, ``u = lambda W u + e``
    (Elhorst 2014, section 2.2); a model switches some of its terms off.

    Attributes
    ----------
    name, label
        Short name as given to `fit`, and the name in words.
    lag_y, lag_x, lag_error
        Whether rho, theta and lambda are in the model.
    """

    name: str
    label: str
    lag_y: bool
    lag_x: bool
    lag_error: bool


MODELS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        ModelSpec("ols", "Linear model without spatial terms", lag_y=False, lag_x=False, lag_error=False),
        ModelSpec("slx", "Spatially lagged regressors (SLX)", lag_y=False, lag_x=True, lag_error=False),
        ModelSpec("sar", "Spatial autoregressive model (SAR)", lag_y=True, lag_x=False, lag_error=False),
        ModelSpec("sem", "Spatial error model (SEM)", lag_y=False, lag_x=False, lag_error=True),
        ModelSpec("sac", "Spatial lag and error model (SAC)", lag_y=True, lag_x=False, lag_error=True),
        ModelSpec("sdm", "Spatial Durbin model (SDM)", lag_y=True, lag_x=True, lag_error=False),
        ModelSpec("sdem", "Spatial Durbin error model (SDEM)", lag_y=False, lag_x=True, lag_error=True),
        ModelSpec("gns", "General nesting spatial model (GNS)", lag_y=True, lag_x=True, lag_error=True),
    )
}
