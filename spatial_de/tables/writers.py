"""Formats a table can be written in: a registry of functions from a `Grid` to text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from spatial_de.errors import FileError, OptionError
from spatial_de.tables.grid import Grid, as_grid
from spatial_de.wording import check_option

if TYPE_CHECKING:
    from jinja2 import Environment

Format = Literal["csv", "md", "tex", "html", "txt"]

_MINUS = re.compile(r"(?<![\w)\-])-(?=[\d.])")
_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    '"': "''",
    "–": "--",
    "−": "$-$",
    "×": r"$\times$",
    "ρ": r"$\rho$",
    "λ": r"$\lambda$",
    "²": r"$^2$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "→": r"$\rightarrow$",
    "’": "'",
    "…": r"\ldots{}",
    "†": r"\dag{}",
}


@dataclass(frozen=True, slots=True)
class Writer:
    """A format: what it is called, and how a table becomes text in it."""

    label: str
    render: Callable[[Grid], str]


def _csv(grid: Grid) -> str:
    """Unrounded numbers, for machines and spreadsheets; title and note stay out."""
    return grid.frame.to_csv(index=False, lineterminator="\n")


def _md(grid: Grid) -> str:
    rows = [
        [f"*{_md_text(row.cells[0])}*", *row.cells[1:]] if row.heading else [_md_text(cell) for cell in row.cells]
        for row in grid.rows
    ]
    body = _tabulate(grid, rows, header=[_md_text(cell) for cell in grid.header], style="pipe")
    parts = [f"**{_md_text(grid.title)}**" if grid.title else "", body, _md_text(grid.note)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _txt(grid: Grid) -> str:
    """For the terminal: no markup."""
    body = _tabulate(grid, [list(row.cells) for row in grid.rows], header=list(grid.header), style="simple")
    return "\n".join(part for part in (grid.title, body, grid.note) if part) + "\n"


def _tabulate(grid: Grid, rows: list[list[str]], *, header: list[str], style: str) -> str:
    from tabulate import tabulate

    sides = {"l": "left", "r": "right", "c": "center"}
    align = [sides[side] for side in grid.align] if rows else None
    return str(tabulate(rows, headers=header, tablefmt=style, colalign=align, disable_numparse=True))


def _md_text(cell: str) -> str:
    return re.sub(r"([\\|*<])", r"\\\1", cell).replace("\n", " ")


def _tex(grid: Grid) -> str:
    columns, size = _tex_layout(grid)
    return (
        _environment("tex")
        .get_template("table.tex.j2")
        .render(
            header=[tex_escape(cell) for cell in grid.header],
            rows=[{**_row(row), "cells": _tex_cells(row.cells)} for row in grid.rows],
            align=columns,
            title=tex_escape(grid.title),
            note=tex_escape(grid.note),
            size=size,
            unicode=not _all_text(grid).isascii(),
        )
    )


def _tex_cells(cells: tuple[str, ...]) -> list[str]:
    """Escaped cells; a row that begins with a bracket or a star would be read as an option of the line before."""
    first, *rest = map(tex_escape, cells)
    return [f"{{}}{first}" if first.startswith(("[", "*")) else first, *rest]


def _tex_layout(grid: Grid) -> tuple[str, str]:
    """Column declarations and font size that keep a table on the page: long text wraps, many columns get small."""
    lines = [grid.header, *(row.cells for row in grid.rows if not row.heading)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    wrapped = [side == "l" and width > _LONG_TEXT for side, width in zip(grid.align, widths, strict=True)]
    declared = ["p{0.2\\linewidth}" if wraps else side for side, wraps in zip(grid.align, wrapped, strict=True)]
    total = sum(min(width, _LONG_TEXT) if wraps else width for width, wraps in zip(widths, wrapped, strict=True))
    total += 2 * len(widths)
    return "".join(declared), next(size for limit, size in _TEX_SIZES if total <= limit)


_LONG_TEXT = 32  # characters
_TEX_SIZES = ((80, ""), (95, r"\footnotesize"), (float("inf"), r"\scriptsize\setlength{\tabcolsep}{3pt}"))


def _row(row: Any) -> dict[str, Any]:
    return {"rule": row.rule, "heading": row.heading}


def _all_text(grid: Grid) -> str:
    text = "".join([*grid.header, *(cell for row in grid.rows for cell in row.cells), grid.title, grid.note])
    return "".join(character for character in text if character not in _TEX)


def tex_escape(text: str) -> str:
    r"""Text with everything LaTeX would read as a command made harmless; minus signs become real ones.

    Examples
    --------
    >>> print(tex_escape("50% of GDP_pc"), tex_escape("-0.12"))
    50\% of GDP\_pc $-$0.12
    """
    return "".join(_TEX.get(character, character) for character in _MINUS.sub("−", text))


def _html(grid: Grid) -> str:
    return (
        _environment("html")
        .get_template("table.html.j2")
        .render(
            header=grid.header,
            rows=[{**_row(row), "cells": [_MINUS.sub("−", cell) for cell in row.cells]} for row in grid.rows],
            align=grid.align,
            title=grid.title,
            note=grid.note,
        )
    )


@lru_cache(maxsize=2)
def _environment(kind: Literal["tex", "html"]) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("spatial_de.tables")
    if kind == "html":
        return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    return Environment(
        loader=loader,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701  LaTeX, escaped cell by cell
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )


WRITERS: dict[str, Writer] = {
    "csv": Writer("comma-separated values, unrounded", _csv),
    "md": Writer("Markdown", _md),
    "tex": Writer("LaTeX with booktabs", _tex),
    "html": Writer("HTML fragment", _html),
    "txt": Writer("plain text", _txt),
}


def render(
    table: Any,
    format: Format,  # noqa: A002  the word everyone knows
    *,
    title: str | None = None,
    note: str | None = None,
    labels: Mapping[str, str] | None = None,
    digits: int = 4,
) -> str:
    """A table as text in one format.

    Parameters
    ----------
    table
        A DataFrame, a Series, a `RegressionTable`, or any result with ``to_frame()``.
    format
        ``"csv"`` (unrounded), ``"md"``, ``"tex"`` (booktabs, escaped), ``"html"`` (a fragment),
        ``"txt"`` (plain, for the terminal).
    title, note
        Text above and below the table; csv has neither.
    labels
        Names for people, of columns and of the text cells; csv keeps the names in the data.
    digits
        Significant digits of floats.

    Raises
    ------
    OptionError, DataError

    Examples
    --------
    >>> import pandas as pd
    >>> print(render(pd.DataFrame({"I": [0.25, 0.5]}, index=pd.Index([2013, 2014], name="year")), "md"))
    | year   |      I |
    |:-------|-------:|
    | 2013   | 0.2500 |
    | 2014   | 0.5000 |
    <BLANKLINE>
    """
    check_option(format, get_args(Format), "format")
    return WRITERS[format].render(as_grid(table, title=title, note=note, labels=labels, digits=digits))


def write(
    table: Any,
    path_stem: str | Path,
    *,
    formats: tuple[Format, ...] = ("csv", "md", "tex"),
    title: str | None = None,
    note: str | None = None,
    labels: Mapping[str, str] | None = None,
    digits: int = 4,
) -> tuple[Path, ...]:
    """Write a table in several formats beside each other; each file appears whole or not at all.

    Parameters
    ----------
    table
        As in `render`.
    path_stem
        Path without ending: ``"results/effects"`` gives results/effects.csv, effects.md, effects.tex.
    formats
        Some of "csv", "md", "tex", "html", "txt".
    title, note, labels, digits
        As in `render`.

    Returns
    -------
    tuple of Path
        The files, in the order of `formats`.

    Raises
    ------
    OptionError
        An unknown format; nothing is written.
    FileError
        The folder does not exist or cannot be written to.
    """
    for name in formats:
        check_option(name, WRITERS, "formats")
    ending = Path(path_stem).suffix.lower().removeprefix(".")
    if ending in {*WRITERS, "docx", "xlsx", "pdf"}:
        raise OptionError(
            f"path_stem={str(path_stem)!r} ends in '.{ending}': leave the ending out, and choose formats=("
            f"{ending if ending in WRITERS else 'md'!r},)."
        )
    grid = as_grid(table, title=title, note=note, labels=labels, digits=digits)
    texts = {name: WRITERS[name].render(grid) for name in formats}
    return tuple(_write_whole(Path(f"{path_stem}.{name}"), content) for name, content in texts.items())


def _write_whole(path: Path, content: str) -> Path:
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(content, encoding="utf-8", newline="\n")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise FileError(
            f"{path} cannot be written ({error.strerror}): does the folder exist, and may you write there?"
        ) from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return path
