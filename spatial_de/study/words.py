"""What an estimate says, in words that follow from its numbers alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

LEVEL = 0.05
_CLEAR_SIZE = 3.0

Direction = Literal["up", "down", "unclear"]
Kind = Literal["direct", "indirect", "total"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval and the p-value of the null hypothesis of zero."""

    estimate: float
    conf_low: float
    conf_high: float
    p_value: float


@dataclass(frozen=True, slots=True)
class Scale:
    """How an effect of one unit of the index is put into everyday units.

    Attributes
    ----------
    step
        The change of the index that is spoken of.
    log_outcome
        Whether the outcome is a logarithm, so that effects are relative changes.
    log_index
        Whether the index enters as a logarithm, so that the step is a relative change.
    """

    step: float
    log_outcome: bool
    log_index: bool = False

    @property
    def step_words(self) -> str:
        """The step as text, e.g. "0.1", or "10 %" for an index in logarithms."""
        return f"{100 * self.step:g} %" if self.log_index else f"{self.step:g}"


@dataclass(frozen=True, slots=True)
class Subject:
    """What the study is about, in words.

    Attributes
    ----------
    index
        What is varied: "digital-economy index".
    measure
        What the outcome measures: "urban-rural income ratio".
    gap
        What a change of it is a change of: "urban-rural income gap".
    up, down
        What more and less of it are called: "wider", "narrower".
    unit, units
        "province", "provinces".
    """

    index: str
    measure: str
    gap: str
    up: str
    down: str
    unit: str
    units: str

    def word(self, found: Direction) -> str:
        """The direction as an adjective, e.g. "wider"."""
        return {"up": self.up, "down": self.down, "unclear": f"neither {self.up} nor {self.down}"}[found]

    def where(self, kind: Kind) -> str:
        """Whose index a direct, an indirect and a total effect speak of."""
        return {"direct": "at home", "indirect": f"in other {self.units}", "total": "everywhere"}[kind]

    def lead(self, kind: Kind, scale: Scale) -> str:
        """Whose index changes, as the beginning of a sentence about one unit."""
        step = f"{scale.step_words} higher"
        return {
            "direct": f"With its own {self.index} {step}, a {self.unit}",
            "indirect": f"With the {self.index} of all other {self.units} {step}, a {self.unit}",
            "total": f"With the {self.index} {step} everywhere, a {self.unit}",
        }[kind]


def direction(effect: Estimate) -> Direction:
    """Up or down where the effect differs from zero at 5 %, else unclear.

    Both the p-value and the interval must say so: of a skewed distribution they can disagree, and then nothing is
    claimed.

    Examples
    --------
    >>> direction(Estimate(0.5, 0.2, 0.8, 0.001)), direction(Estimate(-0.5, -1.2, 0.2, 0.16))
    ('up', 'unclear')
    """
    small = np.isfinite(effect.p_value) and effect.p_value < LEVEL
    if not small or holds_zero(effect):
        return "unclear"
    return "up" if effect.estimate > 0 else "down"


def holds_zero(effect: Estimate) -> bool:
    """Whether zero lies in the interval."""
    return not (effect.conf_low > 0.0 or effect.conf_high < 0.0)


def change(value: float, scale: Scale) -> float:
    """Change of the outcome for the step: in percent for a logarithm, else in its own units.

    Examples
    --------
    >>> round(change(0.56, Scale(0.1, log_outcome=True)), 2)
    5.76
    """
    moved = value * (np.log1p(scale.step) if scale.log_index else scale.step)
    return float(100.0 * np.expm1(moved) if scale.log_outcome else moved)


def amount(value: float, scale: Scale) -> str:
    """A change as text with its sign: "+5.8 %", "-0.021"."""
    moved = change(value, scale)
    if not scale.log_outcome:
        return f"{moved:+.3g}" if moved else "0"
    decimals = 2 if abs(moved) < 1.0 else 1 if abs(moved) < 100.0 else 0
    text = f"{moved:+.{decimals}f}"
    return f"{text if text.strip('+-0.') else text[1:]} %"


def p_words(p: float) -> str:
    """A p-value in a sentence, e.g. "p = 0.012" or "p < 0.001"."""
    if not np.isfinite(p):
        return "p not defined"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def effect_sentence(effect: Estimate, kind: Kind, *, scale: Scale, subject: Subject) -> str:
    """What one effect says: whose index, size, interval, p, direction.

    Examples
    --------
    >>> gap = Subject("index", "income ratio", "income gap", "wider", "narrower", "province", "provinces")
    >>> scale = Scale(0.1, log_outcome=True)
    >>> text = effect_sentence(Estimate(-0.5, -0.8, -0.3, 0.002), "total", scale=scale, subject=gap)
    >>> size, found, precision = text.replace(". ", ": ").split(": ")
    >>> print(size)  # doctest: +NORMALIZE_WHITESPACE
    With the index 0.1 higher everywhere, a province's income ratio differs by -4.9 % (95 % interval -7.7 % to -3.0 %,
    p = 0.002)
    >>> found, precision
    ('a narrower income gap', 'Within this specification the size is known within a factor of 2.7.')
    """
    low, high = amount(effect.conf_low, scale), amount(effect.conf_high, scale)
    text = (
        f"{subject.lead(kind, scale)}'s {subject.measure} differs by {amount(effect.estimate, scale)} "
        f"(95 % interval {low} to {high}, {p_words(effect.p_value)})"
    )
    found = direction(effect)
    if found == "unclear":
        return f"{text}: not to be told from no change at all. {ruled_out(effect, scale)}"
    return f"{text}: a {subject.word(found)} {subject.gap}. {precision_sentence(effect)}"


def ruled_out(effect: Estimate, scale: Scale) -> str:
    """What an effect that cannot be told from zero still excludes: the honest content of "no effect".

    Examples
    --------
    >>> ruled_out(Estimate(0.01, -0.1, 0.12, 0.8), Scale(0.1, log_outcome=True))
    'Changes below -1.00 % and above +1.2 % are ruled out at the 95 % level.'
    """
    if not holds_zero(effect):
        return "The interval leaves out zero, but the p-value does not: the draws are skewed, and nothing is claimed."
    low, high = amount(effect.conf_low, scale), amount(effect.conf_high, scale)
    return f"Changes below {low} and above {high} are ruled out at the 95 % level."


def precision_sentence(effect: Estimate) -> str:
    """How well the size of an effect with a clear direction is known: the ratio of the ends of its interval.

    Examples
    --------
    >>> precision_sentence(Estimate(0.5, 0.1, 0.9, 0.01))
    'In this specification the direction is clear, the size is not: the ends of the interval differ by a factor of 9.'
    """
    ends = sorted(abs(end) for end in (effect.conf_low, effect.conf_high))
    factor = ends[1] / ends[0]
    if factor > _CLEAR_SIZE:
        return (
            "In this specification the direction is clear, the size is not: the ends of the interval differ by a "
            f"factor of {factor:.2g}."
        )
    return f"Within this specification the size is known within a factor of {factor:.2g}."
