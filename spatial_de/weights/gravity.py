"""Weights of the gravity model: masses at a distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from spatial_de.errors import DataError
from spatial_de.weights.core import IslandTreatment, Provenance, SpatialWeights
from spatial_de.weights.distance import inverse_distance
from spatial_de.weights.labels import match_labels
from spatial_de.weights.variables import per_unit
from spatial_de.wording import name_some

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from spatial_de.weights.normalisation import Normalization


def gravity(
    gdf: gpd.GeoDataFrame,
    mass: pd.Series,
    *,
    power: float = 2.0,
    cutoff: float | None = None,
    islands: IslandTreatment = "error",
    normalize: Normalization = "row",
) -> SpatialWeights:
    """Weights of the gravity model, ``m_i m_j d_ij ** -power``, distances in kilometres between centroids.

    Row-standardised, the mass of the unit itself drops out, and neighbours weigh by their own.

    Parameters
    ----------
    gdf
        Polygons or points indexed by unit, with a coordinate system.
    mass
        A positive number per unit, such as population or GDP; a panel variable is averaged. Better from before the
        sample: `pre_sample_mean`.
    power, cutoff, islands, normalize
        As for `inverse_distance`.

    Raises
    ------
    AlignmentError
        Map and masses hold different units.
    DataError
        Masses that are missing, zero or negative.
    WeightsError, IslandError, BoundaryError, OptionError
        As for `inverse_distance`.

    References
    ----------
    Anselin, L. and Bera, A. K. (1998). Spatial dependence in linear regression models. In *Handbook of Applied Economic
    Statistics*, section II.B.
    """
    base = inverse_distance(gdf, power=power, cutoff=cutoff, islands=islands, normalize="none")
    found = per_unit(mass, "gravity()")
    m = found.numbers[match_labels(found.ids, base.ids, left="masses", right="the map")]
    if (m <= 0.0).any():
        raise DataError(
            f"Masses must be positive; {found.name!r} is zero or negative at {name_some(base.ids[m <= 0.0])}."
        )
    m = m / np.exp(np.mean(np.log(m)))  # only ratios matter, and products of large masses could overflow
    scale = sparse.diags_array(m, format="csr")
    return SpatialWeights(
        sparse.csr_array(scale @ base.raw @ scale),
        base.ids,
        provenance=Provenance(
            rule=f"gravity: product of {found.name!r}{found.span} by {base.provenance.rule}",
            crs=base.provenance.crs,
            islands=base.provenance.islands,
            notes=(*base.provenance.notes, found.warning),
            variables=(found.name,),
            times=found.times,
        ),
        normalization=normalize,
    )
