"""Tables in files as grids of cells that know their place, so that an error can name the cell."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.errors import FileError
from spatial_de.wording import did_you_mean, name_some, plural

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Grid:
    """Cells of a table file.

    Attributes
    ----------
    name
        Name of the file.
    header
        Names of the columns, or the first row of a file that need not have a header.
    cells
        The rows below the header, shape (r, c), objects; an empty cell is None.
    place
        Row and column position in `cells` (the header is row -1) to words such as ``"cell D7"``.
    textual
        Everything is text (csv), so that numbers must be read from it.
    header_is_row
        The header is the first row of the file (csv, xlsx) and might hold weights.
    notes
        What was found out about the file: encoding, separator.
    """

    name: str
    header: list[Any]
    cells: NDArray[np.object_]
    place: Callable[[int, int], str]
    textual: bool
    header_is_row: bool
    notes: tuple[str, ...] = ()

    def with_header_as_row(self) -> NDArray[np.object_]:
        """All rows of a file that has no header."""
        if not self.header_is_row:
            return self.cells
        first = np.empty((1, len(self.header)), dtype=object)
        first[0] = self.header
        return np.vstack([first, self.cells])

    def numbers(self, cells: NDArray[np.object_], *, column: Callable[[int], int], row: int = 0) -> NDArray[np.float64]:
        """Cells as float64; an empty cell or text is refused by its place.

        Parameters
        ----------
        cells
            Part of the table, shape (r, c).
        column
            Column of `cells` to column of the table.
        row
            Row of the table of the first row of `cells`.
        """
        flat = cells.ravel()
        if pd.api.types.infer_dtype(flat, skipna=False) in {"floating", "integer", "mixed-integer-float"}:
            return cells.astype(np.float64)
        for position, value in enumerate(flat):
            if not _is_number(value, textual=self.textual):
                r, c = divmod(position, cells.shape[1])
                where = self.place(row + r, column(c))
                if value is None:
                    raise FileError(f"{self.name}: {where} is empty. Write 0 where there is no link.")
                raise FileError(f"{self.name}: {where} holds {value!r}, which is not a number.")
        return cells.astype(np.float64)


def read_grid(path: Path, *, sheet: str | None, encoding: str | None) -> Grid:
    """The table in a .csv, .xlsx, .dta or .parquet file."""
    return _READERS[path.suffix.lower()](path, sheet, encoding)


def read_text(path: Path, encoding: str | None) -> tuple[str, tuple[str, ...]]:
    """Text of a file and a note on its encoding: UTF-8, with or without mark, UTF-16 with mark, GB18030, or as told."""
    content = path.read_bytes()
    if encoding is None and content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        encoding = "utf-16"
    for candidate in (encoding,) if encoding else ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(candidate)
        except (UnicodeDecodeError, LookupError):
            continue
        return text, () if candidate == "utf-8-sig" else (f"encoding {candidate}",)
    tried = encoding or "UTF-8 or GB18030"
    raise FileError(f"{path.name} is not text in {tried}: pass its encoding, e.g. encoding='cp1252'.")


def _csv(path: Path, _sheet: str | None, encoding: str | None) -> Grid:
    text, notes = read_text(path, encoding)
    if not text.strip():
        raise FileError(f"{path.name} is empty.")
    separator = _separator(text)
    if separator != ",":
        notes = (*notes, f"columns separated by {separator!r}")
    try:
        table = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=None,
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            skipinitialspace=True,
        )
    except pd.errors.ParserError as error:
        detail = str(error).split("C error: ")[-1].strip()
        raise FileError(f"{path.name} is not a table: {detail}. Every line needs the same number of fields.") from error
    rows, lines = _without_empty_rows(table.astype(object).where(table.notna(), None).to_numpy(dtype=object))
    return Grid(
        name=path.name,
        header=list(rows[0]),
        cells=rows[1:],
        place=lambda r, c: f"line {lines[r + 1] + 1}, column {c + 1}",
        textual=True,
        header_is_row=True,
        notes=notes,
    )


def _separator(text: str) -> str:
    line = next(line for line in text.splitlines() if line.strip())
    return max(",;\t", key=line.count)


def _xlsx(path: Path, sheet: str | None, _encoding: str | None) -> Grid:
    from openpyxl import load_workbook
    from openpyxl.utils import get_column_letter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl reports styles it does not know, which say nothing about cells
        try:
            book = load_workbook(path, read_only=True, data_only=True)
        except Exception as error:  # openpyxl raises whatever zip, xml and key errors it meets
            raise FileError(f"{path.name} cannot be read as an Excel workbook: {error}.") from error
        try:
            page = book[_choose_sheet(book.sheetnames, sheet, path.name)]
            found = [list(row) for row in page.iter_rows(values_only=True)]
        finally:
            book.close()
    width = max((len(row) for row in found), default=0)
    table = np.empty((len(found), width), dtype=object)
    for r, row in enumerate(found):
        table[r, : len(row)] = row
    rows, lines = _without_empty_rows(table)
    if not len(rows):
        raise FileError(f"{path.name}: sheet {page.title!r} is empty.")
    used = np.flatnonzero((rows != None).any(axis=0))  # noqa: E711  elementwise
    rows = rows[:, used]
    return Grid(
        name=path.name,
        header=list(rows[0]),
        cells=rows[1:],
        place=lambda r, c: f"cell {get_column_letter(used[c] + 1)}{lines[r + 1] + 1}",
        textual=False,
        header_is_row=True,
        notes=(f"sheet {page.title!r}",) if len(book.sheetnames) > 1 else (),
    )


def _choose_sheet(names: Sequence[str], wanted: str | None, file: str) -> str:
    if wanted is not None and wanted not in names:
        raise FileError(f"{file} has no sheet {wanted!r}.{did_you_mean(wanted, names)} It has {name_some(names, 10)}.")
    if wanted is None and len(names) > 1:
        raise FileError(f"{file} has {len(names)} sheets: {name_some(names, 10)}. Choose one, e.g. sheet={names[0]!r}.")
    return wanted or names[0]


def _dta(path: Path, _sheet: str | None, _encoding: str | None) -> Grid:
    # value labels, not their codes: a panel of the same file reads labels too
    return _framed(path, lambda: pd.read_stata(path, order_categoricals=False), "a Stata file")


def _parquet(path: Path, _sheet: str | None, _encoding: str | None) -> Grid:
    def load() -> pd.DataFrame:
        frame = pd.read_parquet(path)
        return frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()

    return _framed(path, load, "a parquet file")


def _framed(path: Path, load: Callable[[], pd.DataFrame], what: str) -> Grid:
    try:
        frame = load()
    except Exception as error:  # the readers raise many kinds for one fact: this is not such a file
        raise FileError(f"{path.name} cannot be read as {what}: {error}.") from error
    names = list(frame.columns)
    cells = frame.astype(object).where(frame.notna(), None).to_numpy(dtype=object)
    return Grid(
        name=path.name,
        header=names,
        cells=cells,
        place=lambda r, c: f"row {r + 1}, column {names[c]!r}" if r >= 0 else f"the name of column {c + 1}",
        textual=False,
        header_is_row=False,
    )


def _without_empty_rows(table: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.intp]]:
    """Rows that hold anything, with empty cells as None, and their numbers in the file from 0."""
    blank = np.array([[isinstance(value, str) and not value.strip() for value in row] for row in table], dtype=bool)
    table = table.copy()
    table[blank.reshape(table.shape)] = None
    used = np.flatnonzero((table != None).any(axis=1))  # noqa: E711  elementwise
    return table[used], used


def _is_number(value: Any, *, textual: bool) -> bool:
    if not textual:
        return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def describe_shape(grid: Grid) -> str:
    """``"31 rows and 32 columns below the header"``, for messages."""
    rows, columns = grid.cells.shape
    return f"{plural(rows, 'row')} and {plural(columns, 'column')} below its header"


_READERS: dict[str, Callable[[Path, str | None, str | None], Grid]] = {
    ".csv": _csv,
    ".xlsx": _xlsx,
    ".dta": _dta,
    ".parquet": _parquet,
}
