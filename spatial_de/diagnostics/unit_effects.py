"""Lagrange multiplier tests of random unit effects and spatial errors, each given or not given the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spatial_de.diagnostics.base import HypothesisTest, as_table, check_balanced, chi2_p, normal_test, one_w, upper_p
from spatial_de.errors import IdentificationError, OptionError
from spatial_de.fitting import fit
from spatial_de.models.information import traced_pair

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from spatial_de.panel import Panel
    from spatial_de.results import Results
    from spatial_de.weights import SpatialWeights

_SOURCE = "Baltagi, Song and Koh (2003)"
_NO_EFFECTS, _NO_ERROR = "no random unit effects (sigma2_mu = 0)", "no spatial errors (lambda = 0)"


def baltagi_song_koh_tests(formula: str, data: Panel, w: SpatialWeights) -> pd.DataFrame:
    """Random unit effects, spatial errors, both, and each where the other may be there.

    Parameters
    ----------
    formula, data, w
        As for `fit`; a balanced panel.

    Returns
    -------
    DataFrame
        Index test; columns statistic, df, df_resid, p_value, null, reference. ``LM1``, ``LM2`` and the conditional
        tests are standard normal; LM1 and the conditional test of unit effects reject for large values only, as a
        variance cannot be negative.

    Notes
    -----
    The model is ``y = X b + mu + u``, ``u = lambda W u + e``, by maximum likelihood, without fixed effects. Of the
    joint test ``LM1^2 + LM2^2``, LM1 counts only where it is positive, and the p-value is that of the mixture of
    chi-squared with one and with two degrees of freedom, each in half of all samples.
    The same numbers as ``splm::bsktest``, which calls its LM1 SLM1.

    References
    ----------
    Baltagi, B. H., Song, S. H. and Koh, W. (2003). Testing panel data regression models with spatial error correlation.
    *Journal of Econometrics* 117, 123-150.

    Examples
    --------
    >>> baltagi_song_koh_tests("ln_gap ~ digital", panel, w)  # doctest: +SKIP
    """
    pooled = fit(formula, data, w, model="ols", fixed="none")
    _check(pooled)
    marginal = [_effects_alone(pooled), _error_alone(pooled)]
    with_error = fit(formula, data, w, model="sem", fixed="none")
    with_effects = fit(formula, data, w, model="ols", fixed="none", random=True)
    conditional = [_error_beside_effects(with_effects), _effects_beside_error(with_error)]
    return as_table([*marginal, _both(*marginal), *conditional])


def _effects_alone(pooled: Results) -> HypothesisTest:
    e = pooled.estimate.e
    T, N = e.shape
    growth = float(np.sum(e.sum(axis=0) ** 2) / np.sum(e**2)) - 1.0
    return _upper("BSK LM1", np.sqrt(N * T / (2.0 * (T - 1))) * growth, f"{_NO_EFFECTS} if errors are not spatial")


def _error_alone(pooled: Results) -> HypothesisTest:
    e = pooled.estimate.e
    w = one_w(pooled).sparse
    share = float(np.sum(e * (w @ e.T).T) / np.sum(e**2))
    z = e.shape[1] * np.sqrt(e.shape[0] / traced_pair(w, w)) * share
    return normal_test("BSK LM2", float(z), null=f"{_NO_ERROR} if there are no unit effects", reference=_SOURCE)


def _both(effects: HypothesisTest, error: HypothesisTest) -> HypothesisTest:
    statistic = max(effects.statistic, 0.0) ** 2 + error.statistic**2
    return HypothesisTest(
        name="BSK joint",
        statistic=statistic,
        df=2,
        df_resid=None,
        p_value=0.5 * (chi2_p(statistic, 1) + chi2_p(statistic, 2)),
        null="neither random unit effects nor spatial errors (sigma2_mu = lambda = 0)",
        reference=_SOURCE,
        law="chi-bar-squared",
    )


def _error_beside_effects(fit: Results) -> HypothesisTest:
    """Score of lambda at zero, where unit effects are estimated."""
    u, w = _disturbances(fit), one_w(fit).sparse
    T = len(u)
    sigma2, sigma2_mu = (fit.params[name] / fit.estimate.problem.y_scale**2 for name in ("sigma2", "sigma2_mu"))
    sigma2_1 = T * sigma2_mu + sigma2
    mean = u.mean(axis=0)
    between, within = T * float(mean @ (w @ mean)), float(np.sum((u - mean) * (w @ (u - mean).T).T))
    score = between * sigma2 / sigma2_1**2 + within / sigma2
    information = ((T - 1) + (sigma2 / sigma2_1) ** 2) * traced_pair(w, w)
    null = f"{_NO_ERROR}, unit effects or not"
    return normal_test("BSK LM lambda | mu", float(score / np.sqrt(information)), null=null, reference=_SOURCE)


def _effects_beside_error(fit: Results) -> HypothesisTest:
    """Score of sigma2_mu at zero, where a spatial error is estimated."""
    if not fit.converged:
        raise IdentificationError("The SEM is at its bound, where no score is zero.")
    u, W = _disturbances(fit), fit.estimate.problem.dense_weights()[1]
    T, N = u.shape
    s = fit.estimate.sigma2_scaled
    B = np.eye(N) - fit.estimate.lam * W
    K, C = B.T @ B, -(W.T @ B + B.T @ W)  # B'B and its derivative
    moved = np.linalg.solve(K, C)
    score = (np.sum((K @ u.sum(axis=0)) ** 2) / s - T * np.trace(K)) / (2.0 * s)
    own = T**2 * np.sum(K**2) / (2.0 * s**2)
    cross = np.array([T * np.trace(K) / (2.0 * s**2), -T * np.trace(C) / (2.0 * s)])
    of_lambda = T * np.sum(moved * moved.T) / 2.0
    mixed = -T * np.trace(moved) / (2.0 * s)
    nuisance = np.array([[N * T / (2.0 * s**2), mixed], [mixed, of_lambda]])
    z = score / np.sqrt(own - cross @ np.linalg.solve(nuisance, cross))
    return _upper("BSK LM mu | lambda", float(z), f"{_NO_EFFECTS}, spatial errors or not")


def _upper(name: str, z: float, null: str) -> HypothesisTest:
    """A variance is larger than zero or zero: large values only."""
    return HypothesisTest(name, float(z), 1, None, upper_p(z), null, _SOURCE, law="N(0, 1), upper tail")


def _disturbances(fit: Results) -> NDArray[np.float64]:
    """``y - Z delta`` in scaled units, shape (T, N)."""
    problem = fit.estimate.problem
    return np.asarray(problem.y - problem.Z @ fit.estimate.delta)


def _check(pooled: Results) -> None:
    if pooled.times is None:
        raise OptionError("The tests of Baltagi, Song and Koh need a panel: a cross-section has no unit effects.")
    check_balanced(pooled)
