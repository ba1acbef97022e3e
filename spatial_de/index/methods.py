"""The methods of a composite index, one function each, and their registry.

Every method takes normalised indicators, shape (m, k), in which more is better, and returns `Scores`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.errors import DataError
from spatial_de.index.normalisation import Normalization

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Scores:
    """What a method found.

    Attributes
    ----------
    index
        The index, shape (m,).
    weights
        Weight of each indicator, shape (k,), adding up to one.
    details
        What the weights came from: named arrays of shape (k,).
    summary
        Named numbers about the whole.
    """

    index: NDArray[np.float64]
    weights: NDArray[np.float64]
    details: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    summary: dict[str, float] = field(default_factory=dict)


def equal(x: NDArray[np.float64]) -> Scores:
    """The mean of the indicators."""
    weights = np.full(x.shape[1], 1.0 / x.shape[1])
    return Scores(x @ weights, weights)


def entropy(x: NDArray[np.float64]) -> Scores:
    """Weights by Shannon entropy: an indicator that differs more between observations counts more.

    ``p_ij = x_ij / sum_i x_ij``, ``e_j = -sum_i p_ij ln p_ij / ln m``, ``w_j = (1 - e_j) / sum_j (1 - e_j)``,
    index ``sum_j w_j x_ij``. The smallest observation has p = 0 and adds nothing, the limit of p ln p: no small
    constant is added to the data, which in other programs changes the weights with the constant chosen.

    Parameters
    ----------
    x
        Non-negative numbers, shape (m, k).

    References
    ----------
    Shannon, C. E. (1948). A mathematical theory of communication. *Bell System Technical Journal* 27, section 6.
    Zou, Z., Yun, Y. and Sun, J. (2006). Entropy method for determination of weight of evaluating indicators.
    *Journal of Environmental Sciences* 18, 1020-1023.
    """
    p = x / x.sum(axis=0)
    logarithm = np.log(p, out=np.zeros_like(p), where=p > 0)
    entropies = -(p * logarithm).sum(axis=0) / np.log(len(x))
    redundancy = 1.0 - entropies
    weights = redundancy / redundancy.sum()
    return Scores(x @ weights, weights, {"entropy": entropies, "redundancy": redundancy})


def entropy_topsis(x: NDArray[np.float64]) -> Scores:
    """Closeness to the best and distance from the worst observation, under entropy weights: within [0, 1].

    ``C_i = D-_i / (D+_i + D-_i)``, with D+ and D- the Euclidean distances of ``w_j x_ij`` from the largest and
    the smallest value of each column.

    References
    ----------
    Hwang, C. L. and Yoon, K. (1981). *Multiple Attribute Decision Making*, Springer, p. 128-134; with min-max
    in place of vector normalisation, so that the units of an indicator do not matter.
    """
    weighted = entropy(x)
    v = x * weighted.weights
    to_best = np.linalg.norm(v.max(axis=0) - v, axis=1)
    to_worst = np.linalg.norm(v - v.min(axis=0), axis=1)
    return Scores(to_worst / (to_best + to_worst), weighted.weights, weighted.details)


def pca(x: NDArray[np.float64], *, explained: float | None = None) -> Scores:
    """Weights from principal components of the covariance matrix (of z-scores: the correlation matrix).

    A component's loadings are signed so that they add up to a positive number: the component then covaries
    positively with the sum of the indicators. Several components are averaged with their shares of the variance.
    Weights are the (averaged) loadings divided by their sum, so that the index is a weighted mean of the
    indicators; a weight may be negative.

    Parameters
    ----------
    x
        Normalised indicators, shape (m, k).
    explained
        Use as many components as hold at least this share of the variance; None: the first one only.

    Raises
    ------
    DataError
        The loadings of a component add up to zero, so that it has no direction.

    References
    ----------
    Jolliffe, I. T. (2002). *Principal Component Analysis*, 2nd ed., Springer, chapters 2 and 6.1.1.
    """
    variances, vectors = np.linalg.eigh(np.cov(x, rowvar=False))
    variances, vectors = np.maximum(variances[::-1], 0.0), vectors[:, ::-1]
    shares = variances / variances.sum()
    used = 1 if explained is None else int(np.argmax(np.cumsum(shares) >= explained - 1e-12)) + 1
    sums = vectors[:, :used].sum(axis=0)
    if (np.abs(sums) < 1e-8).any():
        which = int(np.argmax(np.abs(sums) < 1e-8)) + 1
        raise DataError(
            f"Principal component {which} only contrasts indicators (its loadings add up to zero): whether more of "
            "it is better cannot be told. Check the directions, use fewer components or another method."
        )
    loadings = vectors[:, :used] * np.sign(sums)
    combined = loadings @ (shares[:used] / shares[:used].sum())
    weights = combined / combined.sum()
    return Scores(
        x @ weights,
        weights,
        {f"loading_{c + 1}": loadings[:, c] for c in range(used)},
        {"components": used, "explained": float(shares[:used].sum())},
    )


@dataclass(frozen=True, slots=True)
class Method:
    """A row of the registry.

    Attributes
    ----------
    compute
        Normalised indicators to `Scores`.
    normalizations
        Those the method can use; the first is its default.
    options
        Names of the options it takes.
    """

    compute: Callable[..., Scores]
    normalizations: tuple[Normalization, ...]
    options: tuple[str, ...] = ()


METHODS: dict[str, Method] = {
    "entropy": Method(entropy, ("minmax",)),
    "entropy-topsis": Method(entropy_topsis, ("minmax",)),
    "pca": Method(pca, ("z", "minmax"), options=("explained",)),
    "equal": Method(equal, ("minmax", "z")),
}
