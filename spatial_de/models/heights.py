"""The concentrated log-likelihood over a whole grid, for the search of its basins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.likelihood import Likelihood


def heights(likelihood: Likelihood, rho: NDArray[np.float64], lam: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-likelihood at every pair of rho, shape (a,), and lambda, shape (b,): shape (a, b).

    At one lambda the sum of squares is a parabola in rho, so that one decomposition serves all rho.
    """
    ssr = np.empty((len(rho), len(lam)))
    for j, value in enumerate(lam):
        d = likelihood.data.at(value)
        BZ, y, a = d.Z, d.y, d.Wy
        if likelihood.error:
            BZ, y, a = BZ - value * d.MZ, y - value * d.My, a - value * d.MWy
        Q = np.linalg.qr(BZ)[0]
        y, a = y - Q @ (Q.T @ y), a - Q @ (Q.T @ a)
        bend = float(a @ a)
        lowest = float(a @ y) / bend if bend else 0.0
        least = y - lowest * a
        ssr[:, j] = least @ least + bend * (rho - lowest) ** 2
    n = likelihood.n
    with np.errstate(divide="ignore"):
        out: NDArray[np.float64] = -0.5 * n * (np.log(2.0 * np.pi) + np.log(ssr / n) + 1.0)
    if likelihood.lag:
        out += likelihood.lag.periods * likelihood.lag.logdet.value(rho)[:, None]
    if likelihood.error:
        out += likelihood.error.periods * likelihood.error.logdet.value(lam)
    return out
