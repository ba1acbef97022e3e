"""Likelihoods adjusted for effects that no transformation takes out of rho and lambda.

Estimated effects bias the scores of rho and lambda (Neyman and Scott 1948). With ``C = B D`` the dummies seen through
the spatial filter of the error, P the projection off C, R that onto it, ``K = B G B^-1``, ``G = W A^-1`` and
``H = M B^-1``, the expected profile scores are ``tr(P K) - tr(G)`` and ``tr(P H) - tr(H)``. The estimator sets the
scores minus their expectations to zero (McCullagh and Tibshirani 1990), and divides the squared innovations by the
dimension of P:

* rho: ``-tr(P K)`` stands for ``-tr(G)``. Its integral is a log-determinant in which eigenvalues count by the share
  that the effects leave of them (`logdet.adjusted`);
* lambda: ``-tr(P H)``, the derivative of ``ln|B| - ln|C'C| / 2``: the restricted likelihood of Patterson and Thompson
  (1971), `models.restricted`.

In balanced panels under one row-stochastic W both are the log-determinants of Lee and Yu (2010).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from spatial_de.errors import CapacityError
from spatial_de.logdet import InterpolatedTrace, JacobianTerm, LogDeterminant, WeightedEigenvalues
from spatial_de.logdet.stochastic import random_signs
from spatial_de.models.moving import Filtered
from spatial_de.weights.similarity import symmetrising_scale
from spatial_de.weights.stacked import StackedWeights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.likelihood import Point
    from spatial_de.models.problem import Problem

_FULL = 2e7  # numbers in an array of rows times dummies up to which traces can be computed from it
_CHEAP = 2e6  # and up to which that costs less than a complex step or random directions
_PROBES = 16
_NOTHING = 1e-11
_STEP = 1e-30  # of complex differentiation: exact to rounding


def lag_term(problem: Problem, base: LogDeterminant, lam: float) -> JacobianTerm:
    """What stands for ``ln|A|`` in the likelihood of rho, lambda being given."""
    through = Filtered.at(problem, lam)
    w = problem.weights
    if not isinstance(w, StackedWeights):
        raise TypeError("weights of cells are stacked")
    if base.method == "eigenvalues":
        found = _eigenvalues(w, through, base.bounds)
        if found is not None:
            return found
    few = _holds(through, _CHEAP if through.M is None else _FULL) or problem.effects == "time"
    trace = _by_solutions(w, through) if few else _by_complex_steps(w, through)
    strip = np.pi / 2 if w.symmetric_form is not None else np.pi / 4
    return InterpolatedTrace(base, trace, through.projection.rank, strip)


def _holds(through: Filtered, limit: float) -> bool:
    """Whether an array of rows times dummies is no larger."""
    return through.cells.n * through.projection.rank <= limit


def _oblique(through: Filtered) -> NDArray[np.float64]:
    """``F^-1 C' B``, shape (r, n): with the dummies in front, what takes effects out."""
    columns = through.projection.columns
    seen = columns if through.M is None else sparse.csr_array(columns - through.lam * (through.M.T @ columns))
    return through.projection.solve(seen.toarray().T)


def _eigenvalues(w: StackedWeights, through: Filtered, bounds: tuple[float, float]) -> WeightedEigenvalues | None:
    """Eigenvalues of each time with the shares that the effects leave; None where W has no symmetric form."""
    scales = [symmetrising_scale(block.sparse) for block in w.blocks]
    if any(scale is None for scale in scales) or not _holds(through, _FULL):
        return None
    dummies, inverse = through.cells.dummies.toarray(), _oblique(through)
    values, shares, start = [], [], 0
    for block, scale in zip(w.blocks, scales, strict=True):
        rows = slice(start, start + block.n)
        start += block.n
        root = np.exp(0.5 * np.asarray(scale))
        omega, vectors = np.linalg.eigh(block.symmetric_form.toarray())  # type: ignore[union-attr]
        left = (vectors.T * root) @ dummies[rows]
        right = inverse[:, rows] @ (vectors / root[:, None])
        values.append(omega)
        shares.append(1.0 - np.einsum("ir,ri->i", left, right))
    left_over = np.concatenate(shares)
    left_over[np.abs(left_over) < _NOTHING] = 0.0  # of the unit root rounding would be left, which is infinite at one
    return WeightedEigenvalues(np.concatenate(values), left_over, bounds)


def _by_solutions(w: StackedWeights, through: Filtered) -> Callable[[float], float]:
    """``tr(R K) = tr(F^-1 C'B W A^-1 D)`` from a solution for every dummy."""
    dummies, inverse = np.asfortranarray(through.cells.dummies.toarray()), _oblique(through)

    def trace(rho: float) -> float:
        return float(np.einsum("rn,nr->", inverse, w.sparse @ _factor(w.sparse, rho).solve(dummies)))

    return trace


def _by_complex_steps(w: StackedWeights, through: Filtered) -> Callable[[float], float]:
    """The same for many units, without spatial errors.

    Of individual effects ``sum_i sum_t (G_t)_ii / T_i = tr(C G)``, C diagonal: the derivative of
    ``ln|I - (rho + e C) W|`` in e, by a complex step of one sparse factorisation. Effects of times add a solution for
    each of them.
    """
    if through.M is not None:
        raise CapacityError(
            f"The adjustment of a spatial lag and a spatial error for {through.projection.rank:,} effects of "
            f"{through.cells.n:,} rows needs too much memory: use bias='none', or a model with one of the two."
        )
    cells = through.cells
    counts = cells.present.sum(axis=0)
    own = cells.pick(np.broadcast_to(1.0 / np.maximum(counts, 1), cells.present.shape))
    any_rho = 0.5 / float(abs(w.sparse).sum(axis=1).max())
    order = np.argsort(_factor(w.sparse, any_rho).perm_c)  # found once for all
    matrix = w.sparse[order][:, order]
    scaled = sparse.csr_array(sparse.diags_array(own[order]) @ matrix)
    V, inner = _times_left(through)
    V = V[order]
    right = np.asfortranarray(V, dtype=complex)

    def trace(rho: float) -> float:
        factor = _factor(matrix, rho, beside=scaled)
        pivots = factor.U.diagonal()
        found = -float((pivots.imag / pivots.real).sum()) / _STEP
        return found + float(np.einsum("ni,ni->", V @ inner, matrix @ factor.solve(right).real))

    return trace


def _times_left(through: Filtered) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What dummies of times, if there are any, span beyond those of units: V (n, T') and ``(V'V)^-1``."""
    cells = through.cells
    unit = np.nonzero(cells.present)[1]
    n_units = len(np.unique(unit))
    of_times = cells.dummies[:, n_units:].toarray()
    counts = np.bincount(unit, minlength=cells.present.shape[1])
    by_unit = sparse.csr_array((np.ones(cells.n), (unit, np.arange(cells.n))), shape=(len(counts), cells.n))
    means = (by_unit @ of_times) / np.maximum(counts, 1)[:, None]
    V = of_times - means[unit]
    return V, np.linalg.inv(V.T @ V)


def _factor(matrix: sparse.csr_array, rho: float, *, beside: sparse.csr_array | None = None) -> Any:
    """Sparse factor of ``I - rho W``; with a matrix beside it, which come in a good order, of ``I - rho W - i e V``."""
    from scipy.sparse import eye_array
    from scipy.sparse.linalg import splu

    system, order = eye_array(matrix.shape[0], format="csr") - rho * matrix, "MMD_AT_PLUS_A"
    if beside is not None:
        system, order = system - 1j * _STEP * beside, "NATURAL"
    if abs(rho) * float(abs(matrix).sum(axis=1).max()) < 1.0:  # diagonally dominant: no pivoting is needed
        return splu(system.tocsc(), permc_spec=order, diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    return splu(system.tocsc())


@dataclass(frozen=True, slots=True)
class Drift:
    """By how much the variance of the adjusted scores and minus their derivative differ.

    Attributes
    ----------
    own
        ``tr(P K R K)``: what the derivative of the score of rho has beyond its variance.
    cross
        ``tr(R (H + H') P K)``: what the derivative of the score of rho with respect to lambda has beyond the covariance
        of the two scores; zero without spatial errors.
    """

    own: float
    cross: float


def drift(problem: Problem, point: Point) -> Drift:
    """Traces over the columns of C; over random directions of what these span where there are too many.

    The random directions have a fixed seed. The traces are one to three hundredths of the information, and with n rows
    their relative error is about ``1 / sqrt(16 n)``.
    """
    through, w = Filtered.at(problem, point.lam), problem.weights
    if w is None:
        raise TypeError("a model with a spatial lag has weights")
    A = _factor(w.sparse, point.rho)
    B = None if through.M is None else _factor(through.M, point.lam)

    def over(x: NDArray[np.float64]) -> NDArray[np.float64]:  # K x
        inner = x if B is None else B.solve(x)
        return through.filter(np.asarray(w.sparse @ A.solve(inner)))

    def under(x: NDArray[np.float64]) -> NDArray[np.float64]:  # K'x
        inner = A.solve(w.sparse.T @ through.transpose_filter(x), "T")
        return np.asarray(inner if B is None else B.solve(inner, "T"))

    basis, add_up = _directions(through)
    right = through.projection(over(basis))
    cross = 0.0
    if through.M is not None and B is not None:
        cross = add_up((through.M @ B.solve(basis) + B.solve(through.M.T @ basis, "T")).T @ right)
    return Drift(add_up(under(basis).T @ right), cross)


def _directions(through: Filtered) -> tuple[NDArray[np.float64], Callable[[NDArray[np.float64]], float]]:
    """Columns of what C spans, and how products of them add up to a trace over R."""
    projection = through.projection
    if _holds(through, _CHEAP):
        return projection.columns.toarray(), lambda products: float(np.trace(projection.solve(products)))
    signs = random_signs(through.cells.n, _PROBES).T
    return signs - projection(signs), lambda products: float(np.trace(products)) / _PROBES
