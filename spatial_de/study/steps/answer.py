"""The step that answers the question: words follow from numbers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from spatial_de.study import figures, robustness
from spatial_de.study.job import Job, effect_estimate
from spatial_de.study.section import Bullets, Drawing, Section, Table, Text
from spatial_de.study.verdict import FIRM_SHARE, Verdict, headline, range_sentence, verdict
from spatial_de.study.words import Kind, change, effect_sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spatial_de.study.robustness import Estimated

CAPTION = (
    "The effect of the index when one thing is varied at a time, with 95 % intervals, in standard deviations of the "
    "outcome per standard deviation of the index{left}. Shaded: the main "
    "estimate's interval. Pale: not different from zero at 5 %. Arrows: the interval goes on; without a "
    "dot, the estimate lies beyond as well."
)
ORDER: tuple[Kind, ...] = ("total", "direct", "indirect")


def verdicts(job: Job) -> dict[Kind, Verdict]:
    """How firm the direct, indirect and total effects of the index are. Computed once per job."""
    name = job.config.index.name
    found: dict[Kind, Verdict] = job.once(
        "verdicts",
        lambda: {
            kind: verdict(
                effect_estimate(job.effects, name, kind), [row.variant(kind) for row in robustness.estimated(job)]
            )
            for kind in ORDER
        },
    )
    return found


def answer(job: Job) -> Section:
    """The answer in words, how it changes, how firm it is, and why."""
    found, rows = verdicts(job), robustness.estimated(job)
    items: list[Any] = []
    left = "" if job.config.model.fixed == "none" else ", both of the variation that fixed effects leave"
    for kind in ORDER:
        effect = effect_estimate(job.effects, job.config.index.name, kind)
        alike = [row.variant(kind) for row in rows if row.comparable]
        sentences = (
            effect_sentence(effect, kind, scale=job.scale, subject=job.subject),
            range_sentence(effect, alike, scale=job.scale),
        )
        items += [Text(headline(found[kind], kind, subject=job.subject), strong=True), Text(" ".join(sentences))]
    items.append(Text("These are associations, not proven causes; 'What to keep in mind' says more."))
    if rows:
        caption = CAPTION.format(left=left) + robustness.odds_note(rows)
        items.append(Drawing("robustness", caption, partial(_forest, job, rows), wide=True))
    items += [
        Table("answer", "How firm is the answer?", _table(job, found), labels=HEADS, note=_note(job)),
    ]
    for kind in ORDER:
        items += [Text(f"{kind.capitalize()} effect: {found[kind].level}. Why?"), Bullets(found[kind].reasons)]
    return Section(tuple(items))


def _forest(job: Job, rows: Sequence[Estimated]) -> Figure:
    return figures.variants((robustness.main(job), *rows), language=job.config.figures.language)


def _table(job: Job, found: dict[Kind, Verdict]) -> pd.DataFrame:
    name = job.config.index.name
    rows = []
    for kind in ORDER:
        effect, counts = effect_estimate(job.effects, name, kind), found[kind].agreement
        rows.append(
            {
                "effect": kind,
                "answer": found[kind].level,
                "change": change(effect.estimate, job.scale),
                "change_low": change(effect.conf_low, job.scale),
                "change_high": change(effect.conf_high, job.scale),
                "p_value": effect.p_value,
                "variants": counts.estimated,
                "same_sign": len(counts.same_sign),
                "confirmed": len(counts.confirmed),
                "contradicted": len(counts.contradicted),
            }
        )
    return pd.DataFrame(rows).set_index("effect")


def _note(job: Job) -> str:
    unit = "in percent" if job.scale.log_outcome else "in its units"
    return (
        f"Change of the {job.subject.measure} {unit} for {job.scale.step_words} more of the {job.subject.index}. Firm: "
        "the main estimate differs from zero at 5 %, no variant has the opposite sign, and at least "
        f"{100 * FIRM_SHARE:.0f} % of the variants differ from zero with the same sign."
    )


HEADS = {
    "effect": "Effect",
    "answer": "Answer",
    "change": "Change",
    "change_low": "95 % low",
    "change_high": "95 % high",
    "p_value": "p",
    "variants": "Variants",
    "same_sign": "Same sign",
    "confirmed": "… and significant",
    "contradicted": "Significant, opposite",
}
