"""Variables that weights are made of: one value per unit, and the times it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.errors import DataError
from spatial_de.weights.labels import as_index
from spatial_de.wording import name_some, plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from spatial_de.weights.core import SpatialWeights

_TIMES = "times"  # where a mean over times carries them, in Series.attrs


@dataclass(frozen=True)
class PerUnit:
    """One value per unit.

    Attributes
    ----------
    ids, numbers
        Labels and values, shape (n,).
    name
        Name of the variable.
    times
        Times of which the values are means; empty where they are not known.
    """

    ids: pd.Index[Any]
    numbers: NDArray[np.float64]
    name: str
    times: tuple[Any, ...]

    @property
    def span(self) -> str:
        """`times` in words."""
        return span(self.times, "averaged")

    @property
    def warning(self) -> str:
        """What to know of weights made of the variable."""
        return f"endogenous if {self.name!r} is the outcome, or reacts to it within the sample"


def span(times: tuple[Any, ...], how: str) -> str:
    """``" averaged over 2010 to 2012"``, ``" in 2010"``, or nothing."""
    if not times:
        return ""
    return f" in {times[0]}" if len(times) == 1 else f" {how} over {min(times)} to {max(times)}"


def per_unit(values: pd.Series, what: str) -> PerUnit:
    """One value per unit, averaged over the times of a panel variable.

    Parameters
    ----------
    values
        One number per unit (index: unit), or a panel variable (index: unit, time).
    what
        What needs them, for the message.

    Raises
    ------
    DataError
        Not a Series; values that are missing, infinite or text; units that do not share the same times.
    """
    if not isinstance(values, pd.Series):
        raise DataError(f"{what} needs one variable as a Series, got {type(values).__name__}.")
    name = "values" if values.name is None else str(values.name)
    _check(values, name)
    if not isinstance(values.index, pd.MultiIndex):
        average, times = values, tuple(values.attrs.get(_TIMES, ()))
    else:
        average, times = _mean(values, name)
    ids = as_index(average.index, what="the values")
    return PerUnit(ids, average.to_numpy(dtype=np.float64), name, times)


def pre_sample_mean(values: pd.Series, *, before: Any) -> pd.Series:
    """Mean of a panel variable over the times before the sample, for weights that the sample cannot have changed.

    Parameters
    ----------
    values
        A panel variable (index: unit, time).
    before
        First time of the sample: earlier ones are averaged.

    Returns
    -------
    Series
        Index: unit; it carries the times, so that weights made of it say so.

    Raises
    ------
    DataError
        There is no earlier time, or units lack some of them.

    Examples
    --------
    >>> w = economic(pre_sample_mean(panel["gdp_pc"], before=2013))  # doctest: +SKIP
    """
    if not isinstance(values, pd.Series) or not isinstance(values.index, pd.MultiIndex) or values.index.nlevels != 2:
        raise DataError('pre_sample_mean() needs a panel variable, indexed by unit and time, such as panel["gdp_pc"].')
    times = values.index.get_level_values(1)
    early = values[np.asarray(times < before)]
    if early.empty:
        raise DataError(f"There is no time before {before!r}: the variable begins with {times.min()}.")
    found = per_unit(early, "pre_sample_mean()")
    out = pd.Series(found.numbers, index=found.ids, name=values.name)
    out.attrs[_TIMES] = list(found.times)
    return out


def by_time(build: Callable[[pd.Series], SpatialWeights], values: pd.Series) -> dict[Any, SpatialWeights]:
    """Weights of each time from the values of that time, for weights that change.

    Parameters
    ----------
    build
        From one value per unit to weights, e.g. `economic`.
    values
        A panel variable (index: unit, time).

    Returns
    -------
    dict
        Weights by time, as ``fit(..., w)`` takes them.

    Raises
    ------
    DataError
        Not a panel variable.

    Examples
    --------
    >>> fit(formula, panel, by_time(economic, panel["trade"]))  # doctest: +SKIP
    """
    if not isinstance(values, pd.Series) or not isinstance(values.index, pd.MultiIndex) or values.index.nlevels != 2:
        raise DataError('by_time() needs a panel variable, indexed by unit and time, such as panel["trade"].')
    level = values.index.get_level_values(1)
    return {time: build(values[np.asarray(level == time)]) for time in level.unique().sort_values()}


def _check(values: pd.Series, name: str) -> None:
    if not pd.api.types.is_numeric_dtype(values.dtype) or pd.api.types.is_bool_dtype(values.dtype):
        raise DataError(f"Variable {name!r} must hold numbers; its type is {values.dtype}.")
    bad = values.index[~np.isfinite(values.to_numpy(dtype=np.float64, na_value=np.nan))]
    if len(bad):
        raise DataError(
            f"Variable {name!r} is missing or infinite at {name_some(bad)}. Complete it or leave these units out."
        )


def _mean(values: pd.Series, name: str) -> tuple[pd.Series, tuple[Any, ...]]:
    """Means over times that all units share."""
    if values.index.nlevels != 2:
        raise DataError(f"Variable {name!r} must be indexed by unit, or by unit and time.")
    if not values.index.is_unique:
        raise DataError(
            f"Variable {name!r} occurs more than once at {name_some(values.index[values.index.duplicated()])}."
        )
    times = values.index.unique(1)
    counts = values.groupby(level=0, sort=False).size()
    short = counts.index[counts < len(times)]
    if len(short):
        raise DataError(
            f"Averages of {name!r} would be over different times: {plural(len(short), 'unit')} lack some of the "
            f"{len(times)}: {name_some(short)}. Select times that all units have."
        )
    return values.groupby(level=0, sort=False).mean().rename_axis(index=None), tuple(times.sort_values())
