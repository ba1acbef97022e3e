"""Variance of the score where errors are independent but not normal, or not of one variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.models.information import expected_information, score_operators

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.estimate import Estimate
    from spatial_de.models.problem import Problem

_NONE_LEFT = 1e-6  # of a third power: what effects leave of it is rounding


@dataclass(frozen=True, slots=True)
class Cumulants:
    """Third and fourth cumulants of the errors, zero for normal ones."""

    third: float
    fourth: float


def quasi_likelihood(estimate: Estimate) -> NDArray[np.float64]:
    """Variance of the score when errors are independent with one variance but not normal, scaled parameters.

    Scores are ``e'Q e + L'e`` plus constants, so that their variance exceeds the information of normal errors by
    ``k4 sum_i Q_ii^2 + 2 k3 sum_i Q_ii L_i``, with the cumulants k3 and k4 of the errors. Where effects were taken out,
    Q and L are those of the errors before. Errors of different variance are not allowed for: under them maximum
    likelihood is not consistent for rho.

    Returns
    -------
    array, shape (k + s + 1, k + s + 1)

    References
    ----------
    Lee, L.-F. (2004). *Econometrica* 72, 1899-1925, equation (3.4).
    Lee, L.-F. and Yu, J. (2010). *Journal of Econometrics* 154, 165-185, appendix B.
    """
    problem, s2 = estimate.problem, estimate.sigma2_scaled
    # the direct likelihood counts observations that effects took; the errors' variance is larger than its sigma2
    taken = 1.0 / _left(problem) if problem.bias == "none" else 1.0
    moments = cumulants(problem, estimate.e, taken * s2)
    diagonal, linear = _diagonals(estimate)
    skewed = np.einsum("tia,tib->ab", diagonal, linear)
    extra: NDArray[np.float64] = moments.fourth * np.einsum("tia,tib->ab", diagonal, diagonal)
    extra += moments.third * (skewed + skewed.T)
    return np.asarray(taken * expected_information(problem, estimate, sigma2=s2) + extra)


def white(estimate: Estimate) -> NDArray[np.float64]:
    """Variance of the score of a linear model when errors are independent with any variances; factor n / (n - k).

    References
    ----------
    White, H. (1980). *Econometrica* 48, 817-838. MacKinnon, J. and White, H. (1985). *Journal of Econometrics* 29,
    305-325 (HC1).
    """
    problem, e, s2 = estimate.problem, estimate.e, estimate.sigma2_scaled
    counted = problem.n / problem.layout.n * problem.layout.ones
    own = (e**2 / (2.0 * s2**2) - counted / (2.0 * s2))[:, :, None]
    cells = np.concatenate([problem.Z * e[:, :, None] / s2, own], axis=2).reshape(e.size, -1)
    meat = cells.T @ cells
    meat *= problem.n_free / (problem.n_free - problem.k)
    return np.asarray(meat)


def cumulants(problem: Problem, e: NDArray[np.float64], sigma2: float) -> Cumulants:
    """Cumulants of the errors from residuals of which effects were taken out.

    A residual is ``sum_j a_j e_j`` over the cells of its unit and its time, so that its cumulants are those of the
    errors times ``sum_j a_j^p``. `sigma2` is the variance of the errors.
    """
    second, third, fourth = (_left(problem, power) for power in (2, 3, 4))
    skewness = float(np.mean(e**3)) / third if abs(third) > _NONE_LEFT else 0.0
    return Cumulants(skewness, (float(np.mean(e**4)) - 3.0 * (second * sigma2) ** 2) / fourth)


def _left(problem: Problem, power: int = 2) -> float:
    """``sum_j a_j^power`` of a residual; by default the share of the variance that effects leave."""
    T, N = problem.y.shape
    over_time = _weights(T, present=problem.eliminated in {"individual", "two-way"})
    over_units = _weights(N, present=problem.eliminated in {"time", "two-way"})
    return float((over_time**power).sum() * (over_units**power).sum())


def _weights(size: int, *, present: bool) -> NDArray[np.float64]:
    """A row of the matrix that takes out means, or of the identity."""
    row = np.zeros(size)
    row[0] = 1.0
    return row - 1.0 / size if present else row


def _diagonals(estimate: Estimate) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Diagonals of the quadratic parts and the linear parts of all scores, each of shape (T, N, k + s + 1)."""
    problem, s2 = estimate.problem, estimate.sigma2_scaled
    T, N = estimate.e.shape
    k, size = problem.k, len(estimate.scaled_bread)
    timed = problem.eliminated in {"time", "two-way"}
    left = 1.0 - 1.0 / T if problem.eliminated in {"individual", "two-way"} else 1.0
    diagonal, linear = np.zeros((T, N, size)), np.zeros((T, N, size))
    linear[:, :, :k] = (problem.Z if problem.MZ is None else problem.Z - estimate.lam * problem.MZ) / s2
    operators = score_operators(problem, estimate)
    for i, (Q, L) in enumerate(zip(operators.quadratic, operators.linear, strict=True)):
        centred = Q - Q.mean(axis=0) - Q.mean(axis=1, keepdims=True) + Q.mean() if timed else Q
        diagonal[:, :, k + i] = left * np.diag(centred) / s2
        linear[:, :, k + i] = L / s2
    diagonal[:, :, -1] = left * (1.0 - 1.0 / N if timed else 1.0) / (2.0 * s2**2)
    return diagonal, linear
