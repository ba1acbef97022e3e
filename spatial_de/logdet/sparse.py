"""The exact log-determinant of large sparse weights: factorisations at a few nodes, interpolated in between."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.errors import CapacityError
from spatial_de.logdet.factors import Backend, backend
from spatial_de.logdet.interpolation import Chart, Window, interpolate, least_error
from spatial_de.logdet.interval import admissible_interval, probe_spectrum
from spatial_de.logdet.stochastic import StochasticLogDeterminant, from_quadrature, stochastic, unit_root

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_array

    from spatial_de.weights import SpatialWeights

_TOLERANCE, _PER_UNIT = 1e-10, 1e-12  # wanted error bound of the log-determinant: the larger of both
_REACH = 0.1  # a window asked for by single points reaches this far beyond them, in s
_END = 1.0 - 1e-12  # of the interval: s is infinite at its ends
_SKETCH_PROBES = 2
_WINDOWS = 12
_MANY = 20_000  # units from which the order in memory counts
_NEAR = 0.05  # mean distance between neighbours, as a share of n, that needs no renumbering


@dataclass(frozen=True)
class SparseLogDeterminant:
    """Exact values at Chebyshev nodes and their interpolant, made where it is asked for.

    Attributes
    ----------
    matrix
        W, or its symmetric form, the latter with units renumbered, shape (n, n).
    symmetric
        Whether it is symmetric.
    bounds
        Admissible open interval of rho.
    backend
        The factorisation.
    rough
        A cheap approximation over the whole interval.
    has_unit_root
        Whether one is known to be an eigenvalue: then ``ln(1 - rho)`` is not interpolated but added.
    drop_unit_root
        Whether it is left out instead.
    """

    matrix: csr_array
    symmetric: bool
    bounds: tuple[float, float]
    backend: Backend
    rough: StochasticLogDeterminant
    has_unit_root: bool = False
    drop_unit_root: bool = False
    _windows: list[Window] = field(default_factory=list)

    @classmethod
    def of(cls, w: SpatialWeights) -> SparseLogDeterminant:
        """Prepare weights: symmetric form, interval, backend."""
        form = w.symmetric_form
        if form is None:
            bounds = admissible_interval(w, None)
            rough = stochastic(w.sparse, symmetric=False, bounds=bounds, probes=_SKETCH_PROBES)
            return cls(w.sparse, False, bounds, backend(symmetric=False), rough, w.is_row_stochastic)
        form = _neighbours_near(form)
        quadrature = probe_spectrum(form)
        bounds = admissible_interval(w, form, quadrature)
        moments = np.array([0.0, form.data @ form.data])
        rough = from_quadrature(quadrature, moments, n=w.n, bounds=bounds)
        return cls(form, True, bounds, backend(symmetric=True), rough, w.is_row_stochastic)

    @property
    def n(self) -> int:
        """Number of units."""
        return int(self.matrix.shape[0])

    @property
    def method(self) -> str:
        """Name of the factorisation, and how much of it was needed."""
        nodes = sum(len(window.coefficients) for window in self._windows)
        return f"{self.backend.name} at {nodes} nodes"

    @property
    def error_bound(self) -> float:
        """Bound of the interpolation's error of the log-determinant over all that was asked so far."""
        return max((window.error_bound for window in self._windows), default=0.0)

    @property
    def _chart(self) -> Chart:
        return Chart(*self.bounds, strip=np.pi / 2 if self.symmetric else np.pi / 4)

    def prepare(self, low: float, high: float) -> None:
        """Make the interpolant between two values of rho, unless there is one."""
        chart = self._chart
        ends = np.clip([low, high], *(chart.centre + _END * chart.half * np.array([-1.0, 1.0])))
        if any(window.holds(ends) for window in self._windows):
            return
        s = chart.to_s(ends)
        part = (float(s[0]), float(s[1]))
        tolerance = max(_TOLERANCE, _PER_UNIT * self.n)
        if s[1] - s[0] > 2.0 * _REACH and least_error(chart, part, n=self.n) > 10.0 * tolerance:
            raise CapacityError(
                f"The log-determinant of {self.n:,} units was asked for between {low:.6g} and {high:.6g}, too wide for "
                "one interpolation: ask for a smaller part."
            )
        window = interpolate(self._without_root, chart, part, n=self.n, tolerance=tolerance)
        self._windows[:] = [*self._windows[1 - _WINDOWS :], window]

    def value(self, rho: ArrayLike) -> NDArray[np.float64]:
        """``ln|I - rho W|``, shape of `rho`."""
        return self._derivative(rho, 0)

    def first(self, rho: ArrayLike) -> NDArray[np.float64]:
        """First derivative, shape of `rho`."""
        return self._derivative(rho, 1)

    def second(self, rho: ArrayLike) -> NDArray[np.float64]:
        """Second derivative, shape of `rho`."""
        return self._derivative(rho, 2)

    def _derivative(self, rho: ArrayLike, order: int) -> NDArray[np.float64]:
        at = np.asarray(rho, dtype=np.float64)
        window = next((one for one in self._windows if one.holds(at)), None)
        if window is None:
            chart = self._chart
            ends = chart.to_rho(chart.to_s(np.array([at.min(), at.max()])) + np.array([-_REACH, _REACH]))
            try:
                self.prepare(float(ends[0]), float(ends[1]))
            except CapacityError:
                return self._in_parts(at, order)
            window = self._windows[-1]
        found = window.derivative(at, order)
        return found + unit_root(at, order) if self.has_unit_root and not self.drop_unit_root else found

    def _in_parts(self, rho: NDArray[np.float64], order: int) -> NDArray[np.float64]:
        """A derivative at values too far apart for one interpolation."""
        out = np.empty(rho.size)
        for part in np.array_split(np.argsort(rho, axis=None), 2):
            out[part] = self._derivative(rho.ravel()[part], order)
        return out.reshape(rho.shape)

    def _without_root(self, rho: NDArray[np.float64]) -> NDArray[np.float64]:
        """What is interpolated."""
        values = self.backend.values(self.matrix, rho)
        return values - unit_root(rho, 0) if self.has_unit_root else values

    def without_unit_root(self) -> SparseLogDeterminant:
        """The same without one eigenvalue of one; what is interpolated serves both."""
        return replace(self, drop_unit_root=True)

    def sketch(self) -> StochasticLogDeterminant:
        """A cheap approximation over the whole interval, to find where to look."""
        return self.rough.without_unit_root() if self.drop_unit_root else self.rough


def _neighbours_near(form: csr_array) -> csr_array:
    """The same matrix with its units renumbered where neighbours are far apart in memory: eigenvalues do not care."""
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    n = form.shape[0]
    if n < _MANY:
        return form
    distance = np.abs(np.repeat(np.arange(n), np.diff(form.indptr)) - form.indices)
    if distance.mean() <= _NEAR * n:
        return form
    order = reverse_cuthill_mckee(form, symmetric_mode=True)
    near = form[order][:, order]
    near.sort_indices()
    return near
