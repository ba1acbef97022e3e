"""Bundled data with their codebook, and loaders for the user's own."""

from spatial_de.datasets.bundled import load_china_panel, load_us_incomes, load_us_states
from spatial_de.datasets.codebook import Codebook, codebook, warnings_for
from spatial_de.datasets.derived import theil_urban_rural
from spatial_de.datasets.provinces import load_provinces
from spatial_de.datasets.readers import province_code, read_panel, read_pku_index
from spatial_de.datasets.tables import read_table

__all__ = [
    "Codebook",
    "codebook",
    "load_china_panel",
    "load_provinces",
    "load_us_incomes",
    "load_us_states",
    "province_code",
    "read_panel",
    "read_pku_index",
    "read_table",
    "theil_urban_rural",
    "warnings_for",
]
