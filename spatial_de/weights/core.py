"""`SpatialWeights`: an immutable, labelled, sparse weights matrix that knows where it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import pandas as pd
from scipy import sparse

from spatial_de.errors import DataError, WeightsError
from spatial_de.weights import description, graphs
from spatial_de.weights.checks import as_csr, check_matrix, check_row_sums, freeze
from spatial_de.weights.labels import as_index, explain_mismatch, match_labels
from spatial_de.weights.normalisation import NORMALIZATIONS, Normalization, normalise
from spatial_de.weights.similarity import symmetric_form
from spatial_de.weights.writing import Layout, write
from spatial_de.wording import check_option, did_you_mean, name_some, plural

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

IslandTreatment = Literal["error", "nearest", "keep"]
_PandasT = TypeVar("_PandasT", pd.Series, pd.DataFrame)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a weights matrix came from.

    Attributes
    ----------
    rule
        How links were made, e.g. ``"queen contiguity of order 1"``.
    crs
        Coordinate system of the geometry used, or None.
    islands
        How units without neighbours were treated, in words; empty where nobody asked.
    notes
        Anything else worth knowing: links added, vertices snapped, warnings.
    variables
        Names of the variables the weights were computed from, for weights that are not geographic: where one of
        them is the outcome, the weights are endogenous.
    times
        Times of the values the weights were computed from, where they are known.
    """

    rule: str
    crs: str | None = None
    islands: str = ""
    notes: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    times: tuple[Any, ...] = ()

    def with_note(self, note: str) -> Provenance:
        """Provenance with one more note."""
        return replace(self, notes=(*self.notes, note))


class SpatialWeights:
    """Spatial weights between labelled units.

    Immutable: every method that changes something returns a new object, and the arrays are read-only.

    Parameters
    ----------
    matrix
        Square matrix of raw weights, shape (n, n), row = focal unit, column = neighbour. Dense or sparse.
        The diagonal must be zero, the values finite; negative values only with ``allow_negative=True``.
    ids
        Labels of the n units, in the order of rows and columns; unique, without missing values.
    provenance
        Where the weights came from.
    normalization
        ``"none"`` (as given), ``"row"`` (rows add up to one; rows of islands stay zero), ``"spectral"``
        (divided by the largest absolute eigenvalue), ``"minmax"`` (divided by the smaller of the largest row
        sum and the largest column sum; Kelejian and Prucha 2010).
    allow_negative
        Accept negative weights.

    Raises
    ------
    WeightsError
        Not square, wrong size, non-zero diagonal, weights that are not finite or negative, weights that cannot be
        normalised: the units are named.
    AlignmentError
        Labels are missing or duplicated.

    References
    ----------
    Kelejian, H. H. and Prucha, I. R. (2010). Specification and estimation of spatial autoregressive models
    with autoregressive and heteroskedastic disturbances. *Journal of Econometrics* 157, 53-67.

    Examples
    --------
    >>> w = SpatialWeights([[0, 1, 1], [1, 0, 0], [1, 0, 0]], ["a", "b", "c"], normalization="row")
    >>> w.to_dense().loc["a", "b"]
    np.float64(0.5)
    """

    def __init__(
        self,
        matrix: Any,
        ids: Iterable[Any],
        *,
        provenance: Provenance | None = None,
        normalization: Normalization = "none",
        allow_negative: bool = False,
    ) -> None:
        check_option(normalization, NORMALIZATIONS, "normalize")
        found = as_index(ids, what="weights")
        # numbers that were positions become labels here, so that tables made from weights count as labelled
        self._ids: pd.Index[Any] = pd.Index(found.to_numpy()) if isinstance(found, pd.RangeIndex) else found
        self._raw = freeze(as_csr(matrix))
        check_matrix(self._raw, self._ids, allow_negative=allow_negative)
        if normalization == "row":
            check_row_sums(self._raw, self._ids)
        self._sparse = self._raw if normalization == "none" else freeze(normalise(self._raw, normalization))
        self._normalization: Normalization = normalization
        self._allow_negative = allow_negative
        self._provenance = provenance or Provenance(rule="matrix given by the user")

    @property
    def ids(self) -> pd.Index[Any]:
        """Labels of the units, in row order."""
        return self._ids

    @property
    def n(self) -> int:
        """Number of units."""
        return len(self._ids)

    @property
    def raw(self) -> sparse.csr_array:
        """Weights before normalisation, shape (n, n), read-only."""
        return self._raw

    @property
    def sparse(self) -> sparse.csr_array:
        """Weights after normalisation, shape (n, n), read-only."""
        return self._sparse

    @property
    def normalization(self) -> Normalization:
        """Name of the normalisation."""
        return self._normalization

    @property
    def provenance(self) -> Provenance:
        """Where the weights came from."""
        return self._provenance

    @property
    def n_links(self) -> int:
        """Number of non-zero weights."""
        return int(self._raw.nnz)

    @cached_property
    def islands(self) -> pd.Index[Any]:
        """Units whose row holds no weight: they have no neighbours."""
        alone: pd.Index[Any] = self._ids[np.diff(self._raw.indptr) == 0]
        return alone

    @cached_property
    def is_row_stochastic(self) -> bool:
        """Whether every row adds up to one (so that there are no islands)."""
        return bool(np.allclose(self.sparse.sum(axis=1), 1.0, rtol=0.0, atol=1e-12))

    @cached_property
    def is_symmetric(self) -> bool:
        """Whether the raw weights are symmetric."""
        gap = abs(self._raw - self._raw.T)
        return bool(gap.nnz == 0 or gap.max() <= 1e-12 * abs(self._raw).max())

    @cached_property
    def symmetric_form(self) -> csr_array | None:
        """Symmetric matrix with the eigenvalues of the weights, or None (see `weights.similarity`)."""
        totals = self._raw.sum(axis=1) if self._normalization == "row" else None
        return symmetric_form(self._sparse, scale=totals)

    @cached_property
    def is_uniform(self) -> bool:
        """Whether every unit is linked with every other and all weights are equal: lags are then plain means."""
        values = self.sparse.data
        return self.n > 1 and self.n_links == self.n * (self.n - 1) and bool(np.ptp(values) <= 1e-12 * abs(values[0]))

    @cached_property
    def component_labels(self) -> NDArray[np.int_]:
        """Number of the (weakly) connected component of each unit, shape (n,)."""
        labels: NDArray[np.int_] = sparse.csgraph.connected_components(self._raw, directed=True)[1]
        return labels

    @property
    def n_components(self) -> int:
        """Number of (weakly) connected components."""
        return int(self.component_labels.max()) + 1

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of labels and normalised weights: the same for the same weights in the same order."""
        digest = hashlib.sha256()
        labels = self._ids.tolist()
        if self._ids.dtype == object:
            labels = [_plain(label) for label in labels]
        digest.update(repr(labels).encode())
        for part in (self.sparse.indptr, self.sparse.indices):
            digest.update(np.asarray(part, dtype=np.int64).tobytes())
        digest.update(self.sparse.data.tobytes())
        return digest.hexdigest()

    def normalized(self, kind: Normalization) -> SpatialWeights:
        """The same links under another normalisation, computed from the raw weights."""
        return self._copy(normalization=kind)

    def reorder(self, ids: Iterable[Any], *, name: str = "the requested order") -> SpatialWeights:
        """The same weights with units in the order of `ids`.

        Raises
        ------
        AlignmentError
            `ids` are not exactly the units of the weights: the missing and the extra ones are named.
        """
        target = as_index(ids, what=name)
        if target.equals(self._ids) and target.dtype == self._ids.dtype:
            return self
        order = match_labels(self._ids, target, left="weights", right=name)
        return self._copy(matrix=self._raw[order][:, order], ids=self._ids[order])

    def subset(self, ids: Iterable[Any]) -> SpatialWeights:
        """Weights between some of the units only, normalised anew.

        Units whose neighbours are all left out become islands, which the provenance names.
        """
        target = as_index(ids, what="the requested units")
        order = self._ids.get_indexer(target)
        if (order < 0).any():
            advice = explain_mismatch(self._ids, target, left="the weights", right="the requested units")
            raise WeightsError(
                advice
                or f"{plural(int((order < 0).sum()), 'requested unit')} not in the weights: "
                f"{name_some(target[order < 0])}. Ask for units that are in w.ids."
            )
        part = self._copy(matrix=self._raw[order][:, order], ids=self._ids[order])
        note = f"subset: {part.n} of {self.n} units kept"
        new_islands = part.islands.difference(self.islands)
        if len(new_islands):
            note += f"; without neighbours now: {name_some(new_islands)}"
        return part._copy(provenance=self._provenance.with_note(note))  # noqa: SLF001

    def lag(self, x: _PandasT) -> _PandasT:
        """Spatial lag ``W x`` by label.

        Parameters
        ----------
        x
            Series or DataFrame indexed by unit id, any order, n rows.

        Returns
        -------
        Series or DataFrame
            Lagged values in the order of `x`. Where a neighbour's value is missing, so is the lag.

        Raises
        ------
        AlignmentError
            `x` and the weights do not have the same units.
        DataError
            `x` holds text.
        """
        order = match_labels(as_index(x.index, what="the variable"), self._ids, left="the variable", right="weights")
        try:
            numbers = x.to_numpy(dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"A spatial lag needs numbers: {error}. Convert the variable first.") from error
        lagged = self.sparse @ numbers[order]
        values = np.empty_like(lagged)
        values[order] = lagged
        if isinstance(x, pd.DataFrame):
            return pd.DataFrame(values, index=x.index, columns=x.columns)
        return pd.Series(values, index=x.index, name=x.name)

    def neighbors(self, unit: Any) -> pd.Series:
        """Weights of one unit's neighbours, indexed by their labels.

        Raises
        ------
        WeightsError
            There is no such unit.
        """
        if unit not in self._ids:
            raise WeightsError(f"The weights have no unit {unit!r}.{did_you_mean(unit, self._ids)}")
        position = self._ids.get_loc(unit)
        row = self.sparse[[position]].tocoo()
        return pd.Series(row.data, index=self._ids[row.coords[1]], name=unit)

    def to_dense(self) -> pd.DataFrame:
        """Weights as a labelled square table, shape (n, n)."""
        return pd.DataFrame(self.sparse.toarray(), index=self._ids, columns=self._ids)

    def to_edges(self) -> pd.DataFrame:
        """Weights as a table with columns focal, neighbor, weight, one row per link.

        Units without neighbours have no row: ``from_edges(w.to_edges(), ids=w.ids)`` brings them back.
        """
        links = self.sparse.tocoo()
        row, column = links.coords
        return pd.DataFrame({"focal": self._ids[row], "neighbor": self._ids[column], "weight": links.data})

    def to_graph(self) -> Any:
        """The weights as a `libpysal.graph.Graph`; row-normalised ones carry the transformation ``"R"``."""
        return graphs.to_graph(self.sparse, self._ids, normalization=self._normalization)

    def to_w(self) -> Any:
        """The weights as a `libpysal.weights.W`; row-normalised ones carry the transformation ``"R"``."""
        return graphs.to_w(self._raw, self.sparse, self._ids, normalization=self._normalization)

    def to_networkx(self) -> Any:
        """The weights as a `networkx.DiGraph`: an edge from each unit to its neighbours, attribute ``weight``."""
        return graphs.to_networkx(self.sparse, self._ids)

    def write(self, path: str | Path, *, layout: Layout = "edges") -> Path:
        """Write the weights to a file, as `weights.write` does."""
        return write(self, path, layout=layout)

    def describe(self) -> pd.Series:
        """Links, neighbours per unit, islands, components, symmetry, eigenvalues: what to check before use."""
        return description.describe(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything needed to rebuild the weights, in plain Python types."""
        links = self._raw.tocoo()
        row, column = links.coords
        return {
            "ids": self._ids.tolist(),
            "row": row.tolist(),
            "column": column.tolist(),
            "weight": links.data.tolist(),
            "normalization": self._normalization,
            "allow_negative": self._allow_negative,
            "provenance": asdict(self._provenance),
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> SpatialWeights:
        """Rebuild weights from `to_dict`."""
        n = len(content["ids"])
        matrix = sparse.coo_array((content["weight"], (content["row"], content["column"])), shape=(n, n))
        stored = content["provenance"]
        sequences = {key: tuple(stored[key]) for key in ("notes", "variables", "times") if key in stored}
        return cls(
            matrix,
            content["ids"],
            provenance=Provenance(**(stored | sequences)),
            normalization=content["normalization"],
            allow_negative=content["allow_negative"],
        )

    def __eq__(self, other: object) -> bool:
        """Same labels in the same order, same normalised weights."""
        return isinstance(other, SpatialWeights) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Arrays come out of a pickle writeable: close them again."""
        self.__dict__.update(state)
        freeze(self._raw)
        freeze(self._sparse)

    def __len__(self) -> int:
        return self.n

    def __repr__(self) -> str:
        return description.text(self)

    def _repr_html_(self) -> str:
        return description.facts(self).to_frame().to_html()

    def _copy(self, **changes: Any) -> SpatialWeights:
        settings = {
            "matrix": self._raw,
            "ids": self._ids,
            "provenance": self._provenance,
            "normalization": self._normalization,
            "allow_negative": self._allow_negative,
        } | changes
        return SpatialWeights(settings.pop("matrix"), settings.pop("ids"), **settings)


def _plain(label: Any) -> Any:
    return label.item() if hasattr(label, "item") else label
