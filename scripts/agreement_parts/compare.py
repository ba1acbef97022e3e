"""Ours and the exact numbers of a case, under the same labels."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

import spatial_de as sde
from agreement_parts import exact
from agreement_parts.samples import Sample
from spatial_de.errors import SpatialDEWarning

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

    @property
    def title(self) -> str:
        """For tables."""
        words = [self.model.upper() + (" by GMM" if self.method == "gmm" else "")]
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


def cases_of(sample: Sample) -> list[Case]:
    """Every model under every form of effects that the sample allows."""
    moments = not sample.is_panel and sample.w.is_row_stochastic
    out = [] if not moments else [Case(sample.name, model, method="gmm") for model in ("sar", "sdm")]
    for model in FLAGS:
        out.append(Case(sample.name, model))
        if sample.is_panel:
            for fixed in ("individual", "time", "two-way"):
                out += [Case(sample.name, model, fixed, bias) for bias in ("none", "lee-yu", "correction")]
    return out


def ours(sample: Sample, case: Case, *, extra: str | None = None) -> Figures:
    """The fit of this package; `extra` is a column that enters without a lag."""
    options = {"model": case.model, "method": case.method}
    if sample.is_panel:
        options |= {"fixed": case.fixed} | ({"bias": case.bias} if case.fixed != "none" else {})
    formula = sample.formula + (f" + {extra}" if extra else "")
    if extra and FLAGS[case.model][1]:
        options["durbin"] = list(sample.x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpatialDEWarning)
        kinds = ("observed",) if case.method == "gmm" else ("observed", "expected")
        fits = {kind: sde.fit(formula, sample.data, sample.w, information=kind, **options) for kind in kinds}
        tables = {kind: fit.effects("delta").table for kind, fit in fits.items()}
    fit = fits["observed"]
    keys = [(name, effect) for name in sample.x for effect in ("direct", "indirect", "total")]
    return Figures(
        params={str(name): float(value) for name, value in fit.params.items()},
        se={kind: {str(n): float(v) for n, v in one.std_errors.items()} for kind, one in fits.items()},
        loglik=None if case.method == "gmm" else float(fit.loglik),
        effects={key: float(tables["observed"].loc[key, "estimate"]) for key in keys},
        effects_se={kind: {key: float(t.loc[key, "std_error"]) for key in keys} for kind, t in tables.items()},
    )


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
    return ESTIMATORS[case.method](sample, case)


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


def _two_stages(sample: Sample, case: Case) -> Figures:
    """Two-stage least squares by the textbook: instruments WX, for the Durbin model also WWX and WWWX."""
    y, X, W = sample.arrays()
    X, y = X[0], y[0]
    durbin = FLAGS[case.model][1]
    columns = [np.ones((len(y), 1)), X, *([W @ X] if durbin else [])]
    Z = np.hstack([*columns, (W @ y)[:, None]])
    H = np.hstack([*columns, *([W @ W @ X, W @ W @ W @ X] if durbin else [W @ X])])
    fitted = H @ np.linalg.lstsq(H, Z, rcond=None)[0]
    delta = np.linalg.lstsq(fitted, y, rcond=None)[0]
    e = y - Z @ delta
    cov = np.linalg.inv(fitted.T @ fitted) * (e @ e) / len(y)
    names = _names(sample, case)
    values = dict(zip(names, [*delta.tolist(), e @ e / len(y)], strict=True))
    given = dict(list(values.items())[:-1])
    return Figures(
        params=values,
        se={"observed": dict(zip(given, np.sqrt(np.diag(cov)).tolist(), strict=True))},
        loglik=None,
        effects=exact.effects(values, sample.x, W),
        effects_se={"observed": exact.effects_errors(given, cov, x=sample.x, W=W)},
    )


ESTIMATORS: dict[str, Callable[[Sample, Case], Figures]] = {"ml": _maximum_likelihood, "gmm": _two_stages}


def _names(sample: Sample, case: Case) -> list[str]:
    lag_y, lag_x, lag_error = FLAGS[case.model]
    names = [*sample.x, *(f"W_{name}" for name in sample.x if lag_x)]
    names = ["Intercept", *names] if case.fixed == "none" else names
    return [*names, *(["rho"] if lag_y else []), *(["lambda"] if lag_error else []), "sigma2"]


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
    total = {key: max(abs(other.effects[key[0], kind]) for kind in ("direct", "total")) for key in other.effects}
    out["effects"] = worst(one.effects, other.effects, total)
    for kind in one.effects_se:
        b = other.effects_se[kind]
        scale = max(b.values())
        out[f"{kind} SE of effects"] = max(abs(one.effects_se[kind][k] - b[k]) / max(b[k], 1e-9 * scale) for k in b)
    return out
