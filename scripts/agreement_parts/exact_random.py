"""The exact computation of random effects: dense matrices, complex derivatives; shares no code with the package.

Orthonormal combinations of the T times, the first of them the mean times root T, make the times independent: the unit
effects are in the first alone.

    A y_t = Z_t d + u_t,  Var(u_1) = V1, Var(u_2) = ... = Var(u_T) = s2 (B'B)^-1
    V1 = T s2_mu I + s2 (B'B)^-1 (bsk),  V1 = (T s2_mu + s2) (B'B)^-1 (kkp)

(Baltagi, Song and Koh 2003; Kapoor, Kelejian and Prucha 2007.) Maxima are roots of the gradient of the log-likelihood
with respect to rho, lambda and s2_mu / s2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from scipy.optimize import minimize, root

from agreement_parts import exact

STEP, ZERO = 1e-30, 1e-6


@dataclass
class RandomLikelihood:
    """A panel with random effects; parameters are d, the spatial ones, s2_mu, s2."""

    y: np.ndarray  # (T, N), times combined
    Z: np.ndarray  # (T, N, k), times combined
    W: np.ndarray
    lag: bool
    error: bool
    form: str
    intervals: list[tuple[float, float]]

    @property
    def k(self) -> int:
        """Number of coefficients."""
        return self.Z.shape[2]

    @property
    def n(self) -> int:
        """Number of observations."""
        return self.y.size

    def split(self, spatial: np.ndarray) -> tuple[complex, complex]:
        """Both spatial parameters, zero where there is none."""
        values = list(spatial)
        rho = values.pop(0) if self.lag else 0.0
        return rho, values.pop(0) if self.error else 0.0

    def shapes(self, lam: complex, phi: complex) -> tuple[np.ndarray, np.ndarray]:
        """Variances of the first and of the other times, s2 apart."""
        B = np.eye(len(self.W)) - lam * self.W
        other = np.linalg.inv(B.T @ B)
        T = len(self.y)
        return (T * phi * np.eye(len(B)) + other if self.form == "bsk" else (T * phi + 1.0) * other), other

    def left(self, d: np.ndarray, rho: complex) -> np.ndarray:
        """Residuals u, shape (T, N)."""
        return self.y - rho * self.y @ self.W.T - self.Z @ d

    def logdets(self, rho: complex, first: np.ndarray, other: np.ndarray) -> complex:
        """Log-Jacobian minus half the log-determinants of the variances."""
        T = len(self.y)
        A = np.eye(len(self.W)) - rho * self.W
        sizes = [np.log(np.linalg.det(M)) for M in (A, first, other)]
        return T * sizes[0] - 0.5 * sizes[1] - 0.5 * (T - 1) * sizes[2]

    def loglik(self, params: np.ndarray) -> complex:
        """Log-likelihood of all parameters."""
        rho, lam = self.split(params[self.k : -2])
        mu, s2 = params[-2:]
        first, other = self.shapes(lam, mu / s2)
        u = self.left(params[: self.k], rho)
        squares = u[0] @ np.linalg.inv(first) @ u[0] + products(u[1:], np.linalg.inv(other), u[1:])
        constant = -0.5 * self.n * np.log(2.0 * np.pi * s2)
        return constant + self.logdets(rho, first, other) - 0.5 * squares / s2

    def solve(self, x: np.ndarray) -> tuple[np.ndarray, complex]:
        """Coefficients and s2 at (spatial parameters, phi)."""
        rho, lam = self.split(x[:-1])
        first, other = (np.linalg.inv(M) for M in self.shapes(lam, x[-1]))
        target = self.y - rho * self.y @ self.W.T
        weighted = [first @ self.Z[0], *(other @ Z for Z in self.Z[1:])]
        gram = sum(Z.T @ V for Z, V in zip(self.Z, weighted, strict=True))
        moment = sum(V.T @ y for y, V in zip(target, weighted, strict=True))
        d = np.linalg.solve(gram, moment)
        u = target - self.Z @ d
        return d, (u[0] @ first @ u[0] + products(u[1:], other, u[1:])) / self.n

    def at(self, x: np.ndarray) -> np.ndarray:
        """All parameters at (spatial parameters, phi)."""
        d, s2 = self.solve(x)
        return np.array([*d, *x[:-1], x[-1] * s2, s2])

    def concentrated(self, x: np.ndarray) -> float:
        """Log-likelihood, maximised over everything else."""
        return float(np.real(self.loglik(self.at(x))))

    def gradient(self, params: np.ndarray) -> np.ndarray:
        """By complex steps."""
        out = np.empty(len(params))
        for j in range(len(params)):
            moved = params.astype(complex)
            moved[j] += STEP * 1j
            out[j] = np.imag(self.loglik(moved)) / STEP
        return out

    def slope(self, x: np.ndarray) -> np.ndarray:
        """Gradient of the concentrated log-likelihood."""
        params = self.at(x)
        full = self.gradient(params)[self.k :]
        return np.append(full[:-2], full[-2] * params[-1])

    @cached_property
    def optima(self) -> list[np.ndarray]:
        """(Spatial parameters, phi) at every local maximum found, the best first; none where the best has phi = 0."""
        found: list[np.ndarray] = []
        edge = np.inf
        axes = [np.linspace(0.7 * low, 0.7 * high, 3) for low, high in self.intervals]
        for start in product(*axes, (1.0,)):
            rough = minimize(self._lost, np.array(start), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9})
            if rough.x[-1] < ZERO:
                edge = min(edge, rough.fun)
                continue
            end = root(self.slope, rough.x, tol=1e-13).x
            if not np.isfinite(self._lost(end)) or self._lost(end) > rough.fun + 1e-7:
                continue
            if not any(np.allclose(end, other, rtol=1e-5, atol=1e-6) for other in found):
                found.append(end)
        return sorted((x for x in found if self._lost(x) < edge), key=self._lost)

    def _lost(self, x: np.ndarray) -> float:
        inside = all(low < value < high for value, (low, high) in zip(x[:-1], self.intervals, strict=True))
        return -self.concentrated(x) if inside and x[-1] > 0.0 else np.inf

    def maximum(self) -> np.ndarray:
        """All parameters at the highest maximum."""
        if not self.optima:
            raise exact.NoInteriorOptimumError
        return self.at(self.optima[0])

    def expected(self, params: np.ndarray) -> np.ndarray:
        """Information of a normal distribution whose mean and variance hold the parameters."""
        T = len(self.y)

        def moments(p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            rho, lam = self.split(p[self.k : -2])
            inverse = np.linalg.inv(np.eye(len(self.W)) - rho * self.W)
            first, other = (inverse @ (p[-1] * M) @ inverse.T for M in self.shapes(lam, p[-2] / p[-1]))
            return self.Z @ p[: self.k] @ inverse.T, first, other

        _, *variances = moments(params)
        inverses = [np.linalg.inv(V) for V in variances]
        slopes = []
        for j in range(len(params)):
            moved = params.astype(complex)
            moved[j] += STEP * 1j
            slopes.append([np.imag(part) / STEP for part in moments(moved)])
        info = np.empty((len(params),) * 2)
        for i, (mean_i, *of_i) in enumerate(slopes):
            for j, (mean_j, *of_j) in enumerate(slopes):
                traces = [np.sum((Q @ a) * (Q @ b).T) for Q, a, b in zip(inverses, of_i, of_j, strict=True)]
                means = mean_i[0] @ inverses[0] @ mean_j[0]
                means += products(mean_i[1:], inverses[1], mean_j[1:])
                info[i, j] = 0.5 * (traces[0] + (T - 1) * traces[1]) + means
        return info


def products(a: np.ndarray, V: np.ndarray, b: np.ndarray) -> complex:
    """Sum over times of ``a_t'V b_t``."""
    return np.sum((a @ V) * b)


def build(y: np.ndarray, columns: np.ndarray, W: np.ndarray, *, lag: bool, error: bool, form: str) -> RandomLikelihood:
    """From y, shape (T, N), and columns of regressors, shape (T, N, k)."""
    T = len(y)
    start = np.column_stack([np.ones(T), np.eye(T)[:, 1:]])
    basis = np.linalg.qr(start)[0].T  # the first row is constant
    eigenvalues = np.linalg.eigvals(W)
    real = eigenvalues.real[np.abs(eigenvalues.imag) < 1e-9]
    interval = (1.0 / real.min(), 1.0 / real.max())
    return RandomLikelihood(
        basis @ y, np.einsum("st,tik->sik", basis, columns), W, lag, error, form, [interval] * (lag + error)
    )
