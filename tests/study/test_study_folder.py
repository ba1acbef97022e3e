import json
import re
from pathlib import Path

import pytest

from spatial_de.errors import FileError
from spatial_de.study.folder import MANIFEST, PRODUCER, replaced_folder


def earlier_run(folder, text="old"):
    folder.mkdir()
    (folder / "report.html").write_text(text)
    (folder / MANIFEST).write_text(json.dumps({"producer": PRODUCER, "files": {"report.html": "hash"}}))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_folder_appears_whole(tmp_path):
    target = tmp_path / "deep" / "results"
    with replaced_folder(target) as fresh:
        (fresh / "a").write_text("new")
        assert not target.exists()
    assert (target / "a").read_text() == "new"
    assert names(tmp_path / "deep") == ["results"]


def test_an_earlier_run_is_replaced_and_nothing_of_it_stays(tmp_path):
    earlier_run(tmp_path / "results")
    with replaced_folder(tmp_path / "results") as fresh:
        (fresh / "a").write_text("new")
    assert names(tmp_path / "results") == ["a"]
    assert names(tmp_path) == ["results"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_failed_run_leaves_the_old_results(tmp_path, error):
    earlier_run(tmp_path / "results")

    def run():
        with replaced_folder(tmp_path / "results") as fresh:
            (fresh / "half").write_text("x")
            raise error

    with pytest.raises(error):
        run()
    assert (tmp_path / "results" / "report.html").read_text() == "old"
    assert names(tmp_path) == ["results"]


def test_a_swap_that_fails_puts_the_old_folder_back(tmp_path, monkeypatch):
    earlier_run(tmp_path / "results")
    rename = Path.rename

    def refuse(self, target):
        if self.name.endswith(".new"):
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(FileError, match="cannot be replaced"), replaced_folder(tmp_path / "results") as fresh:
        (fresh / "a").write_text("new")
    assert (tmp_path / "results" / "report.html").read_text() == "old"
    assert names(tmp_path) == ["results"]


def test_an_empty_folder_is_fine_also_with_system_files(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / ".DS_Store").write_text("x")
    with replaced_folder(tmp_path / "results") as fresh:
        (fresh / "a").write_text("new")
    assert names(tmp_path / "results") == ["a"]


@pytest.mark.parametrize("manifest", [None, "{}", "not json", '{"producer": "someone"}', "[1]"])
def test_a_folder_that_is_not_ours_stays(tmp_path, manifest):
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "thesis.docx").write_text("years of work")
    if manifest is not None:
        (folder / MANIFEST).write_text(manifest)
    with pytest.raises(FileError, match="so it is not replaced"), replaced_folder(folder):
        pass
    assert (folder / "thesis.docx").read_text() == "years of work"


def test_files_put_beside_the_results_are_not_deleted(tmp_path):
    earlier_run(tmp_path / "results")
    (tmp_path / "results" / "notes.md").write_text("mine")
    with (
        pytest.raises(FileError, match=re.escape("1 file that the earlier run did not write ('notes.md')")),
        replaced_folder(tmp_path / "results"),
    ):
        pass
    assert (tmp_path / "results" / "notes.md").exists()


def test_a_file_is_not_a_folder(tmp_path):
    (tmp_path / "results").write_text("x")
    with pytest.raises(FileError, match="is a file"), replaced_folder(tmp_path / "results"):
        pass


def test_a_place_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileError, match="cannot be made"), replaced_folder(tmp_path / "file" / "results"):
        pass


def test_the_folder_is_as_readable_as_any_other(tmp_path):
    (tmp_path / "other").mkdir()
    with replaced_folder(tmp_path / "results"):
        pass
    assert (tmp_path / "results").stat().st_mode == (tmp_path / "other").stat().st_mode
