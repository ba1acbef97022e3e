"""The labelled numbers of a fitted model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.effects.inference import critical_value, two_sided_p
from spatial_de.models.covariance import Covariance, covariance
from spatial_de.models.moments import instrument_test
from spatial_de.results.posterior import PosteriorDraws
from spatial_de.wording import check_level

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from spatial_de.models import Estimate
    from spatial_de.models.optimise import Optimization
    from spatial_de.models.two_stage import ChiSquare, FirstStage
    from spatial_de.panel.design import Design
    from spatial_de.weights import SpatialWeights

_COVARIANCE_LABELS = {
    "classical": "classical",
    "cluster": "clustered by unit",
    "cluster-time": "clustered by time",
    "cluster-two-way": "clustered by unit and time",
    "driscoll-kraay": "Driscoll-Kraay",
    "hac": "spatial HAC",
}


@dataclass(frozen=True, eq=False)
class Numbers:
    """What a fit says, as labelled pandas objects and plain numbers.

    Attributes
    ----------
    estimate
        The numbers as arrays (see `models.Estimate`).
    method
        ``"ml"``, ``"gmm"`` or ``"bayes"``.
    information
        ``"observed"`` or ``"expected"``.
    cov_type
        Name of the covariance.
    bandwidth
        Lags of the Driscoll-Kraay kernel, or None.
    notes
        What the reader should know: warnings given during the fit, treatments chosen.
    hac_weights
        Kernel weights of ``cov="hac"``, in the order of the units used, or None.
    """

    estimate: Estimate
    method: str
    information: str
    cov_type: Covariance
    bandwidth: int | None
    notes: tuple[str, ...]
    hac_weights: SpatialWeights | None = None

    @property
    def _design(self) -> Design:
        return self.estimate.problem.design

    @property
    def model(self) -> str:
        """Name of the model, e.g. ``"sdm"``."""
        return self.estimate.problem.spec.name

    @property
    def fixed(self) -> str:
        """Fixed effects: ``"none"``, ``"individual"``, ``"time"``, ``"two-way"``."""
        return self.estimate.problem.effects

    @property
    def bias(self) -> str:
        """Treatment of the effects: ``"lee-yu"``, ``"none"`` or ``"correction"``."""
        return self.estimate.problem.bias

    @property
    def random(self) -> str | None:
        """Form of the random unit effects, ``"bsk"`` or ``"kkp"``; None without."""
        return self.estimate.problem.random

    @property
    def correlated(self) -> bool:
        """Whether unit means of the regressors stand beside the random effects (Mundlak 1978)."""
        return self.estimate.problem.n_means > 0

    @property
    def formula(self) -> str:
        """The formula as given."""
        return self._design.formula

    @property
    def response(self) -> str:
        """Label of the response."""
        return self._design.y_name

    @property
    def weights(self) -> SpatialWeights | None:
        """The weights, in the order of the units used."""
        return self.estimate.problem.weights

    @property
    def error_weights(self) -> SpatialWeights | None:
        """The weights of the spatial error; those of the lag unless others were given."""
        return self.estimate.problem.error_weights

    @property
    def durbin_weights(self) -> SpatialWeights | None:
        """The weights of the lagged regressors; those of the lag unless others were given."""
        return self.estimate.problem.durbin_weights

    @property
    def distinct_weights(self) -> dict[str, SpatialWeights]:
        """Weights by the options of `fit` that gave them; those that equal `weights` once."""
        found = {"w": self.weights, "error_weights": self.error_weights, "durbin_weights": self.durbin_weights}
        return {name: w for name, w in found.items() if w is not None and (name == "w" or w is not self.weights)}

    @property
    def units(self) -> pd.Index[Any]:
        """Labels of the units."""
        return self._design.units

    @property
    def times(self) -> pd.Index[Any] | None:
        """Labels of the times; None for a cross-section."""
        return self._design.times

    @property
    def nobs(self) -> int:
        """Rows of data, N T in a balanced panel."""
        return self._design.nobs

    @property
    def n_likelihood(self) -> int:
        """Observations the likelihood counts: N T, or N(T-1), N-1 times T, (N-1)(T-1) after transformation."""
        return self.estimate.problem.n

    @property
    def df_resid(self) -> int | None:
        """Residual degrees of freedom of linear models (t distribution); None where inference is asymptotic."""
        problem = self.estimate.problem
        if problem.spec.lag_y or problem.spec.lag_error or problem.random is not None or self.method != "ml":
            return None
        return problem.n_free - problem.n_reported

    @property
    def params(self) -> pd.Series:
        """Estimates: regressors, ``W_`` regressors, ``mean_`` ones, ``rho``, ``lambda``, ``sigma2_mu``, ``sigma2``."""
        return pd.Series(self.estimate.params.copy(), index=list(self.estimate.names), name="estimate")

    @property
    def cov_label(self) -> str:
        """Name of the covariance in words."""
        if self.posterior is not None:
            return "standard deviations of the posterior"
        if self.cov_type != "robust":
            return _COVARIANCE_LABELS[self.cov_type]
        spec = self.estimate.problem.spec
        if self.method == "gmm":
            return "heteroskedasticity-robust"
        return "robust to non-normal errors" if spec.lag_y or spec.lag_error else "heteroskedasticity-robust (HC1)"

    @property
    def cov(self) -> pd.DataFrame:
        """Covariance of the estimates under `cov_type`.

        Linear models (ols, slx) use the unbiased error variance ``SSR / df_resid`` for the classical form, as
        least squares does everywhere; `sigma2` itself is the maximum likelihood value.
        """
        names = list(self.estimate.names)
        return pd.DataFrame(self._covariance.copy(), index=names, columns=names)

    @cached_property
    def _covariance(self) -> NDArray[np.float64]:
        matrix = covariance(self.estimate, self.cov_type, bandwidth=self.bandwidth, kernel=self._kernel)
        df = self.df_resid
        if self.cov_type == "classical" and df is not None:
            matrix = matrix.copy()
            matrix[:-1, :-1] *= self.estimate.problem.n / df
        return matrix

    @property
    def _kernel(self) -> csr_array | None:
        return None if self.hac_weights is None else self.hac_weights.sparse

    @property
    def std_errors(self) -> pd.Series:
        """Standard errors."""
        return pd.Series(np.sqrt(np.diag(self._covariance)), index=list(self.estimate.names), name="std_error")

    @property
    def statistics(self) -> pd.Series:
        """Estimate divided by standard error; not defined for variances, whose null would be at their bound."""
        ratio = (self.params / self.std_errors).rename("statistic")
        ratio[ratio.index.isin(["sigma2", "sigma2_mu"])] = np.nan
        return ratio

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values: normal distribution, or t with `df_resid` degrees of freedom.

        Of a Bayesian fit: twice the posterior probability of the other sign.
        """
        if self.posterior is not None:
            return self.posterior.beyond_zero()
        values = two_sided_p(self.statistics.to_numpy(), self.df_resid)
        return pd.Series(values, index=self.params.index, name="p_value")

    def conf_int(self, level: float = 0.95) -> pd.DataFrame:
        """Confidence intervals, columns conf_low and conf_high; of a Bayesian fit equal-tailed credible intervals."""
        check_level(level)
        if self.posterior is not None:
            return self.posterior.intervals(level)
        half = critical_value(level, self.df_resid) * self.std_errors
        return pd.DataFrame({"conf_low": self.params - half, "conf_high": self.params + half})

    @property
    def rho(self) -> float:
        """Coefficient of the spatial lag; NaN in models without one."""
        return float(self.params.get("rho", np.nan))

    @property
    def lam(self) -> float:
        """Coefficient of the spatial error; NaN in models without one."""
        return float(self.params.get("lambda", np.nan))

    @property
    def sigma2(self) -> float:
        """Error variance: SSR divided by the observations the likelihood counts."""
        return float(self.params["sigma2"])

    @property
    def sigma2_mu(self) -> float:
        """Variance of the random unit effects; NaN without."""
        return float(self.params.get("sigma2_mu", np.nan))

    @property
    def unit_share(self) -> float:
        """Share of the random unit effects, ``sigma2_mu / (sigma2_mu + sigma2)``; NaN without."""
        return self.sigma2_mu / (self.sigma2_mu + self.sigma2)

    @property
    def loglik(self) -> float:
        """Log-likelihood; comparable only between fits with the same `n_likelihood` and effects."""
        return self.estimate.loglik

    @property
    def n_params(self) -> int:
        """Number of estimated parameters, variance included, effects not."""
        return len(self.estimate.params)

    @property
    def aic(self) -> float:
        """Akaike's criterion, ``2 p - 2 ln L``."""
        return 2.0 * self.n_params - 2.0 * self.loglik

    @property
    def bic(self) -> float:
        """Schwarz's criterion, ``p ln n - 2 ln L``."""
        return float(np.log(self.n_likelihood)) * self.n_params - 2.0 * self.loglik

    @property
    def estimator(self) -> str:
        """``"OLS"``, ``"ML"``, ``"S2SLS"``, ``"GS2SLS"``, ``"GMM"`` or ``"Bayes"``, as in the literature."""
        spec = self.estimate.problem.spec
        if self.method == "bayes":
            return "Bayes"
        if not (spec.lag_y or spec.lag_error) and self.random is None:
            return "OLS"
        if self.method == "ml":
            return "ML"
        return ("GS2SLS" if spec.lag_error else "S2SLS") if spec.lag_y else "GMM"

    @property
    def overidentification(self) -> ChiSquare | None:
        """Hansen's J of the instruments under `cov_type`, Sargan's under the classical one; None if there is none."""
        return instrument_test(self.estimate, self.cov_type, kernel=self._kernel)

    @property
    def first_stage(self) -> FirstStage | None:
        """F test of the instruments in the regression of the lagged response; None where there are no instruments."""
        return None if self.estimate.moments is None else self.estimate.moments.first

    @cached_property
    def posterior(self) -> PosteriorDraws | None:
        """Draws of the posterior of a Bayesian fit, its marginal likelihood and diagnostics; None for other fits."""
        found = self.estimate.posterior
        return None if found is None else PosteriorDraws(found, self.estimate.names)

    @property
    def r_squared(self) -> float:
        """Share of the response's sum of squares, effects taken out, that the innovations leave out.

        With ``method="gmm"``: squared correlation of the response and ``rho W y + X beta + W X theta``.
        """
        problem = self.estimate.problem
        if self.method == "gmm":
            explained = problem.Z[0] @ self.estimate.delta
            if problem.Wy is not None:
                explained = explained + self.estimate.rho * problem.Wy[0]
            explained = explained - explained.mean()
            size = float(explained @ explained)
            around = problem.y[0] - problem.y[0].mean()
            return float(explained @ around) ** 2 / (size * float(around @ around)) if size > 1e-20 else 0.0
        layout = problem.layout
        y = layout.within(problem.y, problem.effects)  # also where dummies of times stand among the regressors
        y = y - y.sum() / layout.n * layout.ones if self._design.intercept else y
        return float(1.0 - np.sum(self.estimate.e**2) / np.sum(y**2))

    @property
    def converged(self) -> bool:
        """Whether the estimate is an interior maximum."""
        return self.estimate.optimization.converged

    @property
    def optimization(self) -> Optimization:
        """How the maximum was found: start, path, evaluations, status, gradient, bounds."""
        return self.estimate.optimization

    @property
    def residuals(self) -> pd.Series:
        """Innovations in units of the response, indexed like the data; transformed where there are fixed effects.

        Random effects are taken off as predicted (`unit_effects`).
        """
        values = self._design.rows(self.estimate.e * self.estimate.problem.y_scale)
        return pd.Series(values, index=self._design.index, name="residual").reindex(self._design.given_index)

    @property
    def fitted(self) -> pd.Series:
        """Response minus innovations: what the model says given the neighbours' values."""
        design = self._design
        observed = pd.Series(design.rows(design.y), index=design.index).reindex(design.given_index)
        return (observed - self.residuals).rename("fitted")
