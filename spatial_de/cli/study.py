"""``spatial-de study``: the whole job, with a display that names the step."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from spatial_de.study import Outcome, Progress

_EPILOG = """\b
Examples:
  spatial-de study                                  the bundled China study
  spatial-de study --print-config > mine.toml       its options, commented
  spatial-de study mine.toml -o results/mine        with your changes

A study file needs only what it changes, for instance:

\b
  [model]
  cov = "cluster"
"""


@click.command(short_help="Run a whole study into a folder with a report.", epilog=_EPILOG)
@click.argument("config", required=False, type=click.Path(dir_okay=False), metavar="[STUDY.TOML]")
@click.option("-o", "--output", default="results", show_default=True, type=click.Path(), help="Folder for the results.")
@click.option("--print-config", is_flag=True, help="Print the options of the bundled study and stop.")
def study(config: str | None, output: str, *, print_config: bool) -> None:
    """Run a study: index, maps, spatial dependence, models, effects, robustness, report.

    Without a file: does the digital economy narrow the urban-rural income gap of China's provinces, at home and next
    door? The report is OUTPUT/report.html; tables are written as csv, md and tex. Results of an earlier run are
    replaced only when the new ones are complete.
    """
    from spatial_de.study import bundled_text, load_config, run

    if print_config:
        click.echo(bundled_text(), nl=False)
        return
    options = load_config(config)
    with _display() as on_step:
        outcome = run(options, output, on_step=on_step)
    _say(outcome)


def _say(outcome: Outcome) -> None:
    click.echo()
    for answer in outcome.answers:
        click.echo(answer)
    click.echo(f"\n{outcome.report} ({sum(outcome.seconds.values()):.1f} s)")


@contextmanager
def _display() -> Iterator[Callable[[Progress], None]]:
    """A bar that names the step on a terminal, one line per step elsewhere."""
    if not sys.stderr.isatty():
        yield _line
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns: tuple[Any, ...] = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("starting", total=None)

        def update(progress: Progress) -> None:
            done = progress.number - (progress.state == "started")
            bar.update(task, description=progress.title, completed=done, total=progress.total)

        yield update


def _line(progress: Progress) -> None:
    if progress.state == "done":
        text = f"[{progress.number:2d}/{progress.total}] {progress.title} ({progress.seconds:.1f} s)"
        click.echo(text, err=True)
