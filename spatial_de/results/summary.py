"""A fit as text, in the layout that Stata and statsmodels users read at once."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from spatial_de.panel.layout import Cells
from spatial_de.weights.stacked import StackedWeights

if TYPE_CHECKING:
    from spatial_de.results.core import Results

_WIDTH = 88
_EFFECTS = {"none": "none (pooled)", "individual": "individual", "time": "time", "two-way": "individual and time"}
_SPATIAL = ("rho", "lambda")
_VARIANCES = ("sigma2_mu", "sigma2")
_RANDOM = {"bsk": "units, beside the spatial error", "kkp": "units, sharing the spatial error"}
_BIAS = {"lee-yu": "Lee-Yu transformation", "none": "direct", "correction": "analytic bias correction"}


def render_summary(fit: Results) -> str:
    """Header, coefficient table, notes."""
    rule = "=" * _WIDTH
    lines = [fit.estimate.problem.spec.label.center(_WIDTH).rstrip(), rule, *_header(fit), rule, *_table(fit), rule]
    for paragraph in (_footer(fit), *(f"Note: {note}" for note in fit.notes)):
        lines += textwrap.wrap(paragraph, _WIDTH, break_on_hyphens=False)
    return "\n".join(lines)


def _header(fit: Results) -> list[str]:
    left = [("Response", fit.response), ("Estimator", fit.estimator), ("Units", f"{len(fit.units):,}")]
    if fit.times is not None:
        left += [
            ("Times", f"{len(fit.times)} ({fit.times[0]} to {fit.times[-1]})"),
            ("Fixed effects", _EFFECTS[fit.fixed] if fit.random is None else fit.fixed),
        ]
    if fit.random is not None:
        form = _RANDOM[fit.random] if fit.estimate.problem.spec.lag_error else "units"
        left.append(("Random effects", form + (", correlated" if fit.correlated else "")))
    if fit.fixed != "none":
        left.append(("Estimation", _treatment(fit)))
    names = {"w": "Weights", "error_weights": "of the error", "durbin_weights": "of regressors"}
    for name, w in fit.distinct_weights.items():
        own = "" if isinstance(w, StackedWeights) else f", {w.normalization}"  # blocks keep theirs in the rule
        left.append((names[name], w.provenance.rule + own))
    right = [("Observations", f"{fit.nobs:,}"), *_RIGHT[fit.method](fit)]
    rows = []
    for i in range(max(len(left), len(right))):
        cell = f"{left[i][0]:<14} {left[i][1]}" if i < len(left) else ""
        other = f"{right[i][0]:<18}{right[i][1]:>16}" if i < len(right) else ""
        if len(cell) > _WIDTH - 36 and other:
            rows.append(cell)
            cell = ""
        rows.append(f"{cell:<{_WIDTH - 34}}{other}".rstrip())
    return rows


def _treatment(fit: Results) -> str:
    """How effects were taken out."""
    on_cells = isinstance(fit.estimate.problem.layout, Cells)
    return "scores adjusted for effects" if on_cells and fit.bias == "lee-yu" else _BIAS[fit.bias]


def _of_likelihood(fit: Results) -> list[tuple[str, str]]:
    return [
        ("in the likelihood", f"{fit.n_likelihood:,}"),
        ("Log-likelihood", _number(fit.loglik)),
        ("AIC", _number(fit.aic)),
        ("BIC", _number(fit.bic)),
        _r_squared(fit),
    ]


def _r_squared(fit: Results) -> tuple[str, str]:
    within = fit.fixed != "none" and fit.random is None
    return ("R-squared", f"{fit.r_squared:.4f}" + (" (within)" if within else ""))


def _of_posterior(fit: Results) -> list[tuple[str, str]]:
    if fit.posterior is None:
        return []
    found = fit.posterior.diagnostics
    rows = [("in the likelihood", f"{fit.n_likelihood:,}"), ("Draws", f"{len(fit.posterior.numbers.params):,}")]
    if found.chains:
        rows += [("R-hat", f"{found.rhat:.3f}"), ("Effective draws", f"{min(found.ess_bulk, found.ess_tail):,.0f}")]
    else:
        rows.append(("Log marginal lik.", _number(fit.posterior.log_marginal_likelihood)))
    return [*rows, _r_squared(fit)]


def _of_moments(fit: Results) -> list[tuple[str, str]]:
    rows = [("Pseudo R-squared", f"{fit.r_squared:.4f}")]
    if fit.first_stage is not None:
        first = fit.first_stage
        rows += [("Instruments of W y", f"{first.df}"), (f"First F({first.df}, {first.df_resid})", f"{first.F:.2f}")]
    test = fit.overidentification
    if test is not None:
        name = "Sargan" if fit.cov_type == "classical" else "Hansen"
        rows += [(f"{name} J({test.df})", _number(test.statistic)), ("p-value of J", f"{test.p_value:.3f}")]
    return rows


_RIGHT = {"ml": _of_likelihood, "gmm": _of_moments, "bayes": _of_posterior}


def _table(fit: Results) -> list[str]:
    frame = fit.to_frame().set_index("term")
    head = f"{fit.response[:21]:<22}{_columns(fit)}"
    lines = [head, "-" * _WIDTH]
    above = {} if fit.posterior is None else fit.posterior.above_zero().to_dict()
    problem = fit.estimate.problem
    lagged = [f"W_{problem.design.x_names[j]}" for j in problem.lagged]
    means = problem.mean_names
    own = [t for t in frame.index if t not in {*lagged, *means, *_SPATIAL, *_VARIANCES}]
    blocks = {
        "": own,
        "Spatial lags of regressors": lagged,
        "Unit means of regressors": means,
        "Spatial parameters": [t for t in _SPATIAL if t in frame.index],
    }
    for title, terms in blocks.items():
        if terms and title:
            lines.append(title)
        lines += [_row(term, frame.loc[term].to_numpy(dtype=float), above=above.get(term)) for term in terms]
    lines.append("-" * _WIDTH)
    for name in (name for name in _VARIANCES if name in frame.index):
        lines.append(f"{name:<22}{_number(fit.params[name]):>12}{_number(fit.std_errors[name]):>12}")
    if fit.random is not None:
        lines.append(f"{'share of sigma2_mu':<22}{_number(fit.unit_share):>12}")
    return lines


def _columns(fit: Results) -> str:
    """Heads of the columns; a posterior has no test statistics."""
    if fit.posterior is not None:
        return f"{'Mean':>12}{'Std. dev.':>12}{'P(>0)':>17}{'[95% cred. interval]':>25}"
    letter = "z" if fit.df_resid is None else "t"
    return f"{'Coef.':>12}{'Std. err.':>12}{letter:>9}{f'P>|{letter}|':>8}{'[95% conf. interval]':>25}"


def _row(term: str, values: np.ndarray, *, above: float | None) -> str:
    """One term; `above` is the posterior probability of a positive sign, which stands for statistic and p-value."""
    estimate, std_error, statistic, p_value, low, high = values
    name = term if len(term) <= 21 else term[:20] + "…"
    if not np.isfinite(std_error):
        return f"{name:<22}{_number(estimate):>12}{'.':>12}{'.':>9}{'.':>8}{'.':>13}{'.':>12}"
    p = "<0.001" if p_value < 0.001 else f"{p_value:.3f}"
    test = f"{statistic:>9.2f}{p:>8}" if above is None else f"{above:>17.3f}"
    return f"{name:<22}{_number(estimate):>12}{_number(std_error):>12}{test}{_number(low):>13}{_number(high):>12}"


def _footer(fit: Results) -> str:
    record = fit.optimization
    if fit.posterior is not None:
        where = [] if record.bounds is None else [f"{record.parameter} in {_intervals(record.bounds)}"]
        return "; ".join([repr(fit.posterior), *where, f"log-determinant by {record.logdet}"]) + "."
    parts = [f"Standard errors: {fit.cov_label}"]
    if fit.cov_type == "driscoll-kraay":
        parts[0] += f", bandwidth {fit.bandwidth}"
    if fit.hac_weights is not None:
        parts[0] += f", {fit.hac_weights.provenance.rule}"
    if fit.method == "gmm":
        parts += _of_method(fit)
    elif record.bounds is not None:
        parts += [
            f"{fit.information} information",
            f"{record.parameter} in {_intervals(record.bounds)}, {record.status}, log-determinant by {record.logdet}",
        ]
        if len(record.local_maxima) > 1:
            parts.append(f"the highest of {len(record.local_maxima)} maxima")
    return "; ".join(parts) + "."


def _of_method(fit: Results) -> list[str]:
    moments, problem = fit.estimate.moments, fit.estimate.problem
    if moments is None:
        return []
    parts = []
    if moments.first is not None:
        lags = "first spatial lag" if moments.powers == 1 else f"first {moments.powers} spatial lags"
        own = " (lagged ones included)" if problem.spec.lag_x else ""
        parts.append(f"spatial two-stage least squares, instruments: the {lags} of the regressors{own}")
    bounds = fit.optimization.bounds
    if problem.spec.lag_error and bounds is not None:
        kind = "equal" if moments.variances == "equal" else "different"
        parts.append(f"generalised moments of the error, {kind} variances, lambda in {_intervals(bounds)}")
    parts.append("sigma2 has no standard error, since the moments give none")
    return parts


def _intervals(bounds: tuple[Any, ...]) -> str:
    """``"(-1.5, 1)"``, or several of them."""
    pairs = bounds if isinstance(bounds[0], tuple) else (bounds,)
    return " x ".join(f"({low:.3f}, {high:.3f})" for low, high in pairs)


def _number(value: float) -> str:
    """Four significant decimals in a width of eleven."""
    if not np.isfinite(value):
        return "."
    size = abs(value)
    if size and (size < 1e-3 or size >= 1e6):
        return f"{value:.3e}"
    return f"{value:,.4f}" if size < 1000 else f"{value:,.2f}"
