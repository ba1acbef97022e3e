"""Spatial two-stage least squares for cross-sections, through spreg."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from spatial_de.errors import IdentificationError, OptionError
from spatial_de.models.estimate import Estimate
from spatial_de.models.optimise import Optimization

if TYPE_CHECKING:
    from spatial_de.models.problem import Problem


def estimate_gmm(problem: Problem) -> Estimate:
    """Kelejian-Prucha spatial two-stage least squares, ``spreg.GM_Lag`` underneath.

    Instruments are ``W X`` (and ``W W X`` in the Durbin model). There is no log-likelihood.

    Raises
    ------
    OptionError
        The model is not a cross-section SAR or SDM with all regressors lagged.

    References
    ----------
    Kelejian, H. H. and Prucha, I. R. (1998). *Journal of Real Estate Finance and Economics* 17, 99-121.
    """
    design, spec = problem.design, problem.spec
    _check(problem)
    durbin = spec.lag_x
    k = design.X.shape[2]
    if problem.weights is None:
        raise OptionError("method='gmm' needs spatial weights.")
    fitted = _quietly(
        design.y[0][:, None],
        design.X[0],
        w=problem.weights.to_w(),
        w_lags=2 if durbin else 1,
        slx_lags=1 if durbin else 0,
    )
    names = (*problem.names, "rho", "sigma2")
    betas = fitted.betas[:, 0]
    cov = np.full((len(names), len(names)), np.nan)
    cov[:-1, :-1] = fitted.vm
    sigma2 = float(fitted.sig2)
    if len(betas) != len(names) - 1 or k == 0:
        raise OptionError("method='gmm' could not match the coefficients of spreg.")
    return Estimate(
        problem=problem,
        names=names,
        params=np.concatenate([betas, [sigma2]]),
        bread=cov,
        scaled_bread=cov,
        jacobian=np.eye(len(names)),
        rho=float(betas[-1]),
        lam=0.0,
        delta=betas[:-1] * problem.z_scale / problem.y_scale,
        sigma2_scaled=sigma2 / problem.y_scale**2,
        e=fitted.u.T / problem.y_scale,
        loglik=float("nan"),
        optimization=Optimization("none", None, (), 1, "closed form", 0.0, None),
    )


def _quietly(y: Any, X: Any, **options: Any) -> Any:
    """``spreg.GM_Lag`` without what it prints and without pandas' warnings about its own code."""
    from spreg import GM_Lag

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return GM_Lag(y, X, **options)
        except Exception as error:  # spreg raises nothing narrower
            raise IdentificationError(
                f"The instruments do not determine the coefficients ({error}): use fewer regressors, more units, or "
                "method='ml'."
            ) from error


def _check(problem: Problem) -> None:
    design, spec = problem.design, problem.spec
    if design.is_panel:
        raise OptionError("method='gmm' is for cross-sections; panels are estimated by method='ml'.")
    if spec.name not in {"sar", "sdm"}:
        raise OptionError(f"method='gmm' is available for model='sar' and 'sdm', not {spec.name!r}.")
    if not design.intercept:
        raise OptionError("method='gmm' needs an intercept in the formula.")
    lagged = sum(name.startswith("W_") for name in problem.names)
    if spec.lag_x and lagged != design.X.shape[2]:
        raise OptionError("method='gmm' lags every regressor: leave durbin= and categorical regressors out.")
