"""Normalisations of a weights matrix."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy import sparse

from spatial_de.errors import WeightsError

Normalization = Literal["none", "row", "spectral", "minmax"]

_DENSE_LIMIT = 500  # below, dense eigenvalues are exact and quick; above, Arnoldi iterations


def normalise(matrix: sparse.csr_array, kind: Normalization) -> sparse.csr_array:
    """Normalised copy of `matrix`, shape (n, n).

    References
    ----------
    Kelejian, H. H. and Prucha, I. R. (2010). *Journal of Econometrics* 157, 53-67, section 2.2.
    """
    return _METHODS[kind](matrix)


def _as_given(matrix: sparse.csr_array) -> sparse.csr_array:
    return matrix


def _row(matrix: sparse.csr_array) -> sparse.csr_array:
    totals = matrix.sum(axis=1)
    counts = np.diff(matrix.indptr)
    totals[np.abs(totals - 1.0) < 1e-14] = 1.0  # rows that add up to one stay as they are, to the last bit
    return sparse.csr_array(
        (matrix.data / np.repeat(totals, counts), matrix.indices.copy(), matrix.indptr.copy()),
        shape=matrix.shape,
    )


def _spectral(matrix: sparse.csr_array) -> sparse.csr_array:
    radius = _spectral_radius(matrix)
    if matrix.nnz and not radius > 0:
        raise WeightsError(
            "Spectral normalisation is impossible: the links form no circle (they lead from some units to others and "
            "never back), so that all eigenvalues are zero. Use normalize='row', 'minmax' or 'none'."
        )
    return matrix / _positive(radius)


def _minmax(matrix: sparse.csr_array) -> sparse.csr_array:
    size = abs(matrix)
    return matrix / _positive(min(size.sum(axis=1).max(), size.sum(axis=0).max()))


def _spectral_radius(matrix: sparse.csr_array) -> float:
    """Largest absolute eigenvalue: the largest among the strongly connected blocks, each much easier than the whole."""
    n_blocks, block = sparse.csgraph.connected_components(matrix, directed=True, connection="strong")
    if n_blocks == 1:
        return _radius_of_block(matrix)
    order = np.argsort(block, kind="stable")
    bounds = np.searchsorted(block[order], np.arange(n_blocks + 1))
    members = [order[start:stop] for start, stop in itertools.pairwise(bounds) if stop - start > 1]
    return max((_radius_of_block(matrix[part][:, part]) for part in members), default=0.0)


def _radius_of_block(matrix: sparse.csr_array) -> float:
    if matrix.shape[0] <= _DENSE_LIMIT:
        return float(np.abs(np.linalg.eigvals(matrix.toarray())).max())
    start = np.ones(matrix.shape[0])
    try:
        largest = sparse.linalg.eigs(matrix, k=1, which="LM", v0=start, return_eigenvectors=False, tol=1e-14)
    except sparse.linalg.ArpackError as error:
        raise WeightsError(
            f"The largest eigenvalue was not found ({error}). Use normalize='row' or 'minmax'."
        ) from error
    return float(np.abs(largest[0]))


def _positive(scale: float) -> float:
    if not scale > 0:
        raise WeightsError("The weights cannot be normalised: there are no links.")
    return scale


_METHODS: dict[Normalization, Callable[[sparse.csr_array], sparse.csr_array]] = {
    "none": _as_given,
    "row": _row,
    "spectral": _spectral,
    "minmax": _minmax,
}

NORMALIZATIONS = tuple(_METHODS)
