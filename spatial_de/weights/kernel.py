"""Kernel weights of pairs of units, for standard errors that allow near units to be correlated."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from spatial_de.errors import WeightsError
from spatial_de.weights.core import Provenance, SpatialWeights
from spatial_de.weights.distance import locate, pairs_within
from spatial_de.weights.links import check_positive, symmetric
from spatial_de.wording import check_option, name_some

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    from numpy.typing import NDArray

KernelFunction = Literal["triangular", "epanechnikov", "bisquare", "parzen"]

_FUNCTIONS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "triangular": lambda z: 1.0 - z,
    "epanechnikov": lambda z: 1.0 - z**2,
    "bisquare": lambda z: (1.0 - z**2) ** 2,
    "parzen": lambda z: np.where(z <= 0.5, 1.0 - 6.0 * z**2 + 6.0 * z**3, 2.0 * (1.0 - z) ** 3),
}


def kernel(gdf: gpd.GeoDataFrame, *, bandwidth: float, function: KernelFunction = "triangular") -> SpatialWeights:
    """Kernel weights ``K(d / bandwidth)`` of pairs of units, for ``hac_weights=`` of `fit` and `Results.with_cov`.

    Unlike the weights of `distance_band` they are not meant for spatial lags: they are not normalised, the kernel is
    one at distance zero, and units without others within the bandwidth are nothing special.

    Parameters
    ----------
    gdf
        Polygons or points indexed by unit, with a coordinate system.
    bandwidth
        Distance in kilometres from which on errors are taken to be uncorrelated. In theory it grows more slowly than
        the map: a unit's correlated others should be few against n, about as many as the fourth root of n or more.
    function
        With z = distance / bandwidth: ``"triangular"`` 1 - z, ``"epanechnikov"`` 1 - z^2, ``"bisquare"`` (1 - z^2)^2,
        ``"parzen"`` 1 - 6 z^2 + 6 z^3 up to one half, 2 (1 - z)^3 beyond.

    Raises
    ------
    CapacityError
        Too many pairs for memory.
    BoundaryError, OptionError, AlignmentError
        As in `knn`.

    References
    ----------
    Kelejian, H. H. and Prucha, I. R. (2007). HAC estimation in a spatial framework. *Journal of Econometrics* 140,
    131-154.

    Examples
    --------
    >>> import spatial_de as sde
    >>> w = sde.weights.kernel(sde.datasets.load_provinces(), bandwidth=800)
    >>> w.provenance.rule
    'triangular kernel of great-circle distance, bandwidth 800 km'
    """
    bandwidth = check_positive(bandwidth, "bandwidth", unit=" of kilometres")
    check_option(function, _FUNCTIONS, "function")
    place = locate(gdf)
    pairs = pairs_within(place, bandwidth)
    values = _FUNCTIONS[function](np.minimum(pairs.km / bandwidth, 1.0))
    return SpatialWeights(
        symmetric(pairs.i, pairs.j, values, n=len(place.ids)),
        place.ids,
        provenance=Provenance(
            rule=f"{function} kernel of {place.metric} distance, bandwidth {bandwidth:g} km", crs=place.crs
        ),
    )


def as_kernel(w: Any, units: pd.Index[Any]) -> SpatialWeights:
    """Kernel weights in the order of `units`, checked: symmetric, none above one in size.

    Raises
    ------
    WeightsError
        Not `SpatialWeights`, or not weights of pairs; the first units concerned are named.
    AlignmentError
        The units are not those of the data.
    """
    if not isinstance(w, SpatialWeights):
        raise WeightsError(
            f"hac_weights must be SpatialWeights, not {type(w).__name__}: use sde.weights.kernel(gdf, bandwidth=...), "
            "or sde.weights.from_matrix(K, ids) for kernel weights of your own."
        )
    aligned = w.reorder(units, name="data")
    advice = "Use sde.weights.kernel(gdf, bandwidth=...), or weights with normalize='none'."
    gap = abs(aligned.sparse - aligned.sparse.T).tocoo()
    if gap.nnz and gap.max() > 1e-12:
        worst = int(np.argmax(gap.data))
        pair = (aligned.ids[gap.coords[0][worst]], aligned.ids[gap.coords[1][worst]])
        raise WeightsError(
            f"hac_weights must be the same in both directions, K_ij = K_ji, which they are not for {name_some([pair])}."
            f" {advice}"
        )
    large = aligned.sparse.tocoo()
    outside = np.flatnonzero(np.abs(large.data) > 1.0)
    if len(outside):
        worst = int(outside[0])
        pair = (aligned.ids[large.coords[0][worst]], aligned.ids[large.coords[1][worst]])
        raise WeightsError(
            f"hac_weights are weights of pairs against one of a unit with itself: {large.data[worst]:g} of "
            f"{name_some([pair])} is above one. {advice}"
        )
    return aligned
