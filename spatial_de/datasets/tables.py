"""The user's tables: read as they are, with every doubt named by its cell."""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spatial_de.errors import DataError, DataWarning, FileError
from spatial_de.wording import check_option, name_some, plural

MISSING = {"", "na", "nan", "null", "none"}
_SUSPICIOUS = (-99.0, -999.0, -9999.0, -99999.0)
_ENCODINGS = ("utf-8-sig", "gb18030")  # every file in GBK or GB 2312 is one in GB 18030


@dataclass(frozen=True, slots=True)
class Table:
    """A table as found in a file.

    Attributes
    ----------
    frame
        Columns as text or as the file's own numbers.
    cell
        Name of the cell of a row and a column position: ``"row 7"`` of a text file, ``"C7"`` of a sheet.
    """

    frame: pd.DataFrame
    cell: Callable[[int, int], str]


def read_table(path: str | Path, *, sheet: str | int = 0, encoding: str | None = None) -> pd.DataFrame:
    """Read csv, xlsx, dta or parquet with numbers as numbers.

    Parameters
    ----------
    path
        .csv, .txt, .tsv (comma, semicolon or tab; UTF-8 with or without byte-order mark, UTF-16, GB 18030), .xlsx,
        .dta, .parquet.
    sheet
        Sheet of an .xlsx file.
    encoding
        Of a text file, where it cannot be told from its bytes.

    Raises
    ------
    FileError
        The file is not there, is of another kind or cannot be read.
    DataError
        Column names that are missing or repeated; in columns of numbers: text, thousands separators, percent signs,
        full-width digits. The first cells are named.

    Notes
    -----
    Spaces around column names and texts and full-width characters are normalised (NFKC), with a `DataWarning`.
    """
    source = Path(path)
    if not source.exists():
        raise FileError(f"There is no file {str(source)!r}.")
    suffix = source.suffix.lower()
    check_option(suffix, READERS, "the file's suffix")
    try:
        table = READERS[suffix](source, sheet=sheet, encoding=encoding)
    except (OSError, ValueError, KeyError, UnicodeError) as error:
        if isinstance(error, DataError | FileError):
            raise
        raise FileError(f"{source.name} cannot be read: {_reason(error)}.") from error
    frame = _normalise_names(table.frame, source.name)
    for position, name in enumerate(frame.columns):
        frame[name] = _column(frame[name], partial(_cell_of, table, position))
    return frame


def _cell_of(table: Table, position: int, row: int) -> str:
    return table.cell(row, position)


def _read_text(path: Path, *, encoding: str | None, **_: Any) -> Table:
    text = _decode(path.read_bytes(), encoding, path.name)
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    raw = pd.read_csv(
        io.StringIO(text), sep=separator, header=None, dtype=str, keep_default_na=False, skip_blank_lines=False
    )
    while len(raw) and (raw.iloc[-1] == "").all():
        raw = raw.iloc[:-1]
    return Table(_with_header(raw, path.name), lambda row, _column: f"row {row + 2}")


def _decode(content: bytes, encoding: str | None, name: str) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    for candidate in (encoding,) if encoding else _ENCODINGS:
        try:
            return content.decode(candidate)
        except UnicodeDecodeError:
            continue
    raise FileError(f"{name} is neither UTF-8 nor GB 18030: pass encoding=..., e.g. encoding='big5'.")


def _read_sheet(path: Path, *, sheet: str | int, **_: Any) -> Table:
    from openpyxl.utils import get_column_letter

    raw = pd.read_excel(path, sheet_name=sheet, header=None, dtype=object, keep_default_na=False, na_values=[""])
    return Table(_with_header(raw, path.name), lambda row, column: f"{get_column_letter(column + 1)}{row + 2}")


def _read_stata(path: Path, **_: Any) -> Table:
    frame = pd.read_stata(path, order_categoricals=False)
    for name in frame.select_dtypes("category"):
        frame[name] = frame[name].astype(object)
    return Table(frame, lambda row, _column: f"observation {row + 1}")


def _read_parquet(path: Path, **_: Any) -> Table:
    return Table(pd.read_parquet(path).reset_index(drop=True), lambda row, _column: f"row {row + 1}")


READERS: dict[str, Callable[..., Table]] = {
    ".csv": _read_text,
    ".txt": _read_text,
    ".tsv": _read_text,
    ".xlsx": _read_sheet,
    ".dta": _read_stata,
    ".parquet": _read_parquet,
}


def _with_header(raw: pd.DataFrame, name: str) -> pd.DataFrame:
    if len(raw) < 2:
        raise DataError(f"{name} holds no rows below its header.")
    frame = raw.iloc[1:].reset_index(drop=True)
    frame.columns = pd.Index([("" if pd.isna(cell) else str(cell)) for cell in raw.iloc[0]])
    return frame


def _reason(error: Exception) -> str:
    """What went wrong in reading, in plain words."""
    fields = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if fields is None:
        return str(error).strip().removesuffix(".")
    expected, line, found = fields.groups()
    return f"line {line} has {found} fields where {expected} are expected (decimal commas, or commas in text?)"


def _normalise_names(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    clean = [_plain(str(column)) for column in frame.columns]
    empty = [position + 1 for position, column in enumerate(clean) if not column]
    if empty:
        raise DataError(f"{name}: column {name_some(empty)} has no name. Name it or delete it.")
    twice = pd.Index(clean)[pd.Index(clean).duplicated()].unique()
    if len(twice):
        raise DataError(f"{name}: columns occur more than once: {name_some(twice)}. Rename or delete them.")
    changed = [old for old, new in zip(frame.columns, clean, strict=True) if str(old) != new]
    if changed:
        warnings.warn(
            f"{name}: spaces or full-width characters were taken out of the column names {name_some(changed)}.",
            DataWarning,
            stacklevel=4,
        )
    return frame.set_axis(clean, axis=1)


def _column(series: pd.Series, cell: Callable[[int], str]) -> pd.Series:
    """A column of numbers as numbers, a column of text as clean text."""
    if pd.api.types.is_numeric_dtype(series.dtype) or pd.api.types.is_datetime64_any_dtype(series.dtype):
        _warn_of_sentinels(series)
        return series
    values = [None if _is_missing(value) else value for value in series.tolist()]
    texts = [value for value in values if isinstance(value, str)]
    if any(not isinstance(value, str | int | float | np.number | type(None)) for value in values):
        return pd.Series(values, index=series.index, name=series.name, dtype=object)
    numbers = [_number(value) for value in values]
    readable = sum(number is not None for number in numbers)
    present = sum(value is not None for value in values)
    if readable == present and not _has_leading_zeros(texts):
        return _numeric(numbers, series)
    if texts and readable > 0.5 * present and not _has_leading_zeros(texts):
        raise DataError(_odd_cells(values, numbers, name=str(series.name), cell=cell))
    return _text(values, series)


def _numeric(numbers: list[float | None], series: pd.Series) -> pd.Series:
    out = pd.Series([np.nan if number is None else number for number in numbers], index=series.index, name=series.name)
    out = out.astype(np.float64)
    _warn_of_sentinels(out)
    whole = out.notna().all() and (out == np.round(out)).all() and (out.abs() < 2**53).all()
    return out.astype(np.int64) if whole else out


def _text(values: list[Any], series: pd.Series) -> pd.Series:
    clean = [None if value is None else _plain(str(value)) for value in values]
    changed = [old for old, new in zip(values, clean, strict=True) if old is not None and str(old) != new]
    if changed:
        warnings.warn(
            f"Column {series.name!r}: spaces or full-width characters were taken out of {plural(len(changed), 'text')} "
            f"such as {changed[0]!r}.",
            DataWarning,
            stacklevel=5,
        )
    return pd.Series(clean, index=series.index, name=series.name, dtype=object)


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if not isinstance(value, str):
        return float(value)
    if not re.fullmatch(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", value, flags=re.ASCII):
        return None
    return float(value)


def _is_missing(value: Any) -> bool:
    return (
        value is None
        or (isinstance(value, float) and np.isnan(value))
        or (isinstance(value, str) and value.strip().lower() in MISSING)
    )


def _has_leading_zeros(texts: list[str]) -> bool:
    """Whether texts are codes such as "01", which as numbers would lose digits."""
    return any(re.fullmatch(r"0\d+", text.strip()) for text in texts)


def _odd_cells(values: list[Any], numbers: list[float | None], *, name: str, cell: Callable[[int], str]) -> str:
    odd = [
        row
        for row, (value, number) in enumerate(zip(values, numbers, strict=True))
        if value is not None and number is None
    ]
    shown = ", ".join(f"{values[row]!r} in {cell(row)}" for row in odd[:3])
    more = f" and {len(odd) - 3} more" if len(odd) > 3 else ""
    return f"Column {name!r} holds numbers, but also {shown}{more}. {_advice(str(values[odd[0]]))}"


def _advice(text: str) -> str:
    if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?", text.strip()):
        return "Write numbers without thousands separators."
    if text.strip().endswith(("%", "％")):
        return "Write the number without the percent sign and note the unit in the column's name."
    if unicodedata.normalize("NFKC", text) != text and _number(unicodedata.normalize("NFKC", text)) is not None:
        return "Write numbers with ordinary digits, not full-width ones."
    return "Leave cells without a figure empty; correct the others."


def _warn_of_sentinels(series: pd.Series) -> None:
    if not pd.api.types.is_numeric_dtype(series.dtype):
        return
    for sentinel in _SUSPICIOUS:
        count = int((series == sentinel).sum())
        if count and series.min() == sentinel:
            warnings.warn(
                f"Column {series.name!r} holds {plural(count, 'value')} of {sentinel:g}: if that means missing, "
                "leave the cells empty.",
                DataWarning,
                stacklevel=5,
            )


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()
