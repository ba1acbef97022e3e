"""Score tests: what the likelihood of a larger model says at the estimates of a smaller one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.errors import IdentificationError
from spatial_de.models.bias import expected_spatial_scores
from spatial_de.models.estimate import make_likelihood
from spatial_de.models.information import expected_information, information_without_dependence, innovations, traced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from spatial_de.models.estimate import Estimate
    from spatial_de.models.problem import Problem
    from spatial_de.weights import SpatialWeights

_DENSE_UNITS = 1000
_SMALLEST_SHARE = 1e-10  # information below this share of what it was before partialling out is rounding


@dataclass(frozen=True, slots=True)
class Scores:
    """Score and information of the parameters of a larger model at the estimates of a smaller one.

    Attributes
    ----------
    names
        Parameters: regressors, then rho and lambda where the larger model has them, then sigma2.
    score
        Derivatives of the log-likelihood, shape (p,). Where effects are estimated and the bias corrected, the
        expectation under the null is taken off.
    information
        Expected or observed information, shape (p, p).
    held
        Parameters that are zero in the smaller model; all others are estimated in it.
    """

    names: tuple[str, ...]
    score: NDArray[np.float64]
    information: NDArray[np.float64]
    held: tuple[str, ...]

    def statistic(self, tested: Sequence[str], *, robust_to: Sequence[str] = ()) -> float:
        """``s' V^-1 s`` of some of the parameters that are zero in the smaller model.

        Parameters
        ----------
        tested
            Parameters that are zero under the null.
        robust_to
            Parameters of the same kind that may locally be different from zero (Bera and Yoon 1993).

        Raises
        ------
        IdentificationError
            The effects, or the parameters in `robust_to`, leave nothing of the tested ones.
        """
        score, information = self._efficient([*tested, *robust_to])
        q = len(tested)
        own, other = slice(0, q), slice(q, None)
        score_tested, variance = score[own], information[own, own]
        if robust_to:
            slope = np.linalg.solve(information[other, other], information[other, own]).T
            score_tested = score_tested - slope @ score[other]
            left = variance - slope @ information[other, own]
            if (np.diag(left) <= _SMALLEST_SHARE * np.diag(variance)).any():
                raise IdentificationError(
                    f"Given {_words(robust_to)}, nothing is left to test of {_words(tested)}: as without regressors "
                    "that explain anything, where a spatial lag cannot be told from a spatial error."
                )
            variance = left
        size = np.sqrt(np.diag(variance))  # units of the regressors cannot matter
        standardised = score_tested / size
        correlation = variance / np.outer(size, size)
        if np.linalg.eigvalsh(correlation)[0] <= _SMALLEST_SHARE:
            raise IdentificationError(f"{_words(tested).capitalize()} cannot be told from each other: no joint test.")
        return float(standardised @ np.linalg.solve(correlation, standardised))

    def _efficient(self, chosen: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Score and information of parameters held at zero, those estimated partialled out."""
        tested = [self.names.index(name) for name in chosen]
        nuisance = [i for i, name in enumerate(self.names) if name not in self.held]
        full = self.information
        own, cross = full[np.ix_(tested, tested)], full[np.ix_(nuisance, tested)]
        slope = np.linalg.solve(full[np.ix_(nuisance, nuisance)], cross).T
        information = own - slope @ cross
        if (np.diag(information) <= _SMALLEST_SHARE * np.diag(own)).any():
            raise IdentificationError(
                "Once the effects are taken out, the spatial lag is a multiple of the variable itself: these weights "
                "leave no spatial dependence to test for. Use other weights or fewer effects."
            )
        return self.score[tested] - slope @ self.score[nuisance], information


@dataclass(frozen=True, slots=True)
class _Null:
    """Estimates under the null."""

    delta: NDArray[np.float64]
    rho: float
    lam: float


def scores_without_dependence(problem: Problem) -> Scores:
    """Scores of a larger model at least squares without lagged regressors, rho = lambda = 0.

    Sparse products only: for any number of units.

    Parameters
    ----------
    problem
        The larger model, on a balanced panel or a cross-section.

    Notes
    -----
    Everything follows from the likelihood that `fit` maximises. For a cross-section, a pooled panel and
    ``bias="none"`` this gives the classical statistics. After the transformation of Lee and Yu the traces count
    what it leaves: ``(T - 1) tr(WW + W'W)`` for individual effects; with time effects eliminated ``JW`` takes the
    place of W, ``J = I - 11'/N``, and the score of rho and lambda has the term ``-tr(JW)``. Where time effects are
    estimated by dummies (W not row-stochastic, or ``bias="correction"``), residuals have fewer dimensions than the
    likelihood counts, so that the score is not centred on zero: its expectation is taken off.
    """
    own = [j for j, name in enumerate(problem.names) if name not in lagged_names(problem)]
    Q, R = np.linalg.qr(problem.Z.reshape(-1, problem.k)[:, own])
    delta = np.zeros(problem.k)
    delta[own] = np.linalg.solve(R, Q.T @ problem.y.ravel())
    point = _Null(delta, 0.0, 0.0)
    residual = problem.y.ravel() - Q @ (Q.T @ problem.y.ravel())
    sigma2 = float(residual @ residual) / _counted(problem)
    information = information_without_dependence(problem, point, sigma2=sigma2)
    traces = np.array([-_trace(problem, w.sparse) for w in _weights(problem)])
    score = _score(problem, point, traces, sigma2=sigma2)
    return Scores(_names(problem), score, information, held=(*lagged_names(problem), *_spatial(problem)))


def scores_beside(problem: Problem, estimate: Estimate) -> Scores:
    """Scores of a model with lag and error at an estimate of the model with one of the two.

    The information is the expected one, which needs dense matrices, up to a thousand units; above it is the observed
    one, which has the same limit.

    Parameters
    ----------
    problem
        The larger model, with the regressors of the smaller one.
    estimate
        Of the smaller one.
    """
    point = _Null(estimate.delta, estimate.rho, estimate.lam)
    e = innovations(problem, point)
    sigma2 = float(np.sum(e**2)) / _counted(problem)
    likelihood = make_likelihood(problem)
    if likelihood.lag is None or likelihood.error is None:
        raise ValueError("the larger model has a lag and an error")
    traces = np.array([likelihood.lag.first(point.rho), likelihood.error.first(point.lam)])
    if problem.bias != "none":
        traces = traces - expected_spatial_scores(problem, point)
    if problem.y.shape[1] <= _DENSE_UNITS:
        information = expected_information(problem, point, sigma2=sigma2)
    else:
        information = likelihood.information(likelihood.at(point.rho, point.lam))
    held = tuple(set(_spatial(problem)) - set(_spatial(estimate.problem)))
    return Scores(_names(problem), _score(problem, point, traces, sigma2=sigma2), information, held=held)


def lagged_names(problem: Problem) -> list[str]:
    """Labels of the lagged regressors."""
    return [f"W_{problem.design.x_names[j]}" for j in problem.lagged]


def _spatial(problem: Problem) -> list[str]:
    """Spatial parameters of a model."""
    return [name for name, present in (("rho", problem.spec.lag_y), ("lambda", problem.spec.lag_error)) if present]


def _names(problem: Problem) -> tuple[str, ...]:
    return (*problem.names, *_spatial(problem), "sigma2")


def _weights(problem: Problem) -> list[SpatialWeights]:
    """Weights of the lag, then of the error, where the model has them."""
    parts = ((problem.spec.lag_y, problem.weights), (problem.spec.lag_error, problem.error_weights))
    return [w for present, w in parts if present and w is not None]


def _counted(problem: Problem) -> int:
    """Divisor of the variance: the residuals' dimensions where the likelihood is cleared of the effects."""
    return problem.n if problem.bias == "none" else problem.n_free


def _trace(problem: Problem, w: csr_array) -> float:
    """What the score of a spatial parameter expects of ``e'We / sigma2`` at zero.

    The derivative of the log-determinant; where estimated effects leave the residuals fewer dimensions than the
    likelihood counts, the trace over the dimensions left.
    """
    if problem.bias == "none":
        return problem.periods * traced(w, centred=problem.drop_unit_root)
    individual, times = problem.effects in {"individual", "two-way"}, problem.effects in {"time", "two-way"}
    return (len(problem.y) - individual) * traced(w, centred=times)


def _score(problem: Problem, point: _Null, traces: NDArray[np.float64], *, sigma2: float) -> NDArray[np.float64]:
    e = innovations(problem, point)
    BZ = problem.Z if problem.MZ is None else problem.Z - point.lam * problem.MZ
    directions = []
    if problem.spec.lag_y and problem.Wy is not None:
        directions.append(problem.Wy if problem.MWy is None else problem.Wy - point.lam * problem.MWy)
    if problem.My is not None and problem.MZ is not None:
        Mu = problem.My - problem.MZ @ point.delta
        directions.append(Mu if problem.MWy is None else Mu - point.rho * problem.MWy)
    of_spatial = traces + np.array([float(np.sum(a * e)) for a in directions]) / sigma2
    of_variance = float(np.sum(e**2)) / (2.0 * sigma2**2) - _counted(problem) / (2.0 * sigma2)
    return np.concatenate([np.einsum("tni,tn->i", BZ, e) / sigma2, of_spatial, [of_variance]])


def _words(names: Sequence[str]) -> str:
    known = {"rho": "a spatial lag", "lambda": "a spatial error"}
    return " and ".join(dict.fromkeys(known.get(name, "spatially lagged regressors") for name in names))
