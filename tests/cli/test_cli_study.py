"""``spatial-de study``: what is shown, and what an interruption leaves."""

import json
import signal
import subprocess
import sys

import pytest

from spatial_de.study import bundled_text
from spatial_de.study.folder import MANIFEST, PRODUCER

# a parent that runs in the background hands down that interrupts are ignored
CODE = """import signal, sys
from spatial_de.cli import run

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(run(sys.argv[1:]))
"""


def test_print_config_is_the_bundled_file(cli):
    assert cli("study", "--print-config") == (0, bundled_text(), "")


def test_a_run_names_its_steps_and_the_answer(cli, tmp_path, monkeypatch):
    from spatial_de.study import Outcome, Progress

    def run(config, folder, *, on_step):
        on_step(Progress(1, 2, "Maps", "started"))
        on_step(Progress(1, 2, "Maps", "done", 1.25))
        return Outcome(tmp_path, tmp_path / "report.html", ("The answer.",), {"Maps": 1.25}, ())

    monkeypatch.setattr("spatial_de.study.run", run)
    code, out, err = cli("study", "-o", tmp_path)
    assert code == 0
    assert err == "[ 1/2] Maps (1.2 s)\n"
    assert out == f"\nThe answer.\n\n{tmp_path / 'report.html'} (1.2 s)\n"


def test_a_folder_that_is_not_ours_is_refused_before_anything_is_computed(cli, tmp_path):
    (tmp_path / "thesis.docx").write_text("x")
    code, _, err = cli("study", "-o", tmp_path)
    assert code == 2
    assert "so it is not replaced" in err
    assert "[ 1/" not in err


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_the_old_results_and_nothing_else(tmp_path, sign):
    old = tmp_path / "results"
    old.mkdir()
    (old / "report.html").write_text("old")
    (old / MANIFEST).write_text(json.dumps({"producer": PRODUCER, "files": {"report.html": ""}}))
    arguments = [sys.executable, "-c", CODE, "study", "-o", str(old)]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert "[ 1/13]" in process.stderr.readline()
        process.send_signal(sign)
        rest = process.stderr.read()
        code = process.wait(60)
    assert code == 130
    assert rest.endswith("Interrupted: nothing was changed.\n")
    assert "Traceback" not in rest
    assert (old / "report.html").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["results"]
