"""Method of moments for cross-sections: spatial two-stage least squares, generalised moments of a spatial error."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solve_triangular

from spatial_de.errors import EstimationWarning, IdentificationError, OptionError
from spatial_de.logdet import LogDeterminant, Method, log_determinant
from spatial_de.models.error_moments import (
    Conditions,
    Operators,
    Variances,
    joint_covariance,
    minimise,
    variance_of_moments,
)
from spatial_de.models.estimate import ROUNDING, Estimate
from spatial_de.models.moments import MomentEstimate, covariance_of_moments
from spatial_de.models.optimise import CLOSED_FORM, Optimization
from spatial_de.models.problem import lagged_instruments
from spatial_de.models.reparametrise import to_original
from spatial_de.models.two_stage import FirstStage, TwoStage, first_stage, instrument_basis, two_stage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.problem import Problem

WEAK = 10.0  # F of the first stage (Staiger and Stock 1997, Econometrica 65, 557-586)
_INITIAL = 0.99  # share of the admissible interval that the initial lambda, a filter only, may use up


@dataclass(frozen=True, slots=True)
class _Found:
    """Estimates in scaled units: coefficients (k,), spatial parameters, innovations (n,), and how they were found."""

    delta: NDArray[np.float64]
    rho: float
    lam: float
    e: NDArray[np.float64]
    moments: MomentEstimate
    record: Optimization

    @property
    def sigma2(self) -> float:
        """Mean square of the innovations."""
        return float(np.mean(self.e**2))


@dataclass(frozen=True, slots=True)
class _Data:
    """Columns of ``y = Z d + u`` and their lags by the weights of the error; Z ends with W y where there is a lag."""

    y: NDArray[np.float64]
    Z: NDArray[np.float64]
    My: NDArray[np.float64] | None
    MZ: NDArray[np.float64] | None

    @classmethod
    def of(cls, problem: Problem) -> _Data:
        Z = problem.Z[0]
        MZ = None if problem.MZ is None else problem.MZ[0]
        if problem.Wy is not None:
            Z = np.column_stack([Z, problem.Wy[0]])
            MZ = None if MZ is None or problem.MWy is None else np.column_stack([MZ, problem.MWy[0]])
        return cls(problem.y[0], Z, None if problem.My is None else problem.My[0], MZ)

    def filtered(self, lam: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """``(I - lam M) y`` and ``(I - lam M) Z``."""
        if self.My is None or self.MZ is None:
            raise ValueError("a model without a spatial error has no filter")
        return self.y - lam * self.My, self.Z - lam * self.MZ

    def residuals(self, d: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Residuals u and their lag ``M u``."""
        if self.My is None or self.MZ is None:
            raise ValueError("a model without a spatial error has no filter")
        return self.y - self.Z @ d, self.My - self.MZ @ d


def estimate_gmm(
    problem: Problem, *, variances: Variances = "equal", powers: int | None = None, logdet: Method = "auto"
) -> Estimate:
    """Method of moments estimate of a cross-section; there is no log-likelihood.

    Models with a lagged response: two-stage least squares with spatial lags of the regressors as instruments. Models
    with a spatial error: lambda from quadratic moment conditions, coefficients from filtered data; each in two steps,
    ending with the efficient weighting of the moments of lambda.

    Parameters
    ----------
    problem
        The data.
    variances
        Whether the moments of a spatial error take the errors to have equal variances, or allow different ones.
    powers
        Instruments are ``W z`` to ``W^powers z`` of the regressors z; by default 1, or 2 where the model has lagged
        regressors itself.
    logdet
        How effects compute traces.

    Raises
    ------
    OptionError
        A panel, or a model without lagged response and spatial error.
    IdentificationError
        The instruments do not determine the coefficients.

    References
    ----------
    Kelejian, H. H. and Prucha, I. R. (1998). *Journal of Real Estate Finance and Economics* 17, 99-121.
    Kelejian, H. H. and Prucha, I. R. (2010). *Journal of Econometrics* 157, 53-67.
    Arraiz, I., Drukker, D. M., Kelejian, H. H. and Prucha, I. R. (2010). *Journal of Regional Science* 50, 592-614.
    Drukker, D. M., Egger, P. and Prucha, I. R. (2013). *Econometric Reviews* 32, 686-733.
    """
    _check(problem)
    spec = problem.spec
    data = _Data.of(problem)
    highest = (2 if spec.lag_x else 1) if powers is None else powers
    basis, first = _instruments(problem, highest) if spec.lag_y else (None, None)
    initial = MomentEstimate(two_stage(data.y, data.Z, _basis(basis, data.Z)), first, highest if spec.lag_y else 0)
    if spec.lag_error:
        found = _with_spatial_error(problem, data, initial, variances=variances, basis=basis)
    else:
        found = _found(problem, initial, lam=0.0, e=initial.stage.u)
    return _finish(problem, found, logdet=logdet)


def _check(problem: Problem) -> None:
    spec = problem.spec
    if problem.design.is_panel:
        raise OptionError("method='gmm' is for cross-sections; panels are estimated by method='ml'.")
    if not (spec.lag_y or spec.lag_error):
        raise OptionError(
            f"method='gmm' has no use in model={spec.name!r}, whose regressors are their own instruments: use "
            "method='ml', which is least squares, with cov='robust' or 'hac'."
        )


def _instruments(problem: Problem, powers: int) -> tuple[NDArray[np.float64], FirstStage]:
    """Basis of the instruments, and how well they explain W y."""
    if problem.Wy is None:
        raise ValueError("a model without a lagged response needs no instruments")
    extra = lagged_instruments(problem, powers)
    if problem.MZ is not None:
        extra = np.hstack([extra, problem.MZ[0]])  # so that filtered regressors are among the instruments
    basis = instrument_basis(problem.Z[0], extra)
    if basis.shape[1] == problem.k:
        raise IdentificationError(
            f"model={problem.spec.name!r} by method='gmm' needs spatial lags of regressors as instruments of the "
            "lagged response, and none goes beyond the regressors themselves: add regressors that are not dummies, "
            "or use method='ml'."
        )
    if basis.shape[1] >= problem.y.size:
        raise IdentificationError(
            f"{basis.shape[1]} instruments for {problem.y.size} units fit the lagged response exactly: use fewer "
            "regressors, a smaller instrument_lags=, more units, or method='ml'."
        )
    return basis, first_stage(problem.Wy[0], basis, problem.k)


def _basis(instruments: NDArray[np.float64] | None, Z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Instruments, or exogenous regressors as their own."""
    return np.linalg.qr(Z)[0] if instruments is None else instruments


@dataclass(frozen=True, slots=True)
class _Filtered:
    """Two-stage least squares of the data filtered at lambda.

    Attributes
    ----------
    stage
        The estimate.
    T
        The coefficients are off by ``T'e``, shape (n, K).
    Z
        ``(I - lambda M) Z``, shape (n, K).
    exogenous
        Whether all regressors are: the coefficients are then uncorrelated with the quadratic moments.
    """

    stage: TwoStage
    T: NDArray[np.float64]
    Z: NDArray[np.float64]
    exogenous: bool

    @classmethod
    def at(cls, data: _Data, lam: float, basis: NDArray[np.float64] | None) -> _Filtered:
        y, Z = data.filtered(lam)
        stage = two_stage(y, Z, _basis(basis, Z))
        return cls(stage, stage.projected @ solve_triangular(stage.R, np.eye(len(stage.R))).T, Z, basis is None)

    def adds(self, ops: Operators, e: NDArray[np.float64]) -> NDArray[np.float64]:
        """``a_r = -2 T Z'A_r e``: what estimated coefficients add to the moments, shape (n, 2)."""
        if self.exogenous:
            return np.zeros((len(e), 2))
        return np.asarray(self.T @ np.column_stack([-2.0 * (self.Z.T @ (A @ e)) for A in ops.matrices]))


def _with_spatial_error(
    problem: Problem,
    data: _Data,
    initial: MomentEstimate,
    *,
    variances: Variances,
    basis: NDArray[np.float64] | None,
) -> _Found:
    """Steps 1b, 2a and 2b of Arraiz et al. (2010), section 3, and the covariance at the end."""
    if problem.error_weights is None:
        raise ValueError("a model with a spatial error has weights")
    ops = Operators.of(problem.error_weights.sparse, variances)
    bounds = log_determinant(problem.error_weights).bounds
    rough = minimise(Conditions.of(ops, *data.residuals(initial.stage.coefficients)), bounds).lam
    rough = float(np.clip(rough, _INITIAL * bounds[0], _INITIAL * bounds[1]))
    second = _Filtered.at(data, rough, basis)
    u, Mu = data.residuals(second.stage.coefficients)
    e = u - rough * Mu
    conditions = Conditions.of(ops, u, Mu)
    best = minimise(conditions, bounds, variance=variance_of_moments(ops, e, second.adds(ops, e)))
    e = u - best.lam * Mu
    if best.inside:
        last = _Filtered.at(data, best.lam, basis)
        covariance = joint_covariance(ops, conditions, lam=best.lam, e=e, a=last.adds(ops, e), T=last.T)
        stage = replace(last.stage, coefficients=second.stage.coefficients, u=e)
    else:
        covariance = np.full((data.Z.shape[1] + 1,) * 2, np.nan)
        stage = second.stage
    record = Optimization(
        parameter="lambda",
        start=rough,
        path=(rough, best.lam),
        evaluations=2,
        status="converged" if best.inside else "at bound",
        gradient=0.0,
        bounds=bounds,
    )
    moments = replace(initial, stage=stage, variances=variances, errors_covariance=covariance)
    return _found(problem, moments, lam=best.lam, e=e, record=record)


def _found(
    problem: Problem,
    moments: MomentEstimate,
    *,
    lam: float,
    e: NDArray[np.float64],
    record: Optimization = CLOSED_FORM,
) -> _Found:
    k = problem.k
    coefficients = moments.stage.coefficients
    rho = float(coefficients[k]) if problem.spec.lag_y else 0.0
    return _Found(coefficients[:k], rho, lam, e, moments, record)


def _finish(problem: Problem, found: _Found, *, logdet: Method) -> Estimate:
    if not found.sigma2 > ROUNDING:
        raise IdentificationError("The regressors fit the response exactly: there is no error left to model.")
    names, params, jacobian = to_original(problem, found)
    size = jacobian.shape[1]
    estimate = Estimate(
        problem=problem,
        names=names,
        params=params,
        bread=np.full((len(names), len(names)), np.nan),
        scaled_bread=np.full((size, size), np.nan),
        jacobian=jacobian,
        rho=found.rho,
        lam=found.lam,
        delta=found.delta,
        sigma2_scaled=found.sigma2,
        e=found.e[None, :],
        loglik=float("nan"),
        optimization=found.record,
        logdet=_log_determinant(problem, logdet),
        moments=found.moments,
    )
    _warn(estimate)
    kind = "robust" if found.moments.variances == "different" else "classical"
    return replace(estimate, bread=covariance_of_moments(estimate, kind))


def _log_determinant(problem: Problem, method: Method) -> LogDeterminant | None:
    if not problem.spec.lag_y or problem.weights is None:
        return None
    return log_determinant(problem.weights, method)


def _warn(estimate: Estimate) -> None:
    """Say what two-stage least squares does not prevent: weak instruments, rho where no process is stable."""
    first = None if estimate.moments is None else estimate.moments.first
    if first is None or estimate.logdet is None:
        return
    if first.F < WEAK:
        warnings.warn(
            f"The instruments of the lagged response are weak (first-stage F({first.df}, {first.df_resid}) = "
            f"{first.F:.2f}, below {WEAK:g}): rho is imprecise and biased towards least squares, and its interval "
            "covers less than it says. Prefer method='ml', a model with fewer spatial terms, or more units.",
            EstimationWarning,
            stacklevel=4,
        )
    low, high = estimate.logdet.bounds
    if not low < estimate.rho < high:
        warnings.warn(
            f"rho = {estimate.rho:.4f} lies outside its admissible interval ({low:.4f}, {high:.4f}), which two-stage "
            "least squares does not know: effects are not defined.",
            EstimationWarning,
            stacklevel=4,
        )
