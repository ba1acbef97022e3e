"""The models that specification tests compare, each fitted once, when a test first asks for it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from spatial_de.errors import ConvergenceError, IdentificationError, OptionError
from spatial_de.fitting import Model, fit
from spatial_de.models import MODELS

if TYPE_CHECKING:
    import pandas as pd

    from spatial_de.panel import Panel
    from spatial_de.results import Results
    from spatial_de.weights import SpatialWeights


class Candidates:
    """Fits of one formula on one data set under one treatment of effects.

    Parameters
    ----------
    formula, data, w
        As for `fit`.
    durbin
        Regressors that enter spatially lagged in slx and sdm.
    options
        Further options of `fit`, the same for every model: fixed, bias, information.

    Raises
    ------
    OptionError
        There are no weights.
    IdentificationError
        The weights hold no links.
    """

    def __init__(
        self,
        formula: str,
        data: Panel | pd.DataFrame,
        w: SpatialWeights | None,
        *,
        durbin: list[str] | None = None,
        **options: Any,
    ) -> None:
        if w is None:
            raise OptionError("Tests of spatial dependence need spatial weights: pass w=... as third argument.")
        self._arguments = (formula, data, w)
        self._durbin = durbin
        self._options = options
        self._found: dict[str, Results | IdentificationError | ConvergenceError] = {}
        if getattr(w, "n_links", None) == 0:
            raise IdentificationError("The weights hold no links: there is no spatial dependence to test for.")
        _ = self["ols"]  # options, labels and regressors are checked here, before any test
        if durbin is not None:
            with suppress(IdentificationError, ConvergenceError):
                _ = self["slx"]  # and durbin here

    def __getitem__(self, model: Model) -> Results:
        """The fit of a model; raises again what its fit raised."""
        if model not in self._found:
            try:
                self._found[model] = self._fit(model)
            except (IdentificationError, ConvergenceError) as error:
                self._found[model] = error
        found = self._found[model]
        if isinstance(found, Exception):
            raise found
        return found

    @property
    def durbin(self) -> tuple[str, ...] | None:
        """Regressors that enter spatially lagged; None means all but dummies."""
        return None if self._durbin is None else tuple(self._durbin)

    @property
    def fitted(self) -> dict[str, Results]:
        """The fits made so far, by model."""
        return {name: found for name, found in self._found.items() if not isinstance(found, Exception)}

    def _fit(self, model: Model) -> Results:
        durbin = self._durbin if MODELS[model].lag_x else None
        return fit(*self._arguments, model=model, durbin=durbin, **self._options)
