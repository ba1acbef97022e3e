"""Numbers as text: as many digits as mean something, the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

MISSING = "–"
MAX_DECIMALS = 8
_P_VALUES = ("p", "p_value", "p_sim", "q_value")
_SCORES = ("z", "t", "statistic")


def fixed(value: float, decimals: int) -> str:
    """A number with a given count of decimals and thousands separators.

    Examples
    --------
    >>> fixed(1234.5, 2), fixed(-0.00001, 3), fixed(float("nan"), 2)
    ('1,234.50', '0.000', '–')
    """
    if not np.isfinite(value):
        return MISSING if np.isnan(value) else str(value)
    text = f"{value:,.{max(decimals, 0)}f}"
    return text.lstrip("-") if not text.strip("-0.,") else text


def significant(value: float, digits: int = 4) -> str:
    """A number with a given count of significant digits; whole digits are never cut.

    Examples
    --------
    >>> significant(0.0123456), significant(86.389), significant(123456.7), significant(0.0)
    ('0.01235', '86.39', '123,457', '0')
    """
    if not np.isfinite(value) or value == 0.0:
        return fixed(value, 0)
    if not 1e-6 <= abs(value) < 1e12:
        return f"{value:.{digits - 1}e}"
    return fixed(value, decimals_for(value, digits))


def decimals_for(size: float, digits: int) -> int:
    """Decimals that show `size` with `digits` significant digits, between 0 and 8.

    Examples
    --------
    >>> decimals_for(0.0372, 3), decimals_for(12.3, 3), decimals_for(4000.0, 3)
    (4, 1, 0)
    """
    if not np.isfinite(size) or size == 0.0:
        return digits
    # rounding first: 0.0999 with two digits is 0.10, not 0.100
    exponent = int(f"{abs(size):.{digits - 1}e}".partition("e")[2])
    return int(np.clip(digits - 1 - exponent, 0, MAX_DECIMALS))


def p_value(value: float) -> str:
    """A p-value with three decimals; what is smaller says so.

    Examples
    --------
    >>> p_value(0.01234), p_value(0.0004)
    ('0.012', '<0.001')
    """
    if np.isfinite(value) and value < 0.001:
        return "<0.001"
    return fixed(value, 3)


def columns(frame: pd.DataFrame, *, digits: int = 4, labels: int = 0) -> list[list[str]]:
    """The columns of a table as text; the first `labels` ones are labels, whose integers are names, not counts.

    An estimate, its standard error and its interval get the decimals that show the standard error with one digit
    less than `digits`. The floats of any other column get the same number of decimals, so that the largest shows
    `digits` significant digits; where this would leave less than two for the smallest, each cell has its own.
    Columns called p_value, p_sim, q_value or p hold p-values.
    """
    body = [_column(frame.iloc[:, i], digits, is_label=i < labels) for i in range(frame.shape[1])]
    names = [str(name) for name in frame.columns]
    if {"estimate", "std_error"} <= set(names):
        errors = _spread(frame)
        for name in ("estimate", "std_error", "conf_low", "conf_high"):
            if name in names:
                values = frame[name].to_numpy(dtype=float)
                body[names.index(name)] = [beside(v, e, digits=digits - 1) for v, e in zip(values, errors, strict=True)]
    return body


def beside(value: float, std_error: float, *, digits: int = 3) -> str:
    """A number with the decimals that its standard error shows with `digits` significant digits.

    Examples
    --------
    >>> beside(0.56123, 0.10399), beside(0.00021669, 0.00095), beside(1.5, 0.0)
    ('0.561', '0.000217', '1.500')
    """
    if np.isfinite(std_error) and 0.0 < std_error < 10.0 ** (digits - 1 - MAX_DECIMALS):
        return significant(value)
    return fixed(value, decimals_for(std_error, digits))


def _spread(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Standard errors, or what the interval says where it is narrower: a few wild draws can make the former huge."""
    errors = frame["std_error"].to_numpy(dtype=float)
    if {"conf_low", "conf_high"} <= set(frame.columns):
        width = frame["conf_high"].to_numpy(dtype=float) - frame["conf_low"].to_numpy(dtype=float)
        errors = np.where(width > 0.0, np.fmin(errors, width / 3.92), errors)
    return errors


def _column(values: pd.Series, digits: int, *, is_label: bool = False) -> list[str]:
    if pd.api.types.is_bool_dtype(values.dtype):
        return [MISSING if pd.isna(value) else "yes" if value else "no" for value in values]
    if pd.api.types.is_integer_dtype(values.dtype):
        return [
            MISSING if pd.isna(value) else str(value) if is_label else _whole(int(value), str(values.name))
            for value in values
        ]
    if not pd.api.types.is_float_dtype(values.dtype):
        return [text(value, digits=digits) for value in values]
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    if values.name in _P_VALUES:
        return [p_value(value) for value in numbers]
    if values.name in _SCORES:
        return [fixed(value, 2) for value in numbers]
    return _floats(numbers, digits)


def text(value: object, *, digits: int = 4) -> str:
    """One value of a column of mixed content."""
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return MISSING
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if isinstance(value, float | np.floating):
        return significant(float(value), digits)
    return str(value)


def _whole(value: int, name: str) -> str:
    """Counts with separators; years without."""
    return str(value) if name in {"year", "time"} else f"{value:,}"


def _floats(numbers: NDArray[np.float64], digits: int) -> list[str]:
    sizes = np.abs(numbers)
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    if not (sizes % 1).any():  # counts that are floats only because some are missing
        return [fixed(value, 0) for value in numbers]
    decimals = decimals_for(float(sizes.max()), digits) if len(sizes) else 0
    if not len(sizes) or sizes.min() < 10.0 ** (1 - decimals):
        return [significant(value, digits) for value in numbers]
    return [fixed(value, decimals) for value in numbers]
