"""Exact maximum likelihood: from a problem to a plain estimate."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from spatial_de.errors import ConvergenceError, EstimationWarning, IdentificationError
from spatial_de.logdet import JacobianTerm, LogDeterminant, Method, log_determinant
from spatial_de.models.adjusted import Drift, drift, lag_term
from spatial_de.models.bias import correct
from spatial_de.models.heights import heights
from spatial_de.models.information import expected_information, innovations
from spatial_de.models.likelihood import Compressed, Likelihood, LogJacobian, Point, partition
from spatial_de.models.moving import MovingData, problem_at
from spatial_de.models.optimise import CLOSED_FORM, Objective, Optimization, maximise
from spatial_de.models.reparametrise import refine, to_original
from spatial_de.models.restricted import RestrictedDeterminant
from spatial_de.models.surface import Surface, maximise_surface
from spatial_de.panel.layout import Cells

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from spatial_de.models.bayes import Posterior
    from spatial_de.models.moments import MomentEstimate
    from spatial_de.models.problem import Problem
    from spatial_de.weights import SpatialWeights

Information = Literal["observed", "expected"]
_MOST_STEPS, _SETTLED = 100, 1e-9  # of the adjusted scores of two parameters, standard errors
ROUNDING = 1e-26  # error variance relative to the response below which nothing but rounding is left


@dataclass(frozen=True)
class UnitEffects:
    """What an estimate says of its random unit effects, in scaled units.

    Attributes
    ----------
    omega
        ``ln(1 + T sigma2_mu / sigma2)``.
    predicted
        Best linear unbiased predictions (BLUP), shape (N,).
    v
        ``B (A y_t - Z delta)``, shape (T, N).
    """

    omega: float
    predicted: NDArray[np.float64]
    v: NDArray[np.float64]

    @property
    def at_zero(self) -> bool:
        """Whether the variance of the unit effects was estimated as zero."""
        return self.omega == 0.0

    def without_zero(self, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
        """A covariance of reported parameters in which sigma2_mu, where it was estimated as zero, has none."""
        if not self.at_zero:
            return covariance
        out = covariance.copy()
        out[-2, :] = out[:, -2] = np.nan
        return out


@dataclass(frozen=True)
class Estimate:
    """Numbers of a fitted model, in the user's units.

    Attributes
    ----------
    problem
        What was estimated.
    names
        Labels of the parameters: regressors, then ``rho``, ``lambda``, ``sigma2``.
    params
        Estimates, shape (p,).
    bread
        Inverse information in the user's units, shape (p, p): the classical covariance.
    scaled_bread
        Inverse of minus the derivative of the scores in all scaled parameters (dummies of times included), shape
        (k + s + 1,) squared.
    jacobian
        Derivative of `params` with respect to the scaled parameters, shape (p, k + s + 1).
    rho, lam
        Spatial parameters (0 where the model has none).
    delta, sigma2_scaled
        Coefficients of the scaled problem, shape (k,), and the variance.
    e
        Residuals of the transformed, scaled model, shape (T, N).
    loglik
        Log-likelihood in the user's units.
    optimization
        How it was found.
    logdet
        The log-determinant of the spatial lag; None for models without one.
    moments
        What an estimate by the method of moments rests on; None for maximum likelihood.
    posterior
        Draws of the posterior of a Bayesian estimate, whose means and covariance the other numbers are, or None.
    random
        Random unit effects, in which case the parameters have ``omega`` (reported: ``sigma2_mu``) before the variance,
        and e are the innovations that are left when the predicted effects are taken off; None without.
    """

    problem: Problem
    names: tuple[str, ...]
    params: NDArray[np.float64]
    bread: NDArray[np.float64]
    scaled_bread: NDArray[np.float64]
    jacobian: NDArray[np.float64]
    rho: float
    lam: float
    delta: NDArray[np.float64]
    sigma2_scaled: float
    e: NDArray[np.float64]
    loglik: float
    optimization: Optimization
    logdet: LogDeterminant | None = None
    moments: MomentEstimate | None = None
    posterior: Posterior | None = None
    random: UnitEffects | None = None


def estimate_ml(problem: Problem, *, information: Information = "observed", logdet: Method = "auto") -> Estimate:
    """Maximum likelihood estimate.

    Parameters
    ----------
    problem
        Lagged, transformed, scaled data.
    information
        ``"observed"``: minus the Hessian at the maximum. ``"expected"``: its expectation under the model.

    logdet
        How the log-determinant is computed, see `logdet.log_determinant`.

    Raises
    ------
    ConvergenceError
        No maximum was found.
    IdentificationError
        The model fits exactly, so that no variance is left. Linear models warn only: their coefficients are
        determined.
    """
    likelihood = make_likelihood(problem, logdet=logdet)
    point, record = maximum(likelihood, problem)
    if is_adjusted(problem) and problem.spec.lag_y and problem.spec.lag_error and record.converged:
        likelihood, point, record = _settle(problem, point, record=record, logdet=logdet)
    problem = problem_at(problem, point.lam)
    point = refine(problem, point)
    if record.converged:
        info = (
            likelihood.information(point)
            if information == "observed"
            else expected_information(problem, point, sigma2=point.sigma2)
        )
        variance = scaled_bread = invert_information(info, point, record)
        if is_adjusted(problem) and problem.spec.lag_y:
            scaled_bread, variance = _with_drift(scaled_bread, drift(problem, point), problem)
    else:
        size = problem.k + problem.spec.lag_y + problem.spec.lag_error + 1
        variance = scaled_bread = np.full((size, size), np.nan)
    corrects = problem.bias == "correction" or (problem.n_time_dummies and problem.bias != "none")
    if corrects and record.converged:
        point = correct(problem, likelihood, point)
    estimate = finish(problem, point, scaled_bread=scaled_bread, variance=variance, record=record)
    if problem.spec.lag_y and problem.weights is not None:
        return replace(estimate, logdet=log_determinant(problem.weights, logdet))
    return estimate


def _check_fit(point: Point, *, linear: bool) -> Point:
    """Refuse, or for linear models point out, that nothing but rounding is left over."""
    if point.sigma2 > ROUNDING:
        return point
    if not linear or not point.sigma2 > 0.0:
        raise IdentificationError("The regressors fit the response exactly: there is no error left to model.")
    warnings.warn(
        "The regressors fit the response exactly: standard errors and the log-likelihood measure rounding only.",
        EstimationWarning,
        stacklevel=5,
    )
    return point


def is_adjusted(problem: Problem) -> bool:
    """Whether the likelihood is adjusted for effects that no transformation takes out."""
    return isinstance(problem.layout, Cells) and problem.effects != "none" and problem.bias == "lee-yu"


def make_likelihood(problem: Problem, *, logdet: Method = "auto", lam: float = 0.0) -> Likelihood:
    """The likelihood of a problem; `lam` is where an adjustment of rho for effects sees the error."""
    moves = problem.spec.lag_error and isinstance(problem.layout, Cells) and problem.effects != "none"
    data = MovingData(problem)
    lag, error = log_jacobians(problem, logdet=logdet, lam=lam, data=data)
    return Likelihood(data=data if moves else Compressed.of(problem), n=problem.n, lag=lag, error=error)


def log_jacobians(
    problem: Problem, *, logdet: Method, lam: float = 0.0, data: MovingData | None = None
) -> tuple[LogJacobian | None, LogJacobian | None]:
    """Of rho and lambda; None where the model has no such parameter."""
    spec = problem.spec

    def restricted(full: LogDeterminant) -> JacobianTerm:
        return RestrictedDeterminant(full, data or MovingData(problem))

    def of_lag(full: LogDeterminant) -> JacobianTerm:
        return lag_term(problem, full, lam)

    return (
        make_jacobian(problem, problem.weights, logdet=logdet, adjust=of_lag) if spec.lag_y else None,
        make_jacobian(problem, problem.error_weights, logdet=logdet, adjust=restricted) if spec.lag_error else None,
    )


def make_jacobian(
    problem: Problem,
    w: SpatialWeights | None,
    *,
    logdet: Method = "auto",
    adjust: Callable[[LogDeterminant], JacobianTerm] | None = None,
) -> LogJacobian | None:
    """The log-Jacobian of a spatial parameter with weights w; `adjust` where effects do not drop out."""
    if w is None:
        return None
    full = log_determinant(w, logdet)
    if adjust is not None and is_adjusted(problem):
        return LogJacobian(adjust(full), problem.periods)
    return LogJacobian(full.without_unit_root() if problem.drop_unit_root else full, problem.periods)


def _settle(
    problem: Problem, point: Point, *, record: Optimization, logdet: Method
) -> tuple[Likelihood, Point, Optimization]:
    """Where the adjusted scores of rho and lambda are both zero.

    That of rho depends on lambda, which no function of both has as its derivative: Newton's steps, the adjustment seen
    from the lambda of the step before. They settle as fast as that dependence is weak.
    """
    path = list(record.path)
    for _ in range(_MOST_STEPS):
        likelihood = make_likelihood(problem, logdet=logdet, lam=point.lam)
        here = likelihood.at(point.rho, point.lam)
        gradient, curvature = likelihood.gradient(here), likelihood.curvature(here)
        step = -np.linalg.solve(curvature, gradient)
        decrement = float(np.sqrt(abs(gradient @ step)))
        if decrement < _SETTLED:
            return likelihood, here, replace(record, path=tuple(path), gradient=decrement)
        point = likelihood.at(float(here.rho + step[0]), float(here.lam + step[1]))
        path.append((point.rho, point.lam))
    raise ConvergenceError(
        f"The scores of rho and lambda, adjusted for {problem.effects} effects, were not brought to zero near "
        f"({point.rho:.4f}, {point.lam:.4f}): use bias='none', or a model with one of the two.",
        record.to_dict(),
    )


def _with_drift(
    inverse: NDArray[np.float64], gap: Drift, problem: Problem
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Inverse of minus the derivative of the adjusted scores, J, and ``J^-1 V J^-T``.

    With the inverse information S, ``J = S^-1 + cross e_rho e_lambda'`` and ``V = S^-1 - own e_rho e_rho'``.
    """
    rho, lam = problem.k, problem.k + problem.spec.lag_error
    u, v = inverse[:, rho], inverse[:, lam]
    c = gap.cross / (1.0 + gap.cross * inverse[lam, rho])
    bread = inverse - c * np.outer(u, v)
    moved = bread[:, rho]
    spread = inverse - c * (np.outer(u, v) + np.outer(v, u)) + c**2 * inverse[lam, lam] * np.outer(u, u)
    return bread, spread - gap.own * np.outer(moved, moved)


def maximum(likelihood: Likelihood, problem: Problem) -> tuple[Point, Optimization]:
    """The highest maximum of a likelihood, and how it was found."""
    spec = problem.spec
    if spec.lag_y and spec.lag_error:
        return _maximum_of_two(likelihood)
    jacobian = likelihood.lag or likelihood.error
    if jacobian is None:
        return _check_fit(likelihood.at(0.0, 0.0), linear=True), CLOSED_FORM
    logdet = jacobian.logdet
    cheap = logdet.sketch()
    rough = likelihood if cheap is logdet else _sketched(likelihood)
    _check_fit(rough.at(0.0, 0.0), linear=False)
    point, record = maximise(
        _objective(likelihood, lag=spec.lag_y),
        logdet.bounds,
        sketch=None if rough is likelihood else _objective(rough, lag=spec.lag_y),
        prepare=logdet.prepare,
    )
    return point, replace(record, logdet=logdet.method, logdet_error=logdet.error_bound)


def _objective(likelihood: Likelihood, *, lag: bool) -> Objective:
    def at(x: float) -> Point:
        return _check_fit(likelihood.at(x, 0.0) if lag else likelihood.at(0.0, x), linear=False)

    zero = np.zeros(1)
    return Objective(
        name="rho" if lag else "lambda",
        heights=lambda x: (heights(likelihood, x, zero) if lag else heights(likelihood, zero, x)).ravel(),
        at=at,
        gradient=lambda p: float(likelihood.gradient(p)[0]),
        curvature=lambda p: float(likelihood.curvature(p)[0, 0]),
    )


def _maximum_of_two(likelihood: Likelihood) -> tuple[Point, Optimization]:
    if likelihood.lag is None or likelihood.error is None:
        raise ValueError("a likelihood without rho or without lambda is maximised in one parameter")
    logdets = (likelihood.lag.logdet, likelihood.error.logdet)
    exact = all(logdet.sketch() is logdet for logdet in logdets)
    rough = likelihood if exact else _sketched(likelihood)
    _check_fit(rough.at(0.0, 0.0), linear=False)
    point, record = maximise_surface(
        _surface(likelihood),
        (logdets[0].bounds, logdets[1].bounds),
        sketch=None if exact else _surface(rough),
        prepare=[logdet.prepare for logdet in logdets],
    )
    method = " and ".join(dict.fromkeys(logdet.method for logdet in logdets))
    return point, replace(record, logdet=method, logdet_error=max(logdet.error_bound for logdet in logdets))


def _surface(likelihood: Likelihood) -> Surface:
    return Surface(
        heights=partial(heights, likelihood),
        at=lambda rho, lam: _check_fit(likelihood.at(rho, lam), linear=False),
        gradient=likelihood.gradient,
        hessian=likelihood.curvature,
    )


def _sketched(likelihood: Likelihood) -> Likelihood:
    """The same likelihood with log-determinants that are cheap and rough."""

    def changed(jacobian: LogJacobian | None) -> LogJacobian | None:
        return None if jacobian is None else replace(jacobian, logdet=jacobian.logdet.sketch())

    return replace(likelihood, lag=changed(likelihood.lag), error=changed(likelihood.error))


def invert_information(info: NDArray[np.float64], point: Point, record: Optimization) -> NDArray[np.float64]:
    """Inverse of an information matrix by its partition into delta and the rest."""
    parts = partition(info, point)
    size = np.sqrt(np.abs(np.diag(parts.schur)))
    try:
        factor = np.linalg.cholesky(parts.schur / np.outer(size, size))
    except np.linalg.LinAlgError as error:
        raise ConvergenceError(
            "The information matrix is not positive definite at the estimate: the data do not determine all "
            "parameters. Use fewer regressors; the numbers reached are in .diagnostics.",
            record.to_dict(),
        ) from error
    root = np.linalg.inv(factor) / size
    rest = root.T @ root
    corner = -parts.cross @ rest
    return np.block([[parts.half @ parts.half.T - corner @ parts.cross.T, corner], [corner.T, rest]])


def finish(
    problem: Problem,
    point: Point,
    *,
    scaled_bread: NDArray[np.float64],
    variance: NDArray[np.float64],
    record: Optimization,
) -> Estimate:
    """Numbers in the user's units."""
    names, params, jacobian = to_original(problem, point)
    spec = problem.spec
    return Estimate(
        problem=problem,
        names=names,
        params=params,
        bread=jacobian @ variance @ jacobian.T,
        scaled_bread=scaled_bread,
        jacobian=jacobian,
        rho=point.rho if spec.lag_y else 0.0,
        lam=point.lam if spec.lag_error else 0.0,
        delta=point.delta,
        sigma2_scaled=point.sigma2,
        e=innovations(problem, point),
        loglik=point.loglik - problem.n * float(np.log(problem.y_scale)),
        optimization=record,
    )
