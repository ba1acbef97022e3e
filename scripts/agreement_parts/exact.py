"""The exact computation: dense arrays, eigenvalues, explicit dummies, orthonormal transformations.

Shares no code with the package. The models are stacked by the brute-force module of the tests (tests/models/dense.py);
what is different here is that operators act period by period, so that 46 x 30 takes seconds and not hours, and that the
gradient is written down instead of taken by complex steps. Maxima are roots of the gradient (Brent; for two parameters
Powell's method after Nelder-Mead, from every local maximum of a grid) to 1e-10 and better.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

import numpy as np
from scipy.optimize import brentq, minimize, root


def _brute_force(name: str) -> ModuleType:
    if name not in sys.modules:
        path = Path(__file__).parents[2] / "tests" / "models" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise FileNotFoundError(path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


dense, moments = _brute_force("dense"), _brute_force("dense_moments")


class NoInteriorOptimumError(ArithmeticError):
    """The best parameters are at a bound."""


@dataclass
class Likelihood:
    """A stacked model; parameters are delta, the spatial ones, sigma2."""

    model: dense.Dense

    @cached_property
    def eigenvalues(self) -> tuple[np.ndarray, np.ndarray]:
        """Of W and of the weights of the error."""
        return np.linalg.eigvals(self.model.W), np.linalg.eigvals(self.model.M)

    @cached_property
    def k(self) -> int:
        """Number of reported coefficients."""
        return int(self.model.Z.shape[1])

    def lag(self, a: np.ndarray, W: np.ndarray) -> np.ndarray:
        """W applied to every period of a stacked array."""
        return (W @ a.reshape(self.model.blocks, len(W), -1)).reshape(a.shape)

    @cached_property
    def parts(self) -> dict[str, np.ndarray]:
        """Stacked columns y, Wy, Z, D and their lags by the weights of the error."""
        m = self.model
        y = np.column_stack([m.y, self.lag(m.y, m.W)])
        columns = np.hstack([y, m.Z, m.D])
        return {"plain": columns, "lagged": self.lag(columns, m.M)}

    @cached_property
    def small(self) -> dict[str, np.ndarray]:
        """Triangular factors of the same columns: sums of squares are all that a grid needs."""
        both = np.hstack([self.parts["plain"], self.parts["lagged"]])
        factor = np.linalg.qr(both, mode="r")
        half = both.shape[1] // 2
        return {"plain": factor[:, :half], "lagged": factor[:, half:]}

    def solve(self, spatial: list[float], parts: dict[str, np.ndarray] | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(coefficients of Z and D, innovations) at spatial parameters."""
        rho, lam = self.model.split(spatial)
        parts = self.parts if parts is None else parts
        filtered = parts["plain"] - lam * parts["lagged"] if self.model.error else parts["plain"]
        target, columns = filtered[:, 0] - rho * filtered[:, 1], filtered[:, 2:]
        if not columns.shape[1]:
            return np.zeros(0), target
        size = np.sqrt((columns**2).sum(axis=0))
        solution = np.linalg.lstsq(columns / size, target, rcond=None)[0] / size
        return solution, target - columns @ solution

    def logdet(self, spatial: list[float]) -> float:
        """Log-determinants of all periods."""
        rho, lam = self.model.split(spatial)
        W, M = self.eigenvalues
        return float(self.model.blocks * (np.log(np.abs(1.0 - rho * W)).sum() + np.log(np.abs(1.0 - lam * M)).sum()))

    def concentrated(self, spatial: list[float], parts: dict[str, np.ndarray] | None = None) -> float:
        """Log-likelihood, maximised over everything but the spatial parameters."""
        e = self.solve(spatial, parts)[1]
        n = self.model.n
        return -0.5 * n * (np.log(2.0 * np.pi * (e @ e) / n) + 1.0) + self.logdet(spatial)

    def gradient(self, params: np.ndarray) -> np.ndarray:
        """Of the log-likelihood, the dummies profiled out."""
        m, k = self.model, self.k
        rho, lam = m.split(params[k:-1])
        s2 = params[-1]
        filtered = self.parts["plain"] - lam * self.parts["lagged"]
        y, Wy, Z, D = filtered[:, 0], filtered[:, 1], filtered[:, 2 : 2 + k], filtered[:, 2 + k :]
        e = y - rho * Wy - Z @ params[:k]
        a = np.linalg.lstsq(D, e, rcond=None)[0] if D.shape[1] else np.zeros(0)
        e = e - D @ a
        out = list(Z.T @ e / s2)
        W, M = self.eigenvalues
        if m.lag:
            out.append(e @ Wy / s2 - m.blocks * (W / (1.0 - rho * W)).sum().real)
        if m.error:
            lagged = self.parts["lagged"]
            Mu = lagged[:, 0] - rho * lagged[:, 1] - lagged[:, 2:] @ np.concatenate([params[:k], a])
            out.append(e @ Mu / s2 - m.blocks * (M / (1.0 - lam * M)).sum().real)
        out.append((e @ e / s2 - m.n) / (2.0 * s2))
        return np.array(out)

    def at(self, spatial: list[float]) -> np.ndarray:
        """All parameters, given the spatial ones."""
        coefficients, e = self.solve(spatial)
        return np.array([*coefficients[: self.k], *spatial, e @ e / self.model.n])

    def slope(self, spatial: list[float]) -> np.ndarray:
        """Gradient of the concentrated log-likelihood."""
        return self.gradient(self.at(list(spatial)))[self.k : -1]

    @cached_property
    def optima(self) -> list[np.ndarray]:
        """Spatial parameters at every local maximum found, the best first."""
        m = self.model
        if not m.n_spatial:
            return [np.zeros(0)]
        count = 121 if m.n_spatial == 1 else 41
        nodes = np.sin(np.linspace(-np.pi / 2.0, np.pi / 2.0, count))[1:-1]  # denser towards the bounds
        axes = [(low + high) / 2.0 + (high - low) / 2.0 * nodes for low, high in m.intervals]
        shape = tuple(len(axis) for axis in axes)
        points = np.stack([g.ravel() for g in np.meshgrid(*axes, indexing="ij")], axis=1)
        values = np.array([self.concentrated(list(point), self.small) for point in points]).reshape(shape)
        found: list[np.ndarray] = []
        for place in _local_maxima(values):
            if m.n_spatial == 1:
                end = self._root_between(axes[0][max(place[0] - 1, 0)], axes[0][min(place[0] + 1, len(axes[0]) - 1)])
            else:
                end = self._climb(np.array([axis[i] for axis, i in zip(axes, place, strict=True)]))
            if end is not None and not any(np.allclose(end, other, atol=1e-7) for other in found):
                found.append(end)
        return sorted(found, key=lambda x: -self.concentrated(list(x)))

    def _root_between(self, low: float, high: float) -> np.ndarray | None:
        if self.slope([low])[0] < 0.0 or self.slope([high])[0] > 0.0:
            return None  # it rises to the bound
        return np.array([brentq(lambda x: self.slope([x])[0], low, high, xtol=1e-14, rtol=1e-13)])

    def _climb(self, start: np.ndarray) -> np.ndarray | None:
        """Uphill without derivatives, then to the root of the gradient."""

        def inside(x: np.ndarray) -> bool:
            return all(low < value < high for value, (low, high) in zip(x, self.model.intervals, strict=True))

        def lost(x: np.ndarray) -> float:
            return -self.concentrated(list(x), self.small) if inside(x) else np.inf

        rough = minimize(lost, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-11})
        x = root(self.slope, rough.x, tol=1e-13).x
        if not inside(x) or np.abs(self.slope(list(x))).max() > 1e-6 or lost(x) > rough.fun + 1e-9:
            return None
        return x

    def maximum(self) -> np.ndarray:
        """All parameters at the highest maximum."""
        if not self.optima:
            raise NoInteriorOptimumError
        return self.at(list(self.optima[0]))

    def observed(self, params: np.ndarray) -> np.ndarray:
        """Minus the Hessian."""
        return information(self.gradient, params)

    def expected(self, params: np.ndarray) -> np.ndarray:
        """The published information: dummies partialled out of Z, the period means of ``G Z delta`` kept."""
        m, k, s2 = self.model, self.k, params[-1]
        rho, lam = m.split(params[k:-1])
        eye = np.eye(len(m.W))
        B = eye - lam * m.M
        G, H = m.W @ np.linalg.inv(eye - rho * m.W), m.M @ np.linalg.inv(B)
        Z = m.Z - m.D @ np.linalg.lstsq(m.D, m.Z, rcond=None)[0] if m.D.shape[1] else m.Z
        BZ, BD = self.lag(Z, B), self.lag(m.D, B)
        columns = BZ - BD @ np.linalg.lstsq(BD, BZ, rcond=None)[0] if m.D.shape[1] else BZ
        operators = []
        if m.lag:
            operators.append((B @ G @ np.linalg.inv(B), self.lag(self.lag(Z @ params[:k], G), B)))
        if m.error:
            operators.append((H, np.zeros(m.n)))
        s = len(operators)
        info = np.zeros((k + s + 1, k + s + 1))
        info[:k, :k] = columns.T @ columns / s2
        info[-1, -1] = m.n / (2.0 * s2**2)
        for i, (K, linear) in enumerate(operators):
            info[:k, k + i] = info[k + i, :k] = columns.T @ linear / s2
            info[k + i, -1] = info[-1, k + i] = m.blocks * np.trace(K) / s2
            for j, (other, also) in enumerate(operators):
                traces = m.blocks * (np.trace(K @ other) + np.trace(K.T @ other))
                info[k + i, k + j] = traces + linear @ also / s2
        return info

    def corrected(self, params: np.ndarray, *, n_free: int) -> np.ndarray:
        """Estimate minus ``I^-1 E[score]`` (Lee and Yu 2010, section 3.3)."""
        m, k, s2 = self.model, self.k, params[-1]
        rho, lam = m.split(params[k:-1])
        eye = np.eye(len(m.W))
        B = eye - lam * m.M
        Q = np.linalg.qr(self.lag(m.D, B))[0]
        score = np.zeros(len(params))
        score[-1] = (n_free - m.n) / (2.0 * s2)
        operators = []
        if m.lag:
            operators.append(B @ m.W @ np.linalg.inv(eye - rho * m.W) @ np.linalg.inv(B))
        if m.error:
            operators.append(m.M @ np.linalg.inv(B))
        for i, K in enumerate(operators):
            score[k + i] = -np.sum(Q * self.lag(Q, K))  # trace of the projection on the dummies times K
        return params - np.linalg.solve(self.expected(params), score)


def information(gradient: Callable[[np.ndarray], np.ndarray], params: np.ndarray) -> np.ndarray:
    """Minus the Hessian: sixth-order differences of a gradient whose last parameter is a variance."""
    size = len(params)
    # steps in units of standard errors, so that no column is lost in rounding
    rough = _difference(gradient, params, np.maximum(np.abs(params), 1e-2) * 1e-4)
    errors = np.sqrt(np.abs(np.diag(np.linalg.inv(rough))))
    return _difference(gradient, params, 1e-2 * np.minimum(errors, np.append(np.full(size - 1, np.inf), params[-1])))


def _difference(gradient: Callable[[np.ndarray], np.ndarray], params: np.ndarray, steps: np.ndarray) -> np.ndarray:
    weights = {1: 45.0, 2: -9.0, 3: 1.0}
    out = np.empty((len(params), len(params)))
    for j, h in enumerate(steps):
        move = np.zeros(len(params))
        move[j] = h
        out[j] = -sum(c * (gradient(params + i * move) - gradient(params - i * move)) for i, c in weights.items()) / (
            60.0 * h
        )
    return (out + out.T) / 2.0


def _local_maxima(values: np.ndarray) -> list[tuple[int, ...]]:
    """Places that no neighbour on the grid is above."""
    padded = np.pad(values, 1, constant_values=-np.inf)
    out = []
    for place in np.ndindex(values.shape):
        window = padded[tuple(slice(i, i + 3) for i in place)]
        if values[place] >= window.max():
            out.append(place)
    return out


def effects(params: dict[str, float], x: tuple[str, ...], W: np.ndarray) -> dict[tuple[str, str], float]:
    """Direct, indirect and total effects by the dense inverse; complex numbers pass."""
    n = len(W)
    S = np.linalg.inv(np.eye(n) - params.get("rho", 0.0) * W)
    out = {}
    for name in x:
        E = S @ (params[name] * np.eye(n) + params.get(f"W_{name}", 0.0) * W)
        direct, total = np.trace(E) / n, E.sum() / n
        out |= {(name, "direct"): direct, (name, "indirect"): total - direct, (name, "total"): total}
    return out


def effects_errors(
    params: dict[str, float], cov: np.ndarray, *, x: tuple[str, ...], W: np.ndarray
) -> dict[tuple[str, str], float]:
    """Delta-method standard errors, derivatives by complex steps; `cov` in the order of `params`."""
    slopes = []
    for name in params:
        moved = {key: complex(value) for key, value in params.items()}
        moved[name] += 1e-30j
        slopes.append([value.imag / 1e-30 for value in effects(moved, x, W).values()])
    J = np.array(slopes).T
    variances = np.einsum("ij,jk,ik->i", J, cov, J)
    return dict(zip(effects(params, x, W), np.sqrt(variances), strict=True))
