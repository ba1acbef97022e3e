"""Inference for anything that is linear in beta and theta, with multipliers that depend on rho."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from spatial_de.errors import ConvergenceError, EstimationWarning, IdentificationError
from spatial_de.wording import check_level, check_option, check_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

Inference = Literal["simulation", "delta", "bootstrap", "posterior"]
_ROUNDING = 1e-10  # of the largest eigenvalue
_NUMBERS = 4_000_000  # effects over all draws held at a time
_LEAST = 0.1  # share of draws with effects below which their distribution says nothing
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
    sample
        Draws of ``(beta, theta, rho)`` from elsewhere (a bootstrap, a posterior), shape (r, 2m + 1). Where they are
        given, everything but the estimate comes from them, and neither `cov` nor a seed is used.
    lost
        Draws that were asked for and are not in `sample`: replications without an estimate.
    """

    terms: tuple[str, ...]
    beta: NDArray[np.float64]
    theta: NDArray[np.float64]
    rho: float
    cov: NDArray[np.float64]
    degrees_of_freedom: int | None = None
    sample: NDArray[np.float64] | None = None
    lost: int = 0

    @property
    def draws_rho(self) -> bool:
        """Whether rho varies over draws: it is part of the model."""
        return bool(self.cov[-1, -1] > 0.0 if self.sample is None else np.ptp(self.sample[:, -1]) > 0.0)

    def only(self, term: str) -> Coefficients:
        """The coefficients of one regressor."""
        j, m = self.terms.index(term), len(self.terms)
        at = [j, m + j, 2 * m]
        return replace(
            self,
            terms=(term,),
            beta=self.beta[[j]],
            theta=self.theta[[j]],
            cov=self.cov[np.ix_(at, at)],
            sample=None if self.sample is None else self.sample[:, at],
        )


@dataclass(frozen=True, slots=True)
class Parts:
    """What beta and theta are multiplied with to give q effects, at r values of rho, and the slopes in rho.

    Attributes
    ----------
    beta, theta, d_beta, d_theta
        Shape (r, q).
    """

    beta: NDArray[np.float64]
    theta: NDArray[np.float64]
    d_beta: NDArray[np.float64]
    d_theta: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Inferred:
    """Effects of m regressors with their inference.

    Attributes
    ----------
    estimate, std_error, statistic, p_value, conf_low, conf_high
        Shape (m, q).
    draws, rejected
        Draws used, and draws of rho without effects; None for the delta method.
    notes
        What the reader should know.
    """

    estimate: NDArray[np.float64]
    std_error: NDArray[np.float64]
    statistic: NDArray[np.float64]
    p_value: NDArray[np.float64]
    conf_low: NDArray[np.float64]
    conf_high: NDArray[np.float64]
    draws: int | None
    rejected: int | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """How inference is done.

    Attributes
    ----------
    inference
        ``"simulation"``: coefficients are drawn from their asymptotic normal distribution; std_error is the
        standard deviation over draws, the interval their quantiles, statistic = estimate / std_error, and the
        p-value twice the share of draws on the other side of zero, so that it agrees with the interval also where
        the distribution is skewed. With r draws it is at least 1 / (r + 1). Draws of rho outside the admissible
        interval have no effects; they count as beyond zero.
        ``"delta"``: standard errors from the analytic derivatives, normal intervals.
        ``"bootstrap"``: as the simulation, with coefficients estimated again from resampled errors.
        ``"posterior"``: as the simulation, with draws of a posterior, and their means for estimates.
    draws, seed
        Number of draws and seed of the simulation or the bootstrap.
    level
        Confidence level.
    """

    inference: Inference = "simulation"
    draws: int = 1000
    seed: int = 0
    level: float = 0.95

    def check(self) -> None:
        """Raise `OptionError` for what is not allowed."""
        check_option(self.inference, ("simulation", "delta", "bootstrap", "posterior"), "inference")
        check_level(self.level)
        check_whole(self.draws, "draws", least=2)
        check_whole(self.seed, "seed", least=0)


def infer(
    c: Coefficients,
    parts: Callable[[NDArray[np.float64]], Parts],
    *,
    bounds: tuple[float, float] | None,
    how: Sampling,
) -> Inferred:
    """Effects ``beta_j m_beta(rho) + theta_j m_theta(rho)`` of every regressor j with their inference.

    Parameters
    ----------
    c
        Estimates with their covariance.
    parts
        The multipliers at given values of rho, shape (r,).
    bounds
        Admissible interval of rho; None for models without a spatial lag.
    how
        Simulation or delta method.

    Raises
    ------
    ConvergenceError
        The estimate has no covariance.
    IdentificationError
        The covariance is not positive definite, or hardly a draw of rho is admissible.
    """
    how.check()
    if c.sample is None and not np.isfinite(c.cov).all():
        raise ConvergenceError(
            "The estimate has no covariance (rho or lambda is at its bound), so that effects have none either."
        )
    here = parts(np.array([c.rho]))
    estimate = _combine(c.beta[None, :], c.theta[None, :], here)[0]
    if how.inference == "delta":
        return _by_derivatives(c, here, estimate, level=how.level)
    if c.sample is None and how.inference == "bootstrap":
        raise ValueError("coefficients of a bootstrap come with their sample")
    sample = _draw(c, how) if c.sample is None else c.sample
    kept, rejected = _admissible(sample, bounds if c.draws_rho else None, lost=c.lost)
    at = parts(kept[:, -1])
    if how.inference == "posterior":
        m, r = len(c.terms), len(kept)
        estimate = (kept[:, :m].T @ at.beta + kept[:, m : 2 * m].T @ at.theta) / r
    return _by_draws(kept, at, estimate, rejected=rejected, level=how.level)


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


def _combine(beta: NDArray[np.float64], theta: NDArray[np.float64], parts: Parts) -> NDArray[np.float64]:
    """Effects for r draws of m coefficients, shape (r, m, q)."""
    return beta[:, :, None] * parts.beta[:, None, :] + theta[:, :, None] * parts.theta[:, None, :]


def _by_derivatives(c: Coefficients, here: Parts, estimate: NDArray[np.float64], *, level: float) -> Inferred:
    """The delta method: the gradient with respect to (beta_j, theta_j, rho)."""
    m = len(c.terms)
    slope = _combine(c.beta[None, :], c.theta[None, :], Parts(here.d_beta, here.d_theta, here.beta, here.theta))[0]
    std_error = np.empty_like(estimate)
    for j in range(m):
        gradient = np.column_stack([here.beta[0], here.theta[0], slope[j]])
        own = np.ix_([j, m + j, 2 * m], [j, m + j, 2 * m])
        variances = np.einsum("ai,ij,aj->a", gradient, c.cov[own], gradient)
        if (variances < 0.0).any():
            raise _indefinite()
        std_error[j] = np.sqrt(variances)
    half = critical_value(level, c.degrees_of_freedom) * std_error
    statistic = _ratio(estimate, std_error)
    return Inferred(
        estimate=estimate,
        std_error=std_error,
        statistic=statistic,
        p_value=two_sided_p(statistic, c.degrees_of_freedom),
        conf_low=estimate - half,
        conf_high=estimate + half,
        draws=None,
        rejected=None,
    )


def _by_draws(
    kept: NDArray[np.float64], at: Parts, estimate: NDArray[np.float64], *, rejected: int, level: float
) -> Inferred:
    """Standard deviations, quantiles and shares beyond zero over r draws of (beta, theta, rho)."""
    m, q = estimate.shape
    std_error, p_value, low, high = (np.empty_like(estimate) for _ in range(4))
    block = max(1, _NUMBERS // (len(kept) * m))
    for part in (slice(start, start + block) for start in range(0, q, block)):
        own = Parts(at.beta[:, part], at.theta[:, part], at.d_beta[:, part], at.d_theta[:, part])
        sample = _combine(kept[:, :m], kept[:, m : 2 * m], own)
        std_error[:, part] = sample.std(axis=0, ddof=1)
        low[:, part], high[:, part] = np.quantile(sample, [(1 - level) / 2, (1 + level) / 2], axis=0)
        p_value[:, part] = _share_beyond_zero(sample, std_error[:, part], rejected=rejected)
    return Inferred(
        estimate=estimate,
        std_error=std_error,
        statistic=_ratio(estimate, std_error),
        p_value=p_value,
        conf_low=low,
        conf_high=high,
        draws=len(kept),
        rejected=rejected,
        notes=_heavy_tails(std_error, (high - low) / (2.0 * critical_value(level, None))),
    )


def _draw(c: Coefficients, how: Sampling) -> NDArray[np.float64]:
    """Normal draws of (beta, theta, rho), shape (r, 2m + 1)."""
    scale = np.sqrt(np.diag(c.cov))
    safe = np.where(scale > 0.0, scale, 1.0)
    spread, axes = np.linalg.eigh(c.cov / np.outer(safe, safe))  # correlations: units cannot matter
    if spread[0] < -_ROUNDING * spread[-1]:
        raise _indefinite()
    # the symmetric root: unlike axes alone, whose signs hang on the last digit, it moves with the covariance
    root = scale[:, None] * ((axes * np.sqrt(np.maximum(spread, 0.0))) @ axes.T)
    noise = np.random.default_rng(how.seed).standard_normal((how.draws, len(c.cov)))
    sample = np.concatenate([c.beta, c.theta, [c.rho]]) + noise @ root.T
    if not c.draws_rho:
        sample[:, -1] = c.rho
    return np.asarray(sample)


def _admissible(
    sample: NDArray[np.float64], bounds: tuple[float, float] | None, *, lost: int
) -> tuple[NDArray[np.float64], int]:
    """Draws whose rho is admissible, and the number of draws without effects."""
    if bounds is None:
        return sample, lost
    inside = (bounds[0] < sample[:, -1]) & (sample[:, -1] < bounds[1])
    rejected = int((~inside).sum())
    if len(sample) - rejected < max(2.0, _LEAST * len(sample)):
        raise IdentificationError(
            f"{rejected:,} of {len(sample):,} draws of rho fall outside its admissible interval, where effects do not "
            "exist: the data do not determine rho, and simulated effects have no meaning. Use a model with fewer "
            "spatial terms, or inference='delta' to see how little is known."
        )
    if rejected > len(sample) / 20:
        warnings.warn(
            f"{rejected:,} of {len(sample):,} draws of rho fall outside its admissible interval, where effects do not "
            "exist: rho is estimated too imprecisely for that interval. p-values of effects count these draws as "
            "beyond zero; intervals and standard errors describe the rest only.",
            EstimationWarning,
            stacklevel=5,
        )
    return sample[inside], rejected + lost


def _indefinite() -> IdentificationError:
    return IdentificationError(
        "The covariance of the coefficients is not positive definite (two-way clusters with few units or times), so "
        "that these effects have no standard errors: use cov='cluster' or 'driscoll-kraay'."
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
    warnings.warn(note, EstimationWarning, stacklevel=5)
    return (note,)


def _share_beyond_zero(
    sample: NDArray[np.float64], std_error: NDArray[np.float64], *, rejected: int
) -> NDArray[np.float64]:
    """Two-sided p-values of r draws, shape (m, q): twice the smaller share on either side of zero, never zero."""
    below = np.minimum((sample <= 0.0).sum(axis=0), (sample >= 0.0).sum(axis=0)) + rejected
    p = np.minimum((2.0 * below + 1.0) / (len(sample) + rejected + 1.0), 1.0)
    return np.where(std_error > 0.0, p, np.nan)


def _ratio(estimate: NDArray[np.float64], std_error: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(estimate, std_error, out=np.full_like(estimate, np.nan), where=std_error > 0)
