"""Loaders for the user's own panel and for the digital financial inclusion index."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from spatial_de.datasets.provinces import load_provinces
from spatial_de.datasets.tables import read_table
from spatial_de.errors import DataError
from spatial_de.panel import Panel
from spatial_de.wording import did_you_mean, name_some

# Column names of the published files of the Peking University Digital Financial Inclusion Index of China.
_PKU_COLUMNS = {
    "year": ("year", "年份", "年度"),
    "province": ("prov_code", "province_code", "省份代码", "省代码", "prov_name", "province", "省份", "省", "地区"),
    "index_aggregate": ("index_aggregate", "aggregate", "总指数", "数字普惠金融指数"),
    "coverage_breadth": ("coverage_breadth", "覆盖广度"),
    "usage_depth": ("usage_depth", "使用深度"),
    "payment": ("payment", "支付", "支付业务"),
    "insurance": ("insurance", "保险", "保险业务"),
    "monetary_fund": ("monetary_fund", "货币基金", "货币基金业务"),
    "investment": ("investment", "投资", "投资业务"),
    "credit": ("credit", "信贷", "信贷业务"),
    "credit_investigation": ("credit_investigation", "信用", "信用业务"),
    "digitization_level": ("digitization_level", "数字化程度"),
}


def read_panel(
    path: str | Path,
    *,
    unit: str,
    time: str,
    columns: Mapping[str, str] | None = None,
    sheet: str | int = 0,
    encoding: str | None = None,
    unbalanced: bool = False,
) -> Panel:
    """Read the user's own panel in long format.

    Parameters
    ----------
    path
        csv (UTF-8, with byte-order mark, UTF-16, GB 18030; comma, semicolon, tab), xlsx, dta or parquet, one row per
        unit and time.
    unit, time
        Columns with the unit's id and the time, by their names in the file; Chinese names are fine, here and in
        formulas. Ids that are whole numbers become integers, except with leading zeros ("01"), which stay text.
    columns
        New names: name in the file -> name in the panel.
    sheet, encoding
        Of an xlsx file; of a text file.
    unbalanced
        As in `Panel`.

    Raises
    ------
    FileError, DataError, PanelError
        With the cell, the column or the unit and time named.
    """
    frame = read_table(path, sheet=sheet, encoding=encoding)
    for wanted in (unit, time):
        if wanted not in frame.columns:
            raise DataError(_absent(wanted, frame, Path(path).name))
    frame[time] = _years(frame[time], time)
    frame[unit] = _whole(frame[unit])
    renaming = dict(columns or {})
    for name in renaming:
        if name not in frame.columns:
            raise DataError(
                f"columns= names {name!r}, which {Path(path).name} does not have.{did_you_mean(name, frame.columns)}"
            )
    renamed = frame.rename(columns=renaming)
    return Panel(renamed, unit=renaming.get(unit, unit), time=renaming.get(time, time), unbalanced=unbalanced)


def read_pku_index(path: str | Path, *, sheet: str | int = 0, encoding: str | None = None) -> Panel:
    """Read the provincial file of the Peking University Digital Financial Inclusion Index of China.

    The index is published by the Institute of Digital Finance, Peking University, on request; its figures are not
    part of this package.

    Parameters
    ----------
    path
        The user's file (xlsx, csv, dta), with English or Chinese column names.
    sheet, encoding
        As in `read_panel`.

    Returns
    -------
    Panel
        unit ``code`` (as in `load_china_panel`), time ``year``; columns ``index_aggregate``, ``coverage_breadth``,
        ``usage_depth``, ``digitization_level`` and those sub-indices the file has.

    References
    ----------
    Guo, F., Wang, J., Wang, F., Kong, T., Zhang, X. and Cheng, Z. (2020). Measuring the development of digital
    financial inclusion in China. *China Economic Quarterly* 19(4), 1401-1418.
    """
    frame = read_table(path, sheet=sheet, encoding=encoding)
    found = {name: _first(aliases, frame) for name, aliases in _PKU_COLUMNS.items()}
    for needed in ("year", "province", "index_aggregate"):
        if found[needed] is None:
            raise DataError(
                f"{Path(path).name} has no column for {needed!r} (looked for {name_some(_PKU_COLUMNS[needed], 9)}); "
                f"it has {name_some(frame.columns, 12)}."
            )
    kept = {column: name for name, column in found.items() if column is not None and name != "province"}
    out = frame[list(kept)].rename(columns=kept)
    out["code"] = [province_code(value) for value in frame[found["province"]]]
    return Panel(out, unit="code", time="year")


def province_code(name: Any) -> str:
    """Two-letter code of a province from its name or another code.

    Parameters
    ----------
    name
        English name, Chinese name in full or short, GB/T 2260 code of two or six digits (text or number), ISO 3166-2
        code, or the two-letter code itself.

    Raises
    ------
    DataError
        There is no such province; the nearest name is given.

    Examples
    --------
    >>> province_code("广东省"), province_code(44), province_code("440000"), province_code("CN-GD")
    ('GD', 'GD', 'GD', 'GD')
    """
    known = _known_names()
    text = str(int(name)) if isinstance(name, float) and name.is_integer() else str(name).strip()
    code = known.get(text.casefold())
    if code is None:
        raise DataError(f"There is no province {name!r}.{did_you_mean(text, known)} Use names or GB/T 2260 codes.")
    return code


@lru_cache(maxsize=1)
def _known_names() -> dict[str, str]:
    provinces = load_provinces()
    names: dict[str, str] = {}
    for code, row in provinces.iterrows():
        spellings = (
            code,
            row["gb2260"],
            row["gb2260"][:2],
            row["iso3166_2"],
            row["name_en"],
            row["name_zh"],
            row["short_zh"],
        )
        names |= {str(spelling).casefold(): str(code) for spelling in spellings}
    return names


def _first(aliases: tuple[str, ...], frame: pd.DataFrame) -> str | None:
    lower = {str(column).casefold(): str(column) for column in frame.columns}
    return next((lower[alias] for alias in aliases if alias in lower), None)


def _absent(wanted: str, frame: pd.DataFrame, name: str) -> str:
    years = [column for column in frame.columns if re.fullmatch(r"(19|20)\d\d", str(column))]
    if len(years) >= 3:
        return (
            f"{name} has no column {wanted!r} but columns for the years {name_some(years, 3)}: it is in wide format. "
            f"Bring it into long format, e.g. df.melt(id_vars=[...], value_vars={years[:2]}..., var_name={wanted!r})."
        )
    return (
        f"{name} has no column {wanted!r}.{did_you_mean(wanted, frame.columns)} It has {name_some(frame.columns, 12)}."
    )


def _years(times: pd.Series, name: str) -> pd.Series:
    """Times as integers where they are whole numbers; dates and serial numbers of dates are refused."""
    if times.isna().any():
        return times  # Panel names the rows
    if pd.api.types.is_datetime64_any_dtype(times.dtype) or any(hasattr(value, "year") for value in times.tolist()):
        raise DataError(f"Column {name!r} holds dates such as {times.iloc[0]!s}: write the year alone.")
    whole = _whole(times)
    if pd.api.types.is_integer_dtype(whole.dtype) and whole.between(20000, 60000).all():
        raise DataError(
            f"Column {name!r} holds numbers such as {int(whole.iloc[0])}, which are dates as Excel stores them: format "
            "the column as dates and write the year alone."
        )
    return whole


def _whole(series: pd.Series) -> pd.Series:
    """Decimal numbers without decimals (as Stata stores years and codes) as integers."""
    if pd.api.types.is_float_dtype(series.dtype) and series.notna().all() and (series == series.round()).all():
        return series.astype("int64")
    return series
