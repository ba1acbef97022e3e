"""Covariance of unit means under random effects, relative to that of the deviations from them.

The means ``sqrt(T) B mean_t(A y_t - Z_t delta)`` have variance ``sigma2 K``: with ``tau = T sigma2_mu / sigma2``

* ``K = (1 + tau) I`` where the unit effects share the spatial error or there is none (Kapoor, Kelejian, Prucha 2007);
* ``K = I + tau B B'`` where they stand beside it (Anselin 1988; Baltagi, Song and Koh 2003).

Parameters are lambda and ``omega = ln(1 + tau)``, in which the log-likelihood is concave for given coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.linalg.lapack import dpotri

from spatial_de.errors import CapacityError
from spatial_de.logdet import DENSE_LIMIT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.weights import SpatialWeights

_DENSE_SHARE = 0.1  # of entries from which a sparse matrix is slower than a dense one
_SYMMETRIC = 1e-14  # relative to the largest weight
_FEW = 200  # rows up to which BLAS' triangular routines lose more by their threads than they save by the triangle


@dataclass(frozen=True, slots=True)
class KernelSlopes:
    """Derivatives with respect to x, y in (lambda, omega) at a residual; ``P = K^-1``, ``p = P v``, ``L L' = K``.

    Attributes
    ----------
    trace
        ``tr(P K_x)``, shape (2,).
    trace2
        ``tr(P K_xy) - tr(P K_x P K_y)``, shape (2, 2).
    pull
        ``L^-1 K_x p``, shape (rows, 2).
    form
        ``p' K_x p``, shape (2,).
    form2
        ``p' K_xy p``, shape (2, 2).
    """

    trace: NDArray[np.float64]
    trace2: NDArray[np.float64]
    pull: NDArray[np.float64]
    form: NDArray[np.float64]
    form2: NDArray[np.float64]


class Kernel(Protocol):
    """K at one (lambda, omega)."""

    @property
    def logdet(self) -> float:
        """``ln|K|``."""
        ...

    def half(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """``L^-1 x``, shape of `x`, (rows,) or (rows, m)."""
        ...

    def lift(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """``L'^-1 x``, shape (rows,)."""
        ...

    def slopes(self, whitened: NDArray[np.float64]) -> KernelSlopes:
        """Derivatives at the residual ``L^-1 v``, shape (rows,)."""
        ...


class Spread(Protocol):
    """K as a function of (lambda, omega), in coordinates of its own."""

    @property
    def n(self) -> int:
        """Dimension of K: the number of units, less one where the vector of ones was left out."""
        ...

    @property
    def compressible(self) -> bool:
        """Whether K is a multiple of the identity, so that a triangular factor of the means is enough."""
        ...

    @property
    def cost(self) -> float:
        """Operations of one evaluation."""
        ...

    def rotate(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """Columns of the means in the coordinates of K, shape (N, m)."""
        ...

    def rotate_back(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """From those coordinates to units, shape (N,)."""
        ...

    def at(self, lam: float, omega: float) -> Kernel:
        """K at a point."""
        ...

    def dense(self, lam: float, omega: float) -> tuple[NDArray[np.float64], ...]:
        """K and its derivatives by lambda and omega between units, each of shape (N, N).

        Multiples of the identity have shape (1, 1).
        """
        ...


@dataclass(frozen=True, slots=True)
class DiagonalKernel:
    """A diagonal K.

    Attributes
    ----------
    values, first, second
        The diagonal and its derivatives, shapes (r,), (2, r), (2, 2, r); r = 1 for a multiple of the identity.
    times
        How often each entry stands on the diagonal.
    """

    values: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    times: int

    @property
    def logdet(self) -> float:
        """``ln|K|``."""
        return self.times * float(np.log(self.values).sum())

    def half(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """``L^-1 x``."""
        root = np.sqrt(self.values)
        return x / (root[:, None] if x.ndim == 2 else root)

    def lift(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """``L'^-1 x``."""
        return self.half(x)

    def slopes(self, whitened: NDArray[np.float64]) -> KernelSlopes:
        """Derivatives at a residual."""
        ratio, ratio2 = self.first / self.values, self.second / self.values
        squares = whitened**2
        return KernelSlopes(
            trace=self.times * ratio.sum(axis=-1),
            trace2=self.times * (ratio2 - ratio[:, None] * ratio[None, :]).sum(axis=-1),
            pull=(ratio * whitened).T,
            form=(ratio * squares).sum(axis=-1),
            form2=(ratio2 * squares).sum(axis=-1),
        )


@dataclass(frozen=True)
class FullKernel:
    """``K = I + tau B B'`` as a dense Cholesky factor; S = M + M' and MM = M M' dense or sparse."""

    factor: NDArray[np.float64]
    S: Any
    MM: Any
    lam: float
    omega: float

    @property
    def logdet(self) -> float:
        """``ln|K|``."""
        return 2.0 * float(np.log(np.diag(self.factor)).sum())

    def half(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """``L^-1 x``."""
        return _solve_lower(self.factor, x)

    def lift(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """``L'^-1 x``."""
        return _solve_lower(self.factor, x, transposed=True)

    def derivatives(
        self, x: NDArray[np.float64]
    ) -> tuple[tuple[NDArray[np.float64], ...], dict[tuple[int, int], NDArray[np.float64]]]:
        """``K_x x`` and ``K_xy x`` of (lambda, omega) for the columns of x."""
        lam, tau, grow = self.lam, np.expm1(self.omega), np.exp(self.omega)
        Sx, MMx = self.S @ x, self.MM @ x
        slope, BBx = 2.0 * lam * MMx - Sx, x - lam * Sx + lam**2 * MMx
        by_omega = grow * BBx
        return (tau * slope, by_omega), {(0, 0): 2.0 * tau * MMx, (0, 1): grow * slope, (1, 1): by_omega}

    @cached_property
    def _traces(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """``tr(P K_x)`` and ``tr(P K_xy) - tr(P K_x P K_y)``: the costly part, needed more than once at a point."""
        first, second = self.derivatives(_inverse(self.factor))
        trace2 = np.empty((2, 2))
        for (i, j), KxyP in second.items():
            trace2[i, j] = trace2[j, i] = np.trace(KxyP) - np.sum(first[i] * first[j].T)
        return np.array([np.trace(KP) for KP in first]), trace2

    def slopes(self, whitened: NDArray[np.float64]) -> KernelSlopes:
        """Derivatives at a residual."""
        (trace, trace2), p = self._traces, self.lift(whitened)
        first, second = self.derivatives(p)
        form2 = np.empty((2, 2))
        for (i, j), Kxyp in second.items():
            form2[i, j] = form2[j, i] = p @ Kxyp
        return KernelSlopes(
            trace=trace,
            trace2=trace2,
            pull=np.column_stack([self.half(Kp) for Kp in first]),
            form=np.array([p @ Kp for Kp in first]),
            form2=form2,
        )


@dataclass(frozen=True, slots=True)
class Shared:
    """``K = (1 + tau) I`` of dimension n."""

    n: int
    compressible: bool = True
    cost: float = 0.0

    def rotate(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """As they are."""
        return means

    def rotate_back(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """As they are."""
        return x

    def dense(self, lam: float, omega: float) -> tuple[NDArray[np.float64], ...]:
        """K and its derivatives: multiples of the identity, each of shape (1, 1)."""
        kernel = self.at(lam, omega)
        return tuple(d.reshape(1, 1) for d in (kernel.values, *kernel.first))

    def at(self, lam: float, omega: float) -> DiagonalKernel:  # noqa: ARG002
        """K at a point; lambda has no part in it."""
        grow = np.exp(omega)
        return DiagonalKernel(
            values=np.array([grow]),
            first=np.array([[0.0], [grow]]),
            second=np.array([[[0.0], [0.0]], [[0.0], [grow]]]),
            times=self.n,
        )


@dataclass(frozen=True, slots=True)
class Rotated:
    """``K = I + tau (I - lambda M)^2`` of a symmetric M, in the coordinates of its eigenvectors.

    Attributes
    ----------
    eigenvalues, axes
        Of M, shapes (n,) and (N, n); one fewer than units where the vector of ones was left out.
    """

    eigenvalues: NDArray[np.float64]
    axes: NDArray[np.float64]
    compressible: bool = False

    @property
    def n(self) -> int:
        """Dimension of K."""
        return len(self.eigenvalues)

    @property
    def cost(self) -> float:
        """Operations of one evaluation, but for the regression."""
        return float(self.n)

    def rotate(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """Coordinates along the eigenvectors."""
        return np.asarray(self.axes.T @ means)

    def rotate_back(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """From eigenvectors to units."""
        return np.asarray(self.axes @ x)

    def dense(self, lam: float, omega: float) -> tuple[NDArray[np.float64], ...]:
        """K and its derivatives between units."""
        kernel = self.at(lam, omega)
        return tuple((self.axes * d) @ self.axes.T for d in (kernel.values, *kernel.first))

    def at(self, lam: float, omega: float) -> DiagonalKernel:
        """K at a point."""
        m, tau, grow = self.eigenvalues, np.expm1(omega), np.exp(omega)
        b = 1.0 - lam * m
        slope, by_omega = -2.0 * m * b, grow * b**2
        mixed = grow * slope
        return DiagonalKernel(
            values=1.0 + tau * b**2,
            first=np.array([tau * slope, by_omega]),
            second=np.array([[2.0 * tau * m**2, mixed], [mixed, by_omega]]),
            times=1,
        )


@dataclass(frozen=True, slots=True)
class Full:
    """``K = I + tau B B'`` of any M: one dense Cholesky factor per evaluation.

    Attributes
    ----------
    S, MM
        ``M + M'`` and ``M M'``, dense or sparse, shape (n, n).
    n
        Dimension of K.
    axes
        Orthonormal columns that span what is left without the vector of ones, shape (N, n); None where nothing is
        left out.
    """

    S: Any
    MM: Any
    n: int
    axes: NDArray[np.float64] | None = None
    compressible: bool = False

    @property
    def cost(self) -> float:
        """Operations of one evaluation: a Cholesky factor."""
        return self.n**3 / 3.0

    def rotate(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """Coordinates along the axes."""
        return means if self.axes is None else np.asarray(self.axes.T @ means)

    def rotate_back(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """From axes to units."""
        return x if self.axes is None else np.asarray(self.axes @ x)

    def dense(self, lam: float, omega: float) -> tuple[NDArray[np.float64], ...]:
        """K and its derivatives between units."""
        kernel = self.at(lam, omega)
        found = (kernel.factor @ kernel.factor.T, *kernel.derivatives(np.eye(self.n))[0])
        return found if self.axes is None else tuple(self.axes @ part @ self.axes.T for part in found)

    def at(self, lam: float, omega: float) -> FullKernel:
        """K at a point."""
        tau = np.expm1(omega)
        BB = lam**2 * self.MM - lam * self.S
        K = tau * (BB.toarray() if hasattr(BB, "toarray") else BB)
        K[np.diag_indices(self.n)] += 1.0 + tau
        return FullKernel(cholesky(K, lower=True, overwrite_a=True, check_finite=False), self.S, self.MM, lam, omega)


def _solve_lower(L: NDArray[np.float64], x: NDArray[np.float64], *, transposed: bool = False) -> NDArray[np.float64]:
    """``L^-1 x`` or ``L'^-1 x`` of a lower triangular L."""
    if len(L) <= _FEW:
        return np.asarray(np.linalg.solve(L.T if transposed else L, x), dtype=np.float64)
    return np.asarray(solve_triangular(L, x, lower=True, trans="T" if transposed else "N", check_finite=False))


def _inverse(L: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(L L')^-1``."""
    if len(L) <= _FEW:
        half = _solve_lower(L, np.eye(len(L)))
        return np.asarray(half.T @ half)
    lower = dpotri(L, lower=1)[0]
    return np.asarray(np.tril(lower) + np.tril(lower, -1).T)


def beside_errors(M: SpatialWeights, *, without_ones: bool) -> Rotated | Full:
    """K of unit effects that stand beside the spatial error with weights M.

    Parameters
    ----------
    M
        Weights of the error.
    without_ones
        Whether time effects were eliminated by an orthonormal transformation F, so that ``F'M F`` takes the place of M
        (Lee and Yu 2010); its rows must add up to one.

    Raises
    ------
    CapacityError
        Dense matrices of this many units would need too much memory.
    """
    n = M.n
    if n > DENSE_LIMIT:
        raise CapacityError(
            f"random='bsk' with a spatial error needs dense matrices of {n:,} x {n:,} units, {8 * n**2 / 1e9:.1f} GB "
            f"each; the limit is {DENSE_LIMIT:,} units. random='kkp' does without."
        )
    matrix, axes = M.sparse, None
    if without_ones:
        axes = _without_ones(n)
        matrix = axes.T @ (matrix @ axes)
    if abs(matrix - matrix.T).max() <= _SYMMETRIC * abs(matrix).max():
        eigenvalues, own = np.linalg.eigh(matrix if without_ones else matrix.toarray())
        return Rotated(eigenvalues, own if axes is None else axes @ own)
    S, MM = matrix + matrix.T, matrix @ matrix.T
    if not without_ones and MM.nnz > _DENSE_SHARE * n**2:
        S, MM = S.toarray(), MM.toarray()
    return Full(S, MM, len(S) if without_ones else n, axes)


def _without_ones(n: int) -> NDArray[np.float64]:
    """Orthonormal columns orthogonal to the vector of ones, shape (n, n - 1): Helmert's."""
    i, j = np.arange(n)[:, None], np.arange(n - 1)[None, :]
    columns = np.where(i <= j, 1.0, np.where(i == j + 1, -(j + 1.0), 0.0))
    return np.asarray(columns / np.sqrt((j + 1.0) * (j + 2.0)))
