"""Indicators on one scale, all pointing the same way: pure functions on arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Normalization = Literal["minmax", "z"]


@dataclass(frozen=True, slots=True)
class Normalized:
    """Indicators on one scale.

    Attributes
    ----------
    x
        Normalised indicators, shape (m, k); more is better in every column.
    constants
        What was subtracted and divided by, from the data as given: two named arrays of shape (k,).
    """

    x: NDArray[np.float64]
    constants: dict[str, NDArray[np.float64]]


def minmax(x: NDArray[np.float64], direction: NDArray[np.int_]) -> Normalized:
    """``(x - min) / (max - min)``, or ``(max - x) / (max - min)`` for a negative direction: within [0, 1].

    Parameters
    ----------
    x
        Indicators, shape (m, k), none of them constant.
    direction
        +1 or -1 per indicator, shape (k,).
    """
    low, high = x.min(axis=0), x.max(axis=0)
    best_first = np.where(direction > 0, x - low, high - x)
    return Normalized(best_first / (high - low), {"minimum": low, "maximum": high})


def z_score(x: NDArray[np.float64], direction: NDArray[np.int_]) -> Normalized:
    """``direction * (x - mean) / s`` with the sample standard deviation s (divisor m - 1)."""
    mean, deviation = x.mean(axis=0), x.std(axis=0, ddof=1)
    return Normalized(direction * (x - mean) / deviation, {"mean": mean, "std": deviation})


NORMALIZATIONS: dict[str, Callable[[NDArray[np.float64], NDArray[np.int_]], Normalized]] = {
    "minmax": minmax,
    "z": z_score,
}
