"""Columns of data: a constant taken out, lagged, transformed, scaled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.errors import DataError, IdentificationError
from spatial_de.panel.design import INTERCEPT
from spatial_de.panel.layout import Balanced
from spatial_de.wording import name_some

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.panel.layout import Layout
    from spatial_de.panel.transforms import Effects
    from spatial_de.weights import SpatialWeights

_TINY, _HUGE = 1e-140, 1e140


@dataclass(frozen=True, slots=True)
class Column:
    """A variable with a constant taken out: true values are ``values + centre``."""

    values: NDArray[np.float64]
    centre: float


class Lag:
    """Spatial lag of a centred column.

    A large offset costs digits, so the constant is lagged by itself: ``W (x + c) = W x + c W 1``. Where the
    model absorbs ``W 1`` (rows that add up to one, or individual effects) the second term moves nothing but
    the constant.
    """

    def __init__(self, w: SpatialWeights | None, layout: Layout, eliminated: Effects) -> None:
        self._weights = w
        self.layout = layout
        # unit means absorb W 1 where it is the same at all times
        constant = isinstance(layout, Balanced) and eliminated in {"individual", "two-way"}
        self._absorbs = constant or (w is not None and w.is_row_stochastic)

    def plain(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """``W x`` for each time, shape (T, N)."""
        if self._weights is None:
            raise ValueError("a model without weights has no lag")
        return self.layout.lag(self._weights, x)

    def __call__(self, column: Column) -> Column:
        """The lag of a column, its own constant taken out."""
        lagged = self.plain(column.values)
        if self._absorbs:
            return Column(lagged, column.centre)
        lagged = lagged + column.centre * self.plain(self.layout.ones)
        centre = float(lagged.sum() / self.layout.n) if column.centre else 0.0
        return Column(lagged - centre * self.layout.ones, centre)


def centred(x: NDArray[np.float64], layout: Layout, *, wanted: bool) -> Column:
    """A column with its mean taken out, where that is wanted."""
    centre = float(x.sum() / layout.n) if wanted else 0.0
    return Column(x - centre * layout.ones, centre)


def transform_response(y: Column, layout: Layout, effects: Effects, *, name: str) -> tuple[NDArray[np.float64], float]:
    """The response without effects, scaled, shape (T, N), and its scale."""
    transformed = layout.within(y.values, effects)
    scale = _rms(transformed)
    _check_magnitude(name, scale)
    if scale <= 1e-13 * max(abs(y.centre), np.abs(y.values).max()):
        what = "is constant" if effects == "none" else f"does not vary beyond its {effects} effects"
        raise DataError(f"The response {name!r} {what}: there is nothing to explain.")
    return transformed / scale, scale


def transform_regressors(
    columns: list[Column], names: list[str], *, layout: Layout, effects: Effects
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Regressors without effects, scaled, shape (T, N, k), and their scales, shape (k,)."""
    Z = np.empty((*layout.ones.shape, len(columns)))
    scales = np.empty(len(columns))
    flat = []
    for j, column in enumerate(columns):
        transformed = layout.within(column.values, effects)
        scales[j] = _rms(transformed)
        size = np.abs(column.values).max()
        if scales[j] <= 1e-12 * size or (names[j] != INTERCEPT and size <= 1e-14 * abs(column.centre)) or size == 0.0:
            flat.append(names[j])
            continue
        _check_magnitude(names[j], scales[j])
        Z[:, :, j] = transformed / scales[j]
    if flat:
        raise IdentificationError(_flat_message(flat, effects))
    return Z, scales


def lagged_regressors(
    columns: list[Column], lag: Lag, *, scale: NDArray[np.float64], like: NDArray[np.float64], effects: Effects
) -> NDArray[np.float64]:
    """Regressors lagged by the weights of the error, shape (T, N, k)."""
    out = np.empty_like(like)
    for j, column in enumerate(columns):
        out[:, :, j] = lag.layout.within(lag.plain(column.values), effects) / scale[j]
    return out


def _check_magnitude(name: str, scale: float) -> None:
    """Squares of such numbers would leave the range of double precision."""
    if scale and not _TINY < scale < _HUGE:
        raise DataError(f"Variable {name!r} has values of size {scale:.0e}: express it in other units.")


def _flat_message(flat: list[str], effects: Effects) -> str:
    reason = {
        "none": "No variation in {}: the intercept absorbs a constant",
        "individual": "No variation over time within units in {}: the individual effects absorb it",
        "time": "No variation over units within times in {}: the time effects absorb it",
        "two-way": "No variation beyond unit and time means in {}: the two-way effects absorb it",
    }[effects]
    return f"{reason.format(name_some(flat))}. Leave it out, or choose other effects (fixed=...)."


def _rms(x: NDArray[np.float64]) -> float:
    size = float(np.abs(x).max(initial=0.0))
    return 0.0 if size == 0.0 else size * float(np.sqrt(np.mean((x / size) ** 2)))
