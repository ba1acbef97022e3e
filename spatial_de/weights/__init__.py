"""Spatial weights: labelled, immutable, with provenance.

Builders::

    contiguity(gdf, rule="queen")             polygons that touch
    knn(gdf, k=4)                             k nearest neighbours
    inverse_distance(gdf, power=1)            distance to a power, all pairs or up to a cutoff
    distance_band(gdf, threshold=500)         all within so many kilometres, binary or by a kernel
    economic(values)                          units alike in a variable
    kernel(gdf, bandwidth=800)                kernel weights of pairs, for HAC standard errors only
    from_edges(df)  from_matrix(a, ids)  from_graph(obj)  read(path)      what users bring, kept as given

`write(w, path)` or `w.write(path)` makes files that `read` brings back.

A new builder is a function that returns `SpatialWeights` and one line in `BUILDERS`; `kernel`, whose weights are not
for spatial lags, is none of them.
"""

from collections.abc import Callable

from spatial_de.weights.contiguity import contiguity
from spatial_de.weights.core import Provenance, SpatialWeights
from spatial_de.weights.distance import distance_band, inverse_distance, knn
from spatial_de.weights.economic import economic
from spatial_de.weights.files import read
from spatial_de.weights.imports import from_edges, from_graph, from_matrix
from spatial_de.weights.kernel import kernel
from spatial_de.weights.writing import write

BUILDERS: dict[str, Callable[..., SpatialWeights]] = {
    "contiguity": contiguity,
    "knn": knn,
    "inverse_distance": inverse_distance,
    "distance_band": distance_band,
    "economic": economic,
}

__all__ = [
    "BUILDERS",
    "Provenance",
    "SpatialWeights",
    "contiguity",
    "distance_band",
    "economic",
    "from_edges",
    "from_graph",
    "from_matrix",
    "inverse_distance",
    "kernel",
    "knn",
    "read",
    "write",
]
