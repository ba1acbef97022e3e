"""Weights to and from the graphs of libpysal (`Graph`, `W`) and networkx, on arrays and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from spatial_de.errors import WeightsError

if TYPE_CHECKING:
    from spatial_de.weights.normalisation import Normalization

_MEANING = {
    "B": "binary",
    "D": "double-standardised (all weights add up to one)",
    "V": "variance-stabilised",
    "C": "transformed by a function of the user",
}


class Imported(NamedTuple):
    """What a graph holds.

    Attributes
    ----------
    matrix
        Weights, shape (n, n); the original ones where the object keeps them beside row-standardised ones.
    ids
        Labels of the n units in the object's order.
    normalization
        ``"row"`` where libpysal's transformation is ``"R"``, ``"none"`` otherwise.
    kind
        ``"libpysal Graph"``, ``"libpysal W"`` or ``"networkx graph"``.
    notes
        The transformation, if it has no equal here.
    """

    matrix: sparse.csr_array
    ids: pd.Index[Any]
    normalization: Normalization
    kind: str
    notes: tuple[str, ...]


def to_graph(matrix: sparse.csr_array, ids: pd.Index[Any], *, normalization: Normalization) -> Any:
    """A `libpysal.graph.Graph` of normalised weights; units without neighbours are self-loops of weight 0."""
    from libpysal.graph import Graph

    alone = np.flatnonzero(np.diff(matrix.indptr) == 0)
    marked = sparse.coo_array((np.zeros(len(alone)), (alone, alone)), shape=matrix.shape)
    links = matrix.tocoo()
    row = np.concatenate([links.coords[0], marked.coords[0]])
    order = np.argsort(row, kind="stable")
    column = np.concatenate([links.coords[1], marked.coords[1]])[order]
    weight = np.concatenate([links.data, marked.data])[order]
    return Graph.from_arrays(
        ids[row[order]], ids[column], weight, transformation="R" if normalization == "row" else "O"
    )


def to_w(
    raw: sparse.csr_array, normalised: sparse.csr_array, ids: pd.Index[Any], *, normalization: Normalization
) -> Any:
    """A `libpysal.weights.W`: row-standardised weights keep the original ones beside them."""
    from libpysal.weights import W

    labels = ids.tolist()
    by_row = normalization == "row"
    neighbors, weights = _dictionaries(raw if by_row else normalised, ids)
    w = W(neighbors, weights, id_order=labels, silence_warnings=True)
    if by_row:
        w.transformations["R"] = _dictionaries(normalised, ids)[1]
        w.transform = "R"
    return w


def read_graph(obj: Any) -> Imported:
    """Read a `Graph`, a `W` or a networkx graph.

    Raises
    ------
    WeightsError
        It is none of them.
    """
    if hasattr(obj, "adjacency") and hasattr(obj, "unique_ids"):
        return _from_graph(obj)
    if hasattr(obj, "id_order") and hasattr(obj, "transformations"):
        return _from_w(obj)
    if hasattr(obj, "is_directed") and hasattr(obj, "edges"):
        return _from_networkx(obj)
    raise WeightsError(
        f"A libpysal Graph or W, or a networkx graph, is needed, got {type(obj).__name__}. For a matrix use "
        "from_matrix(a, ids), for a table of links from_edges(df)."
    )


def _from_graph(graph: Any) -> Imported:
    ids = pd.Index(graph.unique_ids, name=None)
    links = graph.adjacency
    row = ids.get_indexer(links.index.get_level_values("focal"))
    column = ids.get_indexer(links.index.get_level_values("neighbor"))
    matrix = sparse.csr_array((links.to_numpy(dtype=np.float64), (row, column)), shape=(len(ids), len(ids)))
    kind = str(graph.transformation)
    return Imported(matrix, ids, "row" if kind == "R" else "none", "libpysal Graph", _note(kind))


def _from_w(w: Any) -> Imported:
    ids = pd.Index(list(w.id_order))
    kind = str(w.transform)
    values = w.transformations["O"] if kind == "R" else w.weights
    row, column, weight = [], [], []
    for position, unit in enumerate(w.id_order):
        row += [position] * len(w.neighbors[unit])
        column += w.neighbors[unit]
        weight += list(values[unit])
    matrix = sparse.csr_array((weight, (row, ids.get_indexer(column))), shape=(len(ids), len(ids)), dtype=np.float64)
    return Imported(matrix, ids, "row" if kind == "R" else "none", "libpysal W", _note(kind))


def to_networkx(matrix: sparse.csr_array, ids: pd.Index[Any]) -> Any:
    """A `networkx.DiGraph` with an edge from each unit to its neighbours, attribute ``weight``; islands are nodes."""
    import networkx as nx

    links = matrix.tocoo()
    row, column = links.coords
    graph = nx.DiGraph()
    graph.add_nodes_from(ids.tolist())
    graph.add_weighted_edges_from(zip(ids[row].tolist(), ids[column].tolist(), links.data.tolist(), strict=True))
    return graph


def _from_networkx(graph: Any) -> Imported:
    """Edges go from the unit to its neighbour; undirected ones both ways. Without the attribute they weigh one."""
    if graph.is_multigraph():
        raise WeightsError("The networkx graph has several edges between two units: add them up first.")
    ids = pd.Index(list(graph.nodes), name=None)
    edges = list(graph.edges(data="weight", default=1.0))
    row, column = (ids.get_indexer([edge[end] for edge in edges]) for end in (0, 1))
    weight = np.array([edge[2] for edge in edges], dtype=np.float64)
    if not graph.is_directed():
        loops = row == column
        row, column = np.concatenate([row, column[~loops]]), np.concatenate([column, row[~loops]])
        weight = np.concatenate([weight, weight[~loops]])
    matrix = sparse.csr_array((weight, (row, column)), shape=(len(ids), len(ids)))
    matrix.eliminate_zeros()
    return Imported(matrix, ids, "none", "networkx graph", ())


def _note(kind: str) -> tuple[str, ...]:
    return (f"libpysal transformation {kind}: {_MEANING[kind]}, kept as given",) if kind in _MEANING else ()


def _dictionaries(matrix: sparse.csr_array, ids: pd.Index[Any]) -> tuple[dict[Any, list[Any]], dict[Any, list[float]]]:
    neighbors, weights = {}, {}
    for unit, start, stop in zip(ids.tolist(), matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        neighbors[unit] = ids[matrix.indices[start:stop]].tolist()
        weights[unit] = matrix.data[start:stop].tolist()
    return neighbors, weights
