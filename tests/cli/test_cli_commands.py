"""Every command: its numbers are the library's, on the bundled data and on own files."""

import importlib.metadata

import pandas as pd
import pytest

import spatial_de as sde


def own(folder, *, panel=True):
    data = ["--data", folder / "panel.csv", "--time", "year"] if panel else ["--data", folder / "cross.xlsx"]
    return [*data, "--unit", "cell", "--boundaries", folder / "grid.gpkg", "--id", "cell"]


@pytest.fixture(scope="module")
def grid(own_files):
    return sde.boundaries.read(own_files / "grid.gpkg", id="cell")


@pytest.fixture(scope="module")
def panel(own_files):
    return sde.datasets.read_panel(own_files / "panel.csv", unit="cell", time="year")


def test_moran_of_the_bundled_panel(cli):
    code, out, err = cli("moran", "urban_rural_ratio", "--last", "2014")
    provinces = sde.datasets.load_provinces()
    w = sde.weights.contiguity(provinces[provinces["region"] != "none"], islands="nearest")
    expected = sde.moran(sde.datasets.load_china_panel()["urban_rural_ratio"], w).table
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 5
    for line, year in zip(lines[3:], (2013, 2014), strict=True):
        assert line.split()[:2] == [str(year), f"{expected.loc[year, 'I']:.4f}"]


def test_moran_writes_tables(cli, own_files, panel, grid, tmp_path):
    code, out, _ = cli("moran", "y", *own(own_files), "--weights", "rook", "-o", tmp_path / "m")
    assert code == 0
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["m.csv", "m.md", "m.tex"]
    written = pd.read_csv(tmp_path / "m.csv", index_col="year")
    expected = sde.moran(panel["y"], sde.weights.contiguity(grid, rule="rook")).table
    pd.testing.assert_frame_equal(written, expected, check_exact=False, rtol=1e-12)
    assert str(tmp_path / "m.csv") in out


def test_moran_of_a_cross_section(cli, own_files):
    code, out, _ = cli("moran", "y", *own(own_files, panel=False), "--weights", "knn", "--k", "3")
    assert code == 0
    assert "3 nearest neighbours" in out


def test_fit_is_the_librarys_fit(cli, own_files, panel, grid):
    code, out, _ = cli("fit", "y ~ x", *own(own_files), "--model", "sar", "--draws", "200", "--seed", "3")
    fit = sde.fit("y ~ x", panel, sde.weights.contiguity(grid), model="sar")
    assert code == 0
    assert fit.summary() in out
    assert f"{fit.effects(draws=200, seed=3).table.loc[('x', 'total'), 'estimate']:.3f}" in out


def test_fit_with_random_effects(cli, own_files, panel, grid):
    code, out, _ = cli("fit", "y ~ x", *own(own_files), "--model", "sem", "--random", "kkp", "--correlated")
    fit = sde.fit("y ~ x", panel, sde.weights.contiguity(grid), model="sem", random="kkp", correlated=True)
    assert code == 0
    assert fit.summary() in out


def test_fit_of_a_cross_section_writes_a_table(cli, own_files, tmp_path):
    code, _, _ = cli("fit", "y ~ x", *own(own_files, panel=False), "-o", tmp_path / "t")
    assert code == 0
    assert "Total effects" in (tmp_path / "t.md").read_text()


def test_ols_needs_no_boundaries(cli, own_files):
    arguments = ["--data", own_files / "panel.csv", "--unit", "cell", "--time", "year", "--model", "ols"]
    assert cli("fit", "y ~ x", *arguments)[0] == 0


def test_weights_are_written_and_used(cli, own_files, tmp_path):
    arguments = ["--boundaries", own_files / "grid.gpkg", "--id", "cell", "--weights", "knn", "--k", "5"]
    code, out, _ = cli("weights", *arguments, "-o", tmp_path / "w.csv")
    assert code == 0
    assert "5 nearest neighbours" in out
    data = ["--data", own_files / "panel.csv", "--unit", "cell", "--time", "year"]
    from_file = cli("fit", "y ~ x", *data, "--weights", tmp_path / "w.csv")
    from_rule = cli("fit", "y ~ x", *own(own_files), "--weights", "knn", "--k", "5")
    assert from_file[0] == 0
    assert from_file[1].partition("Spatial parameters")[2] == from_rule[1].partition("Spatial parameters")[2]


def test_binary_weights_from_a_file_are_row_standardised(cli, own_files, panel, grid, tmp_path):
    w = sde.weights.contiguity(grid)
    sde.weights.write(w.normalized("none"), tmp_path / "w.csv")
    data = ["--data", own_files / "panel.csv", "--unit", "cell", "--time", "year", "--last", "2001"]
    code, out, _ = cli("moran", "y", *data, "--weights", tmp_path / "w.csv")
    assert code == 0
    assert out.splitlines()[-1].split()[1] == f"{sde.moran(panel['y'], w).table.loc[2001, 'I']:.4f}"


def test_weights_of_the_bundled_provinces(cli):
    code, out, _ = cli("weights")
    assert code == 0
    assert "HI -> GD (nearest)" in out


@pytest.mark.parametrize("name", ["map.png", "map.svg", "map.pdf"])
def test_map_writes_the_kind_asked_for(cli, own_files, tmp_path, name):
    code, out, _ = cli("map", "y", *own(own_files), "--at", "2001", "--at", "2005", "-o", tmp_path / name)
    assert code == 0
    assert out.strip() == str(tmp_path / name)
    start = (tmp_path / name).read_bytes()[:5]
    assert start in {b"\x89PNG\r", b"<?xml", b"%PDF-"}


def test_map_of_a_cross_section(cli, own_files, tmp_path):
    assert cli("map", "y", *own(own_files, panel=False), "-o", tmp_path / "m.svg")[0] == 0


def test_data_lists_and_shows(cli):
    code, out, _ = cli("data")
    assert code == 0
    assert sum(not line.startswith(" ") for line in out.splitlines()) == len(sde.datasets.codebook())
    assert cli("data", "gdp_per_head") == (0, f"{sde.datasets.codebook('gdp_per_head')!r}\n", "")


def test_index_adds_the_composite_index(cli):
    code, out, _ = cli("fit", "ln_gap ~ digital", "--index", "china-digital-7", "--last", "2016", "--model", "sar")
    assert code == 0
    assert "digital" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["moran", "urban_rural_ration"], "Did you mean 'urban_rural_ratio'?"),
        (["fit", "y ~ x"], "Formula error: The formula names"),
        (["fit", "ln_gap ~ ln_gdp_pc", "--weights", "w.csvv"], "is neither a rule ('queen', 'rook', 'knn'"),
        (["fit", "ln_gap ~ ln_gdp_pc", "--weights", "quen"], "Did you mean 'queen'?"),
        (["data", "gdpp"], "Did you mean 'gdp'?"),
        (["weights", "--boundaries", "none.gpkg"], "none.gpkg"),
        (["map", "urban_rural_ratio", "-o", "map.jpg"], ".png, .svg, .pdf"),
        (["study", "none.toml"], "Study error: none.toml cannot be read"),
    ],
)
def test_mistakes_are_named(cli, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, _, err = cli(*arguments)
    assert code == 2
    assert message in err
    assert not list(tmp_path.iterdir())


def test_mistakes_with_own_files_are_named(cli, own_files):
    code, _, err = cli("moran", "z", *own(own_files, panel=False))
    assert (code, "has no column 'z'" in err) == (2, True)
    code, _, err = cli("moran", "y", "--data", own_files / "cross.xlsx", "--unit", "cell")
    assert (code, "The bundled boundaries lack 'c00'" in err) == (2, True)
    code, _, err = cli("moran", "y", *own(own_files, panel=False), "--first", "2001")
    assert (code, "need a panel" in err) == (2, True)
    code, _, err = cli("moran", "y", "--data", own_files / "cross.xlsx", "--unit", "cell", "--boundaries", PROVINCES)
    assert (code, "The boundaries lack 'c00'" in err) == (2, True)


PROVINCES = sde.datasets.provinces.province_file()


def test_doctor_finds_this_installation_healthy(cli):
    code, out, err = cli("doctor")
    assert (code, err) == (0, "")
    for title in ("Python", "Dependencies", "BLAS", "Factorisation", "Fonts", "Data", "Machine", "Folder"):
        assert f"\n{title}" in f"\n{out}"
    assert f"numpy {importlib.metadata.version('numpy')}" in out
    assert "Everything that is needed is here." in out


def test_doctor_says_what_to_install(cli, monkeypatch):
    real = importlib.metadata.version

    def version(name):
        if name == "spreg":
            raise importlib.metadata.PackageNotFoundError
        return "0.1" if name == "shapely" else real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    code, out, _ = cli("doctor")
    assert code == 2
    assert "!!  spreg is missing" in out
    assert "pip install 'spreg>=" in out
    assert "!!  shapely 0.1 does not fulfil >=" in out
    assert "2 to be mended" in out


def test_doctor_tells_when_chinese_cannot_be_printed(cli, monkeypatch):
    from spatial_de.errors import FontError

    def broken():
        raise FontError("no glyph")

    monkeypatch.setattr("spatial_de.maps.check_fonts", broken)
    code, out, _ = cli("doctor")
    assert code == 2
    assert "!!  no glyph" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--first", "2025"), "--first 2025 leaves no time: the data cover 2013 to 2023."),
        (("--first", "2020", "--last", "2015"), "--first 2020 --last 2015 leaves no time"),
        (("--k", "4"), "--k belongs to --weights knn; --weights queen makes no use of it"),
        (("--weights", "knn", "--islands", "keep"), "--islands belongs to --weights queen and rook"),
        (("-o", "out.csv"), "'-o out' writes out.csv, out.md and out.tex"),
    ],
)
def test_options_that_would_do_nothing_are_refused(cli, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = cli("moran", "ln_gap", *arguments)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())


def test_islands_of_a_weights_file_are_refused(cli, own_files, tmp_path):
    cli("weights", "--boundaries", own_files / "grid.gpkg", "--id", "cell", "-o", tmp_path / "w.gal")
    arguments = [*own(own_files), "--weights", tmp_path / "w.gal"]
    assert cli("moran", "y", *arguments)[0] == 0
    assert cli("moran", "y", *arguments, "--islands", "nearest")[0] == 2


def test_a_year_zero_is_a_first_time(cli, own_files, tmp_path):
    panel = pd.read_csv(own_files / "panel.csv").assign(year=lambda d: d["year"] - 2003)
    panel.to_csv(tmp_path / "panel.csv", index=False)
    arguments = ["--data", tmp_path / "panel.csv", "--time", "year", "--unit", "cell"]
    arguments += ["--boundaries", own_files / "grid.gpkg", "--id", "cell", "--first", "0"]
    code, out, _ = cli("moran", "y", *arguments)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[3:]] == ["0", "1", "2"]


def test_the_help_of_weights_names_every_format(cli):
    from spatial_de.weights.files import FORMATS

    out = cli("weights", "--help")[1]
    named = " ".join(out.split("Write the weights:")[1].split("-h, --help")[0].split()).rstrip(".").split(", ")
    assert sorted(named) == sorted(ending.removeprefix(".") for ending in FORMATS)


def test_an_unknown_variable_of_the_codebook_names_those_alike(cli):
    code, _, err = cli("data", "urban")
    assert code == 2
    assert "'urban_rural_ratio', 'income_urban', 'urbanisation'" in " ".join(err.split())
