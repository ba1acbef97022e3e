"""Stochastic ln|I - rho W|: Gauss quadrature from random probes, with the low moments of W exact.

With probes v of random signs, ``E[v' f(W) v] = tr f(W)``. The Lanczos process turns ``v' f(S) v`` of the symmetric
form S into a sum over a few nodes (Gauss quadrature); weights without a symmetric form use the powers ``v' W^j v``
themselves. The moments tr(W^j) that can be had exactly replace their estimates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_array

Quadrature = tuple["NDArray[np.float64]", "NDArray[np.float64]"]
_STREAM = 0x5DE70B  # apart from the streams of data that users made with a small seed: probes must not resemble them
_STEPS = 30
_POWERS = 60
_EXHAUSTED = 1e-12  # length of a vector of which nothing but rounding is left
_FOUND = 1e-4  # distance from one of a node that is the unit eigenvalue and no mixture with others
_CHEAP = 3e7  # multiplications up to which the square of W is formed for its moments


@dataclass(frozen=True)
class StochasticLogDeterminant:
    """An estimate of ln|I - rho W| with error bars.

    Attributes
    ----------
    n
        Number of units.
    bounds
        Admissible interval of rho.
    nodes, weights
        Quadrature of each probe, shape (p, m): ``n sum_k weights_k ln(1 - rho nodes_k)`` estimates the
        log-determinant. None for weights without symmetric form.
    moments
        Coefficients ``tr(W^j) / j`` of ``-rho^j``, estimate of each probe, shape (p, J), j = 1 to J: of those used
        directly, or what the exact low moments add to the quadrature.
    """

    n: int
    bounds: tuple[float, float]
    nodes: NDArray[np.float64] | None
    weights: NDArray[np.float64] | None
    moments: NDArray[np.float64]
    method: str = "stochastic"

    def samples(self, rho: ArrayLike, order: int = 0) -> NDArray[np.float64]:
        """Estimate of each probe of the derivative of some order (0, 1, 2), shape (p, *rho.shape)."""
        at = np.asarray(rho, dtype=np.float64)
        powers = np.arange(1, self.moments.shape[1] + 1)
        factor = [np.ones_like(powers), powers, powers * (powers - 1)][order]
        terms = at[..., None] ** np.maximum(powers - order, 0) * factor
        out: NDArray[np.float64] = -np.einsum("...j,pj->p...", terms, self.moments)
        if self.nodes is not None and self.weights is not None:
            shape = (len(self.nodes),) + (1,) * at.ndim + (-1,)
            nodes, weights = self.nodes.reshape(shape), self.weights.reshape(shape)
            inner = 1.0 - at[..., None] * nodes
            curve = [np.log(np.abs(inner)), -nodes / inner, -((nodes / inner) ** 2)][order]
            out = out + self.n * np.sum(weights * curve, axis=-1)
        return out

    def value(self, rho: ArrayLike) -> NDArray[np.float64]:
        """``ln|I - rho W|``, mean over the probes, shape of `rho`."""
        return np.asarray(self.samples(rho).mean(axis=0))

    def first(self, rho: ArrayLike) -> NDArray[np.float64]:
        """First derivative."""
        return np.asarray(self.samples(rho, 1).mean(axis=0))

    def second(self, rho: ArrayLike) -> NDArray[np.float64]:
        """Second derivative."""
        return np.asarray(self.samples(rho, 2).mean(axis=0))

    def std_error(self, rho: ArrayLike) -> NDArray[np.float64]:
        """Standard error of `value` over the probes."""
        found = self.samples(rho)
        return np.asarray(found.std(axis=0, ddof=1) / np.sqrt(len(found)))

    @property
    def error_bound(self) -> float:
        """Standard error of the log-determinant in the middle of the positive half of the interval."""
        return float(self.std_error(0.5 * self.bounds[1]))

    def prepare(self, low: float, high: float) -> None:
        """Nothing to prepare."""

    def without_unit_root(self) -> StochasticLogDeterminant:
        """The same for all eigenvalues but one that is one.

        The probes give that eigenvalue a random weight, the exact ``ln(1 - rho)`` has weight one: their difference
        would be infinite at rho = 1, of either sign. So what the probes gave it is taken off.
        """
        orders = np.arange(1, self.moments.shape[1] + 1)
        if self.nodes is None or self.weights is None:
            return replace(self, moments=self.moments - 1.0 / orders)
        nearest, probe = self.nodes.argmax(axis=1), np.arange(len(self.nodes))
        node, weight = self.nodes[probe, nearest], self.weights[probe, nearest]
        off = np.where(1.0 - node < _FOUND, weight, np.minimum(weight, 1.0 / self.n))
        weights = self.weights.copy()
        weights[probe, nearest] -= off
        # the low moments stay exact: what is taken off here and one that goes there
        moments = self.moments + (self.n * off[:, None] * node[:, None] ** orders - 1.0) / orders
        return replace(self, weights=weights, moments=moments)

    def sketch(self) -> StochasticLogDeterminant:
        """Itself."""
        return self


def unit_root(rho: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """``ln(1 - rho)`` or its first or second derivative."""
    return np.asarray(np.log1p(-rho) if order == 0 else -1.0 / (1.0 - rho) ** order)


def stochastic(
    matrix: csr_array, *, symmetric: bool, bounds: tuple[float, float], probes: int, seed: int = 0
) -> StochasticLogDeterminant:
    """Estimate from `probes` random probes.

    Parameters
    ----------
    matrix
        W, or its symmetric form, shape (n, n).
    symmetric
        Whether it is symmetric.
    bounds
        Admissible interval.
    probes
        Number of probes, at least two for error bars.
    seed
        Of the probes.

    References
    ----------
    Ubaru, S., Chen, J. and Saad, Y. (2017). Fast estimation of tr(f(A)) via stochastic Lanczos quadrature. *SIAM
    Journal on Matrix Analysis and Applications* 38, 1075-1099.
    Barry, R. P. and Pace, R. K. (1999). Monte Carlo estimates of the log determinant of large sparse matrices.
    *Linear Algebra and its Applications* 289, 41-54.
    """
    signs = random_signs(matrix.shape[0], probes, seed)
    exact = _exact_moments(matrix, symmetric=symmetric)
    if symmetric:
        return from_quadrature(lanczos(matrix, signs, steps=_STEPS), exact, n=matrix.shape[0], bounds=bounds)
    traces = _powers(matrix, signs)
    traces[:, : len(exact)] = exact
    return StochasticLogDeterminant(matrix.shape[0], bounds, None, None, traces / np.arange(1, traces.shape[1] + 1))


def from_quadrature(
    quadrature: Quadrature, exact: NDArray[np.float64], *, n: int, bounds: tuple[float, float]
) -> StochasticLogDeterminant:
    """Estimate from the nodes and weights of `lanczos` and the exact low moments ``tr(W^j)``, j = 1, 2, ..."""
    nodes, weights = quadrature
    orders = np.arange(1, len(exact) + 1)
    estimated = n * np.stack([np.sum(weights * nodes**j, axis=1) for j in orders], axis=1)
    return StochasticLogDeterminant(n, bounds, nodes, weights, (exact - estimated) / orders)


def random_signs(n: int, probes: int, seed: int = 0) -> NDArray[np.float64]:
    """Probes of plus and minus ones, one in each row, shape (p, n)."""
    heads = np.random.default_rng([_STREAM, seed]).integers(0, 2, size=(probes, n), dtype=np.int8)
    return np.where(heads == 1, 1.0, -1.0)


def _exact_moments(matrix: csr_array, *, symmetric: bool) -> NDArray[np.float64]:
    """tr(W), tr(W^2) and, where the square is cheap, tr(W^3), tr(W^4)."""
    mirror = matrix if symmetric else matrix.T.tocsr()
    second = matrix.multiply(mirror).sum()
    work = float(np.diff(matrix.indptr)[matrix.indices].sum())
    if work > _CHEAP:
        return np.array([0.0, second])
    square = matrix @ matrix
    turned = square if symmetric else square.T.tocsr()
    return np.array([0.0, second, square.multiply(mirror).sum(), square.multiply(turned).sum()])


def lanczos(matrix: csr_array, signs: NDArray[np.float64], *, steps: int) -> Quadrature:
    """Nodes and weights of the Gauss quadrature of each probe, both of shape (p, m), weights adding up to one.

    Parameters
    ----------
    matrix
        Symmetric, shape (n, n).
    signs
        Probes, shape (p, n).
    steps
        Nodes m, fewer where n is not larger.
    """
    steps = min(steps, matrix.shape[0] - 1)
    tridiagonal = np.zeros((len(signs), steps, steps))
    index = np.arange(steps)
    for i, probe in enumerate(signs):
        diagonal, beside = _recurrence(matrix, probe, steps)
        tridiagonal[i, index, index] = diagonal
        tridiagonal[i, index[1:], index[:-1]] = beside[:-1]
    nodes, vectors = np.linalg.eigh(tridiagonal)
    return np.asarray(nodes), np.asarray(vectors[:, 0, :] ** 2)


def _recurrence(
    matrix: csr_array, probe: NDArray[np.float64], steps: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Diagonal and subdiagonal of the tridiagonal matrix that one probe leads to; zeros once its space is exhausted."""
    from scipy.linalg.blas import daxpy, ddot, dnrm2

    diagonal, beside = np.zeros(steps), np.zeros(steps)
    vector, previous, length = probe / np.sqrt(len(probe)), np.zeros_like(probe), 0.0
    for k in range(steps):
        product = daxpy(previous, matrix @ vector, a=-length)  # in place
        diagonal[k] = ddot(product, vector)
        product = daxpy(vector, product, a=-diagonal[k])
        length = dnrm2(product)
        if length <= _EXHAUSTED:
            break
        beside[k] = length
        product /= length
        previous, vector = vector, product
    return diagonal, beside


def _powers(matrix: csr_array, signs: NDArray[np.float64]) -> NDArray[np.float64]:
    """``v' W^j v`` of each probe, shape (p, J)."""
    out = np.empty((len(signs), _POWERS))
    for i, probe in enumerate(signs):
        vector = probe
        for j in range(_POWERS):
            vector = matrix @ vector
            out[i, j] = probe @ vector
    return out
