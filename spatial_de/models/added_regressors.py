"""Regressors that a model adds by itself: unit means of the others, dummies of times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NOTHING = 1e-12  # of a variable's size: variation that is rounding


def unit_means(values: Sequence[NDArray[np.float64]]) -> dict[int, NDArray[np.float64]]:
    """Means over time, repeated, of the variables (T, N) that vary over time and whose means differ between units.

    The intercept holds the mean of a variable with the same mean in all units already.

    References
    ----------
    Mundlak, Y. (1978). On the pooling of time series and cross section data. *Econometrica* 46, 69-85.
    """
    out = {}
    for j, x in enumerate(values):
        means = x.mean(axis=0)
        least = _NOTHING * np.abs(x).max(initial=0.0)
        if np.abs(x - means).max() > least and np.abs(means - means.mean()).max() > least:
            out[j] = np.broadcast_to(means, x.shape)
    return out


def time_dummies(T: int, N: int, *, level: bool) -> list[NDArray[np.float64]]:
    """Dummies of all times or, where something else holds the level, of all but the first as deviations from means.

    In that form the level is the mean over times whichever of them comes first. Each of shape (T, N).
    """
    own = np.eye(T)[1:] - 1.0 / T if level else np.eye(T)
    return [np.repeat(row[:, None], N, axis=1) for row in own]
