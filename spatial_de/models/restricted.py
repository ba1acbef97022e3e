"""The restricted log-determinant of lambda: it stands for ``ln|B|`` where effects drop out differently at each lambda.

Patterson and Thompson (1971) take the likelihood of what no dummy can change: ``ln|B| - ln|C'C| / 2``, ``C = B D`` the
dummies seen through the spatial filter of the error. Its derivative is the adjusted one of `models.adjusted`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from spatial_de.logdet.interpolation import Chart, Window

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from spatial_de.logdet import JacobianTerm
    from spatial_de.models.moving import MovingData

_FEW_DUMMIES = 600  # up to which derivatives come from their dense products; above from an interpolation of ln|C'C|
_NODES = 10
_REACH = 0.05  # of a window, in s


@dataclass(frozen=True)
class RestrictedDeterminant:
    """``ln|B| - (ln|C'C| - ln|D'D|) / 2`` with ``C = B D``.

    Attributes
    ----------
    base
        ``ln|B|`` of the cells.
    data
        The dummies at every lambda.
    """

    base: JacobianTerm
    data: MovingData
    _known: dict[float, tuple[float, float]] = field(default_factory=dict)
    _windows: list[Window] = field(default_factory=list)

    @property
    def method(self) -> str:
        """Name of the method."""
        return self.base.method

    @property
    def error_bound(self) -> float:
        """That of the log-determinant, and what the last terms of the interpolation amount to."""
        return self.base.error_bound + max((window.error_bound for window in self._windows), default=0.0)

    @property
    def bounds(self) -> tuple[float, float]:
        """Admissible open interval of lambda."""
        return self.base.bounds

    def prepare(self, low: float, high: float) -> None:
        """Pass it on."""
        self.base.prepare(low, high)

    def sketch(self) -> JacobianTerm:
        """The same with a sketch of the log-determinant."""
        cheap = self.base.sketch()
        return self if cheap is self.base else RestrictedDeterminant(cheap, self.data, self._known, self._windows)

    def value(self, rho: ArrayLike) -> NDArray[np.float64]:
        """The restricted log-determinant."""
        lam = np.asarray(rho, dtype=np.float64)
        own = np.array([self.data.logdet(float(x)) for x in lam.ravel()]).reshape(lam.shape)
        return np.asarray(self.base.value(lam) - 0.5 * (own - self.data.logdet(0.0)))

    def first(self, rho: ArrayLike) -> NDArray[np.float64]:
        """First derivative: ``-tr(H) + tr(F^-1 E)`` with ``E = C'M D``."""
        lam = float(np.asarray(rho))
        return np.asarray(self.base.first(lam) + self._derivatives(lam)[0])

    def second(self, rho: ArrayLike) -> NDArray[np.float64]:
        """Second derivative."""
        lam = float(np.asarray(rho))
        return np.asarray(self.base.second(lam) + self._derivatives(lam)[1])

    def _derivatives(self, lam: float) -> tuple[float, float]:
        """First and second derivative of ``-ln|F| / 2``."""
        if self.data.rank <= _FEW_DUMMIES:
            return self._traces(lam)
        window, at = self._window(lam), np.asarray(lam)
        return -0.5 * float(window.derivative(at, 1)), -0.5 * float(window.derivative(at, 2))

    def _window(self, lam: float) -> Window:
        """``ln|F|`` around a lambda, by Chebyshev polynomials in ``artanh(lambda)`` as in `logdet.interpolation`."""
        at = np.array([lam])
        found = next((one for one in self._windows if one.holds(at)), None)
        if found is None:
            chart = Chart(*self.bounds, strip=np.pi / 4)
            s = float(chart.to_s(at)[0])
            points = s + _REACH * np.cos((np.arange(_NODES) + 0.5) * np.pi / _NODES)
            values = [self.data.logdet(float(x)) for x in chart.to_rho(points)]
            domain = [s - _REACH, s + _REACH]
            fitted = np.polynomial.Chebyshev.fit(points, values, _NODES - 1, domain=domain)
            terms = np.asarray(fitted.coef, dtype=np.float64)
            found = Window(chart, domain[0], domain[1], terms, float(np.abs(terms[-2:]).sum()))
            self._windows.append(found)
        return found

    def _traces(self, lam: float) -> tuple[float, float]:
        """The same from their formulas."""
        if lam not in self._known:
            through = self.data.through(lam)
            MD = sparse.csr_array(through.M @ through.cells.dummies)
            E = (through.projection.columns.T @ MD).toarray()
            solve = through.projection.solve
            X, Y = solve(E), solve(E.T)
            bent = float(np.sum(X * X.T) + np.sum(Y * X.T) - np.trace(solve((MD.T @ MD).toarray())))
            self._known[lam] = (float(np.trace(X)), bent)
        return self._known[lam]
