"""Studies on own data with known effects: from the figures in a file to the words in the report."""

import json

import numpy as np
import pandas as pd
import pytest

from spatial_de.errors import AlignmentError, AlignmentWarning, SpatialDEError, StudyError
from spatial_de.study import load_config, run
from spatial_de.study.job import Job
from spatial_de.study.steps.answer import verdicts

VARIED = 'weights = ["knn", "rook"]\ncovariances = ["cluster"]\nindex_in_logs = false'


@pytest.mark.parametrize(
    ("home", "next_door", "expected"),
    [
        (0.5, 0.8, {"direct": ("firm", "up"), "indirect": ("firm", "up"), "total": ("firm", "up")}),
        (-0.5, -0.8, {"direct": ("firm", "down"), "indirect": ("firm", "down"), "total": ("firm", "down")}),
        (0.0, 0.0, {"direct": ("no answer", "unclear"), "total": ("no answer", "unclear")}),
    ],
)
def test_known_effects_are_found_with_their_sign(own_study, home, next_door, expected):
    found = verdicts(Job(load_config(own_study(home, next_door, robustness=VARIED))))
    assert {kind: (found[kind].level, found[kind].direction) for kind in expected} == expected


def test_opposite_effects_in_two_halves_are_not_firm(own_study):
    ids = [f'"c{i:02d}"' for i in range(36)]
    robustness = f'[robustness.without]\n"south" = [{", ".join(ids[:18])}]\n"north" = [{", ".join(ids[18:])}]'
    path = own_study(0.5, 0.0, robustness=robustness)
    panel = pd.read_csv(path.parent / "panel.csv")
    south = panel["cell"].str[1:].astype(int) < 18
    panel["gap"] *= np.exp(np.where(south, -0.4 * (panel["a"] + panel["b"]), 0.0))
    panel.to_csv(path.parent / "panel.csv", index=False)
    found = verdicts(Job(load_config(path)))["direct"]
    assert found.level != "firm"
    assert found.agreement.confirmed
    assert found.agreement.contradicted


@pytest.fixture(scope="module")
def study(own_study):
    return own_study(0.5, 0.8, robustness='weights = ["knn"]')


@pytest.fixture(scope="module")
def results(study, tmp_path_factory):
    return run(load_config(study), tmp_path_factory.mktemp("results") / "one")


def test_own_data_make_a_whole_report(results):
    assert results.answers[0] == "Firm: a higher index everywhere goes with a wider gap."
    report = results.report.read_text(encoding="utf-8")
    assert "36 cells, 2011-2018" in report
    assert "Natural Earth" not in report
    assert "province" not in report.lower()
    assert "data:image/svg+xml;base64," in report


def test_the_same_study_gives_the_same_bytes(study, results, tmp_path):
    again = run(load_config(study), tmp_path / "two")
    one, two = (json.loads((r.folder / "manifest.json").read_text(encoding="utf-8"))["files"] for r in (results, again))
    assert one == two
    assert len(one) > 30


def test_steps_are_announced(study, tmp_path, monkeypatch):
    from spatial_de.study.steps import STEPS

    monkeypatch.setattr("spatial_de.study.runner.STEPS", STEPS[:2])
    monkeypatch.setattr("spatial_de.study.runner.verdicts", lambda _: {})
    told = []
    run(load_config(study), tmp_path / "r", on_step=told.append)
    assert [(t.number, t.total, t.state) for t in told] == [
        (number, 4, state) for number in (1, 2, 3, 4) for state in ("started", "done")
    ]
    assert told[2].title == STEPS[0].title


def test_a_failing_step_is_named_and_old_results_stay(study, results, monkeypatch):
    from spatial_de.study.section import Step
    from spatial_de.study.steps import STEPS

    def fail(job):
        raise AlignmentError("these do not fit")

    monkeypatch.setattr("spatial_de.study.runner.STEPS", (STEPS[0], Step("bad", "A bad step", fail)))
    before = results.report.read_bytes()
    with pytest.raises(StudyError, match="Step 3 of 4, 'A bad step': these do not fit"):
        run(load_config(study), results.folder)
    assert results.report.read_bytes() == before
    assert [path.name for path in results.folder.parent.iterdir()] == ["one"]


def test_a_variant_that_fails_is_shown_and_counts_against(own_study):
    path = own_study(0.5, 0.8, robustness='weights = ["knn", "rook"]')
    text = path.read_text(encoding="utf-8").replace("[inference]", "[weights]\nk = 99\n[inference]")
    path.write_text(text, encoding="utf-8")
    job = Job(load_config(path))
    from spatial_de.study.steps.robustness import variants

    section = variants(job)
    table = next(item for item in section.items if hasattr(item, "content")).content
    frame = table.to_frame().set_index(["variant", "effect"])
    assert frame.loc[("99 nearest neighbours", "total")].isna()["estimate"]
    assert "99" in frame.loc[("99 nearest neighbours", "total"), "note"]
    assert "–" in "".join(cell for row in table.grid().rows for cell in row.cells)
    assert any(
        "99 nearest neighbours: " in item for part in section.items if hasattr(part, "items") for item in part.items
    )
    found = verdicts(job)["total"]
    assert found.agreement.failed == ("99 nearest neighbours",)
    assert found.level == "fragile"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("first = 2011", "first = 2001"), "data.first and data.last name 2001; the panel runs from 2011 to 2018"),
        (('controls = ["x"]', 'controls = ["xx"]'), "names 'xx', which is not in the data"),
        (('id = "cell"', 'id = "cel"'), "cel"),
        (("a = 1, b = 1", "a = 1, c = 1"), "'c'"),
        (('outcome = "gap"', 'outcome = "gapp"'), "'gapp'"),
    ],
)
def test_what_does_not_fit_the_data_is_named(own_study, tmp_path, change, message):
    path = own_study(0.0, 0.0)
    path.write_text(path.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    with pytest.raises(SpatialDEError) as caught:
        run(load_config(path), tmp_path / "r")
    assert message in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("robustness", "message"),
    [
        ("periods = [[2030, 2040]]", "2030 to 2040 holds 0 times"),
        ('[robustness.without]\n"nobody" = ["zz"]', "there is no cell 'zz'"),
    ],
)
def test_variants_that_cannot_be_are_refused(own_study, robustness, message):
    with pytest.raises(StudyError, match=message):
        verdicts(Job(load_config(own_study(0.0, 0.0, robustness=robustness))))


def test_own_lines_under_the_bundled_figures(tmp_path):
    """Own boundaries with an approval number: the note on Natural Earth is gone, the number is printed."""
    import spatial_de as sde
    from spatial_de.study.steps import limits, maps

    layer = sde.datasets.load_provinces()[["geometry"]].reset_index()
    layer.to_file(tmp_path / "approved.gpkg")
    text = '[data]\nboundaries = "approved.gpkg"\n[figures]\napproval = "GS(2020)4619"\n'
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    job = Job(load_config(tmp_path / "study.toml"))
    with pytest.warns(AlignmentWarning, match="^3 units of the boundaries without data.*'HK', 'MO', 'TW'"):
        assert len(job.regions) == 31
    section = maps(job)
    assert "Natural Earth" not in section.items[0].text
    printed = [item.get_text() for item in section.items[1].draw().findobj(lambda artist: hasattr(artist, "get_text"))]
    assert any("approved.gpkg" in text and "Map approval number: GS(2020)4619" in text for text in printed)
    assert not any("Natural Earth" in text for text in printed)
    assert not any("Natural Earth" in line for item in limits(job).items for line in getattr(item, "items", ()))
