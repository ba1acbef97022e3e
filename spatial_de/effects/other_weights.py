"""Multipliers of regressors that are lagged by other weights than the response."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.errors import ConvergenceError
from spatial_de.logdet import log_determinant

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.weights import SpatialWeights

_FEW_UNITS = 1500  # up to here dense inverses; above, sparse factorisations
_ROOM = 0.2  # of the way to the nearest bound
_STEP = 1e-30  # of complex differentiation: exact to rounding
_NODES = (8, 16, 32, 64, 128)
_AGREEMENT = 1e-10

Quadruple = tuple["NDArray[np.float64]", "NDArray[np.float64]", "NDArray[np.float64]", "NDArray[np.float64]"]


def of_other_weights(w: SpatialWeights | None, v: SpatialWeights, rho: NDArray[np.float64]) -> Quadruple:
    """``tr(S V) / n`` and ``1'S V 1 / n`` with their derivatives with respect to rho, each of shape (r,).

    Derivatives are ``tr(S W S V) / n`` and ``1'S W S V 1 / n``. Many values of rho are interpolated in Chebyshev
    polynomials of rising degree until two agree to 1e-10.

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
    low, high = float(rho.min()), float(rho.max())
    poles = log_determinant(w).bounds
    if low == high:  # room for a derivative
        reach = _ROOM * min(low - poles[0], poles[1] - high)
        low, high = low - reach, high + reach
    return _interpolated(_dense(w, v) if few else _sparse(w, v), rho, between=(low, high), poles=poles)


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
    """Traces as derivatives of determinants, ``d ln|A - e V| / de = -tr(A^-1 V)``, by complex steps.

    The derivative of the trace with respect to rho stays undefined: the interpolation gives it.
    """
    from scipy.sparse import eye_array
    from scipy.sparse.linalg import splu

    identity, W, V, n = eye_array(w.n, format="csc"), w.sparse.tocsc(), v.sparse.tocsc(), w.n
    ones = np.ones(n)

    def trace(rho: float) -> float:
        pivots = splu((identity - rho * W - 1j * _STEP * V).tocsc()).U.diagonal()
        return -float((pivots.imag / pivots.real).sum()) / _STEP / n

    def at(rho: float) -> NDArray[np.float64]:
        factor = splu(identity - rho * W)
        lagged = factor.solve(V @ ones)
        return np.array([trace(rho), np.nan, lagged.mean(), factor.solve(W @ lagged).mean()])

    return at


def _interpolated(
    exact: Callable[[float], NDArray[np.float64]],
    rho: NDArray[np.float64],
    *,
    between: tuple[float, float],
    poles: tuple[float, float],
) -> Quadruple:
    """Traces and totals go to infinity at the ends of the admissible interval: taken off there, they are smooth."""
    low, high = between
    smooth, d_smooth = (1.0 - rho / poles[0]) * (1.0 - rho / poles[1]), 2.0 * rho / poles[0] / poles[1]
    d_smooth -= 1.0 / poles[0] + 1.0 / poles[1]
    before: list[NDArray[np.float64]] | None = None
    for count in _NODES:
        nodes = 0.5 * (low + high) + 0.5 * (high - low) * np.cos((np.arange(count) + 0.5) * np.pi / count)
        table = np.array([exact(float(x)) for x in nodes])
        taken = (1.0 - nodes / poles[0]) * (1.0 - nodes / poles[1])
        found = []
        for j in (0, 2):
            curve = np.polynomial.Chebyshev.fit(nodes, table[:, j] * taken, count - 1, domain=[low, high])
            value = curve(rho) / smooth
            found += [value, (curve.deriv()(rho) - value * d_smooth) / smooth]
        if before is not None and all(
            np.allclose(a, b, rtol=_AGREEMENT, atol=_AGREEMENT * np.abs(b).max())
            for a, b in zip(found[::2], before[::2], strict=True)
        ):
            return found[0], found[1], found[2], found[3]
        before = found
    raise ConvergenceError(
        "The effects of regressors with weights of their own cannot be interpolated over the draws of rho, which come "
        "too close to its bound: use inference='delta'.",
        {"rho": between},
    )
