"""`Results`: a fitted model."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from spatial_de.effects.core import Effects
from spatial_de.effects.inference import Inference
from spatial_de.errors import EstimationWarning, OptionError
from spatial_de.models.covariance import COVARIANCES, Covariance, default_bandwidth
from spatial_de.results import predictions, spillovers
from spatial_de.results.numbers import Numbers
from spatial_de.results.resampling import Bootstrap, resample
from spatial_de.results.spillovers import sampling
from spatial_de.results.summary import render_summary
from spatial_de.weights import SpatialWeights
from spatial_de.weights.kernel import as_kernel
from spatial_de.wording import check_option, check_whole

if TYPE_CHECKING:
    from spatial_de.panel import Panel

_ON_TIMES = {
    "driscoll-kraay": "Driscoll-Kraay",
    "cluster-time": "Time-clustered",
    "cluster-two-way": "Two-way clustered",
}
FEW_TIMES = 20  # below, Driscoll-Kraay standard errors are known to be far too small


def few_times_note(n_times: int, n_params: int, *, what: str = "Driscoll-Kraay") -> str:
    """What to know about standard errors that rest on many times in a short panel."""
    return (
        f"{what} standard errors rest on {n_times} times for {n_params} parameters; their theory needs many "
        "times, and in short panels they are too small, often by half or more. Prefer cov='cluster'."
    )


@dataclass(frozen=True, eq=False)
class Results(Numbers):
    """A fitted model: labelled numbers, frozen, and the verbs that start from them.

    The numbers (`params`, `std_errors`, `loglik`, ...) are those of `Numbers`.
    """

    def with_cov(
        self, cov: Covariance, *, bandwidth: int | None = None, hac_weights: SpatialWeights | None = None
    ) -> Results:
        """The same estimate with another covariance.

        Parameters
        ----------
        cov
            ``"classical"``; ``"robust"``: to errors that are not normal (quasi maximum likelihood), in linear models to
            different variances (White); ``"cluster"`` (by unit), ``"cluster-time"``, ``"cluster-two-way"``,
            ``"driscoll-kraay"``; ``"hac"``: to correlation between near units of a cross-section, for ols, slx and, by
            ``method="gmm"``, sar and sdm. With ``method="gmm"`` ``"robust"`` allows different variances; models with a
            spatial error have other moments, and therefore another estimate, under it: it is chosen in `fit`.
        bandwidth
            Lags of the Driscoll-Kraay kernel.
        hac_weights
            Kernel weights of pairs of units for ``"hac"``, as `weights.kernel` makes them; a unit has weight one with
            itself.
        """
        check_option(cov, COVARIANCES, "cov")
        if self.posterior is not None:
            raise OptionError("method='bayes' has no covariance to choose: its errors are those of the posterior.")
        kernel = None
        if hac_weights is not None:
            if cov != "hac":
                raise OptionError(f"hac_weights= belongs to cov='hac', not to cov={cov!r}.")
            kernel = as_kernel(hac_weights, self.units)
        elif cov == "hac":
            raise OptionError(
                "cov='hac' needs hac_weights=, kernel weights of pairs: sde.weights.kernel(gdf, bandwidth=...)."
            )
        n_times = 1 if self.times is None else len(self.times)
        known = {name: few_times_note(n_times, self.n_params, what=what) for name, what in _ON_TIMES.items()}
        notes = tuple(note for note in self.notes if note not in known.values())
        warning = known.get(cov, "")
        if cov == "driscoll-kraay":
            bandwidth = default_bandwidth(n_times) if bandwidth is None else bandwidth
        if warning and 1 < n_times < FEW_TIMES:
            notes = (*notes, warning)
        changed = replace(self, cov_type=cov, bandwidth=bandwidth, notes=notes, hac_weights=kernel)
        _ = changed.std_errors  # refuses here, not at the first table
        if warning in notes:
            warnings.warn(warning, EstimationWarning, stacklevel=2)
        return changed

    def bootstrap(
        self, draws: int = 1000, *, seed: int = 0, n_jobs: int = 1, progress: bool | None = None
    ) -> Bootstrap:
        """The model estimated again from responses with resampled errors, those of a unit together.

        W, regressors and effects are kept; the residuals of each unit over all times are those of a unit drawn with
        replacement. Standard errors hold for any dependence over time within units and for errors that are not normal,
        not for units of different variance. With one time it is the residual bootstrap. All effects with
        ``inference="bootstrap"`` and the same draws and seed share the last bootstrap of a fit.

        Parameters
        ----------
        draws, seed
            Replications and seed.
        n_jobs
            Processes; results do not depend on it.
        progress
            A line of progress on stderr; by default where that is a terminal and the work is long.
        """
        check_whole(draws, "draws", least=2)
        check_whole(seed, "seed", least=0)
        if (draws, seed) not in self._bootstraps:
            found = resample(self, draws, seed, n_jobs=n_jobs, progress=progress)
            self._bootstraps.clear()  # one at a time: it may be large
            self._bootstraps[draws, seed] = found
        return self._bootstraps[draws, seed]

    @cached_property
    def _bootstraps(self) -> dict[tuple[int, int], Bootstrap]:
        """The last bootstrap, which all effects share."""
        return {}

    def effects(
        self,
        inference: Inference | None = None,
        *,
        draws: int = 1000,
        seed: int = 0,
        level: float = 0.95,
    ) -> Effects:
        """Average direct, indirect and total effects with inference under `cov_type`.

        Parameters
        ----------
        inference
            ``"simulation"`` (LeSage and Pace 2009; the default), ``"delta"``, or ``"bootstrap"`` (see `bootstrap`),
            which does without `cov_type`. Of a Bayesian fit the draws of its posterior, and nothing else.
        draws, seed
            Of the simulation or the bootstrap.
        level
            Confidence level.
        """
        return spillovers.average(
            self, sampling(self, inference, default="simulation", draws=draws, seed=seed, level=level)
        )

    def effects_by_group(
        self,
        groups: pd.Series | dict[Any, Any],
        *,
        inference: Inference | None = None,
        draws: int = 1000,
        seed: int = 0,
        level: float = 0.95,
    ) -> Effects:
        """Effects on an average unit of each group, of one more of a regressor in all units of each group.

        Parameters
        ----------
        groups
            Unit -> group. Weighted by the sizes of the groups they fall on, the effects add up to the total effect, and
            the rows "(direct)" to the direct one.
        inference, draws, seed, level
            As in `effects`.

        Examples
        --------
        ``fit.effects_by_group(provinces["region"])``
        """
        return spillovers.by_group(
            self, groups, sampling(self, inference, default="simulation", draws=draws, seed=seed, level=level)
        )

    def effects_by_unit(
        self,
        *,
        own: spillovers.Own = "apart",
        inference: Inference | None = None,
        draws: int = 1000,
        seed: int = 0,
        level: float = 0.95,
    ) -> Effects:
        """What one more of a regressor in a unit does to itself, what it gives to others, and what it gets from them.

        Effects "direct", "emitted" (on all other units together) and "received" (of one more in all other units).

        Parameters
        ----------
        own
            ``"apart"``: as above, up to 6,000 units. ``"within"``: what a unit emits to and receives from all units,
            itself included, at any size.
        inference, draws, seed, level
            As in `effects`; by default ``"delta"``.
        """
        return spillovers.by_unit(
            self, own, sampling(self, inference, default="delta", draws=draws, seed=seed, level=level)
        )

    def effects_by_order(
        self,
        orders: int = 10,
        *,
        inference: Inference | None = None,
        draws: int = 1000,
        seed: int = 0,
        level: float = 0.95,
    ) -> Effects:
        """Effects by power of the weights: 0 the unit itself, 1 its neighbours, 2 theirs, and so on up to `orders`.

        The sum over all orders is that of `effects` (LeSage and Pace 2009, section 2.7.1).

        Parameters
        ----------
        orders
            The highest power.
        inference, draws, seed, level
            As in `effects`.
        """
        return spillovers.by_order(
            self, orders, sampling(self, inference, default="simulation", draws=draws, seed=seed, level=level)
        )

    def effects_of_change(
        self,
        term: str,
        change: pd.Series | dict[Any, Any],
        *,
        inference: Inference | None = None,
        draws: int = 1000,
        seed: int = 0,
        level: float = 0.95,
    ) -> Effects:
        """What a change of a regressor in some units does to every unit, at any size.

        Parameters
        ----------
        term
            The regressor.
        change
            Unit -> change. Units that are not named do not change.
        inference, draws, seed, level
            As in `effects`; by default ``"delta"``.

        Examples
        --------
        ``fit.effects_of_change("digital", {"BJ": 0.1, "SH": 0.1})``
        """
        return spillovers.of_change(
            self, term, change, how=sampling(self, inference, default="delta", draws=draws, seed=seed, level=level)
        )

    def effect_matrix(self, term: str) -> pd.DataFrame:
        """What one more of a regressor in each unit (column) does to each unit (row), shape (N, N); to 6,000 units."""
        return spillovers.matrix(self, term)

    @property
    def unit_effects(self) -> pd.Series | None:
        """Individual effects by unit, the level included; None where the model has none.

        Fixed ones as estimated, random ones as predicted (best linear unbiased, Goldberger 1962).
        """
        return predictions.effects(self, "unit")

    @property
    def time_effects(self) -> pd.Series | None:
        """Estimated effects of times; beside individual effects with mean zero, alone with the level in them."""
        return predictions.effects(self, "time")

    def decompose(self) -> pd.DataFrame:
        """Columns trend, signal and noise, which add up to the response (Haining 1990).

        The trend is what regressors and effects tell, the signal what the neighbours' values tell (``rho W y`` and
        ``lambda W u``), the noise the innovations.
        """
        return predictions.parts(self)

    def predict(
        self,
        data: Panel | pd.DataFrame | None = None,
        *,
        kind: predictions.Kind = "reduced",
        w: SpatialWeights | None = None,
        error_weights: SpatialWeights | None = None,
        durbin_weights: SpatialWeights | None = None,
        time_effect: predictions.TimeEffect = None,
    ) -> pd.Series:
        """Predictions of the response as it stands in the formula (of ``log(y)``, the logarithm).

        Parameters
        ----------
        data
            None: the data of the fit. The same units with other regressors: a `Panel` of any times, or a DataFrame for
            a cross-section. New units of a cross-section: a DataFrame of these only, with `w`.
        kind
            ``"reduced"``: the mean given regressors and effects, ``S (X beta + W X theta + effects)``. ``"trend"``:
            without S. ``"conditional"``: trend and signal, as `fitted` (in sample only). ``"blup"``: the mean given
            also the response of all other units (in sample), or of all old units (for new units).
        w, error_weights, durbin_weights
            Weights over old and new units together.
        time_effect
            Effect of times that the fit does not have, a number or one by time; by default the mean of the estimated
            ones, which beside individual effects is zero.

        Returns
        -------
        Series indexed like the data.

        References
        ----------
        Goulard, M., Laurent, T. and Thomas-Agnan, C. (2017). *Spatial Economic Analysis* 12, 304-325.
        """
        weights = {"w": w, "error_weights": error_weights, "durbin_weights": durbin_weights}
        return predictions.predict(self, data, kind, weights=weights, time_effect=time_effect)

    def summary(self) -> str:
        """The fit as text: what was estimated, coefficients, spatial parameters, notes."""
        return render_summary(self)

    def to_frame(self) -> pd.DataFrame:
        """Columns term, estimate, std_error, statistic, p_value, conf_low, conf_high."""
        columns = [self.params, self.std_errors, self.statistics, self.pvalues]
        table = pd.DataFrame({str(column.name): column for column in columns}).join(self.conf_int())
        return table.rename_axis("term").reset_index()

    def to_dict(self) -> dict[str, Any]:
        """The numbers of the fit in plain Python types."""
        return {
            "model": self.model,
            "formula": self.formula,
            "fixed": self.fixed,
            "random": self.random,
            "correlated": self.correlated,
            "bias": self.bias,
            "method": self.method,
            "information": self.information,
            "cov": self.cov_type,
            "nobs": self.nobs,
            "n_likelihood": self.n_likelihood,
            "loglik": self.loglik,
            "aic": self.aic,
            "bic": self.bic,
            "weights": None if self.weights is None else self.weights.fingerprint,
            **{name: w.fingerprint for name, w in self.distinct_weights.items() if name != "w"},
            "optimization": self.optimization.to_dict(),
            "notes": list(self.notes),
            "table": self.to_frame().to_dict(orient="list"),
        }

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{self.summary()}</pre>"
