"""Brute force: stacked data, explicit dummies, dense determinants. Shares no code with the package."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize, root

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
    """Stacked model ``A y = Z delta + D a + u, B u = e``; y is period-major, W and M block-diagonal."""

    y: np.ndarray
    Z: np.ndarray
    D: np.ndarray
    W: np.ndarray
    M: np.ndarray
    blocks: int
    lag: bool
    error: bool
    intervals: list

    @property
    def n(self):
        return len(self.y)

    @property
    def n_spatial(self):
        return int(self.lag) + int(self.error)

    def split(self, spatial):
        """(rho, lambda) from the free ones."""
        return (spatial[0] if self.lag else 0.0), (spatial[-1] if self.error else 0.0)

    def operators(self, spatial):
        """A and B of the stacked data."""
        rho, lam = self.split(spatial)
        eye, blocks = np.eye(self.n), np.eye(self.blocks)
        return eye - rho * np.kron(blocks, self.W), eye - lam * np.kron(blocks, self.M)

    def loglik(self, delta, spatial, sigma2):
        """Log-likelihood at any point, the dummies profiled out by a dense projection; complex arguments pass."""
        A, B = self.operators(spatial)
        e = B @ (A @ self.y - self.Z @ delta)
        if self.D.shape[1]:
            BD = B @ self.D
            e = e - BD @ np.linalg.solve(BD.T @ BD, BD.T @ e)
        rho, lam = self.split(spatial)
        eye = np.eye(len(self.W))
        own = np.log(np.linalg.det(eye - rho * self.W)) + np.log(np.linalg.det(eye - lam * self.M))
        return -0.5 * self.n * np.log(2.0 * np.pi * sigma2) + self.blocks * own - (e @ e) / (2.0 * sigma2)

    def profile(self, spatial):
        """(delta, sigma2) at spatial parameters; complex arguments pass."""
        A, B = self.operators(spatial)
        target, all_columns = B @ (A @ self.y), B @ np.hstack([self.Z, self.D])
        coefficients = np.linalg.solve(all_columns.T @ all_columns, all_columns.T @ target)
        e = target - all_columns @ coefficients
        return coefficients[: self.Z.shape[1]], (e @ e) / self.n

    def concentrated(self, spatial):
        delta, sigma2 = self.profile(spatial)
        return self.loglik(delta, spatial, sigma2)

    def slope(self, spatial):
        """Gradient of the concentrated log-likelihood by complex steps."""
        steps = 1e-30j * np.eye(self.n_spatial)
        return np.array([self.concentrated(np.asarray(spatial) + step).imag / 1e-30 for step in steps])

    def maximum(self):
        """Spatial parameters at the best point of a fine grid, polished to a root of the gradient."""
        if self.n_spatial == 1:
            low, high = self.intervals[0]
            grid = np.linspace(low, high, 83)[1:-1]
            best = int(np.argmax([self.concentrated([x]) for x in grid]))
            ends = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
            return [brentq(lambda x: self.slope([x])[0], *ends, xtol=1e-15, rtol=1e-14)]
        axes = [np.linspace(low, high, 31)[1:-1] for low, high in self.intervals]
        pairs = [(x, y) for x in axes[0] for y in axes[1]]
        values = np.array([self.concentrated(pair) for pair in pairs])

        def lost(x):
            inside = all(low < value < high for value, (low, high) in zip(x, self.intervals, strict=True))
            return -self.concentrated(x) if inside else np.inf

        # a root of the gradient alone may be a saddle or a lower maximum: down to it from the best points first
        starts = [pairs[i] for i in np.argsort(values)[-12:]]
        found = [
            minimize(lost, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-12}) for start in starts
        ]
        return root(self.slope, min(found, key=lambda one: one.fun).x, tol=1e-13).x

    def fit(self):
        """All parameters at the maximum: delta, spatial ones (where there are any), sigma2."""
        spatial = self.maximum() if self.n_spatial else []
        delta, sigma2 = self.profile(spatial)
        return np.array([*delta, *spatial, sigma2])

    def at(self, params):
        k = self.Z.shape[1]
        return self.loglik(params[:k], params[k:-1], params[-1])

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
            h = 2e-4 * max(abs(params[j]), 1e-2)
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


def build(y, X, W, *, lag_y, lag_x, lag_error, fixed, transformed, M=None, durbin_W=None):
    """Stack a panel.

    y (T, N), X (T, N, k). `transformed` names the effects eliminated by orthonormal transformation (Lee and Yu): the
    data shrink, and W becomes F'WF; the other effects are dummies. Weights of the error and of the Durbin terms are W
    unless given.
    """
    T, N = y.shape
    M = W if M is None else M
    columns = [X[:, :, j] for j in range(X.shape[2])]
    if lag_x:
        columns += [x @ (W if durbin_W is None else durbin_W).T for x in columns]
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
        M=right.T @ M @ right,
        blocks=left.shape[0],
        lag=lag_y,
        error=lag_error,
        intervals=[admissible(W)] * lag_y + [admissible(M)] * lag_error,
    )


def bias_correction(model, n_free, *, published=False):
    """Estimate minus ``I^-1 E[score]`` (Lee and Yu 2010, section 3.3), all by explicit matrices.

    The information holds the dummies; the `published` one of demeaned data (Elhorst 2014, equation 3.31) keeps the
    period means of ``G Z delta`` instead.
    """
    params = model.fit()
    k, s2 = model.Z.shape[1], params[-1]
    A, B = model.operators(params[k:-1])
    stacked = [np.kron(np.eye(model.blocks), part) for part in (model.W, model.M)]
    everything = np.hstack([model.Z, model.D])
    if published:
        everything = model.Z - model.D @ np.linalg.lstsq(model.D, model.Z, rcond=None)[0]
    BD = B @ model.D
    off = np.eye(model.n) - BD @ np.linalg.solve(BD.T @ BD, BD.T)
    columns = off @ B @ everything if published else B @ everything
    coefficients = np.linalg.lstsq(columns, B @ (A @ model.y), rcond=None)[0]
    G, H = stacked[0] @ np.linalg.inv(A), stacked[1] @ np.linalg.inv(B)
    parts = []  # operator and linear part of the score of each spatial parameter
    if model.lag:
        parts.append((B @ G @ np.linalg.inv(B), B @ G @ everything @ coefficients))
    if model.error:
        parts.append((H, np.zeros(model.n)))
    q, s = everything.shape[1], len(parts)
    info = np.zeros((q + s + 1, q + s + 1))
    info[:q, :q] = columns.T @ columns / s2
    info[-1, -1] = model.n / (2 * s2**2)
    score = np.zeros(q + s + 1)
    score[-1] = (n_free - model.n) / (2 * s2)
    for i, (K, linear) in enumerate(parts):
        info[:q, q + i] = info[q + i, :q] = columns.T @ linear / s2
        info[q + i, -1] = info[-1, q + i] = np.trace(K) / s2
        for j, (other, also) in enumerate(parts):
            info[q + i, q + j] = np.trace(K @ other) + np.trace(K.T @ other) + linear @ also / s2
        score[q + i] = np.trace(off @ K) - np.trace(K)
    step = np.linalg.solve(info, score)
    return params - step[[*range(k), *range(q, q + s + 1)]]
