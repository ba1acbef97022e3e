"""What builders of many links share: symmetric assembly, and a look at the memory before allocating it."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from spatial_de.errors import CapacityError, OptionError, WeightsWarning

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MANY_LINKS = 10_000_000
_TOO_MANY_LINKS = 150_000_000
_BYTES_PER_LINK = 48  # at the peak: pairs, distances, weights and both directions of the matrix


def symmetric(i: NDArray[np.intp], j: NDArray[np.intp], weight: NDArray[np.float64], *, n: int) -> sparse.csr_array:
    """Matrix with links i -> j and j -> i of equal weight, shape (n, n); weights of zero are no links."""
    rows, columns = np.concatenate([i, j]), np.concatenate([j, i])
    matrix = sparse.csr_array((np.concatenate([weight, weight]), (rows, columns)), shape=(n, n))
    matrix.eliminate_zeros()
    return matrix


def paths_of_order(matrix: sparse.csr_array, order: int, *, include_lower: bool) -> sparse.csr_array:
    """Units whose shortest path has exactly (at most) `order` steps."""
    reached = sparse.eye_array(matrix.shape[0], format="csr")
    front, lower = reached, []
    for _ in range(order):
        step = (front @ matrix).astype(bool).astype(np.float64)
        front = step - step.multiply(reached.astype(bool))
        front = sparse.csr_array(front)
        front.eliminate_zeros()
        reached = sparse.csr_array(reached + front)
        lower.append(front)
    out = sparse.csr_array(sum(lower[1:], start=lower[0])) if include_lower else front
    if out.nnz == 0:
        warnings.warn(f"No unit has a neighbour of order {order}.", WeightsWarning, stacklevel=3)
    return out


def check_capacity(n_links: int, *, advice: str) -> None:
    """Refuse a matrix that would not fit into memory, warn of one that is heavy.

    Raises
    ------
    CapacityError
        More than 150 million links; says how many gigabytes they would need.
    """
    size = f"{n_links / 1e6:,.0f} million links, about {n_links * _BYTES_PER_LINK / 1e9:,.1f} GB while building"
    if n_links > _TOO_MANY_LINKS:
        raise CapacityError(f"The weights would hold {size}. {advice}.")
    if n_links > _MANY_LINKS:
        warnings.warn(
            f"The weights hold {size}; estimation will be slow. {advice}.",
            WeightsWarning,
            stacklevel=4,
        )


def check_positive(value: Any, name: str, *, unit: str = "") -> float:
    """A finite number above zero, as float.

    Raises
    ------
    OptionError
        Anything else.
    """
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not (number and math.isfinite(value) and value > 0):
        raise OptionError(f"{name}={value!r} must be a positive number{unit}.")
    return float(value)


def check_count(value: Any, name: str, *, most: int, why: str) -> int:
    """A whole number from 1 to `most`.

    Raises
    ------
    OptionError
        Anything else.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not (whole and 1 <= value <= most):
        raise OptionError(f"{name}={value!r} must be a whole number from 1 to {most:,}{why}.")
    return int(value)
