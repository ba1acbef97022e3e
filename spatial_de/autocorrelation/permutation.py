"""Permutation inference: reference distributions and the p-values read from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

Alternative = Literal["two-sided", "greater", "less"]

_BLOCK = 2_000_000  # numbers held at a time; the draws do not depend on it
_TIE = 1e-12  # rounding, relative to the largest value the statistic could take, that counts as a tie


def permuted_moran(
    z: NDArray[np.float64], W: sparse.csr_array, *, S0: float, permutations: int, seed: int
) -> NDArray[np.float64]:
    """Moran's I of `permutations` random arrangements of the deviations `z`, shape (permutations,)."""
    n, rng = len(z), np.random.default_rng(seed)
    scale = n / S0 / (z @ z)
    parts = []
    for size in _block_sizes(permutations, n):
        arranged = rng.permuted(np.tile(z, (size, 1)), axis=1)
        parts.append(scale * np.einsum("rn,nr->r", arranged, W @ arranged.T))
    return np.concatenate(parts)


def conditional_draws(n: int, largest: int, *, permutations: int, seed: int) -> NDArray[np.intp]:
    """Samples without replacement from n - 1 other units, shape (permutations, largest).

    The first k entries of each row are a random ordered sample of k others, so one table serves every unit,
    whatever its number of neighbours.
    """
    rng = np.random.default_rng(seed)
    draws = np.empty((permutations, largest), dtype=np.intp)
    for row in draws:
        row[:] = rng.choice(n - 1, size=largest, replace=False)
    return draws


def conditional_p_values(z: NDArray[np.float64], W: sparse.csr_array, draws: NDArray[np.intp]) -> NDArray[np.float64]:
    """Two-sided p-values of the local Moran statistics, shape (n,); NaN for units without neighbours.

    Each unit keeps its own value; the others are dealt anew over its neighbours (Anselin 1995).

    Parameters
    ----------
    z
        Deviations from the mean, shape (n,).
    W
        Weights, shape (n, n).
    draws
        From `conditional_draws`, with at least as many columns as the largest number of neighbours.
    """
    found = np.full(len(z), np.nan)
    largest_value = float(np.abs(z).max())
    for i, (start, stop) in enumerate(zip(W.indptr[:-1], W.indptr[1:], strict=True)):
        if start == stop:
            continue
        sampled = draws[:, : stop - start]
        others = sampled + (sampled >= i)  # 0..n-2 becomes 0..n-1 without i
        weights = W.data[start:stop]
        observed = z[i] * (z[W.indices[start:stop]] @ weights)
        ties = _TIE * abs(z[i]) * largest_value * float(np.abs(weights).sum())
        found[i] = p_value_from(z[i] * (z[others] @ weights), observed, ties=ties)
    return found


def p_value_from(
    simulated: NDArray[np.float64], observed: float, *, alternative: Alternative = "two-sided", ties: float
) -> float:
    """The share of arrangements at least as extreme as the observed one, itself counted.

    ``greater``: (number of simulated >= observed, plus 1) / (permutations + 1); ``less`` mirrored;
    ``two-sided``: twice the smaller of the two, at most 1. Values closer than `ties` count as equal.
    """
    total = len(simulated) + 1
    greater = (np.count_nonzero(simulated >= observed - ties) + 1) / total
    less = (np.count_nonzero(simulated <= observed + ties) + 1) / total
    if alternative == "two-sided":
        return float(min(1.0, 2.0 * min(greater, less)))
    return float(greater if alternative == "greater" else less)


def moran_ties(z: NDArray[np.float64], W: sparse.csr_array, *, S0: float) -> float:
    """The difference between two values of Moran's I that is rounding only."""
    bound = len(z) / abs(S0) * float(np.abs(z).max()) ** 2 * float(np.abs(W.data).sum()) / float(z @ z)
    return _TIE * bound


def _block_sizes(permutations: int, n: int) -> Iterator[int]:
    size = max(1, _BLOCK // n)
    for start in range(0, permutations, size):
        yield min(size, permutations - start)
