"""Spatial weights: labelled, immutable, with provenance.

Builders::

    contiguity(gdf, rule="queen")             polygons that touch
    knn(gdf, k=4)                             k nearest neighbours
    inverse_distance(gdf, power=1)            distance to a power, all pairs or up to a cutoff
    distance_band(gdf, threshold=500)         all within so many kilometres, binary or by a kernel
    border_length(gdf)                        length of the shared border
    gravity(gdf, mass)                        masses over distance
    economic(values)                          units alike in a variable
    flows(df)  cost(df)                       migration, trade, travel times: in general not symmetric
    nested(w1, w2, share=.5)  product(w1, w2)  two kinds of nearness in one W
    directed(w, values)                       from richer to poorer units only, or the other way round
    higher_order(w, 2)                        neighbours of neighbours
    by_time(economic, panel["x"])             weights that change over time
    pre_sample_mean(panel["x"], before=2013)  what weights can be made of without being endogenous
    kernel(gdf, bandwidth=800)                kernel weights of pairs, for HAC standard errors only
    from_edges(df)  from_matrix(a, ids)  from_graph(obj)  read(path)      what users bring, kept as given

`write(w, path)` or `w.write(path)` makes files that `read` brings back.

A new builder is a function that returns `SpatialWeights` and one line in `BUILDERS`; `kernel`, whose weights are not
for spatial lags, is none of them.
"""

from collections.abc import Callable

from spatial_de.weights.borders import border_length
from spatial_de.weights.combined import directed, higher_order, nested, product
from spatial_de.weights.contiguity import contiguity
from spatial_de.weights.core import Provenance, SpatialWeights
from spatial_de.weights.distance import distance_band, inverse_distance, knn
from spatial_de.weights.economic import economic
from spatial_de.weights.files import read
from spatial_de.weights.flows import cost, flows
from spatial_de.weights.gravity import gravity
from spatial_de.weights.imports import from_edges, from_graph, from_matrix
from spatial_de.weights.kernel import kernel
from spatial_de.weights.variables import by_time, pre_sample_mean
from spatial_de.weights.writing import write

BUILDERS: dict[str, Callable[..., SpatialWeights]] = {
    "contiguity": contiguity,
    "knn": knn,
    "inverse_distance": inverse_distance,
    "distance_band": distance_band,
    "border_length": border_length,
    "gravity": gravity,
    "economic": economic,
    "flows": flows,
    "cost": cost,
    "nested": nested,
    "product": product,
    "directed": directed,
    "higher_order": higher_order,
}

__all__ = [
    "BUILDERS",
    "Provenance",
    "SpatialWeights",
    "border_length",
    "by_time",
    "contiguity",
    "cost",
    "directed",
    "distance_band",
    "economic",
    "flows",
    "from_edges",
    "from_graph",
    "from_matrix",
    "gravity",
    "higher_order",
    "inverse_distance",
    "kernel",
    "knn",
    "nested",
    "pre_sample_mean",
    "product",
    "read",
    "write",
]
