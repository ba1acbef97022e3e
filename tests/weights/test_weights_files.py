"""Weights to files and back, and files as GeoDa, Stata, Excel and scipy write them."""

import contextlib
import json
import warnings

import libpysal
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from spatial_de.errors import FileError, OptionError, WeightsError
from spatial_de.weights import Provenance, SpatialWeights, read, write

DENSE = np.array([[0, 2, 1 / 3, 0], [2, 0, 0, 0], [0.1, 0, 0, 0], [0, 0, 0, 0]], dtype=float)
LABELS = {
    "ascii": ["c", "b", "a", "d"],
    "chinese": ["北京", "天津", "河北", "海南"],
    "integers": [110000, 120000, 130000, 460000],
    "small": [4, 2, 3, 1],
    "leading-zeros": ["011", "012", "013", "046"],
}
TABLES = ["csv", "xlsx", "dta", "parquet"]


def weights(labels="ascii", normalization="none", matrix=DENSE):
    return SpatialWeights(
        matrix, LABELS[labels], normalization=normalization, provenance=Provenance("by hand", "EPSG:1")
    )


def message(call, error):
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


@pytest.fixture(autouse=True)
def no_unclosed_files():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# --- round trips ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("normalization", ["none", "row"])
@pytest.mark.parametrize(
    ("suffix", "layout"), [(s, "edges") for s in [*TABLES, "npz"]] + [("csv", "matrix"), ("xlsx", "matrix")]
)
def test_what_is_written_is_read(tmp_path, suffix, layout, labels, normalization):
    w = weights(labels, normalization)
    file = w.write(tmp_path / f"w.{suffix}", layout=layout)
    again = read(file, islands="keep")
    assert again.ids.tolist() == w.ids.tolist()
    assert again.ids.dtype == w.ids.dtype
    assert again.islands.tolist() == w.islands.tolist()
    tolerance = 1e-15 if suffix == "xlsx" else 0  # openpyxl writes 16 digits
    np.testing.assert_allclose(again.sparse.toarray(), w.sparse.toarray(), rtol=tolerance, atol=0)
    assert suffix == "xlsx" or again == w
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("labels", LABELS)
def test_gwt_round_trip(tmp_path, labels):
    w = weights(labels).subset(LABELS[labels][:3])
    assert read(w.write(tmp_path / "w.gwt")) == w


@pytest.mark.parametrize("labels", LABELS)
def test_gal_round_trip(tmp_path, labels):
    w = weights(labels, "row", matrix=(DENSE > 0).astype(float))
    again = read(w.write(tmp_path / "w.gal"), islands="keep", normalize="row")
    assert again == w
    assert again.islands.tolist() == w.islands.tolist()


def test_npz_keeps_everything(tmp_path):
    w = weights(normalization="spectral")
    w = SpatialWeights(
        w.raw * -1.0,
        w.ids,
        normalization="minmax",
        allow_negative=True,
        provenance=Provenance("r", "EPSG:4326", "kept", ("one", "two"), ("gdp",)),
    )
    again = read(write(w, tmp_path / "w.npz"))
    assert again.provenance == w.provenance
    assert again.normalization == "minmax"
    np.testing.assert_array_equal(again.raw.toarray(), w.raw.toarray())
    assert read(tmp_path / "w.npz", normalize="spectral") == w.normalized("spectral")
    assert set(read(tmp_path / "w.npz", binary=True).raw.data) == {1.0}
    assert read(tmp_path / "w.npz", ids=list("abcd")) == w.reorder(list("abcd"))


def test_text_that_looks_like_integers_needs_a_word(tmp_path):
    w = SpatialWeights((DENSE > 0) * 1.0, ["1", "2", "3", "4"])
    file = w.write(tmp_path / "w.csv")
    assert read(file, islands="keep").ids.tolist() == [1, 2, 3, 4]
    assert "labels read as integers (id_type='text' keeps them as text)" in read(file, islands="keep").provenance.notes
    assert read(file, islands="keep", id_type="text") == w
    assert read(w.write(tmp_path / "w.xlsx"), islands="keep") == w
    numbers = SpatialWeights(w.raw, [1, 2, 3, 4]).write(tmp_path / "n.xlsx", layout="matrix")
    assert read(numbers, islands="keep", id_type="text") == w


def test_libpysal_reads_what_we_write(tmp_path):
    w = weights(matrix=(DENSE > 0).astype(float)).subset(["c", "b", "a"])
    with contextlib.closing(libpysal.io.open(str(w.write(tmp_path / "w.gal")))) as handle:
        theirs = handle.read()
    assert theirs.id_order == ["c", "b", "a"]
    np.testing.assert_array_equal(theirs.sparse.toarray(), w.sparse.toarray())
    w = weights().subset(["c", "b", "a"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no .dbf beside the .gwt
        with contextlib.closing(libpysal.io.open(str(w.write(tmp_path / "w.gwt")))) as handle:
            theirs = handle.read()
    np.testing.assert_array_equal(theirs.sparse.toarray(), w.sparse.toarray())


def test_a_failed_write_leaves_the_old_file(tmp_path):
    file = tmp_path / "w.gwt"
    file.write_text("old")
    message(lambda: weights().write(file), WeightsError)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    def half(_frame, target, **_options):
        target.write_text("half of it")
        raise KeyboardInterrupt

    file = tmp_path / "w.csv"
    file.write_text("old")
    monkeypatch.setattr(pd.DataFrame, "to_csv", half)
    with pytest.raises(KeyboardInterrupt):
        weights().write(file)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


# --- what others write -----------------------------------------------------------------------------------------------


def test_provenance_says_what_was_found(tmp_path):
    file = tmp_path / "w.csv"
    file.write_bytes("省;北京;天津\n北京;0;1\n天津;1;0\n".encode("gb18030"))
    w = read(file)
    assert w.provenance.rule == "labelled matrix in w.csv"
    assert w.provenance.notes == ("encoding gb18030", "columns separated by ';'")
    assert w.ids.tolist() == ["北京", "天津"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_encodings(tmp_path, encoding):
    file = tmp_path / "w.csv"
    file.write_bytes("focal,neighbor,weight\n北京,天津,1\n天津,北京,2\n".encode(encoding))
    assert read(file).to_dense().loc["天津", "北京"] == 2


def test_matrix_rows_and_columns_in_different_order(tmp_path):
    file = tmp_path / "w.csv"
    file.write_text(",a,b,c\nc,1,2,0\na,0,3,4\nb,5,0,6\n")
    w = read(file)
    assert w.ids.tolist() == ["c", "a", "b"]
    assert w.to_dense().loc["b", ["a", "c"]].tolist() == [5, 6]
    assert read(file, ids=["a", "b", "c"]) == w.reorder(["a", "b", "c"])


def test_labels_in_another_column(tmp_path):
    file = tmp_path / "w.csv"
    file.write_text("a,b,code\n0,1,a\n2,0,b\n")
    assert read(file, id="code").to_dense().loc["b", "a"] == 2
    assert message(lambda: read(file, id="coda"), FileError) == (
        "w.csv has no column 'coda'. Did you mean 'code'? It has 'a', 'b', 'code'."
    )


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "dta"])
def test_a_matrix_without_labels_needs_them(tmp_path, suffix):
    file = tmp_path / f"w.{suffix}"
    frame = pd.DataFrame(DENSE[:3, :3], columns=["w1", "w2", "w3"])
    if suffix == "dta":
        frame.to_stata(file, write_index=False)
    elif suffix == "csv":
        frame.to_csv(file, header=False, index=False)
    else:
        frame.to_excel(file, header=False, index=False)
    w = read(file, ids=["x", "y", "z"])
    np.testing.assert_array_equal(w.sparse.toarray(), DENSE[:3, :3])
    assert w.provenance.rule == f"matrix without labels in w.{suffix}"
    assert w.provenance.notes == ("labels given by ids=, in the order of its rows",)
    listed = tmp_path / "labels.txt"
    listed.write_text("x\ny\nz\n")
    assert read(file, ids=listed) == w
    found = message(lambda: read(file), FileError)
    if suffix == "dta":
        assert found.startswith("w.dta holds neither links nor a labelled matrix: it has 3 rows and 3 columns below")
    else:
        assert found.startswith(f"w.{suffix} is a square table of numbers without labels: pass ids=")


def test_stata_matrix_with_labels_in_its_column_names(tmp_path):
    file = tmp_path / "w.dta"
    frame = pd.DataFrame({"code": [11, 12, 13], "w13": [1.0, 2.0, 0.0], "w11": [0.0, 3.0, 4.0], "w12": [5.0, 0.0, 6.0]})
    frame.to_stata(file, write_index=False)
    w = read(file)
    assert w.ids.tolist() == [11, 12, 13]
    assert w.to_dense().loc[13].tolist() == [4, 6, 0]
    assert w.provenance.notes == ("columns matched by label behind 'w'",)


def test_stata_matrix_with_numbered_columns_is_taken_in_order_and_said(tmp_path):
    file = tmp_path / "w.dta"
    frame = pd.DataFrame({"code": ["BJ", "TJ", "HE"], "w1": [0.0, 1, 2], "w2": [3.0, 0, 4], "w3": [5.0, 6, 0]})
    frame.to_stata(file, write_index=False)
    w = read(file, id="code")
    assert w.to_dense().loc["HE"].tolist() == [2, 4, 0]
    assert w.provenance.notes == ("columns w1 to w3 carry no labels: taken in the order of the rows",)
    frame.assign(code=[2, 1, 3]).to_stata(file, write_index=False)
    assert message(lambda: read(file), WeightsError) == (
        "w.dta: the columns 'w1', 'w2', 'w3' may mean labels or row numbers, and the rows are not in that order. Sort "
        "the rows by label, or name the columns by label."
    )
    frame.assign(code=[1, 2, 3]).to_stata(file, write_index=False)
    assert read(file).to_dense().loc[3].tolist() == [2, 4, 0]


def test_names_with_a_common_beginning_are_not_a_prefix(tmp_path):
    file = tmp_path / "w.csv"
    file.write_text("id,w_BL,w_BJ\nBJ,1,0\nBL,0,2\n")
    w = read(file)
    assert w.to_dense().loc["BJ", "BL"] == 1
    assert w.provenance.notes == ("columns matched by label behind 'w_'",)


def test_decimal_labels_of_stata_become_integers(tmp_path):
    file = tmp_path / "w.dta"
    pd.DataFrame({"focal": [1.0, 2.0], "neighbor": [2.0, 1.0], "weight": [1.0, 1.0]}).to_stata(file, write_index=False)
    assert read(file).ids.tolist() == [1, 2]


def test_value_labels_of_stata_are_the_labels(tmp_path):
    file = tmp_path / "w.dta"
    names = {1: "Beijing", 2: "Tianjin"}
    frame = pd.DataFrame({"focal": [1, 2], "neighbor": [2, 1], "weight": [1.0, 1.0]})
    frame.to_stata(file, write_index=False, value_labels={"focal": names, "neighbor": names})
    assert read(file).ids.tolist() == ["Beijing", "Tianjin"]


def test_workbooks_with_several_sheets(tmp_path):
    file = tmp_path / "w.xlsx"
    with pd.ExcelWriter(file) as book:
        pd.DataFrame({"note": ["nothing"]}).to_excel(book, sheet_name="readme")
        weights().to_dense().to_excel(book, sheet_name="geo", startrow=2, startcol=1)
    assert message(lambda: read(file), FileError) == (
        "w.xlsx has 2 sheets: 'readme', 'geo'. Choose one, e.g. sheet='readme'."
    )
    assert message(lambda: read(file, sheet="goe"), FileError).startswith(
        "w.xlsx has no sheet 'goe'. Did you mean 'geo'?"
    )
    w = read(file, sheet="geo", islands="keep")
    assert w == weights()
    assert w.provenance.notes == ("sheet 'geo'",)


def test_parquet_with_labels_in_the_index(tmp_path):
    file = tmp_path / "w.parquet"
    weights().to_dense().rename_axis("code").to_parquet(file)
    assert read(file, islands="keep") == weights()


def test_links_with_columns_by_any_name(tmp_path):
    file = tmp_path / "w.csv"
    file.write_text("from;to;share\na;b;0.5\nb;a;1.5\n")
    w = read(file, focal="from", neighbor="to", weight="share", normalize="row")
    assert w.normalization == "row"
    assert w.raw.data.tolist() == [0.5, 1.5]
    assert read(file, focal="from", neighbor="to", weight=None).raw.data.tolist() == [1, 1]
    once = tmp_path / "once.csv"
    once.write_text("focal,neighbor\na,b\n")
    assert read(once, weight=None, symmetric=True).n_links == 2


def test_distances_in_gwt_files_are_noted_and_made_ones_on_request():
    file = libpysal.examples.get_path("juvenile.gwt")
    assert any("binary=True makes them 1" in note for note in read(file).provenance.notes)
    w = read(file, binary=True)
    assert set(w.raw.data) == {1.0}
    assert "every weight replaced by 1" in w.provenance.notes


def test_gal_of_geoda_with_long_head_islands_and_wrapped_lines(tmp_path):
    file = tmp_path / "w.gal"
    file.write_text("0 4 shapes POLYID\n1 3\n2 3\n4\n2 1\n1\n3 1\n1\n4 0\n\n")
    w = read(file, islands="keep")
    assert w.n_links == 5
    assert w.islands.tolist() == [4]
    assert w.neighbors(1).index.tolist() == [2, 3, 4]


def test_scipy_matrices_need_labels(tmp_path):
    file = tmp_path / "w.npz"
    for kind in (sparse.csr_array, sparse.csc_matrix, sparse.coo_array):
        sparse.save_npz(file, kind(DENSE))
        assert message(lambda: read(file), OptionError) == (
            "w.npz holds a matrix without labels: pass ids= with the labels of its rows in their order."
        )
        w = read(file, ids=LABELS["ascii"], islands="keep")
        assert w == weights()
        assert w.provenance.rule == "sparse matrix in w.npz"
    assert "has 4 rows but there are 2 labels" in message(lambda: read(file, ids=["a", "b"]), WeightsError)


def test_the_file_needs_no_pickle(tmp_path):
    file = weights("chinese").write(tmp_path / "w.npz")
    with np.load(file, allow_pickle=False) as archive:
        assert json.loads(str(archive["spatial_de"]))["ids"] == LABELS["chinese"]
