"""Many tests at once: p-values adjusted for their number."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Control = Literal["fdr", "bonferroni", "none"]


def adjust(p: NDArray[np.float64], control: Control) -> NDArray[np.float64]:
    """Adjusted p-values, shape (n,): significant at level alpha where they are at most alpha.

    Parameters
    ----------
    p
        P-values, shape (n,). NaN stands for a unit that is not tested; it stays NaN and does not count.
    control
        ``"fdr"``: false discovery rate; ``"bonferroni"``: family-wise error; ``"none"``: as they are.

    References
    ----------
    Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate. *Journal of the Royal
    Statistical Society B* 57, 289-300, eq. 1. For local statistics: Castro, M. C. and Singer, B. H. (2006).
    *Geographical Analysis* 38, 180-208.
    """
    adjusted = p.copy()
    tested = ~np.isnan(p)
    adjusted[tested] = CONTROLS[control](p[tested])
    return adjusted


def _false_discovery(p: NDArray[np.float64]) -> NDArray[np.float64]:
    order = np.argsort(p, kind="stable")
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    stepped = np.minimum.accumulate(scaled[::-1])[::-1]
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _bonferroni(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.minimum(p * len(p), 1.0)


def _as_they_are(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return p


CONTROLS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "fdr": _false_discovery,
    "bonferroni": _bonferroni,
    "none": _as_they_are,
}
