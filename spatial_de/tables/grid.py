"""What a writer gets: a table as text cells, with the numbers it came from beside it."""

from __future__ import annotations

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
    named = [name is not None for name in frame.index.names]
    flat = frame.reset_index() if any(named) else frame
    n_labels = frame.index.nlevels if any(named) else 0
    if flat.columns.nlevels > 1:
        flat = flat.set_axis([" ".join(map(str, name)).strip() for name in flat.columns], axis="columns")
    numeric = [pd.api.types.is_numeric_dtype(dtype) for dtype in flat.dtypes]
    body = numbers.columns(flat, digits=digits)
    shown = [
        cells if is_number else [labels.get(cell, cell) for cell in cells]
        for cells, is_number in zip(body, numeric, strict=True)
    ]
    align: list[Align] = ["r" if is_number and i >= n_labels else "l" for i, is_number in enumerate(numeric)]
    return Grid(
        header=tuple(labels.get(str(name), str(name)) for name in flat.columns),
        rows=tuple(Row(cells) for cells in zip(*shown, strict=True)),
        align=tuple(align),
        frame=flat,
    )
