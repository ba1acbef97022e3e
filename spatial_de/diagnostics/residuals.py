"""Are the residuals of a fit normal, of one variance, and free of spatial dependence.

Residuals of a model with fixed effects are correlated with each other even where errors are not: those of one unit by
``-1/(T - 1)``, those of one time by ``-1/(N - 1)``. The variances of the statistics here take that into account;
without effects they are the textbook ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.diagnostics.base import (
    HypothesisTest,
    RegisteredTest,
    check_balanced,
    check_fits,
    chi2_test,
    normal_test,
    one_w,
)
from spatial_de.errors import FormulaError, IdentificationError, OptionError
from spatial_de.models.information import traced
from spatial_de.wording import name_some

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from spatial_de.diagnostics.candidates import Candidates
    from spatial_de.models.problem import Problem
    from spatial_de.panel.transforms import Effects
    from spatial_de.results import Results

GROUP = "Residuals of OLS"
_ROUNDING = 1e-12
_CONSTANT = 1e-14  # standard deviation relative to the largest value below which all is rounding
_COLLINEAR = 1e-8  # of a standard deviation, left of a regressor by those before it


def normality_test(fit: Results) -> HypothesisTest:
    """Jarque and Bera's test that errors are normal: skewness and kurtosis of the residuals.

    Parameters
    ----------
    fit
        Any fit of a cross-section or a balanced panel but with random effects; the residuals are those of the model,
        filtered of its spatial terms.

    Returns
    -------
    HypothesisTest
        Chi-squared with two degrees of freedom; with one where residuals have no skewness (two times, individual
        effects: each unit's are opposite).

    Notes
    -----
    With residuals e, their variance one and correlations r_ij, Hermite polynomials of e have the variances
    ``6 sum r_ij^3`` and ``24 sum r_ij^4`` under normality, which take the place of 6 n and 24 n. The chi-squared
    distribution is slow to arrive: at n = 100 the 5 % test rejects about 4 % of normal samples.

    References
    ----------
    Jarque, C. M. and Bera, A. K. (1987). A test for normality of observations and regression residuals.
    *International Statistical Review* 55, 163-172.
    """
    problem = _checked(fit)
    e = _standardised(fit)
    skewed, peaked = float(np.sum(e**3)), float(np.sum(e**4 - 3.0))
    third, fourth = (e.size * _mean_power(problem, power) for power in (3, 4))
    statistic, df = peaked**2 / (24.0 * fourth), 1
    if third > _ROUNDING * e.size:
        statistic, df = statistic + skewed**2 / (6.0 * third), 2
    null = "errors have no skewness and the kurtosis of 3 (normal errors)"
    return chi2_test("Jarque-Bera", statistic, df, null=null, reference="Jarque and Bera (1987)")


def heteroskedasticity_test(
    fit: Results, by: Sequence[str] | None = None, *, squares: bool = False, studentized: bool = True
) -> HypothesisTest:
    """Breusch and Pagan's test that the variance of errors does not depend on the regressors.

    Parameters
    ----------
    fit
        Any fit of a cross-section or a balanced panel but with random effects; the residuals are those of the model,
        filtered of its spatial terms, so that this is the spatial Breusch-Pagan test for models that have them.
    by
        Regressors, by name as in the fit, on which the variance may depend; by default all of the model, lagged ones
        included.
    squares
        Let the variance depend on the squares of the regressors: coefficients that vary at random, the form of GeoDa
        and spreg.
    studentized
        Koenker's form, right for errors that are not normal (default), or the original one for normal errors.

    Returns
    -------
    HypothesisTest

    Notes
    -----
    For sar and sdm the same as ``spatialreg::bptest.Sarlm``; for models with a spatial error that takes regressors
    filtered by I - lambda W, on which there is no reason for variances to depend.

    References
    ----------
    Breusch, T. S. and Pagan, A. R. (1979). *Econometrica* 47, 1287-1294. Koenker, R. (1981). *Journal of Econometrics*
    17, 107-112. Anselin, L. (1988). *Spatial Econometrics: Methods and Models*, section 8.1.3.
    """
    problem = _checked(fit)
    Z = _centred(_levels(problem, by) ** (2 if squares else 1))
    e = _standardised(fit)
    u = e**2 - 1.0
    Q, R = np.linalg.qr(Z.reshape(e.size, -1))
    kept = np.abs(np.diag(R)) > _COLLINEAR * np.sqrt(e.size)
    if not kept.any():
        raise IdentificationError("There are no regressors that vary, on which the variance could depend.")
    Q = Q[:, kept]
    spread = Q.T @ _squared_correlations(problem, Q.reshape(*e.shape, -1)).reshape(e.size, -1)
    direction = Q.T @ u.ravel()
    scale = float(np.mean(u**2)) if studentized else 2.0
    statistic = float(direction @ np.linalg.solve(spread, direction)) / scale
    return chi2_test(
        "Koenker" if studentized else "Breusch-Pagan",
        statistic,
        int(kept.sum()),
        null="the variance of errors does not depend on the regressors (one variance)",
        reference="Koenker (1981)" if studentized else "Breusch and Pagan (1979)",
    )


@dataclass(frozen=True, slots=True)
class ResidualMoran:
    """Moran's I of the residuals of least squares.

    Attributes
    ----------
    I, expected, variance
        The statistic and its exact moments under independent normal errors, given regressors and effects.
    z, p_value
        Standard deviate, and both tails of the normal distribution.
    """

    I: float  # noqa: E741 - the name of the statistic
    expected: float
    variance: float

    @property
    def z(self) -> float:
        """Standard deviate."""
        return float((self.I - self.expected) / np.sqrt(self.variance))

    @property
    def p_value(self) -> float:
        """Both tails of the standard normal."""
        return self.test.p_value

    @property
    def test(self) -> HypothesisTest:
        """The same as a row of a table of tests."""
        null = "errors are not spatially correlated (I = E I)"
        return normal_test("Moran of residuals", self.z, null=null, reference="Cliff and Ord (1981, ch. 8)")


def residual_moran(fit: Results) -> ResidualMoran:
    """Moran's I of the residuals of a linear model, with its exact mean and variance.

    Parameters
    ----------
    fit
        An ``ols`` or ``slx`` fit of a cross-section or a balanced panel, with any fixed effects.

    Raises
    ------
    IdentificationError
        A model with a spatial lag or error: its residuals have other moments; see `conditional_lm_tests`.

    Notes
    -----
    Residuals are ``M e``, M the projection off effects and regressors, of rank d. With ``I = (n / S0) e'We / e'e`` over
    all times: ``E = (n / S0) tr(MW) / d`` and
    ``E I^2 = (n / S0)^2 [tr(MWMW') + tr(MWMW) + tr(MW)^2] / (d (d + 2))``. Moran's I of the residuals without these
    moments finds too little: effects and regressors make residuals negatively correlated.

    References
    ----------
    Cliff, A. D. and Ord, J. K. (1981). *Spatial Processes: Models and Applications*, section 8.3.
    """
    problem = _checked(fit)
    if problem.spec.lag_y or problem.spec.lag_error:
        raise IdentificationError(
            f"Residuals of model={fit.model!r} have been filtered of spatial dependence, and Moran's I has no known "
            "moments there: use an ols or slx fit, or conditional_lm_tests for what a spatial model leaves."
        )
    w = one_w(fit).sparse
    e = fit.estimate.e
    first, second, rank = _traces(problem, w)
    n, total = e.size, float(w.sum()) * len(e)
    ratio = float(np.sum(e * (w @ e.T).T)) / float(np.sum(e**2))
    mean = first / rank
    spread = (2.0 * second + first**2) / (rank * (rank + 2)) - mean**2
    if spread <= _ROUNDING * max(second, mean**2):
        raise IdentificationError("Under these weights all residuals have the same Moran's I: nothing can be tested.")
    factor = n / total
    return ResidualMoran(I=factor * ratio, expected=factor * mean, variance=factor**2 * spread)


def _traces(problem: Problem, w: csr_array) -> tuple[float, float, int]:
    """``tr MS``, ``tr MSMS`` with S the symmetric part of W at every time, and the rank of M."""
    T, N, k = problem.Z.shape
    effects = problem.eliminated
    S = (w + w.T) * 0.5
    rows = np.asarray(S.sum(axis=1)).ravel()
    centred = effects in {"time", "two-way"}
    periods = T - (effects in {"individual", "two-way"})
    trace, square = traced(S, centred=centred), float((S * S.T).sum())
    if centred:
        square += -2.0 * float(rows @ rows) / N + (rows.sum() / N) ** 2
    U = np.linalg.qr(problem.Z.reshape(T * N, k))[0].reshape(T, N, k)
    SU = problem.layout.within(np.stack([S @ one for one in U]), effects).reshape(T * N, k)
    small = U.reshape(T * N, k).T @ SU
    first = periods * trace - np.trace(small)
    second = periods * square - 2.0 * np.sum(SU**2) + np.sum(small**2)
    return float(first), float(second), problem.n_free - k


def _checked(fit: Results) -> Problem:
    check_fits(fit)
    problem = fit.estimate.problem
    check_balanced(fit)
    if fit.random is not None:
        raise OptionError("Tests of residuals are for fits without random effects: their residuals hold predictions.")
    return problem


def _standardised(fit: Results) -> NDArray[np.float64]:
    e = fit.estimate.e - fit.estimate.e.mean()
    return np.asarray(e / np.sqrt(np.mean(e**2)))


def _correlations(problem: Problem) -> tuple[float, float]:
    """Of two residuals of one unit, and of two of one time; the product for different units and times."""
    T, N = problem.y.shape
    effects: Effects = problem.effects
    of_unit = -1.0 / (T - 1) if effects in {"individual", "two-way"} else 0.0
    of_time = -1.0 / (N - 1) if effects in {"time", "two-way"} else 0.0
    return of_unit, of_time


def _mean_power(problem: Problem, power: int) -> float:
    """Sum of a power of the correlations of one residual with all."""
    T, N = problem.y.shape
    of_unit, of_time = _correlations(problem)
    return float((1.0 + (T - 1) * of_unit**power) * (1.0 + (N - 1) * of_time**power))


def _squared_correlations(problem: Problem, Z: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix of squared correlations of residuals times columns of shape (T, N, m)."""
    of_unit, of_time = (r**2 for r in _correlations(problem))
    Z = (1.0 - of_unit) * Z + of_unit * Z.sum(axis=0, keepdims=True)
    return np.asarray((1.0 - of_time) * Z + of_time * Z.sum(axis=1, keepdims=True))


def _levels(problem: Problem, by: Sequence[str] | None) -> NDArray[np.float64]:
    """Regressors before effects are taken out, shape (T, N, m)."""
    X = problem.design.X
    columns = {name: X[:, :, j] for j, name in enumerate(problem.design.x_names)}
    for j in problem.lagged:
        if problem.durbin_weights is not None:
            columns[f"W_{problem.design.x_names[j]}"] = problem.layout.lag(problem.durbin_weights, X[:, :, j])
    unknown = [name for name in by or () if name not in columns]
    if unknown:
        raise FormulaError(f"by= names {name_some(unknown)}; regressors are {name_some(list(columns))}.")
    chosen = list(columns) if by is None else list(by)
    if not chosen:
        raise IdentificationError("There are no regressors on which the variance could depend.")
    return np.stack([columns[name] for name in chosen], axis=2)


def _centred(Z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Deviations from the mean in standard deviations, so that neither units nor offsets matter; zero if constant."""
    centred = Z - Z.mean(axis=(0, 1))
    spread = np.sqrt(np.mean(centred**2, axis=(0, 1)))
    constant = spread <= _CONSTANT * np.abs(Z).max(axis=(0, 1))
    return np.asarray(np.where(constant, 0.0, centred / np.where(constant, 1.0, spread)))


def _moran(candidates: Candidates) -> HypothesisTest:
    return residual_moran(candidates["ols"]).test


def _normality(candidates: Candidates) -> HypothesisTest:
    return normality_test(candidates["ols"])


def _koenker(candidates: Candidates) -> HypothesisTest:
    return heteroskedasticity_test(candidates["ols"])


TESTS = (
    RegisteredTest("Moran of residuals", GROUP, _moran),
    RegisteredTest("Koenker", GROUP, _koenker),
    RegisteredTest("Jarque-Bera", GROUP, _normality),
)
