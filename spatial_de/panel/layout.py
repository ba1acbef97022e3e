"""Where the cells of a panel are, and how effects are taken out of variables on them.

Arrays have the axes (T, N, ...). In a balanced panel every cell holds a value; in any other, cells without a row are
zero and stay zero, so that sums over cells are sums over rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy import sparse

from spatial_de.panel.projection import Projection
from spatial_de.panel.transforms import Effects, free_observations, within

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.weights import SpatialWeights


Parts = tuple["NDArray[np.float64] | None", "NDArray[np.float64] | None"]


class Layout(Protocol):
    """Cells of a panel and the effects of a model on them."""

    @property
    def ones(self) -> NDArray[np.float64]:
        """One in each cell that holds a row, else zero, shape (T, N)."""
        ...

    @property
    def n(self) -> int:
        """Number of rows."""
        ...

    @property
    def n_free(self) -> int:
        """Dimension of the space that the effects leave."""
        ...

    def lag(self, w: SpatialWeights, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Spatial lag at each time, shape of x, (T, N)."""
        ...

    def within(self, x: NDArray[np.float64], effects: Effects) -> NDArray[np.float64]:
        """The projection off the dummies of the effects, shape of x."""
        ...

    def split(self, both: NDArray[np.float64], effects: Effects) -> Parts:
        """Effects of units, shape (N,), and of times, (T,), from their sum, (T, N); None for those that are not."""
        ...


@dataclass(frozen=True, slots=True)
class Balanced:
    """Every unit at every time, under one W."""

    n_times: int
    n_units: int
    effects: Effects

    @property
    def ones(self) -> NDArray[np.float64]:
        """All ones, shape (T, N)."""
        return np.ones((self.n_times, self.n_units))

    @property
    def n(self) -> int:
        """N T."""
        return self.n_times * self.n_units

    @property
    def n_free(self) -> int:
        """Dimension of the space that the effects leave."""
        return free_observations(self.n_times, self.n_units, self.effects)

    def lag(self, w: SpatialWeights, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """``W x`` for each time."""
        lagged: NDArray[np.float64] = (w.sparse @ x.T).T
        return lagged

    def within(self, x: NDArray[np.float64], effects: Effects) -> NDArray[np.float64]:
        """Deviations from means."""
        return within(x, effects)

    def split(self, both: NDArray[np.float64], effects: Effects) -> Parts:
        """Effects of units and of times from their sum, shape (T, N)."""
        unit = np.asarray(both.mean(axis=0)) if effects in {"individual", "two-way"} else None
        left = both if unit is None else both - unit
        time = np.asarray(left.mean(axis=1)) if effects in {"time", "two-way"} else None
        return unit, time


@dataclass(frozen=True)
class Cells:
    """Any set of cells; weights are those between cells (`weights.StackedWeights`), in the order of time, then unit.

    Attributes
    ----------
    present
        Which cells hold a row, shape (T, N).
    effects
        The effects of the model.
    """

    present: NDArray[np.bool_]
    effects: Effects

    @property
    def ones(self) -> NDArray[np.float64]:
        """One in each cell that holds a row, else zero, shape (T, N)."""
        return self.present.astype(np.float64)

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.present.sum())

    @property
    def n_free(self) -> int:
        """Rows minus the rank of the dummies."""
        return self.n - int(self.dummies.shape[1])

    @cached_property
    def dummies(self) -> sparse.csr_array:
        """Columns that span the effects and are linearly independent, shape (n, r)."""
        return dummy_columns(self.present, self.effects)

    @cached_property
    def projection(self) -> Projection:
        """Off the dummies."""
        return Projection.off(self.dummies)

    def pick(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The rows of an array (T, N, ...), shape (n, ...)."""
        return x[self.present]

    def spread(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rows (n, ...) as an array (T, N, ...), zero elsewhere."""
        out = np.zeros((*self.present.shape, *rows.shape[1:]))
        out[self.present] = rows
        return out

    def lag(self, w: SpatialWeights, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The lag among the units that are there, at each time."""
        return self.spread(w.sparse @ self.pick(x))

    def within(self, x: NDArray[np.float64], effects: Effects) -> NDArray[np.float64]:
        """The projection off the dummies."""
        return self.spread(self.projection(self.pick(x))) if effects != "none" else x

    def split(self, both: NDArray[np.float64], effects: Effects) -> Parts:
        """Effects of units and times from their sum, (T, N); with both, those of connected times have mean zero."""
        found = self.projection.coefficients(self.pick(both))
        if effects == "none":
            return None, None
        if effects != "two-way":
            return (found, None) if effects == "individual" else (None, found)
        T, N = self.present.shape
        kept, component = _independent_times(self.present)
        unit, time = found[:N], np.zeros(T)
        time[kept] = found[N:]
        of_times = component[N:]
        level = np.bincount(of_times, weights=time) / np.bincount(of_times)
        return unit + level[component[:N]], time - level[of_times]


def dummy_columns(present: NDArray[np.bool_], effects: Effects) -> sparse.csr_array:
    """Dummies of units and times without those that the others add up to, shape (n, r).

    With both, each set of units and times that rows connect has one dependent dummy: one time of each set is left out
    (Abowd, Creecy and Kramarz 2002).
    """
    time, unit = np.nonzero(present)
    T, N = present.shape
    n = len(time)
    rows, ones = np.arange(n), np.ones(n)
    of_units = sparse.csr_array((ones, (rows, unit)), shape=(n, N))[:, np.unique(unit)]
    of_times = sparse.csr_array((ones, (rows, time)), shape=(n, T))
    if effects == "individual":
        return of_units
    if effects == "time":
        return of_times[:, np.unique(time)]
    if effects == "none":
        return sparse.csr_array((n, 0))
    kept, _ = _independent_times(present)
    return sparse.csr_array(sparse.hstack([of_units, of_times[:, kept]]))


def _independent_times(present: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Times whose dummies are kept beside those of units, and the connected set of each unit and time, (N + T,)."""
    time, unit = np.nonzero(present)
    T, N = present.shape
    links = sparse.csr_array((np.ones(len(time)), (unit, N + time)), shape=(N + T, N + T))
    _, component = sparse.csgraph.connected_components(links, directed=False)
    _, first = np.unique(component[N:], return_index=True)
    return np.setdiff1d(np.arange(T), first), component
