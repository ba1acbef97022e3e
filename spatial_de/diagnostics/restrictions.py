"""Likelihood ratio and Wald tests of one spatial model against a simpler one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.diagnostics.base import HypothesisTest, Need, RegisteredTest, check_fits, chi2_p, f_p
from spatial_de.errors import IdentificationError, OptionError
from spatial_de.models import MODELS, ModelSpec
from spatial_de.models.estimate import is_adjusted
from spatial_de.panel.design import INTERCEPT
from spatial_de.wording import check_option, name_some

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.diagnostics.candidates import Candidates
    from spatial_de.fitting import Model
    from spatial_de.results import Results

GROUP = "Restrictions, likelihood ratio and Wald"
_REFERENCE = "LeSage and Pace (2009, ch. 6); Elhorst (2010)"
_COMMON_FACTOR = "Burridge (1981); Elhorst (2010)"
_SINGULAR = 1e-11  # smallest eigenvalue of a correlation matrix, relative to the largest


def likelihood_ratio(big: Results, small: Results) -> HypothesisTest:
    """Likelihood ratio test of a model against one that it contains.

    Parameters
    ----------
    big, small
        Maximum likelihood fits of the same response under the same treatment of effects. `small` arises from
        `big` by restrictions: terms left out, or the common factor that turns an SDM into a SEM.

    Raises
    ------
    OptionError
        The log-likelihoods are not those of the same data: other response, units, times, effects, bias
        treatment, weights, observations in the likelihood; or a fit is not by maximum likelihood.
    IdentificationError
        `small` is not contained in `big`, or one of the two is at the bound of its parameter space.

    Notes
    -----
    Where the bias is corrected analytically (time effects with W not row-stochastic, or ``bias="correction"``),
    the log-likelihoods are those before the correction; the Wald test uses the corrected estimates.

    References
    ----------
    LeSage, J. and Pace, R. K. (2009). *Introduction to Spatial Econometrics*, chapter 6.
    Burridge, P. (1981). Testing for a common factor in a spatial autoregression model. *Environment and
    Planning A* 13, 795-800.
    Elhorst, J. P. (2010). Applied spatial econometrics: raising the bar. *Spatial Economic Analysis* 5, 9-28.

    Examples
    --------
    >>> likelihood_ratio(sde.fit(formula, panel, w), sde.fit(formula, panel, w, model="sar"))  # doctest: +SKIP
    """
    _refuse_incomparable(big, small)
    _refuse_not_nested(big, small)
    _refuse_other_adjustment(big, small)
    for fit in (big, small):
        _refuse_bound(fit)
    statistic = 2.0 * (big.loglik - small.loglik)
    if statistic < -1e-8 * abs(big.loglik):
        raise IdentificationError(
            f"The larger model has the smaller log-likelihood ({big.loglik:.6f} against {small.loglik:.6f}): it "
            "converged to a local maximum. Look at .optimization.local_maxima."
        )
    statistic = max(statistic, 0.0)  # rounding
    df = big.n_params - small.n_params
    return HypothesisTest(
        name=f"LR {big.model.upper()} -> {small.model.upper()}",
        statistic=statistic,
        df=df,
        df_resid=None,
        p_value=chi2_p(statistic, df),
        null=_null(big.estimate.problem.spec, small.estimate.problem.spec, left_out=_left_out(big, small)),
        reference=_COMMON_FACTOR if _is_common_factor(big, small.estimate.problem.spec) else _REFERENCE,
    )


def wald_test(fit: Results, null: str) -> HypothesisTest:
    """Wald test of the restrictions that turn a fit into a simpler model.

    Parameters
    ----------
    fit
        Any fit; its covariance (``cov``) is the one used, so that ``fit.with_cov("driscoll-kraay")`` gives the
        robust test.
    null
        The simpler model: ``"sar"`` (theta = 0), ``"sem"`` (of an SDM: theta + rho beta = 0, the common factor,
        by the delta method), ``"slx"`` (rho = 0), ``"ols"``, ...

    Returns
    -------
    HypothesisTest
        Compared with chi-squared; for linear models (slx) the F test that it is equivalent to.

    Raises
    ------
    IdentificationError
        The fit does not contain the simpler model, or has no covariance.

    Examples
    --------
    >>> wald_test(sde.fit(formula, panel, w, model="sdm"), "sem")  # doctest: +SKIP
    """
    check_fits(fit)
    check_option(null, MODELS, "null")
    target = MODELS[null]
    _refuse_bound(fit)
    value, gradient = _restrictions(fit, target)
    if not len(value):
        raise IdentificationError(
            f"Nothing in this {fit.model!r} fit has to vanish to make it {null!r}: there is no restriction to test."
        )
    tested = gradient.any(axis=0)  # by the method of moments sigma2 has no variance, and it is in no restriction
    variance = gradient[:, tested] @ fit.cov.to_numpy()[np.ix_(tested, tested)] @ gradient[:, tested].T
    size = np.sqrt(np.diag(variance))
    correlation = variance / np.outer(size, size)  # units of the regressors cannot matter
    standardised = value / size
    spread = np.linalg.eigvalsh(correlation)
    if spread[0] <= _SINGULAR * spread[-1]:
        raise IdentificationError(
            f"The covariance of the {len(value)} restrictions is singular (as with fewer times than restrictions "
            f"under cov='driscoll-kraay'; this fit has cov={fit.cov_type!r}): there is no Wald test. Use "
            "cov='classical'."
        )
    statistic = float(standardised @ np.linalg.solve(correlation, standardised))
    df, df_resid = len(value), fit.df_resid
    if df_resid is not None:
        statistic /= df
    return HypothesisTest(
        name=f"{'Wald' if df_resid is None else 'F'} {fit.model.upper()} -> {null.upper()}",
        statistic=statistic,
        df=df,
        df_resid=df_resid,
        p_value=chi2_p(statistic, df) if df_resid is None else f_p(statistic, df, df_resid),
        null=_null(fit.estimate.problem.spec, target),
        reference=_COMMON_FACTOR if _is_common_factor(fit, target) else _REFERENCE,
    )


def _restrictions(fit: Results, target: ModelSpec) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values (q,) that are zero under the null, and their derivatives with respect to the parameters (q, p)."""
    problem, params = fit.estimate.problem, fit.estimate.params
    names = list(fit.estimate.names)
    first = int(INTERCEPT in problem.names)
    x_names = problem.design.x_names
    beta, theta = first + np.array(problem.lagged, dtype=np.intp), first + len(x_names) + np.arange(len(problem.lagged))
    pairs = [(f"mean_{x_names[j]}", f"mean_W_{x_names[j]}") for j in problem.lagged]
    means = np.array([[names.index(one) for one in pair] for pair in pairs if set(pair) <= set(names)], dtype=np.intp)
    beta, theta = (np.append(own, means.reshape(-1, 2)[:, i]) for i, own in enumerate((beta, theta)))
    eye = np.eye(len(params))
    if _is_common_factor(fit, target):
        _refuse_partial_durbin(fit)
        rho = names.index("rho")
        gradient = eye[theta] + params[rho] * eye[beta] + np.outer(params[beta], eye[rho])
        return params[theta] + params[rho] * params[beta], gradient
    _refuse_other_terms(problem.spec, target)
    positions = [
        *(theta if problem.spec.lag_x and not target.lag_x else []),
        *([names.index("rho")] if problem.spec.lag_y and not target.lag_y else []),
        *([names.index("lambda")] if problem.spec.lag_error and not target.lag_error else []),
    ]
    restricted = np.array(positions, dtype=np.intp)
    return params[restricted], eye[restricted]


def _is_common_factor(big: Results, small: ModelSpec) -> bool:
    """Whether the restriction is theta = -rho beta: a model with lag and lagged regressors against the SEM."""
    spec = big.estimate.problem.spec
    plain = small.lag_error and not small.lag_y and not small.lag_x
    return plain and spec.lag_y and spec.lag_x and not spec.lag_error


def _left_out(big: Results, small: Results) -> list[str]:
    """Regressors of the larger model that the smaller one lacks although it has terms of that kind."""
    problem, kept = big.estimate.problem, small.estimate.problem
    lagged = {f"W_{problem.design.x_names[j]}" for j in problem.lagged}
    gone = [name for name in problem.names if name not in kept.names]
    return [name for name in gone if kept.spec.lag_x or name not in lagged]


def _null(big: ModelSpec, small: ModelSpec, *, left_out: Sequence[str] = ()) -> str:
    if small.lag_error and not big.lag_error:
        return "common factor (theta + rho beta = 0): the spatial terms are those of a spatial error"
    dropped = {
        "no spatially lagged regressors (theta = 0)": big.lag_x and not small.lag_x,
        "no spatial lag of the response (rho = 0)": big.lag_y and not small.lag_y,
        "no spatial errors (lambda = 0)": big.lag_error and not small.lag_error,
    }
    parts = [words for words, applies in dropped.items() if applies]
    if left_out:
        parts.append(f"no effect of {name_some(left_out)}")
    return " and ".join(parts)


def _refuse_incomparable(big: Results, small: Results) -> None:
    """Log-likelihoods of different data, or of differently transformed data, are never compared."""
    check_fits(big, small)
    for fit in (big, small):
        if fit.method != "ml":
            raise OptionError(f"The {fit.model} fit used method={fit.method!r}: only method='ml' has a likelihood.")
    _refuse_other_random_effects(big, small)
    one, other = big.estimate.problem, small.estimate.problem
    facts = {
        "fixed effects": (big.fixed, small.fixed),
        "treatments of the effects (bias)": (big.bias, small.bias),
        "observations in the likelihood": (big.n_likelihood, small.n_likelihood),
    }
    for what, (left, right) in facts.items():
        if left != right:
            raise OptionError(
                f"The two fits have different {what} ({left!r} and {right!r}): their log-likelihoods belong to "
                "differently transformed data and must not be compared. Fit both in the same way."
            )
    same_cells = one.design.index.equals(other.design.index)
    if not same_cells or not np.array_equal(one.design.y, other.design.y):
        what = "response values" if same_cells else "units or times"
        raise OptionError(
            f"The two fits have different {what} (responses {big.response!r} and {small.response!r}): their "
            "log-likelihoods belong to different data and must not be compared."
        )
    if _spatial(one.spec) and _spatial(other.spec) and one.weights != other.weights:
        raise OptionError("The two fits use different weights: neither contains the other. Use the same weights.")


def _refuse_other_random_effects(big: Results, small: Results) -> None:
    """Without a spatial error the two forms are one, which either form with a spatial error contains."""
    if (big.random is None) != (small.random is None):
        raise OptionError(
            "One of the fits has random effects, the other has not: the variance of unit effects would be tested at "
            "the end of its range, where the usual distribution does not hold. Use random_effects_test(fit, pooled)."
        )
    if big.random is None:
        return
    forms = {fit.random for fit in (big, small) if fit.estimate.problem.spec.lag_error}
    if len(forms) > 1:
        raise OptionError(
            "The two fits have different forms of random effects ('bsk' and 'kkp'): neither contains the other. Use "
            "the same form in both."
        )
    if forms == {"bsk"} and _is_common_factor(big, small.estimate.problem.spec):
        raise IdentificationError(
            "With random effects the SDM contains the SEM whose unit effects share the spatial error: fit the SEM with "
            "random='kkp'."
        )


def _spatial(spec: ModelSpec) -> bool:
    return spec.lag_y or spec.lag_x or spec.lag_error


def _refuse_not_nested(big: Results, small: Results) -> None:
    one, other = big.estimate.problem, small.estimate.problem
    if _is_common_factor(big, other.spec):
        _refuse_partial_durbin(big)
        _refuse_free_constant(big)
    else:
        _refuse_other_terms(one.spec, other.spec)
    extra = [name for name in other.names if name not in one.names]
    if extra:
        raise IdentificationError(f"The smaller model has regressors that the larger one lacks: {name_some(extra)}.")
    columns = {name: one.design.X[:, :, j] for j, name in enumerate(one.design.x_names)}
    for j, name in enumerate(other.design.x_names):
        if not np.array_equal(columns[name], other.design.X[:, :, j]):
            raise OptionError(f"Regressor {name!r} has different values in the two fits: they are of different data.")
    if big.n_params <= small.n_params:
        raise IdentificationError(
            f"The {big.model} fit has {big.n_params} parameters and the {small.model} fit {small.n_params}: there is "
            "no restriction to test. The larger model comes first."
        )


def _refuse_other_terms(big: ModelSpec, small: ModelSpec) -> None:
    lost = [
        words
        for words, term in (
            ("a spatial lag", small.lag_y and not big.lag_y),
            ("lagged regressors", small.lag_x and not big.lag_x),
            ("spatial errors", small.lag_error and not big.lag_error),
        )
        if term
    ]
    if lost:
        raise IdentificationError(
            f"{small.name!r} is not a restricted form of {big.name!r}: it has {' and '.join(lost)}."
        )


def _refuse_partial_durbin(big: Results) -> None:
    problem = big.estimate.problem
    left = [name for j, name in enumerate(problem.design.x_names) if j not in problem.lagged]
    if left:
        raise IdentificationError(
            f"The SEM is not a restricted form of this SDM: {name_some(left)} does not enter spatially lagged, so "
            "that theta + rho beta = 0 cannot hold for it."
        )


def _refuse_other_adjustment(big: Results, small: Results) -> None:
    """What stands for the log-determinants of rho and of lambda in adjusted likelihoods is not of one kind."""
    problems = [fit.estimate.problem for fit in (big, small)]
    both = any(problem.spec.lag_y for problem in problems) and any(problem.spec.lag_error for problem in problems)
    if both and all(is_adjusted(problem) for problem in problems):
        raise IdentificationError(
            "Where the panel is not balanced, or W changes, likelihoods of a spatial lag and of a spatial error are "
            "adjusted for effects in different ways: use wald_test, or bias='none' for both fits."
        )


def _refuse_free_constant(big: Results) -> None:
    """The SEM lags its constants too: the SDM must be able to follow."""
    problem = big.estimate.problem
    if problem.weights is None:
        return
    rows = problem.weights.sparse.sum(axis=1)
    constant_free = problem.effects == "individual" or (problem.effects == "none" and not problem.design.intercept)
    if np.ptp(rows) > 1e-10 * np.abs(rows).max() and not constant_free:
        raise IdentificationError(
            "The rows of W add up to different values: the SEM also lags the constant (W 1), which this SDM does not "
            "contain, so that the likelihood ratio is not that of nested models. The Wald test of theta + rho beta = 0 "
            "is not affected; or use row-standardised weights without islands."
        )


def _refuse_bound(fit: Results) -> None:
    if not fit.converged:
        record = fit.optimization
        raise IdentificationError(
            f"{record.parameter} of the {fit.model} fit is at the bound of its interval: the usual distribution of "
            "test statistics does not hold there."
        )


def _ratio(big: Model, small: Model) -> RegisteredTest:
    def run(candidates: Candidates) -> HypothesisTest:
        return likelihood_ratio(candidates[big], candidates[small])

    needs: tuple[Need, ...] = ("general",) if big == "gns" else ()
    return RegisteredTest(f"LR {big.upper()} -> {small.upper()}", GROUP, run, needs=needs)


def _wald(big: Model, small: Model) -> RegisteredTest:
    def run(candidates: Candidates) -> HypothesisTest:
        return wald_test(candidates[big], small)

    letter = "F" if big == "slx" else "Wald"
    return RegisteredTest(f"{letter} {big.upper()} -> {small.upper()}", GROUP, run)


TESTS = (
    _ratio("sdm", "sar"),
    _wald("sdm", "sar"),
    _ratio("sdm", "sem"),
    _wald("sdm", "sem"),
    _ratio("sdm", "slx"),
    _wald("sdm", "slx"),
    _wald("slx", "ols"),
    _ratio("sdem", "slx"),
    _wald("sdem", "slx"),
    _ratio("gns", "sdm"),
    _ratio("gns", "sdem"),
    _ratio("gns", "sac"),
)
