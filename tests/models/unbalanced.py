"""Brute force for unbalanced panels and weights that change: rows stacked, every dummy a column, every matrix dense."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.linalg import block_diag
from scipy.optimize import root

import spatial_de as sde

from .dense import Dense, admissible, normalised

EFFECTS = ("none", "individual", "time", "two-way")
MODELS = {  # lag of y, of X, of the error
    "ols": (False, False, False),
    "slx": (False, True, False),
    "sar": (True, False, False),
    "sem": (False, False, True),
    "sac": (True, False, True),
    "sdm": (True, True, False),
    "sdem": (False, True, True),
    "gns": (True, True, True),
}


@dataclass
class Case:
    """Data in long format, raw weights of each time over all units, and what they are normalised to."""

    frame: pd.DataFrame
    raw: list
    how: str
    units: list
    times: list

    def panel(self):
        return sde.Panel(self.frame, "unit", "year", unbalanced=True)

    def weights(self):
        found = [sde.weights.from_matrix(a, self.units, normalize=self.how) for a in self.raw]
        return found[0] if all(a is self.raw[0] for a in self.raw) else dict(zip(self.times, found, strict=True))

    def stacked(self, missing):
        """W among the rows, sorted by time, then unit: dense."""
        blocks = []
        for time, raw in zip(self.times, self.raw, strict=True):
            here = np.flatnonzero([unit in set(self.frame.unit[self.frame.year == time]) for unit in self.units])
            on = np.ix_(here, here)
            blocks.append(normalised(raw[on], self.how) if missing == "renormalize" else normalised(raw, self.how)[on])
        return block_diag(*blocks)

    def sorted(self):
        return self.frame.sort_values(["year", "unit"])


def case(kind="symmetric", *, n_units=9, n_times=5, deleted=0.15, varying=False, seed=0, rho=0.3):
    """A panel with two regressors of which a share of the rows is deleted."""
    rng = np.random.default_rng(seed)
    units, times = [f"u{i:02d}" for i in range(n_units)], list(range(2001, 2001 + n_times))

    def raw():
        links = rng.uniform(size=(n_units, n_units)) < (0.0 if kind == "ring" else 0.3)
        np.fill_diagonal(links, val=False)
        links[np.arange(n_units), (np.arange(n_units) + 1) % n_units] = True
        if kind == "directed":
            return links * rng.uniform(0.3, 1.0, links.shape)
        return 1.0 * (links | links.T)

    how = "none" if kind == "binary" else "row"
    first = raw()
    all_raw = [raw() for _ in times] if varying else [first] * n_times
    rows = []
    alpha = 0.3 * rng.normal(size=n_units)
    for time, a in zip(times, all_raw, strict=True):
        W = normalised(a, how)
        strength = rho / np.abs(np.linalg.eigvals(W)).max()
        x, z = rng.normal(size=(2, n_units)) + 0.5 * alpha
        noise = np.linalg.solve(np.eye(n_units) - 0.5 * strength * W, rng.normal(size=n_units))
        mean = x + 0.5 * W @ x - z + alpha + rng.normal() + noise
        y = np.linalg.solve(np.eye(n_units) - strength * W, mean)
        rows += [(u, time, *values) for u, *values in zip(units, y, x, z, strict=True)]
    frame = pd.DataFrame(rows, columns=["unit", "year", "y", "x", "z"])
    kept = rng.permutation(len(frame))[: round((1.0 - deleted) * len(frame))]
    return Case(frame.iloc[kept], all_raw, how, units, times)


def dummies(frame, fixed):
    """Linearly independent columns that span the effects."""
    columns = []
    if fixed in {"individual", "two-way"}:
        columns.append(pd.get_dummies(frame.unit).to_numpy(float))
    if fixed in {"time", "two-way"}:
        columns.append(pd.get_dummies(frame.year).to_numpy(float))
    if not columns:
        return np.zeros((len(frame), 0))
    full = np.hstack(columns)
    kept = []
    for j in range(full.shape[1]):
        if np.linalg.matrix_rank(full[:, [*kept, j]]) > len(kept):
            kept.append(j)
    return full[:, kept]


def brute(one, model, fixed, missing="renormalize"):
    """The stacked model."""
    lag_y, lag_x, lag_error = MODELS[model]
    data, W = one.sorted(), one.stacked(missing)
    columns = [data.x.to_numpy(), data.z.to_numpy()]
    if lag_x:
        columns += [W @ x for x in columns]
    if fixed == "none":
        columns = [np.ones(len(data)), *columns]
    interval = admissible(W)
    return Dense(
        y=data.y.to_numpy(),
        Z=np.column_stack(columns),
        D=dummies(data, fixed),
        W=W,
        M=W,
        blocks=1,
        lag=lag_y,
        error=lag_error,
        intervals=[interval] * lag_y + [interval] * lag_error,
    )


class Adjusted:
    """Profile scores minus their expectations under the errors that explicit dummies leave."""

    def __init__(self, model):
        self.model, self.k = model, model.Z.shape[1]

    def operators(self, spatial):
        m, eye = self.model, np.eye(self.model.n)
        A, B = m.operators(spatial)
        C = B @ m.D
        P = eye - C @ np.linalg.solve(C.T @ C, C.T)
        K, H = B @ m.W @ np.linalg.inv(A) @ np.linalg.inv(B), m.M @ np.linalg.inv(B)
        return A, B, P, K, H

    def scores(self, params):
        """Of delta, rho, lambda, sigma2; the effects concentrated out. Complex arguments pass."""
        m, k = self.model, self.k
        delta, spatial, s2 = params[:k], params[k:-1], params[-1]
        A, B, P, K, H = self.operators(spatial)
        e = P @ B @ (A @ m.y - m.Z @ delta)
        out = [*((P @ B @ m.Z).T @ e / s2)]
        if m.lag:
            out.append((B @ m.W @ m.y) @ e / s2 - np.trace(P @ K))
        if m.error:
            out.append((m.M @ np.linalg.solve(B, e)) @ e / s2 - np.trace(P @ H))
        return np.array([*out, e @ e / (2 * s2**2) - (m.n - m.D.shape[1]) / (2 * s2)])

    def solve(self, near):
        return root(self.scores, near, tol=1e-13).x

    def covariance(self, params):
        """``J^-1 V J^-T`` with J by complex steps, and the variance V of ``e'Q e + L'e`` by its formula."""
        m, k = self.model, self.k
        J = np.column_stack([-self.scores(params + 1e-30j * row).imag / 1e-30 for row in np.eye(len(params))])
        _, _, P, K, _ = self.operators(params[k:-1])
        R = np.eye(m.n) - P
        V = J.copy()
        if m.lag:
            V[k, k] -= np.trace(P @ K @ R @ K)
        if m.lag and m.error:
            V[k, k + 1] = V[k + 1, k]
        return np.linalg.solve(J, np.linalg.solve(J, V).T).T, J
