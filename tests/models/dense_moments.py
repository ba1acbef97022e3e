"""The method of moments written out from its papers with dense matrices. Shares no code with the package.

Kelejian and Prucha (1998, 2007, 2010), Arraiz et al. (2010), Drukker, Egger and Prucha (2013); their symbols.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq


def independent(H):
    """Columns that span those of H."""
    U, size, _ = np.linalg.svd(H / np.linalg.norm(H, axis=0), full_matrices=False)
    return U[:, size > 1e-10 * size[0]]


def two_stage(y, Z, H):
    """Instrumental variables: estimate, and the matrix T with ``estimate - d = T'u``."""
    P = H @ np.linalg.pinv(H)
    T = P @ Z @ np.linalg.inv(Z.T @ P @ Z)
    return T.T @ y, T


def hac(T, u, K):
    """Sum over all pairs of units, one by one."""
    n, k = T.shape
    out = np.zeros((k, k))
    for i in range(n):
        for j in range(n):
            weight = 1.0 if i == j else K[i, j]
            out += weight * u[i] * u[j] * np.outer(T[i], T[j])
    return out


def two_step_j(y, Z, H, S):
    """Hansen's J of the efficient second step, S the variance of ``H'u``."""
    A = np.linalg.inv(S)
    d = np.linalg.solve(Z.T @ H @ A @ H.T @ Z, Z.T @ H @ A @ H.T @ y)
    g = H.T @ (y - Z @ d)
    return g @ A @ g


@dataclass
class ErrorMoments:
    """``y = Z d + u, u = lambda M u + e``; instruments H; `fixed`: Z is exogenous, so that alpha is zero."""

    y: np.ndarray
    Z: np.ndarray
    H: np.ndarray
    M: np.ndarray
    equal: bool
    fixed: bool
    bounds: tuple

    def __post_init__(self):
        n = len(self.y)
        inner = self.M.T @ self.M
        if self.equal:
            share = np.trace(inner) / n
            first = (inner - share * np.eye(n)) / (1.0 + share**2)
        else:
            first = inner - np.diag(np.diag(inner))
        self.A = [first, self.M]
        self.n = n

    def moments(self, d, lam):
        u = self.y - self.Z @ d
        e = u - lam * (self.M @ u)
        return np.array([e @ A @ e / self.n for A in self.A])

    def initial(self, d):
        """A first lambda, which only filters: kept off the bounds."""
        low, high = (0.99 * bound for bound in self.bounds)
        try:
            return min(max(self.smallest(d, np.eye(2)), low), high)
        except AssertionError:
            heights = [np.sum(self.moments(d, bound) ** 2) for bound in self.bounds]
            return (low, high)[int(np.argmin(heights))]

    def smallest(self, d, weights):
        """Minimum of m'V m over the interval: a fine grid, then the root of the complex-step slope."""

        def objective(lam):
            m = self.moments(d, lam)
            return m @ weights @ m

        grid = np.linspace(*self.bounds, 801)[1:-1]
        best = int(np.argmin([objective(x) for x in grid]))
        assert 0 < best < len(grid) - 1, "choose another seed: the minimum is at the bound"
        slope = lambda x: objective(x + 1e-30j).imag  # noqa: E731
        return brentq(slope, grid[best - 1], grid[best + 1], xtol=1e-15, rtol=1e-14)

    def parts(self, d, lam):
        """Z*, e, P, alpha, Psi and the variance of H'e (both with the papers' factor 1/n)."""
        n, H = self.n, self.H
        B = np.eye(n) - lam * self.M
        Zs, e = B @ self.Z, B @ (self.y - self.Z @ d)
        QHH, QHZ = H.T @ H / n, H.T @ Zs / n
        P = np.linalg.inv(QHH) @ QHZ @ np.linalg.inv(QHZ.T @ np.linalg.inv(QHH) @ QHZ)
        alpha = [0.0 * Zs[0] if self.fixed else -Zs.T @ (A + A.T) @ e / n for A in self.A]
        a = [H @ P @ one for one in alpha]
        s2, mu3, mu4 = (np.mean(e**power) for power in (2, 3, 4))
        Sigma = s2 * np.eye(n) if self.equal else np.diag(e**2)
        psi = np.empty((2, 2))
        for r in range(2):
            for s in range(2):
                Ar, As = self.A[r] + self.A[r].T, self.A[s] + self.A[s].T
                psi[r, s] = np.trace(Ar @ Sigma @ As @ Sigma) / (2 * n) + a[r] @ Sigma @ a[s] / n
                if self.equal:
                    dr, ds = np.diag(self.A[r]), np.diag(self.A[s])
                    psi[r, s] += (mu4 - 3 * s2**2) * (dr @ ds) / n + mu3 * (a[r] @ ds + a[s] @ dr) / n
        cross = H.T @ Sigma @ np.column_stack(a) / n
        if self.equal:
            cross += mu3 * H.T @ np.column_stack([np.diag(A) for A in self.A]) / n
        return e, P, psi, cross, H.T @ Sigma @ H / n

    def fit(self):
        """(coefficients, lambda) and their covariance (Kelejian and Prucha 2010, theorem 4)."""
        d, _ = two_stage(self.y, self.Z, self.Z if self.fixed else self.H)
        rough = self.initial(d)
        B = np.eye(self.n) - rough * self.M
        d, _ = two_stage(B @ self.y, B @ self.Z, self.H)
        lam = self.smallest(d, np.linalg.inv(self.parts(d, rough)[2]))
        _, P, psi, cross, own = self.parts(d, lam)
        J = -np.array([m.imag for m in self.moments(d, lam + 1e-30j)]) / 1e-30
        weight = np.linalg.inv(psi) @ J / (J @ np.linalg.inv(psi) @ J)
        joint = np.block([[own, cross], [cross.T, psi]])
        left = np.block([[P.T, np.zeros((P.shape[1], 2))], [np.zeros((1, P.shape[0])), weight[None, :]]])
        return np.array([*d, lam]), left @ joint @ left.T / self.n
