"""SpatialWeights: labels, immutability, checks, description, lags."""

import copy
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from spatial_de.errors import AlignmentError, DataError, OptionError, WeightsError
from spatial_de.weights import Provenance, SpatialWeights

DENSE = np.array([[0, 2, 1, 0], [2, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]], dtype=float)
IDS = ["c", "b", "a", "d"]


@pytest.fixture
def w():
    return SpatialWeights(DENSE, IDS, normalization="row", provenance=Provenance("by hand", "EPSG:4326", "kept"))


def message(call, error):
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_numbers_meet_the_dense_definition(w):
    rows = DENSE.sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(w.sparse.toarray(), np.divide(DENSE, rows, out=np.zeros_like(DENSE), where=rows > 0))
    np.testing.assert_array_equal(w.raw.toarray(), DENSE)
    assert (w.n, w.n_links, len(w)) == (4, 4, 4)
    assert w.islands.tolist() == ["d"]
    assert not w.is_row_stochastic
    assert w.is_symmetric
    assert w.n_components == 2
    assert w.component_labels.tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("matrix", "ids", "expected"),
    [
        ([[0, 1, 1], [1, 0, 1]], ["a", "b"], "The weights matrix is not square: 2 rows, 3 columns."),
        (
            [[0, 1], [1, 0]],
            ["a", "b", "c"],
            "The weights matrix has 2 rows but there are 3 labels: every row needs one label.",
        ),
        ([0, 1], ["a", "b"], "The weights must be a square table; got 1 dimension."),
        (np.zeros((0, 0)), [], "The weights matrix is empty: it needs at least two units."),
        (
            [[1, 1, 0], [1, 0, 0], [0, 0, -2]],
            ["a", "b", "c"],
            "A unit is its own neighbour: non-zero diagonal for 'a', 'c'. Set the diagonal to zero.",
        ),
        (
            [[0, np.nan, 1], [np.inf, 0, 1], [1, 1, 0]],
            ["a", "b", "c"],
            (
                "2 weights not finite (NaN or inf) at (focal, neighbor) ('a', 'b'), ('b', 'a'). "
                "Write 0 where there is no link."
            ),
        ),
        (
            [[0, 1], [-1, 0]],
            ["a", "b"],
            "1 weight negative at (focal, neighbor) ('b', 'a'). Pass allow_negative=True if that is meant.",
        ),
    ],
)
def test_what_is_not_a_weights_matrix_is_refused(matrix, ids, expected):
    assert message(lambda: SpatialWeights(matrix, ids), WeightsError) == expected


def test_text_in_a_matrix_is_refused():
    found = message(lambda: SpatialWeights([["x", "y"], ["z", "w"]], ["a", "b"]), WeightsError)
    assert found.startswith("The weights cannot be read as a matrix of numbers:")
    found = message(lambda: SpatialWeights([[0, 1], [1]], ["a", "b"]), WeightsError)
    assert found.startswith("The weights cannot be read as a matrix of numbers:")


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["a", "a", "b"], "Weights: 1 label occurs more than once: 'a'. Every unit may occur only once."),
        (["a", None, "b"], "Weights: 1 label missing (position 1). Give every unit a label."),
        (["1", 1, 2], "Weights: labels '1' and 1 differ in type only. Convert all to one type."),
        (
            pd.MultiIndex.from_tuples([("a", 1), ("b", 1), ("c", 1)]),
            "Weights: one label per unit is needed, found pairs such as ('a', 1).",
        ),
    ],
)
def test_labels_that_are_none_are_refused(ids, expected):
    assert message(lambda: SpatialWeights(np.ones((3, 3)) - np.eye(3), ids), AlignmentError) == expected


def test_negative_weights_on_request():
    w = SpatialWeights([[0, -1], [2, 0]], ["a", "b"], allow_negative=True)
    assert w.to_dense().loc["a", "b"] == -1
    assert w.reorder(["b", "a"]).to_dense().loc["a", "b"] == -1


def test_normalize_is_checked():
    expected = "normalize='rwo' is not available: use one of 'none', 'row', 'spectral', 'minmax'. Did you mean 'row'?"
    assert message(lambda: SpatialWeights(DENSE, IDS, normalization="rwo"), OptionError) == expected


def test_nothing_can_be_changed(w):
    for matrix in (w.sparse, w.raw):
        with pytest.raises(ValueError, match="read-only"):
            matrix.data[0] = 7
    with pytest.raises(AttributeError):
        w.normalization = "none"
    source = DENSE.copy()
    made = SpatialWeights(source, IDS)
    source[0, 1] = 99
    assert made.to_dense().loc["c", "b"] == 2


def test_reorder_permutes_rows_and_columns(w):
    again = w.reorder(["a", "b", "c", "d"])
    pd.testing.assert_frame_equal(again.to_dense(), w.to_dense().loc[list("abcd"), list("abcd")])
    assert w.reorder(w.ids) is w
    assert again.reorder(IDS) == w
    assert again != w


def test_other_units_are_refused_by_name(w):
    assert message(lambda: w.reorder(["a", "b", "c", "e"]), AlignmentError) == (
        "The units of weights and the requested order are not the same; 1 unit of the requested order not in weights: "
        "'e'; 1 unit of weights not in the requested order: 'd'. Drop or add units explicitly (w.subset(ids), "
        "panel.select(units=...)) so that both hold the same ones."
    )


@pytest.mark.parametrize("other", [[110000, 120000], [110000.0, 120000.0]])
def test_text_against_numbers_names_the_cast(other):
    w = SpatialWeights([[0, 1], [1, 0]], ["110000", "120000"])
    found = message(lambda: w.lag(pd.Series([1.0, 2.0], index=other)), AlignmentError)
    assert "2 of them would match if both were written the same way" in found
    assert "convert one side, e.g. ids.astype(" in found


@pytest.mark.parametrize("other", [["BJ ", "TJ"], ["ＢＪ", "TJ"]])
def test_blanks_and_full_width_characters_are_named_not_guessed(other):
    w = SpatialWeights([[0, 1], [1, 0]], ["BJ", "TJ"])
    found = message(lambda: w.reorder(other), AlignmentError)
    assert f"written differently, such as 'BJ' and {other[0]!r}: 2 of them would match" in found
    assert found.endswith("Labels are compared as given; clean both sides, e.g. ids.str.normalize('NFKC').str.strip().")


def test_subset_keeps_links_among_the_rest_and_names_new_islands(w):
    part = w.subset(["a", "c", "b"])
    assert part.to_dense().loc["c"].tolist() == [1 / 3, 0, 2 / 3]
    assert w.subset(["a", "b"]).islands.tolist() == ["a", "b"]
    assert w.subset(["a", "b"]).provenance.notes == ("subset: 2 of 4 units kept; without neighbours now: 'a', 'b'",)
    assert message(lambda: w.subset(["a", "z"]), WeightsError) == (
        "1 requested unit not in the weights: 'z'. Ask for units that are in w.ids."
    )


def test_lag_meets_by_label(w):
    x = pd.Series({"d": 8.0, "a": 1.0, "b": 2.0, "c": 4.0}, name="x")
    expected = pd.Series(w.to_dense().loc[x.index, x.index].to_numpy() @ x.to_numpy(), index=x.index, name="x")
    pd.testing.assert_series_equal(w.lag(x), expected)
    frame = pd.DataFrame({"x": x, "y": 2 * x})
    pd.testing.assert_frame_equal(w.lag(frame), pd.DataFrame({"x": expected, "y": 2 * expected}))
    assert "A spatial lag needs numbers" in message(lambda: w.lag(x.astype(str).replace("1.0", "n/a")), DataError)


def test_neighbors_of_a_unit(w):
    assert w.neighbors("c").to_dict() == {"b": 2 / 3, "a": 1 / 3}
    assert w.neighbors("d").empty
    named = SpatialWeights([[0, 1], [1, 0]], ["Beijing", "Tianjin"])
    assert message(lambda: named.neighbors("Bejing"), WeightsError) == (
        "The weights have no unit 'Bejing'. Did you mean 'Beijing'?"
    )


def test_explicit_zeros_are_no_links_and_duplicates_add_up():
    found = sparse.coo_array(([1.0, 1.0, 0.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    w = SpatialWeights(found, ["a", "b"])
    assert w.n_links == 1
    assert w.to_dense().loc["a", "b"] == 2
    assert w.islands.tolist() == ["b"]


def test_round_trip_through_a_dictionary_json_and_pickle(w):
    for again in (
        SpatialWeights.from_dict(w.to_dict()),
        SpatialWeights.from_dict(json.loads(json.dumps(w.to_dict()))),
        pickle.loads(pickle.dumps(w)),  # noqa: S301  our own bytes
        copy.deepcopy(w),
    ):
        assert again == w
        assert again.provenance == w.provenance
        assert again.normalization == "row"
        np.testing.assert_array_equal(again.raw.toarray(), DENSE)
        assert not again.sparse.data.flags.writeable


def test_fingerprint_tells_weights_labels_and_normalisation_apart(w):
    others = [
        w.normalized("none"),
        SpatialWeights(DENSE, ["c", "b", "a", "e"], normalization="row"),
        SpatialWeights(DENSE.T * [1, 1, 3, 1], IDS, normalization="row"),
        SpatialWeights(DENSE, [1, 2, 3, 4], normalization="row"),
        SpatialWeights(DENSE, ["1", "2", "3", "4"], normalization="row"),
    ]
    assert len({w.fingerprint, *(other.fingerprint for other in others)}) == 6
    assert hash(w) == hash(SpatialWeights(sparse.csc_array(DENSE), IDS, normalization="row"))


def test_describe_says_what_to_check(w):
    found = w.describe().to_dict()
    smallest, largest = found.pop("eigenvalue_min"), found.pop("eigenvalue_max")
    values = np.linalg.eigvals(w.to_dense())
    assert (smallest, largest) == pytest.approx((values.real.min(), values.real.max()), abs=1e-12)
    assert found == {
        "units": 4,
        "links": 4,
        "density_percent": 25.0,
        "neighbors_min": 0,
        "neighbors_mean": 1.0,
        "neighbors_max": 2,
        "weight_min": 1 / 3,
        "weight_max": 1.0,
        "islands": 1,
        "components": 2,
        "largest_component": 3,
        "symmetric_links": True,
        "similar_to_symmetric": True,
        "row_stochastic": False,
        "equal_weights": False,
        "normalization": "row",
    }
    assert "by hand" in w._repr_html_()


def test_repr_reads_as_a_provenance(w):
    assert repr(w).splitlines() == [
        "SpatialWeights: by hand",
        "  units          4 ('c', 'b', 'a' and 1 more)",
        "  links          4 (0 to 2 per unit, mean 1.00)",
        "  normalisation  row",
        "  CRS            EPSG:4326",
        "  islands        kept: 'd'",
        "  components     2: no path leads from one to another",
    ]


def test_repr_cuts_a_long_list_of_notes():
    w = SpatialWeights(DENSE, IDS, provenance=Provenance("r", notes=tuple(f"note {k}" for k in range(7))))
    assert repr(w).splitlines()[-2:] == [
        "  note           note 4",
        "  note           and 2 more notes in w.provenance.notes",
    ]


def test_equal_weights_between_all_are_noted():
    w = SpatialWeights(np.ones((4, 4)) - np.eye(4), IDS, normalization="row")
    assert w.is_uniform
    assert w.describe()["equal_weights"]
    assert "all units are linked with equal weights: rho and time effects exclude each other" in repr(w)
    nearly = np.ones((4, 4)) - np.eye(4)
    nearly[0, 1] = 1.001
    assert not SpatialWeights(nearly, IDS).is_uniform


def test_edges_list_every_link_once(w):
    pd.testing.assert_frame_equal(
        w.to_edges(),
        pd.DataFrame({"focal": list("ccba"), "neighbor": list("bacc"), "weight": [2 / 3, 1 / 3, 1.0, 1.0]}),
    )


def test_eigenvalues_of_many_units():
    """Above 1,000 units by iteration: those of a lattice are sums of two cosines; NaN where they do not settle."""
    line = np.eye(36, k=1) + np.eye(36, k=-1)
    lattice = sparse.csr_array(np.kron(np.eye(36), line) + np.kron(line, np.eye(36)))
    found = SpatialWeights(lattice, range(36**2)).describe()
    end = 4 * np.cos(np.pi / 37)
    assert found["eigenvalue_max"] == pytest.approx(end, rel=1e-5)
    assert found["eigenvalue_min"] == pytest.approx(-end, rel=1e-5)
    assert SpatialWeights(lattice, range(36**2), normalization="row").describe()["eigenvalue_max"] == 1.0
    ring = SpatialWeights(sparse.csr_array(np.roll(np.eye(1100), 1, axis=1)), range(1100)).describe()
    assert not ring["similar_to_symmetric"]
    assert np.isnan(ring["eigenvalue_max"]) or ring["eigenvalue_max"] == pytest.approx(1.0, abs=1e-4)
