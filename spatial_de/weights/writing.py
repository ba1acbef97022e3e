"""Weights to files: complete or not at all, and never losing what the format cannot hold without saying so."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy.io import mmwrite

from spatial_de.errors import CapacityError, FileError, OptionError, WeightsError
from spatial_de.wording import check_option, name_some, plural

if TYPE_CHECKING:
    from spatial_de.weights.core import SpatialWeights

Layout = Literal["edges", "matrix"]

_EXCEL_COLUMNS = 16_384
_MATRIX_UNITS = 20_000  # a text file of all pairs has a gigabyte then
MTX_LABELS = "labels: "  # in the comment of a Matrix Market file, followed by a JSON list


def write(w: SpatialWeights, path: str | Path, *, layout: Layout = "edges") -> Path:
    """Write weights to a file that `read` brings back.

    ========  =======================================================================================================
    .npz      Everything: raw weights, normalisation, provenance, label types.
    .csv,     Normalised weights, as links (columns focal, neighbor, weight; units without neighbours as a link with
    .xlsx     themselves of weight 0) or as a labelled matrix. Excel gets 16 digits, the others all 17.
    .dta,     Normalised weights as links.
    .parquet
    .txt      Normalised weights as the matrix that Stata's ``spmatrix import`` reads; no blanks in labels.
    .mtx      Normalised weights as a Matrix Market file for scipy, R, Matlab and Julia, labels in its comment.
    .gwt      Normalised weights as links; no units without neighbours, no blanks in labels.
    .gal      Links only: binary weights before normalisation; no blanks in labels.
    ========  =======================================================================================================

    The file is complete or not there: it is written beside its place and then moved.

    Parameters
    ----------
    w
        The weights.
    path
        The file, replaced if it exists.
    layout
        ``"edges"`` or ``"matrix"`` (.csv and .xlsx).

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileError
        Unknown format, or the file cannot be written.
    OptionError
        The format has no such layout.
    WeightsError
        The format cannot hold these weights.
    """
    file = Path(path)
    suffix = file.suffix.lower()
    if suffix not in _WRITERS:
        raise FileError(f"{file.name} has a format that is not written: use one of {', '.join(_WRITERS)}.")
    check_option(layout, ("edges", "matrix"), "layout")
    if layout == "matrix" and suffix not in {".csv", ".xlsx"}:
        raise OptionError(f"A {suffix} file holds links: layout='matrix' is available for .csv and .xlsx.")
    with replacing(file) as draft:
        _WRITERS[suffix](w, draft, layout)
    return file


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A draft beside `file` that takes its place if all goes well and vanishes otherwise.

    Raises
    ------
    FileError
        The folder is not there or not writable.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=file.parent) as folder:
            draft = Path(folder) / file.name
            yield draft
            draft.replace(file)
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{str(file)!r} cannot be written: {error.strerror or error}.") from error


def _npz(w: SpatialWeights, file: Path, _layout: Layout) -> None:
    content = w.to_dict()
    arrays: dict[str, Any] = {name: np.asarray(content.pop(name)) for name in ("row", "column", "weight")}
    try:
        head = json.dumps(content, ensure_ascii=False)
    except TypeError as error:
        raise WeightsError(f"Labels such as {name_some(w.ids[:1])} cannot be written: use text or integers.") from error
    np.savez_compressed(file, spatial_de=np.array(head), **arrays)


def _csv(w: SpatialWeights, file: Path, layout: Layout) -> None:
    _check_labels(w)
    if layout == "matrix":
        w.to_dense().to_csv(file, index_label="id", encoding="utf-8")
    else:
        _links(w).to_csv(file, index=False, encoding="utf-8")


def _xlsx(w: SpatialWeights, file: Path, layout: Layout) -> None:
    _check_labels(w)
    _check_whole_numbers(w, "xlsx")
    formulas = [label for label in w.ids if str(label).startswith("=")]
    if formulas:
        raise WeightsError(f"Excel would take labels such as {formulas[0]!r} for formulas: write .csv or .npz.")
    if layout == "matrix" and w.n >= _EXCEL_COLUMNS:
        raise WeightsError(f"A sheet has {_EXCEL_COLUMNS:,} columns, the matrix {w.n:,}: use layout='edges'.")
    if layout == "matrix":
        w.to_dense().to_excel(file, index_label="id", sheet_name="weights")
    else:
        _links(w).to_excel(file, index=False, sheet_name="weights")


def _dta(w: SpatialWeights, file: Path, _layout: Layout) -> None:
    _check_labels(w)
    _check_whole_numbers(w, "dta")
    _links(w).to_stata(file, write_index=False, version=118)


def _parquet(w: SpatialWeights, file: Path, _layout: Layout) -> None:
    _check_labels(w)
    _links(w).to_parquet(file, index=False)


def _gal(w: SpatialWeights, file: Path, _layout: Layout) -> None:
    if (w.raw.data != 1.0).any():
        raise WeightsError("A .gal file holds links without weights and these are not all 1: write .gwt or .npz.")
    labels = _words(w, "gal")
    lines = [str(w.n)]
    for k, label in enumerate(labels):
        neighbors = w.raw.indices[w.raw.indptr[k] : w.raw.indptr[k + 1]]
        lines += [f"{label} {len(neighbors)}", " ".join(labels[j] for j in neighbors)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _gwt(w: SpatialWeights, file: Path, _layout: Layout) -> None:
    if len(w.islands):
        raise WeightsError(
            f"A .gwt file lists links and cannot hold {plural(len(w.islands), 'unit')} without neighbours: "
            f"{name_some(w.islands)}. Write .npz, .csv or .parquet."
        )
    labels = _words(w, "gwt")
    row, column = w.sparse.tocoo().coords
    lines = [f"{labels[i]} {labels[j]} {v!r}" for i, j, v in zip(row, column, w.sparse.data.tolist(), strict=True)]
    file.write_text("\n".join([f"0 {w.n} unknown id", *lines]) + "\n", encoding="utf-8")


def _txt(w: SpatialWeights, file: Path, _layout: Layout) -> None:
    labels = _words(w, "txt")
    if w.n > _MATRIX_UNITS:
        raise CapacityError(
            f"A .txt file holds all {w.n:,} x {w.n:,} weights, {2 * w.n**2 / 1e9:.1f} GB and more: write .mtx, .csv "
            "or .npz."
        )
    with file.open("w", encoding="utf-8", newline="\n") as target:
        target.write(f"{w.n}\n")
        for k, label in enumerate(labels):  # a row at a time: the whole matrix need not be in memory
            target.write(f"{label} {' '.join(map(repr, w.sparse[[k]].toarray()[0].tolist()))}\n")


def _mtx(w: SpatialWeights, file: Path, _layout: Layout) -> None:
    _check_labels(w)
    comment = MTX_LABELS + json.dumps(w.ids.tolist(), ensure_ascii=True)
    with file.open("wb") as target:
        mmwrite(target, w.sparse, comment=comment, field="real", precision=17, symmetry="general")


def _links(w: SpatialWeights) -> pd.DataFrame:
    """Links in the order of units; a unit without neighbours is a link with itself of weight 0."""
    edges = w.to_edges()
    alone = pd.DataFrame({"focal": w.islands, "neighbor": w.islands, "weight": 0.0})
    found = edges if alone.empty else pd.concat([edges, alone], ignore_index=True)
    order = np.argsort(w.ids.get_indexer(pd.Index(found["focal"])), kind="stable")
    return found.iloc[order].reset_index(drop=True)


def _check_labels(w: SpatialWeights) -> None:
    if w.ids.inferred_type not in {"string", "integer"}:
        raise WeightsError(
            f"Labels that are {w.ids.inferred_type}, such as {name_some(w.ids[:1])}, cannot be written into a table: "
            "use text or integers."
        )
    if "" in w.ids:
        raise WeightsError("A unit has an empty label, which no table can hold: give it a name.")


def _check_whole_numbers(w: SpatialWeights, kind: str) -> None:
    """Formats whose numbers are all of double precision change whole numbers beyond 2^53."""
    if w.ids.inferred_type == "integer" and np.abs(w.ids.to_numpy()).max() > 2**53:
        raise WeightsError(
            f"A .{kind} file cannot hold whole numbers as large as {int(np.abs(w.ids.to_numpy()).max())} without "
            "changing them: write .csv or .npz, or use text labels."
        )


def _words(w: SpatialWeights, kind: str) -> list[str]:
    words = [str(label) for label in w.ids]
    odd = [word for word in words if word.split() != [word]]
    if odd:
        raise WeightsError(
            f"Labels with blanks cannot be written into a .{kind} file: {name_some(odd)}. Write .csv or .npz."
        )
    return words


_WRITERS: dict[str, Callable[[Any, Path, Layout], None]] = {
    ".gal": _gal,
    ".gwt": _gwt,
    ".csv": _csv,
    ".xlsx": _xlsx,
    ".dta": _dta,
    ".npz": _npz,
    ".parquet": _parquet,
    ".txt": _txt,
    ".mtx": _mtx,
}
