"""What a coefficient of X or W X is multiplied with to give the direct and the total effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.effects.other_weights import of_other_weights
from spatial_de.logdet import LogDeterminant, log_determinant

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.weights import SpatialWeights

_FEW = 4  # values of rho solved one by one
_NODES = (24, 48, 96, 192)
_AGREEMENT = 1e-11
_MANY_UNITS = 5000
_CONVERGES, _ROUNDING = 0.97, 1e-18  # largest row sum of rho W for which powers are added up, and down to what


@dataclass(frozen=True, slots=True)
class Multipliers:
    """Multipliers at r values of rho, each of shape (r,), with ``S = (I - rho W)^-1``.

    Attributes
    ----------
    direct_beta, direct_theta
        ``tr(S) / n`` and ``tr(S V) / n``, V the weights of the lagged regressors.
    total_beta, total_theta
        ``1'S1 / n`` and ``1'S V 1 / n``.
    d_direct_beta, d_direct_theta, d_total_beta, d_total_theta
        Their derivatives with respect to rho.
    """

    direct_beta: NDArray[np.float64]
    direct_theta: NDArray[np.float64]
    total_beta: NDArray[np.float64]
    total_theta: NDArray[np.float64]
    d_direct_beta: NDArray[np.float64]
    d_direct_theta: NDArray[np.float64]
    d_total_beta: NDArray[np.float64]
    d_total_theta: NDArray[np.float64]


def multipliers(
    w: SpatialWeights | None,
    rho: NDArray[np.float64],
    *,
    logdet: LogDeterminant | None = None,
    durbin: SpatialWeights | None = None,
) -> Multipliers:
    """Multipliers of direct and total effects for any W, islands included.

    From ``S = I + rho S W``: the multipliers of beta are one plus rho times those of theta. The traces come from
    the derivatives of the log-determinant, the totals from ``1/(1 - rho)`` where rows add up to one and from
    solutions of ``(I - rho W) x = W 1`` elsewhere.

    Parameters
    ----------
    w
        Weights, or None for a model without spatial terms.
    rho
        Values of the spatial parameter, shape (r,); all zero for models without a spatial lag.
    logdet
        The log-determinant whose derivatives give the traces; by default the one of `log_determinant`.
    durbin
        Weights of the lagged regressors where these are not `w`; their traces come from solutions.

    References
    ----------
    LeSage, J. and Pace, R. K. (2009). *Introduction to Spatial Econometrics*, section 2.7.
    """
    nothing = np.zeros_like(rho)
    trace = d_trace = total = d_total = nothing
    if w is not None:
        trace, d_trace = _trace(w, rho, logdet)
        total, d_total = _total(w, rho)
    theta = (trace, d_trace, total, d_total)
    if durbin is not None and durbin is not w:
        theta = of_other_weights(w, durbin, rho)
    return Multipliers(
        direct_beta=1.0 + rho * trace,
        direct_theta=theta[0],
        total_beta=1.0 + rho * total,
        total_theta=theta[2],
        d_direct_beta=trace + rho * d_trace,
        d_direct_theta=theta[1],
        d_total_beta=total + rho * d_total,
        d_total_theta=theta[3],
    )


def _trace(
    w: SpatialWeights, rho: NDArray[np.float64], logdet: LogDeterminant | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``tr(S W) / n`` and its derivative."""
    if not rho.any():
        square = (w.sparse * w.sparse.T).sum() / w.n  # tr(W W); tr(W) is zero
        return np.zeros_like(rho), np.full_like(rho, square)
    logdet = logdet or log_determinant(w)
    return -logdet.first(rho) / w.n, -logdet.second(rho) / w.n


def _total(w: SpatialWeights, rho: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``1'S W 1 / n`` and its derivative."""
    if w.is_row_stochastic:
        return 1.0 / (1.0 - rho), 1.0 / (1.0 - rho) ** 2
    if np.ptp(rho) == 0.0:
        total, slope = _solve_totals(w, rho[:1])
        return np.full_like(rho, total[0]), np.full_like(rho, slope[0])
    if len(rho) <= _FEW:
        return _solve_totals(w, rho)
    reach = float(np.abs(rho).max() * abs(w.sparse).sum(axis=1).max())
    if w.n > _MANY_UNITS and reach < _CONVERGES:
        return _add_up_totals(w, rho, terms=int(np.log(_ROUNDING) / np.log(reach)) + 2)
    return _interpolate_totals(w, rho)


def _add_up_totals(
    w: SpatialWeights, rho: NDArray[np.float64], *, terms: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``sum_q rho^q 1'W^(q+1)1 / n``: of many units a product costs far less than a factor."""
    moments, lagged = np.empty(terms), np.ones(w.n)
    for q in range(terms):
        lagged = w.sparse @ lagged
        moments[q] = lagged.mean()
    series = np.polynomial.polynomial
    return np.asarray(series.polyval(rho, moments)), np.asarray(series.polyval(rho, series.polyder(moments)))


def _solve_totals(w: SpatialWeights, rho: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from scipy.sparse import eye_array
    from scipy.sparse.linalg import splu

    identity = eye_array(w.n, format="csc")
    matrix = w.sparse.tocsc()
    totals, slopes = np.empty(len(rho)), np.empty(len(rho))
    for i, value in enumerate(rho):
        factor = splu(identity - value * matrix)
        lagged = factor.solve(w.sparse @ np.ones(w.n))
        totals[i] = lagged.mean()
        slopes[i] = factor.solve(w.sparse @ lagged).mean()
    return totals, slopes


def _interpolate_totals(w: SpatialWeights, rho: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Chebyshev interpolation over the range of many draws, checked at three of them."""
    low, high = float(rho.min()), float(rho.max())
    probes = np.array([rho[0], low, high])
    exact = _solve_totals(w, probes)
    for count in _NODES:
        nodes = 0.5 * (low + high) + 0.5 * (high - low) * np.cos((np.arange(count) + 0.5) * np.pi / count)
        curves = [
            np.polynomial.Chebyshev.fit(nodes, values, count - 1, domain=[low, high])
            for values in _solve_totals(w, nodes)
        ]
        if all(
            np.allclose(curve(probes), values, rtol=_AGREEMENT, atol=0.0)
            for curve, values in zip(curves, exact, strict=True)
        ):
            return curves[0](rho), curves[1](rho)
    return _solve_totals(w, rho)
