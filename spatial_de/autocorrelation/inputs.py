"""What both statistics need first: options checked, the variable met with the weights by label."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.errors import AlignmentError, DataError, DataWarning, OptionError, PanelError, WeightsError
from spatial_de.weights.core import SpatialWeights
from spatial_de.weights.labels import as_index, match_labels
from spatial_de.wording import name_some, plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TINY, _HUGE = 1e-70, 1e70


@dataclass(frozen=True, slots=True)
class Aligned:
    """A variable in the order of the weights.

    Attributes
    ----------
    x
        The variable, shape (n,).
    z
        Its deviations from the mean, shape (n,).
    position
        Where each value stood in the series given, shape (n,): ``x == series[position]``.
    """

    x: NDArray[np.float64]
    z: NDArray[np.float64]
    position: NDArray[np.intp]


def canonical(w: SpatialWeights) -> SpatialWeights:
    """The weights with units in the order of their labels.

    All computation happens in this order, so that neither the order of the data nor that of the weights
    changes a single digit, random permutations included.

    Raises
    ------
    WeightsError
        Not `SpatialWeights`, or without any link.
    """
    if not isinstance(w, SpatialWeights):
        raise WeightsError(
            f"w is a {type(w).__name__}, not SpatialWeights: make them with sde.weights.contiguity(...), or with "
            "sde.weights.from_graph(...) from a libpysal Graph or W."
        )
    if abs(w.sparse.sum()) <= 1e-12 * abs(w.sparse).sum():
        raise WeightsError("The weights add up to zero (no links?): Moran's I is not defined.")
    labels = w.ids.tolist()
    try:
        ordered = sorted(labels)
    except TypeError:  # text and numbers mixed
        ordered = sorted(labels, key=lambda label: (type(label).__name__, repr(label)))
    return w.reorder(pd.Index(ordered, dtype=w.ids.dtype))


def align(x: pd.Series, w: SpatialWeights, *, where: str = "") -> Aligned:
    """The variable in the order of `w`, matched by label and checked.

    Parameters
    ----------
    x
        Numbers indexed by unit id, in any order.
    w
        Weights of exactly the same units.
    where
        Added to messages, e.g. ``" in 2014"``.

    Raises
    ------
    AlignmentError
        Units missing on either side, duplicated, or written differently.
    DataError
        Not numbers, missing or infinite values, constant, fewer than three units.
    """
    name = f"{x.name!r}{where}" if x.name is not None else f"the variable{where}"
    units = as_index(x.index, what=name)
    position = match_labels(units, w.ids, left=name, right="the weights")
    values = _numbers(x, name)[position]
    bad = ~np.isfinite(values)
    if bad.any():
        raise DataError(
            f"{name}: {plural(int(bad.sum()), 'unit')} without a finite number (NaN or inf): "
            f"{name_some(w.ids[bad])}. Fill the gaps, or leave these units out of both sides "
            "(series.drop(ids), w.subset(ids))."
        )
    if w.n < 3:
        raise DataError(f"{name}: {plural(w.n, 'unit')} only; at least 3 are needed.")
    if np.ptp(values) <= 8 * np.finfo(np.float64).eps * np.abs(values).max():
        raise DataError(
            f"{name}: all {w.n} units have the same value {values[0]:g}; a constant has no spatial pattern."
        )
    spread = float(np.ptp(values))
    if not _TINY < spread < _HUGE:  # their fourth powers would leave the range of double precision
        raise DataError(f"{name}: the values spread over {spread:.0e}: express them in other units.")
    return Aligned(values, values - values.mean(), position)


def is_panel_variable(x: object) -> bool:
    """Whether `x` is a series over units and times; anything but a series is refused.

    Raises
    ------
    DataError
        Not a pandas Series, or one with more than two index levels.
    """
    if not isinstance(x, pd.Series):
        raise DataError(
            f"x is a {type(x).__name__}; units are matched by label, so a pandas Series indexed by unit id is "
            "needed, or a panel variable such as panel['gdp']."
        )
    if x.index.nlevels > 2:
        raise DataError(f"x has {x.index.nlevels} index levels: use unit, or unit and time.")
    return x.index.nlevels == 2


def by_time(x: pd.Series, w: SpatialWeights) -> Iterator[tuple[Any, pd.Series]]:
    """Each time of a panel variable, in ascending order, with its values indexed by unit.

    Raises
    ------
    PanelError
        A unit occurs twice in one time.
    AlignmentError
        The index levels are (time, unit) instead of (unit, time).
    """
    if not x.index.is_unique:
        twice = x.index[x.index.duplicated()].unique()
        raise PanelError(f"{plural(len(twice), 'pair')} of unit and time occur more than once: {name_some(twice)}.")
    units, times = x.index.unique(level=0), x.index.unique(level=1)
    if not units.isin(w.ids).any() and times.isin(w.ids).any():
        raise AlignmentError("The index of the panel variable is (time, unit); (unit, time) is needed: x.swaplevel().")
    for time, values in x.groupby(level=1, sort=True):
        yield time, values.droplevel(1)


def check_run(*, permutations: int, seed: int) -> None:
    """Raise `OptionError` unless `permutations` is a positive and `seed` a non-negative whole number."""
    _check_whole(permutations, "permutations", at_least=1)
    _check_whole(seed, "seed", at_least=0)


def enough_permutations(n: int) -> int:
    """9,999, or the number of arrangements of `n` values where these are fewer."""
    return min(9999, math.factorial(n)) if n < 12 else 9999


def warn_if_few_arrangements(n: int, *, permutations: int) -> None:
    """Warn where `n` values can be arranged in fewer ways than permutations are drawn."""
    if n < 12 and math.factorial(n) < permutations:
        warnings.warn(
            f"{n} values can be arranged in only {math.factorial(n):,} ways, fewer than the {permutations:,} "
            "permutations: p_sim repeats the same arrangements and cannot become finer.",
            DataWarning,
            stacklevel=4,
        )


def _check_whole(value: object, name: str, *, at_least: int) -> None:
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < at_least:  # type: ignore[operator]
        raise OptionError(f"{name}={value!r} is not allowed: give a whole number of at least {at_least}.")


def _numbers(x: pd.Series, name: str) -> NDArray[np.float64]:
    if not pd.api.types.is_numeric_dtype(x.dtype) or pd.api.types.is_bool_dtype(x.dtype):
        text = [unit for unit, value in x.items() if isinstance(value, str)]
        found = f"text at {name_some(text)}" if text else f"values of type {x.dtype}"
        raise DataError(f"{name}: {found}; numbers are needed (x.astype(float) converts what can be).")
    if pd.api.types.is_complex_dtype(x.dtype):
        raise DataError(f"{name}: complex numbers; real ones are needed.")
    return x.to_numpy(dtype=np.float64, na_value=np.nan)
