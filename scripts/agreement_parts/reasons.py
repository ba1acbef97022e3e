"""Why a peer's number is not ours: each reason carries the check that shows it to be the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np

from agreement_parts import exact, exact_random
from agreement_parts.compare import FLAGS, Case, Figures, moments, stacked, with_random_effects
from agreement_parts.peers import LAGGED_CONSTANT, Comparison, PeerFit, figures_for, with_degree
from agreement_parts.samples import load

SPATIAL_AND_VARIANCE = {"rho", "lambda", "sigma2"}
GRID = 7e-3  # what a log-determinant looked up at the nearest of a thousand points can move rho by


@dataclass(frozen=True)
class Reason:
    """Why, in words, and the check of a comparison.

    `check` says how far the check goes: it computes the peer's figure (to 2e-3 or the digits printed), it sees that the
    figure lies within a wider bound of where the reason puts it, or only that everything around the figure is right.
    """

    text: str
    holds: Callable[[Comparison], bool]
    check: Literal["computed", "bounded", "around"] = "bounded"
    random: bool | None = False  # for fits with random effects, for others, or (None) for both


def _spatial(fit: PeerFit) -> list[float]:
    return [fit.printed["params"][name] for name in ("rho", "lambda") if name in fit.printed.get("params", {})]


@cache
def _likelihood(case: Case, *, lagged_constant: bool = False) -> exact.Likelihood:
    sample = load()[case.sample]
    if not lagged_constant:
        return stacked(sample, case)
    y, X, W = sample.arrays()
    degree = with_degree(sample).frame["degree"].to_numpy().reshape(1, -1, 1)
    lag_y, _, lag_error = FLAGS[case.model]
    columns = np.concatenate([X, degree, np.einsum("ij,tjk->tik", W, X)], axis=2)
    flags = {"lag_y": lag_y, "lag_x": False, "lag_error": lag_error}
    return exact.Likelihood(exact.dense.build(y, columns, W, **flags, fixed="none", transformed=()))


def own(fit: PeerFit) -> exact.Likelihood:
    """The exact likelihood of what the peer says it estimates."""
    return _likelihood(fit.case, lagged_constant=LAGGED_CONSTANT in fit.printed.get("params", {}))


@cache
def demeaned(case: Case) -> exact.Likelihood:
    """What comes of applying W to demeaned data: another estimator wherever W moves a mean."""
    sample = load()[case.sample]
    y, X, W = sample.arrays()
    lag_y, lag_x, lag_error = FLAGS[case.model]
    left = right = None
    columns = [X[:, :, j] for j in range(X.shape[2])]
    columns += [x @ W.T for x in columns] if lag_x else []
    T, N = y.shape
    if case.fixed in {"individual", "two-way"}:
        left = np.eye(T) - 1.0 / T
    if case.fixed in {"time", "two-way"}:
        right = np.eye(N) - 1.0 / N

    def transformed(a: np.ndarray) -> np.ndarray:
        a = a if left is None else left @ a
        return a if right is None else a @ right

    stack = np.stack([transformed(x) for x in columns], axis=2)
    flags = {"lag_y": lag_y, "lag_x": False, "lag_error": lag_error}
    model = exact.dense.build(transformed(y), stack, W, **flags, fixed="none", transformed=())
    return exact.Likelihood(replace(model, Z=model.Z[:, 1:]))


def _coefficients_at(likelihood: exact.Likelihood, fit: PeerFit) -> bool:
    """Whether the peer's coefficients are those of a likelihood at the peer's own spatial parameters."""
    found = likelihood.at(_spatial(fit))[: likelihood.k]
    printed = {name: value for name, value in fit.printed["params"].items() if name not in SPATIAL_AND_VARIANCE}
    if len(printed) != likelihood.k:
        return False
    errors = np.array([figures_for(fit).se["observed"][name] for name in printed])
    reach = 3e-2 if fit.peer == "Elhorst" else 1e-2  # his error models alternate between beta and lambda, to 1e-4
    return bool((np.abs(np.array(list(printed.values())) - found) <= reach * errors).all())


@dataclass(frozen=True)
class Place:
    """Where a peer's estimate lies: a likelihood, by name, and which of its maxima is near."""

    key: str
    likelihood: exact.Likelihood
    optimum: int


@cache
def _direct(case: Case) -> exact.Likelihood:
    return _likelihood(replace(case, bias="none"))


def _candidates(fit: PeerFit) -> list[tuple[str, exact.Likelihood]]:
    case = fit.case
    out: list[tuple[str, exact.Likelihood]] = []
    if fit.peer == "SDPDmod" and case.fixed == "none":
        out.append(("no intercept", demeaned(case)))
    of_demeaned = fit.peer in {"splm", "SDPDmod"} or (fit.peer == "Elhorst" and case.model == "sem")
    if of_demeaned and case.fixed in {"time", "two-way"} and case.bias == "none":
        out.append(("demeaned", demeaned(case)))
    out.append(("own", own(fit)))
    if case.bias == "lee-yu":
        out += [("switch", _direct(case)), ("switch", demeaned(case))]
    return out


_PLACES: dict[tuple[Case, str, str], Place | None] = {}


def place(fit: PeerFit) -> Place | None:
    """The likelihood at one of whose maxima the peer's estimate is found; None where there is none."""
    if fit.case.method != "ml" or not _spatial(fit):
        return None
    key = fit.case, fit.peer, fit.method
    if key not in _PLACES:
        _PLACES[key] = _find(fit)
    return _PLACES[key]


def _find(fit: PeerFit) -> Place | None:
    reach = GRID if fit.peer in {"Elhorst", "SDPDmod"} else 2e-3
    for key, likelihood in _candidates(fit):
        for i, point in enumerate(likelihood.optima):
            near = np.abs(np.array(_spatial(fit)) - point).max() <= reach
            if near and _coefficients_at(likelihood, fit):
                return Place(key, likelihood, i)
    return None


def _at_place(c: Comparison, key: str) -> bool:
    """Whether a number follows from a place: the estimate itself, or what is computed from it there."""
    found = place(c.fit)
    if found is None or found.key != key or found.optimum != 0:
        return False
    if c.kind == "estimate":
        return True
    if c.kind == "standard error":
        return _error_follows(c, found.likelihood)
    if c.kind == "logL":
        return abs(c.theirs - found.likelihood.concentrated(_spatial(c.fit))) < 0.5
    return _effect_follows(c)


def _error_follows(c: Comparison, likelihood: exact.Likelihood) -> bool:
    """The expected information at the peer's estimate gives its standard errors, to 3 %, or all by one factor."""
    params = likelihood.at(_spatial(c.fit))
    names = [name for name in c.fit.printed["params"] if name not in SPATIAL_AND_VARIANCE]
    names += [name for name in ("rho", "lambda") if name in c.fit.printed["params"]]
    errors = dict(zip(names, np.sqrt(np.diag(np.linalg.inv(likelihood.expected(params)))), strict=False))
    ratios = {name: c.fit.printed["se"][name] / errors[name] for name in names}
    return abs(ratios[c.label] / np.median(list(ratios.values())) - 1.0) < 0.03 and 0.9 < ratios[c.label] < 1.1


def _effect_follows(c: Comparison) -> bool:
    """The dense inverse at the peer's estimate gives its effects, as far as means of draws can tell."""
    sample = load()[c.fit.case.sample]
    params = {name: float(value) for name, value in c.fit.printed["params"].items()}
    effect, term = c.label.split()
    found = exact.effects(params, sample.x, sample.arrays()[2])
    return abs(found[term, effect] - c.theirs) <= 0.05 * max(abs(found[term, "direct"]), abs(found[term, "total"]))


# ---- the single checks -------------------------------------------------------------------------------------------


def _no_number(c: Comparison) -> bool:
    return bool(np.isnan(c.theirs))


def _printed(c: Comparison) -> tuple[dict[str, float], float]:
    return c.fit.printed["params"], 0.51 * 10.0 ** -int(c.fit.printed.get("decimals", 7))


def _flat_total(c: Comparison) -> bool:
    """Totals by ``(beta + theta) / (1 - rho)``, which holds for rows that add up to one only."""
    sample = load()[c.fit.case.sample]
    if c.kind != "effect" or "rho" not in c.fit.printed["params"] or sample.w.is_row_stochastic:
        return False
    params, digits = _printed(c)
    effect, term = c.label.split()
    total = (params[term] + params.get(f"W_{term}", 0.0)) / (1.0 - params["rho"])
    W = sample.arrays()[2]
    direct = exact.effects(params, sample.x, W)[term, "direct"]
    short = params[term] * np.trace(np.linalg.inv(np.eye(len(W)) - params["rho"] * W)) / len(W)
    values = {"total": [total], "indirect": [total - direct, total - short], "direct": []}[effect]
    return any(abs(value - c.theirs) <= 2.0 * digits + 1e-5 * abs(value) for value in values)


def _theta_left_out(c: Comparison) -> bool:
    """The direct effect is ``beta tr(S)/n`` alone."""
    if c.kind != "effect" or c.fit.peer != "spreg" or not FLAGS[c.fit.case.model][1]:
        return False
    sample = load()[c.fit.case.sample]
    params, digits = _printed(c)
    effect, term = c.label.split()
    W = sample.arrays()[2]
    direct = params[term] * np.trace(np.linalg.inv(np.eye(len(W)) - params["rho"] * W)) / len(W)
    total = exact.effects(params, sample.x, W)[term, "total"]
    values = {"direct": direct, "indirect": total - direct, "total": total}
    return bool(abs(values[effect] - c.theirs) <= 2.0 * digits)


def _wrong_determinant(c: Comparison) -> bool:
    """The log-likelihood printed is not the likelihood at the estimates printed."""
    fit = c.fit
    if (
        fit.peer not in {"spatialreg", "spreg"}
        or not _spatial(fit)
        or "loglik" not in fit.printed
        or fit.case.method != "ml"
    ):
        return False
    likelihood = own(fit)
    gap = fit.printed["loglik"] - likelihood.concentrated(_spatial(fit))
    return gap > 1e-3 and _coefficients_at(likelihood, fit)


def _symmetrised(c: Comparison) -> bool:
    """Traces of ``D^-1/2 C D^-1/2`` in the place of those of ``W = D^-1 C`` give the standard error."""
    fit = c.fit
    if fit.peer != "spreg" or fit.method != "ord" or c.kind != "standard error":
        return False
    likelihood, params = own(fit), np.array([*fit.printed["params"].values()])
    W, k, x = likelihood.model.W, likelihood.k, _spatial(fit)[0]
    degree = (W > 0.0).sum(axis=1)
    info = likelihood.expected(params)
    for sign, weights in ((-1.0, W), (1.0, W * np.sqrt(np.outer(degree, 1.0 / degree)))):
        G = weights @ np.linalg.inv(np.eye(len(W)) - x * weights)
        info[k, k] += sign * (np.trace(G @ G) + np.trace(G.T @ G))
        info[[k, -1], [-1, k]] += sign * np.trace(G) / params[-1]
    errors = np.sqrt(np.diag(np.linalg.inv(info)))
    return bool(abs(dict(zip(fit.printed["params"], errors, strict=True))[c.label] / c.theirs - 1.0) < 1e-4)


def _numerical_hessian(c: Comparison) -> bool:
    fit = c.fit
    near = place(fit)
    return (
        fit.peer == "spatialreg"
        and fit.method in {"Matrix", "LU"}
        and c.kind == "standard error"
        and near is not None
        and near.key == "own"
        and near.optimum == 0
    )


def _early(c: Comparison) -> bool:
    fit = c.fit
    if c.kind not in {"estimate", "standard error", "effect"} or c.difference > 1e-4 or not _spatial(fit):
        return False
    likelihood = own(fit)
    return (
        0.0
        <= likelihood.concentrated(list(likelihood.optima[0])) - likelihood.concentrated(_spatial(fit)) + 1e-9
        < 1e-6
    )


def _grid(c: Comparison) -> bool:
    fit = c.fit
    if fit.peer not in {"Elhorst", "SDPDmod"}:
        return False
    if fit.case.bias == "correction":
        mine = [figures_for(fit).params[name] for name in ("rho", "lambda") if name in fit.printed["params"]]
        near = np.abs(np.array(mine) - _spatial(fit)).max() <= GRID
        return near and ((c.kind == "estimate" and c.difference < 0.3) or (c.kind == "effect" and _effect_follows(c)))
    return _at_place(c, "own")


def _at_the_corrected(c: Comparison) -> bool:
    fit = c.fit
    if fit.case.bias != "correction" or c.kind != "standard error":
        return False
    likelihood = own(fit)
    theirs = np.array([*fit.printed["params"].values()])
    errors = np.sqrt(np.diag(np.linalg.inv(likelihood.expected(theirs))))
    return bool(abs(dict(zip(fit.printed["params"], errors, strict=True))[c.label] / c.theirs - 1.0) < 0.02)


def _direct_loglik(c: Comparison) -> bool:
    fit = c.fit
    if c.kind != "logL" or fit.case.bias == "none" or not _spatial(fit):
        return False
    return any(
        abs(c.theirs - likelihood.concentrated(list(likelihood.optima[0]))) < 0.5
        for likelihood in (_direct(fit.case), demeaned(fit.case))
    )


def _mixed_counts(c: Comparison) -> bool:
    """N T or (N - 1) T observations beside T determinants, with or without ln(1 - rho)."""
    fit = c.fit
    if c.kind != "logL" or fit.case.bias != "lee-yu" or "rho" not in fit.printed["params"]:
        return False
    y, _, W = load()[fit.case.sample].arrays()
    T, N = y.shape
    rho, s2 = fit.printed["params"]["rho"], fit.printed["params"]["sigma2"]
    lndet = float(np.log(np.abs(1.0 - rho * np.linalg.eigvals(W))).sum())
    for likelihood in (own(fit), demeaned(fit.case)):
        e = likelihood.solve([rho])[1]
        for n, drop in ((N * T, 1.0), ((N - 1) * T, 0.0)):
            value = -0.5 * n * np.log(2.0 * np.pi * s2) + T * (lndet - drop * np.log(1.0 - rho)) - e @ e / (2.0 * s2)
            if abs(value - c.theirs) < 0.15:
                return True
    return False


def _without_constants(c: Comparison) -> bool:
    fit = c.fit
    if c.kind != "logL" or fit.peer != "splm" or not _spatial(fit):
        return False
    y = load()[fit.case.sample].arrays()[0]
    n = y.size
    rest = 0.5 * n * (np.log(n) - np.log(2.0 * np.pi) - 1.0)
    return any(
        abs(c.theirs + rest - likelihood.concentrated(list(likelihood.optima[0]))) < 1e-3
        for likelihood in (_direct(fit.case), demeaned(fit.case))
    )


def _degrees_of_freedom(c: Comparison) -> bool:
    if c.fit.method != "PanelFE" or c.kind != "standard error":
        return False
    T, N = load()[c.fit.case.sample].arrays()[0].shape
    k = len(c.fit.printed["params"])
    return bool(abs(c.theirs / c.ours - np.sqrt((N * T - N - k) / (N * T - N))) < 1e-6)


def _levels(c: Comparison) -> bool:
    return c.kind == "logL" and c.fit.method.startswith("PanelFE") and c.theirs < c.ours


def _switched_error(c: Comparison) -> bool:
    """The standard error of a spatial parameter under the switch: another factor than that of the coefficients."""
    found = place(c.fit)
    if found is None or found.key != "switch" or c.kind != "standard error" or c.fit.peer != "splm":
        return False
    return c.label in {"rho", "lambda"} and c.difference < 0.1


@cache
def _with_random_effects(case: Case) -> exact_random.RandomLikelihood:
    return with_random_effects(load()[case.sample], case)


def _printed_random(fit: PeerFit) -> np.ndarray:
    return np.array(list(fit.printed["params"].values()))


def _random_search(c: Comparison) -> bool:
    """Close to the maximum: the log-likelihood at the peer's estimates is below it by less than 1e-6."""
    if c.kind not in {"estimate", "effect"} or c.difference > 1e-4:
        return False
    likelihood = _with_random_effects(c.fit.case)
    best = float(np.real(likelihood.loglik(likelihood.maximum())))
    return 0.0 <= best - float(np.real(likelihood.loglik(_printed_random(c.fit)))) + 1e-9 < 1e-6


def _known_spatial(c: Comparison) -> bool:
    """The inverse of ``Z'V^-1 Z`` at the peer's estimates gives the standard errors of its coefficients."""
    fit = c.fit
    if c.kind != "standard error" or c.label in SPATIAL_AND_VARIANCE:
        return False
    likelihood = _with_random_effects(fit.case)
    k = likelihood.k
    info = likelihood.expected(_printed_random(fit))[:k, :k]
    errors = dict(zip(fit.printed["params"], np.sqrt(np.diag(np.linalg.inv(info))), strict=False))
    return bool(abs(errors[c.label] / c.theirs - 1.0) < 1e-4)


def _random_hessian(c: Comparison) -> bool:
    return c.kind == "standard error" and c.label in {"rho", "lambda"} and c.difference < 5e-3


@cache
def _without_lagged_constant(case: Case) -> Figures:
    return moments(load()[case.sample], case, lagged_constant=False)


def _fewer_instruments(c: Comparison) -> bool:
    """The same moments without the lag of the constant among the instruments give the peer's figure."""
    case = c.fit.case
    if case.method == "ml" or case.model != "sac" or load()[case.sample].w.is_row_stochastic:
        return False
    found = _without_lagged_constant(case)
    values = found.params if c.kind == "estimate" else found.se["observed"]
    return abs(values[c.label] - c.theirs) <= 2e-3 * max(abs(c.theirs), found.se["observed"].get(c.label, 0.0))


def _moments_search(c: Comparison) -> bool:
    case = c.fit.case
    return (
        case.method != "ml"
        and FLAGS[case.model][2]
        and c.kind in {"estimate", "standard error"}
        and c.difference < 2e-3
    )


REASONS: tuple[Reason, ...] = (
    Reason("the peer prints no number here (NaN)", _no_number, check="around", random=None),
    Reason(
        "total effects by (beta + theta) / (1 - rho), which holds only where the rows of W add up to one",
        _flat_total,
        check="computed",
    ),
    Reason(
        "the direct effect is beta tr(S)/n, without theta tr(S W)/n, and the indirect one takes the rest",
        _theta_left_out,
        check="computed",
    ),
    Reason(
        "the peer's log-determinant is not that of I - rho W (binary weights; spatialreg 1.2-6 with Matrix 1.5-3, "
        "spreg method='ord'): at its own estimates the exact log-likelihood lies below the one it prints, and its "
        "coefficients are those that belong to its rho",
        _wrong_determinant,
        check="around",
    ),
    Reason(
        "spreg method='ord' takes the traces of the information from a symmetrised W", _symmetrised, check="computed"
    ),
    Reason(
        "a numerical Hessian: the estimates are ours, the standard errors come from finite differences",
        _numerical_hessian,
        check="around",
    ),
    Reason(
        "the peer's search stops early: its log-likelihood is below the maximum by less than 1e-6, and the number is "
        "within 1e-4",
        _early,
    ),
    Reason("SDPDmod effect='none' has no intercept", lambda c: _at_place(c, "no intercept")),
    Reason(
        "W is applied to demeaned data, and the lag is not demeaned again: the maximum of that likelihood is where the "
        "peer's estimate is (up to its grid for SDPDmod and Elhorst)",
        lambda c: _at_place(c, "demeaned"),
    ),
    Reason(
        "the switch for Lee and Yu (LeeYu=TRUE, LYtrans=TRUE, bc=1) rescales variances and leaves the estimates of the "
        "direct form as they are",
        lambda c: _at_place(c, "switch"),
    ),
    Reason("a log-determinant looked up on a grid: rho up to 7e-3 off, the rest follows from rho", _grid),
    Reason(
        "standard errors at the corrected estimate; ours are those of the estimate before the correction",
        _at_the_corrected,
    ),
    Reason("the log-likelihood printed is that of the direct form, not of the transformed data", _direct_loglik),
    Reason(
        "a log-likelihood with the counts of one form and the determinant of another: N T or (N - 1) T observations "
        "beside T determinants",
        _mixed_counts,
    ),
    Reason(
        "the switch rescales the standard error of the spatial parameter by another factor than the rest",
        _switched_error,
        check="around",
    ),
    Reason("the concentrated objective without its constants", _without_constants, check="computed"),
    Reason("variance divided by N T - N, without the regressors", _degrees_of_freedom, check="computed"),
    Reason("log-likelihood of residuals that still hold the mean of the levels", _levels, check="around"),
    Reason(
        "moments of a spatial error: the numerical search for their minimum ends early, and the number is within 2e-3",
        _moments_search,
        check="around",
    ),
    Reason(
        "moments with binary weights: the lag of the constant, which these weights make a variable, is not among the "
        "instruments",
        _fewer_instruments,
        check="computed",
    ),
    Reason(
        "random effects: the peer's search ends where its log-likelihood is below the maximum by less than 1e-6, and "
        "the number is within 1e-4",
        _random_search,
        random=True,
    ),
    Reason(
        "random effects: standard errors of the coefficients as if rho and lambda were known, the inverse of Z'V^-1 Z; "
        "too small wherever a lagged response makes them depend on rho",
        _known_spatial,
        check="computed",
        random=True,
    ),
    Reason(
        "random effects: standard errors of rho and lambda from finite differences, within 0.5 % of ours",
        _random_hessian,
        check="around",
        random=True,
    ),
)


@dataclass(frozen=True)
class Explained:
    """A number that is not matched, with the number of its reason, or None."""

    comparison: Comparison
    reason: int | None


def explain(c: Comparison) -> Explained:
    """The first reason that holds."""
    random = bool(c.fit.case.random)
    fitting = ((i, reason) for i, reason in enumerate(REASONS, start=1) if reason.random in {None, random})
    return Explained(c, next((i for i, reason in fitting if reason.holds(c)), None))
