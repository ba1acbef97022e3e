"""Weights from files. Weights stay as given; what was found out on the way is in the provenance."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.io import mmread

from spatial_de.errors import FileError, OptionError
from spatial_de.weights.core import SpatialWeights
from spatial_de.weights.grid import read_grid, read_text
from spatial_de.weights.identifiers import ID_TYPES, IdType, read_ids
from spatial_de.weights.imports import ImportedIslands, from_edges, from_matrix
from spatial_de.weights.normalisation import Normalization
from spatial_de.weights.tables import Columns, Links, Square, read_table
from spatial_de.weights.text_formats import Listed, parse_gal, parse_gwt, parse_spmat
from spatial_de.weights.writing import MTX_LABELS
from spatial_de.wording import check_option, name_some

FORMATS = (".gal", ".gwt", ".csv", ".xlsx", ".dta", ".npz", ".parquet", ".txt", ".mtx")
_TABLES = (".csv", ".xlsx", ".dta", ".parquet")
_BELONGS: dict[str, tuple[Any, tuple[str, ...]]] = {  # options of some formats only: default, formats
    "id": (None, _TABLES),
    "focal": ("focal", _TABLES),
    "neighbor": ("neighbor", _TABLES),
    "weight": ("weight", _TABLES),
    "symmetric": (False, _TABLES),
    "sheet": (None, (".xlsx",)),
    "encoding": (None, (".gal", ".gwt", ".csv", ".txt")),
}


def read(
    path: str | Path,
    *,
    id: str | None = None,  # noqa: A002  the word users know
    ids: Iterable[Any] | str | Path | None = None,
    id_type: IdType = "auto",
    focal: str = "focal",
    neighbor: str = "neighbor",
    weight: str | None = "weight",
    symmetric: bool = False,
    binary: bool = False,
    sheet: str | None = None,
    encoding: str | None = None,
    islands: ImportedIslands = "error",
    normalize: Normalization = "none",
    allow_negative: bool = False,
) -> SpatialWeights:
    """Read weights from a file.

    ============  ===================================================================================================
    .gal          Neighbour list; every link gets the weight 1.
    .gwt          List of links. GeoDa writes distances here, not weights: ``binary=True`` turns them into ones.
    .csv, .xlsx,  A table of links (columns `focal`, `neighbor`, `weight`), or a square matrix with its labels in the
    .dta,         first row and the first column, or without any labels and with ``ids=``. Columns such as w1, w2, ...
    .parquet      of Stata matrices are taken in the order of the rows. What was found is in the provenance.
    .txt          A matrix as Stata's ``spmatrix export`` writes it: the number of units, then labels and weights.
    .mtx          Matrix Market; labels from its comment as `write` leaves them there, or with ``ids=``.
    .npz          As `write` makes it, complete with normalisation and provenance; or a matrix of
                  ``scipy.sparse.save_npz`` with ``ids=``.
    ============  ===================================================================================================

    Parameters
    ----------
    path
        The file.
    id
        Column with the labels of a matrix; by default the first.
    ids
        All units in the order wanted, or a text file with one label a line. Needed where the file has no labels.
    id_type
        How labels are read from text: ``"auto"`` (integers where all are whole numbers without leading zeros),
        ``"text"``, ``"integer"``.
    focal, neighbor, weight, symmetric
        As in `from_edges`.
    binary
        Replace every weight by 1.
    sheet
        Sheet of a workbook that has several.
    encoding
        Of text files; by default UTF-8, else GB18030.
    islands
        What to do with units without neighbours: ``"error"`` or ``"keep"``.
    normalize
        ``"none"`` (as given), ``"row"``, ``"spectral"``, ``"minmax"``.
    allow_negative
        Accept negative weights.

    Raises
    ------
    OptionError
        An option that the format has no use for.
    FileError
        No such file, an unknown format, or content that is not what the format promises: the line or cell is named.
    WeightsError, AlignmentError, IslandError
        As in `from_edges` and `from_matrix`.

    Examples
    --------
    >>> import libpysal
    >>> w = read(libpysal.examples.get_path("columbus.gal"), normalize="row")
    >>> w.n, w.n_links
    (49, 236)
    """
    file = Path(path)
    check_option(id_type, ID_TYPES, "id_type")
    if file.suffix.lower() not in FORMATS:
        raise FileError(f"{file.name} has a format that is not read: use one of {', '.join(FORMATS)}.")
    if not file.is_file():
        raise FileError(f"There is no file {str(path)!r}.")
    suffix = file.suffix.lower()
    given = {"id": id, "focal": focal, "neighbor": neighbor, "weight": weight, "symmetric": symmetric, "sheet": sheet}
    _refuse_foreign(given | {"encoding": encoding if ids is None else None}, suffix)
    units = _listed(ids, id_type, encoding)
    how = _How(units, binary=binary, islands=islands, normalize=normalize, allow_negative=allow_negative)
    if suffix == ".npz":
        return _npz(file, how)
    if suffix in {".gal", ".gwt"}:
        text, notes = read_text(file, encoding)
        parse = parse_gal if suffix == ".gal" else parse_gwt
        return _from_list(parse(text, file=file.name, id_type=id_type), file, how, notes=notes)
    if suffix == ".txt":
        text, notes = read_text(file, encoding)
        found = parse_spmat(text, file=file.name, id_type=id_type)
        return _from_square(replace(found, notes=(*notes, *found.notes)), file, how)
    if suffix == ".mtx":
        return _mtx(file, how)
    grid = read_grid(file, sheet=sheet, encoding=encoding)
    table = read_table(grid, Columns(focal, neighbor, weight, id), ids=units, id_type=id_type)
    if isinstance(table, Square):
        return _from_square(table, file, how)
    return _from_links(table, file, how, symmetric=symmetric)


@dataclass(frozen=True)
class _How:
    """What the user asked for, whatever the format."""

    units: list[Any] | None
    binary: bool
    islands: ImportedIslands
    normalize: Normalization
    allow_negative: bool

    def finish(self, w: SpatialWeights, rule: str, notes: tuple[str, ...]) -> SpatialWeights:
        """The weights with the file in their provenance."""
        raw = w.raw
        if self.binary:
            raw = sparse.csr_array((np.ones_like(raw.data), raw.indices, raw.indptr), shape=raw.shape)
            notes = (*notes, "every weight replaced by 1")
        return SpatialWeights(
            raw,
            w.ids,
            provenance=replace(w.provenance, rule=rule, notes=(*notes, *w.provenance.notes)),
            normalization=self.normalize,
            allow_negative=self.allow_negative,
        )


def _from_list(found: Listed, file: Path, how: _How, *, notes: tuple[str, ...]) -> SpatialWeights:
    w = from_edges(
        found.frame,
        ids=found.ids if how.units is None else how.units,
        islands=how.islands,
        allow_negative=how.allow_negative,
    )
    kind = "neighbour list" if file.suffix.lower() == ".gal" else "table of links"
    if not how.binary and (found.frame["weight"] > 1).any():
        notes = (*notes, "weights above 1: GeoDa writes distances into .gwt files; binary=True makes them 1")
    return how.finish(w, f"{kind} in {file.name}", (*found.notes, *notes))


def _from_links(found: Links, file: Path, how: _How, *, symmetric: bool) -> SpatialWeights:
    w = from_edges(
        found.frame,
        weight="weight" if "weight" in found.frame else None,
        symmetric=symmetric,
        ids=how.units,
        islands=how.islands,
        allow_negative=how.allow_negative,
    )
    return how.finish(w, f"{found.layout} in {file.name}", found.notes)


def _from_square(found: Square, file: Path, how: _How) -> SpatialWeights:
    w = from_matrix(found.matrix, found.ids, islands=how.islands, allow_negative=how.allow_negative)
    if how.units is not None:
        w = w.reorder(how.units, name="ids=")
    return how.finish(w, f"{found.layout} in {file.name}", found.notes)


def _npz(file: Path, how: _How) -> SpatialWeights:
    arrays = _arrays(file)
    if "spatial_de" in arrays:
        return _ours(arrays, file, how)
    if not {"format", "data", "shape"} <= set(arrays):
        raise FileError(
            f"{file.name} holds the arrays {name_some(sorted(arrays))}: neither weights nor a sparse matrix."
        )
    if how.units is None:
        raise OptionError(
            f"{file.name} holds a matrix without labels: pass ids= with the labels of its rows in their order."
        )
    matrix = sparse.load_npz(file)
    w = from_matrix(matrix, how.units, islands=how.islands, allow_negative=how.allow_negative)
    return how.finish(w, f"sparse matrix in {file.name}", ("labels given by ids=, in the order of its rows",))


def _mtx(file: Path, how: _How) -> SpatialWeights:
    """A Matrix Market file, whose comment may hold the labels."""
    try:
        matrix = sparse.csr_array(mmread(file))
        head = [line.removeprefix("%") for line in file.read_text(encoding="utf-8").splitlines() if line[:1] == "%"]
        labels = [json.loads(line.removeprefix(MTX_LABELS)) for line in head if line.startswith(MTX_LABELS)]
    except (ValueError, OSError) as error:
        raise FileError(f"{file.name} cannot be read as a Matrix Market file: {error}.") from error
    if not labels and how.units is None:
        raise OptionError(
            f"{file.name} holds a matrix without labels: pass ids= with the labels of its rows in their order."
        )
    ids = labels[0] if labels else how.units
    w = from_matrix(matrix, ids, islands=how.islands, allow_negative=how.allow_negative)
    if labels and how.units is not None:
        w = w.reorder(how.units, name="ids=")
    note = () if labels else ("labels given by ids=, in the order of its rows",)
    return how.finish(w, f"sparse matrix in {file.name}", note)


def _arrays(file: Path) -> dict[str, Any]:
    try:
        with np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise FileError(f"{file.name} cannot be read as an npz archive: {error}.") from error


def _ours(arrays: dict[str, Any], file: Path, how: _How) -> SpatialWeights:
    """Weights as they were written, islands and normalisation included, unless another normalisation is asked for."""
    try:
        content = json.loads(str(arrays["spatial_de"]))
        w = SpatialWeights.from_dict(content | {name: arrays[name] for name in ("row", "column", "weight")})
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise FileError(f"{file.name} was not written by this package, or is damaged: {error!r}.") from error
    if how.normalize != "none":
        w = w.normalized(how.normalize)
    if how.binary:
        w = how.finish(w, w.provenance.rule, ()).normalized(w.normalization)
    return w if how.units is None else w.reorder(how.units, name="ids=")


def _refuse_foreign(given: dict[str, Any], suffix: str) -> None:
    """Refuse an option that the format has no use for, instead of ignoring it."""
    for name, value in given.items():
        default, formats = _BELONGS[name]
        if value != default and suffix not in formats:
            raise OptionError(
                f"{name}={value!r} does not apply to {suffix} files: it belongs to {', '.join(formats)}. Leave it out."
            )


def _listed(ids: Iterable[Any] | str | Path | None, id_type: IdType, encoding: str | None) -> list[Any] | None:
    if ids is None:
        return None
    if not isinstance(ids, str | Path):
        return pd.Index(list(ids)).tolist()
    file = Path(ids)
    if not file.is_file():
        raise FileError(f"There is no file {str(ids)!r} with labels.")
    text, _ = read_text(file, encoding)
    lines = [line for line in text.splitlines() if line.strip()]
    return read_ids(lines, id_type, place=lambda k: f"label {k + 1}", file=file.name)[0]
