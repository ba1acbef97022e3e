"""What needs a balanced panel under one W."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spatial_de.errors import OptionError
from spatial_de.panel.layout import Cells

if TYPE_CHECKING:
    from spatial_de.results.core import Results


def refuse_cells(fit: Results, what: str) -> None:
    """Raise `OptionError` for panels with gaps, and under weights that change, of which `what` cannot be had."""
    if isinstance(fit.estimate.problem.layout, Cells):
        raise OptionError(
            f"{what} is not available for panels that are not balanced, or weights that change over time: "
            "panel.balance() makes a balanced one."
        )
