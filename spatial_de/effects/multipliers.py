"""What a coefficient of X or W X is multiplied with to give the direct and the total effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.effects.other_weights import of_other_weights
from spatial_de.effects.totals import totals
from spatial_de.logdet import LogDeterminant, log_determinant

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.weights import SpatialWeights


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
    the derivatives of the log-determinant, the totals from ``1/(1 - rho)`` where rows add up to one and from `totals`
    elsewhere.

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
        bounds = (logdet or log_determinant(w)).bounds if rho.any() else (-np.inf, np.inf)
        total, d_total = totals(w, rho, bounds=bounds)
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
