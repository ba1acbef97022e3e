"""Collinear regressors, found by rank and named."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.errors import EstimationWarning, IdentificationError
from spatial_de.models.triangular import ROWS, triangular_factor

if TYPE_CHECKING:
    from numpy.typing import NDArray

SINGULAR = 1e-12  # relative to the largest diagonal of a pivoted QR of columns scaled to one
ILL_CONDITIONED = 1e10


def check_rank(Z: NDArray[np.float64], names: Sequence[str]) -> None:
    """Refuse collinear columns, naming the set; warn where the condition number is above 1e10.

    Parameters
    ----------
    Z
        Regressors scaled to root mean square one, shape (n, k).
    names
        Their k labels.
    """
    from scipy.linalg import qr

    if Z.shape[1] == 0:
        return
    R, pivots = qr(Z if len(Z) <= ROWS else triangular_factor([Z]), mode="r", pivoting=True)
    R = R[: Z.shape[1]]
    size = np.abs(np.diag(R))
    rank = int((size > SINGULAR * size[0]).sum())
    if rank < Z.shape[1]:
        raise IdentificationError(_describe(R, pivots, rank=rank, names=names))
    condition = float(np.linalg.cond(R))
    if condition > ILL_CONDITIONED:
        last = names[pivots[-1]]
        warnings.warn(
            f"The regressors are nearly collinear (condition number {condition:.1e}; {last!r} is almost a combination "
            "of the others): coefficients hinge on the last digits of the data.",
            EstimationWarning,
            stacklevel=4,
        )


def _describe(R: NDArray[np.float64], pivots: NDArray[np.intp], *, rank: int, names: Sequence[str]) -> str:
    """One sentence per dependent column: which others it is a combination of."""
    found = []
    for extra in range(rank, len(pivots)):
        combination = np.linalg.solve(R[:rank, :rank], R[:rank, extra])
        partners = [names[pivots[j]] for j in range(rank) if abs(combination[j]) > 1e-8]
        found.append(f"{names[pivots[extra]]!r} is a combination of {', '.join(repr(p) for p in sorted(partners))}")
    return f"The regressors are collinear: {'; '.join(found)}. Leave one of each set out."
