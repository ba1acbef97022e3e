import io
import re

import numpy as np
import pandas as pd
import pytest

from spatial_de.errors import DataError, FileError, OptionError
from spatial_de.tables import WRITERS, numbers, regression, render, write
from spatial_de.tables.writers import tex_escape

AWKWARD = pd.DataFrame(
    {"name": ["a_b & c|d", "50% <x>"], "estimate": [-0.12345, 1e-7], "p_value": [0.0001, 0.5]},
    index=pd.Index(["BJ", "TJ"], name="code"),
)


def test_csv_comes_back_with_every_digit():
    frame = pd.DataFrame({"x": [0.1 + 0.2, 1e-30, -1 / 3]}, index=pd.Index(["a", "b", "c"], name="code"))
    back = pd.read_csv(io.StringIO(render(frame, "csv")), index_col="code")
    pd.testing.assert_frame_equal(back, frame, check_exact=True, check_index_type=False)


def test_markdown_cells_stay_cells():
    lines = render(AWKWARD, "md", title="T", note="n").splitlines()
    assert lines[0] == "**T**"
    assert lines[-1] == "n"
    body = [line for line in lines if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in body}) == 1


def test_tex_is_escaped_and_balanced():
    text = render(AWKWARD, "tex", title="Shares in % & more", note="_")
    assert r"a\_b \& c$|$d" in text
    assert r"50\% $<$x$>$" in text
    assert r"\caption{Shares in \% \& more}" in text
    assert "$-$0.123" in text
    assert text.count("{") == text.count("}")
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert text.count(rule) == 1


def test_every_line_of_tex_has_as_many_columns_as_declared(fits):
    text = render(regression(fits, effects=True), "tex")
    columns = len(re.search(r"begin\{tabular\}\{(\w+)\}", text).group(1))
    body = text.partition(r"\toprule")[2].partition(r"\bottomrule")[0]
    for line in body.splitlines():
        if line.strip().endswith(r"\\") and "multicolumn" not in line:
            assert len(re.findall(r"(?<!\\)&", line)) == columns - 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-0.5", "$-$0.5"),
        ("[-0.5, -0.1]", "[$-$0.5, $-$0.1]"),
        ("2013-2022", "2013-2022"),
        ("Lee-Yu", "Lee-Yu"),
        ("a\\b", r"a\textbackslash{}b"),
        ("~^", r"\textasciitilde{}\textasciicircum{}"),
    ],
)
def test_tex_escape(text, expected):
    assert tex_escape(text) == expected


def test_chinese_asks_for_a_unicode_compiler():
    assert "XeLaTeX" in render(pd.DataFrame({"name": ["北京"]}), "tex")
    assert "XeLaTeX" not in render(pd.DataFrame({"name": ["Beijing"]}), "tex")


def test_html_is_escaped():
    text = render(AWKWARD, "html")
    assert "a_b &amp; c|d" in text
    assert "&lt;x&gt;" in text
    assert "<x>" not in text


def test_labels_reach_heads_and_cells_but_not_csv():
    labels = {"estimate": "Estimate", "BJ": "Beijing"}
    assert "Beijing" in render(AWKWARD, "md", labels=labels)
    assert "Estimate" in render(AWKWARD, "tex", labels=labels)
    assert "Beijing" not in render(AWKWARD, "csv", labels=labels)


def test_a_result_is_a_table(panel, ring):
    import spatial_de as sde

    text = render(sde.moran(panel["y"], ring), "md")
    assert text.count("\n") == 2 + panel.n_times


def test_what_is_no_table():
    with pytest.raises(DataError, match="A int is not a table"):
        render(3, "md")


def test_unknown_format():
    with pytest.raises(OptionError, match="format='docx' is not available"):
        render(AWKWARD, "docx")


def test_write_makes_one_file_per_format(tmp_path):
    paths = write(AWKWARD, tmp_path / "table.one", formats=("csv", "md", "tex"))
    assert [path.name for path in paths] == ["table.one.csv", "table.one.md", "table.one.tex"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in paths)


def test_an_unknown_format_writes_nothing(tmp_path):
    with pytest.raises(OptionError, match="formats='xls'"):
        write(AWKWARD, tmp_path / "t", formats=("csv", "xls"))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileError, match="does the folder exist"):
        write(AWKWARD, tmp_path / "none" / "t")


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    from pathlib import Path

    write(AWKWARD, tmp_path / "t", formats=("csv",))
    before = (tmp_path / "t.csv").read_text()

    def interrupted(self, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(AWKWARD.head(1), tmp_path / "t", formats=("csv",))
    assert (tmp_path / "t.csv").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_every_writer_takes_an_empty_table(name):
    assert "estimate" in render(AWKWARD.head(0), name)


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (0.0999, 2, "0.10"),
        (9.996, 3, "10.0"),
        (123456.7, 4, "123,457"),
        (-0.0, 3, "0"),
        (1e-9, 3, "1.00e-09"),
        (float("nan"), 3, "–"),
    ],
)
def test_significant(value, digits, expected):
    assert numbers.significant(value, digits) == expected


@pytest.mark.parametrize("seed", range(20))
def test_significant_never_shows_another_number(seed):
    rng = np.random.default_rng(seed)
    value = rng.normal() * 10.0 ** rng.integers(-5, 8)
    shown = float(numbers.significant(value, 4).replace(",", ""))
    assert shown == pytest.approx(value, rel=6e-4)


def test_a_negative_number_that_rounds_to_zero_has_no_sign():
    assert numbers.fixed(-0.0004, 3) == "0.000"


def test_a_column_keeps_two_digits_of_its_smallest_value():
    frame = pd.DataFrame({"even": [0.25, 0.5], "wide": [0.00004, 12.0]})
    even, wide = numbers.columns(frame)
    assert even == ["0.2500", "0.5000"]
    assert wide == ["0.00004000", "12.00"]


def test_estimates_get_the_decimals_of_their_errors():
    frame = pd.DataFrame({"estimate": [0.56123, 0.00021669], "std_error": [0.10399, 0.00095]})
    assert numbers.columns(frame) == [["0.561", "0.000217"], ["0.104", "0.000950"]]


def test_years_have_no_separator_but_counts_do():
    frame = pd.DataFrame({"year": [2013], "n": [12345]})
    assert numbers.columns(frame) == [["2013"], ["12,345"]]


def test_a_second_index_level_makes_headings(fits):
    effects = fits[3].effects()
    lines = [line for line in render(effects.table, "txt").splitlines() if line.strip()]
    assert [line.strip() for line in lines if line.strip() in {"x1", "x_2"}] == ["x1", "x_2"]
    assert lines[0].split()[0] == "effect"
    assert len(lines) == 2 + 2 * (1 + 3)
    assert render(effects.table, "csv").splitlines()[0].startswith("term,effect,")


def test_wide_tables_get_small_and_long_text_wraps_in_tex():
    narrow = render(pd.DataFrame({"a": ["x"], "b": [1.0]}), "tex")
    assert "footnotesize" not in narrow
    assert r"\begin{tabular}{lr}" in narrow
    wide = render(pd.DataFrame({f"column {i}": [1.5] for i in range(9)}), "tex")
    assert r"\footnotesize" in wide
    widest = render(pd.DataFrame({f"a long column {i}": [1.5] for i in range(9)}), "tex")
    assert r"\scriptsize" in widest
    text = render(pd.DataFrame({"what": ["word " * 20], "n": [1]}), "tex")
    assert r"\begin{tabular}{p{0.2\linewidth}r}" in text


def test_labels_that_are_numbers_are_names_not_counts():
    frame = pd.DataFrame({"count": [12345]}, index=pd.Index([110000], name="code"))
    assert render(frame, "md").splitlines()[-1] == "| 110000 |  12,345 |"


def test_missing_values_of_nullable_columns():
    frame = pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": pd.array([0.5, None], dtype="Float64")})
    lines = render(frame.assign(c=pd.array([True, None], dtype="boolean")), "txt").splitlines()
    assert lines[-2].split() == ["1", "0.5000", "yes"]
    assert lines[-1].split() == [numbers.MISSING] * 3


def test_rows_of_tex_that_begin_with_a_bracket_or_a_star():
    text = render(pd.DataFrame({"n": [1, 2]}, index=pd.Index(["[0.1, 0.2)", "*b"], name="class")), "tex")
    assert "{}[0.1, 0.2)" in text
    assert "{}*b" in text


def test_a_wild_standard_error_does_not_round_the_interval_away():
    row = {"estimate": [1.93], "std_error": [260.4], "conf_low": [0.49], "conf_high": [19.04]}
    cells = render(pd.DataFrame(row, index=pd.Index(["x"], name="term")), "txt").splitlines()[-1].split()
    assert cells == ["x", "1.93", "260.40", "0.49", "19.04"]
