"""The door: help, version, start-up, exit codes, errors."""

import re
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

import spatial_de
from spatial_de.cli import app
from spatial_de.errors import DataError

COMMANDS = ["data", "doctor", "fit", "map", "moran", "study", "weights"]
HEAVY = [
    "geopandas",
    "matplotlib",
    "scipy",
    "libpysal",
    "esda",
    "spreg",
    "pandas",
    "numpy",
    "pydantic",
    "jinja2",
    "rich",
]


def test_help_imports_nothing_heavy():
    code = "from spatial_de.cli import run; run(['--help'])"
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "click" in loaded
    assert not loaded & set(HEAVY)


def test_help_answers_at_once():
    script = Path(sys.executable).parent / "spatial-de"
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([script, "--help"], capture_output=True, check=True)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.5


def test_help_names_every_command_and_teaches(cli):
    code, out, _ = cli("--help")
    assert code == 0
    assert sorted(app.commands) == COMMANDS
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\S.*[.]$", out, flags=re.MULTILINE)
    assert "Examples:" in out
    assert "spatial-de study -o results/china" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(cli, command):
    code, out, _ = cli(command, "--help")
    assert code == 0
    assert f"  spatial-de {command}" in out
    assert max(map(len, out.splitlines())) <= 80


def test_no_arguments_show_the_help(cli):
    code, out, err = cli()
    assert code == 2
    assert "Commands:" in out + err


def test_version(cli):
    assert cli("--version") == (0, f"spatial-de {spatial_de.__version__}\n", "")


@pytest.mark.parametrize("arguments", [("nothing",), ("study", "--nope"), ("fit",), ("moran", "x", "--k", "two")])
def test_a_wrong_command_line_is_refused(cli, arguments):
    code, _, err = cli(*arguments)
    assert code == 2
    assert "Error: " in err
    assert "Traceback" not in err


@pytest.fixture
def failing(monkeypatch):
    """Makes a command that raises."""

    def make(error):
        def callback():
            raise error

        monkeypatch.setitem(app.commands, "fail", click.Command("fail", callback=callback))

    return make


def test_our_errors_are_one_message_without_traceback(cli, failing):
    failing(DataError("Variable 'x' is missing at ('BJ', 2013): fill it."))
    assert cli("fail") == (2, "", "Data error: Variable 'x' is missing at ('BJ', 2013): fill it.\n")


def test_unexpected_errors_say_so(cli, failing):
    failing(ZeroDivisionError("division by zero"))
    code, out, err = cli("fail")
    assert (code, out) == (1, "")
    assert err.startswith("Unexpected ZeroDivisionError: division by zero\n")
    assert "--debug" in err


@pytest.mark.parametrize("error", [DataError("x"), ZeroDivisionError("x")])
def test_debug_shows_the_traceback(cli, failing, error):
    failing(error)
    with pytest.raises(type(error)):
        cli("--debug", "fail")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_is_not_an_error(cli, failing, error):
    failing(error)
    code, out, err = cli("fail")
    assert (code, out, err.strip()) == (130, "", "Interrupted: nothing was changed.")


def test_errors_are_red_on_a_terminal_unless_colours_are_off(failing, monkeypatch):
    failing(DataError("no"))
    seen = []
    monkeypatch.setattr("click.secho", lambda text, **how: seen.append((text, how["fg"], how["color"])))
    from spatial_de.cli import run

    monkeypatch.delenv("NO_COLOR", raising=False)
    run(["fail"])
    monkeypatch.setenv("NO_COLOR", "1")
    run(["fail"])
    assert seen == [("Data error: no", "red", None), ("Data error: no", "red", False)]


def test_our_warnings_are_plain_lines(cli):
    code, _, err = cli("fit", "ln_gap ~ ln_gdp_pc", "--bias", "none", "--last", "2016")
    assert code == 0
    assert err.startswith("Warning: bias='none' with two-way effects")
    assert ".py" not in err


def test_a_reader_that_leaves_is_no_error():
    code = "from spatial_de.cli import run; raise SystemExit(run(['data']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        err = process.stderr.read().decode()
        assert process.wait(60) == 1
    assert not err
