"""The posterior of a Bayesian fit under labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from spatial_de.models.bayes import Posterior
    from spatial_de.models.chains import Diagnostics
    from spatial_de.models.prior import Prior


@dataclass(frozen=True, eq=False)
class PosteriorDraws:
    """Draws of all parameters, and what they rest on.

    Attributes
    ----------
    numbers
        The draws as arrays (see `models.bayes.Posterior`).
    names
        Labels of the parameters.
    """

    numbers: Posterior
    names: tuple[str, ...]

    @property
    def draws(self) -> pd.DataFrame:
        """One row per draw, one column per parameter."""
        return pd.DataFrame(self.numbers.params.copy(), columns=list(self.names)).rename_axis("draw")

    @property
    def log_marginal_likelihood(self) -> float:
        """Logarithm of p(y); with flat priors it compares only models with the same regressors. NaN for sac and gns."""
        return self.numbers.log_marginal

    @property
    def diagnostics(self) -> Diagnostics:
        """R-hat, effective numbers of draws, acceptance; draws are independent where there are no chains."""
        return self.numbers.diagnostics

    @property
    def prior(self) -> Prior:
        """The prior."""
        return self.numbers.prior

    @property
    def seed(self) -> int:
        """Seed of the draws."""
        return self.numbers.seed

    def intervals(self, level: float) -> pd.DataFrame:
        """Equal-tailed credible intervals, columns conf_low and conf_high."""
        ends = np.quantile(self.numbers.params, [(1.0 - level) / 2.0, (1.0 + level) / 2.0], axis=0)
        return pd.DataFrame(ends.T, index=list(self.names), columns=["conf_low", "conf_high"])

    def beyond_zero(self) -> pd.Series:
        """Twice the posterior probability of the sign that is less probable; not defined for the variance."""
        values = self._tails.copy()
        values[list(self.names).index("sigma2")] = np.nan
        return pd.Series(values, index=list(self.names), name="p_value")

    def above_zero(self) -> pd.Series:
        """Posterior probability that a parameter is greater than zero."""
        values = (self.numbers.params > 0.0).mean(axis=0)
        return pd.Series(values, index=list(self.names), name="above_zero")

    @cached_property
    def _tails(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        sample = self.numbers.params
        below = np.minimum((sample <= 0.0).sum(axis=0), (sample >= 0.0).sum(axis=0))
        return np.asarray(np.minimum((2.0 * below + 1.0) / (len(sample) + 1.0), 1.0))

    def __repr__(self) -> str:
        found = self.diagnostics
        how = (
            "independent draws"
            if not found.chains
            else f"{found.chains} chains, R-hat {found.rhat:.3f}, effective draws {found.ess_bulk:,.0f} (bulk), "
            f"{found.ess_tail:,.0f} (tails)"
        )
        return f"Posterior: {len(self.numbers.params):,} draws, {how}, seed {self.seed}"
