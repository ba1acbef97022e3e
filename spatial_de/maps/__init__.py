"""Maps and figures: drawn from results, never computing them."""

from spatial_de.maps.choropleth import choropleth
from spatial_de.maps.dependence import moran_by_time, moran_scatter
from spatial_de.maps.forest import effects
from spatial_de.maps.lisa import lisa
from spatial_de.maps.theme import check_fonts, save
from spatial_de.maps.which_weights import compared_weights, distance_scan, placebo_weights

__all__ = [
    "check_fonts",
    "choropleth",
    "compared_weights",
    "distance_scan",
    "effects",
    "lisa",
    "moran_by_time",
    "moran_scatter",
    "placebo_weights",
    "save",
]
