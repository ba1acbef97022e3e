"""How firm an answer is: the main estimate against everything that was varied around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from spatial_de.study.words import Direction, Estimate, Kind, Scale, Subject, amount, direction
from spatial_de.wording import plural

Level = Literal["firm", "fragile", "untested", "no answer"]

FIRM_SHARE = 0.8
MAJORITY = 0.5
_NAMED = 4


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of estimating the same effect.

    Attributes
    ----------
    name
        What was varied.
    effect
        None where it could not be estimated.
    errors_only
        Whether only the standard errors differ, so that the sign is that of the main estimate by construction.
    """

    name: str
    effect: Estimate | None
    errors_only: bool = False


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the variants stand to the main estimate.

    Attributes
    ----------
    estimated
        Variants that gave a number.
    same_sign, opposite_sign
        Names of those with the sign of the main estimate, and with the other sign, significant or not.
    confirmed, contradicted
        Names of those that are significant at 5 % with its sign, and with the other sign.
    failed
        Names of those that could not be estimated.
    errors_only
        How many of the estimated ones differ in standard errors only.
    """

    estimated: int
    same_sign: tuple[str, ...]
    opposite_sign: tuple[str, ...]
    confirmed: tuple[str, ...]
    contradicted: tuple[str, ...]
    failed: tuple[str, ...]
    errors_only: int = 0

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """Same sign, but not significant."""
        return tuple(name for name in self.same_sign if name not in self.confirmed)

    def sentence(self) -> str:
        """How many variants there are, how many agree in sign and in significance, how many do not."""
        alike = f" ({self.errors_only} in standard errors only)" if self.errors_only else ""
        text = (
            f"Of {plural(self.estimated, 'variant')}{alike}, {len(self.same_sign)} "
            f"{'has' if len(self.same_sign) == 1 else 'have'} the sign of the main estimate, {len(self.confirmed)} of "
            f"them significant at 5 %; {_count(len(self.opposite_sign))} the opposite sign"
        )
        if self.opposite_sign:
            text += f", {len(self.contradicted)} of them significant"
        text += "."
        if self.failed:
            text += f" {plural(len(self.failed), 'variant')} could not be estimated."
        return text


@dataclass(frozen=True, slots=True)
class Verdict:
    """How firm the answer is, and why.

    Attributes
    ----------
    level
        "firm", "fragile", "untested" or "no answer".
    direction
        What the main estimate says.
    agreement
        How the variants stand to it.
    reasons
        Sentences.
    """

    level: Level
    direction: Direction
    agreement: Agreement
    reasons: tuple[str, ...]


def agreement(main: Estimate, variants: Sequence[Variant]) -> Agreement:
    """Count the variants that agree with the main estimate in sign and in significance."""
    done = [(variant.name, variant.effect) for variant in variants if variant.effect is not None]
    positive = main.estimate > 0
    same = [(name, effect) for name, effect in done if (effect.estimate > 0) == positive]
    other = [(name, effect) for name, effect in done if (effect.estimate > 0) != positive]
    return Agreement(
        estimated=len(done),
        same_sign=tuple(name for name, _ in same),
        opposite_sign=tuple(name for name, _ in other),
        confirmed=tuple(name for name, effect in same if direction(effect) != "unclear"),
        contradicted=tuple(name for name, effect in other if direction(effect) != "unclear"),
        failed=tuple(variant.name for variant in variants if variant.effect is None),
        errors_only=sum(variant.errors_only and variant.effect is not None for variant in variants),
    )


def verdict(main: Estimate, variants: Sequence[Variant]) -> Verdict:
    """How firm the main estimate is.

    Firm: significant at 5 %, no variant has the opposite sign, and at least 80 % of all variants, those that could
    not be estimated included, are significant with the same sign. Fragile: significant, but not all of that; or not
    significant although more than half of the variants are, in its direction. Untested: significant, and nothing
    was varied. No answer: everything else.

    Parameters
    ----------
    main
        The main estimate.
    variants
        The same effect, one thing varied at a time.
    """
    found, counts = direction(main), agreement(main, variants)
    total = counts.estimated + len(counts.failed)
    share = len(counts.confirmed) / total if total else 0.0
    if found == "unclear":
        level: Level = "fragile" if share > MAJORITY and not counts.contradicted else "no answer"
    elif not total:
        level = "untested"
    else:
        level = "firm" if share >= FIRM_SHARE and not counts.opposite_sign else "fragile"
    return Verdict(level=level, direction=found, agreement=counts, reasons=_reasons(main, counts, level=level))


def _reasons(main: Estimate, counts: Agreement, *, level: Level) -> tuple[str, ...]:
    reasons = []
    if direction(main) == "unclear":
        reasons.append("The main estimate cannot be told from zero at 5 %.")
        if counts.confirmed or counts.contradicted:
            reasons.append(f"Yet some variants can: {_names((*counts.confirmed, *counts.contradicted))}.")
    else:
        reasons.append("The main estimate differs from zero at 5 %.")
    if counts.estimated + len(counts.failed) == 0:
        return (*reasons, "Nothing was varied, so that nothing is known about how it depends on the choices made.")
    reasons.append(counts.sentence())
    if level != "firm":
        reasons += _doubts(counts)
    return tuple(reasons)


def _doubts(counts: Agreement) -> list[str]:
    doubts = []
    if counts.contradicted:
        doubts.append(f"Significant with the opposite sign: {_names(counts.contradicted)}.")
    weak = tuple(name for name in counts.opposite_sign if name not in counts.contradicted)
    if weak:
        doubts.append(f"Opposite sign, not significant: {_names(weak)}.")
    if counts.unconfirmed:
        doubts.append(f"Same sign, not significant: {_names(counts.unconfirmed)}.")
    if counts.failed:
        doubts.append(f"Not estimated: {_names(counts.failed)}.")
    return doubts


def headline(result: Verdict, kind: Kind, *, subject: Subject) -> str:
    """The answer in one line.

    Examples
    --------
    >>> gap = Subject("index", "income ratio", "income gap", "wider", "narrower", "province", "provinces")
    >>> headline(verdict(Estimate(0.01, -0.1, 0.12, 0.8), []), "direct", subject=gap)
    'No effect to be seen: a higher index at home goes with neither a wider nor a narrower income gap.'
    """
    higher = f"a higher {subject.index} {subject.where(kind)}"
    if result.direction != "unclear":
        return f"{result.level.capitalize()}: {higher} goes with a {subject.word(result.direction)} {subject.gap}."
    if result.level == "fragile":
        return f"Fragile: {higher} goes with no clear change of the {subject.gap}, but most other estimates show one."
    if result.agreement.confirmed or result.agreement.contradicted:
        return f"No answer: {higher} goes with no clear change of the {subject.gap}, and other estimates disagree."
    return f"No effect to be seen: {higher} goes with neither a {subject.up} nor a {subject.down} {subject.gap}."


def range_sentence(main: Estimate, variants: Sequence[Variant], *, scale: Scale) -> str:
    """Between which sizes the estimate moves when one thing is varied; variants in other units must be left out.

    Examples
    --------
    >>> rows = [Variant("other weights", Estimate(-0.1, -0.3, 0.1, 0.3)), Variant("other years", None)]
    >>> text = range_sentence(Estimate(0.5, 0.2, 0.8, 0.01), rows, scale=Scale(0.1, log_outcome=True))
    >>> print(text)  # doctest: +NORMALIZE_WHITESPACE
    Varied one thing at a time, +5.1 % becomes -1.00 % (other weights, -3.0 % to +1.0 %) at the lowest and is the
    highest itself.
    """
    found = {variant.name: variant.effect for variant in variants if variant.effect is not None}
    if not found:
        return ""
    sizes = {name: effect.estimate for name, effect in found.items()}
    lowest, highest = min(sizes, key=lambda name: sizes[name]), max(sizes, key=lambda name: sizes[name])
    text = f"Varied one thing at a time, {amount(main.estimate, scale)} "
    if sizes[lowest] == main.estimate == sizes[highest]:
        return f"{text}stays what it is."
    if sizes[lowest] < main.estimate:
        text += f"becomes {_named_size(lowest, found[lowest], scale)} at the lowest"
    else:
        text += "is the lowest itself"
    if sizes[highest] > main.estimate:
        joint = "" if sizes[lowest] < main.estimate else "becomes "
        return f"{text} and {joint}{_named_size(highest, found[highest], scale)} at the highest."
    return f"{text} and is the highest itself."


def _named_size(name: str, effect: Estimate, scale: Scale) -> str:
    low, high = amount(effect.conf_low, scale), amount(effect.conf_high, scale)
    return f"{amount(effect.estimate, scale)} ({name}, {low} to {high})"


def _count(number: int) -> str:
    return "none has" if number == 0 else "1 has" if number == 1 else f"{number} have"


def _names(names: Sequence[str]) -> str:
    """All names where they are few; the first ones and a count otherwise."""
    shown = "; ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown}; and {len(names) - _NAMED} more"
