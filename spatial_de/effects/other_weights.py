"""Multipliers of regressors that are lagged by other weights than the response."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from spatial_de.effects.curves import curves
from spatial_de.logdet import log_determinant
from spatial_de.logdet.factors import sparse_lu

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.weights import SpatialWeights

_FEW_UNITS = 1500  # up to here dense inverses; above, sparse factorisations
_STEP = 1e-30  # of complex differentiation: exact to rounding

Quadruple = tuple["NDArray[np.float64]", "NDArray[np.float64]", "NDArray[np.float64]", "NDArray[np.float64]"]


def of_other_weights(w: SpatialWeights | None, v: SpatialWeights, rho: NDArray[np.float64]) -> Quadruple:
    """``tr(S V) / n`` and ``1'S V 1 / n`` with their derivatives with respect to rho, each of shape (r,).

    Derivatives are ``tr(S W S V) / n`` and ``1'S W S V 1 / n``. Many values of rho are interpolated.

    Parameters
    ----------
    w
        Weights of the lagged response; None for a model without one.
    v
        Weights of the lagged regressors, in the order of the units of `w`.
    rho
        Values of the spatial parameter, shape (r,).
    """
    if w is None or not rho.any():
        slope = np.zeros(2) if w is None else _slopes_at_zero(w, v)
        flat = np.full_like(rho, v.sparse.sum() / v.n)
        return np.zeros_like(rho), np.full_like(rho, slope[0]), flat, np.full_like(rho, slope[1])
    few = w.n <= _FEW_UNITS
    if few and np.ptp(rho) == 0.0:
        values = _dense(w, v)(float(rho[0]))
        trace, d_trace, total, d_total = (np.full_like(rho, value) for value in values)
        return trace, d_trace, total, d_total
    exact = _dense(w, v) if few else _sparse(w, v)
    values, slopes = curves(lambda x: exact(x)[[0, 2]], rho, poles=log_determinant(w).bounds)
    return values[:, 0], slopes[:, 0], values[:, 1], slopes[:, 1]


def _slopes_at_zero(w: SpatialWeights, v: SpatialWeights) -> NDArray[np.float64]:
    product = w.sparse @ v.sparse
    return np.array([product.trace(), product.sum()]) / v.n


def _dense(w: SpatialWeights, v: SpatialWeights) -> Callable[[float], NDArray[np.float64]]:
    W, V, n = w.sparse.toarray(), v.sparse.toarray(), w.n

    def at(rho: float) -> NDArray[np.float64]:
        SV = np.linalg.solve(np.eye(n) - rho * W, V)
        moved = np.linalg.solve(np.eye(n) - rho * W, W @ SV)
        return np.array([np.trace(SV), np.trace(moved), SV.sum(), moved.sum()]) / n

    return at


def _sparse(w: SpatialWeights, v: SpatialWeights) -> Callable[[float], NDArray[np.float64]]:
    """The derivative of the trace with respect to rho stays undefined: the interpolation gives it."""
    from scipy.sparse import eye_array

    identity, W, V, n = eye_array(w.n, format="csc"), w.sparse.tocsc(), v.sparse.tocsc(), w.n
    ones = np.ones(n)

    def at(rho: float) -> NDArray[np.float64]:
        factor = sparse_lu(identity - rho * W)
        lagged = factor.solve(V @ ones)
        trace = trace_of_product(W, V, rho) / n
        return np.array([trace, np.nan, lagged.mean(), factor.solve(W @ lagged).mean()])

    return at


def trace_of_product(W: Any, V: Any, rho: float) -> float:
    """``tr((I - rho W)^-1 V)`` of sparse matrices, exact to rounding.

    A derivative of a determinant, ``d ln|A - e V| / de = -tr(A^-1 V)``, by a complex step: no inverse is formed.
    """
    from scipy.sparse import eye_array

    A = eye_array(W.shape[0], format="csc") - rho * W
    pivots = sparse_lu(A - 1j * _STEP * V).U.diagonal()
    return -float((pivots.imag / pivots.real).sum()) / _STEP
