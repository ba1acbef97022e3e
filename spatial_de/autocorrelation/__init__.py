"""Spatial dependence: Moran's I and local Moran statistics, in a cross-section and by time."""

from spatial_de.autocorrelation.local import (
    CLUSTERS,
    LisaSettings,
    LocalMoran,
    LocalMoranByTime,
    local_moran,
)
from spatial_de.autocorrelation.overall import Moran, MoranByTime, moran

__all__ = [
    "CLUSTERS",
    "LisaSettings",
    "LocalMoran",
    "LocalMoranByTime",
    "Moran",
    "MoranByTime",
    "local_moran",
    "moran",
]
