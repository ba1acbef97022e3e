"""From tests to a recommendation, with its reasons.

The order is that of applied practice (Elhorst 2010; LeSage and Pace 2009, chapter 6): Lagrange multiplier tests on
the residuals of the linear model; where they find spatial dependence, the spatial Durbin model, which contains the
SAR and the SEM, and the restrictions that lead to these; where they find none, the lagged regressors alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from spatial_de.diagnostics.base import HypothesisTest
from spatial_de.models import MODELS

Direction = Literal["lag", "error"] | None
_EFFECTS = {
    "none": "no fixed effects",
    "individual": "individual fixed effects",
    "time": "time fixed effects",
    "two-way": "individual and time fixed effects",
}
_PARTS = {
    "none": frozenset[str](),
    "individual": frozenset({"individual"}),
    "time": frozenset({"time"}),
    "two-way": frozenset({"individual", "time"}),
}
_KIND = {"lag": "a spatial lag", "error": "a spatial error"}
_TO = {"lag": "sar", "error": "sem"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A recommendation.

    Attributes
    ----------
    model
        Name of the recommended model, e.g. ``"sdm"``.
    effects
        Effects that the joint tests support; None for a cross-section, or where they could not be tested.
    sentence
        The recommendation in one sentence.
    reasons
        What it rests on, with the numbers.
    """

    model: str
    effects: str | None
    sentence: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class _Evidence:
    """Tests by name, read at one level."""

    tests: Mapping[str, HypothesisTest]
    alpha: float

    @property
    def level(self) -> str:
        return f"{100 * self.alpha:g} % level"

    def rejects(self, name: str) -> bool | None:
        """Whether a test rejects; None where it was not made."""
        return self.tests[name].rejects(self.alpha) if name in self.tests else None

    def quote(self, *names: str, short: bool = False) -> str:
        """``"LM lag = 7.86, p = 0.005; LM error = 4.61, p = 0.032"`` of the tests made; ``"LR = ..."`` if short."""
        return "; ".join(
            f"{name.split()[0] if short else name} = {self.tests[name].statistic:,.2f}, "
            f"{p_text(self.tests[name].p_value)}"
            for name in names
            if name in self.tests
        )

    def direction(self) -> Direction:
        """Where the Lagrange multiplier tests point: the robust ones, or else the only plain one that rejects."""
        for lag, error in (("Robust LM lag", "Robust LM error"), ("LM lag", "LM error")):
            if self.rejects(lag) and self.rejects(error):
                return self._larger(lag, error) if lag.startswith("Robust") else None
            if self.rejects(lag) or self.rejects(error):
                return "lag" if self.rejects(lag) else "error"
        return None

    def _larger(self, lag: str, error: str) -> Direction:
        return "lag" if self.tests[lag].statistic > self.tests[error].statistic else "error"


def p_text(p_value: float) -> str:
    """``"p = 0.032"`` or ``"p < 0.001"``."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def decide(tests: Mapping[str, HypothesisTest], *, alpha: float, fixed: str, panel: bool) -> Verdict:
    """The recommendation that tests lead to at level alpha.

    Parameters
    ----------
    tests
        Tests by name; those that could not be made are left out.
    alpha
        Level.
    fixed
        Effects under which the tests of spatial dependence were made.
    panel
        Whether the data are a panel, where errors robust to units' own variances are those clustered by unit.
    """
    evidence = _Evidence(tests, alpha)
    if evidence.rejects("LM lag") or evidence.rejects("LM error"):
        model, reasons = _with_dependence(evidence)
    else:
        model, reasons = _without_dependence(evidence)
    reasons += _about_errors(evidence, model, panel=panel)
    effects, about_effects = _effects(evidence, fixed)
    sentence = f"Recommended at the {evidence.level}: {MODELS[model].label}"
    if effects is not None:
        sentence += f", with {_EFFECTS[fixed]}"
        missing = _beyond(effects, fixed)
        if missing:
            sentence += f"; the joint tests also support {missing} effects, so repeat with {_repeat(effects, fixed)}"
    return Verdict(model, effects, sentence + ".", (*reasons, *about_effects))


def _without_dependence(evidence: _Evidence) -> tuple[str, list[str]]:
    quoted = evidence.quote("LM lag", "LM error")
    reasons = [f"The residuals of OLS show no spatial dependence ({quoted})."]
    theta, said = _restriction(evidence, "F SLX -> OLS")
    if not theta:
        what = "could not be tested" if theta is None else "add nothing that could be told from chance"
        reasons.append(f"Spatially lagged regressors {what}{said}.")
        return "ols", reasons
    reasons.append(f"Spatially lagged regressors matter{said}.")
    rho, said = _restriction(evidence, "LR SDM -> SLX", "Wald SDM -> SLX")
    if rho:
        reasons.append(f"Beside them there is a spatial lag of the response{said}.")
        return "sdm", reasons
    reasons.append(
        "A spatial lag of the response beside them could not be tested."
        if rho is None
        else f"Beside them no spatial lag of the response is found{said}."
    )
    return "slx", reasons


def _with_dependence(evidence: _Evidence) -> tuple[str, list[str]]:
    reasons = [f"The residuals of OLS show spatial dependence ({evidence.quote('LM lag', 'LM error')})."]
    direction = evidence.direction()
    robust = evidence.quote("Robust LM lag", "Robust LM error")
    pointing = f"point to {_KIND[direction]}" if direction else "do not say whether it is a lag or an error"
    if evidence.rejects("Robust LM lag") and evidence.rejects("Robust LM error"):
        pointing += f" more than to {'an error' if direction == 'lag' else 'a lag'}, and find both"
    reasons.append(f"The Lagrange multiplier tests {pointing}" + (f" ({robust})." if robust else "."))
    sar, said_sar = _restriction(evidence, "LR SDM -> SAR", "Wald SDM -> SAR")
    sem, said_sem = _restriction(evidence, "LR SDM -> SEM", "Wald SDM -> SEM")
    if sar is None and sem is None:
        model = _TO[direction] if direction else "sdm"
        reasons.append(
            "The restrictions of the SDM could not be tested; the recommendation rests on these tests alone."
        )
        return model, reasons
    for name, rejected, said in (("SAR (theta = 0)", sar, said_sar), ("SEM (theta + rho beta = 0)", sem, said_sem)):
        outcome = {True: "is rejected", False: "is not rejected", None: "could not be tested"}[rejected]
        reasons.append(f"The restriction of the SDM to the {name} {outcome}{said}.")
    model, why = _choose(direction, sar=sar, sem=sem)
    reasons.append(why)
    rho, said = _restriction(evidence, "LR SDM -> SLX", "Wald SDM -> SLX")
    if model == "sdm" and rho is False:
        reasons.append(
            f"Within the SDM the spatial lag of the response is not significant{said}: the SLX model, without it, "
            "describes the data as well."
        )
    return model, reasons


def _about_errors(evidence: _Evidence, model: str, *, panel: bool) -> list[str]:
    """What the recommended model leaves, and which standard errors the residuals ask for."""
    said = []
    left = {"sar": "LM error in SAR", "sem": "LM lag in SEM", "sdm": "LM error in SDM"}.get(model, "")
    if evidence.rejects(left):
        kind = "error" if model != "sem" else "lag"
        said.append(
            f"The {model.upper()} leaves spatial dependence: a spatial {kind} beside it is significant "
            f"({evidence.quote(left)}). Other weights, regressors left out, or a model with both may be behind it."
        )
    if evidence.rejects("Koenker"):
        own = "cov='robust'" if model in {"ols", "slx"} else "cov='robust' with method='gmm'"
        robust = "cov='cluster'" if panel else own
        said.append(
            f"The variance of errors goes with the regressors ({evidence.quote('Koenker')}): classical standard errors "
            f"are not right; use {robust}."
        )
    if evidence.rejects("Jarque-Bera"):
        said.append(
            f"Errors are not normal ({evidence.quote('Jarque-Bera')}): estimates stay consistent, standard errors of "
            "sigma2 and of rho are better with cov='robust'."
        )
    return said


def _choose(direction: Direction, *, sar: bool | None, sem: bool | None) -> tuple[str, str]:
    """Model and reason, once dependence is found; a restriction that was not tested is not imposed."""
    holds = {"lag": sar is False, "error": sem is False}
    if direction and holds[direction]:
        name = _TO[direction].upper()
        return _TO[direction], f"Lagrange multiplier tests and restrictions agree on the {name}, the simpler model."
    if not holds["lag"] and not holds["error"]:
        return "sdm", "Neither simpler model can stand for the SDM, which is kept."
    if direction is None:
        return "sdm", "Nothing tells a lag from an error, so the SDM, which contains both, is kept."
    return "sdm", (
        f"The tests conflict (the Lagrange multiplier tests point to {_KIND[direction]}, the restrictions do not), so "
        "the SDM, which contains both, is kept."
    )


def _restriction(evidence: _Evidence, *names: str) -> tuple[bool | None, str]:
    """Whether a restriction is rejected by any of its tests (None: not tested), and the numbers in words."""
    outcomes = [outcome for name in names if (outcome := evidence.rejects(name)) is not None]
    if not outcomes:
        return None, ""
    said = f" ({evidence.quote(*names, short=True)})"
    if len(set(outcomes)) > 1:
        said += f"; the two tests disagree at the {evidence.level}, and the restriction is not imposed"
    return any(outcomes), said


def _effects(evidence: _Evidence, fixed: str) -> tuple[str | None, list[str]]:
    """Effects that the F tests support, with the reasons."""
    individual, time = evidence.rejects("F individual effects"), evidence.rejects("F time effects")
    if individual is None or time is None:
        return None, []
    names = {(True, True): "two-way", (True, False): "individual", (False, True): "time", (False, False): "none"}
    supported = names[individual, time]
    said = [
        f"{which.capitalize()} effects are {'' if rejected else 'not '}jointly significant "
        f"({evidence.quote(f'F {which} effects', f'LR {which} effects', short=True)})."
        for which, rejected in (("individual", individual), ("time", time))
    ]
    said.append(f"The joint tests support {_EFFECTS[supported]}" + _compare(supported, fixed))
    return supported, said


def _compare(supported: str, fixed: str) -> str:
    if supported == fixed:
        return ", which the tests used."
    missing = _beyond(supported, fixed)
    if missing:
        return (
            f", but the tests used {_EFFECTS[fixed]}: effects left out can pass for spatial dependence, so repeat the "
            f"tests with {_repeat(supported, fixed)}."
        )
    return (
        f"; the tests used {_EFFECTS[fixed]}, which is safe: more effects than needed cost precision, too few bias the "
        "spatial parameters."
    )


def _beyond(supported: str, fixed: str) -> str:
    """Effects supported but not used, in words; empty where there are none."""
    return " and ".join(sorted(_PARTS[supported] - _PARTS[fixed]))


def _repeat(supported: str, fixed: str) -> str:
    """The option that adds to the effects used those that are supported."""
    wanted = _PARTS[supported] | _PARTS[fixed]
    return next(f"fixed={name!r}" for name, parts in _PARTS.items() if parts == wanted)
