"""Two-stage least squares on arrays: estimate, covariance under any dependence of the errors, tests of instruments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import qr, solve_triangular
from scipy.special import chdtrc

from spatial_de.errors import IdentificationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Meat = Callable[["NDArray[np.float64]"], "NDArray[np.float64]"]
_REDUNDANT = 1e-11  # of its size: what is left of an instrument that the others make up
_UNDETERMINED = 1e-12  # of its size: what instruments and other regressors leave of a regressor


@dataclass(frozen=True, slots=True)
class TwoStage:
    """An instrumental variables estimate of ``y = Z d + u`` with instruments H.

    Attributes
    ----------
    coefficients
        d, shape (K,).
    u
        Residuals ``y - Z d`` (not of the projected regressors), shape (n,).
    basis
        Orthonormal basis of the instruments, shape (n, L).
    inner
        ``basis' Z``, shape (L, K).
    projected
        Orthonormal basis of the projected regressors ``P_H Z = projected R``, shape (n, K).
    R
        Its triangular factor, shape (K, K).
    """

    coefficients: NDArray[np.float64]
    u: NDArray[np.float64]
    basis: NDArray[np.float64]
    inner: NDArray[np.float64]
    projected: NDArray[np.float64]
    R: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ChiSquare:
    """A test statistic with its degrees of freedom and p-value."""

    statistic: float
    df: int
    p_value: float


@dataclass(frozen=True, slots=True)
class FirstStage:
    """F test that the instruments left out of the model do not explain W y, with its degrees of freedom."""

    F: float
    df: int
    df_resid: int


def instrument_basis(Z: NDArray[np.float64], extra: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orthonormal basis of exogenous regressors and further instruments, redundant ones left out.

    Parameters
    ----------
    Z
        Exogenous regressors, shape (n, k), of full rank.
    extra
        Further instruments, shape (n, m), any rank.

    Returns
    -------
    array, shape (n, L)
        The first k columns span Z.
    """
    own = np.linalg.qr(Z)[0]
    left = extra - own @ (own.T @ extra)
    left -= own @ (own.T @ left)
    size = np.linalg.norm(extra, axis=0)
    norm = np.linalg.norm(left, axis=0)
    left = left[:, norm > _REDUNDANT * size] / norm[norm > _REDUNDANT * size]
    if not left.shape[1]:
        return own
    found, R, _ = qr(left, mode="economic", pivoting=True)
    independent = np.abs(np.diag(R)) > _REDUNDANT * abs(R[0, 0])
    found = found[:, : int(independent.sum())]
    return np.hstack([own, np.linalg.qr(found - own @ (own.T @ found))[0]])


def two_stage(y: NDArray[np.float64], Z: NDArray[np.float64], basis: NDArray[np.float64]) -> TwoStage:
    """Two-stage least squares of y, shape (n,), on Z, shape (n, K), with an orthonormal basis of the instruments.

    Raises
    ------
    IdentificationError
        The instruments do not determine the coefficients.
    """
    inner = basis.T @ Z
    projected, R = np.linalg.qr(basis @ inner)
    few = basis.shape[1] < Z.shape[1]
    if few or (np.abs(np.diag(R)) <= _UNDETERMINED * np.linalg.norm(Z, axis=0)).any():
        raise IdentificationError(
            "The instruments do not determine the coefficients: use more units, other regressors, or method='ml'."
        )
    coefficients = solve_triangular(R, projected.T @ y)
    return TwoStage(coefficients, y - Z @ coefficients, basis, inner, projected, R)


def sandwich(fit: TwoStage, meat: Meat) -> NDArray[np.float64]:
    """Covariance of the coefficients, shape (K, K).

    Parameters
    ----------
    fit
        The estimate.
    meat
        From q columns h, shape (n, q), to the variance of ``h'u``, shape (q, q).
    """
    bread = solve_triangular(fit.R, np.eye(len(fit.R)))
    return np.asarray(bread @ meat(fit.projected) @ bread.T)


def overidentification(fit: TwoStage, meat: Meat) -> ChiSquare | None:
    """Hansen's test that instruments and errors are uncorrelated; None where instruments are as few as coefficients.

    The minimum of ``g' S^-1 g`` over the coefficients, with ``g = H'u`` and S its variance at the two-stage
    estimate: with one variance of all errors Sargan's ``n u'P_H u / u'u``.

    References
    ----------
    Hansen, L. P. (1982). *Econometrica* 50, 1029-1054, section 4.
    """
    L, K = fit.inner.shape
    if L == K:
        return None
    beyond = np.linalg.qr(fit.inner, mode="complete")[0][:, K:]  # combinations of instruments that the estimate leaves
    directions = fit.basis @ beyond
    left = directions.T @ fit.u
    statistic = float(left @ np.linalg.solve(meat(directions), left))
    return ChiSquare(statistic, L - K, float(chdtrc(L - K, statistic)))


def first_stage(endogenous: NDArray[np.float64], basis: NDArray[np.float64], k: int) -> FirstStage:
    """F test of the instruments beyond the first k (the exogenous regressors) in the regression of W y, shape (n,)."""
    n, L = basis.shape
    parts = basis.T @ endogenous
    left = endogenous - basis @ parts
    F = float(parts[k:] @ parts[k:]) / (L - k) / (float(left @ left) / (n - L)) if n > L else float("nan")
    return FirstStage(F, L - k, n - L)
