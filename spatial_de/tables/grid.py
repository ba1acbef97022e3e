"""What a writer gets: a table as text cells, with the numbers it came from beside it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

import pandas as pd

from spatial_de.errors import DataError
from spatial_de.tables import numbers

Align = Literal["l", "r", "c"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Attributes
    ----------
    cells
        Text, one per column.
    rule
        Whether a line is drawn above.
    heading
        Whether the row names the block that follows; only its first cell has text.
    """

    cells: tuple[str, ...]
    rule: bool = False
    heading: bool = False


@dataclass(frozen=True)
class Grid:
    """A table ready to be written.

    Attributes
    ----------
    header
        Column heads.
    rows
        The lines.
    align
        Alignment of each column.
    frame
        The unrounded numbers, for formats that machines read.
    title, note
        Text above and below; empty for none.
    """

    header: tuple[str, ...]
    rows: tuple[Row, ...]
    align: tuple[Align, ...]
    frame: pd.DataFrame
    title: str = ""
    note: str = ""


@runtime_checkable
class HasGrid(Protocol):
    """What lays itself out, such as a `RegressionTable`."""

    def grid(self) -> Grid:
        """The table as text."""
        ...  # pragma: no cover


def as_grid(
    table: Any,
    *,
    title: str | None = None,
    note: str | None = None,
    labels: Mapping[str, str] | None = None,
    digits: int = 4,
) -> Grid:
    """Any table as a `Grid`.

    A table indexed by two levels gets the first one as headings.

    Parameters
    ----------
    table
        A DataFrame, a Series, anything with ``to_frame()``, or a `RegressionTable`.
    title, note
        Text above and below; None keeps what the table brings.
    labels
        Names for people, of columns and of the text cells of the index: ``{"std_error": "Std. error"}``.
    digits
        Significant digits of floats.

    Raises
    ------
    DataError
        What is not a table.
    """
    grid = table.grid() if isinstance(table, HasGrid) else _from_frame(_frame(table), labels or {}, digits)
    return replace(grid, title=grid.title if title is None else title, note=grid.note if note is None else note)


def _frame(table: Any) -> pd.DataFrame:
    if isinstance(table, pd.DataFrame):
        return table
    if hasattr(table, "to_frame"):
        frame = table.to_frame()
        if isinstance(frame, pd.DataFrame):
            return frame
    raise DataError(
        f"A {type(table).__name__} is not a table: give a DataFrame, or a result object that has to_frame()."
    )


def _from_frame(frame: pd.DataFrame, labels: Mapping[str, str], digits: int) -> Grid:
    named = any(name is not None for name in frame.index.names)
    flat = frame.reset_index() if named else frame
    n_labels = frame.index.nlevels if named else 0
    if flat.columns.nlevels > 1:
        flat = flat.set_axis([" ".join(map(str, name)).strip() for name in flat.columns], axis="columns")
    numeric = [pd.api.types.is_numeric_dtype(dtype) for dtype in flat.dtypes]
    shown = [
        cells if is_number else [labels.get(cell, cell) for cell in cells]
        for cells, is_number in zip(numbers.columns(flat, digits=digits, labels=n_labels), numeric, strict=True)
    ]
    align: list[Align] = ["r" if is_number and i >= n_labels else "l" for i, is_number in enumerate(numeric)]
    header = [labels.get(str(name), str(name)) for name in flat.columns]
    rows = [Row(tuple(cells)) for cells in zip(*shown, strict=True)]
    if n_labels == 2:
        header, align, rows = header[1:], align[1:], _grouped(rows)
    return Grid(tuple(header), tuple(rows), tuple(align), flat)


def _grouped(rows: list[Row]) -> list[Row]:
    """The first column as headings above the rows that share it."""
    out: list[Row] = []
    for group, members in itertools.groupby(rows, key=lambda row: row.cells[0]):
        inner = [Row(row.cells[1:]) for row in members]
        out += [Row((group, *[""] * (len(inner[0].cells) - 1)), rule=bool(out), heading=True), *inner]
    return out
