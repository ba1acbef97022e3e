"""Moran's I and its moments under the null hypothesis: pure functions on arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse


@dataclass(frozen=True, slots=True)
class WeightSums:
    """The three sums of a weights matrix on which the moments of Moran's I depend.

    Attributes
    ----------
    S0
        Sum of all weights.
    S1
        Half the sum of ``(w_ij + w_ji)**2``.
    S2
        Sum over units of (row sum + column sum) squared.
    """

    S0: float
    S1: float
    S2: float


def weight_sums(W: sparse.csr_array) -> WeightSums:
    """S0, S1, S2 of a weights matrix, shape (n, n), symmetric or not, islands included.

    References
    ----------
    Cliff, A. D. and Ord, J. K. (1981). *Spatial Processes*, Pion, p. 19, eq. 1.44-1.46.
    """
    both = W + W.T
    margins = W.sum(axis=1) + W.sum(axis=0)
    return WeightSums(float(W.sum()), 0.5 * float((both.data**2).sum()), float((margins**2).sum()))


def moran_statistic(z: NDArray[np.float64], W: sparse.csr_array, *, S0: float) -> float:
    """``(n / S0) z'Wz / z'z`` for deviations from the mean `z`, shape (n,)."""
    return float(len(z) / S0 * (z @ (W @ z)) / (z @ z))


def expected_moran(n: int) -> float:
    """``-1 / (n - 1)``, under normality and under randomisation, for any W with a zero diagonal."""
    return -1.0 / (n - 1)


def variance_normality(sums: WeightSums, n: int) -> float:
    """Variance of I where the values are independent draws from one normal distribution.

    References
    ----------
    Cliff and Ord (1981), p. 21, eq. 1.38.
    """
    S0, S1, S2 = sums.S0, sums.S1, sums.S2
    second = (n**2 * S1 - n * S2 + 3 * S0**2) / ((n - 1) * (n + 1) * S0**2)
    return second - expected_moran(n) ** 2


def variance_randomization(sums: WeightSums, z: NDArray[np.float64]) -> float:
    """Variance of I over all n! arrangements of the observed values; exact for n of at least 4.

    Parameters
    ----------
    sums
        Sums of the weights.
    z
        Deviations from the mean, shape (n,); they enter through their kurtosis ``m4 / m2**2``.

    References
    ----------
    Cliff and Ord (1981), p. 21, eq. 1.39.
    """
    S0, S1, S2 = sums.S0, sums.S1, sums.S2
    n = len(z)
    scaled = z / np.sqrt(np.mean(z**2))
    kurtosis = float(np.mean(scaled**4))
    first = n * ((n**2 - 3 * n + 3) * S1 - n * S2 + 3 * S0**2)
    second = kurtosis * ((n**2 - n) * S1 - 2 * n * S2 + 6 * S0**2)
    return (first - second) / ((n - 1) * (n - 2) * (n - 3) * S0**2) - expected_moran(n) ** 2


@dataclass(frozen=True, slots=True)
class LocalMoments:
    """Local Moran statistics and their moments given each unit's own value; arrays of shape (n,)."""

    I: NDArray[np.float64]  # noqa: E741  the literature's name
    expected: NDArray[np.float64]
    variance: NDArray[np.float64]


def local_moments(z: NDArray[np.float64], W: sparse.csr_array, *, m2: float) -> LocalMoments:
    """``I_i = z_i (Wz)_i / m2`` with mean and variance over all arrangements of the other n - 1 values.

    Given its own value a unit's lag is a weighted sum of a sample without replacement from the others, whose
    mean is ``-z_i / (n - 1)``.

    Parameters
    ----------
    z
        Deviations from the mean, shape (n,).
    W
        Weights, shape (n, n).
    m2
        The scale: z'z divided by n or by n - 1.

    References
    ----------
    Sokal, R. R., Oden, N. L. and Thomson, B. A. (1998). Local spatial autocorrelation in a biological model.
    *Geographical Analysis* 30, 331-354, eq. A7 and A8.
    """
    n = len(z)
    row, row_squares = W.sum(axis=1), (W**2).sum(axis=1)
    mean_others = -z / (n - 1)
    variance_others = (z @ z - z**2) / (n - 1) - mean_others**2
    variance_others[variance_others <= 1e-12 * (z @ z) / n] = 0.0  # all others have the same value
    unequal = row_squares - row**2 / (n - 1)  # zero for a unit linked equally to all others
    unequal[unequal <= 1e-12 * row_squares] = 0.0
    return LocalMoments(
        I=z * (W @ z) / m2,
        expected=z / m2 * row * mean_others,
        variance=(z / m2) ** 2 * variance_others * (n - 1) / (n - 2) * unequal,
    )
