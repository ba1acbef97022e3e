"""Within transformations of arrays with axes (T, N, ...)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Effects = Literal["none", "individual", "time", "two-way"]
EFFECTS: tuple[Effects, ...] = ("none", "individual", "time", "two-way")


def within(x: NDArray[np.float64], effects: Effects, *, axes: tuple[int, int] = (0, 1)) -> NDArray[np.float64]:
    """Deviations from means: the projection off the dummies of the effects.

    Parameters
    ----------
    x
        Shape (T, N, ...), balanced.
    effects
        ``"individual"`` takes out unit means, ``"time"`` period means, ``"two-way"`` both.
    axes
        Which axes of `x` are times and units.

    Returns
    -------
    array, shape of `x`
        Equal to the residual of a regression on the dummies (Baltagi 2021, section 3.2). For balanced data the
        sum of squares also equals that of the orthonormal transformation of Lee and Yu (2010), so one
        transformation serves both estimators; they differ in the degrees of freedom.
    """
    out = x
    if effects in {"individual", "two-way"}:
        out = out - out.mean(axis=axes[0], keepdims=True)
    if effects in {"time", "two-way"}:
        out = out - out.mean(axis=axes[1], keepdims=True)
    return out


def free_observations(n_times: int, n_units: int, effects: Effects) -> int:
    """Dimension of the space left by the within transformation."""
    times = n_times - (effects in {"individual", "two-way"})
    units = n_units - (effects in {"time", "two-way"})
    return times * units
