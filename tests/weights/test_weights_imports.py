"""Tables of links and matrices that users bring: kept as given, or refused by name."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from spatial_de.errors import AlignmentError, IslandError, OptionError, WeightsError
from spatial_de.weights import from_edges, from_matrix

BORDERS = Path(__file__).parents[1] / "golden" / "boundaries" / "known_adjacency.csv"
TABLE = pd.DataFrame(
    {
        "focal": ["BJ", "BJ", "TJ", "HE", "HE"],
        "neighbor": ["TJ", "HE", "BJ", "BJ", "TJ"],
        "weight": [0.5, 0.25, 3.0, 1.0, 1e-9],
    }
)
MATRIX = pd.DataFrame(
    [[0, 0.5, 0.25], [3.0, 0, 0], [1.0, 1e-9, 0]], index=["BJ", "TJ", "HE"], columns=["BJ", "TJ", "HE"]
)


def message(call, error):
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


# --- tables of links --------------------------------------------------------------------------------------------------


def test_links_are_kept_as_given():
    w = from_edges(TABLE)
    assert w.normalization == "none"
    pd.testing.assert_frame_equal(w.to_dense(), MATRIX, check_exact=True)
    assert w.provenance.rule == "table of links"
    assert w.provenance.notes == ()
    assert from_edges(TABLE, normalize="row") == w.normalized("row")


def test_columns_by_any_name():
    named = TABLE.rename(columns={"focal": "省", "neighbor": "邻省", "weight": "w"})
    assert from_edges(named, focal="省", neighbor="邻省", weight="w") == from_edges(TABLE)
    assert from_edges(TABLE, weight=None).raw.data.tolist() == [1.0] * 5


def test_ids_give_order_and_units_without_links():
    w = from_edges(TABLE, ids=["SD", "HE", "TJ", "BJ"], islands="keep")
    assert w.ids.tolist() == ["SD", "HE", "TJ", "BJ"]
    assert w.islands.tolist() == ["SD"]
    assert w.subset(["BJ", "TJ", "HE"]) == from_edges(TABLE)


def test_a_self_link_of_weight_zero_is_a_unit_without_neighbours():
    w = from_edges(
        pd.concat([TABLE, pd.DataFrame({"focal": ["HI"], "neighbor": ["HI"], "weight": [0.0]})]), islands="keep"
    )
    assert w.islands.tolist() == ["HI"]


def test_symmetric_reads_every_row_twice():
    borders = pd.read_csv(BORDERS)
    first, second = borders.columns[:2]
    found = message(lambda: from_edges(borders, focal=first, neighbor=second, weight=None), IslandError)
    assert "(no pair is listed in both directions: symmetric=True if every row means both)" in found
    w = from_edges(borders, focal=first, neighbor=second, weight=None, symmetric=True)
    assert w.n_links == 2 * len(borders)
    assert w.is_symmetric
    assert w.provenance.notes == ("every row was read in both directions",)


def test_one_way_tables_are_noted():
    ring = pd.DataFrame({"focal": list("abc"), "neighbor": list("bca"), "weight": [1.0, 1.0, 1.0]})
    assert from_edges(ring).provenance.notes == ("no pair is listed in both directions",)


def test_zero_weights_are_no_links_and_counted():
    w = from_edges(TABLE.assign(weight=[0.5, 0.0, 3.0, 1.0, 0.0]))
    assert w.n_links == 3
    assert w.provenance.notes == ("2 rows of weight zero: no links",)


def test_integer_labels_stay_integers():
    table = TABLE.replace({"BJ": 11, "TJ": 12, "HE": 13}).astype({"focal": "int64", "neighbor": "int64"})
    w = from_edges(table)
    assert w.ids.tolist() == [11, 12, 13]
    assert w.ids.dtype == "int64"


def test_a_missing_column_is_named():
    assert message(lambda: from_edges(TABLE.rename(columns={"neighbor": "neighbour"})), WeightsError) == (
        "The table of links has no column 'neighbor'. Did you mean 'neighbour'? It has 'focal', 'neighbour', 'weight'; "
        "name the columns with focal=, neighbor=, weight= (weight=None: all one)."
    )


def test_links_listed_twice_are_named():
    twice = pd.concat([TABLE, TABLE.iloc[[1]]])
    assert message(lambda: from_edges(twice), WeightsError) == (
        "1 link listed more than once: ('BJ', 'HE'). Every pair may be listed once: add up or drop repeated rows first."
    )
    assert message(lambda: from_edges(TABLE, symmetric=True), WeightsError) == (
        "2 links listed more than once: ('TJ', 'BJ'), ('HE', 'BJ'). With symmetric=True a pair may be listed in one "
        "direction only; leave it out if both directions are listed."
    )


def test_links_of_a_unit_with_itself_are_named():
    own = pd.concat([TABLE, pd.DataFrame({"focal": ["TJ"], "neighbor": ["TJ"], "weight": [2.0]})])
    assert message(lambda: from_edges(own), WeightsError) == (
        "A unit is its own neighbour: non-zero diagonal for 'TJ'. Set the diagonal to zero."
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_named(bad):
    assert message(lambda: from_edges(TABLE.assign(weight=[1, bad, 1, 1, bad])), WeightsError) == (
        "2 weights not finite (NaN or inf) at (focal, neighbor) ('BJ', 'HE'), ('HE', 'TJ'). Write 0 where there is no "
        "link."
    )


def test_negative_weights_are_opt_in():
    table = TABLE.assign(weight=[1, -1, 1, 1, 1])
    assert message(lambda: from_edges(table), WeightsError) == (
        "1 weight negative at (focal, neighbor) ('BJ', 'HE'). Pass allow_negative=True if that is meant."
    )
    assert from_edges(table, allow_negative=True).to_dense().loc["BJ", "HE"] == -1


def test_text_for_weights_is_named():
    table = TABLE.assign(weight=["1", "0,5", "1", "1", "1"])
    assert message(lambda: from_edges(table), WeightsError) == (
        "5 weights written as text, the first '1' from 'BJ' to 'TJ': weights must be numbers."
    )
    mixed = TABLE.assign(weight=pd.Series([1.0, "n/a", 1.0, 1.0, 1.0], dtype=object))
    assert message(lambda: from_edges(mixed), WeightsError) == (
        "1 weight written as text, the first 'n/a' from 'BJ' to 'HE': weights must be numbers."
    )


def test_missing_labels_are_named():
    table = TABLE.assign(neighbor=["TJ", None, "BJ", "BJ", "TJ"])
    assert message(lambda: from_edges(table), WeightsError) == "1 label missing in column 'neighbor' (row 1)."


def test_text_against_integers_names_the_fix():
    table = TABLE.replace({"BJ": 11, "TJ": 12, "HE": 13})
    mixed = table.assign(focal=table["focal"].astype(int).astype(str), neighbor=table["neighbor"].astype(int))
    assert message(lambda: from_edges(mixed), AlignmentError) == (
        "The units of column 'focal' are text (such as '11'), those of column 'neighbor' are integers (such as 12): 3 "
        "of them would match if both were written the same way. Labels are compared as given; convert one side, e.g. "
        "ids.astype(str) for column 'neighbor'."
    )
    ints = table.astype({"focal": int, "neighbor": int})
    assert "e.g. ids.astype(int) for ids." in message(lambda: from_edges(ints, ids=["11", "12", "13"]), AlignmentError)


def test_units_outside_ids_are_named():
    assert message(lambda: from_edges(TABLE, ids=["BJ", "TJ"]), AlignmentError) == (
        "1 unit of the links not in ids: 'HE'."
    )
    assert "Ids: 1 label occurs more than once: 'BJ'" in message(
        lambda: from_edges(TABLE, ids=["BJ", "TJ", "HE", "BJ"]), AlignmentError
    )


def test_units_that_are_only_neighbours_are_islands():
    table = pd.concat([TABLE, pd.DataFrame({"focal": ["HE"], "neighbor": ["SD"], "weight": [1.0]})])
    assert message(lambda: from_edges(table), IslandError) == (
        "1 unit without neighbours: 'SD'. Pass islands='keep' to leave their rows empty, or leave these units out."
    )
    assert from_edges(table, islands="keep").islands.tolist() == ["SD"]


def test_tables_that_are_none():
    assert message(lambda: from_edges(TABLE.iloc[:0]), WeightsError) == "The table of links holds no rows."
    assert message(lambda: from_edges([("a", "b")]), WeightsError) == "A table of links must be a DataFrame, got list."


# --- matrices ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [np.asarray, lambda a: a.tolist(), sparse.csc_array, sparse.coo_matrix, np.asfortranarray]
)
def test_arrays_of_any_kind(kind):
    w = from_matrix(kind(MATRIX.to_numpy()), MATRIX.index)
    pd.testing.assert_frame_equal(w.to_dense(), MATRIX, check_exact=True)
    assert w.provenance.rule == "matrix, labels given in the order of its rows"
    assert w.normalization == "none"


def test_float32_is_widened():
    assert from_matrix(MATRIX.to_numpy(dtype=np.float32), MATRIX.index).sparse.dtype == np.float64


def test_rows_and_columns_meet_by_label():
    w = from_matrix(MATRIX[["HE", "BJ", "TJ"]])
    pd.testing.assert_frame_equal(w.to_dense(), MATRIX, check_exact=True)
    assert w.provenance.rule == "labelled matrix"
    pd.testing.assert_frame_equal(
        from_matrix(MATRIX, ids=["HE", "TJ", "BJ"]).to_dense(), MATRIX.loc[["HE", "TJ", "BJ"], ["HE", "TJ", "BJ"]]
    )


def test_labels_of_rows_and_columns_must_be_the_same():
    assert message(lambda: from_matrix(MATRIX.rename(columns={"HE": "SD"})), AlignmentError).startswith(
        "The units of the columns and the rows are not the same; 1 unit of the rows not in the columns: 'HE'; 1 unit "
        "of the columns not in the rows: 'SD'."
    )
    text = MATRIX.set_axis([11, 12, 13]).set_axis(["11", "12", "13"], axis=1)
    assert "ids.astype(str) for the rows" in message(lambda: from_matrix(text), AlignmentError)
    assert "Rows of the weights: 1 label occurs more than once: 'BJ'" in message(
        lambda: from_matrix(MATRIX.set_axis(["BJ", "BJ", "HE"])), AlignmentError
    )
    assert "1 unit of ids not in the matrix: 'SD'" in message(
        lambda: from_matrix(MATRIX, ids=["BJ", "TJ", "SD"]), AlignmentError
    )


def test_a_column_of_labels_left_inside_is_named():
    assert message(lambda: from_matrix(MATRIX.reset_index()), WeightsError) == (
        "The weights matrix is not square: 3 rows, 4 columns. If a column holds the labels, make it the index: "
        "df.set_index('name of that column')."
    )


def test_a_table_numbered_from_zero_has_no_labels():
    bare = pd.DataFrame(MATRIX.to_numpy())
    assert message(lambda: from_matrix(bare), OptionError).startswith("A matrix without labels needs ids=")
    pd.testing.assert_frame_equal(from_matrix(bare, MATRIX.index).to_dense(), MATRIX, check_exact=True)
    labelled = bare.set_axis([0, 1, 2]).set_axis([0, 1, 2], axis=1)
    assert from_matrix(labelled).ids.tolist() == [0, 1, 2]
    w = from_matrix(bare, pd.RangeIndex(3))
    assert from_matrix(w.to_dense()) == w
    assert "written as text" in message(lambda: from_matrix(bare.astype(str), ["a", "b", "c"]), WeightsError)


def test_arrays_need_labels_and_the_right_number():
    assert message(lambda: from_matrix(MATRIX.to_numpy()), OptionError) == (
        "A matrix without labels needs ids=: the labels of its rows, in their order, so that weights and data meet by "
        "unit."
    )
    assert message(lambda: from_matrix(MATRIX.to_numpy(), ["a", "b"]), WeightsError) == (
        "The weights matrix has 3 rows but there are 2 labels: every row needs one label."
    )
    assert message(lambda: from_matrix(MATRIX.to_numpy()[:2], ["a", "b"]), WeightsError) == (
        "The weights matrix is not square: 2 rows, 3 columns."
    )
    assert "The labels: 1 label occurs more than once: 'a'" in message(
        lambda: from_matrix(MATRIX.to_numpy(), ["a", "b", "a"]), AlignmentError
    )


def test_blank_and_text_cells_are_named():
    blank = MATRIX.copy()
    blank.loc["TJ", "HE"] = np.nan
    assert message(lambda: from_matrix(blank), WeightsError) == (
        "1 weight not finite (NaN or inf) at (focal, neighbor) ('TJ', 'HE'). Write 0 where there is no link."
    )
    text = MATRIX.astype(object)
    text.loc["TJ", "HE"] = "0,5"
    assert message(lambda: from_matrix(text), WeightsError) == (
        "1 weight in column 'HE' written as text, the first '0,5' in row 'TJ': weights must be numbers."
    )


def test_diagonal_negative_and_islands():
    own = MATRIX + np.eye(3)
    assert "non-zero diagonal for 'BJ', 'TJ', 'HE'" in message(lambda: from_matrix(own), WeightsError)
    assert "1 weight negative at (focal, neighbor) ('TJ', 'BJ')" in message(
        lambda: from_matrix(MATRIX.replace(3, -3)), WeightsError
    )
    assert message(lambda: from_matrix(MATRIX.replace(3, 0)), IslandError) == (
        "1 unit without neighbours: 'TJ'. Pass islands='keep' to leave their rows empty, or leave these units out."
    )
    assert from_matrix(MATRIX.replace(3, 0), islands="keep").islands.tolist() == ["TJ"]
    found = message(lambda: from_matrix(MATRIX, islands="nearest"), OptionError)
    assert found == "islands='nearest' is not available: use one of 'error', 'keep'."


def test_the_users_table_is_not_changed():
    table, matrix = TABLE.copy(), MATRIX.copy()
    from_edges(table, normalize="row")
    from_matrix(matrix, normalize="spectral")
    pd.testing.assert_frame_equal(table, TABLE)
    pd.testing.assert_frame_equal(matrix, MATRIX)
