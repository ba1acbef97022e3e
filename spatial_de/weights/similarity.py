"""Weights that are similar to a symmetric matrix: same eigenvalues, all of them real."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EQUAL = 1e-12


def symmetric_form(W: sparse.csr_array, scale: NDArray[np.float64] | None = None) -> sparse.csr_array | None:
    """``D^1/2 W D^-1/2`` where a positive diagonal D makes it symmetric, else None.

    Weights that were symmetric before their rows were standardised are of this kind, and so are spectral and min-max
    normalised ones. The entries are ``sign(w_ij) sqrt(w_ij w_ji)``; D exists if and only if ``d_i w_ij = d_j w_ji``
    can be solved.

    Parameters
    ----------
    W
        Square weights, shape (n, n).
    scale
        Diagonal of D to try first, shape (n,): the row sums that symmetric weights were divided by.

    References
    ----------
    Ord, K. (1975). *Journal of the American Statistical Association* 70, 120-126, appendix.
    """
    links, mirror = _both_ways(W)
    if not _mirrored(links, mirror):
        return None
    if (scale is None or not _balances(links, mirror.data, scale)) and _log_scale(links, mirror) is None:
        return None
    values = np.copysign(np.sqrt(links.data * mirror.data), links.data)
    return sparse.csr_array((values, links.indices, links.indptr), shape=links.shape)


def symmetrising_scale(W: sparse.csr_array) -> NDArray[np.float64] | None:
    """``ln d`` of a positive diagonal D that makes ``D^1/2 W D^-1/2`` symmetric, shape (n,), else None."""
    links, mirror = _both_ways(W)
    return _log_scale(links, mirror) if _mirrored(links, mirror) else None


def _mirrored(links: sparse.csr_array, mirror: sparse.csr_array) -> bool:
    """Whether links run both ways, with weights of one sign."""
    same_links = np.array_equal(links.indptr, mirror.indptr) and np.array_equal(links.indices, mirror.indices)
    return same_links and bool((links.data * mirror.data > 0.0).all())


def _log_scale(links: sparse.csr_array, mirror: sparse.csr_array) -> NDArray[np.float64] | None:
    """``ln d``, tried along a spanning forest and then checked on every link; None where there is none."""
    ratio = np.log(links.data / mirror.data)  # ln d_j - ln d_i
    potentials = _potentials(links, ratio)
    row = np.repeat(np.arange(links.shape[0]), np.diff(links.indptr))
    gap = np.abs(potentials[row] + ratio - potentials[links.indices]).max(initial=0.0)
    return None if gap > _EQUAL * max(1.0, np.abs(potentials).max()) else potentials


def _both_ways(W: sparse.csr_array) -> tuple[sparse.csr_array, sparse.csr_array]:
    """The links and their mirror image, both sorted."""
    links = sparse.csr_array(W)
    links.sort_indices()
    return links, links.T.tocsr()  # the indices of the latter come out sorted


def _balances(links: sparse.csr_array, mirrored: NDArray[np.float64], scale: NDArray[np.float64]) -> bool:
    """Whether ``d_i w_ij = d_j w_ji`` on every link."""
    here = np.repeat(scale, np.diff(links.indptr)) * links.data
    there = scale[links.indices] * mirrored
    return bool((np.abs(here - there) <= _EQUAL * np.abs(here)).all())


def _potentials(links: sparse.csr_array, difference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers of the units whose differences along a spanning forest are as given, shape (n,)."""
    from scipy.sparse.csgraph import breadth_first_order

    n = links.shape[0]
    if not difference.any():
        return np.zeros(n)
    # an extra unit linked with the first of each component makes one tree of the forest
    _, component = sparse.csgraph.connected_components(links, directed=False)
    _, first = np.unique(component, return_index=True)
    step = sparse.csr_array((difference, links.indices, links.indptr), shape=(n, n))
    pattern = sparse.csr_array((np.ones(links.nnz), links.indices, links.indptr), shape=(n, n))
    root = sparse.csr_array((np.ones(len(first)), (np.zeros(len(first), dtype=int), first)), shape=(1, n))
    joined = sparse.block_array([[None, root], [root.T, pattern]], format="csr")
    order, parent = breadth_first_order(joined, 0, directed=False)
    order, above = order[1:] - 1, parent[order[1:]] - 1
    gain = np.where(above >= 0, np.asarray(step[np.maximum(above, 0), order]).ravel(), 0.0)
    return _add_up(order, above, gain)


def _add_up(order: NDArray[np.intp], above: NDArray[np.intp], gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of the gains on the way from the root to each unit, by doubling the way that is known."""
    n = len(order)
    total, parent = np.zeros(n + 1), np.full(n + 1, n)
    total[order] = gain
    parent[order] = np.where(above >= 0, above, n)
    while (parent[:-1] != n).any():
        total = total + total[parent]
        parent = parent[parent]
    return total[:-1]
