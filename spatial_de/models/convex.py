"""One W out of many: the posterior of the shares of a convex combination of weights.

    y = rho W(gamma) y + Z beta + e,    W(gamma) = sum_m gamma_m W_m,    gamma_m >= 0,  sum_m gamma_m = 1

Coefficients (flat) and sigma2 (``1 / sigma2``) are integrated out as for one W (`posterior`); rho is uniform on
(-1, 1), where every combination of weights whose rows add up to one is admissible, and gamma uniform on the simplex.
The data enter through the triangular factor of ``[Z, y, W_1 y, ..., W_M y]``, and every log-determinant is exact.

References
----------
Debarsy, N. and LeSage, J. P. (2018). Flexible dependence modeling using convex combinations of different types of
connectivity structures. *Regional Science and Urban Economics* 69, 48-68.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.logdet.factors import sparse_lu
from spatial_de.models.chains import run_chains
from spatial_de.models.triangular import triangular_factor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.weights import SpatialWeights

_DENSE = 400  # units up to which dense determinants of all chains at once are faster than sparse ones
_EDGE = 12.0  # of the log ratio of two shares, where one is all but zero
_SAME = 1e-2  # distance up to which two maxima are one
_WIDEST = 0.5  # standard deviation of proposals, where the data say nothing
_FAR = -1e300
_PRIOR_JUMPS = 1.0  # weight of jumps as wide as the prior, for posteriors that are hardly narrower


@dataclass(frozen=True, slots=True)
class ConvexData:
    """What the posterior needs of the data.

    Attributes
    ----------
    weights
        W_1 to W_M over the same units in the same order.
    columns
        ``[y, W_1 y, ..., W_M y]``, transformed, each of shape (T, N).
    Z
        Regressors, shape (T, N, k).
    n, periods, drop_unit_root
        As in `problem.Problem`.
    """

    weights: tuple[SpatialWeights, ...]
    columns: tuple[NDArray[np.float64], ...]
    Z: NDArray[np.float64]
    n: int
    periods: int
    drop_unit_root: bool


@dataclass(frozen=True, slots=True)
class ConvexPosterior:
    """Draws from eight chains: rho and sigma2, shape (r,), gamma, shape (r, M), coefficients, shape (r, k)."""

    rho: NDArray[np.float64]
    gamma: NDArray[np.float64]
    delta: NDArray[np.float64]
    sigma2: NDArray[np.float64]
    acceptance: float


def convex_posterior(data: ConvexData, *, draws: int, rng: np.random.Generator) -> ConvexPosterior:
    """Draw from the posterior of rho, gamma, coefficients and variance."""
    density = _Density.of(data)
    modes, heights, covariances = _modes(density)
    weights = np.append(np.maximum(np.exp(heights - heights.max()), 0.05), _PRIOR_JUMPS)
    middle, width = _prior_moments(len(data.weights))
    modes, covariances = np.vstack([modes, middle]), np.concatenate([covariances, width[None]])
    kept, acceptance = run_chains(
        density.of_coordinates,
        modes=modes,
        weights=weights,
        covariances=covariances,
        draws=draws,
        rng=rng,
        thin=2 ** (len(data.weights) - 2),
    )
    rho, gamma = _parts(kept.reshape(-1, kept.shape[2]))
    delta, sigma2 = density.draw(rho, gamma, rng)
    return ConvexPosterior(rho, gamma, delta, sigma2, acceptance)


@dataclass(frozen=True, slots=True)
class _Density:
    """Posterior of (rho, gamma): triangular factors of Z, of the response on Z, and of what Z leaves of it."""

    data: ConvexData
    own: NDArray[np.float64]
    on: NDArray[np.float64]
    left: NDArray[np.float64]
    stack: NDArray[np.float64] | None

    @classmethod
    def of(cls, data: ConvexData) -> _Density:
        k, rows = data.Z.shape[2], data.Z.shape[0] * data.Z.shape[1]
        R = triangular_factor([data.Z.reshape(rows, k), *(column.reshape(rows, 1) for column in data.columns)])
        dense = data.weights[0].n <= _DENSE
        stack = np.stack([w.sparse.toarray() for w in data.weights]) if dense else None
        return cls(data, R[:k, :k], R[:k, k:], R[k:, k:], stack)

    @property
    def nu(self) -> int:
        return self.data.n - len(self.own)

    def of_coordinates(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-density of ``(rho, gamma_1, ..., gamma_{M-1})``, shape (g, M) -> (g,)."""
        rho, gamma = _parts(x)
        inside = (gamma > 0.0).all(axis=1) & (np.abs(rho) < 1.0)
        some = np.full_like(gamma, 1.0 / gamma.shape[1])
        found = self.at(np.where(inside, rho, 0.0), np.where(inside[:, None], gamma, some))
        return np.where(inside, found, -np.inf)

    def at(self, rho: NDArray[np.float64], gamma: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-density of (rho, gamma) up to a constant, shapes (g,) and (g, M) -> (g,)."""
        residuals = self._combined(rho, gamma) @ self.left.T
        jacobian = self._log_determinants(rho[:, None] * gamma)
        if self.data.drop_unit_root:
            jacobian = jacobian - np.log1p(-rho)
        return np.asarray(self.data.periods * jacobian - 0.5 * self.nu * np.log((residuals**2).sum(axis=1)))

    def draw(
        self, rho: NDArray[np.float64], gamma: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Coefficients and variances given rho and gamma."""
        combined = self._combined(rho, gamma)
        squares = ((combined @ self.left.T) ** 2).sum(axis=1)
        sigma2 = 0.5 * squares / rng.standard_gamma(0.5 * self.nu, size=len(rho))
        noise = np.sqrt(sigma2)[:, None] * rng.standard_normal((len(rho), len(self.own)))
        return np.linalg.solve(self.own, (combined @ self.on.T + noise).T).T, sigma2

    def spread(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """About the covariance of the coordinates around a point, which proposals come from.

        Sums of squares are quadratic in ``tau = rho gamma``; the log-determinant bends as it does at zero.
        """
        rho, gamma = _parts(x[None])
        residual = self.left @ self._combined(rho, gamma)[0]
        lags, weights = self.left[:, 1:], self.data.weights
        traces = [[float((v.sparse * w.sparse.T).sum()) for w in weights] for v in weights]
        curvature = self.nu * lags.T @ lags / (residual @ residual) + self.data.periods * np.array(traces)
        m = len(weights)
        slopes = np.column_stack([gamma[0], rho[0] * np.vstack([np.eye(m - 1), -np.ones(m - 1)])])  # of tau
        return np.asarray(np.linalg.inv(slopes.T @ curvature @ slopes + np.eye(m) / _WIDEST**2))

    def _combined(self, rho: NDArray[np.float64], gamma: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack([np.ones(len(rho)), -rho[:, None] * gamma])

    def _log_determinants(self, tau: NDArray[np.float64]) -> NDArray[np.float64]:
        n = self.data.weights[0].n
        if self.stack is not None:
            return np.asarray(np.linalg.slogdet(np.eye(n) - np.tensordot(tau, self.stack, axes=1))[1])
        from scipy.sparse import eye_array

        eye = eye_array(n, format="csc")
        out = np.empty(len(tau))
        for i, shares in enumerate(tau):
            system = eye - sum(s * w.sparse for s, w in zip(shares, self.data.weights, strict=True))
            out[i] = np.log(np.abs(sparse_lu(system).U.diagonal())).sum()
        return out


def _parts(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both of their coordinates: the last share is what the others leave."""
    return x[:, 0], np.column_stack([x[:, 1:], 1.0 - x[:, 1:].sum(axis=1)])


def _prior_moments(m: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and covariance of the coordinates under the prior: rho uniform on (-1, 1), shares on the simplex."""
    covariance = np.zeros((m, m))
    covariance[0, 0] = 1.0 / 3.0
    covariance[1:, 1:] = (np.eye(m - 1) - 1.0 / m) / (m * (m + 1.0))
    return np.append(0.0, np.full(m - 1, 1.0 / m)), covariance


def _modes(density: _Density) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Places inside the simplex near all maxima, found from its middle and its corners; heights, and spreads there."""
    from scipy.optimize import minimize

    m = len(density.data.weights)

    def place(free: NDArray[np.float64]) -> NDArray[np.float64]:
        sizes = np.exp(np.append(np.clip(free[1:], -_EDGE, _EDGE), 0.0))
        return np.append(np.tanh(free[0]), sizes[:-1] / sizes.sum())

    def depth(free: NDArray[np.float64]) -> float:
        x = place(free)[None]
        return -max(float(density.of_coordinates(x)[0] + np.log(_parts(x)[1]).sum()), _FAR)

    places: list[NDArray[np.float64]] = []
    heights: list[float] = []
    corners = (np.zeros(m - 1), *(2.0 * np.eye(m - 1)), np.full(m - 1, -2.0))
    for corner, start in product(corners, (0.5, -0.5)):
        found = minimize(depth, np.append(start, corner))
        x = place(found.x)
        if all(np.abs(x - other).max() > _SAME for other in places):
            places.append(x)
            heights.append(-float(found.fun))
    return np.array(places), np.array(heights), np.array([density.spread(x) for x in places])
