"""Ours and the exact numbers of a case, under the same labels."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

import spatial_de as sde
from agreement_parts import exact, exact_random
from agreement_parts.samples import Sample
from spatial_de.errors import IdentificationError, SpatialDEWarning

FLAGS = {
    "ols": (False, False, False),
    "slx": (False, True, False),
    "sar": (True, False, False),
    "sem": (False, False, True),
    "sac": (True, False, True),
    "sdm": (True, True, False),
    "sdem": (False, True, True),
    "gns": (True, True, True),
}
TRANSFORMED = {"none": (), "individual": ("individual",), "time": ("time",), "two-way": ("individual", "time")}


@dataclass(frozen=True)
class Case:
    """What is estimated: a model on a sample."""

    sample: str
    model: str
    fixed: str = "none"
    bias: str = "none"
    method: str = "ml"
    random: str = ""

    @property
    def title(self) -> str:
        """For tables."""
        words = [self.model.upper() + {"ml": "", "gmm": " by GMM", "gmm-robust": " by GMM, robust"}[self.method]]
        if self.random:
            words.append(f"random effects ({self.random})")
        if self.fixed != "none":
            words += [self.fixed, {"none": "direct", "lee-yu": "Lee-Yu", "correction": "corrected"}[self.bias]]
        return ", ".join(words)


@dataclass(frozen=True)
class Figures:
    """Numbers of a fit: `se` and `effects_se` by kind of information, log-likelihood, local maxima."""

    params: dict[str, float]
    se: dict[str, dict[str, float]]
    loglik: float | None
    effects: dict[tuple[str, str], float]
    effects_se: dict[str, dict[tuple[str, str], float]]
    optima: list[tuple[float, ...]] = field(default_factory=list)
    interior: bool = True


def cases_of(sample: Sample) -> list[Case]:
    """Every model under every form of effects that the sample allows."""
    spatial = [] if sample.is_panel else [model for model, (lag, _, error) in FLAGS.items() if lag or error]
    out = [Case(sample.name, model, method=method) for model in spatial for method in ("gmm", "gmm-robust")]
    for model in FLAGS:
        out.append(Case(sample.name, model))
        if sample.is_panel:
            for fixed in ("individual", "time", "two-way"):
                out += [Case(sample.name, model, fixed, bias) for bias in ("none", "lee-yu", "correction")]
            forms = ("bsk", "kkp") if FLAGS[model][2] else ("bsk",)
            out += [Case(sample.name, model, random=form) for form in forms]
    return out


def ours(sample: Sample, case: Case, *, extra: str | None = None) -> Figures:
    """The fit of this package; `extra` is a column that enters without a lag."""
    by_moments = case.method != "ml"
    options = {"model": case.model, "method": "gmm" if by_moments else "ml"}
    options |= {"cov": "robust"} if case.method == "gmm-robust" else {}
    if sample.is_panel:
        options |= {"fixed": case.fixed} | ({"bias": case.bias} if case.fixed != "none" else {})
        options |= {"random": case.random} if case.random else {}
    formula = sample.formula + (f" + {extra}" if extra else "")
    if extra and FLAGS[case.model][1]:
        options["durbin"] = list(sample.x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpatialDEWarning)
        kinds = ("observed",) if by_moments else ("observed", "expected")
        fits = {kind: sde.fit(formula, sample.data, sample.w, information=kind, **options) for kind in kinds}
        tables = {kind: _effects_table(fit) for kind, fit in fits.items()}
    fit = fits["observed"]
    triple = ("direct", "indirect", "total")
    keys = [(name, effect) for name in sample.x for effect in triple if tables["observed"] is not None]
    return Figures(
        params={str(name): float(value) for name, value in fit.params.items()},
        se={kind: {str(n): float(v) for n, v in one.std_errors.dropna().items()} for kind, one in fits.items()},
        loglik=None if by_moments else float(fit.loglik),
        effects={key: float(tables["observed"].loc[key, "estimate"]) for key in keys},
        effects_se={kind: {key: float(t.loc[key, "std_error"]) for key in keys} for kind, t in tables.items()},
        interior=fit.converged and fit.params.get("sigma2_mu", 1.0) > 0.0,
    )


def _effects_table(fit: sde.Results) -> pd.DataFrame | None:
    """None where rho is at its bound, or where two-stage least squares puts it beyond."""
    try:
        return fit.effects("delta").table
    except IdentificationError:
        return None


def stacked(sample: Sample, case: Case) -> exact.Likelihood:
    """The exact likelihood of a case."""
    y, X, W = sample.arrays()
    lag_y, lag_x, lag_error = FLAGS[case.model]
    gone = TRANSFORMED[case.fixed] if case.bias == "lee-yu" else ()
    if case.bias == "correction" and case.fixed != "time":
        gone = ("individual",)
    model = exact.dense.build(
        y, X, W, lag_y=lag_y, lag_x=lag_x, lag_error=lag_error, fixed=case.fixed, transformed=gone
    )
    return exact.Likelihood(model)


def exactly(sample: Sample, case: Case) -> Figures:
    """The exact computation of a case."""
    return _random_effects(sample, case) if case.random else ESTIMATORS[case.method](sample, case)


def _maximum_likelihood(sample: Sample, case: Case) -> Figures:
    likelihood = stacked(sample, case)
    names = _names(sample, case)
    params = likelihood.maximum()
    covs = {
        "observed": np.linalg.inv(likelihood.observed(params)),
        "expected": np.linalg.inv(likelihood.expected(params)),
    }
    loglik = likelihood.concentrated(list(params[likelihood.k : -1]))
    if not likelihood.model.n_spatial:  # least squares divides by the degrees of freedom
        m = likelihood.model
        factor = m.n / (m.n - likelihood.k - m.D.shape[1])
        covs = {kind: np.diag([*np.full(likelihood.k, factor), 1.0]) @ cov for kind, cov in covs.items()}
    if case.bias == "correction" and case.fixed in {"time", "two-way"}:
        y, _, _ = sample.arrays()
        T, N = y.shape
        params = likelihood.corrected(params, n_free=(T - (case.fixed == "two-way")) * (N - 1))
    values = dict(zip(names, params.tolist(), strict=True))
    W = sample.arrays()[2]
    errors = {kind: dict(zip(names, np.sqrt(np.diag(cov)).tolist(), strict=True)) for kind, cov in covs.items()}
    return Figures(
        params=values,
        se=errors,
        loglik=loglik,
        effects=exact.effects(values, sample.x, W),
        effects_se={kind: exact.effects_errors(values, cov, x=sample.x, W=W) for kind, cov in covs.items()},
        optima=[tuple(point) for point in likelihood.optima],
    )


def with_random_effects(sample: Sample, case: Case) -> exact_random.RandomLikelihood:
    """The exact likelihood of a case with random effects."""
    y, X, W = sample.arrays()
    lag_y, lag_x, lag_error = FLAGS[case.model]
    columns = [np.ones_like(X[:, :, :1]), X, *([np.einsum("ij,tjk->tik", W, X)] if lag_x else [])]
    return exact_random.build(y, np.concatenate(columns, axis=2), W, lag=lag_y, error=lag_error, form=case.random)


def _random_effects(sample: Sample, case: Case) -> Figures:
    likelihood = with_random_effects(sample, case)
    params = likelihood.maximum()
    covs = {
        "observed": np.linalg.inv(exact.information(likelihood.gradient, params)),
        "expected": np.linalg.inv(likelihood.expected(params)),
    }
    W = sample.arrays()[2]
    values = dict(zip(_names(sample, case), params.tolist(), strict=True))
    return Figures(
        params=values,
        se={kind: dict(zip(values, np.sqrt(np.diag(cov)).tolist(), strict=True)) for kind, cov in covs.items()},
        loglik=float(np.real(likelihood.loglik(params))),
        effects=exact.effects(values, sample.x, W),
        effects_se={kind: exact.effects_errors(values, cov, x=sample.x, W=W) for kind, cov in covs.items()},
        optima=[tuple(point[:-1]) for point in likelihood.optima],
    )


def moments(sample: Sample, case: Case, *, lagged_constant: bool = True) -> Figures:
    """Two-stage least squares, and the moments of a spatial error, by the papers.

    Instruments of the lagged response: WX, for models with WX also WWX and WWWX; with a spatial error also the lags of
    all regressors, that of the constant among them.
    """
    y, X, W = sample.arrays()
    X, y = X[0], y[0]
    lag_y, lag_x, lag_error = FLAGS[case.model]
    exogenous = np.hstack([np.ones((len(y), 1)), X, *([W @ X] if lag_x else [])])
    Z = np.column_stack([exogenous, W @ y]) if lag_y else exogenous
    further = [W @ W @ X, W @ W @ W @ X] if lag_x else [W @ X]
    filtered = [W @ exogenous[:, 0 if lagged_constant else 1 :]] if lag_error else []
    H = np.hstack([exogenous, *filtered, *(further if lag_y else [])])
    shape = exact.moments.independent(H)
    equal = case.method == "gmm"
    if lag_error:
        fit = exact.moments.ErrorMoments(y, Z, shape, W, equal, not lag_y, exact.dense.admissible(W))
        try:
            found, cov = fit.fit()
        except AssertionError as error:
            raise exact.NoInteriorOptimumError from error
        u = y - Z @ found[:-1]
        e = u - found[-1] * (W @ u)
    else:
        found, T = exact.moments.two_stage(y, Z, shape)
        e = y - Z @ found
        cov = T.T @ T * np.mean(e**2) if equal else (T * e[:, None]).T @ (T * e[:, None])
    names = _names(sample, case)
    values = dict(zip(names, [*found.tolist(), e @ e / len(y)], strict=True))
    given = dict(list(values.items())[:-1])
    return Figures(
        params=values,
        se={"observed": dict(zip(given, np.sqrt(np.diag(cov)).tolist(), strict=True))},
        loglik=None,
        effects=exact.effects(values, sample.x, W),
        effects_se={"observed": exact.effects_errors(given, cov, x=sample.x, W=W)},
    )


ESTIMATORS: dict[str, Callable[[Sample, Case], Figures]] = {
    "ml": _maximum_likelihood,
    "gmm": moments,
    "gmm-robust": moments,
}


def _names(sample: Sample, case: Case) -> list[str]:
    lag_y, lag_x, lag_error = FLAGS[case.model]
    names = [*sample.x, *(f"W_{name}" for name in sample.x if lag_x)]
    names = ["Intercept", *names] if case.fixed == "none" else names
    names += [*(["rho"] if lag_y else []), *(["lambda"] if lag_error else [])]
    return [*names, *(["sigma2_mu"] if case.random else []), "sigma2"]


def differences(one: Figures, other: Figures) -> dict[str, float]:
    """Largest differences by kind: relative to the larger of the number and its standard error."""

    def worst(a: dict, b: dict, size: dict) -> float:
        return max(abs(a[k] - b[k]) / max(abs(b[k]), size.get(k, 0.0)) for k in b) if b else 0.0

    errors = other.se["observed"]
    out = {"estimates": worst(one.params, other.params, errors)}
    for kind in one.se:
        shared = {k: v for k, v in other.se[kind].items() if k in one.se[kind]}
        out[f"{kind} SE"] = worst(one.se[kind], shared, {})
    if one.loglik is not None and other.loglik is not None:
        out["logL"] = abs(one.loglik - other.loglik) / max(abs(other.loglik), 1.0)
    if not one.effects:
        return out
    total = {key: max(abs(other.effects[key[0], kind]) for kind in ("direct", "total")) for key in other.effects}
    out["effects"] = worst(one.effects, other.effects, total)
    for kind in one.effects_se:
        b = other.effects_se[kind]
        scale = max(b.values())
        out[f"{kind} SE of effects"] = max(abs(one.effects_se[kind][k] - b[k]) / max(b[k], 1e-9 * scale) for k in b)
    return out
