"""Checks of panel data: each refuses with the units, times and columns named."""

from __future__ import annotations

import re
import warnings
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.errors import DataError, DataWarning, PanelError
from spatial_de.wording import did_you_mean, name_some, plural

_IN_ORDER = re.compile(r"\d{4}([-/. ]?[QMHSWD]?\d{1,2}){0,2}", re.IGNORECASE)  # text that sorts as time does
_CODES = (-99.0, -999.0, -9999.0, -99999.0, 999.0, 9999.0, 99999.0, 999999.0)  # that people write for "missing"

if TYPE_CHECKING:
    from numpy.typing import NDArray


def check_columns(df: pd.DataFrame, unit: str, time: str) -> None:
    """Refuse duplicated column names and a missing unit or time column."""
    if not isinstance(df, pd.DataFrame):
        raise PanelError(f"A panel is built from a pandas DataFrame, not from {type(df).__name__}.")
    refuse_repeated_columns(df)
    for what, name in (("unit", unit), ("time", time)):
        if not isinstance(name, Hashable):
            raise PanelError(f"{what}={name!r} must be the name of one column.")
        if name in df.index.names:
            raise PanelError(f"{name!r} is in the index of the data, not among the columns: use df.reset_index().")
        if name not in df.columns:
            raise PanelError(f"There is no column {name!r}.{did_you_mean(name, df.columns)}")
    if unit == time:
        raise PanelError(f"Unit and time cannot be the same column, {unit!r}.")
    if df.empty:
        raise PanelError("The data hold no rows.")


def refuse_repeated_columns(df: pd.DataFrame) -> None:
    """Refuse duplicated column names."""
    if not df.columns.is_unique:
        twice = df.columns[df.columns.duplicated()].unique()
        raise PanelError(f"Columns occur more than once: {name_some(twice)}. Rename or drop them.")


def check_keys(df: pd.DataFrame, unit: str, time: str) -> None:
    """Refuse missing labels, labels of mixed type, times that are not integers or text."""
    for name in (unit, time):
        holes = np.flatnonzero(df[name].isna())
        if len(holes):
            raise PanelError(
                f"Column {name!r} is missing in {plural(len(holes), 'row')} of the table (row "
                f"{name_some((holes + 1).tolist())}, where the first is 1)."
            )
    kinds = {type(label).__name__ for label in df[unit].tolist()}
    if len(kinds) > 1:
        raise PanelError(
            f"Column {unit!r} mixes {name_some(sorted(kinds))}: 110000 and '110000' would be different units. "
            f"Convert it to one type, e.g. df[{unit!r}] = df[{unit!r}].astype(str)."
        )
    _check_times(df[time], time)


def _check_times(times: pd.Series, name: str) -> None:
    if pd.api.types.is_integer_dtype(times.dtype):
        return
    if pd.api.types.is_datetime64_any_dtype(times.dtype):
        raise PanelError(f"Column {name!r} holds dates: use the year, df[{name!r}] = df[{name!r}].dt.year.")
    if pd.api.types.is_float_dtype(times.dtype):
        raise PanelError(
            f"Column {name!r} holds decimal numbers such as {name_some(times.iloc[:1])}: "
            f"use integers, df[{name!r}] = df[{name!r}].astype(int)."
        )
    kinds = {type(label).__name__ for label in times.tolist()}
    if len(kinds) > 1:
        raise PanelError(f"Column {name!r} mixes {name_some(sorted(kinds))}: convert it to one type.")
    if kinds == {"str"} and times.str.fullmatch(r"\s*\d+\s*").all():
        raise PanelError(
            f"Column {name!r} holds numbers as text such as {times.iloc[0]!r}: "
            f"use integers, df[{name!r}] = df[{name!r}].astype(int)."
        )
    labels = [label for label in times.unique().tolist() if isinstance(label, str)]
    odd = [label for label in labels if not _IN_ORDER.fullmatch(label) or len(label) != len(labels[0])]
    if odd:
        raise PanelError(
            f"Column {name!r} holds times as text such as {odd[0]!r}, which the alphabet may put into another "
            "order than the calendar. Number them with integers in their order, or write them with the year first and "
            "zeros in front, like 2013Q1, 2013M02, 2013-02."
        )


def check_unique_keys(df: pd.DataFrame, unit: str, time: str) -> None:
    """Refuse two rows for the same unit and time."""
    twice = df.duplicated([unit, time], keep="first")
    if twice.any():
        pairs = list(df.loc[twice, [unit, time]].itertuples(index=False, name=None))
        raise PanelError(
            f"{plural(len(pairs), 'row repeats', 'rows repeat')} a ({unit}, {time}) that is already there: "
            f"{name_some(pairs)}. Every unit may occur once per time."
        )


def check_no_infinity(frame: pd.DataFrame) -> None:
    """Refuse infinite numbers in any column."""
    numbers = frame.select_dtypes("number", exclude="complex")
    bad = np.isinf(numbers.to_numpy(dtype=np.float64, na_value=np.nan))
    if bad.any():
        _refuse_cells(bad, numbers, "infinite")


def check_complete(index: pd.Index[Any], units: pd.Index[Any], times: pd.Index[Any]) -> None:
    """Refuse a panel in which some unit lacks some time."""
    if len(index) == len(units) * len(times):
        return
    grid = pd.MultiIndex.from_product([units, times])
    absent = grid[~grid.isin(index)]
    raise PanelError(
        f"The panel is not balanced: {plural(len(absent), 'row')} of {len(grid)} missing, {name_some(absent)}. "
        "Add them, or build Panel(..., unbalanced=True), which fit() takes as it is and .balance() cuts to a balanced "
        "one, reporting what it drops."
    )


def warn_of_time_gaps(times: pd.Index[Any]) -> None:
    """Warn when integer times are not evenly spaced."""
    if not pd.api.types.is_integer_dtype(times.dtype) or len(times) < 3:
        return
    steps = np.diff(times.to_numpy())
    usual = int(steps.min())
    after = times[1:][steps != usual]
    if len(after):
        warnings.warn(
            f"The times are not evenly spaced: the step before {name_some(after)} is not {usual}.",
            DataWarning,
            stacklevel=4,
        )


def numeric_values(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Columns as float64, shape (rows, k); text, missing and infinite values are refused by name."""
    for column in frame.columns:
        series = frame[column]
        if pd.api.types.is_bool_dtype(series.dtype):
            raise DataError(f"Variable {column!r} is true/false: write 0 and 1, e.g. df[{column!r}].astype(int).")
        if not pd.api.types.is_numeric_dtype(series.dtype) or pd.api.types.is_complex_dtype(series.dtype):
            raise DataError(_text_message(series))
    values = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    for bad, what in ((np.isnan(values), "missing"), (np.isinf(values), "infinite")):
        if bad.any():
            _refuse_cells(bad, frame, what)
    return values


def warn_of_codes(values: NDArray[np.float64], frame: pd.DataFrame) -> None:
    """Warn of values such as -999 that are far from all others: codes for missing values.

    Parameters
    ----------
    values
        Numbers of the columns of `frame`, shape (rows, k).
    """
    extremes = np.concatenate([values.min(axis=0, initial=np.inf), values.max(axis=0, initial=-np.inf)])
    if not np.isin(extremes, _CODES).any():
        return
    for j, column in enumerate(frame.columns):
        for code in _CODES:
            hits = values[:, j] == code
            rest = np.abs(values[~hits, j]).max(initial=0.0)
            if hits.any() and rest and abs(code) > 10.0 * rest:
                warnings.warn(
                    f"Variable {column!r} is {code:g} at {name_some(frame.index[hits], 3)}, and at most {rest:g} in "
                    "size elsewhere: a code for missing values? Set them missing and complete the data, or leave these "
                    "units out.",
                    DataWarning,
                    stacklevel=5,
                )


def _are_words(cells: pd.Series, series: pd.Series) -> bool:
    """Whether most of a series is text without digits, and so no number written in some way."""
    return 2 * len(cells) > len(series) and not cells.astype(str).str.contains(r"\d").any()


def _text_message(series: pd.Series) -> str:
    kind = str(series.dtype)
    if kind.startswith(("datetime", "timedelta", "period", "complex")):
        return f"Variable {series.name!r} has the type {kind} where plain numbers are needed: convert it first."
    as_numbers = pd.to_numeric(series, errors="coerce")
    odd = series[as_numbers.isna() & series.notna()]
    if len(odd):
        cells = [f"{value!r} at {_place(where)}" for where, value in list(odd.items())[:3]]
        more = f" and {len(odd) - 3} more" if len(odd) > 3 else ""
        categories = f" Categories are written C({series.name}) in a formula." if _are_words(odd, series) else ""
        return f"Variable {series.name!r} holds text where numbers are needed: {', '.join(cells)}{more}.{categories}"
    text = series.map(lambda value: isinstance(value, str)).any()
    how = "written as text" if text else "in a column of mixed objects"
    return (
        f"Variable {series.name!r} holds numbers {how}: convert it, "
        f"df[{series.name!r}] = pd.to_numeric(df[{series.name!r}])."
    )


def _refuse_cells(bad: NDArray[np.bool_], frame: pd.DataFrame, what: str) -> None:
    rows, columns = np.nonzero(bad)
    cells = [f"{frame.columns[c]} at {_place(frame.index[r])}" for r, c in zip(rows[:5], columns[:5], strict=True)]
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    advice = "Complete them, drop the units or times explicitly, or leave the variable out."
    raise DataError(f"{plural(len(rows), 'value')} {what}: {', '.join(cells)}{more}. {advice}")


def _place(label: object) -> str:
    parts = label if isinstance(label, tuple) else (label,)
    return ", ".join(str(part) for part in parts)
