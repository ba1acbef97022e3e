"""Functions of rho that are costly to evaluate, interpolated over many draws of rho."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.errors import ConvergenceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROOM = 0.2  # of the way to the nearest bound
_NODES = (8, 16, 32, 64, 128)
_AGREEMENT = 1e-10


def curves(
    exact: Callable[[float], NDArray[np.float64]], rho: NDArray[np.float64], *, poles: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values and slopes of q functions of rho at r values, each of shape (r, q).

    Chebyshev polynomials of rising degree, until two agree to 1e-10. The functions go to infinity at the ends of the
    admissible interval: with the poles there taken off, they are smooth.

    Parameters
    ----------
    exact
        The functions at one rho, shape (q,).
    rho
        Values of the spatial parameter, shape (r,).
    poles
        The admissible interval.

    Raises
    ------
    ConvergenceError
        No degree is enough: rho comes too close to its bound.
    """
    low, high = float(rho.min()), float(rho.max())
    if low == high:  # room for a slope
        reach = _ROOM * min(low - poles[0], poles[1] - high)
        low, high = low - reach, high + reach
    smooth = _taken_off(rho, poles)
    d_smooth = 2.0 * rho / poles[0] / poles[1] - 1.0 / poles[0] - 1.0 / poles[1]
    before: NDArray[np.float64] | None = None
    for count in _NODES:
        nodes = 0.5 * (low + high) + 0.5 * (high - low) * np.cos((np.arange(count) + 0.5) * np.pi / count)
        table = np.array([exact(float(x)) for x in nodes]) * _taken_off(nodes, poles)[:, None]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", np.exceptions.RankWarning)  # two degrees that agree are the check
            fitted = [np.polynomial.Chebyshev.fit(nodes, column, count - 1, domain=[low, high]) for column in table.T]
        values = np.column_stack([curve(rho) / smooth for curve in fitted])
        scale = np.abs(values).max(axis=0, initial=1e-300)
        if before is not None and (np.abs(values - before) <= _AGREEMENT * (np.abs(values) + scale)).all():
            slopes = np.column_stack([curve.deriv()(rho) for curve in fitted])
            return values, (slopes - values * d_smooth[:, None]) / smooth[:, None]
        before = values
    raise ConvergenceError(
        "Effects cannot be interpolated over the draws of rho, which come too close to its bound: use "
        "inference='delta'.",
        {"rho": (low, high)},
    )


def _taken_off(rho: NDArray[np.float64], poles: tuple[float, float]) -> NDArray[np.float64]:
    return np.asarray((1.0 - rho / poles[0]) * (1.0 - rho / poles[1]))
