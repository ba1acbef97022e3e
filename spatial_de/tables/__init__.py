"""Tables for people: several fits side by side, and writers for csv, Markdown, LaTeX and HTML."""

from spatial_de.tables.grid import Grid, Row
from spatial_de.tables.regression import RegressionTable, regression
from spatial_de.tables.writers import WRITERS, render, write

__all__ = ["WRITERS", "Grid", "RegressionTable", "Row", "regression", "render", "write"]
