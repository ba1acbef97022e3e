"""Figures: what is drawn, in which classes, with which words and glyphs."""

import re
import subprocess
import sys

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from matplotlib.patches import Patch
from matplotlib.text import Text

import spatial_de as sde
from spatial_de import maps
from spatial_de.errors import AlignmentError, DataError, FileError, FontError, OptionError
from spatial_de.maps.classes import class_labels, class_of, upper_bounds
from spatial_de.maps.forest import KINDS
from spatial_de.maps.lisa import CLUSTER_COLOURS
from spatial_de.maps.theme import check_glyphs, new_figure


@pytest.fixture(scope="module")
def provinces():
    return sde.datasets.load_provinces()


@pytest.fixture(scope="module")
def panel():
    return sde.datasets.load_china_panel().select(times=range(2013, 2023))


@pytest.fixture(scope="module")
def w(provinces):
    return sde.weights.contiguity(provinces[provinces["region"] != "none"], islands="nearest")


def texts(fig):
    return [item.get_text() for item in fig.findobj(Text) if item.get_text()]


def legend_entries(fig):
    return [text.get_text() for text in fig.legends[0].get_texts()]


def test_all_34_units_are_drawn_and_three_are_hatched(provinces, panel):
    fig = maps.choropleth(provinces, panel["ln_gap"].xs(2022, level="year"))
    # geopandas draws one patch per part of a unit: Hainan and the others with islands count by their parts
    parts = shapely.get_num_geometries(provinces.geometry.to_numpy())
    drawn = {True: 0, False: 0}
    for collection in fig.axes[0].collections:
        drawn[bool(collection.get_hatch())] += len(collection.get_paths())
    without = provinces["region"] == "none"
    assert legend_entries(fig)[-1] == "No data"
    assert sum(drawn.values()) in (34, parts.sum())
    assert drawn[True] in (3, parts[without].sum())


def test_units_are_in_the_class_of_their_value(provinces, panel):
    values = panel["ln_gap"].xs(2022, level="year")
    bounds = upper_bounds(values.to_numpy(), scheme="quantiles", k=5)
    classes = class_of(values.reindex(provinces.index).to_numpy(), bounds)
    assert (classes == -1).sum() == 3
    assert set(classes) == {-1, 0, 1, 2, 3, 4}
    assert all(values[unit] <= bounds[0] for unit in provinces.index[classes == 0])
    assert np.bincount(classes[classes >= 0]).tolist() == [7, 6, 6, 6, 6]


def test_small_multiples_share_classes_and_legend(provinces, panel):
    fig = maps.choropleth(provinces, panel["ln_gap"], times=[2013, 2018, 2022], k=4)
    assert [ax.get_title() for ax in fig.axes] == ["2013", "2018", "2022"]
    assert len(fig.legends) == 1
    pooled = np.concatenate([panel["ln_gap"].xs(year, level="year") for year in (2013, 2018, 2022)])
    labels = class_labels(pooled.min(), upper_bounds(pooled, scheme="quantiles", k=4), to=" to ")
    assert legend_entries(fig) == [*labels, "No data"]
    colours = {tuple(c.get_facecolor()[0]) for ax in fig.axes for c in ax.collections if not c.get_hatch()}
    patches = [p for p in fig.legends[0].get_patches() if not p.get_hatch()]
    assert colours <= {p.get_facecolor() for p in patches}


def test_class_labels_of_own_bins_of_zero_and_of_halves():
    assert class_labels(0.5, np.array([0.2, 0.7, 1.0]), to=" to ") == ["≤ 0.20", "0.20 to 0.70", "0.70 to 1.00"]
    assert class_labels(-1.0, np.array([-1e-9, 1.0]), to=" to ") == ["-1.00 to 0.00", "0.00 to 1.00"]
    assert class_labels(3.0, np.array([13.5, 24.4]), to=" to ") == ["3.0 to 13.5", "13.5 to 24.4"]
    assert class_labels(3.0, np.array([14.0, 2400.0]), to=" to ") == ["3 to 14", "14 to 2,400"]


def test_chinese_labels_are_in_the_bundled_font(provinces, panel):
    fig = maps.choropleth(
        provinces,
        panel["ln_gap"].xs(2022, level="year"),
        title="城乡居民收入比",
        source="国家统计局",
        approval="GS(2024)0650号",
        language="zh",
        unit_labels="short_zh",
    )
    found = texts(fig)
    assert {"黑龙江", "澳门", "香港", "城乡居民收入比", "无数据"} <= set(found)
    assert any("审图号：GS(2024)0650号" in text for text in found)


def test_every_chinese_name_and_word_has_a_glyph(provinces):
    for column in ("name_zh", "short_zh", "name_en"):
        for name in provinces[column]:
            check_glyphs(name)
    assert "Spatial DE Sans SC" in maps.check_fonts()


def test_a_missing_glyph_is_an_error_that_names_it(provinces, panel):
    values = panel["ln_gap"].xs(2022, level="year")
    message = re.escape("The bundled font has no glyph for '龘' in '龘': pass font='path/to/font.otf' with a font")
    with pytest.raises(FontError, match=message):
        maps.choropleth(provinces, values, title="龘")
    with pytest.raises(FileError, match="cannot be read as a font"):
        maps.choropleth(provinces, values, font=__file__)


def test_values_without_a_polygon_are_named(provinces, panel):
    values = panel["ln_gap"].xs(2022, level="year").rename({"GD": "GDX"})
    with pytest.raises(AlignmentError, match=r"1 unit with values but without a polygon: 'GDX'"):
        maps.choropleth(provinces, values)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"scheme": "quantile"}, OptionError, r"scheme='quantile' is not available.*Did you mean 'quantiles'\?"),
        ({"k": 1}, OptionError, r"k=1 must be between 2 and 12"),
        ({"bins": [2, 1]}, OptionError, r"increasing upper bounds"),
        ({"bins": [0.1]}, OptionError, r"increasing upper bounds"),
        ({"palette": "Blue"}, OptionError, r"palette='Blue' is not available.*Did you mean 'Blues'\?"),
        ({"language": "fr"}, OptionError, r"language='fr' is not available"),
        ({"unit_labels": "name"}, OptionError, r"unit_labels='name' is not a column"),
    ],
)
def test_options_are_checked(provinces, panel, change, error, message):
    with pytest.raises(error, match=message):
        maps.choropleth(provinces, panel["ln_gap"].xs(2022, level="year"), **change)


def test_times_that_are_not_there_are_named(provinces, panel):
    with pytest.raises(OptionError, match=r"times names 2030; the variable covers 2013"):
        maps.choropleth(provinces, panel["ln_gap"], times=[2022, 2030])


def test_infinite_text_and_empty_values_are_refused(provinces, panel):
    values = panel["ln_gap"].xs(2022, level="year")
    for bad, message in (
        (values * np.inf, "Infinite"),
        (values.astype(str), "not numbers"),
        (values * np.nan, "no values"),
    ):
        with pytest.raises(DataError, match=message):
            maps.choropleth(provinces, bad)


@pytest.mark.parametrize("scheme", ["quantiles", "equal-interval", "natural-breaks", "std-mean", "head-tail", "pretty"])
@pytest.mark.parametrize("case", ["spread", "tied", "constant"])
def test_classes_hold_every_value_once(scheme, case):
    rng = np.random.default_rng(0)
    values = {"spread": rng.lognormal(size=50), "tied": rng.integers(0, 3, 50) * 1.0, "constant": np.full(9, 2.5)}[case]
    bounds = upper_bounds(values, scheme=scheme, k=5)
    assert (np.diff(bounds) > 0).all()
    assert bounds[-1] >= values.max()
    classes = class_of(values, bounds)
    assert classes.min() == 0
    for number in set(classes):
        below = bounds[number - 1] if number else -np.inf
        assert ((values[classes == number] > below) & (values[classes == number] <= bounds[number])).all()
    assert len(set(class_labels(values.min(), bounds, to=" to "))) == len(bounds)


def test_lisa_counts_its_classes(provinces, panel, w):
    local = sde.local_moran(panel["ln_gap"].xs(2022, level="year"), w, control="none")
    fig = maps.lisa(provinces, local)
    counts = local.table["cluster"].value_counts()
    for name in ("High-High", "Low-Low", "Low-High", "High-Low", "Not significant"):
        assert f"{name} ({counts.get(name, 0)})" in legend_entries(fig)
    assert "No neighbours (0)" not in legend_entries(fig)
    assert "No data" in legend_entries(fig)
    with pytest.raises(OptionError, match=r"draws results of sde.local_moran"):
        maps.lisa(provinces, local.table)


def test_islands_have_their_class(panel, provinces):
    w = sde.weights.contiguity(provinces[provinces["region"] != "none"], islands="keep")
    fig = maps.lisa(provinces, sde.local_moran(panel["ln_gap"], w), times=[2013, 2022])
    assert "No neighbours (1, 1)" in legend_entries(fig)
    assert [ax.get_title() for ax in fig.axes] == ["2013", "2022"]
    assert set(CLUSTER_COLOURS) >= set(sde.autocorrelation.CLUSTERS)


def test_the_moran_scatter_prints_the_slope(panel, w):
    x = panel["ln_gap"].xs(2022, level="year")
    fig = maps.moran_scatter(x, w)
    slope = np.polyfit(*[np.asarray(v) for v in fig.axes[0].lines[-1].get_data()], 1)[0]
    statistic = sde.moran(x, w)
    assert slope == pytest.approx(statistic.I)
    assert f"Moran's I = {statistic.I:.3f}" in texts(fig)
    assert len(fig.axes[0].collections[0].get_offsets()) == 31
    with pytest.raises(DataError, match="draws one time"):
        maps.moran_scatter(panel["ln_gap"], w)


def test_moran_by_time_draws_the_table(panel, w):
    found = sde.moran(panel["ln_gap"], w)
    fig = maps.moran_by_time({"gap": found})
    x, y = fig.axes[0].lines[0].get_data()
    assert list(x) == list(range(2013, 2023))
    assert list(y) == found.table["I"].tolist()
    with pytest.raises(OptionError, match=r"draws results of sde.moran"):
        maps.moran_by_time({"gap": found[2013]})


def stand_in(shift=0.0):
    index = pd.MultiIndex.from_product([["a", "b"], KINDS], names=["term", "effect"])
    estimate = np.arange(6) / 10 + shift
    table = pd.DataFrame({"estimate": estimate, "conf_low": estimate - 0.15, "conf_high": estimate + 0.15}, index=index)
    return type("Stand", (), {"table": table})()


def test_the_forest_plot_draws_estimates_and_intervals():
    fig = maps.effects({"one": stand_in(), "two": stand_in(1.0)}, terms=["b"], title="Effects")
    assert [ax.get_title() for ax in fig.axes] == ["Direct", "Indirect", "Total"]
    assert [tick.get_text() for tick in fig.axes[0].get_yticklabels()] == ["one", "two"]
    for ax, kind in zip(fig.axes, KINDS, strict=True):
        points = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"]
        assert points == pytest.approx([stand_in(s).table.loc[("b", kind), "estimate"] for s in (0.0, 1.0)])
        spans = [
            tuple(line.get_xdata())
            for line in ax.lines
            if len(line.get_xdata()) == 2 and line.get_ydata()[0] in (0, 1) and line.get_linewidth() > 2
        ]
        assert spans[0] == pytest.approx((points[0] - 0.15, points[0] + 0.15))
    with pytest.raises(OptionError, match="terms names 'c'"):
        maps.effects(stand_in(), terms=["c"])


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_files_are_complete_and_the_same_each_time(tmp_path, provinces, panel, suffix):
    values = panel["ln_gap"].xs(2022, level="year")
    paths = [maps.save(maps.choropleth(provinces, values, title="收入"), tmp_path / f"{n}.{suffix}") for n in "ab"]
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert len(first) > 10_000
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.{suffix}", f"b.{suffix}"]


def test_other_formats_and_folders_are_refused(tmp_path):
    with pytest.raises(OptionError, match=r"'x.gif' is none of these"):
        maps.save(new_figure(2, 2), tmp_path / "x.gif")
    with pytest.raises(FileError, match="cannot be written"):
        maps.save(new_figure(2, 2), tmp_path / "nowhere" / "x.png")


def test_maps_of_projected_layers_and_own_base_maps():
    cells = gpd.GeoDataFrame(
        geometry=[shapely.box(i, 0, i + 1, 1) for i in range(4)], index=list("abcd"), crs="EPSG:32650"
    )
    fig = maps.choropleth(cells, pd.Series([1.0, 2.0, 3.0], index=list("abc")), basemap=cells, unit_labels="id", k=3)
    assert {"a", "b", "c", "d", "No data"} <= set(texts(fig))
    assert isinstance(fig.legends[0].get_patches()[0], Patch)


def test_drawing_needs_no_pyplot_state():
    code = (
        "import pandas as pd, geopandas as gpd, shapely, matplotlib; before = dict(matplotlib.rcParams);"
        "from spatial_de import maps; g = gpd.GeoDataFrame(geometry=[shapely.box(0,0,1,1)], index=['a']);"
        "maps.choropleth(g, pd.Series([1.0], index=['a'])); assert dict(matplotlib.rcParams) == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
