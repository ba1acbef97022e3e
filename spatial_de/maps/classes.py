"""Classes of a choropleth: bins and their labels."""

from __future__ import annotations

import itertools
import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np

from spatial_de.errors import DataError, OptionError
from spatial_de.wording import check_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Scheme = Literal["quantiles", "equal-interval", "natural-breaks", "std-mean", "head-tail", "pretty"]
SCHEMES: dict[str, str] = {
    "quantiles": "Quantiles",
    "equal-interval": "EqualInterval",
    "natural-breaks": "FisherJenks",
    "std-mean": "StdMean",
    "head-tail": "HeadTailBreaks",
    "pretty": "PrettyBreaks",
}
_WITHOUT_K = {"std-mean", "head-tail"}


def upper_bounds(
    values: NDArray[np.float64], *, scheme: Scheme, k: int, bins: Sequence[float] | None = None
) -> NDArray[np.float64]:
    """Upper bounds of the classes, increasing, the last one at least the maximum.

    Parameters
    ----------
    values
        All values the map (or all maps of a series) shows, without missing ones.
    scheme
        Classification of mapclassify.
    k
        Number of classes wanted; fewer where values are tied.
    bins
        The user's own upper bounds; they decide alone.
    """
    if not len(values):
        raise DataError("There are no values to map: all are missing.")
    if bins is not None:
        own = np.asarray(bins, dtype=np.float64)
        if not len(own) or not (np.diff(own) > 0).all() or own[-1] < values.max():
            raise OptionError(
                f"bins={list(bins)!r} must be increasing upper bounds, the last one not below the largest value "
                f"({values.max():g})."
            )
        return own
    check_option(scheme, SCHEMES, "scheme")
    distinct = len(np.unique(values))
    if not 1 < k <= 12:
        raise OptionError(f"k={k!r} must be between 2 and 12.")
    if distinct == 1:
        return np.array(values[:1])
    import mapclassify

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ties; the bounds below are made distinct
        classifier = getattr(mapclassify, SCHEMES[scheme])
        found = classifier(values) if scheme in _WITHOUT_K else classifier(values, k=min(k, distinct))
    bounds: NDArray[np.float64] = np.unique(np.asarray(found.bins, dtype=np.float64))
    bounds = bounds[np.concatenate([[True], bounds[:-1] < values.max()]) & (bounds >= values.min())]
    bounds[-1] = max(bounds[-1], values.max())
    return bounds


def class_of(values: NDArray[np.float64], bounds: NDArray[np.float64]) -> NDArray[np.intp]:
    """Class of each value: 0, 1, ...; -1 where the value is missing."""
    found = np.searchsorted(bounds, values, side="left")
    return np.where(np.isnan(values), -1, np.minimum(found, len(bounds) - 1))


def class_labels(lowest: float, bounds: NDArray[np.float64], *, to: str) -> list[str]:
    """``"0.12 to 0.25"`` for each class, with just enough digits to tell the bounds apart."""
    ends = np.concatenate([[lowest], bounds])
    gaps = np.diff(ends)
    smallest = gaps[gaps > 0].min() if (gaps > 0).any() else max(abs(lowest), 1.0)
    decimals = int(np.clip(1 - np.floor(np.log10(smallest)), 0, 12))
    if 10 <= smallest < 100 and (ends != np.round(ends)).any():
        decimals = 1
    shown = [_fixed(end, decimals) for end in ends]
    labels = [a if a == b else f"{a}{to}{b}" for a, b in itertools.pairwise(shown)]
    if bounds[0] < lowest:  # the user's own classes begin below the data
        labels[0] = f"≤ {shown[1]}"
    return labels


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    return text.lstrip("-") if not text.strip("-0.,") else text
