"""``1'(I - rho W)^-1 W 1``: what all total effects are made of, at many values of rho at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spatial_de.logdet.factors import factorised
from spatial_de.logdet.stochastic import lanczos

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from spatial_de.weights import SpatialWeights

_FEW = 4  # values of rho solved one by one
_NODES = (24, 48, 96, 192)
_AGREEMENT = 1e-11
_STEPS = (25, 50, 100, 200, 400)
_POWERS = 1000
_TAIL = 1e-15  # relative, of the powers left out

Pair = tuple["NDArray[np.float64]", "NDArray[np.float64]"]


def totals(w: SpatialWeights, rho: NDArray[np.float64], *, bounds: tuple[float, float]) -> Pair:
    """``1'S W 1 / n`` with ``S = (I - rho W)^-1``, and its derivative ``1'S W S W 1 / n``, both of shape (r,).

    In closed form where the units with links are linked with each other only, so that ``W W 1 = W 1`` (rows that add
    up to one, islands); by Gauss quadrature from the Lanczos method for symmetric weights; from the powers of W where
    these die out quickly enough; else from solutions of ``(I - rho W) x = W 1``, many of them interpolated.

    Parameters
    ----------
    w
        Weights.
    rho
        Values of the spatial parameter, shape (r,).
    bounds
        Admissible interval of rho.

    References
    ----------
    Golub, G. H. and Meurant, G. (2010). *Matrices, Moments and Quadrature with Applications*, chapter 7.
    """
    lagged = w.sparse @ np.ones(w.n)
    if not rho.any():
        return np.full_like(rho, lagged.mean()), np.full_like(rho, (w.sparse @ lagged).mean())
    if w.is_row_stochastic or np.abs(w.sparse @ lagged - lagged).max() <= 1e-15:
        share = 1.0 if w.is_row_stochastic else float(lagged.mean())
        return share / (1.0 - rho), share / (1.0 - rho) ** 2
    found = _by_quadrature(w.sparse, rho) if _is_symmetric(w) else _by_powers(w.sparse, rho, bounds=bounds)
    if found is not None:
        return found
    if len(rho) <= _FEW or np.ptp(rho) == 0.0:
        return solved_totals(w, rho)
    return _interpolated(w, rho)


def _is_symmetric(w: SpatialWeights) -> bool:
    form = w.symmetric_form
    return form is not None and bool(np.allclose(form.data, w.sparse.data, rtol=1e-14, atol=0.0))


def _by_quadrature(W: csr_array, rho: NDArray[np.float64]) -> Pair | None:
    """Nodes theta and weights of the measure that ones see: ``1'f(W) 1 / n = sum_k weight_k f(theta_k)``."""
    ones, before = np.ones((1, W.shape[0])), None
    for steps in _STEPS:
        nodes, weights = (values[0] for values in lanczos(W, ones, steps=steps))
        ratios = nodes / (1.0 - np.multiply.outer(rho, nodes))
        found = (ratios @ weights, ratios**2 @ weights)
        if steps >= W.shape[0] - 1 or (before is not None and np.allclose(found, before, rtol=_AGREEMENT, atol=0.0)):
            return found
        before = found
    return None


def _by_powers(W: csr_array, rho: NDArray[np.float64], *, bounds: tuple[float, float]) -> Pair | None:
    """``sum_j rho^(j-1) 1'W^j 1 / n``; None where too many powers would be needed."""
    unit = min(-bounds[0], bounds[1])  # so that powers neither grow nor shrink in the end
    decay = float(np.abs(rho).max()) / unit
    if decay >= 1.0:
        return None
    vector, moments, size = np.ones(W.shape[0]), [], 0.0
    for j in range(_POWERS):
        vector = unit * (W @ vector)
        moments.append(float(vector.mean()))
        term = decay**j * float(np.sqrt(vector @ vector / len(vector)))
        size = max(size, term)
        if (j + 1) * term <= _TAIL * (1.0 - decay) ** 2 * size:
            series = np.polynomial.Polynomial(moments)
            return series(rho / unit) / unit, series.deriv()(rho / unit) / unit**2
    return None


def solved_totals(w: SpatialWeights, rho: NDArray[np.float64]) -> Pair:
    """Both by sparse solutions at each rho."""
    found = np.empty((2, len(rho)))
    for i, value in enumerate(rho):
        factor = factorised(w.sparse, value)
        lagged = factor.solve(w.sparse @ np.ones(w.n))
        found[:, i] = lagged.mean(), factor.solve(w.sparse @ lagged).mean()
    return found[0], found[1]


def _interpolated(w: SpatialWeights, rho: NDArray[np.float64]) -> Pair:
    """Chebyshev interpolation over the range of many draws, checked at three of them."""
    low, high = float(rho.min()), float(rho.max())
    probes = np.array([rho[0], low, high])
    exact = solved_totals(w, probes)
    for count in _NODES:
        nodes = 0.5 * (low + high) + 0.5 * (high - low) * np.cos((np.arange(count) + 0.5) * np.pi / count)
        curves = [
            np.polynomial.Chebyshev.fit(nodes, values, count - 1, domain=[low, high])
            for values in solved_totals(w, nodes)
        ]
        if all(
            np.allclose(curve(probes), values, rtol=_AGREEMENT, atol=0.0)
            for curve, values in zip(curves, exact, strict=True)
        ):
            return curves[0](rho), curves[1](rho)
    return solved_totals(w, rho)
