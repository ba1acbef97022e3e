"""Likelihood of spatial panels with random unit effects: deviations from unit means, and the means.

``B (A y - Z delta)`` has variance sigma2 in deviations from unit means and ``sigma2 K`` in the means (`random_kernel`),
so that for given (lambda, omega) the likelihood is that of `likelihood.Likelihood` on the deviations stacked on
``K^-1/2`` times the means, with ``ln|K| / 2`` taken off.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import qr

from spatial_de.models.likelihood import Compressed, Likelihood, LogJacobian, Point, partition
from spatial_de.models.random_kernel import Kernel, KernelSlopes, Shared, Spread, beside_errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.problem import Problem

_BLOCKS = ("y", "Wy", "MZ", "My", "MWy")


@dataclass(frozen=True, slots=True)
class RandomPoint:
    """The likelihood at one (rho, lambda, omega), the other parameters concentrated out.

    Attributes
    ----------
    plain
        The same point of the whitened data, whose log-likelihood lacks ``-ln|K| / 2``.
    omega
        ``ln(1 + T sigma2_mu / sigma2)``.
    loglik
        Log-likelihood in scaled units.
    kernel
        K.
    """

    plain: Point
    omega: float
    loglik: float
    kernel: Kernel

    @property
    def position(self) -> tuple[float, float, float]:
        """(rho, lambda, omega)."""
        return self.plain.rho, self.plain.lam, self.omega


@dataclass(frozen=True)
class RandomLikelihood:
    """Concentrated log-likelihood of (rho, lambda, omega).

    Attributes
    ----------
    deviations, means
        Columns ``[Z, y, Wy, MZ, My, MWy]`` (those that exist) of deviations from unit means, compressed to a triangular
        factor, and of unit means times ``sqrt(T)`` in the coordinates of K; shapes (r, m) and (q, m).
    k
        Number of columns of Z.
    blocks
        Which of the others exist.
    n, T
        Observations and times.
    lag, error
        Log-Jacobians of rho and lambda; None where the model has no such parameter.
    spread
        K.
    """

    deviations: NDArray[np.float64]
    means: NDArray[np.float64]
    k: int
    blocks: tuple[str, ...]
    n: int
    T: int
    lag: LogJacobian | None
    error: LogJacobian | None
    spread: Spread

    @classmethod
    def of(cls, problem: Problem, *, lag: LogJacobian | None, error: LogJacobian | None) -> RandomLikelihood:
        """Split and compress the data of a problem."""
        T, N = problem.y.shape
        blocks = tuple(name for name in _BLOCKS if getattr(problem, name) is not None)
        columns = [problem.Z, *(getattr(problem, name).reshape(T, N, -1) for name in blocks)]
        data = np.concatenate(columns, axis=2)
        means = data.mean(axis=0)
        beside = problem.random == "bsk" and problem.spec.lag_error
        spread: Spread = Shared(N - problem.drop_unit_root)
        if beside and problem.error_weights is not None:
            spread = beside_errors(problem.error_weights, without_ones=problem.drop_unit_root)
        between = np.sqrt(T) * spread.rotate(means)
        return cls(
            deviations=_triangular((data - means).reshape(T * N, -1)),
            means=_triangular(between) if spread.compressible else between,
            k=problem.k,
            blocks=blocks,
            n=problem.n,
            T=T,
            lag=lag,
            error=error,
            spread=spread,
        )

    def _cut(self, rows: NDArray[np.float64]) -> Compressed:
        """Named views of the columns."""
        parts, start = {}, self.k
        for name in self.blocks:
            width = self.k if name == "MZ" else 1
            parts[name] = rows[:, start : start + width]
            start += width
        zero = np.zeros(len(rows))
        lagged = parts.pop("MZ", np.zeros((len(rows), self.k)))
        vectors = {name: parts[name][:, 0] if name in parts else zero for name in ("y", "Wy", "My", "MWy")}
        return Compressed(Z=rows[:, : self.k], MZ=lagged, **vectors)

    def _whitened(self, kernel: Kernel) -> Likelihood:
        rows = np.vstack([self.deviations, kernel.half(self.means)])
        return Likelihood(data=self._cut(rows), n=self.n, lag=self.lag, error=self.error)

    def at(self, rho: float, lam: float, omega: float) -> RandomPoint:
        """Evaluate at one point."""
        kernel = self.spread.at(lam, omega)
        plain = self._whitened(kernel).at(rho, lam)
        return RandomPoint(plain, omega, plain.loglik - 0.5 * kernel.logdet, kernel)

    def along_rho(
        self, rhos: NDArray[np.float64], jacobian: NDArray[np.float64], spot: tuple[float, float]
    ) -> NDArray[np.float64]:
        """Log-likelihood at many rho for one (lambda, omega): the sum of squares is quadratic in rho.

        `jacobian` holds the log-Jacobian at each rho.
        """
        lam, omega = spot
        kernel = self.spread.at(lam, omega)
        d = self._whitened(kernel).data.at(lam)
        Q = np.linalg.qr(d.Z - lam * d.MZ)[0]
        pair = np.column_stack([d.y - lam * d.My, d.Wy - lam * d.MWy])
        left = pair - Q @ (Q.T @ pair)
        G = left.T @ left
        squares = G[0, 0] - 2.0 * rhos * G[0, 1] + rhos**2 * G[1, 1]
        own = (self.error.value(lam) if self.error else 0.0) - 0.5 * kernel.logdet
        with np.errstate(divide="ignore", invalid="ignore"):
            fit = -0.5 * self.n * (np.log(2.0 * np.pi) + np.log(squares / self.n) + 1.0)
        return np.asarray(fit + jacobian + own)

    def slopes(self, p: RandomPoint) -> KernelSlopes:
        """Derivatives that K adds."""
        return p.kernel.slopes(p.plain.e[len(self.deviations) :])

    def information(self, p: RandomPoint, slopes: KernelSlopes | None = None) -> NDArray[np.float64]:
        """Observed information: minus the Hessian with respect to (delta, rho, lambda, omega, sigma2).

        With ``e`` the residual, subscripts for derivatives and ``f_x = e_x - K_x p``, second derivatives of the sum
        of squares ``v' P v`` are ``2 f_x' P f_y + 2 e_xy' p - p' K_xy p``. Shape (k + s + 2, k + s + 2) with s free
        spatial parameters.
        """
        q, s2, start = p.plain, p.plain.sigma2, len(self.deviations)
        found = self.slopes(p) if slopes is None else slopes
        plain = self._plain.information(q)
        size = len(plain) + 1
        info = np.zeros((size, size))
        keep = np.array([*range(size - 2), size - 1])
        info[np.ix_(keep, keep)] = plain
        moves = [q.BZ[start:], *([q.a[start:, None]] if self.lag else []), *([q.h[start:, None]] if self.error else [])]
        moved = np.zeros((len(q.e) - start, size))
        moved[:, : size - 2] = -np.hstack(moves)
        mine = [*([size - 3] if self.error else []), size - 2]  # lambda and omega among all parameters
        theirs = [0, 1] if self.error else [1]
        for i, x in zip(theirs, mine, strict=True):
            cross = moved.T @ found.pull[:, i] / s2
            info[:, x] -= cross
            info[x, :] -= cross
            info[x, -1] += found.form[i] / (2.0 * s2**2)
            info[-1, x] = info[x, -1]
        own = found.pull.T @ found.pull / s2 - found.form2 / (2.0 * s2) + found.trace2 / 2.0
        info[np.ix_(mine, mine)] += own[np.ix_(theirs, theirs)]
        return info

    def derivatives(self, p: RandomPoint) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Gradient and Hessian of the concentrated log-likelihood in the free (rho, lambda, omega)."""
        found = self.slopes(p)
        kernel = found.form / (2.0 * p.plain.sigma2) - found.trace / 2.0
        gradient = np.append(self._plain.gradient(p.plain), kernel[1])
        if self.error:
            gradient[-2] += kernel[0]
        small = partition(self.information(p, found), p.plain).schur
        hessian = np.outer(small[:-1, -1], small[-1, :-1]) / small[-1, -1] - small[:-1, :-1]
        return gradient, np.asarray(hessian)

    @property
    def _plain(self) -> Likelihood:
        return Likelihood(data=self._cut(self.deviations), n=self.n, lag=self.lag, error=self.error)

    def sketched(self) -> RandomLikelihood:
        """The same with log-determinants that are cheap and rough; itself where nothing is cheaper."""

        def changed(jacobian: LogJacobian | None) -> LogJacobian | None:
            if jacobian is None:
                return None
            rough = jacobian.logdet.sketch()
            return jacobian if rough is jacobian.logdet else replace(jacobian, logdet=rough)

        lag, error = changed(self.lag), changed(self.error)
        return self if lag is self.lag and error is self.error else replace(self, lag=lag, error=error)

    def shared(self) -> RandomLikelihood:
        """The same data when the unit effects share the spatial error."""
        return replace(self, means=_triangular(self.means), spread=Shared(self.spread.n))


def _triangular(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    R = qr(columns, mode="r", check_finite=False)[0]
    return np.asarray(R[: min(R.shape)])
