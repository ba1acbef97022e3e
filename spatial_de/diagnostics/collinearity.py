"""How far regressors, lagged ones included, can be told from each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from spatial_de.diagnostics.base import check_fits
from spatial_de.errors import IdentificationError
from spatial_de.panel.design import INTERCEPT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.results import Results

_HIGH_VIF, _HIGH_CONDITION = 10.0, 30.0


@dataclass(frozen=True)
class Collinearity:
    """Variance inflation of each regressor, and the condition number of all.

    Attributes
    ----------
    table
        Index term; columns ``vif`` (1 / (1 - R2) of the regressor on all others), ``r_squared`` (that R2), ``closest``
        (the regressor most correlated with it) and ``correlation``. All after the fixed effects are taken out.
    condition_number
        Largest over smallest singular value of the columns, each scaled to length one, the intercept included where
        the model has one (Belsley, Kuh and Welsch 1980).
    """

    table: pd.DataFrame
    condition_number: float

    @property
    def high(self) -> list[str]:
        """Regressors with a variance inflation factor above 10."""
        return [str(name) for name in self.table.index[self.table["vif"] > _HIGH_VIF]]

    def __str__(self) -> str:
        large = "large" if self.condition_number > _HIGH_CONDITION else "not large"
        return (
            f"{self.table.round(3).to_string()}\n"
            f"Condition number {self.condition_number:.4g} ({large}: rule of thumb {_HIGH_CONDITION:g})."
        )


def collinearity(fit: Results) -> Collinearity:
    """Variance inflation factors of all regressors, WX included, and the condition number.

    In a spatial Durbin model ``W x`` is often close to ``x``: then neither its coefficient nor the split into direct
    and indirect effects is well determined, although the total may be.

    Parameters
    ----------
    fit
        Any fit; its regressors are looked at as the likelihood sees them, effects taken out.

    Raises
    ------
    IdentificationError
        The model has no regressors.

    References
    ----------
    Belsley, D. A., Kuh, E. and Welsch, R. E. (1980). *Regression Diagnostics*, chapter 3.
    """
    check_fits(fit)
    problem = fit.estimate.problem
    flat = problem.Z.reshape(-1, problem.k)
    flat = flat[problem.layout.ones.ravel() > 0]
    dummies = [problem.k - problem.n_time_dummies + j for j in range(problem.n_time_dummies)]
    own = [j for j in range(problem.n_reported) if problem.names[j] != INTERCEPT]
    if not own:
        raise IdentificationError("The model has no regressors.")
    others = [j for j in range(problem.k) if j not in own]
    X = _off(flat[:, own], flat[:, others]) if others else flat[:, own]
    X = X / np.linalg.norm(X, axis=0)
    R = np.linalg.qr(X).R
    vif = np.sum(np.linalg.inv(R) ** 2, axis=1)  # the diagonal of (X'X)^-1
    correlation = X.T @ X
    np.fill_diagonal(correlation, 0.0)
    closest = np.argmax(np.abs(correlation), axis=1)
    names = [problem.names[j] for j in own]
    table = pd.DataFrame(
        {
            "vif": vif,
            "r_squared": 1.0 - 1.0 / vif,
            "closest": [names[j] if len(own) > 1 else "" for j in closest],
            "correlation": correlation[np.arange(len(own)), closest] if len(own) > 1 else np.nan,
        },
        index=pd.Index(names, name="term"),
    )
    return Collinearity(table, _condition(fit, [j for j in range(problem.k) if j not in dummies]))


def _condition(fit: Results, columns: list[int]) -> float:
    """Of the columns as they are, constants that were taken out for the digits put back where there is an intercept."""
    problem = fit.estimate.problem
    flat = problem.Z.reshape(-1, problem.k)[problem.layout.ones.ravel() > 0][:, columns]
    if INTERCEPT in problem.names:
        flat = flat + (problem.z_centre / problem.z_scale)[columns]
    values = np.linalg.svd(flat / np.linalg.norm(flat, axis=0), compute_uv=False)
    return float(values[0] / values[-1])


def _off(X: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    Q = np.linalg.qr(others).Q
    return np.asarray(X - Q @ (Q.T @ X))
