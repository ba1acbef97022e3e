"""Data of error models whose effects drop out differently at every lambda.

Effects are in the equation of the response: ``A y = Z delta + D alpha + u``, ``B u = e``. They drop out by the
projection off ``B D``. In a balanced panel under one row-stochastic M these columns span what D spans, whatever lambda
is; in any other panel they do not. The transformation ``x - D F^-1 (B D)' B x``, ``F = (B D)' B D``, takes D out of x
such that ``B`` times the result is the projection of ``B x``: with data so transformed the likelihood is the usual one
at this lambda (`likelihood`), but for one term of its curvature in lambda, which the movement of the projection adds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from spatial_de.models.likelihood import Compressed
from spatial_de.panel.layout import Cells
from spatial_de.panel.projection import Projection

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.problem import Problem

_KEPT = 256  # values of lambda whose data are kept


@dataclass(frozen=True)
class Filtered:
    """The dummies seen through ``B = I - lambda M``.

    Attributes
    ----------
    cells
        Where the rows are.
    M
        Weights of the error between rows, shape (n, n); None for models without spatial errors.
    lam
        Lambda.
    projection
        Off ``B D``.
    """

    cells: Cells
    M: sparse.csr_array | None
    lam: float
    projection: Projection

    @classmethod
    def at(cls, problem: Problem, lam: float) -> Filtered:
        """Of a problem on cells."""
        cells = cells_of(problem)
        if not problem.spec.lag_error or problem.error_weights is None:
            return cls(cells, None, 0.0, cells.projection)
        M, D = problem.error_weights.sparse, cells.dummies
        return cls(cells, M, lam, Projection.off(sparse.csr_array(D - lam * (M @ D))))

    def lag(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """``M x``, shape (n, ...)."""
        return np.asarray(self.M @ x) if self.M is not None else np.zeros_like(x)

    def filter(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """``B x``, shape (n, ...)."""
        return x - self.lam * self.lag(x)

    def transpose_filter(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """``B' x``, shape (n, ...)."""
        return x if self.M is None else np.asarray(x - self.lam * (self.M.T @ x))

    def take_out(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """What is left of x without effects, such that B times it is the projection of ``B x``, shape (n, ...)."""
        return np.asarray(x - self.cells.dummies @ self.projection.coefficients(self.filter(x)))


def cells_of(problem: Problem) -> Cells:
    """The layout of a problem that is not on balanced data."""
    if not isinstance(problem.layout, Cells):
        raise TypeError("a balanced problem has no cells")
    return problem.layout


def problem_at(problem: Problem, lam: float) -> Problem:
    """The problem with its data transformed at a lambda; from the data at any other."""
    if not isinstance(problem.layout, Cells) or not problem.spec.lag_error:
        return problem
    return _transform(problem, Filtered.at(problem, lam))


def _transform(problem: Problem, through: Filtered) -> Problem:
    cells = through.cells
    blocks = through.take_out(cells.pick(np.dstack([problem.Z, problem.y, _or_zero(problem)])))
    values, lags = cells.spread(blocks), cells.spread(through.lag(blocks))
    with_lag = problem.Wy is not None
    return replace(
        problem,
        Z=values[:, :, :-2],
        y=values[:, :, -2],
        Wy=values[:, :, -1] if with_lag else None,
        MZ=lags[:, :, :-2],
        My=lags[:, :, -2],
        MWy=lags[:, :, -1] if with_lag else None,
    )


@dataclass(frozen=True)
class MovingData:
    """Compressed data at every lambda that is asked for; the last ones are kept."""

    problem: Problem
    _known: dict[float, tuple[Compressed, float]] = field(default_factory=dict)

    @property
    def rank(self) -> int:
        """Number of dummies."""
        return int(cells_of(self.problem).dummies.shape[1])

    def at(self, lam: float) -> Compressed:
        """The data at a lambda, with what their movement adds to the curvature."""
        return self._both(lam)[0]

    def logdet(self, lam: float) -> float:
        """``ln|F|`` at a lambda."""
        return self._both(lam)[1]

    def through(self, lam: float) -> Filtered:
        """The dummies at a lambda; with their factor they are too large to be kept."""
        return Filtered.at(self.problem, lam)

    def _both(self, lam: float) -> tuple[Compressed, float]:
        if lam not in self._known:
            if len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            through = self.through(lam)
            moved = _transform(self.problem, through)
            data = replace(Compressed.of(moved), bend=_bend(moved, through))
            self._known[lam] = data, through.projection.logdet
        return self._known[lam]


def _bend(moved: Problem, through: Filtered) -> NDArray[np.float64]:
    """Quadratic form in ``(delta, -1, rho)`` by which ``e'e / 2`` bends less in lambda, shape (k + 2,) squared.

    ``q' F^-1 q`` with ``q = (B D)' M u + (M D)' e``: u and e are linear in the columns Z, y, W y.
    """
    columns = through.cells.pick(np.dstack([moved.Z, moved.y, _or_zero(moved)]))
    lags, D = through.lag(columns), through.cells.dummies
    MD = sparse.csr_array(through.M @ D) if through.M is not None else D
    q = through.projection.columns.T @ lags + MD.T @ (columns - through.lam * lags)
    return np.asarray(q.T @ through.projection.solve(q))


def _or_zero(problem: Problem) -> NDArray[np.float64]:
    return np.zeros_like(problem.y) if problem.Wy is None else problem.Wy
