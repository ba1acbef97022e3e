"""Functions of rho that are costly to evaluate, interpolated over many draws of rho."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial.chebyshev import chebder, chebvander

from spatial_de.errors import ConvergenceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROOM = 0.03  # of the way to the nearest bound: so near, few nodes are enough
_NODES = (6, 8, 16, 32, 64, 128)
_AGREEMENT = 1e-10
_PROBES = 65  # draws at which two degrees must agree


def curves(
    exact: Callable[[float], NDArray[np.float64]], rho: NDArray[np.float64], *, poles: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values and slopes of q functions of rho at r values, each of shape (r, q).

    Chebyshev polynomials of rising degree, until two agree to 1e-10 over the range of the draws. The functions go to
    infinity at the ends of the admissible interval: with the poles there taken off, they are smooth.

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
    probes = np.quantile(rho, np.linspace(0.0, 1.0, min(_PROBES, len(rho))))
    before: NDArray[np.float64] | None = None
    for count in _NODES:
        angles = (np.arange(count) + 0.5) * np.pi / count
        nodes = 0.5 * (low + high) + 0.5 * (high - low) * np.cos(angles)
        table = np.array([exact(float(x)) for x in nodes]) * _taken_off(nodes, poles)[:, None]
        series = 2.0 / count * np.cos(np.outer(np.arange(count), angles)) @ table
        series[0] *= 0.5
        values = _sum(series, probes, (low, high)) / _taken_off(probes, poles)[:, None]
        scale = np.abs(values).max(axis=0, initial=1e-300)
        if before is not None and (np.abs(values - before) <= _AGREEMENT * (np.abs(values) + scale)).all():
            return _at(series, rho, span=(low, high), poles=poles)
        before = values
    raise ConvergenceError(
        "Effects cannot be interpolated over the draws of rho, which come too close to its bound: use "
        "inference='delta'.",
        {"rho": (low, high)},
    )


def _at(
    series: NDArray[np.float64], rho: NDArray[np.float64], *, span: tuple[float, float], poles: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values and slopes with the poles put back."""
    smooth = _taken_off(rho, poles)[:, None]
    d_smooth = (2.0 * rho / poles[0] / poles[1] - 1.0 / poles[0] - 1.0 / poles[1])[:, None]
    values = _sum(series, rho, span) / smooth
    slopes = _sum(np.asarray(chebder(series, scl=2.0 / (span[1] - span[0])), dtype=np.float64), rho, span)
    return values, (slopes - values * d_smooth) / smooth


def _sum(series: NDArray[np.float64], rho: NDArray[np.float64], span: tuple[float, float]) -> NDArray[np.float64]:
    """Chebyshev series (count, q) at r values, shape (r, q)."""
    low, high = span
    return np.asarray(chebvander((2.0 * rho - low - high) / (high - low), len(series) - 1) @ series)


def _taken_off(rho: NDArray[np.float64], poles: tuple[float, float]) -> NDArray[np.float64]:
    return np.asarray((1.0 - rho / poles[0]) * (1.0 - rho / poles[1]))
