"""Peers' figures, number by number, beside ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from agreement_parts.compare import Case, Figures, ours
from agreement_parts.samples import Sample, load

FOLDER = Path(__file__).parents[2] / "tests" / "golden" / "peers"
TOLERANCE = 1e-6
LAGGED_CONSTANT = "W_(Intercept)"


@dataclass(frozen=True)
class PeerFit:
    """One fit of another program: the file's head, the case and what it printed."""

    peer: str
    version: str
    explanation: str
    case: Case
    printed: dict[str, Any]

    @property
    def method(self) -> str:
        """Which of the peer's ways."""
        return str(self.printed["method"])


@dataclass(frozen=True)
class Comparison:
    """A number of a peer beside ours.

    `difference` is relative to the larger of the number and its standard error, for log-likelihoods and printed numbers
    absolute.
    """

    fit: PeerFit
    kind: str
    label: str
    ours: float
    theirs: float
    difference: float
    tolerance: float

    @property
    def matched(self) -> bool:
        """Whether the numbers are the same, as far as the peer's digits go."""
        return self.difference <= self.tolerance


def read(folder: Path = FOLDER) -> list[PeerFit]:
    """Every stored fit, also those known to be wrong."""
    out = []
    for path in sorted(folder.rglob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        for given in content["cases"]:
            printed = {key: _numbers(value) for key, value in given.items()}
            robust = printed["method"].endswith(("Het", "white"))
            method = "ml" if not printed["method"].startswith("GM") else "gmm-robust" if robust else "gmm"
            case = Case(
                content["sample"],
                printed["model"],
                printed.get("fixed", "none"),
                printed.get("bias", "none"),
                method,
                printed.get("random", ""),
            )
            words = content["peer"], content["version"], content.get("explanation", "")
            out.append(PeerFit(*words, case, printed))
    return out


def _numbers(value: Any) -> Any:
    """Numbers by label; what R writes as text ("NA", "NaN") is no number."""
    if not isinstance(value, dict):
        return value
    return {k: np.nan if v is None or isinstance(v, str) else v for k, v in value.items()}


@cache
def our_figures(case: Case, *, lagged_constant: bool = False) -> Figures:
    """Ours for a case; with the number of neighbours as a regressor where the peer lags the constant."""
    sample = load()[case.sample]
    if not lagged_constant:
        return ours(sample, case)
    found = ours(with_degree(sample), case, extra="degree")
    rename = {"degree": LAGGED_CONSTANT}
    return replace(
        found,
        params={rename.get(k, k): v for k, v in found.params.items()},
        se={kind: {rename.get(k, k): v for k, v in one.items()} for kind, one in found.se.items()},
    )


def with_degree(sample: Sample) -> Sample:
    """The sample with the row sums of its weights as a column."""
    degree = sample.w.to_dense().sum(axis=1)
    return replace(sample, frame=sample.frame.assign(degree=degree))


def figures_for(fit: PeerFit) -> Figures:
    """Ours for a peer's fit."""
    return our_figures(fit.case, lagged_constant=LAGGED_CONSTANT in fit.printed.get("params", {}))


def compare(fit: PeerFit) -> Iterator[Comparison]:
    """Every number of a fit."""
    if "failed" in fit.printed:
        return
    found = figures_for(fit)
    errors = found.se["observed"]
    for label, theirs in fit.printed.get("params", {}).items():
        mine = found.params[label]
        yield _comparison(fit, "estimate", label, pair=(mine, theirs), size=max(abs(mine), errors.get(label, 0.0)))
    for label, theirs in fit.printed.get("se", {}).items():
        mine = min((one[label] for one in found.se.values()), key=lambda value, t=theirs: abs(value - t))
        yield _comparison(fit, "standard error", label, pair=(mine, theirs), size=mine)
    if "loglik" in fit.printed and found.loglik is not None:
        yield _comparison(fit, "logL", "logL", pair=(found.loglik, fit.printed["loglik"]), size=1.0)
    for term, triple in fit.printed.get("effects", {}).items():
        for effect, theirs in zip(("direct", "indirect", "total"), triple, strict=True):
            mine = found.effects[term, effect]
            size = max(abs(mine), abs(found.effects[term, "total"]))
            one = _comparison(fit, "effect", f"{effect} {term}", pair=(mine, theirs), size=size)
            yield replace(one, tolerance=max(TOLERANCE, _precision(fit, found, (term, effect)) / size))


def _precision(fit: PeerFit, found: Figures, key: tuple[str, str]) -> float:
    """What printed digits, or a mean of draws, can tell."""
    if "decimals" in fit.printed:
        return 0.51 * 10.0 ** -int(fit.printed["decimals"])
    if "simulated" in fit.printed:
        return 4.0 * found.effects_se["expected"][key] / np.sqrt(fit.printed["simulated"])
    return 0.0


def _comparison(fit: PeerFit, kind: str, label: str, *, pair: tuple[float, float], size: float) -> Comparison:
    mine, theirs = pair
    gap = abs(mine - theirs) / size
    return Comparison(fit, kind, label, mine, theirs, np.inf if np.isnan(gap) else gap, TOLERANCE)
