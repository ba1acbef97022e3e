"""Checks that every weights matrix passes, whatever it was built from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from spatial_de.errors import WeightsError
from spatial_de.wording import name_some, plural

if TYPE_CHECKING:
    from numpy.typing import NDArray


def as_csr(matrix: Any) -> sparse.csr_array:
    """A canonical float64 copy: duplicates summed, zeros gone, columns sorted."""
    try:
        dimensions, is_complex = np.ndim(matrix), np.iscomplexobj(matrix)
        if not (sparse.issparse(matrix) or is_complex):  # None becomes NaN here, and in csr_array no link
            matrix = np.asarray(matrix, dtype=np.float64)
        usable = dimensions == 2 and not is_complex
        found = sparse.csr_array(matrix, dtype=np.float64, copy=True) if usable else None
    except (TypeError, ValueError) as error:
        raise WeightsError(f"The weights cannot be read as a matrix of numbers: {error}.") from error
    if is_complex:
        raise WeightsError("The weights are complex numbers: give real ones.")
    if found is None:
        raise WeightsError(f"The weights must be a square table; got {plural(dimensions, 'dimension')}.")
    found.sum_duplicates()
    found.eliminate_zeros()
    found.sort_indices()
    return found


def freeze(matrix: sparse.csr_array) -> sparse.csr_array:
    """The same matrix with read-only arrays."""
    for part in (matrix.data, matrix.indices, matrix.indptr):
        part.flags.writeable = False
    return matrix


def check_matrix(matrix: sparse.csr_array, ids: pd.Index[Any], *, allow_negative: bool) -> None:
    """Refuse what cannot be a weights matrix between the units `ids`, naming units.

    Raises
    ------
    WeightsError
        Not square, wrong size, empty, non-zero diagonal, weights that are not finite or (without
        `allow_negative`) negative.
    """
    check_size(matrix.shape, len(ids))
    own = matrix.diagonal() != 0
    if own.any():
        raise WeightsError(
            f"A unit is its own neighbour: non-zero diagonal for {name_some(ids[own])}. Set the diagonal to zero."
        )
    _refuse_links(
        ~np.isfinite(matrix.data), matrix, ids, what="not finite (NaN or inf)", advice="Write 0 where there is no link"
    )
    if not allow_negative:
        _refuse_links(matrix.data < 0, matrix, ids, what="negative", advice="Pass allow_negative=True if that is meant")


def check_size(shape: tuple[int, ...], n_labels: int) -> None:
    """Refuse a matrix that is not square, is empty or does not fit the labels."""
    rows, columns = shape
    if rows != columns:
        raise WeightsError(f"The weights matrix is not square: {rows} rows, {columns} columns.")
    if rows != n_labels:
        raise WeightsError(
            f"The weights matrix has {plural(rows, 'row')} but there are {plural(n_labels, 'label')}: "
            "every row needs one label."
        )
    if rows == 0:
        raise WeightsError("The weights matrix is empty: it needs at least two units.")


def check_row_sums(matrix: sparse.csr_array, ids: pd.Index[Any]) -> None:
    """Refuse rows whose weights, some of them negative, add up to zero or its rounding: they cannot be normalised."""
    sums, size = matrix.sum(axis=1), abs(matrix).sum(axis=1)
    cancelled = np.flatnonzero((np.abs(sums) <= 1e-12 * size) & (np.diff(matrix.indptr) > 0))
    if len(cancelled):
        raise WeightsError(
            f"Row normalisation is impossible: the weights of {name_some(ids[cancelled])} add up to zero. Use "
            "normalize='spectral', 'minmax' or 'none'."
        )


def _refuse_links(
    bad: NDArray[np.bool_], matrix: sparse.csr_array, ids: pd.Index[Any], *, what: str, advice: str
) -> None:
    if not bad.any():
        return
    row, column = matrix.tocoo().coords
    links = list(zip(ids[row[bad]], ids[column[bad]], strict=True))
    raise WeightsError(f"{plural(len(links), 'weight')} {what} at (focal, neighbor) {name_some(links)}. {advice}.")
