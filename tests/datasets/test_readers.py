"""The user's own files: encodings, layouts, and every doubt named by its cell."""

import openpyxl
import pandas as pd
import pytest

from spatial_de import datasets
from spatial_de.datasets.tables import read_table
from spatial_de.errors import DataError, DataWarning, FileError, OptionError, PanelError

LONG = (
    "省份,年份,城镇化率,gdp\n广东,2020,74.15,110760.9\n广东,2021,74.63,124369.7\n"
    "山西,2020,62.53,17651.9\n山西,2021,63.42,22590.2\n"
)


@pytest.fixture
def write(tmp_path):
    def _write(content, name="mine.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content.encode(encoding))
        return path

    return _write


@pytest.fixture
def sheet(tmp_path):
    def _sheet(rows):
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.save(tmp_path / "mine.xlsx")
        return tmp_path / "mine.xlsx"

    return _sheet


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_encodings_and_separators(write, encoding, separator):
    path = write(LONG.replace(",", separator), encoding=encoding)
    panel = datasets.read_panel(path, unit="省份", time="年份", columns={"城镇化率": "urbanisation"})
    assert list(panel.units) == ["山西", "广东"]
    assert list(panel.times) == [2020, 2021]
    assert panel["urbanisation"].loc[("广东", 2021)] == 74.63


def test_chinese_names_work_in_formulas(write):
    from spatial_de.panel.design import build_design

    design = build_design("gdp ~ log(城镇化率)", datasets.read_panel(write(LONG), unit="省份", time="年份"))
    assert design.x_names == ("log(城镇化率)",)


@pytest.mark.parametrize("kind", ["xlsx", "dta", "parquet", "csv"])
def test_the_same_panel_from_every_format(tmp_path, kind):
    frame = pd.DataFrame({"code": ["a", "a", "b", "b"], "year": [2020, 2021] * 2, "x": [1.5, 2.0, 3.0, None]})
    path = tmp_path / f"mine.{kind}"
    {
        "xlsx": lambda: frame.to_excel(path, index=False),
        "dta": lambda: frame.to_stata(path, write_index=False),
        "parquet": lambda: frame.to_parquet(path),
        "csv": lambda: frame.to_csv(path, index=False),
    }[kind]()
    panel = datasets.read_panel(path, unit="code", time="year")
    assert list(panel.times) == [2020, 2021]
    pd.testing.assert_frame_equal(panel.to_frame(), frame, check_dtype=False)


def test_stata_years_stored_as_floats_are_integers(tmp_path):
    frame = pd.DataFrame({"id": [1.0, 1.0, 2.0, 2.0], "year": [2020.0, 2021.0] * 2, "x": [1.0, 2.0, 3.0, 4.0]})
    frame.astype("float32").to_stata(tmp_path / "m.dta", write_index=False)
    panel = datasets.read_panel(tmp_path / "m.dta", unit="id", time="year")
    assert list(panel.units) == [1, 2]
    assert panel.units.dtype.kind == "i"


def test_codes_with_leading_zeros_stay_text(write):
    panel = datasets.read_panel(write("id,year,x\n01,2020,1\n02,2020,2\n"), unit="id", time="year")
    assert list(panel.units) == ["01", "02"]
    panel = datasets.read_panel(write("id,year,x\n110000,2020,1\n120000,2020,2\n"), unit="id", time="year")
    assert list(panel.units) == [110000, 120000]


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        ('"1,234"', "Write numbers without thousands separators."),
        ("12%", "Write the number without the percent sign and note the unit in the column's name."),
        ("１２", "Write numbers with ordinary digits, not full-width ones."),
        ("--", "Leave cells without a figure empty; correct the others."),
        ("…", "Leave cells without a figure empty; correct the others."),
    ],
)
def test_cells_that_are_not_numbers_are_named(write, cell, advice):
    path = write(f"id,year,x\na,2020,1\na,2021,{cell}\nb,2020,3\nb,2021,4\n")
    shown = cell.strip('"')
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert str(caught.value) == f"Column 'x' holds numbers, but also {shown!r} in row 3. {advice}"


def test_cells_of_sheets_are_named_by_their_address(sheet):
    path = sheet(
        [["id", "year", "x"], ["a", 2020, 1.5], ["a", 2021, "n/a"], ["b", 2020, 2], ["b", 2021, "?"], ["c", 2020, 3]]
    )
    with pytest.raises(DataError, match=r"Column 'x' holds numbers, but also 'n/a' in C3, '\?' in C5\."):
        read_table(path)


def test_sentinels_are_suspicious(write):
    with pytest.warns(DataWarning, match=r"Column 'x' holds 2 values of -999: if that means missing"):
        read_table(write("id,x\na,-999\nb,1\nc,-999\n"))
    table = read_table(write("id,x\na,-2000\nb,-999\n"))  # a number like others
    assert table["x"].tolist() == [-2000, -999]


def test_names_are_normalised_with_a_warning(write):
    with pytest.warns(DataWarning, match=r"taken out of the column names ' x ', 'ｙｅａｒ'"):
        table = read_table(write("id, x ,ｙｅａｒ\na,1,2020\n"))
    assert list(table.columns) == ["id", "x", "year"]
    with pytest.warns(DataWarning, match=r"Column 'id': spaces or full-width characters were taken out of 1 text"):
        table = read_table(write("id,x\n广东 ,1\n山西,2\n"))
    assert table["id"].tolist() == ["广东", "山西"]


def test_names_that_are_missing_or_repeated_are_refused(write):
    with pytest.raises(DataError, match=r"mine.csv: columns occur more than once: 'x'"):
        read_table(write("id,x,x\na,1,2\n"))
    with pytest.raises(DataError, match=r"mine.csv: column 2 has no name"):
        read_table(write("id,,x\na,1,2\n"))
    with pytest.raises(DataError, match=r"mine.csv holds no rows below its header"):
        read_table(write("id,x\n"))


def test_wide_layouts_are_explained(write):
    with pytest.raises(
        DataError, match=r"columns for the years '2019', '2020', '2021': it is in wide format.*df\.melt"
    ):
        datasets.read_panel(write("id,2019,2020,2021\na,1,2,3\n"), unit="id", time="year")


def test_missing_columns_are_named(write):
    with pytest.raises(DataError, match=r"mine.csv has no column 'yaer'\. Did you mean 'year'\?"):
        datasets.read_panel(write("id,year,x\na,2020,1\n"), unit="id", time="yaer")
    with pytest.raises(DataError, match=r"columns= names 'y', which mine.csv does not have"):
        datasets.read_panel(write("id,year,x\na,2020,1\n"), unit="id", time="year", columns={"y": "z"})


def test_dates_and_serial_numbers_are_not_years(sheet, write):
    import datetime as dt

    path = sheet([["id", "year", "x"], ["a", dt.datetime(2020, 1, 1), 1], ["a", dt.datetime(2021, 1, 1), 2]])
    with pytest.raises(DataError, match=r"Column 'year' holds dates such as 2020-01-01"):
        datasets.read_panel(path, unit="id", time="year")
    with pytest.raises(
        DataError, match=r"Column 'year' holds numbers such as 43831, which are dates as Excel stores them"
    ):
        datasets.read_panel(write("id,year,x\na,43831,1\na,44197,2\n"), unit="id", time="year")


def test_panels_that_are_not_balanced_are_named(write):
    with pytest.raises(PanelError, match=r"1 row of 4 missing, \('b', 2021\)"):
        datasets.read_panel(write("id,year,x\na,2020,1\na,2021,1\nb,2020,1\n"), unit="id", time="year")


def test_files_that_cannot_be_read(tmp_path, write):
    with pytest.raises(FileError, match="There is no file"):
        read_table(tmp_path / "nothing.csv")
    with pytest.raises(OptionError, match=r"suffix='.doc' is not available"):
        read_table(write("x", name="mine.doc"))
    with pytest.raises(FileError, match=r"mine.xlsx cannot be read"):
        read_table(write("not a sheet", name="mine.xlsx"))
    (tmp_path / "odd.csv").write_bytes(b"id,x\n\xff\xff\xff,1\n")
    with pytest.raises(FileError, match=r"odd.csv is neither UTF-8 nor GB 18030"):
        read_table(tmp_path / "odd.csv")


@pytest.mark.parametrize(
    "name", ["GD", "广东", "广东省", "Guangdong", "guangdong", "440000", 440000, 44, 44.0, "CN-GD"]
)
def test_provinces_by_any_of_their_names(name):
    assert datasets.province_code(name) == "GD"


def test_unknown_provinces_get_the_nearest_name():
    with pytest.raises(DataError, match=r"There is no province 'Guangdon'\. Did you mean 'guangdong'\?"):
        datasets.province_code("Guangdon")


@pytest.mark.parametrize(
    "header",
    [
        "prov_name,year,index_aggregate,coverage_breadth,usage_depth,digitization_level",
        "省份,年份,总指数,覆盖广度,使用深度,数字化程度",
    ],
)
def test_the_inclusion_index_is_read_by_its_usual_names(write, header):
    rows = "北京市,2011,80.0,97.5,72.2,32.6\n广东省,2011,69.5,70.5,66.5,68.0\n"  # made up
    panel = datasets.read_pku_index(write(f"{header}\n{rows}"))
    assert list(panel.units) == ["BJ", "GD"]
    assert panel["digitization_level"].loc[("GD", 2011)] == 68.0
    assert panel["index_aggregate"].loc[("BJ", 2011)] == 80.0


def test_the_inclusion_index_without_its_columns_is_refused(write):
    with pytest.raises(DataError, match=r"has no column for 'index_aggregate' \(looked for 'index_aggregate'"):
        datasets.read_pku_index(write("省份,年份,x\n北京市,2011,1\n"))
