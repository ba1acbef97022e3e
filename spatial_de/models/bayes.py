"""Bayesian estimation: from a problem to draws of its posterior."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.errors import ConvergenceError, OptionError
from spatial_de.logdet import Method, log_determinant
from spatial_de.logdet.interpolation import Chart
from spatial_de.models.chains import CHAINS, Diagnostics, diagnose, judge, run_chains
from spatial_de.models.estimate import Estimate, finish, make_likelihood, maximum
from spatial_de.models.line import Line, tabulate
from spatial_de.models.posterior import Target
from spatial_de.models.prior import Prior

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.likelihood import Likelihood, LogJacobian, Point
    from spatial_de.models.optimise import Optimization
    from spatial_de.models.problem import Problem

_EDGE = 10.0  # in s, where a spatial parameter is all but at its bound


@dataclass(frozen=True)
class Posterior:
    """Draws of a posterior.

    Attributes
    ----------
    params
        Parameters in the user's units, in the order of the estimate's names, shape (r, p).
    log_marginal
        Logarithm of the marginal likelihood of the response as the user gave it; NaN for chains. With flat priors it
        compares only models with the same flat coefficients.
    diagnostics
        Of the chains; independent draws agree by construction.
    prior, seed
        What the draws rest on.
    error
        By how much the distribution function that independent draws come from may be off.
    """

    params: NDArray[np.float64]
    log_marginal: float
    diagnostics: Diagnostics
    prior: Prior
    seed: int
    error: float


@dataclass(frozen=True, slots=True)
class _Spatial:
    """Draws of rho and lambda, shape (r,), the log of their density's integral, and how they were made."""

    rho: NDArray[np.float64]
    lam: NDArray[np.float64]
    log_integral: float
    error: float
    acceptance: float = 1.0
    chains: int = 0


def estimate_bayes(problem: Problem, *, draws: int, seed: int, prior: Prior, logdet: Method = "auto") -> Estimate:
    """Posterior of a model; the estimate holds its means and covariance.

    The likelihood is that of maximum likelihood, with effects eliminated by the same transformation, so that these need
    no prior. Dummies of times that stand among the regressors have flat priors and are integrated out.

    Parameters
    ----------
    problem
        Lagged, transformed, scaled data.
    draws, seed
        Number of draws; for models with rho and lambda they come from eight chains.
    prior
        The prior.
    logdet
        How the log-determinant is computed.

    Raises
    ------
    ConvergenceError
        Chains that do not agree.
    OptionError
        A bias correction, which a posterior has no use for, or a prior that names no coefficient.
    """
    if problem.bias == "correction":
        raise OptionError("method='bayes' has no bias correction: use bias='lee-yu' (the default).")
    likelihood = make_likelihood(problem, logdet=logdet)
    at, record = maximum(likelihood, problem)
    target = Target.of(problem, likelihood, prior=prior, rho=at.rho, lam=at.lam)
    rng = np.random.default_rng(seed)
    spatial = _draw_spatial(target, at, record, draws=draws, rng=rng)
    delta, sigma2 = target.conditional.draw(spatial.rho, spatial.lam, rng)
    spec = problem.spec
    scaled = np.column_stack([delta, *[spatial.rho] * spec.lag_y, *[spatial.lam] * spec.lag_error, sigma2])
    estimate = _summarise(problem, at, scaled, record=replace(record, status="posterior"))
    offset = scaled - scaled.mean(axis=0)
    posterior = Posterior(
        params=estimate.params + offset @ estimate.jacobian.T,
        log_marginal=target.constant + spatial.log_integral,
        diagnostics=_diagnose(offset @ estimate.jacobian.T, spatial),
        prior=prior,
        seed=seed,
        error=spatial.error,
    )
    lag = problem.weights if spec.lag_y else None
    return replace(
        estimate, loglik=float("nan"), posterior=posterior, logdet=None if lag is None else log_determinant(lag, logdet)
    )


def _summarise(problem: Problem, at: Point, scaled: NDArray[np.float64], *, record: Optimization) -> Estimate:
    """Means and covariance of the draws as an estimate."""
    spec, k = problem.spec, problem.k
    mean = scaled.mean(axis=0)
    rho = float(mean[k]) if spec.lag_y else 0.0
    lam = float(mean[k + int(spec.lag_y)]) if spec.lag_error else 0.0
    point = replace(at, rho=rho, lam=lam, delta=mean[:k], sigma2=float(mean[-1]))
    spread = np.atleast_2d(np.cov(scaled, rowvar=False))
    return finish(problem, point, scaled_bread=spread, variance=spread, record=record)


def _draw_spatial(target: Target, at: Point, record: Optimization, *, draws: int, rng: np.random.Generator) -> _Spatial:
    likelihood = target.likelihood
    zero = np.zeros(draws)
    if likelihood.lag is not None and likelihood.error is not None:
        return _by_chains(target, record, draws=draws, rng=rng)
    line = posterior_line(target, at, record)
    if line is None:
        return _Spatial(zero, zero, float(target.density(zero[:1], zero[:1])[0]), 0.0)
    found = line.draw(draws, rng)
    rho, lam = (found, zero) if likelihood.lag is not None else (zero, found)
    return _Spatial(rho=rho, lam=lam, log_integral=line.log_integral, error=line.error)


def posterior_line(target: Target, at: Point, record: Optimization) -> Line | None:
    """Posterior of the one spatial parameter of a model, unnormalised; None where there is none."""
    likelihood = target.likelihood
    jacobian = likelihood.lag or likelihood.error
    if jacobian is None:
        return None
    lag = likelihood.lag is not None

    def log_density(x: NDArray[np.float64]) -> NDArray[np.float64]:
        none = np.zeros_like(x)
        return target.density(x, none) if lag else target.density(none, x)

    x, bend = at.rho if lag else at.lam, float(likelihood.curvature(likelihood.at(at.rho, at.lam))[0, 0])
    low, high = jacobian.logdet.bounds
    scale = 1.0 / np.sqrt(-bend) if bend < 0.0 else 0.05 * (high - low)
    chart = _chart(jacobian)
    return tabulate(log_density, chart, modes=[x, *record.local_maxima], scale=float(scale))


def _chart(jacobian: LogJacobian) -> Chart:
    return Chart(*jacobian.logdet.bounds, strip=0.5 * np.pi)


def _by_chains(target: Target, record: Optimization, *, draws: int, rng: np.random.Generator) -> _Spatial:
    """Chains over both spatial parameters, started from and jumping between all maxima of the likelihood."""
    likelihood = target.likelihood
    if likelihood.lag is None or likelihood.error is None:
        raise ValueError("chains are for two spatial parameters")
    charts = (_chart(likelihood.lag), _chart(likelihood.error))

    def log_density(s: NDArray[np.float64]) -> NDArray[np.float64]:
        inside = np.abs(s).max(axis=1) < _EDGE
        held = np.where(inside[:, None], s, 0.0)
        rho, lam = (chart.to_rho(column) for chart, column in zip(charts, held.T, strict=True))
        slope = -2.0 * np.log(np.cosh(held)).sum(axis=1)
        return np.where(inside, target.density(rho, lam) + slope, -np.inf)

    modes, heights, covariances = [], [], []
    for rho, lam, loglik in record.local_maxima:
        covariance = _spread(likelihood, (rho, lam), charts)
        if covariance is not None:
            modes.append([float(c.to_s(np.array(x))) for c, x in zip(charts, (rho, lam), strict=True)])
            heights.append(loglik + 0.5 * np.linalg.slogdet(covariance)[1])
            covariances.append(covariance)
    if not modes:
        raise ConvergenceError(
            "The posterior has no interior maximum in (rho, lambda) to start chains from: the data hardly tell the two "
            "apart. Use a model with one of them.",
            record.to_dict(),
        )
    weights = np.maximum(np.exp(np.array(heights) - max(heights)), 0.05)  # every mode is visited now and then
    kept, acceptance = run_chains(
        log_density,
        modes=np.array(modes),
        weights=weights,
        covariances=np.array(covariances),
        draws=draws,
        rng=rng,
    )
    flat = kept.reshape(-1, 2)
    rho, lam = (chart.to_rho(column) for chart, column in zip(charts, flat.T, strict=True))
    return _Spatial(rho, lam, float("nan"), float("nan"), acceptance, CHAINS)


def _spread(
    likelihood: Likelihood, spot: tuple[float, float], charts: tuple[Chart, Chart]
) -> NDArray[np.float64] | None:
    """Inverse curvature of the log-likelihood at a maximum, in s; None where it bends the wrong way."""
    hessian = likelihood.curvature(likelihood.at(*spot))
    slopes = np.array([c.half * (1.0 - ((x - c.centre) / c.half) ** 2) for c, x in zip(charts, spot, strict=True)])
    bend = -hessian * np.outer(slopes, slopes)
    if not (np.isfinite(bend).all() and (np.linalg.eigvalsh(bend) > 0.0).all()):
        return None
    return np.asarray(np.linalg.inv(bend))


def _diagnose(params: NDArray[np.float64], spatial: _Spatial) -> Diagnostics:
    if not spatial.chains:
        return Diagnostics.independent(len(params))
    found = diagnose(params.reshape(spatial.chains, -1, params.shape[1]), spatial.acceptance)
    judge(found, apart="rho and lambda are hardly told apart", advice="a model with one of them", stacklevel=4)
    return found
