"""From scaled, centred parameters to the user's units, and the last digits of the coefficients."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from spatial_de.models.triangular import blocks
from spatial_de.panel.design import INTERCEPT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.likelihood import Point
    from spatial_de.models.problem import Problem


class Parameters(Protocol):
    """Values of the scaled parameters."""

    @property
    def delta(self) -> NDArray[np.float64]:
        """Coefficients."""
        ...

    @property
    def rho(self) -> float:
        """Of the lagged response."""
        ...

    @property
    def lam(self) -> float:
        """Of the spatial error."""
        ...

    @property
    def sigma2(self) -> float:
        """Of the innovations."""
        ...


def to_original(
    problem: Problem, point: Parameters
) -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.float64]]:
    """Names, values (p,) and Jacobian (p, k + s + 1) of the reported parameters.

    The model was written for ``y - c_y``, ``Wy - c_Wy``, ``z_j - c_j``; only the intercept notices:
    ``alpha = alpha_c + c_y - rho c_Wy - sum_j c_j delta_j``.
    """
    spec, k, shown = problem.spec, problem.k, problem.n_reported
    s = int(spec.lag_y) + int(spec.lag_error)
    jacobian = np.zeros((shown + s + 1, k + s + 1))
    slopes = problem.y_scale / problem.z_scale
    jacobian[np.arange(shown), np.arange(shown)] = slopes[:shown]
    for i in range(s):
        jacobian[shown + i, k + i] = 1.0
    jacobian[-1, -1] = problem.y_scale**2
    scaled = np.concatenate([point.delta, [point.rho] * spec.lag_y, [point.lam] * spec.lag_error, [point.sigma2]])
    params = jacobian @ scaled
    if shown and problem.names[0] == INTERCEPT:
        jacobian[0, 1:k] -= problem.z_centre[1:] * slopes[1:]
        params[0] = (
            slopes[0] * point.delta[0] + problem.y_centre - float(problem.z_centre[1:] @ (slopes[1:] * point.delta[1:]))
        )
        if spec.lag_y:
            jacobian[0, k] -= problem.Wy_centre
            params[0] -= point.rho * problem.Wy_centre
    names = (*problem.names[:shown], *["rho"] * spec.lag_y, *["lambda"] * spec.lag_error, "sigma2")
    return names, params, jacobian


def refine(problem: Problem, point: Point) -> Point:
    """One step of iterative refinement of the coefficients against the full data.

    The residual is computed from the data in extended precision and projected with the compressed factor
    (corrected seminormal equations; Björck 1996, section 6.6.5).
    """
    if not problem.k:
        return point
    normal = np.zeros(problem.k, dtype=np.longdouble)
    for units in blocks(problem.y.shape[1]):
        normal += _normal_equations(problem, point, units)
    step = np.linalg.solve(point.R, np.linalg.solve(point.R.T, normal.astype(np.float64)))
    return replace(point, delta=point.delta + step)


def _normal_equations(problem: Problem, point: Point, units: slice) -> NDArray[np.longdouble]:
    """``(B Z)' (u - lambda M u)`` of some units in extended precision, shape (k,)."""
    wide = np.longdouble
    Z, delta = problem.Z[:, units], point.delta.astype(wide)
    u = problem.y[:, units].astype(wide) - Z.astype(wide) @ delta
    if problem.Wy is not None:
        u -= wide(point.rho) * problem.Wy[:, units]
    if problem.MZ is not None and problem.My is not None:
        MZ = problem.MZ[:, units]
        Mu = problem.My[:, units].astype(wide) - MZ.astype(wide) @ delta
        if problem.MWy is not None:
            Mu -= wide(point.rho) * problem.MWy[:, units]
        u -= wide(point.lam) * Mu
        Z = Z - point.lam * MZ
    return np.asarray(np.einsum("tnk,tn->k", Z.astype(wide), u))
