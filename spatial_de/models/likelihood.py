"""The one likelihood: Gaussian, for any combination of spatial lag (rho) and spatial error (lambda).

With ``A = I - rho W``, ``B = I - lambda M`` and transformed data,

    e(rho, lambda, delta) = B (A y - Z delta),
    ln L = -n/2 ln(2 pi sigma2) + ln|A| + ln|B| - e'e / (2 sigma2).

Every vector in it is a combination of the columns ``[Z, y, Wy, MZ, My, MWy]``; only the triangular factor of
their QR decomposition is needed (DESIGN: one compression).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.models.triangular import triangular_factor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.logdet import JacobianTerm
    from spatial_de.models.moving import MovingData
    from spatial_de.models.problem import Problem


@dataclass(frozen=True, slots=True)
class LogJacobian:
    """The log-determinants of the transformed model.

    Attributes
    ----------
    logdet
        ln|I - rho W| of one period; without ``ln(1 - rho)`` where time effects were eliminated by transformation. In
        panels that are not balanced, or under weights that change, the sum over all times, adjusted for effects.
    periods
        How often it enters.
    """

    logdet: JacobianTerm
    periods: int

    def value(self, rho: float) -> float:
        """Log-Jacobian at rho."""
        return self.periods * float(self.logdet.value(rho))

    def first(self, rho: float) -> float:
        """First derivative."""
        return self.periods * float(self.logdet.first(rho))

    def second(self, rho: float) -> float:
        """Second derivative."""
        return self.periods * float(self.logdet.second(rho))


@dataclass(frozen=True)
class Compressed:
    """Triangular factor of ``[Z, y, Wy, MZ, My, MWy]``: all that the likelihood needs of the data.

    Each block has shape (m,) or (m, k), with m the number of columns in all; absent lags are zero. `bend` is what the
    movement of the data with lambda adds (`moving`), shape (k + 2,) squared, or None where they stay.
    """

    Z: NDArray[np.float64]
    y: NDArray[np.float64]
    Wy: NDArray[np.float64]
    MZ: NDArray[np.float64]
    My: NDArray[np.float64]
    MWy: NDArray[np.float64]
    bend: NDArray[np.float64] | None = None

    def at(self, _lam: float) -> Compressed:
        """The data at a lambda: the same."""
        return self

    @classmethod
    def of(cls, problem: Problem) -> Compressed:
        """Compress the data of a problem."""
        k, rows = problem.k, problem.y.size
        columns = [problem.Z.reshape(rows, k)]
        names = ["y", "Wy", "MZ", "My", "MWy"]
        present = [name for name in names if getattr(problem, name) is not None]
        columns += [getattr(problem, name).reshape(rows, -1) for name in present]
        R = triangular_factor(columns)
        parts, start = {}, k
        for name in present:
            width = k if name == "MZ" else 1
            parts[name] = R[:, start : start + width]
            start += width
        zero = np.zeros(R.shape[0])
        return cls(
            Z=R[:, :k],
            MZ=parts.get("MZ", np.zeros((R.shape[0], k))),
            **{name: parts[name][:, 0] if name in parts else zero for name in ("y", "Wy", "My", "MWy")},
        )


@dataclass(frozen=True, slots=True)
class Point:
    """The likelihood at one (rho, lambda), the other parameters concentrated out.

    Attributes
    ----------
    rho, lam
        The spatial parameters.
    delta
        Coefficients of Z, shape (k,).
    sigma2, loglik
        Variance ``e'e / n`` and log-likelihood, in scaled units.
    e, a, h, c
        ``B (A y - Z delta)``, ``B W y``, ``M u``, ``M W y`` in compressed coordinates, shape (m,).
    BZ, MZ
        ``B Z`` and ``M Z``, shape (m, k).
    R
        Triangular factor of ``B Z``, shape (k, k).
    """

    rho: float
    lam: float
    delta: NDArray[np.float64]
    sigma2: float
    loglik: float
    e: NDArray[np.float64]
    a: NDArray[np.float64]
    h: NDArray[np.float64]
    c: NDArray[np.float64]
    BZ: NDArray[np.float64]
    MZ: NDArray[np.float64]
    R: NDArray[np.float64]


@dataclass(frozen=True)
class Likelihood:
    """Concentrated log-likelihood of (rho, lambda).

    Attributes
    ----------
    data
        Compressed data; `moving.MovingData` where they depend on lambda.
    n
        Observations the likelihood counts.
    lag, error
        Log-Jacobians of rho and lambda; None where the model has no such parameter.
    """

    data: Compressed | MovingData
    n: int
    lag: LogJacobian | None
    error: LogJacobian | None

    def at(self, rho: float, lam: float) -> Point:
        """Evaluate at one point."""
        d = self.data.at(lam)
        BZ = d.Z - lam * d.MZ if self.error else d.Z
        target = d.y - rho * d.Wy
        if self.error:
            target = target - lam * (d.My - rho * d.MWy)
        Q, R = np.linalg.qr(BZ)
        projection = Q.T @ target
        e: NDArray[np.float64] = target - Q @ projection  # through Q: exact also for nearly collinear regressors
        delta = np.linalg.solve(R, projection)
        sigma2 = float(e @ e) / self.n
        jacobian = (self.lag.value(rho) if self.lag else 0.0) + (self.error.value(lam) if self.error else 0.0)
        with np.errstate(divide="ignore"):
            loglik = -0.5 * self.n * (np.log(2.0 * np.pi) + np.log(sigma2) + 1.0) + jacobian
        return Point(
            rho=rho,
            lam=lam,
            delta=delta,
            sigma2=sigma2,
            loglik=float(loglik),
            e=e,
            a=d.Wy - lam * d.MWy if self.error else d.Wy,
            h=d.My - rho * d.MWy - d.MZ @ delta,
            c=d.MWy,
            BZ=BZ,
            MZ=d.MZ,
            R=R,
        )

    def gradient(self, p: Point) -> NDArray[np.float64]:
        """Derivative of the concentrated log-likelihood with respect to the free (rho, lambda)."""
        out = []
        if self.lag:
            out.append(self.lag.first(p.rho) + float(p.a @ p.e) / p.sigma2)
        if self.error:
            out.append(self.error.first(p.lam) + float(p.h @ p.e) / p.sigma2)
        return np.array(out)

    def information(self, p: Point) -> NDArray[np.float64]:
        """Observed information: minus the Hessian with respect to (delta, rho, lambda, sigma2).

        Analytic second derivatives; exact at any point where delta and sigma2 are concentrated out. Shape
        (k + s + 1, k + s + 1) with s free spatial parameters.
        """
        k, s2 = len(p.delta), p.sigma2
        columns, cross, spatial = [], [], []
        if self.lag:
            columns.append(p.a)
            cross.append(p.BZ.T @ p.a)
            spatial.append(self.lag.second(p.rho))
        if self.error:
            columns.append(p.h)
            cross.append(p.MZ.T @ p.e + p.BZ.T @ p.h)
            spatial.append(self.error.second(p.lam))
        s = len(columns)
        info = np.zeros((k + s + 1, k + s + 1))
        info[:k, :k] = p.BZ.T @ p.BZ / s2
        for i in range(s):
            info[:k, k + i] = info[k + i, :k] = cross[i] / s2
            info[k + i, k + i] = columns[i] @ columns[i] / s2 - spatial[i]
            info[k + i, -1] = info[-1, k + i] = columns[i] @ p.e / s2**2
        if s == 2:
            info[k, k + 1] = info[k + 1, k] = (p.c @ p.e + p.a @ p.h) / s2
        bend = self.data.at(p.lam).bend
        if self.error and bend is not None:
            of_u = np.concatenate([-p.delta, [1.0, -p.rho]])
            info[-2, -2] -= of_u @ bend @ of_u / s2
        info[:k, -1] = info[-1, :k] = p.BZ.T @ p.e / s2**2
        info[-1, -1] = p.e @ p.e / s2**3 - self.n / (2.0 * s2**2)
        return info

    def curvature(self, p: Point) -> NDArray[np.float64]:
        """Hessian of the concentrated log-likelihood, by the Schur complement of `information`, shape (s, s)."""
        small = partition(self.information(p), p).schur
        return np.asarray(np.outer(small[:-1, -1], small[-1, :-1]) / small[-1, -1] - small[:-1, :-1])


@dataclass(frozen=True, slots=True)
class Partition:
    """An information matrix split into delta and the rest (rho, lambda, sigma2).

    The normal equations of nearly collinear regressors would lose all digits; the triangular factor of BZ loses half
    as many.

    Attributes
    ----------
    half
        ``T`` with ``T T'`` the inverse of the block of delta, shape (k, k).
    cross
        ``T T'`` times the block of delta and the rest, shape (k, s + 1).
    schur
        Information of the rest with delta concentrated out, shape (s + 1, s + 1).
    """

    half: NDArray[np.float64]
    cross: NDArray[np.float64]
    schur: NDArray[np.float64]


def partition(info: NDArray[np.float64], p: Point) -> Partition:
    """Split an observed or expected information matrix at a point."""
    k = len(p.delta)
    half = np.linalg.solve(p.R, np.eye(k)) * np.sqrt(p.sigma2)
    projected = half.T @ info[:k, k:]
    return Partition(half, half @ projected, info[k:, k:] - projected.T @ projected)
