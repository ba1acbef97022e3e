"""Random unit effects by exact maximum likelihood: from a problem to a plain estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spatial_de.errors import IdentificationError
from spatial_de.logdet import Method, log_determinant
from spatial_de.models.estimate import Estimate, Information, UnitEffects, invert_information, log_jacobians
from spatial_de.models.random_covariance import expected_random_information
from spatial_de.models.random_likelihood import RandomLikelihood, RandomPoint
from spatial_de.models.random_search import maximise_random
from spatial_de.models.reparametrise import to_original
from spatial_de.panel.transforms import within

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.problem import Problem


def estimate_random(problem: Problem, *, information: Information = "observed", logdet: Method = "auto") -> Estimate:
    """Maximum likelihood estimate with random unit effects.

    Where the variance of the unit effects is estimated as zero, the information and everything that rests on it is
    that of the other parameters given zero.

    Parameters
    ----------
    problem
        Lagged, scaled data of a panel with ``random`` effects.
    information
        ``"observed"`` or ``"expected"``.
    logdet
        How the log-determinant is computed, see `logdet.log_determinant`.

    Raises
    ------
    ConvergenceError
        No maximum was found.
    IdentificationError
        Fewer units than coefficients of what differs between them, or an exact fit.
    CapacityError
        The form needs dense matrices of too many units.

    References
    ----------
    Anselin, L. (1988). *Spatial Econometrics: Methods and Models*, section 10.2.
    Baltagi, B. H., Song, S. H. and Koh, W. (2003). *Journal of Econometrics* 117, 123-150 (``"bsk"``).
    Kapoor, M., Kelejian, H. H. and Prucha, I. R. (2007). *Journal of Econometrics* 140, 97-130 (``"kkp"``).
    Elhorst, J. P. (2014). *Spatial Econometrics*, section 3.3.2.
    """
    _refuse_few_units(problem)
    likelihood = random_likelihood(problem, logdet=logdet)
    point, record = maximise_random(likelihood)
    names, params, jacobian = _to_user(problem, point)
    size = jacobian.shape[1]
    scaled_bread = np.full((size, size), np.nan)
    if record.converged:
        info = (
            likelihood.information(point)
            if information == "observed"
            else expected_random_information(problem, likelihood, point)
        )
        kept = [j for j in range(size) if j != size - 2 or point.omega > 0.0]
        scaled_bread = np.zeros((size, size))
        scaled_bread[np.ix_(kept, kept)] = invert_information(info[np.ix_(kept, kept)], point.plain, record)
    v, predicted = _decompose(problem, likelihood, point)
    through_errors = predicted if likelihood.spread.compressible else _filtered(problem, point, predicted)
    lag = problem.weights if problem.spec.lag_y else None
    effects = UnitEffects(omega=point.omega, predicted=predicted, v=v)
    return Estimate(
        problem=problem,
        names=names,
        params=params,
        bread=effects.without_zero(jacobian @ scaled_bread @ jacobian.T),
        scaled_bread=scaled_bread,
        jacobian=jacobian,
        rho=point.plain.rho,
        lam=point.plain.lam,
        delta=point.plain.delta,
        sigma2_scaled=point.plain.sigma2,
        e=v - through_errors,
        loglik=point.loglik - problem.n * float(np.log(problem.y_scale)),
        optimization=record,
        logdet=None if lag is None else log_determinant(lag, logdet),
        random=effects,
    )


def random_likelihood(problem: Problem, *, logdet: Method = "auto") -> RandomLikelihood:
    """The likelihood of a problem with random effects."""
    lag, error = log_jacobians(problem, logdet=logdet)
    return RandomLikelihood.of(problem, lag=lag, error=error)


def _refuse_few_units(problem: Problem) -> None:
    """Without a residual of the unit means nothing tells the variance of unit effects."""
    means = problem.Z.mean(axis=0)
    rank = int(np.linalg.matrix_rank(means, tol=1e-10 * np.sqrt(len(means)))) if problem.k else 0
    if len(means) - problem.drop_unit_root <= rank:
        raise IdentificationError(
            f"{len(means)} units cannot determine {rank} coefficients of what differs between units and the variance "
            "of unit effects besides: use fewer regressors, or fixed effects."
        )


def _to_user(problem: Problem, point: RandomPoint) -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.float64]]:
    """Names, values (p,) and Jacobian (p, k + s + 2) of the reported parameters, sigma2_mu before sigma2."""
    names, params, plain = to_original(problem, point.plain)
    factor = problem.y_scale**2 / problem.y.shape[0]
    sigma2, tau = point.plain.sigma2, float(np.expm1(point.omega))
    jacobian = np.zeros((plain.shape[0] + 1, plain.shape[1] + 1))
    rows, columns = ([*range(size - 1), size] for size in plain.shape)
    jacobian[np.ix_(rows, columns)] = plain
    jacobian[-2, -2:] = factor * (1.0 + tau) * sigma2, factor * tau
    return (*names[:-1], "sigma2_mu", names[-1]), np.insert(params, -1, factor * tau * sigma2), jacobian


def _decompose(
    problem: Problem, likelihood: RandomLikelihood, point: RandomPoint
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``v = B (A y - Z delta)``, shape (T, N), and the best linear unbiased predictions of the unit effects, (N,).

    Of effects that share the spatial error ``(1 - 1 / (1 + tau)) mean_t(v)``, of effects beside it
    ``tau B' K^-1 mean_t(v)`` (Goldberger 1962).
    """
    p = point.plain
    v = problem.y - problem.Z @ p.delta
    if problem.Wy is not None:
        v = v - p.rho * problem.Wy
    if problem.MZ is not None and problem.My is not None:
        Mu = problem.My - problem.MZ @ p.delta
        if problem.MWy is not None:
            Mu = Mu - p.rho * problem.MWy
        v = v - p.lam * Mu
    means, spread = v.mean(axis=0), likelihood.spread
    if spread.compressible:
        return v, -np.expm1(-point.omega) * means
    solved = spread.rotate_back(point.kernel.lift(point.kernel.half(spread.rotate(means))))
    return v, np.expm1(point.omega) * _filtered(problem, point, solved, transposed=True)


def _filtered(
    problem: Problem, point: RandomPoint, x: NDArray[np.float64], *, transposed: bool = False
) -> NDArray[np.float64]:
    """``B x`` or ``B' x``, without its mean where time effects were eliminated."""
    if problem.error_weights is None:
        raise ValueError("a model without a spatial error has no filter")
    M = problem.error_weights.sparse
    filtered: NDArray[np.float64] = x - point.plain.lam * ((M.T if transposed else M) @ x)
    return np.asarray(within(filtered[None, :], problem.eliminated)[0])
