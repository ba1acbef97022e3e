"""Average direct, indirect and total effects of a fitted model."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from spatial_de.effects.multipliers import Multipliers, multipliers
from spatial_de.errors import ConvergenceError, EstimationWarning, IdentificationError, OptionError
from spatial_de.logdet import LogDeterminant, log_determinant
from spatial_de.wording import check_option, check_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.weights import SpatialWeights

Inference = Literal["simulation", "delta"]
KINDS = ("direct", "indirect", "total")
_ROUNDING = 1e-10  # of the largest eigenvalue
_HEAVY = 1.5  # standard deviation of the draws over that implied by their quantiles; 1 for a normal distribution


@dataclass(frozen=True)
class Coefficients:
    """What effects are made of.

    Attributes
    ----------
    terms
        Labels of the m regressors that have effects.
    beta, theta
        Their coefficients and those of their spatial lags (zero where there is none), shape (m,).
    rho
        Spatial parameter, zero in models without a spatial lag.
    cov
        Covariance of ``(beta, theta, rho)``, shape (2m + 1, 2m + 1); zero for what the model does not have.
    degrees_of_freedom
        For the t distribution of linear models; None for the normal distribution.
    """

    terms: tuple[str, ...]
    beta: NDArray[np.float64]
    theta: NDArray[np.float64]
    rho: float
    cov: NDArray[np.float64]
    degrees_of_freedom: int | None = None


@dataclass(frozen=True)
class Effects:
    """Average effects of one unit more of each regressor.

    Attributes
    ----------
    table
        Index (term, effect), columns estimate, std_error, statistic, p_value, conf_low, conf_high.
    inference
        ``"simulation"`` or ``"delta"``.
    level
        Confidence level of the intervals.
    draws, rejected, seed
        Draws used, draws of rho outside the admissible interval (left out), seed; None for the delta method.
    covariance
        Name of the covariance the inference rests on.
    notes
        What the reader should know about the simulation.
    """

    table: pd.DataFrame
    inference: Inference
    level: float
    draws: int | None
    rejected: int | None
    seed: int | None
    covariance: str
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """The table with term and effect as columns."""
        return self.table.reset_index()

    def to_dict(self) -> dict[str, Any]:
        """Plain Python types."""
        return {
            "inference": self.inference,
            "level": self.level,
            "draws": self.draws,
            "rejected": self.rejected,
            "seed": self.seed,
            "covariance": self.covariance,
            "notes": list(self.notes),
            "table": self.to_frame().to_dict(orient="list"),
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Effects:
        """Rebuild from `to_dict`."""
        table = pd.DataFrame(content["table"]).set_index(["term", "effect"])
        rest = {key: value for key, value in content.items() if key not in {"table", "notes"}}
        return cls(table=table, notes=tuple(content["notes"]), **rest)

    def __repr__(self) -> str:
        how = f"{self.inference}, {self.covariance} covariance"
        if self.draws is not None:
            how += f", {self.draws:,} draws, seed {self.seed}"
            if self.rejected:
                how += f", {self.rejected} outside the admissible interval left out"
        table = self.table.to_string(formatters=self._formatters())
        return "\n".join([f"Average effects ({how})", table, *(f"Note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        return str(self.table.to_html(formatters=self._formatters()))

    def _formatters(self) -> dict[str, Any]:
        numbers = ("estimate", "std_error", "conf_low", "conf_high")
        return dict.fromkeys(numbers, _plain_number) | {"statistic": "{:.2f}".format, "p_value": self._p_words}

    def _p_words(self, p: Any) -> str:
        """Three decimals; of simulated p-values none below what the number of draws can show."""
        least = 0.001 if self.draws is None else max(0.001, 1.5 / (self.draws + 1))
        return f"<{least:.3f}" if p < least else f"{p:.3f}"


def _plain_number(value: float) -> str:
    size = abs(value)
    return f"{value:.4g}" if (0.0 < size < 1e-3 or size >= 1e5) else f"{value:.4f}"


def compute_effects(
    coefficients: Coefficients,
    w: SpatialWeights | None,
    *,
    inference: Inference = "simulation",
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    covariance: str = "classical",
    logdet: LogDeterminant | None = None,
    durbin: SpatialWeights | None = None,
) -> Effects:
    """Average direct, indirect and total effects.

    ``direct = beta tr(S)/n + theta tr(S W)/n``, ``total = 1'S(beta I + theta W)1/n``, ``indirect = total - direct``
    with ``S = (I - rho W)^-1``: for any W, islands included.

    Parameters
    ----------
    coefficients, w
        Estimates with their covariance, and the weights.
    inference
        ``"simulation"``: coefficients are drawn from their asymptotic normal distribution; std_error is the
        standard deviation over draws, the interval their quantiles, statistic = estimate / std_error, and the
        p-value twice the share of draws on the other side of zero, so that it agrees with the interval also where
        the distribution is skewed. With r draws it is at least 1 / (r + 1). Draws of rho outside the admissible
        interval have no effects; they count as beyond zero.
        ``"delta"``: standard errors from the analytic derivatives, normal intervals.
    draws, seed
        Number of draws and seed of the simulation.
    level
        Confidence level.
    covariance
        Name of the covariance, for the record.
    logdet
        The log-determinant of the fit, whose derivatives give the traces.
    durbin
        Weights of the lagged regressors where these are not `w`.

    References
    ----------
    LeSage, J. and Pace, R. K. (2009). *Introduction to Spatial Econometrics*, section 2.7 and 5.6.2.
    """
    check_option(inference, ("simulation", "delta"), "inference")
    if not 0.0 < level < 1.0:
        raise OptionError(f"level={level!r} must lie between 0 and 1.")
    if not np.isfinite(coefficients.cov).all():
        raise ConvergenceError(
            "The estimate has no covariance (rho is at its bound), so that effects have none either."
        )
    multiply = partial(multipliers, w, logdet=logdet, durbin=durbin)
    at_estimate = multiply(np.array([coefficients.rho]))
    estimate = _effects(coefficients.beta[None, :], coefficients.theta[None, :], at_estimate)[0]
    if inference == "delta":
        std_error = _delta_errors(coefficients, at_estimate)
        half = critical_value(level, coefficients.degrees_of_freedom) * std_error
        low, high = estimate - half, estimate + half
        used = rejected = None
        p = two_sided_p(_ratio(estimate, std_error), coefficients.degrees_of_freedom)
        notes: tuple[str, ...] = ()
    else:
        sample, rejected = _simulate(coefficients, w, logdet, multiply=multiply, draws=draws, seed=seed)
        used = len(sample)
        std_error = sample.std(axis=0, ddof=1)
        low, high = np.quantile(sample, [(1 - level) / 2, (1 + level) / 2], axis=0)
        p = _share_beyond_zero(sample, std_error, rejected=rejected)
        notes = _heavy_tails(std_error, (high - low) / (2.0 * critical_value(level, None)))
    return Effects(
        table=_table(coefficients, estimate, std_error, p=p, low=low, high=high),
        inference=inference,
        level=level,
        draws=used,
        rejected=rejected,
        seed=seed if inference == "simulation" else None,
        covariance=covariance,
        notes=notes,
    )


def _heavy_tails(std_error: NDArray[np.float64], from_quantiles: NDArray[np.float64]) -> tuple[str, ...]:
    """A warning and a note where a few draws make the standard deviation."""
    if not (std_error > _HEAVY * from_quantiles).any():
        return ()
    note = (
        "Some draws of rho come close to its bound, where effects explode: they dominate the standard errors "
        "and statistics of the simulation. Rely on the intervals and p-values (shares of draws), or on "
        "inference='delta'."
    )
    warnings.warn(note, EstimationWarning, stacklevel=4)
    return (note,)


def _effects(beta: NDArray[np.float64], theta: NDArray[np.float64], m: Multipliers) -> NDArray[np.float64]:
    """Effects for r draws of m coefficients: shape (r, m, 3), last axis direct, indirect, total."""
    direct = beta * m.direct_beta[:, None] + theta * m.direct_theta[:, None]
    total = beta * m.total_beta[:, None] + theta * m.total_theta[:, None]
    return np.stack([direct, total - direct, total], axis=2)


def _delta_errors(c: Coefficients, m: Multipliers) -> NDArray[np.float64]:
    """Standard errors from the derivatives of the effects, shape (m, 3)."""
    size = len(c.terms)
    out = np.empty((size, 3))
    for j in range(size):
        gradient = np.zeros((3, 2 * size + 1))
        gradient[0, [j, size + j, -1]] = (
            m.direct_beta[0],
            m.direct_theta[0],
            c.beta[j] * m.d_direct_beta[0] + c.theta[j] * m.d_direct_theta[0],
        )
        gradient[2, [j, size + j, -1]] = (
            m.total_beta[0],
            m.total_theta[0],
            c.beta[j] * m.d_total_beta[0] + c.theta[j] * m.d_total_theta[0],
        )
        gradient[1] = gradient[2] - gradient[0]
        variances = np.einsum("ai,ij,aj->a", gradient, c.cov, gradient)
        if (variances < 0.0).any():
            raise _indefinite()
        out[j] = np.sqrt(variances)
    return out


def _indefinite() -> IdentificationError:
    return IdentificationError(
        "The covariance of the coefficients is not positive definite (two-way clusters with few units or times), so "
        "that these effects have no standard errors: use cov='cluster' or 'driscoll-kraay'."
    )


def _simulate(
    c: Coefficients,
    w: SpatialWeights | None,
    logdet: LogDeterminant | None,
    *,
    multiply: Callable[[NDArray[np.float64]], Multipliers],
    draws: int,
    seed: int,
) -> tuple[NDArray[np.float64], int]:
    """Effects of random coefficients, shape (draws kept, m, 3), and the number of draws left out."""
    check_whole(draws, "draws", least=2)
    check_whole(seed, "seed", least=0)
    size = len(c.terms)
    scale = np.sqrt(np.diag(c.cov))
    safe = np.where(scale > 0.0, scale, 1.0)
    spread, axes = np.linalg.eigh(c.cov / np.outer(safe, safe))  # correlations: units cannot matter
    # the symmetric root: unlike axes alone, whose signs hang on the last digit, it moves with the covariance
    if spread[0] < -_ROUNDING * spread[-1]:
        raise _indefinite()
    root = scale[:, None] * ((axes * np.sqrt(np.maximum(spread, 0.0))) @ axes.T)
    noise = np.random.default_rng(seed).standard_normal((draws, 2 * size + 1))
    sample = np.concatenate([c.beta, c.theta, [c.rho]]) + noise @ root.T
    rho = sample[:, -1]
    inside = np.ones(draws, dtype=bool)
    if c.cov[-1, -1] > 0.0 and w is not None:
        low, high = (logdet or log_determinant(w)).bounds
        inside = (low < rho) & (rho < high)
    else:
        rho = np.full(draws, c.rho)
    rejected = int((~inside).sum())
    if rejected > draws / 20:
        warnings.warn(
            f"{rejected:,} of {draws:,} draws of rho fall outside its admissible interval, where effects do not exist: "
            "rho is estimated too imprecisely for that interval. p-values of effects count these draws as beyond zero; "
            "intervals and standard errors describe the rest only.",
            EstimationWarning,
            stacklevel=4,
        )
    kept = sample[inside]
    return _effects(kept[:, :size], kept[:, size : 2 * size], multiply(rho[inside])), rejected


def critical_value(level: float, df: int | None) -> float:
    """Two-sided critical value of the normal distribution, or of t with `df` degrees of freedom."""
    from scipy.special import ndtri, stdtrit

    upper = 0.5 + level / 2
    return float(ndtri(upper) if df is None else stdtrit(df, upper))


def two_sided_p(statistic: NDArray[np.float64], df: int | None) -> NDArray[np.float64]:
    """Two-sided p-values under the normal distribution, or t with `df` degrees of freedom."""
    from scipy.special import ndtr, stdtr

    size = -np.abs(statistic)
    out: NDArray[np.float64] = 2.0 * (ndtr(size) if df is None else stdtr(df, size))
    return out


def _share_beyond_zero(
    sample: NDArray[np.float64], std_error: NDArray[np.float64], *, rejected: int
) -> NDArray[np.float64]:
    """Two-sided p-values of r draws, shape (m, 3): twice the smaller share on either side of zero, never zero."""
    below = np.minimum((sample <= 0.0).sum(axis=0), (sample >= 0.0).sum(axis=0)) + rejected
    p = np.minimum((2.0 * below + 1.0) / (len(sample) + rejected + 1.0), 1.0)
    return np.where(std_error > 0.0, p, np.nan)


def _ratio(estimate: NDArray[np.float64], std_error: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(estimate, std_error, out=np.full_like(estimate, np.nan), where=std_error > 0)


def _table(
    c: Coefficients,
    estimate: NDArray[np.float64],
    std_error: NDArray[np.float64],
    *,
    p: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([c.terms, KINDS], names=["term", "effect"])
    columns = {
        "estimate": estimate,
        "std_error": std_error,
        "statistic": _ratio(estimate, std_error),
        "p_value": p,
        "conf_low": low,
        "conf_high": high,
    }
    return pd.DataFrame({name: values.reshape(-1) for name, values in columns.items()}, index=index)
