"""Panel data: labelled, checked, transformed; formulas become designs."""

from spatial_de.panel.core import Panel

__all__ = ["Panel"]
