"""Weights from what users bring: tables of links, matrices, libpysal objects. Weights stay as given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy import sparse

from spatial_de.errors import AlignmentError, OptionError, WeightsError
from spatial_de.weights.checks import as_csr, check_size
from spatial_de.weights.core import Provenance, SpatialWeights
from spatial_de.weights.graphs import read_graph
from spatial_de.weights.islands import treat_islands
from spatial_de.weights.labels import as_index, explain_mismatch, match_labels
from spatial_de.weights.normalisation import Normalization
from spatial_de.wording import did_you_mean, name_some, plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

ImportedIslands = Literal["error", "keep"]


def from_edges(
    df: pd.DataFrame,
    *,
    focal: str = "focal",
    neighbor: str = "neighbor",
    weight: str | None = "weight",
    symmetric: bool = False,
    ids: Iterable[Any] | None = None,
    islands: ImportedIslands = "error",
    normalize: Normalization = "none",
    allow_negative: bool = False,
) -> SpatialWeights:
    """Weights from a table with one row per link.

    Parameters
    ----------
    df
        Table of links. A row that links a unit with itself at weight zero says, as in libpysal, that the unit exists
        and has no neighbours.
    focal, neighbor
        Columns with the labels of the unit and of its neighbour.
    weight
        Column with the weights; None gives every link the weight 1.
    symmetric
        Every row means both directions. By default a row is one link, focal to neighbour.
    ids
        All units, in the order wanted. By default those of the table in order of appearance, focal ones first.
    islands
        What to do with units without neighbours: ``"error"`` or ``"keep"``.
    normalize
        ``"none"`` (as given), ``"row"``, ``"spectral"``, ``"minmax"``.
    allow_negative
        Accept negative weights.

    Raises
    ------
    WeightsError
        Missing columns or labels, links listed twice, text instead of weights, focal and neighbour labels of
        different kinds, units that are not in `ids`, links of a unit with itself, weights that are not finite or
        negative. The pairs are named.
    IslandError
        Units without neighbours and ``islands="error"``.

    Examples
    --------
    >>> borders = pd.DataFrame({"focal": ["BJ", "TJ"], "neighbor": ["HE", "HE"]})
    >>> w = from_edges(borders, weight=None, symmetric=True)
    >>> w.n_links
    4
    """
    _check_edge_columns(df, [name for name in (focal, neighbor, weight) if name is not None])
    labels = [_edge_labels(df[name], name) for name in (focal, neighbor)]
    values = np.ones(len(df)) if weight is None else _edge_weights(df, weight, labels)
    units = _edge_units(labels, ids, (focal, neighbor))
    i, j = (units.get_indexer(side) for side in labels)
    _refuse_repeated(units, i, j, symmetric=symmetric)
    between, n = i != j, len(units)
    one_way = not symmetric and not np.isin(i * n + j, j * n + i)[between].any()
    notes = _edge_notes(values[between], symmetric=symmetric, one_way=one_way)
    if symmetric:
        i, j, values = np.concatenate([i, j]), np.concatenate([j, i]), np.concatenate([values, values])
    matrix = sparse.coo_array((values, (i, j)), shape=(n, n))
    return _finish(
        matrix,
        units,
        provenance=Provenance(rule="table of links", notes=notes),
        hint="no pair is listed in both directions: symmetric=True if every row means both" if one_way else "",
        islands=islands,
        normalize=normalize,
        allow_negative=allow_negative,
    )


def from_matrix(
    a: Any,
    ids: Iterable[Any] | None = None,
    *,
    islands: ImportedIslands = "error",
    normalize: Normalization = "none",
    allow_negative: bool = False,
) -> SpatialWeights:
    """Weights from a square matrix, row = focal unit, column = neighbour.

    Parameters
    ----------
    a
        Array or sparse matrix, shape (n, n), or a DataFrame labelled on both sides, whose rows and columns are matched
        by label in whatever order they come. A DataFrame that is only numbered from 0 has no labels.
    ids
        Labels of rows and columns of an array; for a labelled DataFrame, the order wanted.
    islands
        What to do with units without neighbours: ``"error"`` or ``"keep"``.
    normalize
        ``"none"`` (as given), ``"row"``, ``"spectral"``, ``"minmax"``.
    allow_negative
        Accept negative weights.

    Raises
    ------
    WeightsError
        Not square, wrong number of labels, text, non-zero diagonal, weights that are not finite or negative.
    AlignmentError
        Row and column labels differ, are repeated or missing.
    IslandError
        Units without neighbours and ``islands="error"``.

    Examples
    --------
    >>> w = from_matrix([[0, 2], [1, 0]], ["BJ", "TJ"])
    >>> w.to_dense().loc["BJ", "TJ"]
    np.float64(2.0)
    """
    if isinstance(a, pd.DataFrame) and not _is_unlabelled(a):
        matrix, units = _labelled(a, ids)
        rule = "labelled matrix"
    else:
        a = _numbers(a) if isinstance(a, pd.DataFrame) else a
        if ids is None:
            raise OptionError(
                "A matrix without labels needs ids=: the labels of its rows, in their order, so that weights and data "
                "meet by unit."
            )
        matrix, units = a, as_index(ids, what="the labels")
        rule = "matrix, labels given in the order of its rows"
    return _finish(
        matrix,
        units,
        provenance=Provenance(rule=rule),
        islands=islands,
        normalize=normalize,
        allow_negative=allow_negative,
    )


def from_graph(
    obj: Any,
    *,
    islands: ImportedIslands = "error",
    normalize: Normalization = "none",
    allow_negative: bool = False,
) -> SpatialWeights:
    """Weights from a libpysal `Graph` or `W`, or from a networkx graph.

    Labels, values and islands stay as they are. Row-standardised objects (transformation ``"R"``) become
    row-normalised weights; a `W` keeps its original weights beside them, a `Graph` does not. The object is not changed.
    Edges of a networkx graph go from a unit to its neighbour, with the attribute ``weight``, or one.

    Parameters
    ----------
    obj
        `libpysal.graph.Graph`, `libpysal.weights.W`, `networkx.Graph` or `networkx.DiGraph`.
    islands
        What to do with units without neighbours: ``"error"`` or ``"keep"``.
    normalize
        ``"none"`` (as given), ``"row"``, ``"spectral"``, ``"minmax"``.
    allow_negative
        Accept negative weights.

    Raises
    ------
    WeightsError
        None of these; self-neighbours; weights that are not finite or negative.
    IslandError
        Units without neighbours and ``islands="error"``.
    """
    found = read_graph(obj)
    return _finish(
        found.matrix,
        as_index(found.ids, what=f"the {found.kind}"),
        provenance=Provenance(rule=found.kind, notes=found.notes),
        islands=islands,
        normalize=found.normalization if normalize == "none" else normalize,
        allow_negative=allow_negative,
    )


def _finish(
    matrix: Any,
    units: pd.Index[Any],
    *,
    provenance: Provenance,
    islands: ImportedIslands,
    normalize: Normalization,
    allow_negative: bool,
    hint: str = "",
) -> SpatialWeights:
    raw = as_csr(matrix)
    check_size(raw.shape, len(units))
    treated = treat_islands(raw, units, treatment=islands, hint=hint)
    return SpatialWeights(
        treated.matrix,
        units,
        provenance=Provenance(provenance.rule, islands=treated.islands, notes=provenance.notes),
        normalization=normalize,
        allow_negative=allow_negative,
    )


def _labelled(frame: pd.DataFrame, ids: Iterable[Any] | None) -> tuple[NDArray[np.float64], pd.Index[Any]]:
    """Values and labels of a table labelled on both sides, columns in the order of rows (or both in that of `ids`)."""
    if frame.shape[0] != frame.shape[1]:
        raise WeightsError(
            f"The weights matrix is not square: {plural(frame.shape[0], 'row')}, {plural(frame.shape[1], 'column')}. "
            "If a column holds the labels, make it the index: df.set_index('name of that column')."
        )
    rows = as_index(frame.index.rename(None), what="rows of the weights")
    columns = as_index(frame.columns.rename(None), what="columns of the weights")
    order = match_labels(columns, rows, left="the columns", right="the rows")
    matrix = _numbers(frame)[:, order]
    if ids is None:
        return matrix, rows
    units = as_index(ids, what="ids")
    order = match_labels(rows, units, left="the matrix", right="ids")
    return matrix[np.ix_(order, order)], units


def _is_unlabelled(frame: pd.DataFrame) -> bool:
    """Rows and columns merely numbered from 0, as pandas does by itself."""
    n = len(frame)
    return all(isinstance(axis, pd.RangeIndex) and axis.equals(pd.RangeIndex(n)) for axis in frame.axes)


def _numbers(frame: pd.DataFrame) -> NDArray[np.float64]:
    for column, dtype in frame.dtypes.items():
        if pd.api.types.is_numeric_dtype(dtype):
            continue
        text = [(row, value) for row, value in frame[column].items() if isinstance(value, str)]
        if text:
            row, value = text[0]
            raise WeightsError(
                f"{plural(len(text), 'weight')} in column {column!r} written as text, the first {value!r} in row "
                f"{row!r}: weights must be numbers."
            )
    try:
        return frame.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"The weights cannot be read as a matrix of numbers: {error}.") from error


def _check_edge_columns(df: pd.DataFrame, names: list[str]) -> None:
    if not isinstance(df, pd.DataFrame):
        raise WeightsError(f"A table of links must be a DataFrame, got {type(df).__name__}.")
    for name in names:
        if name not in df.columns:
            raise WeightsError(
                f"The table of links has no column {name!r}.{did_you_mean(name, df.columns)} It has "
                f"{name_some(df.columns, 10)}; name the columns with focal=, neighbor=, weight= (weight=None: all one)."
            )
    if df.empty:
        raise WeightsError("The table of links holds no rows.")


def _edge_labels(column: pd.Series, name: str) -> pd.Index[Any]:
    labels: pd.Index[Any] = pd.Index(column, name=None)
    missing = np.flatnonzero(labels.isna())
    if len(missing):
        raise WeightsError(
            f"{plural(len(missing), 'label')} missing in column {name!r} (row {name_some(missing.tolist())})."
        )
    return labels


def _edge_weights(df: pd.DataFrame, weight: str, labels: list[pd.Index[Any]]) -> NDArray[np.float64]:
    column = df[weight]
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    text = np.flatnonzero([isinstance(value, str) for value in column])
    if len(text):
        first = int(text[0])
        raise WeightsError(
            f"{plural(len(text), 'weight')} written as text, the first {column.iloc[first]!r} from "
            f"{name_some([labels[0][first]])} to {name_some([labels[1][first]])}: weights must be numbers."
        )
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"Column {weight!r} cannot be read as numbers: {error}.") from error


def _edge_notes(values: NDArray[np.float64], *, symmetric: bool, one_way: bool) -> tuple[str, ...]:
    zeros = int((values == 0).sum())
    notes = {
        "every row was read in both directions": symmetric,
        "no pair is listed in both directions": one_way,
        f"{plural(zeros, 'row')} of weight zero: no links": zeros > 0,
    }
    return tuple(note for note, holds in notes.items() if holds)


def _edge_units(labels: list[pd.Index[Any]], ids: Iterable[Any] | None, names: tuple[str, str]) -> pd.Index[Any]:
    """All units of a table of links, or the given ones if they cover the table."""
    focal, neighbor = (side.unique() for side in labels)
    advice = explain_mismatch(focal, neighbor, left=f"column {names[0]!r}", right=f"column {names[1]!r}")
    if advice:
        raise AlignmentError(advice)
    found = focal.append(neighbor[~neighbor.isin(focal)])
    if ids is None:
        return as_index(found, what="the links")
    units = as_index(ids, what="ids")
    unknown = found[~found.isin(units)]
    if len(unknown):
        advice = explain_mismatch(found, units, left="the links", right="ids")
        raise AlignmentError(advice or f"{plural(len(unknown), 'unit')} of the links not in ids: {name_some(unknown)}.")
    return units


def _refuse_repeated(units: pd.Index[Any], i: NDArray[np.intp], j: NDArray[np.intp], *, symmetric: bool) -> None:
    pairs = pd.DataFrame({"i": np.minimum(i, j), "j": np.maximum(i, j)} if symmetric else {"i": i, "j": j})
    twice = pairs.duplicated().to_numpy()
    if not twice.any():
        return
    names = name_some(list(zip(units[i[twice]], units[j[twice]], strict=True)))
    advice = (
        "With symmetric=True a pair may be listed in one direction only; leave it out if both directions are listed."
        if symmetric
        else "Every pair may be listed once: add up or drop repeated rows first."
    )
    raise WeightsError(f"{plural(int(twice.sum()), 'link')} listed more than once: {names}. {advice}")
