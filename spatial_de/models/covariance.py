"""Covariance matrices of an estimate: a registry of functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from spatial_de.errors import IdentificationError, OptionError
from spatial_de.models.information import score_operators
from spatial_de.models.moments import covariance_of_moments, kernel_sum, refuse_negative
from spatial_de.models.random_covariance import random_covariance
from spatial_de.models.sandwich import quasi_likelihood, white
from spatial_de.panel.layout import Cells
from spatial_de.wording import check_whole, name_some

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from spatial_de.models.estimate import Estimate

Covariance = Literal["classical", "robust", "cluster", "cluster-time", "cluster-two-way", "driscoll-kraay", "hac"]
_OF_CROSS_SECTIONS = ("classical", "robust")
_ILL_CONDITIONED = 3e5  # condition number of the regressors at which sandwiches keep some four digits
_OF_UNITS = ("cluster", "cluster-two-way")


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of the scaled parameters at the estimate.

    Attributes
    ----------
    cells
        Contribution of each unit and time, shape (T, N, k + s + 1). Those of the spatial parameters hold the own
        part of the quadratic form (``Q_ii e_it^2``) and its expectation.
    cross
        Matrices ``(Q + Q') / sigma2`` of the s spatial parameters without diagonal, shape (s, N, N), or (s, T, N, N)
        where they change over time.
    """

    cells: NDArray[np.float64]
    cross: NDArray[np.float64]


def covariance(
    estimate: Estimate, kind: Covariance, *, bandwidth: int | None = None, kernel: csr_array | None = None
) -> NDArray[np.float64]:
    """Covariance matrix of the reported parameters, shape (p, p).

    Parameters
    ----------
    estimate
        An estimate; those by the method of moments have covariances of their own (`moments.covariance_of_moments`).
    kind
        ``"classical"`` inverts the information. ``"robust"``: see `sandwich.quasi_likelihood` and `sandwich.white`.
        ``"cluster"`` allows any correlation over time within units, ``"cluster-time"`` any correlation between units
        within times, ``"cluster-two-way"`` both. ``"driscoll-kraay"`` allows any correlation between units and
        autocorrelation up to `bandwidth` times. ``"hac"`` allows correlation between near units of a cross-section.
    bandwidth
        Lags of the Bartlett kernel of Driscoll-Kraay; by default ``floor(4 (T / 100)^(2/9))``.
    kernel
        Weights of pairs of units for ``"hac"``, zero on the diagonal, shape (N, N).

    Raises
    ------
    OptionError
        The covariance needs a panel, or more times.
    IdentificationError
        A difference of covariances leaves a negative variance, or regressors are too nearly collinear for a sandwich.
    """
    if bandwidth is not None and kind != "driscoll-kraay":
        raise OptionError(f"bandwidth={bandwidth!r} belongs to cov='driscoll-kraay', not to cov={kind!r}.")
    if estimate.moments is not None:
        return covariance_of_moments(estimate, kind, kernel=kernel)
    if estimate.random is not None:
        return random_covariance(estimate, kind)
    if kind == "classical":
        return estimate.bread
    if kind == "hac":
        return _hac(estimate, kernel)
    T, N = estimate.e.shape
    if T < 2 and kind not in _OF_CROSS_SECTIONS:
        raise OptionError(f"cov={kind!r} needs a panel with at least two times; use cov='classical'.")
    if N < 2 and kind in _OF_UNITS:
        raise OptionError(f"cov={kind!r} needs at least two units; the panel has {N}. Use cov='classical'.")
    _refuse_lost_digits(estimate, kind)
    meat = _MEATS[kind](estimate, bandwidth)
    middle = estimate.scaled_bread @ meat @ estimate.scaled_bread.T
    out: NDArray[np.float64] = estimate.jacobian @ middle @ estimate.jacobian.T
    negative = [name for name, variance in zip(estimate.names, np.diag(out), strict=True) if variance < 0.0]
    if negative:
        raise IdentificationError(
            f"cov={kind!r} gives {name_some(negative)} a negative variance with {N} units and {T} times: use "
            "cov='cluster' or 'driscoll-kraay'."
        )
    return out


def default_bandwidth(n_times: int) -> int:
    """``floor(4 (T / 100)^(2/9))`` (Newey and West 1994; Hoechle 2007, section 3)."""
    return int(4.0 * (n_times / 100.0) ** (2.0 / 9.0))


def _cluster(estimate: Estimate, _bandwidth: int | None) -> NDArray[np.float64]:
    """Variance of the score when units are independent but their errors are correlated over time.

    With ``P_ij = sum_t e_it e_jt`` the quadratic part of a spatial score is ``sum_ij Q_ij P_ij``. For independent
    units its terms are uncorrelated across pairs {i, j}, so that the variance is the sum of the squared own terms
    (together with the linear part) and of the squared pair terms ``(Q_ij + Q_ji) P_ij``. Adding up scores by unit
    alone, as for linear models, would miss the pairs. Factor N / (N - 1).
    """
    scores = _scores(estimate)
    own = scores.cells.sum(axis=0)
    meat: NDArray[np.float64] = own.T @ own
    s = len(scores.cross)
    if s:
        start = meat.shape[0] - 1 - s
        meat[start:-1, start:-1] += _squared_pairs(scores.cross, estimate.e)
    N = own.shape[0]
    return np.asarray(meat * (N / (N - 1)))


def _cluster_time(estimate: Estimate, _bandwidth: int | None) -> NDArray[np.float64]:
    """Variance of the score when times are independent. Factor T / (T - 1)."""
    _refuse_two_times(estimate, "cluster-time")
    by_time = _by_time(estimate)
    T = len(by_time)
    return np.asarray(by_time.T @ by_time * (T / (T - 1)))


def _cluster_two_way(estimate: Estimate, _bandwidth: int | None) -> NDArray[np.float64]:
    """Units plus times minus their intersection; each with its own factor. It need not be positive definite.

    References
    ----------
    Cameron, A. C., Gelbach, J. B. and Miller, D. L. (2011). *Journal of Business & Economic Statistics* 29, 238-249,
    equation (2.11).
    """
    scores = _scores(estimate)
    cells = scores.cells.reshape(estimate.e.size, -1)
    both = cells.T @ cells
    s = len(scores.cross)
    if s:
        start = both.shape[0] - 1 - s
        both[start:-1, start:-1] += sum(
            _squared_pairs(scores.cross if scores.cross.ndim == 3 else scores.cross[:, t : t + 1], e[None])
            for t, e in enumerate(estimate.e)
        )
    n = estimate.problem.layout.n
    return np.asarray(_cluster(estimate, None) + _cluster_time(estimate, None) - both * (n / (n - 1)))


def _squared_pairs(cross: NDArray[np.float64], e: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over pairs of units of ``sum_t Q_ij e_it e_jt``, squared, of each two spatial parameters, shape (s, s)."""
    if cross.ndim == 3:
        squares = np.triu((e.T @ e) ** 2, 1)
        return np.asarray(np.einsum("aij,bij,ij->ab", cross, cross, squares))
    pairs = np.triu(np.einsum("atij,ti,tj->aij", cross, e, e), 1)
    return np.asarray(np.einsum("aij,bij->ab", pairs, pairs))


def _refuse_lost_digits(estimate: Estimate, kind: str) -> None:
    """The two inverses of a sandwich lose twice the digits that the condition number costs."""
    bread = estimate.scaled_bread[: estimate.problem.k, : estimate.problem.k]
    if not bread.size or not np.isfinite(bread).all():
        return
    condition = float(np.sqrt(np.linalg.cond(bread)))
    if condition > _ILL_CONDITIONED:
        raise IdentificationError(
            f"The regressors are too nearly collinear for cov={kind!r} (condition number {condition:.0e}): its digits "
            "would be lost. Leave one of the collinear regressors out, or use cov='classical'."
        )


def _refuse_two_times(estimate: Estimate, kind: str) -> None:
    if estimate.e.shape[0] < 3 and estimate.problem.effects in {"individual", "two-way"}:
        raise OptionError(
            f"cov={kind!r} is not defined for two times with individual effects: both times have the same "
            "scores, and their variance is zero. Use cov='cluster'."
        )


def _driscoll_kraay(estimate: Estimate, bandwidth: int | None) -> NDArray[np.float64]:
    """Bartlett-weighted long-run variance of the scores added up over units at each time.

    References
    ----------
    Driscoll, J. C. and Kraay, A. C. (1998). *Review of Economics and Statistics* 80, 549-560, equation (7).
    """
    T = estimate.e.shape[0]
    _refuse_two_times(estimate, "driscoll-kraay")
    lags = default_bandwidth(T) if bandwidth is None else bandwidth
    check_whole(lags, "bandwidth", least=0)
    if lags >= T:
        raise OptionError(f"bandwidth={bandwidth!r} must lie between 0 and T - 1 = {T - 1}.")
    by_time = _by_time(estimate)
    meat: NDArray[np.float64] = by_time.T @ by_time
    for lag in range(1, lags + 1):
        weight = 1.0 - lag / (lags + 1.0)
        shifted = by_time[lag:].T @ by_time[:-lag]
        meat += weight * (shifted + shifted.T)
    return meat


def _by_time(estimate: Estimate) -> NDArray[np.float64]:
    """Scores added up over units, deviations from their mean over times, shape (T, k + s + 1)."""
    scores = _scores(estimate)
    by_time = scores.cells.sum(axis=1)
    if len(scores.cross):
        start = by_time.shape[1] - 1 - len(scores.cross)
        products = "ti,aij,tj->ta" if scores.cross.ndim == 3 else "ti,atij,tj->ta"
        by_time[:, start:-1] += 0.5 * np.einsum(products, estimate.e, scores.cross, estimate.e)
    return np.asarray(by_time - by_time.mean(axis=0))


def _robust(estimate: Estimate, _bandwidth: int | None) -> NDArray[np.float64]:
    spec = estimate.problem.spec
    if (spec.lag_y or spec.lag_error) and isinstance(estimate.problem.layout, Cells):
        raise OptionError(
            f"cov='robust' of model={spec.name!r} needs a balanced panel under one W, whose residuals show the "
            "cumulants of the errors: use cov='cluster' here."
        )
    return quasi_likelihood(estimate) if spec.lag_y or spec.lag_error else white(estimate)


def _hac(estimate: Estimate, kernel: csr_array | None) -> NDArray[np.float64]:
    """Covariance of a linear model whose errors are correlated between near units; no small-sample factor.

    References
    ----------
    Conley, T. G. (1999). *Journal of Econometrics* 92, 1-45. Kelejian, H. H. and Prucha, I. R. (2007). *Journal of
    Econometrics* 140, 131-154.
    """
    spec = estimate.problem.spec
    if estimate.problem.design.is_panel:
        raise OptionError("cov='hac' is for cross-sections: use 'driscoll-kraay' or 'cluster' for panels.")
    if spec.lag_y or spec.lag_error:
        advice = "use method='gmm'" if not spec.lag_error else "use model='ols' or 'slx', or 'sar' or 'sdm' by 'gmm'"
        raise OptionError(
            f"cov='hac' is not available for model={spec.name!r} with method='ml', whose likelihood takes the errors "
            f"to be independent: {advice}."
        )
    if kernel is None:
        raise ValueError("the weights of pairs are missing")
    bread = estimate.jacobian @ estimate.scaled_bread
    out: NDArray[np.float64] = bread @ kernel_sum(_scores(estimate).cells[0], kernel) @ bread.T
    refuse_negative(out, estimate.names, "hac")
    return out


def _scores(estimate: Estimate) -> Scores:
    problem, e, s2 = estimate.problem, estimate.e, estimate.sigma2_scaled
    N = e.shape[1]
    BZ = problem.Z if problem.MZ is None else problem.Z - estimate.lam * problem.MZ
    parts = [BZ * e[:, :, None] / s2]
    cross = np.zeros((0, N, N))
    if problem.spec.lag_y or problem.spec.lag_error:
        operators = score_operators(problem, estimate)
        for Q, L in zip(operators.quadratic, operators.linear, strict=True):
            own = np.diagonal(Q, axis1=-2, axis2=-1)
            parts.append(((L * e + own * e**2) / s2 - own * operators.counted)[:, :, None])
        eye = np.eye(N)
        cross = np.stack([(Q + np.swapaxes(Q, -2, -1)) * (1.0 - eye) / s2 for Q in operators.quadratic])
    counted = problem.n / problem.layout.n * problem.layout.ones
    parts.append((e**2 / (2.0 * s2**2) - counted / (2.0 * s2))[:, :, None])
    return Scores(cells=np.concatenate(parts, axis=2), cross=cross)


_MEATS: dict[str, Callable[[Estimate, int | None], NDArray[np.float64]]] = {
    "robust": _robust,
    "cluster": _cluster,
    "cluster-time": _cluster_time,
    "cluster-two-way": _cluster_two_way,
    "driscoll-kraay": _driscoll_kraay,
}
COVARIANCES: tuple[str, ...] = ("classical", *_MEATS, "hac")
