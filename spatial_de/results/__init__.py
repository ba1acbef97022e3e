"""What a fit returns: frozen, labelled numbers, and the verbs that start from them."""

from spatial_de.results.core import Results

__all__ = ["Results"]
