"""Generalised moments of a spatial error: ``u = lambda M u + e`` with errors of one or of different variances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from spatial_de.errors import IdentificationError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

Variances = Literal["equal", "different"]


@dataclass(frozen=True, slots=True)
class Operators:
    """Symmetric matrices of the two moment conditions ``E e'A_r e = 0``.

    With different variances ``A_1 = M'M - diag(M'M)``; with equal ones ``A_1 = v (M'M - I tr(M'M)/n)`` with
    ``v = 1 / (1 + (tr(M'M)/n)^2)``. ``A_2 = (M + M') / 2``.

    Attributes
    ----------
    matrices
        A_1 and A_2, shape (n, n) each.
    diagonal
        Diagonal of A_1, shape (n,); that of A_2 is zero.
    products
        ``A_r * A_s`` by elements for (r, s) = (1, 1), (1, 2), (2, 2).
    variances
        Which of the two.

    References
    ----------
    Kelejian, H. H. and Prucha, I. R. (2010). *Journal of Econometrics* 157, 53-67, equation (9).
    Drukker, D. M., Egger, P. and Prucha, I. R. (2013). *Econometric Reviews* 32, 686-733, equation (8).
    """

    matrices: tuple[csr_array, csr_array]
    diagonal: NDArray[np.float64]
    products: tuple[csr_array, csr_array, csr_array]
    variances: Variances

    @classmethod
    def of(cls, M: csr_array, variances: Variances) -> Operators:
        """Operators of the weights of the error."""
        from scipy.sparse import csr_array, diags_array

        inner = csr_array(M.T @ M)
        own = inner.diagonal()
        share = float(own.mean())
        if variances == "equal":
            first = csr_array((inner - diags_array(np.full(len(own), share))) / (1.0 + share**2))
        else:
            first = csr_array(inner - diags_array(own))
        second = csr_array((M + M.T) / 2.0)
        pairs = (first, first), (first, second), (second, second)
        return cls((first, second), first.diagonal(), tuple(csr_array(a * b) for a, b in pairs), variances)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Empirical moments ``m(lambda) = g - G (lambda, lambda^2)'``, one row per condition.

    Attributes
    ----------
    g
        Shape (2,).
    G
        Shape (2, 2).
    """

    g: NDArray[np.float64]
    G: NDArray[np.float64]

    @classmethod
    def of(cls, ops: Operators, u: NDArray[np.float64], Mu: NDArray[np.float64]) -> Conditions:
        """From residuals and their spatial lag, shape (n,) each (Kelejian and Prucha 2010, equation (11))."""
        n = len(u)
        Au = [A @ u for A in ops.matrices]
        AMu = [A @ Mu for A in ops.matrices]
        g = np.array([u @ a for a in Au]) / n
        G = np.array([[2.0 * (Mu @ a), -(Mu @ b)] for a, b in zip(Au, AMu, strict=True)]) / n
        return cls(g, G)

    def slope(self, lam: float) -> NDArray[np.float64]:
        """Minus the derivative of the moments, ``J = G (1, 2 lambda)'``, shape (2,)."""
        return np.asarray(self.G @ [1.0, 2.0 * lam])


@dataclass(frozen=True, slots=True)
class Minimum:
    """Where the weighted moments are smallest, and whether that is inside the admissible interval."""

    lam: float
    inside: bool


def minimise(
    moments: Conditions, bounds: tuple[float, float], *, variance: NDArray[np.float64] | None = None
) -> Minimum:
    """Smallest ``m' V^-1 m`` over the admissible interval: a polynomial of degree four with known stationary points.

    Parameters
    ----------
    moments
        Their coefficients.
    bounds
        Admissible open interval of lambda.
    variance
        V, shape (2, 2); None weighs the moments equally.
    """
    weighted = np.column_stack([moments.g, -moments.G])
    if variance is not None:
        weighted = solve_triangular(_root(variance), weighted, lower=True)
    a, b, c = weighted.T
    slope = [2.0 * (c @ c), 3.0 * (b @ c), b @ b + 2.0 * (a @ c), a @ b]
    roots = np.roots(slope)
    real = roots.real[np.abs(roots.imag) <= 1e-7 * (1.0 + np.abs(roots))]
    inside = [_polished(slope, x) for x in real if bounds[0] < x < bounds[1]]
    candidates = [*((x, True) for x in inside), *((end, False) for end in bounds)]
    best = min(candidates, key=lambda point: float(np.sum((a + b * point[0] + c * point[0] ** 2) ** 2)))
    return Minimum(float(best[0]), best[1])


def _polished(slope: list[float], x: float) -> float:
    """A root of a polynomial after two Newton steps."""
    curvature = np.polyder(slope)
    for _ in range(2):
        steep = np.polyval(curvature, x)
        x -= float(np.polyval(slope, x) / steep) if steep else 0.0
    return x


def _root(variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower triangular root of the variance of the moments."""
    try:
        return np.asarray(cholesky(variance, lower=True))
    except np.linalg.LinAlgError as error:
        raise IdentificationError(
            "The moment conditions of the spatial error depend on each other: its weights have too few links for "
            "method='gmm'. Use method='ml'."
        ) from error


def variance_of_moments(ops: Operators, e: NDArray[np.float64], a: NDArray[np.float64]) -> NDArray[np.float64]:
    """Psi, shape (2, 2).

    ``Psi_rs = tr(2 A_r Sigma A_s Sigma)/n + a_r'Sigma a_s/n`` with different variances. With equal ones
    ``2 s4 tr(A_r A_s)/n + s2 a_r'a_s/n + (mu4 - 3 s4) sum_i A_r,ii A_s,ii/n + mu3 (a_r'diag A_s + a_s'diag A_r)/n``.

    Parameters
    ----------
    ops
        The moment conditions.
    e
        Innovations, shape (n,).
    a
        What the estimation of the coefficients adds to each moment, ``a_r'e``, shape (n, 2).

    References
    ----------
    Kelejian and Prucha (2010), equation (16); Drukker, Egger and Prucha (2013), equation (17).
    """
    n = len(e)
    own = a.T @ (_spread(ops, e)[:, None] * a)
    if ops.variances == "different":
        s = e**2
        p, q, r = (2.0 * float(s @ (product @ s)) for product in ops.products)
        return np.asarray((np.array([[p, q], [q, r]]) + own) / n)
    s2, mu3, mu4 = (float(np.mean(e**power)) for power in (2, 3, 4))
    p, q, r = (2.0 * s2**2 * float(product.sum()) for product in ops.products)
    p += (mu4 - 3.0 * s2**2) * float(ops.diagonal @ ops.diagonal)
    skewed = mu3 * (a.T @ ops.diagonal)
    own += np.array([[2.0 * skewed[0], skewed[1]], [skewed[1], 0.0]])
    return np.asarray((np.array([[p, q], [q, r]]) + own) / n)


def joint_covariance(
    ops: Operators,
    moments: Conditions,
    *,
    lam: float,
    e: NDArray[np.float64],
    a: NDArray[np.float64],
    T: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Covariance of the coefficients and lambda, shape (K + 1, K + 1).

    lambda is off by ``(J'Psi^-1 J)^-1 J'Psi^-1 m`` with ``m_r = (e'A_r e + a_r'e)/n``.

    Parameters
    ----------
    ops, moments
        The conditions, and their values at the residuals.
    lam, e
        The estimate and its innovations, shape (n,).
    a
        See `variance_of_moments`, shape (n, 2).
    T
        The coefficients are off by ``T'e``, shape (n, K).

    References
    ----------
    Kelejian and Prucha (2010), theorem 4; Drukker, Egger and Prucha (2013), theorem 3.
    """
    J = moments.slope(lam)
    weights = np.linalg.solve(variance_of_moments(ops, e, a), J)
    own = 1.0 / float(J @ weights) / len(e)
    spread = _spread(ops, e)[:, None]
    joint = T.T @ (spread * a)
    if ops.variances == "equal":
        joint[:, 0] += float(np.mean(e**3)) * (T.T @ ops.diagonal)
    cross = (joint @ weights * own)[:, None]
    return np.block([[T.T @ (spread * T), cross], [cross.T, np.array([[own]])]])


def _spread(ops: Operators, e: NDArray[np.float64]) -> NDArray[np.float64]:
    """Variances of the innovations: their squares, or the mean of these, shape (n,)."""
    return e**2 if ops.variances == "different" else np.full(len(e), float(np.mean(e**2)))
