"""Weights in tables: a table of links or a labelled square matrix, detected and said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.errors import AlignmentError, FileError, WeightsError
from spatial_de.weights.grid import Grid, describe_shape
from spatial_de.weights.identifiers import IdType, read_ids
from spatial_de.weights.labels import as_index, match_labels
from spatial_de.wording import did_you_mean, name_some

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Links:
    """A table of links: columns focal, neighbor and, unless all are one, weight."""

    frame: pd.DataFrame
    layout: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Square:
    """A matrix, shape (n, n), with the labels of rows and columns."""

    matrix: NDArray[np.float64]
    ids: list[Any]
    layout: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Columns:
    """What the user said about the columns: names of a table of links, and of the labels of a matrix."""

    focal: str
    neighbor: str
    weight: str | None
    id: str | None


def read_table(grid: Grid, columns: Columns, *, ids: list[Any] | None, id_type: IdType) -> Links | Square:
    """Links or a matrix, whichever the table holds.

    A table with the columns `focal` and `neighbor` holds links. A table with as many rows as columns beside the
    labels is a matrix. A square table of numbers only is a matrix whose labels must come from `ids`.
    """
    header = [name.strip() if isinstance(name, str) else name for name in grid.header]
    if columns.focal in header and columns.neighbor in header:
        return _links(grid, header, columns, id_type=id_type)
    whole = grid.with_header_as_row()
    if ids is not None and whole.shape == (len(ids), len(ids)) and _looks_numeric(whole[0, 0]):
        start = -1 if grid.header_is_row else 0
        return Square(
            grid.numbers(whole, column=lambda c: c, row=start),
            ids,
            "matrix without labels",
            ("labels given by ids=, in the order of its rows", *grid.notes),
        )
    return _labelled(grid, header, columns, id_type=id_type)


def _links(grid: Grid, header: list[Any], columns: Columns, *, id_type: IdType) -> Links:
    if columns.weight is not None and columns.weight not in header:
        raise FileError(
            f"{grid.name} lists links but has no column {columns.weight!r}.{did_you_mean(columns.weight, header)} Name "
            "the column with weight=, or pass weight=None to give every link the weight 1."
        )
    ends = [header.index(columns.focal), header.index(columns.neighbor)]
    rows = len(grid.cells)
    if not rows:
        raise FileError(f"{grid.name} lists no links.")
    found = [label for c in ends for label in grid.cells[:, c]]
    labels, notes = read_ids(
        found, id_type, place=lambda k: grid.place(k % rows, ends[k // rows]), file=grid.name, textual=grid.textual
    )
    frame = pd.DataFrame({"focal": labels[:rows], "neighbor": labels[rows:]})
    if columns.weight is not None:
        position = header.index(columns.weight)
        frame["weight"] = grid.numbers(grid.cells[:, [position]], column=lambda _: position)[:, 0]
    return Links(frame, "table of links", (*notes, *grid.notes))


def _labelled(grid: Grid, header: list[Any], columns: Columns, *, id_type: IdType) -> Square:
    at = _label_column(grid, header, columns)
    n, width = grid.cells.shape
    if width != n + 1:
        raise FileError(_not_a_matrix(grid, columns))
    others = [c for c in range(width) if c != at]
    labels, notes = read_ids(
        grid.cells[:, at].tolist(), id_type, place=lambda k: grid.place(k, at), file=grid.name, textual=grid.textual
    )
    rows = as_index(labels, what=f"the rows of {grid.name}")
    matrix = grid.numbers(grid.cells[:, others], column=lambda c: others[c])
    order, told = _column_order([_plain(header[c]) for c in others], rows, grid.name)
    return Square(matrix[:, order], labels, "labelled matrix", (*told, *notes, *grid.notes))


def _label_column(grid: Grid, header: list[Any], columns: Columns) -> int:
    if columns.id is not None:
        if columns.id not in header:
            raise FileError(
                f"{grid.name} has no column {columns.id!r}.{did_you_mean(columns.id, header)} It has "
                f"{name_some(header, 10)}."
            )
        return header.index(columns.id)
    corner = header[0]
    if grid.header_is_row and corner is not None and _looks_numeric(corner):
        raise FileError(
            f"{grid.name} is a square table of numbers without labels: pass ids= with the labels of its rows in their "
            "order, or write the labels into the first row and the first column."
        )
    return 0


def _not_a_matrix(grid: Grid, columns: Columns) -> str:
    return (
        f"{grid.name} holds neither links nor a labelled matrix: it has {describe_shape(grid)} "
        f"({name_some(grid.header)}). A table of links needs the columns {columns.focal!r} and {columns.neighbor!r} "
        "(or name them with focal= and neighbor=); a matrix needs one column of labels and as many others as rows."
    )


def _column_order(names: list[str], rows: pd.Index[Any], file: str) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Columns in the order of rows: by label, by label behind a common prefix (w11, w12), or by number (w1, w2)."""
    written = pd.Index([str(label) for label in rows])
    columns = as_index(names, what=f"the columns of {file}")
    if len(columns.symmetric_difference(written)) == 0:
        return columns.get_indexer(written), ()
    prefix = _prefix(columns, written)
    stem = names[0].removesuffix("1")
    by_number = stem not in {"", names[0]} and names == [f"{stem}{k + 1}" for k in range(len(names))]
    if prefix is not None and by_number and names != [prefix + label for label in written]:
        raise WeightsError(
            f"{file}: the columns {name_some(names, 3)} may mean labels or row numbers, and the rows are not in that "
            "order. Sort the rows by label, or name the columns by label."
        )
    if prefix is not None:
        return columns.get_indexer(prefix + written), (f"columns matched by label behind {prefix!r}",)
    if by_number:
        return np.arange(len(names)), (
            f"columns {names[0]} to {names[-1]} carry no labels: taken in the order of the rows",
        )
    try:
        return match_labels(columns, written, left=f"the columns of {file}", right="its rows"), ()
    except AlignmentError as error:
        raise WeightsError(str(error)) from error


def _prefix(columns: pd.Index[Any], written: pd.Index[Any]) -> str | None:
    """What stands before the label in the name of every column, or None."""
    ends = [name.removesuffix(written[0]) for name in columns if name.endswith(written[0])]
    return next((start for start in ends if len(columns.symmetric_difference(start + written)) == 0), None)


def _plain(name: Any) -> str:
    return str(int(name)) if isinstance(name, float) and name.is_integer() else str(name).strip()


def _looks_numeric(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
