"""Hausman tests: two estimators that agree where the model is right, and drift apart where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spatial_de.diagnostics.base import HypothesisTest, RegisteredTest, check_fits, chi2_test
from spatial_de.errors import IdentificationError, OptionError
from spatial_de.panel.design import INTERCEPT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.diagnostics.candidates import Candidates
    from spatial_de.panel.design import Design
    from spatial_de.results import Results

GROUP = "Two estimators compared"
_SMALLEST = 1e-10  # eigenvalues below this share of the largest are rounding


def hausman_test(fixed: Results, random: Results) -> HypothesisTest:
    """Hausman's classical test that random unit effects do not depend on the regressors.

    Compares the coefficients of regressors (and of their lags) of a model with individual effects with those of the
    same model with random effects. It rests on the difference of two covariances, which need not be positive definite
    in samples; then there is no statistic, and an error says so. `mundlak_test` asks the same question without that
    weakness, and is robust to what the covariance of its fit is robust to: prefer it.

    Parameters
    ----------
    fixed
        A fit with ``fixed="individual"`` (beside ``random`` without time effects) or ``"two-way"`` (beside
        ``fixed="time"``). Take ``bias="lee-yu"``: variances of the direct form are too small by (T - 1) / T, which
        by itself can make the difference indefinite.
    random
        The same model with ``random=True``.

    Raises
    ------
    OptionError
        The fits are not of one model on one data set.
    IdentificationError
        The difference of the covariances is not positive definite.

    References
    ----------
    Hausman, J. A. (1978). Specification tests in econometrics. *Econometrica* 46, 1251-1271.
    Mutl, J. and Pfaffermayr, M. (2011). The Hausman test in a Cliff and Ord panel model. *Econometrics Journal* 14,
    48-76.
    """
    _refuse_other(fixed, random)
    problem = fixed.estimate.problem
    names = [name for name in problem.names[: problem.n_reported] if name != INTERCEPT]
    difference = (fixed.params[names] - random.params[names]).to_numpy()
    variance = (fixed.cov.loc[names, names] - random.cov.loc[names, names]).to_numpy()
    statistic = _quadratic_form(difference, variance, what="fixed and of the random effects fit")
    return chi2_test(
        "Hausman",
        statistic,
        len(names),
        null="unit effects do not depend on the regressors (both estimators are consistent)",
        reference="Hausman (1978); Mutl and Pfaffermayr (2011)",
    )


def spatial_hausman_test(fit: Results) -> HypothesisTest:
    """Hausman test of a spatial error model: whether its coefficients agree with those of least squares.

    Under a spatial error alone both estimate the same coefficients; a rejection says that something else is wrong, as
    regressors left out that go with those that are there, or a spatial lag.

    Parameters
    ----------
    fit
        A cross-section with ``model="sem"`` or ``"sdem"`` by maximum likelihood.

    Notes
    -----
    ``d' (V_ols - V)^-1 d`` with ``V_ols = sigma2 (Z'Z)^-1 Z' Omega Z (Z'Z)^-1``,
    ``Omega = [(I - lambda W)'(I - lambda W)]^-1``, ``V = sigma2 (Z' Omega^-1 Z)^-1``, the intercept included.
    ``spatialreg::Hausman.test`` (1.2-6, 1.4-2) takes ``(I - lambda W)^-1 (I - lambda W)^-1`` for Omega, which is not
    symmetric: Columbus 6.47 instead of 5.17.

    References
    ----------
    Pace, R. K. and LeSage, J. P. (2008). A spatial Hausman test. *Economics Letters* 101, 282-284.
    """
    check_fits(fit)
    problem = fit.estimate.problem
    spec = problem.spec
    if spec.lag_y or not spec.lag_error or fit.times is not None or fit.method != "ml":
        raise OptionError(
            "spatial_hausman_test is for a cross-section with model='sem' or 'sdem' and method='ml', not for "
            f"model={fit.model!r}, method={fit.method!r}{' of a panel' if fit.times is not None else ''}."
        )
    Z = problem.Z[0]
    M = problem.dense_weights()[1]
    B = np.eye(len(M)) - fit.estimate.lam * M
    own = np.linalg.qr(Z)
    least_squares = np.linalg.solve(own.R, own.Q.T @ problem.y[0])
    spread = np.linalg.solve(own.R, np.linalg.solve(B.T, own.Q).T)  # (Z'Z)^-1 Z' B^-1
    filtered = np.linalg.inv(np.linalg.qr(B @ Z).R)
    sigma2 = fit.estimate.sigma2_scaled
    variance = sigma2 * (spread @ spread.T - filtered @ filtered.T)
    statistic = _quadratic_form(least_squares - fit.estimate.delta, variance, what="OLS and the spatial error model")
    return chi2_test(
        f"Hausman OLS, {fit.model.upper()}",
        statistic,
        problem.k,
        null="OLS and the spatial error model estimate the same coefficients (b OLS = b SEM)",
        reference="Pace and LeSage (2008)",
    )


def _quadratic_form(difference: NDArray[np.float64], variance: NDArray[np.float64], *, what: str) -> float:
    size = np.sqrt(np.abs(np.diag(variance)))
    size[size == 0.0] = 1.0
    scaled = variance / np.outer(size, size)
    values, vectors = np.linalg.eigh(scaled)
    coordinates = vectors.T @ (difference / size)
    if values[0] <= _SMALLEST * values[-1]:
        with np.errstate(divide="ignore"):
            would_be = float(np.sum(coordinates**2 / values))
        raise IdentificationError(
            f"The difference of the covariances of {what} is not positive definite: there is no Hausman statistic (the "
            f"quadratic form would be {would_be:.4g}, and its sign means nothing). Use mundlak_test on a fit with "
            "random=True, correlated=True."
        )
    return float(np.sum(coordinates**2 / values))


def _refuse_other(fixed: Results, random: Results) -> None:
    check_fits(fixed, random)
    if fixed.random is not None or random.random is None:
        raise OptionError("hausman_test(fixed, random) needs a fit with fixed effects, then one with random=True.")
    one, other = fixed.estimate.problem, random.estimate.problem
    expected = {"individual": "none", "two-way": "time"}.get(fixed.fixed)
    if expected is None or random.fixed != expected:
        raise OptionError(
            f"fixed={fixed.fixed!r} and fixed={random.fixed!r} with random effects do not differ in the unit effects "
            "alone: compare fixed='individual' with fixed='none', random=True, or 'two-way' with 'time', random=True."
        )
    if random.estimate.problem.mean_names:
        raise OptionError("The random effects are correlated (unit means are in): that is what the test asks.")
    same = {
        "models": fixed.model == random.model,
        "regressors": _contained(one.design, other.design),
        "responses": one.design.index.equals(other.design.index) and np.array_equal(one.design.y, other.design.y),
        "weights": all(getattr(one, w) == getattr(other, w) for w in ("weights", "error_weights", "durbin_weights")),
    }
    differing = [what for what, alike in same.items() if not alike]
    if differing:
        raise OptionError(f"The two fits have different {' and '.join(differing)}: fit both in the same way.")


def _contained(one: Design, other: Design) -> bool:
    """Whether the other fit has all regressors of the first; it may have some more that do not vary over time."""
    known = {name: other.X[:, :, j] for j, name in enumerate(other.x_names)}
    return all(name in known and np.array_equal(known[name], one.X[:, :, j]) for j, name in enumerate(one.x_names))


def _spatial_hausman(candidates: Candidates) -> HypothesisTest:
    return spatial_hausman_test(candidates["sem"])


TESTS = (RegisteredTest("Hausman OLS, SEM", GROUP, _spatial_hausman, needs=("cross-section",)),)
