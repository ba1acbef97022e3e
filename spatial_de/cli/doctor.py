"""``spatial-de doctor``: what is installed, what it can do, and what is missing."""

from __future__ import annotations

import click

_MARKS = {"ok": ("ok", "green"), "note": ("--", "yellow"), "problem": ("!!", "red")}


@click.command(short_help="Check this installation.", epilog="\b\nExample:\n  spatial-de doctor")
def doctor() -> int:
    """Check this installation: versions, BLAS and threads, fonts, memory, and what to install.

    Ends with exit code 2 where something has to be mended.
    """
    from spatial_de.cli.checks import CHECKS

    bad = 0
    for title, check in CHECKS.items():
        for i, finding in enumerate(check()):
            mark, colour = _MARKS[finding.state]
            click.echo(f"{title if i == 0 else '':<14}", nl=False)
            click.secho(f"{mark}  ", fg=colour, nl=False)
            click.echo(finding.text)
            bad += finding.state == "problem"
            if finding.remedy:
                click.echo(f"{'':<18}{finding.remedy}")
    if bad:
        click.secho(f"\n{bad} to be mended: see the lines marked !!.", fg="red")
        return 2
    click.secho("\nEverything that is needed is here.", fg="green")
    return 0
