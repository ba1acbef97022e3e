"""The command line: parses, calls, and says what went wrong; it holds no logic of its own.

Nothing heavy is imported before a command runs, so that ``spatial-de --help`` answers at once.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import Any

import click

from spatial_de import __version__
from spatial_de.cli.analysis import draw_map, moran, weights
from spatial_de.cli.data import data
from spatial_de.cli.doctor import doctor
from spatial_de.cli.fit import fit
from spatial_de.cli.study import study
from spatial_de.errors import SpatialDEError, SpatialDEWarning

EXIT_UNEXPECTED = 1
EXIT_REFUSED = 2
EXIT_INTERRUPTED = 130

_EPILOG = """\b
Examples:
  spatial-de study                     the bundled China study, into results/
  spatial-de study -o results/china    somewhere else
  spatial-de study --print-config      its options, to change and to run again
  spatial-de moran urban_rural_ratio   Moran's I by year
  spatial-de map urban_rural_ratio     a map of the last year
  spatial-de doctor                    what is installed, and what is missing

'spatial-de COMMAND --help' explains a command.
"""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_EPILOG,
    no_args_is_help=True,
)
@click.version_option(__version__, "-V", "--version", prog_name="spatial-de", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def app(*, debug: bool) -> None:
    """Spatial econometrics, from boundaries to the spillover table.

    Does the digital economy narrow or widen regional income gaps, at home and next door? Weights from boundaries,
    Moran's I, spatial Durbin models, direct and spillover effects, maps, tables and a report.
    """


for _command in (study, fit, moran, draw_map, weights, data, doctor):
    app.add_command(_command)


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run a command line and give its exit code.

    Parameters
    ----------
    arguments
        Without the name of the program.

    Returns
    -------
    int
        0 done; 1 an error nobody expected; 2 the input or the command line was refused; 130 interrupted.
    """
    debug = "--debug" in arguments
    _treat_termination_as_interrupt()
    color = False if os.environ.get("NO_COLOR") else None
    try:
        with warnings.catch_warnings():
            _show_our_warnings_plainly(color)
            result = app.main(args=arguments, prog_name="spatial-de", standalone_mode=False, color=color)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.secho("Interrupted: nothing was changed.", fg="yellow", err=True, color=color)
        return EXIT_INTERRUPTED
    except SpatialDEError as error:
        if debug:
            raise
        click.secho(f"{_kind(error)}: {error}", fg="red", err=True, color=color)
        return EXIT_REFUSED
    except Exception as error:  # the last door: anything else is a fault of ours
        if debug:
            raise
        text = f"Unexpected {type(error).__name__}: {error}"
        click.secho(text, fg="red", err=True, color=color)
        click.echo("This is a fault of the program. 'spatial-de --debug ...' shows where it happened.", err=True)
        return EXIT_UNEXPECTED
    return result if isinstance(result, int) else 0


def _kind(error: SpatialDEError) -> str:
    """The class of an error in words: "Data error"."""
    name = type(error).__name__.removesuffix("Error")
    return f"{name} error" if name != "SpatialDE" else "Error"


def _show_our_warnings_plainly(color: bool | None) -> None:
    shown = warnings.showwarning

    def show(message: Any, category: type[Warning], *rest: Any) -> None:
        if issubclass(category, SpatialDEWarning):
            click.secho(f"Warning: {message}", fg="yellow", err=True, color=color)
        else:
            shown(message, category, *rest)

    warnings.simplefilter("default", SpatialDEWarning)
    warnings.showwarning = show  # type: ignore[assignment]


def _treat_termination_as_interrupt() -> None:
    """A polite kill cleans up as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
