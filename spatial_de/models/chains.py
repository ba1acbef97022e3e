"""Markov chains for posteriors of several spatial parameters, and how far they have come."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from spatial_de.errors import ConvergenceError, EstimationWarning

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHAINS = 8
WARM_UP = 500
MIXED, DRAWS_ENOUGH, APART = 1.01, 400, 1.1  # Vehtari et al. (2021), section 4; beyond the last nothing is reported
_FREEDOM = 5.0  # of the t distribution of independent proposals: tails heavier than those of the posterior
_WALK, _STRIDE = 0.5, 1.7  # share of proposals that are steps of a random walk, and their length in one dimension


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """How well chains agree, for the worst of all parameters.

    Attributes
    ----------
    rhat
        Rank-normalised split R-hat; one where chains agree.
    ess_bulk, ess_tail
        Effective numbers of draws for the middle and for the 5 % and 95 % quantiles.
    acceptance
        Share of proposals accepted.
    chains
        Number of chains; zero for independent draws.

    References
    ----------
    Vehtari, A., Gelman, A., Simpson, D., Carpenter, B. and Bürkner, P.-C. (2021). *Bayesian Analysis* 16, 667-718.
    """

    rhat: float
    ess_bulk: float
    ess_tail: float
    acceptance: float
    chains: int

    @classmethod
    def independent(cls, draws: int) -> Diagnostics:
        """Of independent draws."""
        return cls(1.0, float(draws), float(draws), 1.0, 0)


def run_chains(
    log_density: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    modes: NDArray[np.float64],
    weights: NDArray[np.float64],
    covariances: NDArray[np.float64],
    draws: int,
    rng: np.random.Generator,
    thin: int = 1,
) -> tuple[NDArray[np.float64], float]:
    """Metropolis-Hastings chains over d variables: steps of a random walk, and jumps to a mixture around all modes.

    Parameters
    ----------
    log_density
        At g points, shape (g, d) -> (g,).
    modes, weights, covariances
        Of the mixture of t distributions that jumps come from, shapes (q, d), (q,) and (q, d, d).
    draws
        Draws wanted in all; as many or a few more are returned.
    thin
        Steps from one draw to the next.

    Returns
    -------
    array, shape (chains, draws per chain, d), and the share of proposals accepted.

    References
    ----------
    Tierney, L. (1994). Markov chains for exploring posterior distributions. *Annals of Statistics* 22, 1701-1762.
    """
    mixture = _Mixture(modes, np.linalg.cholesky(covariances).astype(np.float64), weights / weights.sum())
    d = modes.shape[1]
    best, stride = mixture.roots[int(np.argmax(weights))], _STRIDE / np.sqrt(d)
    x = modes[np.arange(CHAINS) % len(modes)] + 2.0 * rng.standard_normal((CHAINS, d)) @ best.T
    value = log_density(x)
    start = np.flatnonzero(~np.isfinite(value))
    x[start] = modes[start % len(modes)]
    value = log_density(x)
    per_chain = -(-draws // CHAINS)
    kept, accepted = np.empty((CHAINS, per_chain, d)), 0
    for step in range(WARM_UP + per_chain * thin):
        walks = rng.random(CHAINS) < _WALK
        jump = mixture.draw(CHAINS, rng)
        proposal = np.where(walks[:, None], x + stride * rng.standard_normal((CHAINS, d)) @ best.T, jump)
        other = log_density(proposal)
        ratio = other - value + np.where(walks, 0.0, mixture.log_density(x) - mixture.log_density(proposal))
        yes = np.log(rng.random(CHAINS)) < ratio
        x, value = np.where(yes[:, None], proposal, x), np.where(yes, other, value)
        if step >= WARM_UP:
            kept[:, (step - WARM_UP) // thin], accepted = x, accepted + int(yes.sum())
    return kept, accepted / (CHAINS * per_chain * thin)


@dataclass(frozen=True, slots=True)
class _Mixture:
    """A mixture of t distributions: centres (q, d), roots of their scales (q, d, d), weights (q,)."""

    centres: NDArray[np.float64]
    roots: NDArray[np.float64]
    weights: NDArray[np.float64]

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        which = rng.choice(len(self.weights), size=count, p=self.weights)
        normal = np.einsum("cij,cj->ci", self.roots[which], rng.standard_normal((count, self.centres.shape[1])))
        heavy = np.sqrt(_FREEDOM / rng.chisquare(_FREEDOM, size=count))
        return np.asarray(self.centres[which] + heavy[:, None] * normal)

    def log_density(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Up to a constant."""
        gap = x[:, None, :] - self.centres
        standard = np.linalg.solve(self.roots[None], gap[..., None])[..., 0]
        size = np.abs(np.linalg.det(self.roots))
        heights = (
            self.weights
            / size
            * (1.0 + (standard**2).sum(axis=2) / _FREEDOM) ** (-0.5 * (_FREEDOM + self.centres.shape[1]))
        )
        return np.asarray(np.log(heights.sum(axis=1)))


def diagnose(chains: NDArray[np.float64], acceptance: float) -> Diagnostics:
    """Diagnostics of chains, shape (chains, draws, q): the worst over the q parameters."""
    halves = np.concatenate(np.array_split(chains[:, : chains.shape[1] // 2 * 2], 2, axis=1))
    rhats, bulk, tail = [], [], []
    for one in np.moveaxis(halves, 2, 0):
        folded = np.abs(one - np.median(one))
        rhats += [_rhat(_normal_scores(one)), _rhat(_normal_scores(folded))]
        bulk.append(effective(_normal_scores(one)))
        tail += [effective(1.0 * (one <= np.quantile(one, q))) for q in (0.05, 0.95)]
    return Diagnostics(max(rhats), min(bulk), min(tail), acceptance, len(chains))


def judge(found: Diagnostics, *, apart: str, advice: str, stacklevel: int) -> None:
    """Refuse chains that do not agree, and warn of chains that have hardly mixed.

    Parameters
    ----------
    found
        Their diagnostics.
    apart, advice
        Why they may not agree, and what to do besides more draws.
    stacklevel
        Of the warning.

    Raises
    ------
    ConvergenceError
        R-hat is beyond `APART`.
    """
    if found.rhat > APART:
        raise ConvergenceError(
            f"The chains do not agree (R-hat {found.rhat:.3f}): {apart}. Use more draws, or {advice}.",
            {"rhat": found.rhat, "ess_bulk": found.ess_bulk, "ess_tail": found.ess_tail},
        )
    least = min(found.ess_bulk, found.ess_tail)
    if found.rhat > MIXED or least < DRAWS_ENOUGH:
        warnings.warn(
            f"The chains have not mixed well (R-hat {found.rhat:.3f}, {least:.0f} effective draws; wanted "
            f"below {MIXED} and above {DRAWS_ENOUGH}): use more draws.",
            EstimationWarning,
            stacklevel=stacklevel + 1,
        )


def _normal_scores(x: NDArray[np.float64]) -> NDArray[np.float64]:
    ranks = rankdata(x).reshape(x.shape)
    return np.asarray(ndtri((ranks - 0.375) / (x.size + 0.25)))


def _variances(x: NDArray[np.float64]) -> tuple[float, float]:
    """Variance within chains, and the pooled estimate that counts the spread of their means."""
    n = x.shape[1]
    within = float(x.var(axis=1, ddof=1).mean())
    return within, within * (n - 1) / n + float(x.mean(axis=1).var(ddof=1))


def _rhat(x: NDArray[np.float64]) -> float:
    within, pooled = _variances(x)
    return float(np.sqrt(pooled / within)) if within > 0.0 else float("inf")


def effective(x: NDArray[np.float64]) -> float:
    """Effective number of draws of chains, shape (chains, n): Geyer's initial monotone sequence of autocorrelations."""
    m, n = x.shape
    within, pooled = _variances(x)
    if not pooled > 0.0:
        return float(m * n)
    centred = x - x.mean(axis=1, keepdims=True)
    spectrum = np.abs(np.fft.rfft(centred, 2 * n, axis=1)) ** 2
    covariance = np.fft.irfft(spectrum, axis=1)[:, :n].mean(axis=0) / n
    correlation = 1.0 - (within - covariance * n / (n - 1)) / pooled
    correlation[0] = 1.0
    pairs = correlation[: n // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs < 0.0)
    pairs = np.minimum.accumulate(pairs[: negative[0]] if len(negative) else pairs)
    time = max(2.0 * float(pairs.sum()) - 1.0, 1.0 / np.log10(m * n))
    return float(m * n / time)
