"""From scaled, centred parameters to the user's units, and the last digits of the coefficients."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

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
    wide = np.longdouble
    u = problem.y.astype(wide) - problem.Z.astype(wide) @ point.delta.astype(wide)
    BZ = problem.Z
    if problem.Wy is not None:
        u -= wide(point.rho) * problem.Wy
    if problem.MZ is not None and problem.My is not None:
        Mu = problem.My.astype(wide) - problem.MZ.astype(wide) @ point.delta.astype(wide)
        if problem.MWy is not None:
            Mu -= wide(point.rho) * problem.MWy
        u -= wide(point.lam) * Mu
        BZ = problem.Z - point.lam * problem.MZ
    normal: NDArray[np.float64] = np.einsum("tnk,tn->k", BZ.astype(wide), u).astype(np.float64)
    step = np.linalg.solve(point.R, np.linalg.solve(point.R.T, normal))
    return replace(point, delta=point.delta + step)
