"""Expected information and cluster-robust covariance under random unit effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.errors import OptionError
from spatial_de.models.information import score_operators

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.estimate import Estimate
    from spatial_de.models.problem import Problem
    from spatial_de.models.random_likelihood import RandomLikelihood, RandomPoint

AVAILABLE = ("classical", "cluster")


def expected_random_information(
    problem: Problem, likelihood: RandomLikelihood, point: RandomPoint
) -> NDArray[np.float64]:
    """Expected information of (delta, rho, lambda, omega, sigma2) in scaled units, shape (k + s + 2,) squared.

    ``tr(V^-1 V_x V^-1 V_y) / 2`` plus the part of the mean, with V the covariance of ``A y`` in the coordinates of
    ``v = B (A y - Z delta)``: ``sigma2 I`` for T - 1 deviations and ``sigma2 K`` for the means.
    """
    p, (T, N) = point.plain, problem.y.shape
    k, spec, s2 = problem.k, problem.spec, point.plain.sigma2
    size = k + int(spec.lag_y) + int(spec.lag_error) + 2
    zero, eye = np.zeros((N, N)), np.eye(N) - (1.0 / N if problem.drop_unit_root else 0.0)
    K, K_lam, K_omega = (part * eye if part.size == 1 else part for part in likelihood.spread.dense(p.lam, point.omega))
    regular = K + (np.eye(N) - eye)  # the direction that was left out holds nothing
    within, between = [], []
    moved = [problem.Z if problem.MZ is None else problem.Z - p.lam * problem.MZ]
    if spec.lag_y or spec.lag_error:
        operators = score_operators(problem, p)
        moved += [L[:, :, None] for L in operators.linear]
        for i, Q in enumerate(operators.quadratic):
            own = K_lam if spec.lag_error and i == len(operators.quadratic) - 1 else zero
            within.append(Q + Q.T)
            between.append(Q @ K + K @ Q.T + own)
    within += [zero, eye / s2]
    between += [K_omega, K / s2]
    halves = [np.linalg.solve(regular, D) for D in between]
    info = np.zeros((size, size))
    for i, (one, half) in enumerate(zip(within, halves, strict=True)):
        for j, (other, also) in enumerate(zip(within, halves, strict=True)):
            info[k + i, k + j] = 0.5 * ((T - 1) * np.sum(one * other.T) + np.sum(half * also.T))
    columns = np.concatenate(moved, axis=2)
    means = columns.mean(axis=0)
    deviations = columns - means
    m = columns.shape[2]
    info[:m, :m] += np.einsum("tni,tnj->ij", deviations, deviations) / s2
    info[:m, :m] += T * means.T @ np.linalg.solve(regular, means) / s2
    return info


@dataclass(frozen=True, slots=True)
class UnitScores:
    """Scores of the scaled parameters by units and pairs of units.

    Attributes
    ----------
    own
        What a unit adds by itself, shape (N, k + s + 2).
    pairs
        What units i and j > i add together to the scores of the s spatial parameters, zero elsewhere, shape (s, N, N).
    """

    own: NDArray[np.float64]
    pairs: NDArray[np.float64]


def unit_scores(estimate: Estimate) -> UnitScores:
    """Scores ``v' (C x Q) v`` plus linear parts less their expectation, taken apart.

    ``C = I_T - (1 - 1/(1 + tau)) J_T / T`` is the inverse covariance over time. This needs v to be independent between
    units: no spatial error, or one that the unit effects share.
    """
    problem, random, s2 = estimate.problem, estimate.random, estimate.sigma2_scaled
    if random is None:
        raise ValueError("an estimate without random effects has scores of its own")
    v, (T, N) = random.v, random.v.shape
    shrink = np.exp(-random.omega)
    means = v.mean(axis=0)
    weighted = v - (1.0 - shrink) * means
    squares = np.sum(v * weighted, axis=0)
    BZ = problem.Z if problem.MZ is None else problem.Z - estimate.lam * problem.MZ
    own = [np.einsum("tnk,tn->nk", BZ, weighted) / s2]
    pairs = np.zeros((0, N, N))
    if problem.spec.lag_y or problem.spec.lag_error:
        operators = score_operators(problem, estimate)
        for Q, L in zip(operators.quadratic, operators.linear, strict=True):
            diagonal = np.diag(Q)
            own.append(((np.sum(L * weighted, axis=0) + diagonal * squares) / s2 - T * diagonal)[:, None])
        products = np.triu(v.T @ weighted, 1) / s2
        pairs = np.stack([(Q + Q.T) * products for Q in operators.quadratic])
    counted = problem.n / (T * N)  # time effects taken out by transformation leave N - 1 of N
    own.append((0.5 * T * shrink * means**2 / s2 - 0.5 * counted)[:, None])
    own.append((squares / (2.0 * s2**2) - T * counted / (2.0 * s2))[:, None])
    return UnitScores(np.hstack(own), pairs)


def cluster_of_random_effects(estimate: Estimate) -> NDArray[np.float64]:
    """Variance of the score when units are independent, with any correlation over time within them.

    As in `covariance`, own terms of units and pairs of units are uncorrelated. Factor N / (N - 1).

    Returns
    -------
    array, shape (k + s + 2, k + s + 2)
    """
    scores = unit_scores(estimate)
    meat = scores.own.T @ scores.own
    first, s = estimate.problem.k, len(scores.pairs)
    meat[first : first + s, first : first + s] += np.einsum("aij,bij->ab", scores.pairs, scores.pairs)
    N = len(scores.own)
    return np.asarray(meat * (N / (N - 1)))


def random_covariance(estimate: Estimate, kind: str) -> NDArray[np.float64]:
    """Covariance of the reported parameters, shape (p, p).

    Raises
    ------
    OptionError
        The covariance is not defined for this form.
    """
    if estimate.random is None or kind == "classical":
        return estimate.bread
    if kind not in AVAILABLE:
        raise OptionError(
            f"cov={kind!r} is not available with random effects, which tie all times of a unit together: use "
            "cov='classical' or 'cluster' (by unit), or fixed effects."
        )
    if estimate.problem.random == "bsk" and estimate.problem.spec.lag_error:
        raise OptionError(
            "cov='cluster' is not available for random='bsk' with a spatial error, where the unit effects stand beside "
            "it and neither the errors nor their filtered form are independent between units: use random='kkp', or "
            "cov='classical'."
        )
    middle = estimate.scaled_bread @ cluster_of_random_effects(estimate) @ estimate.scaled_bread
    return estimate.random.without_zero(estimate.jacobian @ middle @ estimate.jacobian.T)
