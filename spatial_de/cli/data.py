"""``spatial-de data``: the codebook of the bundled panel."""

from __future__ import annotations

import click


@click.command(
    short_help="Show the codebook of the bundled data.",
    epilog="\b\nExamples:\n  spatial-de data\n  spatial-de data gdp_per_head",
)
@click.argument("variable", required=False)
def data(variable: str | None) -> None:
    """List the variables of the bundled China panel, or show one: definition, unit, publisher, what to beware of."""
    from spatial_de.datasets import codebook

    if variable is not None:
        click.echo(repr(codebook(variable)))
        return
    table = codebook().table
    width = max(len(name) for name in table.index)
    for name, entry in table.iterrows():
        text = f"{name!s:<{width}}  {entry['definition']} [{entry['unit']}]"
        click.echo(_wrapped(text, indent=width + 2))


def _wrapped(text: str, indent: int) -> str:
    import shutil
    import textwrap

    columns = min(shutil.get_terminal_size().columns, 100)
    return textwrap.fill(text, columns, subsequent_indent=" " * indent)
