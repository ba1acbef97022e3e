"""The exact log-determinant from the eigenvalues of W (Ord 1975)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spatial_de.errors import IdentificationError
from spatial_de.weights.stacked import StackedWeights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_array

    from spatial_de.weights import SpatialWeights

_ZERO = 1e-10  # relative to the largest row sum
# Imaginary parts below this, relative to the largest modulus, are rounding: a double real eigenvalue without a second
# eigenvector comes out as a pair a square root of the machine precision apart. A pair that is truly complex and as near
# to the real line makes I - rho W all but singular as well.
_REAL = 1e-6


@dataclass(frozen=True)
class EigenvalueLogDeterminant:
    """``ln|I - rho W| = sum_i ln(1 - rho omega_i)``.

    Attributes
    ----------
    eigenvalues
        Real, or complex in conjugate pairs, shape (n,).
    bounds
        The open interval around zero in which ``I - rho W`` is not singular: the inverses of the smallest and
        the largest real eigenvalue. Where there is no negative (positive) real eigenvalue, the inverse of the
        spectral radius stands in, which guarantees that the powers of ``rho W`` die out; where links run in one
        direction only and form no circle (from rich to poor, downstream), all eigenvalues are zero, and the inverse
        of the smaller of the largest row sum and the largest column sum stands in.

    References
    ----------
    Ord, K. (1975). Estimation methods for models of spatial interaction. *Journal of the American Statistical
    Association* 70, 120-126, equation (2.2).
    LeSage, J. and Pace, R. K. (2009). *Introduction to Spatial Econometrics*, section 4.3.2.
    """

    eigenvalues: NDArray[np.float64] | NDArray[np.complex128]
    bounds: tuple[float, float]
    method: str = "eigenvalues"
    error_bound: float = 0.0

    @classmethod
    def of(cls, w: SpatialWeights) -> EigenvalueLogDeterminant:
        """Eigenvalues of weights; through the symmetric form where W is similar to a symmetric matrix."""
        eigenvalues = _eigenvalues(w)
        return cls(eigenvalues=eigenvalues, bounds=_bounds(eigenvalues, w))

    @property
    def n(self) -> int:
        """Number of units."""
        return len(self.eigenvalues)

    def prepare(self, low: float, high: float) -> None:
        """Nothing to prepare: the eigenvalues serve every rho."""

    def without_unit_root(self) -> EigenvalueLogDeterminant:
        """The same without one eigenvalue of one: weights whose rows add up to one have it."""
        unit = int(np.argmin(np.abs(self.eigenvalues - 1.0)))
        rest: NDArray[Any] = np.delete(self.eigenvalues, unit)
        return replace(self, eigenvalues=rest)

    def sketch(self) -> EigenvalueLogDeterminant:
        """Itself: nothing is cheaper."""
        return self

    def value(self, rho: ArrayLike) -> NDArray[np.float64]:
        """``ln|I - rho W|``, shape of `rho`."""
        factors = 1.0 - np.multiply.outer(np.asarray(rho, dtype=np.float64), self.eigenvalues)
        out: NDArray[np.float64] = np.log(np.abs(factors)).sum(axis=-1)
        return out

    def first(self, rho: ArrayLike) -> NDArray[np.float64]:
        """``-sum_i omega_i / (1 - rho omega_i)``, shape of `rho`."""
        out: NDArray[np.float64] = -self._ratios(rho).real.sum(axis=-1)
        return out

    def second(self, rho: ArrayLike) -> NDArray[np.float64]:
        """``-sum_i (omega_i / (1 - rho omega_i))^2``, shape of `rho`."""
        out: NDArray[np.float64] = -(self._ratios(rho) ** 2).real.sum(axis=-1)
        return out

    def _ratios(self, rho: ArrayLike) -> NDArray[np.inexact]:
        factors = 1.0 - np.multiply.outer(np.asarray(rho, dtype=np.float64), self.eigenvalues)
        ratios: NDArray[np.inexact] = self.eigenvalues / factors
        return ratios


def _eigenvalues(w: SpatialWeights) -> NDArray[np.float64] | NDArray[np.complex128]:
    if isinstance(w, StackedWeights):
        of_blocks = {id(block): _eigenvalues(block) for block in w.blocks}
        return np.concatenate([of_blocks[id(block)] for block in w.blocks])
    form = w.symmetric_form
    if form is not None:
        return np.linalg.eigvalsh(form.toarray())
    return np.concatenate([np.linalg.eigvals(block) for block in _strong_blocks(w.sparse)])


def _strong_blocks(matrix: csr_array) -> Iterator[NDArray[np.float64]]:
    """Dense diagonal blocks of the units that can reach each other: their eigenvalues are those of the whole.

    Of the whole matrix at once, eigenvalues that blocks share would come out as complex pairs.
    """
    from scipy.sparse.csgraph import connected_components

    count, labels = connected_components(matrix, directed=True, connection="strong")
    order = np.argsort(labels, kind="stable")
    for members in np.split(order, np.cumsum(np.bincount(labels, minlength=count))[:-1]):
        yield matrix[members][:, members].toarray()


def _bounds(eigenvalues: NDArray[np.float64] | NDArray[np.complex128], w: SpatialWeights) -> tuple[float, float]:
    size = abs(w.sparse)
    reach = float(min(size.sum(axis=1).max(), size.sum(axis=0).max()))
    if reach == 0.0:
        raise IdentificationError("The weights hold no links: a spatial lag is not identified.")
    radius = float(np.abs(eigenvalues).max())
    if radius <= _ZERO * reach:
        return -1.0 / reach, 1.0 / reach
    real = eigenvalues.real[np.abs(eigenvalues.imag) <= _REAL * radius]
    smallest, largest = float(real.min(initial=0.0)), float(real.max(initial=0.0))
    low = 1.0 / smallest if smallest < -_ZERO * radius else -1.0 / radius
    high = 1.0 / largest if largest > _ZERO * radius else 1.0 / radius
    is_one = w.is_row_stochastic and abs(high - 1.0) < _ZERO  # negative weights may have a larger eigenvalue than one
    return low, 1.0 if is_one else high
