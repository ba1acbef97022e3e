"""Files that are not what they promise: the line or the cell is named."""

import numpy as np
import pandas as pd
import pytest

from spatial_de.errors import AlignmentError, FileError, IslandError, OptionError, WeightsError
from spatial_de.weights import SpatialWeights, read, write


def message(call, error):
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


@pytest.fixture
def says(tmp_path):
    """What `read` says about a file with some content."""

    def run(content, name="w.csv", error=FileError, **options):
        file = tmp_path / name
        if isinstance(content, bytes):
            file.write_bytes(content)
        elif isinstance(content, list):
            pd.DataFrame(content).to_excel(file, header=False, index=False)
        else:
            file.write_text(content, encoding="utf-8")
        return message(lambda: read(file, **options), error)

    return run


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "w.gal is empty."),
        ("x\n", "w.gal, line 1: the head should give the number of units, found 'x'."),
        ("2\na 1\nb\nb 2\na\n", "w.gal, line 4: unit 'b' announces 2 neighbours, 1 follow."),
        ("3\na 1\nb\nb 1\na\n", "w.gal, line 1: 3 units announced, 2 found."),
        ("2\na 1\nb\na 1\nb\n", "w.gal, line 4: unit 'a' occurs a second time."),
        ("2\na 1\nb\nb 1\nc\n", "w.gal, line 5: 'c' is a neighbour of 'b' but not a unit of the file."),
        ("2\na one\nb\nb 1\na\n", "w.gal, line 2: expected a unit and its number of neighbours, found 'a one'."),
    ],
)
def test_gal(says, text, expected):
    assert says(text, "w.gal") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 2 x id\na b\n", "w.gwt, line 2: expected 'focal neighbor weight', found 'a b'."),
        ("0 2 x id\na b 1\n\nb a 1,5\n", "w.gwt, line 4: expected 'focal neighbor weight', found 'b a 1,5'."),
        ("0 1 x id\na b 1\nb a 1\n", "w.gwt, line 1: 1 unit announced, 2 found."),
        ("0 1 x id\n", "w.gwt lists no links."),
    ],
)
def test_gwt(says, text, expected):
    assert says(text, "w.gwt") == expected


def test_gwt_with_units_that_have_no_links(tmp_path):
    file = tmp_path / "w.gwt"
    file.write_text("0 3 x id\na b 1\nb a 1\n")
    assert read(file).provenance.notes == ("3 units announced, 2 have links: name all of them with ids=",)
    assert read(file, ids=["a", "b", "c"], islands="keep").islands.tolist() == ["c"]
    assert "1 unit without neighbours: 'c'" in message(lambda: read(file, ids=["a", "b", "c"]), IslandError)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "w.csv is empty."),
        ("id,a,b\na,0,x\nb,1,0\n", "w.csv: line 2, column 3 holds 'x', which is not a number."),
        ("id,a,b\n\na,0,1\nb,,0\n", "w.csv: line 4, column 2 is empty. Write 0 where there is no link."),
        ("id,a,b\na,0,1\nb,1\n", "w.csv: line 3, column 3 is empty. Write 0 where there is no link."),
        ("id,a,b\na,0,1\n,1,0\n", "w.csv: line 3, column 1 holds no label."),
        (
            "id,a,b\na,0,1,7\nb,1,0\n",
            "w.csv is not a table: Expected 3 fields in line 2, saw 4. Every line needs the same number of fields.",
        ),
        (
            "id,a,b\na,0,1\nb,1,0\nc,1,0\n",
            (
                "w.csv holds neither links nor a labelled matrix: it has 3 rows and 3 columns below its header "
                "('id', 'a', 'b'). A table of links needs the columns 'focal' and 'neighbor' (or name them with focal= "
                "and neighbor=); a matrix needs one column of labels and as many others as rows."
            ),
        ),
        (
            "focal,neighbor,wight\na,b,1\n",
            (
                "w.csv lists links but has no column 'weight'. Did you mean 'wight'? Name the column with weight=, or "
                "pass weight=None to give every link the weight 1."
            ),
        ),
        ("focal,neighbor,weight\n", "w.csv lists no links."),
        ("focal,neighbor,weight\na,b,1\nb,,1\n", "w.csv: line 3, column 2 holds no label."),
        ("focal,neighbor,weight\na,b,1\nb,a,1e\n", "w.csv: line 3, column 3 holds '1e', which is not a number."),
    ],
)
def test_csv(says, text, expected):
    assert says(text) == expected


def test_excel_cells_are_named(says):
    head = ["id", "a", "b"]
    assert says([head, ["a", 0, "n/a"], ["b", 1, 0]], "w.xlsx") == (
        "w.xlsx: cell C2 holds 'n/a', which is not a number."
    )
    assert says([head, ["a", 0, "0.5"], ["b", 1, 0]], "w.xlsx") == (
        "w.xlsx: cell C2 holds '0.5', which is not a number."
    )
    assert says([head, ["a", 0, None], ["b", 1, 0]], "w.xlsx") == (
        "w.xlsx: cell C2 is empty. Write 0 where there is no link."
    )
    assert says([["id", 1.5, 2], [1.5, 0, 1], [2, 1, 0]], "w.xlsx") == (
        "w.xlsx: cell A2 holds the label 1.5: labels are text or whole numbers."
    )
    assert says([["focal", "neighbor", "weight"], [1, 2, 1], [2, 1, True]], "w.xlsx").endswith(
        "cell C3 holds True, which is not a number."
    )


def test_labels_of_mixed_type_need_a_word(says, tmp_path):
    cells = [["id", 1, 2], [1, 0, 1], ["2", 1, 0]]
    assert says(cells, "w.xlsx") == (
        "w.xlsx: cell A3 holds the label '2', cell A2 1: text and numbers are mixed. Pass id_type='text' or "
        "id_type='integer'."
    )
    assert read(tmp_path / "w.xlsx", id_type="text").ids.tolist() == ["1", "2"]
    assert read(tmp_path / "w.xlsx", id_type="integer").ids.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("name", "option", "belongs"),
    [
        ("w.gal", {"weight": "w"}, ".csv, .xlsx, .dta, .parquet"),
        ("w.csv", {"sheet": "first"}, ".xlsx"),
        ("w.npz", {"encoding": "gbk"}, ".gal, .gwt, .csv, .txt"),
    ],
)
def test_an_option_the_format_has_no_use_for(tmp_path, name, option, belongs):
    SpatialWeights([[0, 1], [1, 0]], ["a", "b"]).write(tmp_path / name)
    ((key, value),) = option.items()
    assert message(lambda: read(tmp_path / name, **option), OptionError) == (
        f"{key}={value!r} does not apply to {name[1:]} files: it belongs to {belongs}. Leave it out."
    )
    assert read(tmp_path / name).n_links == 2


def test_stata_and_parquet_cells_are_named(tmp_path):
    frame = pd.DataFrame({"focal": ["a", "b"], "neighbor": ["b", "a"], "weight": [1.0, np.nan]})
    frame.to_stata(tmp_path / "w.dta", write_index=False)
    frame.to_parquet(tmp_path / "w.parquet")
    for name in ("w.dta", "w.parquet"):
        assert message(lambda name=name: read(tmp_path / name), FileError) == (
            f"{name}: row 2, column 'weight' is empty. Write 0 where there is no link."
        )


def test_labels_of_rows_and_columns_must_be_the_same(says):
    assert says("id,a,b\na,0,1\nc,1,0\n", error=WeightsError).startswith(
        "The units of the columns of w.csv and its rows are not the same; 1 unit of its rows not in the columns of "
        "w.csv: 'c'; 1 unit of the columns of w.csv not in its rows: 'b'."
    )
    assert "The rows of w.csv: 1 label occurs more than once: 'a'" in says(
        "id,a,b\na,0,1\na,1,0\n", error=AlignmentError
    )


def test_weights_that_are_none(says):
    assert "1 weight negative at (focal, neighbor) ('a', 'b')" in says("id,a,b\na,0,-1\nb,1,0\n", error=WeightsError)
    assert "non-zero diagonal for 'b'" in says("id,a,b\na,0,1\nb,1,9\n", error=WeightsError)
    assert "1 weight not finite (NaN or inf) at (focal, neighbor) ('a', 'b')" in says(
        "id,a,b\na,0,inf\nb,1,0\n", error=WeightsError
    )
    twice = "focal,neighbor,weight\na,b,1\nb,a,1\na,b,2\n"
    assert "1 link listed more than once: ('a', 'b')" in says(twice, error=WeightsError)
    assert "1 unit without neighbours: 'b'" in says("id,a,b\na,0,1\nb,0,0\n", error=IslandError)


def test_labels_of_the_wrong_type(says):
    text = "focal,neighbor,weight\n1,x2,1\nx2,1,1\n"
    assert says(text, id_type="integer") == (
        "w.csv: line 3, column 1 holds the label 'x2', which is not an integer. Use id_type='text'."
    )
    assert "id_type='number' is not available" in says(text, id_type="number", error=OptionError)


def test_the_order_asked_for_must_hold_the_units_of_the_file(says):
    matrix = "id,a,b\na,0,1\nb,1,0\n"
    assert "1 unit of ids= not in weights: 'c'" in says(matrix, ids=["a", "b", "c"], error=AlignmentError)
    assert says("focal,neighbor,weight\na,b,1\nb,a,1\n", ids=["a"], error=AlignmentError) == (
        "1 unit of the links not in ids: 'b'."
    )
    assert "There is no file 'nowhere.txt' with labels." in says(matrix, ids="nowhere.txt")


@pytest.mark.parametrize("suffix", ["xlsx", "dta", "parquet", "npz"])
def test_broken_binary_files(says, suffix):
    assert says(b"this is not a binary file", f"w.{suffix}").startswith(f"w.{suffix} cannot be read as ")


def test_foreign_npz(tmp_path):
    np.savez(tmp_path / "w.npz", a=np.eye(2), b=np.eye(2))
    assert message(lambda: read(tmp_path / "w.npz"), FileError) == (
        "w.npz holds the arrays 'a', 'b': neither weights nor a sparse matrix."
    )
    np.savez(tmp_path / "w.npz", spatial_de=np.array('{"ids": ["a"]}'))
    assert message(lambda: read(tmp_path / "w.npz"), FileError).startswith(
        "w.npz was not written by this package, or is damaged:"
    )
    w = SpatialWeights([[0, 1], [1, 0]], ["a", "b"])
    w.write(tmp_path / "w.npz")
    assert "1 unit of ids= not in weights: 'c'" in message(
        lambda: read(tmp_path / "w.npz", ids=["a", "c"]), AlignmentError
    )


def test_bytes_in_no_known_encoding(says):
    content = b"id,a\xff\xff,b\n"
    assert says(content) == "w.csv is not text in UTF-8 or GB18030: pass its encoding, e.g. encoding='cp1252'."
    assert says(b"id,\xe9\n", encoding="ascii").startswith("w.csv is not text in ascii")


def test_files_that_are_not_there(tmp_path):
    missing = tmp_path / "w.csv"
    assert message(lambda: read(missing), FileError) == f"There is no file {str(missing)!r}."
    assert message(lambda: read(tmp_path / "w.shp"), FileError) == (
        "w.shp has a format that is not read: use one of .gal, .gwt, .csv, .xlsx, .dta, .npz, .parquet, .txt, .mtx."
    )


# --- writing -----------------------------------------------------------------------------------------------------


def test_formats_say_what_they_cannot_hold(tmp_path):
    w = SpatialWeights([[0, 2, 0], [1, 0, 0], [0, 0, 0]], ["a b", "c", "d"])
    assert message(lambda: w.write(tmp_path / "w.gal"), WeightsError) == (
        "A .gal file holds links without weights and these are not all 1: write .gwt or .npz."
    )
    assert message(lambda: w.write(tmp_path / "w.gwt"), WeightsError) == (
        "A .gwt file lists links and cannot hold 1 unit without neighbours: 'd'. Write .npz, .csv or .parquet."
    )
    assert message(lambda: w.subset(["a b", "c"]).write(tmp_path / "w.gwt"), WeightsError) == (
        "Labels with blanks cannot be written into a .gwt file: 'a b'. Write .csv or .npz."
    )
    assert message(lambda: w.write(tmp_path / "w.dta", layout="matrix"), OptionError) == (
        "A .dta file holds links: layout='matrix' is available for .csv and .xlsx."
    )
    assert "layout='matrx' is not available" in message(
        lambda: w.write(tmp_path / "w.csv", layout="matrx"), OptionError
    )
    assert message(lambda: write(w, tmp_path / "w.mat"), FileError) == (
        "w.mat has a format that is not written: use one of .gal, .gwt, .csv, .xlsx, .dta, .npz, .parquet, .txt, .mtx."
    )
    assert list(tmp_path.iterdir()) == []


def test_labels_of_other_types_are_refused(tmp_path):
    dates = SpatialWeights([[0, 1], [1, 0]], pd.to_datetime(["2020-01-01", "2021-01-01"]))
    assert message(lambda: dates.write(tmp_path / "w.csv"), WeightsError).startswith(
        "Labels that are datetime64, such as"
    )
    assert "cannot be written: use text or integers" in message(lambda: dates.write(tmp_path / "w.npz"), WeightsError)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path):
    w = SpatialWeights([[0, 1], [1, 0]], ["a", "b"])
    target = tmp_path / "nowhere" / "w.csv"
    assert (
        message(lambda: w.write(target), FileError) == f"{str(target)!r} cannot be written: No such file or directory."
    )


def test_a_matrix_too_wide_for_a_sheet(tmp_path, monkeypatch):
    monkeypatch.setattr("spatial_de.weights.writing._EXCEL_COLUMNS", 3)
    w = SpatialWeights(np.ones((3, 3)) - np.eye(3), ["a", "b", "c"])
    assert message(lambda: w.write(tmp_path / "w.xlsx", layout="matrix"), WeightsError) == (
        "A sheet has 3 columns, the matrix 3: use layout='edges'."
    )
