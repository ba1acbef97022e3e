"""Weights from economic distance: units are near when a variable is alike in both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.errors import WeightsError
from spatial_de.weights.core import Provenance, SpatialWeights
from spatial_de.weights.links import check_capacity, check_positive, symmetric
from spatial_de.weights.normalisation import Normalization
from spatial_de.weights.variables import per_unit
from spatial_de.wording import name_some, plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAME = 1e-12  # share of the largest value below which a difference is rounding


def economic(values: pd.Series, *, power: float = 1.0, normalize: Normalization = "row") -> SpatialWeights:
    """Weights ``|v_i - v_j| ** -power`` from a variable v, for instance the average GDP per head.

    Such weights are exogenous only if the variable is: built from the outcome, or from something the outcome changes
    within the sample, they make estimates inconsistent. Take values from before the sample where you can
    (`pre_sample_mean`). The provenance carries the variable's name, its times and this warning, and `fit` warns where
    the variable is the outcome or its times lie in the sample.

    Parameters
    ----------
    values
        One number per unit (index: unit), or a panel variable (index: unit, time), which is averaged over time.
    power
        Above zero.
    normalize
        ``"row"``, ``"spectral"``, ``"minmax"``, ``"none"``.

    Raises
    ------
    WeightsError
        Two units have equal values: the inverse of their difference is infinite; they are named.
    DataError
        Values that are missing, infinite or text; a panel variable whose units do not share the same times.
    CapacityError
        Too many units for a dense matrix.

    References
    ----------
    Case, A. C., Rosen, H. S. and Hines, J. R. (1993). *Journal of Public Economics* 52, 285-307, section 3: weights
    from the similarity of income and population.

    Examples
    --------
    >>> w = economic(pd.Series({"BJ": 20.0, "TJ": 12.0, "HE": 8.0}, name="gdp_pc"), normalize="none")
    >>> w.to_dense().loc["BJ", "TJ"]
    np.float64(0.125)
    """
    power = check_positive(power, "power")
    found = per_unit(values, "economic()")
    ids, numbers, name, span = found.ids, found.numbers, found.name, found.span
    n = len(ids)
    if n < 2:
        raise WeightsError(f"Weights need at least two units, got {n}.")
    check_capacity(n * (n - 1), advice="Economic distance links every unit with every other")
    i, j = np.triu_indices(n, 1)
    gap = np.abs(numbers[i] - numbers[j])
    same = gap <= _SAME * np.abs(numbers).max()
    if same.any():
        _refuse_equal(ids, i[same], j[same], name=name)
    return SpatialWeights(
        symmetric(i, j, gap**-power, n=n),
        ids,
        provenance=Provenance(
            rule=f"inverse absolute difference of {name!r}{span} to the power {power:g}",
            islands="none possible",
            notes=(found.warning,),
            variables=(name,),
            times=found.times,
        ),
        normalization=normalize,
    )


def _refuse_equal(ids: pd.Index[Any], i: NDArray[np.intp], j: NDArray[np.intp], *, name: str) -> None:
    names = name_some([(ids[a], ids[b]) for a, b in zip(i, j, strict=True)])
    raise WeightsError(
        f"{plural(len(i), 'pair')} of units with equal {name!r}: {names}. The inverse of a difference of zero is "
        "infinite; use values with more digits, an average over more years, or another variable."
    )
