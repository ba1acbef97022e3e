"""The main job on real data: everything is there, and the numbers are those of the library."""

import hashlib
import html
import json
import math
import re

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.study.words import Scale, amount

TABLES = [
    "answer",
    "descriptives",
    "effects",
    "index_weights",
    "lisa_index",
    "lisa_outcome",
    "models",
    "moran_by_year",
    "robustness",
    "specification_tests",
]
FIGURES = ["effects", "lisa_index", "lisa_outcome", "map_index", "map_outcome", "moran_by_year", "moran_scatter"]
FORMULA = (
    "log(urban_rural_ratio) ~ {} + urbanisation + log(gdp_per_head) + expenditure_share + secondary_share "
    "+ log(patents_per_10000)"
)


@pytest.fixture(scope="module")
def folder(bundled):
    return bundled[1].folder


@pytest.fixture(scope="module")
def report(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(report):
    """What a reader reads, with plain spaces and minus signs."""
    body = re.sub(r"<style.*?</style>|<[^>]+>", " ", report, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(body).replace("\N{NO-BREAK SPACE}", " ").replace("−", "-"))


@pytest.fixture(scope="module")
def robustness(folder):
    return pd.read_csv(folder / "tables" / "robustness.csv").set_index(["variant", "effect"])


@pytest.fixture(scope="module")
def panel():
    panel = sde.datasets.load_china_panel().select(times=range(2013, 2023))
    return panel.assign(digital=sde.composite_index(panel, "china-digital-7").values)


@pytest.fixture(scope="module")
def mainland():
    provinces = sde.datasets.load_provinces()
    return provinces[provinces["region"] != "none"]


@pytest.fixture(scope="module")
def queen(mainland):
    return sde.weights.contiguity(mainland, islands="nearest")


def test_every_table_in_three_formats_and_every_figure(folder):
    assert sorted(path.name for path in (folder / "tables").iterdir()) == sorted(
        f"{name}.{kind}" for name in TABLES for kind in ("csv", "md", "tex")
    )
    assert {path.name for path in (folder / "figures").iterdir()} == {f"{n}.png" for n in [*FIGURES, "robustness"]}


def test_the_main_estimate_is_that_of_fit(robustness, panel, queen):
    expected = sde.fit(FORMULA.format("digital"), panel, queen, model="sdm").effects(draws=10_000, seed=0).table
    for kind in ("direct", "indirect", "total"):
        row, own = robustness.loc["main specification", kind], expected.loc["digital", kind]
        for column in ("estimate", "std_error", "p_value", "conf_low", "conf_high"):
            assert row[column] == pytest.approx(own[column], rel=1e-9)


@pytest.fixture(scope="module")
def changes(panel, mainland):
    """What each variant changes, written with the library's own calls."""
    few = ["BJ", "TJ", "SH", "CQ"]
    equal = sde.composite_index(panel, "china-digital-7", method="equal").values
    return {
        "inverse distance": {"w": sde.weights.inverse_distance(mainland)},
        "4 nearest neighbours": {"w": sde.weights.knn(mainland, k=4)},
        "economic distance, GDP per head": {"w": sde.weights.economic(panel["gdp_per_head"])},
        "2015-2022 only": {"data": panel.select(times=range(2015, 2023))},
        "standard errors clustered by province": {"cov": "cluster"},
        "Driscoll-Kraay standard errors": {"cov": "driscoll-kraay"},
        "direct likelihood": {"bias": "none"},
        "index in logarithms": {"formula": FORMULA.format("log(digital)")},
        "Urban-rural Theil index": {
            "formula": FORMULA.format("digital").replace("log(urban_rural_ratio)", "theil"),
        },
        "index by equal weights": {"data": panel.assign(digital=equal)},
        "without the four municipalities": {
            "data": panel.select(units=panel.units.drop(few)),
            "w": sde.weights.contiguity(mainland.drop(index=few), islands="nearest"),
        },
    }


@pytest.mark.filterwarnings("ignore::spatial_de.errors.SpatialDEWarning")
def test_every_variant_changes_just_what_it_says(robustness, panel, queen, changes):
    assert set(changes) == set(robustness.index.unique(0)) - {"main specification"}
    for variant, change in changes.items():
        arguments = {"formula": FORMULA.format("digital"), "data": panel, "w": queen}
        expected = sde.fit(**(arguments | change)).effects(draws=10_000, seed=0).table
        term = expected.index[0][0]
        for kind in ("direct", "indirect", "total"):
            for column in ("estimate", "std_error", "conf_low", "conf_high"):
                own = robustness.loc[(variant, kind), column]
                assert own == pytest.approx(expected.loc[(term, kind), column], rel=1e-6), (variant, kind, column)


def test_no_variant_failed(robustness):
    assert robustness["note"].isna().all()
    assert robustness["estimate"].notna().all()


def test_standardised_effects_are_unit_free(robustness, panel, queen):
    """An index in percent instead of shares: effects a hundredth, standardised effects the same."""
    spread = {}
    for name in ("digital", "urban_rural_ratio"):
        wide = panel.wide(name)
        wide = np.log(wide) if name == "urban_rural_ratio" else wide
        left = wide - wide.mean() - wide.mean(axis=1).to_numpy()[:, None] + wide.to_numpy().mean()
        spread[name] = left.to_numpy().std()
    row = robustness.loc["main specification", "total"]
    assert row["standardised"] == pytest.approx(row["estimate"] * spread["digital"] / spread["urban_rural_ratio"])


def test_the_words_follow_from_the_numbers(bundled, text, robustness):
    config, outcome = bundled
    for kind, where in (("total", "everywhere"), ("direct", "at home"), ("indirect", "in other provinces")):
        row = robustness.loc["main specification", kind]
        percent = 100 * math.expm1(0.1 * row["estimate"])
        assert f"ratio differs by {percent:+.1f} %" in text
        word = config.words.up if row["estimate"] > 0 else config.words.down
        clear = row["p_value"] < 0.05 and row["conf_low"] * row["conf_high"] > 0
        headline = next(line for line in outcome.answers if where in line)
        assert (f"goes with a {word} {config.words.gap}" in headline) == clear
        assert headline in text
        others = robustness.xs(kind, level="effect").drop("main specification")
        same = int((np.sign(others["estimate"]) == np.sign(row["estimate"])).sum())
        assert (
            f"Of {len(others)} variants (2 in standard errors only), {same} have the sign of the main estimate" in text
        )


def test_the_answer_is_firm_only_if_variants_say_so(bundled, robustness):
    for kind, answer in zip(("total", "direct", "indirect"), bundled[1].answers, strict=True):
        rows = robustness.xs(kind, level="effect")
        main, others = rows.loc["main specification"], rows.drop("main specification")
        sign = np.sign(main["estimate"])
        clear = (others["p_value"] < 0.05) & (others["conf_low"] * others["conf_high"] > 0)
        confirmed = (clear & (np.sign(others["estimate"]) == sign)).mean()
        firm = main["p_value"] < 0.05 and (np.sign(others["estimate"]) == sign).all() and confirmed >= 0.8
        assert answer.startswith("Firm") == firm


def test_the_report_names_the_caveats(text, panel):
    for warning in sde.datasets.warnings_for(["urban_rural_ratio", "gdp_per_head", "population"]):
        assert warning in text
    assert "Natural Earth's de facto lines" in text
    assert "not proven causes" in text
    assert "Lee and Yu (2010)" in text
    assert "observed information" in text
    assert "10,000 draws" in text
    assert "seed 0" in text
    assert "HI -> GD (nearest)" in text
    assert "Driscoll-Kraay errors rest on many times; there are 10" in text


def test_the_report_says_how_much_the_step_is(text, panel):
    wide = panel.wide("digital")
    left = (wide - wide.mean()).sub((wide - wide.mean()).mean(axis=1), axis=0)
    assert f"is {0.1 / left.to_numpy().std():.1f} standard deviations of what fixed effects leave" in text


def test_the_report_is_one_file_without_network(report, folder):
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", report)
    assert not re.search(r"@import|url\(|<script|<link", report)
    sources = re.findall(r'<img src="([^"]{0,30})', report)
    assert len(sources) == 8
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    for target in re.findall(r'href="([^"#][^"]*)"', report):
        assert (folder / target).is_file()


def test_the_contents_lead_somewhere(report):
    anchors = re.findall(r'href="#([^"]+)"', report)
    assert len(anchors) == 12
    assert anchors[0] == "answer"
    for anchor in anchors:
        assert f'<section id="{anchor}">' in report


def test_every_image_says_what_it_shows(report):
    assert all(len(alt) > 10 for alt in re.findall(r'<img [^>]*alt="([^"]*)"', report))


def test_the_report_fits_a_phone(report):
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in report
    assert "prefers-color-scheme: dark" in report
    assert report.count("<table>") == len(re.findall(r'<div class="scroll" tabindex="0">\s*<table>', report))


def test_the_manifest_tells_what_went_in_and_out(bundled):
    config, outcome = bundled
    manifest = json.loads((outcome.folder / "manifest.json").read_text(encoding="utf-8"))
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((outcome.folder / name).read_bytes()).hexdigest() == digest
    on_disk = {p.relative_to(outcome.folder).as_posix() for p in outcome.folder.rglob("*") if p.is_file()}
    assert set(manifest["files"]) == on_disk - {"manifest.json"}
    assert manifest["options"] == config.model_dump(mode="json")
    assert manifest["seed"] == config.inference.seed
    assert set(manifest["inputs"]) == {"panel", "codebook", "boundaries.shp", "boundaries.dbf"}
    assert manifest["weights"]["rule"].startswith("queen contiguity")
    assert manifest["packages"]["numpy"] == np.__version__
    assert len(manifest["seconds"]) == 14
    assert manifest["seconds"]["all"] == pytest.approx(sum(list(manifest["seconds"].values())[:-1]), abs=0.05)


def test_the_range_is_that_of_the_variants_in_the_same_units(text, robustness, bundled):
    scale = Scale(bundled[0].index.step, log_outcome=True)
    alike = robustness.drop(["Urban-rural Theil index", "index in logarithms", "index by equal weights"], level=0)
    for kind in ("direct", "indirect", "total"):
        rows = alike.xs(kind, level="effect").drop("main specification")
        for row, end in ((rows["estimate"].idxmin(), "lowest"), (rows["estimate"].idxmax(), "highest")):
            size, low, high = (amount(rows.loc[row, name], scale) for name in ("estimate", "conf_low", "conf_high"))
            assert f"{size} ({row}, {low} to {high}) at the {end}" in text


def test_warnings_on_the_way_are_reported_once(text, bundled):
    manifest = json.loads((bundled[1].folder / "manifest.json").read_text(encoding="utf-8"))
    assert any(
        warning.startswith("direct likelihood: bias='none' with two-way effects") for warning in manifest["warnings"]
    )
    assert len(set(manifest["warnings"])) == len(manifest["warnings"])
    assert text.count("bias='none' with two-way effects at N = 31") == 1


def test_intervals_at_odds_with_their_p_values_are_explained(robustness, text):
    apart = robustness["conf_low"] * robustness["conf_high"] > 0.0
    split = robustness.index[apart & (robustness["p_value"] >= 0.05)].get_level_values("variant").unique()
    assert list(split) == ["inverse distance"]
    assert (
        text.count("Not told from zero although the interval leaves it out (inverse distance, 14 % of the draws)") == 2
    )


def test_the_table_of_tests_names_distributions(folder):
    """A deviate beside a bare degree of freedom would be read as chi-squared."""
    table = pd.read_csv(folder / "tables" / "specification_tests.csv").set_index("test")
    assert table.loc["Moran of residuals", "distribution"] == "N(0, 1)"
    assert table.loc["Randomised W", "distribution"] == "999 random W"
    assert table.loc["LM lag", "distribution"] == "chi-squared(1)"
    assert table.loc["F SLX -> OLS", "distribution"].startswith("F(")
