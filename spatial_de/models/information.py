"""Expected information, and the operators that scores of spatial models are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from spatial_de.errors import CapacityError
from spatial_de.logdet import DENSE_LIMIT
from spatial_de.models.moving import Filtered, cells_of
from spatial_de.panel.layout import Cells
from spatial_de.panel.transforms import Effects, within
from spatial_de.weights.stacked import StackedWeights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from scipy import sparse

    from spatial_de.models.problem import Problem
    from spatial_de.weights import SpatialWeights


class Parameters(Protocol):
    """Where scores and information are evaluated: a point of the likelihood, an estimate, or a restricted one."""

    @property
    def rho(self) -> float:
        """Spatial lag."""

    @property
    def lam(self) -> float:
        """Spatial error."""

    @property
    def delta(self) -> NDArray[np.float64]:
        """Coefficients of Z, scaled."""


@dataclass(frozen=True, slots=True)
class ScoreOperators:
    """How the score of each spatial parameter depends on the errors e of the transformed model.

    The score of spatial parameter i is ``[sum_t e_t' Q_i e_t + L_i' e] / sigma2 - trace``.

    Attributes
    ----------
    quadratic
        ``K = B G B^-1`` with ``G = W A^-1`` for rho, ``H = M B^-1`` for lambda; each of shape (N, N), with the
        mean over units taken out where the likelihood is that of the orthonormal transformation. Where W changes over
        time, or units are missing, of shape (T, N, N).
    linear
        ``B G E[A y]`` for rho, zero for lambda; each of shape (T, N), transformed like the data.
    counted
        Share of ``Q_ii`` that is the expectation of ``Q_ii e_it^2 / sigma2``: a number, or of shape (T, N).
    """

    quadratic: tuple[NDArray[np.float64], ...]
    linear: tuple[NDArray[np.float64], ...]
    counted: float | NDArray[np.float64]


def score_operators(problem: Problem, point: Parameters) -> ScoreOperators:
    """Operators at an estimate; dense (N, N) matrices."""
    if isinstance(problem.layout, Cells):
        return _operators_on_cells(problem, point)
    quadratic, linear = [], []
    W, M = problem.dense_weights()
    eye = np.eye(len(W))
    B = eye - point.lam * M
    if problem.spec.lag_y:
        G = np.linalg.solve((eye - point.rho * W).T, W.T).T if point.rho else W
        linear.append(within(_lagged_mean(problem, point, G) @ B.T, _mean_effects(problem)))
        quadratic.append(B @ np.linalg.solve(B.T, G.T).T if point.lam else G)
    if problem.spec.lag_error:
        linear.append(np.zeros_like(problem.y))
        quadratic.append(np.linalg.solve(B.T, M.T).T if point.lam else M)
    if problem.drop_unit_root:
        quadratic = [Q - Q.mean(axis=0) for Q in quadratic]
    return ScoreOperators(tuple(quadratic), tuple(linear), problem.periods / len(problem.y))


def _lagged_mean(problem: Problem, point: Parameters, G: NDArray[np.float64] | sparse.csr_array) -> NDArray[np.float64]:
    """``G E[A y]``, shape (T, N), before effects are taken out."""
    mean = problem.Z @ point.delta
    if _absorbs_constant(problem):
        return np.asarray((G @ mean.T).T)
    mean = mean + (problem.y_centre - point.rho * problem.Wy_centre) / problem.y_scale
    return np.asarray((G @ mean.T).T - problem.Wy_centre / problem.y_scale)


def _operators_on_cells(problem: Problem, point: Parameters) -> ScoreOperators:
    """Operators of each time, among the units that are there.

    The linear part is what projecting ``B W y`` leaves beyond ``K e``: estimated effects are in it as they are in the
    score.
    """
    through, cells = Filtered.at(problem, point.lam), cells_of(problem)
    T, N = cells.present.shape
    if T * N**2 > DENSE_LIMIT**2:
        raise CapacityError(
            f"This needs {T} dense matrices of {N:,} x {N:,} units, {8 * T * N**2 / 1e9:.1f} GB: use cov='classical'."
        )
    K, H = (np.zeros((T, N, N)) for _ in range(2))
    for t, here in enumerate(cells.present):
        W, M = (_block(w, t) for w in (problem.weights, problem.error_weights))
        eye, on = np.eye(here.sum()), np.ix_(here, here)
        B = eye - point.lam * M if problem.spec.lag_error else eye
        off = _off_time(B, problem)
        if problem.spec.lag_y:
            G = np.linalg.solve((eye - point.rho * W).T, W.T).T
            K[t][on] = off @ B @ np.linalg.solve(B.T, G.T).T
        if problem.spec.lag_error:
            H[t][on] = off @ np.linalg.solve(B.T, M.T).T
    quadratic, linear = [], []
    if problem.spec.lag_y and problem.Wy is not None:
        a = problem.Wy if problem.MWy is None else problem.Wy - point.lam * problem.MWy
        rows = cells.pick(a - np.einsum("tij,tj->ti", K, innovations(problem, point)))
        quadratic.append(K)
        linear.append(cells.spread(through.projection(rows)))
    if problem.spec.lag_error:
        quadratic.append(H)
        linear.append(np.zeros_like(problem.y))
    share = cells.ones
    if problem.bias != "none" and problem.effects in {"individual", "two-way"}:
        share = share * (1.0 - 1.0 / np.maximum(cells.present.sum(axis=0), 1))
    return ScoreOperators(tuple(quadratic), tuple(linear), share)


def _block(w: SpatialWeights | None, t: int) -> NDArray[np.float64]:
    """Weights of one time, dense."""
    if not isinstance(w, StackedWeights):
        raise TypeError("weights of cells are stacked")
    return np.asarray(w.blocks[t].sparse.toarray())


def _off_time(B: NDArray[np.float64], problem: Problem) -> NDArray[np.float64]:
    """The projection off the dummy of one time where the likelihood is adjusted for it, else the identity."""
    if problem.bias == "none" or problem.effects not in {"time", "two-way"}:
        return np.eye(len(B))
    direction = B.sum(axis=1)
    return np.asarray(np.eye(len(B)) - np.outer(direction, direction) / (direction @ direction))


def innovations(problem: Problem, point: Parameters) -> NDArray[np.float64]:
    """``B (A y - Z delta)`` of the transformed model, shape (T, N)."""
    Ay = problem.y if problem.Wy is None else problem.y - point.rho * problem.Wy
    e = Ay - problem.Z @ point.delta
    if problem.MZ is not None and problem.My is not None:
        Mu = problem.My - problem.MZ @ point.delta
        if problem.MWy is not None:
            Mu = Mu - point.rho * problem.MWy
        e = e - point.lam * Mu
    return e


def _absorbs_constant(problem: Problem) -> bool:
    """Whether the constant taken out of y drops out of ``G E[A y]``: leaving it out keeps digits at large offsets."""
    row_stochastic = problem.weights is not None and problem.weights.is_row_stochastic
    return row_stochastic or problem.eliminated in {"individual", "two-way"}


def _mean_effects(problem: Problem) -> Effects:
    """Effects taken out of ``G Z delta``.

    The published information matrix of the direct form keeps the period means of ``G Z delta`` (Elhorst 2014,
    equation 3.31), which differ from zero where the columns of W do not add up to one. It is kept as published:
    its standard errors are smaller than those of the full information with dummies, the more so the smaller the
    panel.
    """
    if problem.drop_unit_root or problem.eliminated not in {"time", "two-way"}:
        return problem.eliminated
    return "individual" if problem.eliminated == "two-way" else "none"


def expected_information(problem: Problem, point: Parameters, *, sigma2: float) -> NDArray[np.float64]:
    """Expected information of (delta, rho, lambda, sigma2) in scaled units, shape (k + s + 1,) squared.

    `sigma2` is the variance at the point.

    References
    ----------
    Ord (1975); Anselin (1988), *Spatial Econometrics: Methods and Models*, section 6.3.
    Lee, L.-F. and Yu, J. (2010). Estimation of spatial autoregressive panel data models with fixed effects.
    *Journal of Econometrics* 154, 165-185, equation (13) for transformed data.
    """
    BZ = problem.Z if problem.MZ is None else problem.Z - point.lam * problem.MZ
    if not (problem.spec.lag_y or problem.spec.lag_error):
        return _assembled(problem, BZ, [], traces=(np.zeros(0), np.zeros((0, 0))), sigma2=sigma2)
    operators = score_operators(problem, point)
    own = np.array([np.trace(Q) for Q in operators.quadratic])
    pairs = [[np.sum(Q * P.T) + np.sum(Q * P) for P in operators.quadratic] for Q in operators.quadratic]
    return _assembled(problem, BZ, operators.linear, traces=(own, np.array(pairs)), sigma2=sigma2)


def information_without_dependence(problem: Problem, point: Parameters, *, sigma2: float) -> NDArray[np.float64]:
    """`expected_information` at rho = lambda = 0 of a balanced panel: sparse products only, for any number of units."""
    linear, lags = [], []
    if problem.spec.lag_y and problem.weights is not None:
        lags.append(problem.weights.sparse)
        linear.append(within(_lagged_mean(problem, point, lags[-1]), _mean_effects(problem)))
    if problem.spec.lag_error and problem.error_weights is not None:
        lags.append(problem.error_weights.sparse)
        linear.append(np.zeros_like(problem.y))
    centred = problem.drop_unit_root
    own = np.array([traced(Q, centred=centred) for Q in lags])
    pairs = np.array([[traced_pair(Q, P, centred=centred) for P in lags] for Q in lags])
    return _assembled(problem, problem.Z, linear, traces=(own, pairs), sigma2=sigma2)


def traced(Q: sparse.csr_array, *, centred: bool) -> float:
    """``tr Q``, or ``tr J Q`` with ``J = I - 11'/N``."""
    return float(Q.trace() - (Q.sum() / Q.shape[0] if centred else 0.0))


def traced_pair(Q: sparse.csr_array, P: sparse.csr_array, *, centred: bool = False) -> float:
    """``tr(QP + QP')``, or the same of ``JQ`` and ``JP``."""
    total = float((Q * P.T).sum() + (Q * P).sum())
    if not centred:
        return total
    N = Q.shape[0]
    left_q, left_p, right_q, right_p = Q.sum(axis=0), P.sum(axis=0), Q.sum(axis=1), P.sum(axis=1)
    means = (left_q @ right_p + left_p @ right_q + left_q @ left_p) / N
    return float(total - means + Q.sum() * P.sum() / N**2)


def _assembled(
    problem: Problem,
    BZ: NDArray[np.float64],
    linear: Sequence[NDArray[np.float64]],
    *,
    traces: tuple[NDArray[np.float64], NDArray[np.float64]],
    sigma2: float,
) -> NDArray[np.float64]:
    """The matrix from the linear parts of the scores, ``tr Q_i`` (s,), and ``tr(Q_i Q_j + Q_i Q_j')`` (s, s)."""
    k, s, s2 = problem.k, len(linear), sigma2
    own, pairs = traces
    info = np.zeros((k + s + 1, k + s + 1))
    info[:k, :k] = np.einsum("tni,tnj->ij", BZ, BZ) / s2
    info[-1, -1] = problem.n / (2.0 * s2**2)
    for i, L in enumerate(linear):
        info[:k, k + i] = info[k + i, :k] = np.einsum("tni,tn->i", BZ, L) / s2
        info[k + i, -1] = info[-1, k + i] = problem.periods * own[i] / s2
        for j, other in enumerate(linear):
            info[k + i, k + j] = problem.periods * pairs[i, j] + np.sum(L * other) / s2
    return info
