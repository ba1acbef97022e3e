"""Triangular factors of data with many rows, block by block: no copy of the data, no orthogonal factor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = 1 << 14  # of a block: a few megabytes, which stay in the processor's cache


def blocks(rows: int) -> Iterator[slice]:
    """Parts of at most `ROWS` rows that make up all rows."""
    for start in range(0, rows, ROWS):
        yield slice(start, start + ROWS)


def triangular_factor(columns: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """``R`` of the QR decomposition of columns put side by side, shape (min(n, m), m).

    As stable as Householder's decomposition of the whole, which it is where one block holds all rows.

    Parameters
    ----------
    columns
        Arrays of shape (n, ...); all axes but the first are columns.

    References
    ----------
    Demmel, J., Grigori, L., Hoemmen, M. and Langou, J. (2012). Communication-optimal parallel and sequential QR and LU
    factorizations. *SIAM Journal on Scientific Computing* 34, A206-A239, section 3.
    """
    rows = len(columns[0])
    parts = [_factor(np.hstack([one[part].reshape(len(one[part]), -1) for one in columns])) for part in blocks(rows)]
    return parts[0] if len(parts) == 1 else _factor(np.vstack(parts))


def _factor(block: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.linalg import qr

    R = qr(block, mode="r", overwrite_a=True, check_finite=False)[0]
    return np.asarray(R[: min(R.shape)])
