"""Many data sets of one model at once: the likelihood of `models.likelihood`, vectorised over replications.

For models with one spatial parameter x (rho or lambda) or none. Every replication is known by the triangular factor
of its columns ``[Z, y, Wy]`` or ``[Z, y, MZ, My]``; with

    e(x) = (y - x Wy) - Z delta   or   e(x) = (y - x My) - (Z - x MZ) delta,   delta concentrated out,

the concentrated log-likelihood is ``-n/2 ln S(x) + J(x)``, ``S = e'e``, J the log-Jacobian. Its maxima are found as in
`models.optimise`: a grid brackets every basin, safeguarded Newton steps climb all of them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.models.climb import Curve, highest
from spatial_de.models.identification import SINGULAR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.likelihood import LogJacobian

CONVERGED, AT_BOUND, NO_MAXIMUM, EXACT_FIT, COLLINEAR = (
    "converged",
    "at bound",
    "no maximum",
    "exact fit",
    "collinear",
)
_ROUNDING = 1e-26  # error sum of squares relative to that of y below which nothing but rounding is left


@dataclass(frozen=True)
class Factors:
    """Compressed data of R replications; B is R, or 1 where all replications share their regressors.

    Attributes
    ----------
    Z
        Shape (B, m, k).
    y
        Shape (R, m).
    Wy
        Lag of y in models with rho, shape (R, m); else None.
    MZ, My
        Lags of Z and y in models with lambda, shapes (B, m, k) and (R, m); else None.
    """

    Z: NDArray[np.float64]
    y: NDArray[np.float64]
    Wy: NDArray[np.float64] | None = None
    MZ: NDArray[np.float64] | None = None
    My: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, factors: NDArray[np.float64], k: int, *, term: str) -> Factors:
        """From stacked triangular (or any other) factors.

        Parameters
        ----------
        factors
            Shape (R, m, c): ``A_r' A_r`` is the Gram matrix of the c columns of replication r. Columns:
            ``[Z, y]`` for ``term="none"``, ``[Z, y, Wy]`` for ``"lag"``, ``[Z, y, MZ, My]`` for ``"error"``.
        k
            Number of columns of Z.
        term
            Which spatial parameter the model has.

        Examples
        --------
        A bootstrap over units with the Gram matrices G_i of each unit's rows, shape (N, c, c), and draws of units as
        counts, shape (R, N), needs no data beyond ``factors_of_gram(counts @ G.reshape(N, -1))``.
        """
        widths = {"none": k + 1, "lag": k + 2, "error": 2 * k + 2}
        if factors.shape[2] != widths[term]:
            raise ValueError(f"term={term!r} with k={k} needs {widths[term]} columns, not {factors.shape[2]}")
        Z, y = factors[:, :, :k], factors[:, :, k]
        if term == "lag":
            return cls(Z, y, Wy=factors[:, :, k + 1])
        return cls(Z, y) if term == "none" else cls(Z, y, MZ=factors[:, :, k + 1 : -1], My=factors[:, :, -1])


def factors_of_gram(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    """Factors ``A`` with ``A' A`` the given Gram matrices, shape (R, c, c); these may be singular.

    The columns are scaled to length one first. Half of the digits of the data are lost: enough for resampling, not for
    an estimate.
    """
    size = np.sqrt(np.einsum("rii->ri", gram))
    safe = np.where(size > 0.0, size, 1.0)
    values, axes = np.linalg.eigh(gram / (safe[:, :, None] * safe[:, None, :]))
    half = np.sqrt(np.maximum(values, 0.0))[:, :, None] * np.swapaxes(axes, 1, 2)
    return np.asarray(half * size[:, None, :])


@dataclass(frozen=True)
class Maxima:
    """Maximum likelihood estimates of R replications, in the units of the factors.

    Attributes
    ----------
    delta
        Coefficients of Z, shape (R, k).
    x
        The spatial parameter (zero in models without), shape (R,).
    sigma2, loglik
        Variance ``S / n`` and log-likelihood, shape (R,).
    bread
        Inverse observed information of (delta, x, sigma2), shape (R, k + s + 1, k + s + 1), s the number of spatial
        parameters; NaN where `status` is not ``"converged"``.
    status
        ``"converged"``, ``"at bound"``, ``"no maximum"``, ``"exact fit"`` or ``"collinear"``, shape (R,). Only the
        first has standard errors. Estimates at a bound are where the likelihood ends; those of the other three are
        NaN.
    n_maxima
        How many maxima of the likelihood were found, shape (R,).
    """

    delta: NDArray[np.float64]
    x: NDArray[np.float64]
    sigma2: NDArray[np.float64]
    loglik: NDArray[np.float64]
    bread: NDArray[np.float64]
    status: NDArray[np.str_]
    n_maxima: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Solved:
    """Everything at one x per replication: S = e'e, p = S'/2, q = S''/2, and what the coefficients need.

    Attributes
    ----------
    ssr, p, q
        Shape (R,).
    delta
        Shape (R, k).
    half
        Inverse triangular factor of the regressors at x, shape (B, k, k).
    cross
        ``(BZ'BZ)^-1 BZ' a``, a the derivative of -e before delta is concentrated out, shape (R, k).
    """

    ssr: NDArray[np.float64]
    p: NDArray[np.float64]
    q: NDArray[np.float64]
    delta: NDArray[np.float64]
    half: NDArray[np.float64]
    cross: NDArray[np.float64]


def maximise_batch(data: Factors, *, n: int, jacobian: LogJacobian | None) -> Maxima:
    """Maximum likelihood estimates with their observed information for R replications.

    Parameters
    ----------
    data
        Compressed data.
    n
        Observations that the likelihood counts.
    jacobian
        Log-Jacobian of rho or lambda; None for models without a spatial parameter.

    Notes
    -----
    The concentrated log-likelihood may have several maxima: each that the starting grid brackets is climbed, the
    highest is returned. Nothing is raised for single replications: look at `Maxima.status`.
    """
    profile = _ErrorProfile(data) if data.MZ is not None else _LagProfile(data)
    R = len(data.y)
    status = np.full(R, CONVERGED, dtype="<U10")
    x, n_maxima, second = np.zeros(R), np.ones(R, dtype=np.intp), np.zeros(R)
    value = np.zeros(R)
    if jacobian is not None:
        found = highest(Curve(profile.parts, jacobian, n), R)
        x, n_maxima = found.x, found.n_maxima
        status[~found.is_maximum] = NO_MAXIMUM
        status[found.at_bound] = AT_BOUND
        value, second = (jacobian.periods * f(x) for f in (jacobian.logdet.value, jacobian.logdet.second))
    at = profile.solve(x)
    least = _ROUNDING * np.einsum("rm,rm->r", data.y, data.y)
    status[(at.ssr <= least) | (profile.parts(np.arange(R), np.zeros(R))[0] <= least)] = EXACT_FIT
    status[profile.collinear] = COLLINEAR
    sigma2 = at.ssr / n
    with np.errstate(divide="ignore"):
        loglik = -0.5 * n * (np.log(2.0 * np.pi) + np.log(sigma2) + 1.0) + value
    lost = ~np.isin(status, [CONVERGED, AT_BOUND])
    bread = _bread(at, second, n=n, spatial=jacobian is not None)
    bread[status != CONVERGED] = np.nan
    for numbers in (at.delta, x, sigma2, loglik):
        numbers[lost] = np.nan
    return Maxima(at.delta, x, sigma2, loglik, bread, status, n_maxima)


def _bread(at: _Solved, second: NDArray[np.float64], *, n: int, spatial: bool) -> NDArray[np.float64]:
    """Inverse observed information by its partition into delta and (x, sigma2), as in `likelihood.partition`."""
    R, k = at.delta.shape
    s2 = at.ssr / n
    size = k + 1 + spatial
    out = np.zeros((R, size, size))
    with np.errstate(divide="ignore", invalid="ignore"):
        out[:, :k, :k] = (at.half @ np.swapaxes(at.half, 1, 2)) * s2[:, None, None]
        if not spatial:
            out[:, -1, -1] = 2.0 * s2**2 / n
            return out
        # rows (x, sigma2) of the information with delta concentrated out
        own, both, last = at.q / s2 - second, -at.p / s2**2, 0.5 * n / s2**2
        det = own * last - both**2
        out[:, k, k], out[:, -1, -1] = last / det, own / det
        out[:, k, -1] = out[:, -1, k] = -both / det
        out[:, :k, k:] = -at.cross[:, :, None] * out[:, None, k, k:]
        out[:, k:, :k] = np.swapaxes(out[:, :k, k:], 1, 2)
        out[:, :k, :k] += at.cross[:, :, None] * at.cross[:, None, :] * out[:, None, None, k, k]
    return out


class _LagProfile:
    """``y - x Wy`` on Z: two regressions serve all x, and S is a parabola. Without Wy, a regression of y on Z."""

    def __init__(self, data: Factors) -> None:
        Q, R = np.linalg.qr(data.Z)
        self._half, self.collinear = _inverse(R, len(data.y))
        Wy = np.zeros_like(data.y) if data.Wy is None else data.Wy
        self._on_y, self._on_w = _project(Q, data.y), _project(Q, Wy)
        y, w = data.y - _combine(Q, self._on_y), Wy - _combine(Q, self._on_w)
        self._bend = np.einsum("rm,rm->r", w, w)
        wy = np.einsum("rm,rm->r", w, y)
        self._lowest = np.divide(wy, self._bend, out=np.zeros_like(wy), where=self._bend > 0.0)
        e = y - self._lowest[:, None] * w
        self._least = np.einsum("rm,rm->r", e, e)

    def parts(
        self, rows: NDArray[np.intp], x: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        bend, beyond = self._bend[rows], x - self._lowest[rows]
        p = bend * beyond
        return self._least[rows] + p * beyond, p, bend

    def solve(self, x: NDArray[np.float64]) -> _Solved:
        ssr, p, q = self.parts(np.arange(len(x)), x)
        delta = _apply(self._half, self._on_y - x[:, None] * self._on_w)
        return _Solved(ssr, p, q, delta, self._half, _apply(self._half, self._on_w))


class _ErrorProfile:
    """``y - x My`` on ``Z - x MZ``: one QR decomposition for each x."""

    def __init__(self, data: Factors) -> None:
        self._data = data
        self.collinear = _inverse(np.linalg.qr(data.Z)[1], len(data.y))[1]

    def parts(
        self, rows: NDArray[np.intp], x: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        at = self._at(rows, x)
        return at.ssr, at.p, at.q

    def solve(self, x: NDArray[np.float64]) -> _Solved:
        return self._at(np.arange(len(x)), x)

    def _at(self, rows: NDArray[np.intp], x: NDArray[np.float64]) -> _Solved:
        d = self._data
        if d.MZ is None or d.My is None:
            raise ValueError("a model without a spatial error has no M")
        shared = len(d.Z) == 1
        Z, MZ = (d.Z, d.MZ) if shared else (d.Z[rows], d.MZ[rows])
        y, My = d.y[rows], d.My[rows]
        at = x[:1] if shared and np.ptp(x) == 0.0 else x  # one decomposition serves all
        BZ = Z - at[:, None, None] * MZ
        target = y - x[:, None] * My
        Q, R = np.linalg.qr(BZ)
        half = _inverse(R, len(R))[0]
        on_target = _project(Q, target)
        e = target - _combine(Q, on_target)
        delta = _apply(half, on_target)
        h = My - _combine(MZ, delta)
        # derivative of BZ'e, and what of it the coefficients take up
        turned = _apply(np.swapaxes(half, 1, 2), _project(MZ, e)) + _project(Q, h)
        q = np.einsum("rm,rm->r", h, h) - np.einsum("rk,rk->r", turned, turned)
        return _Solved(np.einsum("rm,rm->r", e, e), -np.einsum("rm,rm->r", h, e), q, delta, half, _apply(half, turned))


def _inverse(R: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Inverses of triangular factors, and for which of `count` replications there is none."""
    k = R.shape[2]
    size = np.sqrt(np.einsum("bij,bij->bj", R, R))
    pivots = np.abs(np.einsum("bii->bi", R))
    singular = (pivots <= SINGULAR * size).any(axis=1)
    safe = np.where(singular[:, None, None], np.eye(k), R)
    return np.linalg.inv(safe), np.broadcast_to(singular, (count,))


def _project(Q: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
    """``Q' v`` for every replication, shape (R, k)."""
    return np.asarray(v @ Q[0] if len(Q) == 1 else (np.swapaxes(Q, 1, 2) @ v[:, :, None])[:, :, 0])


def _combine(Q: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
    """``Q v`` for every replication, shape (R, m)."""
    return np.asarray(v @ Q[0].T if len(Q) == 1 else (Q @ v[:, :, None])[:, :, 0])


_apply = _combine
