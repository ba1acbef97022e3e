"""Responses of a spatial process with given parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spatial_de.logdet.factors import sparse_lu

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.weights import SpatialWeights

_FEW = 1000  # units up to which dense solutions are faster


def simulate(
    mean: NDArray[np.float64],
    errors: NDArray[np.float64],
    *,
    w: SpatialWeights | None = None,
    rho: float = 0.0,
    error_weights: SpatialWeights | None = None,
    lam: float = 0.0,
) -> NDArray[np.float64]:
    """``y = (I - rho W)^-1 (mean + (I - lambda M)^-1 e)`` at each time, for many draws of e.

    Parameters
    ----------
    mean
        ``X beta + W X theta`` and effects, shape (T, N) or that of `errors`.
    errors
        Shape (R, T, N).
    w, rho
        Weights of the lagged response and its coefficient.
    error_weights, lam
        Weights of the spatial error and its coefficient.

    Returns
    -------
    array, shape (R, T, N)
    """
    return _solve(w, rho, mean + _solve(error_weights, lam, errors))


def _solve(w: SpatialWeights | None, value: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(I - value W)^-1 x`` along the last axis, with one factorisation."""
    if w is None or value == 0.0:
        return x
    flat = x.reshape(-1, w.n).T
    if w.n <= _FEW:
        return np.linalg.solve(np.eye(w.n) - value * w.sparse.toarray(), flat).T.reshape(x.shape)
    from scipy.sparse import eye_array

    factor = sparse_lu(eye_array(w.n, format="csc") - value * w.sparse.tocsc())
    return np.asarray(factor.solve(flat)).T.reshape(x.shape)
