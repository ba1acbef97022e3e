"""Specification tests as text and as HTML."""

from __future__ import annotations

import textwrap
from html import escape
from typing import TYPE_CHECKING

from spatial_de.diagnostics.registry import TESTS

if TYPE_CHECKING:
    from spatial_de.diagnostics.specification import SpecificationTests

_WIDTH = 88
_EFFECTS = {"none": "none (pooled)", "individual": "individual", "time": "time", "two-way": "individual and time"}
_BIAS = {"lee-yu": "Lee-Yu transformation", "none": "direct", "correction": "analytic bias correction"}


def render_text(result: SpecificationTests) -> str:
    """Setting, tests by group, verdict, reasons."""
    rule = "=" * _WIDTH
    lines = ["Specification tests".center(_WIDTH).rstrip(), rule, *_setting(result), rule, *_table(result), rule]
    lines += _wrap(result.verdict)
    lines += ["", "Reasons", *(line for reason in result.reasons for line in _item(reason))]
    for title, items in (("Not tested", result.not_tested), ("Notes", result.notes)):
        if items:
            lines += ["", title, *(line for item in items for line in _item(item))]
    return "\n".join(lines)


def render_html(result: SpecificationTests) -> str:
    """The table, then verdict, reasons and what was not tested."""
    parts = [
        str(result.readable.to_html(float_format=lambda x: f"{x:.4f}")),
        f"<p><strong>{escape(result.verdict)}</strong></p>",
        _html_list(result.reasons),
    ]
    if result.not_tested:
        parts += ["<p>Not tested:</p>", _html_list(result.not_tested)]
    return "\n".join(parts)


def _setting(result: SpecificationTests) -> list[str]:
    setting = result.setting
    rows = [("Formula", setting["formula"]), ("Data", setting["data"]), ("Weights", setting["weights"])]
    if setting["data"].startswith("panel"):
        rows.append(("Fixed effects", _EFFECTS[setting["fixed"]]))
        if setting["fixed"] != "none":
            rows.append(("Estimation", _BIAS[setting["bias"]]))
    rows.append(("Information", f"{setting['information']} (Wald tests); expected (LM tests)"))
    return [line for name, value in rows for line in _wrap(f"{name:<15}{value}", indent=15)]


def _table(result: SpecificationTests) -> list[str]:
    lines = [f"{'Test':<26}{'Statistic':>12}  {'Distribution':<18}{'p':>7}  {'Null':<20}".rstrip()]
    group = ""
    for test in result.tests:
        if TESTS[test.name].group != group:
            group = TESTS[test.name].group
            lines += ["-" * _WIDTH, group]
        p = "<0.001" if test.p_value < 0.001 else f"{test.p_value:.3f}"
        null = test.null.split(", given")[0]
        short = null[null.find("(") + 1 : null.find(")")] if "(" in null else null
        lines.append(f"  {test.name:<24}{test.statistic:>12.4f}  {test.distribution:<18}{p:>7}  {short}")
    return lines


def _wrap(text: str, indent: int = 0) -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent=" " * indent)


def _item(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="- ", subsequent_indent="  ")


def _html_list(items: tuple[str, ...]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"
