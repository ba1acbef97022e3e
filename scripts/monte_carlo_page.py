"""The Monte Carlo page: every sentence and table is made from the numbers."""

from __future__ import annotations

import platform

import numpy as np
import pandas as pd

LOW, HIGH = 93.0, 97.0
NAMES = {
    "beta": "beta",
    "theta": "theta",
    "rho": "rho",
    "sigma2": "sigma2",
    "direct": "direct effect",
    "indirect": "indirect effect",
    "total": "total effect",
}
GROUPS = (
    ("Lee-Yu", "normal"),
    ("Lee-Yu", "skewed"),
    ("Lee-Yu, robust", "skewed"),
    ("direct", "normal"),
    ("direct", "skewed"),
)
# why a parameter may be outside, by method and errors
REASONS = {
    ("Lee-Yu", "sigma2", "normal"): "The estimate of a variance is itself skewed in small samples.",
    ("Lee-Yu", "sigma2", "skewed"): (
        "The classical covariance takes the fourth moment of the errors to be that of normal ones: use `cov='robust'`."
    ),
    ("Lee-Yu", "indirect", None): (
        "The delta method draws a straight line through 1 / (1 - rho), which bends the more the closer rho is to one, "
        "and the wider its interval."
    ),
    ("Lee-Yu", "total", None): "Most of it is the indirect effect.",
    ("Lee-Yu, robust", "sigma2", None): (
        "Its standard error hangs on the fourth moment of the errors, which small samples hardly show."
    ),
    ("direct", "rho", None): (
        "Its bias is of the order 1 / N however many the times (table below): the more times, the narrower the "
        "interval around the wrong value."
    ),
    ("direct", "sigma2", None): "It divides by N T what has (N-1)(T-1) degrees of freedom.",
    ("direct", "theta", None): "It takes up what rho lacks.",
}
# rho and sigma2 at N = 31, T = 12, normal errors, from an independent program with draws of its own (5,000 samples)
INDEPENDENT = {
    (0.2, "Lee-Yu", "rho"): (-0.010, 0.090, 94.7),
    (0.2, "direct", "rho"): (-0.106, 0.089, 74.4),
    (0.4, "Lee-Yu", "rho"): (-0.010, 0.079, 94.8),
    (0.4, "direct", "rho"): (-0.105, 0.079, 70.1),
    (0.6, "Lee-Yu", "rho"): (-0.010, 0.064, 94.8),
    (0.6, "direct", "rho"): (-0.098, 0.065, 63.2),
    (0.2, "Lee-Yu", "sigma2"): (-0.011, 0.078, 93.5),
    (0.2, "direct", "sigma2"): (-0.121, 0.069, 51.8),
    (0.4, "Lee-Yu", "sigma2"): (-0.010, 0.078, 93.8),
    (0.4, "direct", "sigma2"): (-0.113, 0.070, 57.3),
    (0.6, "Lee-Yu", "sigma2"): (-0.009, 0.078, 94.1),
    (0.6, "direct", "sigma2"): (-0.103, 0.071, 63.1),
}


def page(
    table: pd.DataFrame,
    check: pd.DataFrame | None,
    *,
    made: str,
    seconds: float,
    replications: int,
    robust: int,
    seed: int,
) -> str:
    """The page in Markdown.

    Parameters
    ----------
    table
        One row per design, method and parameter.
    check
        The same for N = 31, T = 12.
    made
        The command.
    seconds, replications, robust, seed
        How it was run.
    """
    main = table[table["design"] == "theta = 0.5"]
    noise = 100 * np.sqrt(0.95 * 0.05 / replications)
    parts = [
        f"""# Monte Carlo: the two-way spatial Durbin model

Made by `{made}` in {seconds:.0f} s (seed {seed}, Python {platform.python_version()}, numpy {np.__version__}).

`y_t = rho W y_t + x_t + theta W x_t + mu_i + xi_t + e_t`, theta = 0.5; x, mu, xi standard normal, x fixed over
replications; W: row-standardised Delaunay neighbours. Errors of variance one: normal, or skewed (standardised
chi-square with 3 degrees of freedom: skewness 1.6, excess kurtosis 4). {_listed(main)}.
{replications:,} samples of each design, {min(robust, replications):,} of those with N <= 31 and skewed errors with
robust standard errors as well. Standard errors from the observed information, those of effects by the delta method;
nominal 95 % intervals. Simulation error of a coverage: {noise:.1f} points. All numbers are in
[monte_carlo.csv](monte_carlo.csv).""",
        "## Coverage of 95 % intervals\n\nThe design furthest from 95 %, and the median over designs.\n\n"
        + _coverage(main),
        "## Where the theory holds, and where it does not\n\n" + _reading(main),
        "## Bias of rho\n\nBias / standard deviation, normal errors.\n\n" + _bias(main),
        "## Size of tests\n\n" + _size(table),
    ]
    if check is not None:
        parts.append("## Against an independent program\n\n" + _compared(check))
    return "\n\n".join(parts) + "\n"


def _listed(table: pd.DataFrame) -> str:
    values = {name: ", ".join(f"{v:g}" for v in sorted(table[name].unique())) for name in ("N", "T", "rho")}
    return "; ".join(f"{name} = {value}" for name, value in values.items())


def _markdown(rows: list[list[str]], head: list[str]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def _present(table: pd.DataFrame) -> list[tuple[str, str]]:
    return [g for g in GROUPS if ((table["method"] == g[0]) & (table["errors"] == g[1])).any()]


def _group(table: pd.DataFrame, group: tuple[str, str], parameter: str) -> pd.DataFrame:
    method, errors = group
    return table[(table["method"] == method) & (table["errors"] == errors) & (table["parameter"] == parameter)]


def _coverage(table: pd.DataFrame) -> str:
    groups = _present(table)
    rows = []
    for parameter, name in NAMES.items():
        row = [name]
        for group in groups:
            covered = _group(table, group, parameter)["coverage %"].to_numpy()
            worst = covered[np.abs(covered - 95.0).argmax()] if len(covered) else np.nan
            row.append(f"{worst:.1f}, {np.median(covered):.1f}" if len(covered) else "")
        rows.append(row)
    return _markdown(rows, ["", *(f"{method}; {errors} errors" for method, errors in groups)])


def _reading(table: pd.DataFrame) -> str:
    """What lies inside in every design, and a line for each parameter that does not, with the reason."""
    held: list[str] = []
    parts = []
    for method in dict.fromkeys(group[0] for group in _present(table)):
        lines = []
        for parameter, name in NAMES.items():
            found = []
            for group in (one for one in _present(table) if one[0] == method):
                rows = _group(table, group, parameter)
                outside = rows[(rows["coverage %"] < LOW) | (rows["coverage %"] > HIGH)]
                if len(outside):
                    found.append((group[1], _outside(rows, outside, brief=method == "direct")))
                elif len(rows):
                    held.append(f"{name} ({method}, {group[1]} errors)")
            if found:
                words = " ".join(f"{errors.capitalize()} errors: {text}" for errors, text in found)
                reasons = [_reason(method, parameter, errors) for errors, _ in found]
                lines.append(" ".join([f"* **{name}.** {words}", *dict.fromkeys(filter(None, reasons))]))
        if lines:
            parts.append(f"### {method}: below {LOW:.0f} or above {HIGH:.0f} %\n\n" + "\n".join(lines))
    lost = table.drop_duplicates(["N", "T", "rho", "errors", "method"])["at bound"].sum()
    return "\n\n".join(
        [
            "Designs are written N x T.",
            f"Between {LOW:.0f} and {HIGH:.0f} % in every design: {'; '.join(held) if held else 'nothing'}.",
            *parts,
            f"Samples left out because rho was at the bound of its interval: {lost:,}.",
        ]
    )


def _outside(rows: pd.DataFrame, outside: pd.DataFrame, *, brief: bool) -> str:
    """``"3 of 36 designs, 91.8 to 92.9 %: 31 x 5 (rho = 0.8: 91.8), ..."``."""
    covered = outside["coverage %"]
    count = f"all {len(rows)}" if len(outside) == len(rows) else f"{len(outside)} of {len(rows)}"
    text = f"{count} designs, {covered.min():.1f} to {covered.max():.1f} %"
    if brief or len(outside) == len(rows):
        return text + "."
    places = []
    for (n, t), some in outside.groupby(["N", "T"], sort=True):
        values = ", ".join(f"{r:g}: {c:.1f}" for r, c in zip(some["rho"], some["coverage %"], strict=True))
        places.append(f"{n} x {t} (rho = {values})")
    return f"{text}: {'; '.join(places)}."


def _reason(method: str, parameter: str, errors: str) -> str | None:
    return REASONS.get((method, parameter, errors), REASONS.get((method, parameter, None)))


def _bias(table: pd.DataFrame) -> str:
    rho = table[
        (table["parameter"] == "rho") & (table["errors"] == "normal") & table["method"].isin(["Lee-Yu", "direct"])
    ]
    values = sorted(rho["rho"].unique())
    rows = []
    for (n, t), some in rho.groupby(["N", "T"], sort=True):
        for method in ("Lee-Yu", "direct"):
            one = some[some["method"] == method].set_index("rho")
            rows.append(
                [f"{n} x {t}", method, *(f"{one.loc[r, 'bias']:+.3f} / {one.loc[r, 'SD']:.3f}" for r in values)]
            )
    return _markdown(rows, ["N x T", "method", *(f"rho = {r:g}" for r in values)]) if rows else "No normal errors here."


def _size(table: pd.DataFrame) -> str:
    """Rejection rates of 5 % tests of a true hypothesis."""
    none = table[(table["design"] == "no indirect effect") & (table["parameter"] == "indirect")]
    rows = []
    for method, errors in _present(none):
        size = none[(none["method"] == method) & (none["errors"] == errors)].reset_index(drop=True)
        worst = size.loc[(size["size %"] - 5.0).abs().idxmax()]
        where = f"{worst['N']} x {worst['T']}, rho = {worst['rho']:g}"
        rows.append([method, errors, f"{size['size %'].median():.1f}", f"{worst['size %']:.1f}", where])
    head = ["method", "errors", "median, %", "furthest from 5, %", "where"]
    return (
        "A 5 % test of a parameter's true value rejects in 100 % minus the coverage above. Samples in which theta\n"
        "makes the indirect effect zero show how often a test finds a spillover that is not there:\n\n"
        + _markdown(rows, head)
    )


def _compared(check: pd.DataFrame) -> str:
    rows = []
    for (rho, method, parameter), (bias, sd, coverage) in INDEPENDENT.items():
        own = check[(check["rho"] == rho) & (check["method"] == method) & (check["parameter"] == parameter)].iloc[0]
        rows.append(
            [
                f"{rho:g}",
                method,
                parameter,
                f"{own['bias']:+.3f} / {own['SD']:.3f} / {own['coverage %']:.1f}",
                f"{bias:+.3f} / {sd:.3f} / {coverage:.1f}",
            ]
        )
    head = ["rho", "method", "parameter", "here", "independent program"]
    return (
        "Bias / standard deviation / coverage at N = 31, T = 12, normal errors. The other program (5,000 samples)\n"
        "drew its own x, so that standard deviations differ a little.\n\n" + _markdown(rows, head)
    )
