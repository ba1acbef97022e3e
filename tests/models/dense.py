"""Brute force: stacked data, explicit dummies, dense determinants. Shares no code with the package."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

KINDS = ("asymmetric-row", "symmetric-row", "binary", "islands", "asymmetric", "spectral", "minmax")


def matrix(kind, n, seed):
    """Raw weights, and the name of the normalisation to apply."""
    rng = np.random.default_rng(seed)
    links = rng.uniform(size=(n, n)) < 0.3
    np.fill_diagonal(links, val=False)
    links[np.arange(n), (np.arange(n) + 1) % n] = True
    weights = links * rng.uniform(0.3, 1.0, (n, n))
    if kind in {"symmetric-row", "binary", "spectral"}:
        weights = 1.0 * (links | links.T)
    if kind == "islands":
        weights[[1, 4]] = 0.0
    names = {"asymmetric-row": "row", "symmetric-row": "row", "islands": "row", "spectral": "spectral"}
    return weights, names.get(kind, "minmax" if kind == "minmax" else "none")


def normalised(raw, how):
    """Textbook normalisations of a dense matrix."""
    if how == "row":
        sums = raw.sum(axis=1, keepdims=True)
        return raw / np.where(sums > 0, sums, 1.0)
    if how == "spectral":
        return raw / np.abs(np.linalg.eigvals(raw)).max()
    if how == "minmax":
        return raw / min(raw.sum(axis=0).max(), raw.sum(axis=1).max())
    return raw


@dataclass
class Dense:
    """Stacked model ``A y = Z delta + D a + u, B u = e``; y is period-major, W block-diagonal."""

    y: np.ndarray
    Z: np.ndarray
    D: np.ndarray
    W: np.ndarray
    blocks: int
    lag: bool
    error: bool
    interval: tuple[float, float]

    @property
    def n(self):
        return len(self.y)

    @property
    def big(self):
        return np.kron(np.eye(self.blocks), self.W)

    def split(self, spatial):
        return (spatial if self.lag else 0.0), (spatial if self.error else 0.0)

    def loglik(self, delta, spatial, sigma2):
        """Log-likelihood at any point, the dummies profiled out by a dense projection; complex arguments pass."""
        rho, lam = self.split(spatial)
        big, eye = self.big, np.eye(self.n)
        B = eye - lam * big
        e = B @ (self.y - rho * (big @ self.y) - self.Z @ delta)
        if self.D.shape[1]:
            BD = B @ self.D
            e = e - BD @ np.linalg.solve(BD.T @ BD, BD.T @ e)
        determinant = np.linalg.det(np.eye(len(self.W)) - spatial * self.W) if self.lag or self.error else 1.0
        own = self.blocks * np.log(determinant)
        return -0.5 * self.n * np.log(2.0 * np.pi * sigma2) + own - (e @ e) / (2.0 * sigma2)

    def profile(self, spatial):
        """(delta, sigma2) at a spatial parameter; complex arguments pass."""
        rho, lam = self.split(spatial)
        big, eye = self.big, np.eye(self.n)
        B = eye - lam * big
        target, all_columns = B @ (self.y - rho * (big @ self.y)), B @ np.hstack([self.Z, self.D])
        coefficients = np.linalg.solve(all_columns.T @ all_columns, all_columns.T @ target)
        e = target - all_columns @ coefficients
        return coefficients[: self.Z.shape[1]], (e @ e) / self.n

    def concentrated(self, spatial):
        delta, sigma2 = self.profile(spatial)
        return self.loglik(delta, spatial, sigma2)

    def maximum(self):
        """Spatial parameter at the best point of a fine grid, polished to a root of the complex-step derivative."""
        low, high = self.interval
        grid = np.linspace(low, high, 83)[1:-1]
        best = int(np.argmax([self.concentrated(x) for x in grid]))

        def slope(x):
            return (self.concentrated(x + 1e-30j)).imag / 1e-30

        return brentq(slope, grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)], xtol=1e-15, rtol=1e-14)

    def fit(self):
        """All parameters at the maximum: delta, spatial (where there is one), sigma2."""
        spatial = self.maximum() if self.lag or self.error else 0.0
        delta, sigma2 = self.profile(spatial)
        return np.array([*delta, *([spatial] if self.lag or self.error else []), sigma2])

    def at(self, params):
        k = self.Z.shape[1]
        spatial = params[k] if self.lag or self.error else 0.0
        return self.loglik(params[:k], spatial, params[-1])

    def score(self, params):
        """Gradient by complex steps: exact to rounding."""
        out = []
        for j in range(len(params)):
            moved = np.array(params, dtype=complex)
            moved[j] += 1e-30j
            out.append(self.at(moved).imag / 1e-30)
        return np.array(out)

    def information(self, params):
        """Minus the Hessian: fourth-order differences of the complex-step gradient."""
        size = len(params)
        out = np.empty((size, size))
        for j in range(size):
            h = 1e-3 * max(abs(params[j]), 1e-2)
            step = np.zeros(size)
            step[j] = h
            g = [self.score(params + c * step) for c in (-2, -1, 1, 2)]
            out[j] = -(g[0] - 8 * g[1] + 8 * g[2] - g[3]) / (12 * h)
        return (out + out.T) / 2


def admissible(W):
    """Open interval of the spatial parameter around zero in which I - rho W is regular."""
    values = np.linalg.eigvals(W)
    radius = np.abs(values).max()
    real = values.real[np.abs(values.imag) < 1e-9]
    low = 1.0 / real.min() if real.size and real.min() < -1e-9 else -1.0 / radius
    return low, 1.0 / real.max() if real.size and real.max() > 1e-9 else 1.0 / radius


def basis(n):
    """Orthonormal columns that are orthogonal to the vector of ones, shape (n, n - 1)."""
    return np.linalg.svd(np.eye(n) - 1.0 / n)[0][:, : n - 1]


def build(y, X, W, *, lag_y, lag_x, lag_error, fixed, transformed):
    """Stack a panel.

    y (T, N), X (T, N, k). `transformed` names the effects eliminated by orthonormal transformation (Lee and Yu): the
    data shrink, and W becomes F'WF; the other effects are dummies.
    """
    T, N = y.shape
    columns = [X[:, :, j] for j in range(X.shape[2])]
    if lag_x:
        columns += [x @ W.T for x in columns]
    if fixed == "none":
        columns = [np.ones((T, N)), *columns]
    unit = [np.repeat(row[None, :], T, axis=0) for row in np.eye(N)]
    time = [np.repeat(row[:, None], N, axis=1) for row in np.eye(T)]
    dummies = []
    if fixed in {"individual", "two-way"} and "individual" not in transformed:
        dummies += unit
    if fixed in {"time", "two-way"} and "time" not in transformed:
        dummies += time[1:] if fixed == "two-way" else time
    left = basis(T).T if "individual" in transformed else np.eye(T)
    right = basis(N) if "time" in transformed else np.eye(N)

    def stack(arrays):
        flat = [(left @ a @ right).reshape(-1) for a in arrays]
        return np.column_stack(flat) if flat else np.empty((left.shape[0] * right.shape[1], 0))

    return Dense(
        y=stack([y])[:, 0],
        Z=stack(columns),
        D=stack(dummies),
        W=right.T @ W @ right,
        blocks=left.shape[0],
        lag=lag_y,
        error=lag_error,
        interval=admissible(W),
    )


def bias_correction(model, n_free, *, published=False):
    """Estimate minus ``I^-1 E[score]`` (Lee and Yu 2010, section 3.3), all by explicit matrices.

    The information holds the dummies; the `published` one of demeaned data (Elhorst 2014, equation 3.31) keeps the
    period means of ``G Z delta`` instead.
    """
    params = model.fit()
    k, spatial, s2 = model.Z.shape[1], params[-2], params[-1]
    rho, lam = model.split(spatial)
    big, eye = model.big, np.eye(model.n)
    B = eye - lam * big
    everything = np.hstack([model.Z, model.D])
    if published:
        everything = model.Z - model.D @ np.linalg.lstsq(model.D, model.Z, rcond=None)[0]
    target = B @ (model.y - rho * (big @ model.y))
    coefficients = np.linalg.solve(everything.T @ B.T @ B @ everything, everything.T @ B.T @ target)
    K = big @ np.linalg.inv(eye - spatial * big)
    linear = K @ everything @ coefficients if model.lag else np.zeros(model.n)
    q = everything.shape[1]
    info = np.zeros((q + 2, q + 2))
    info[:q, :q] = (B @ everything).T @ (B @ everything) / s2
    info[:q, q] = info[q, :q] = (B @ everything).T @ linear / s2
    info[q, q] = np.trace(K @ K) + np.trace(K.T @ K) + linear @ linear / s2
    info[q, -1] = info[-1, q] = np.trace(K) / s2
    info[-1, -1] = model.n / (2 * s2**2)
    BD = B @ model.D
    off = eye - BD @ np.linalg.solve(BD.T @ BD, BD.T)
    score = np.zeros(q + 2)
    score[q] = np.trace(off @ K) - np.trace(K)
    score[-1] = (n_free - model.n) / (2 * s2)
    step = np.linalg.solve(info, score)
    return params - step[[*range(k), q, q + 1]]
