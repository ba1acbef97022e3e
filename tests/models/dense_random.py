"""Brute force for random effects: the full covariance by Kronecker products. Shares no code with the package."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize, root


@dataclass
class DenseRandom:
    """``A y = Z delta + u`` stacked period-major; unknowns delta, rho, lambda (where free), sigma2_mu, sigma2."""

    y: np.ndarray
    Z: np.ndarray
    W: np.ndarray
    M: np.ndarray
    T: int
    lag: bool
    error: bool
    form: str
    intervals: list

    @property
    def n(self):
        return len(self.y)

    def split(self, spatial):
        return (spatial[0] if self.lag else 0.0), (spatial[-1] if self.error else 0.0)

    def covariance(self, spatial, phi):
        """Omega / sigma2, NT x NT."""
        N = len(self.W)
        lam = self.split(spatial)[1]
        filter_inverse = np.linalg.inv(np.eye(N) - lam * self.M)
        eye, ones = np.eye(self.T), np.ones((self.T, self.T))
        spatial_errors = filter_inverse @ filter_inverse.T
        if self.form == "kkp":
            return np.kron(phi * ones + eye, spatial_errors)
        return np.kron(phi * ones, np.eye(N)) + np.kron(eye, spatial_errors)

    def target(self, spatial):
        N = len(self.W)
        return np.kron(np.eye(self.T), np.eye(N) - self.split(spatial)[0] * self.W) @ self.y

    def loglik(self, params):
        """At any point; complex arguments pass."""
        k = self.Z.shape[1]
        delta, spatial, (s2_mu, s2) = params[:k], params[k:-2], params[-2:]
        omega = s2 * self.covariance(spatial, s2_mu / s2)
        u = self.target(spatial) - self.Z @ delta
        lag = np.log(np.linalg.det(np.eye(len(self.W)) - self.split(spatial)[0] * self.W))
        sign, size = np.linalg.slogdet(omega)
        quadratic = u @ np.linalg.solve(omega, u)
        return self.T * lag - 0.5 * (self.n * np.log(2 * np.pi) + size + np.log(sign) + quadratic)

    def profile(self, x):
        """All parameters from (spatial..., phi) with delta and sigma2 by generalised least squares."""
        spatial, phi = x[:-1], x[-1]
        C = self.covariance(spatial, phi)
        solved = np.linalg.solve(C, np.column_stack([self.Z, self.target(spatial)]))
        delta = np.linalg.solve(self.Z.T @ solved[:, :-1], self.Z.T @ solved[:, -1])
        u = self.target(spatial) - self.Z @ delta
        s2 = u @ np.linalg.solve(C, u) / self.n
        return np.array([*delta, *spatial, phi * s2, s2])

    def score(self, params):
        """Gradient by complex steps: exact to rounding."""
        steps = 1e-30j * np.eye(len(params))
        return np.array([self.loglik(np.asarray(params) + step).imag / 1e-30 for step in steps])

    def information(self, params):
        """Minus the Hessian: fourth-order differences of the complex-step gradient."""
        out = []
        for j, value in enumerate(params):
            step = np.zeros(len(params))
            step[j] = h = 2e-4 * max(abs(value), 1e-2)
            g = [self.score(params + c * step) for c in (-2, -1, 1, 2)]
            out.append(-(g[0] - 8 * g[1] + 8 * g[2] - g[3]) / (12 * h))
        out = np.array(out)
        return (out + out.T) / 2

    def expected(self, params):
        """Expected information by explicit matrices: ``tr(V^-1 V_x V^-1 V_y)/2 + m_x' V^-1 m_y`` of y itself."""
        k = self.Z.shape[1]

        def moments(p):
            back = np.linalg.inv(np.kron(np.eye(self.T), np.eye(len(self.W)) - self.split(p[k:-2])[0] * self.W))
            return back @ self.Z @ p[:k], back @ (p[-1] * self.covariance(p[k:-2], p[-2] / p[-1])) @ back.T

        params = np.asarray(params)
        inverse = np.linalg.inv(moments(params)[1])
        moved = [moments(params + 1e-30j * row) for row in np.eye(len(params))]
        means = [m.imag / 1e-30 for m, _ in moved]
        parts = [inverse @ (V.imag / 1e-30) for _, V in moved]
        return np.array(
            [
                [0.5 * np.sum(a * b.T) + m @ inverse @ l for b, l in zip(parts, means, strict=True)]
                for a, m in zip(parts, means, strict=True)
            ]
        )

    def fit(self):
        """Maximum over sigma2_mu >= 0: a grid, simplex searches from its best points, then a root of the gradient."""
        axes = [np.linspace(low, high, 13)[1:-1] for low, high in self.intervals]
        grid = np.meshgrid(*axes, np.array([0.0, 0.05, 0.3, 1.0, 4.0]), indexing="ij")
        points = np.column_stack([g.ravel() for g in grid])

        def lost(x):
            inside = all(low < v < high for v, (low, high) in zip(x, self.intervals, strict=False)) and x[-1] >= 0
            return -self.loglik(self.profile(x)) if inside else np.inf

        values = np.array([lost(x) for x in points])
        options = {"xatol": 1e-8, "fatol": 1e-13, "maxiter": 4000, "maxfev": 4000}
        found = [minimize(lost, points[i], method="Nelder-Mead", options=options) for i in np.argsort(values)[:4]]
        best = min(found, key=lambda one: one.fun).x
        if best[-1] < 1e-6:
            pooled = replace(self, form="kkp")
            return _polish(pooled, self.profile(np.append(best[:-1], 0.0)), fixed=True)
        return _polish(self, self.profile(best), fixed=False)


def _polish(model, params, *, fixed):
    kept = [j for j in range(len(params)) if not (fixed and j == len(params) - 2)]

    def slope(x):
        full = np.array(params, dtype=float)
        full[kept] = x
        return model.score(full)[kept] * np.maximum(np.abs(full[kept]), 1e-3)

    params = np.array(params)
    params[kept] = root(slope, params[kept], tol=1e-13).x
    return params


def build_random(y, X, W, *, lag_y, lag_x, lag_error, form, times=False, means=False, M=None, durbin_W=None, interval):
    """Stack a panel: y (T, N), X (T, N, k), intercept; `times` adds dummies, `means` the unit means of X and WX."""
    T, N = y.shape
    M = W if M is None else M
    columns = [X[:, :, j] for j in range(X.shape[2])]
    if lag_x:
        columns += [x @ (W if durbin_W is None else durbin_W).T for x in columns]
    if means:
        columns += [np.tile(x.mean(axis=0), (T, 1)) for x in columns if np.ptp(x, axis=0).max() > 0]
    columns = [np.ones((T, N)), *columns]
    if times:
        columns += [np.repeat(row[:, None] - 1.0 / T, N, axis=1) for row in np.eye(T)[1:]]
    return DenseRandom(
        y=y.reshape(-1),
        Z=np.column_stack([c.reshape(-1) for c in columns]),
        W=W,
        M=M,
        T=T,
        lag=lag_y,
        error=lag_error,
        form=form,
        intervals=[interval(W)] * lag_y + [interval(M)] * lag_error,
    )
