"""Commands on the bundled data or on own files: weights, moran, map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from spatial_de.cli.groups import command
from spatial_de.cli.inputs import Inputs, check_stem, make_weights, options, say


@command(
    short_help="Make spatial weights from boundaries.",
    epilog="\b\nExamples:\n"
    "  spatial-de weights\n"
    "  spatial-de weights --boundaries cities.gpkg --id city --weights knn \\\n"
    "      --k 6 -o w.csv",
)
@options(data=False)
@click.option(
    "-o", "--output", metavar="FILE", help="Write the weights: csv, xlsx, dta, parquet, gal, gwt, npz, txt, mtx."
)
def weights(output: str | None, **given: Any) -> None:
    """Make spatial weights from boundaries, describe them, and write them to a file."""
    from spatial_de.weights import write

    inputs = Inputs(**given)
    regions = inputs.regions
    if inputs.boundaries is None:
        regions = regions[regions["region"] != "none"]
    w = make_weights(inputs, regions)
    click.echo(repr(w))
    if output is not None:
        click.echo(f"\n{write(w, output)}")


@command(
    short_help="Moran's I of a variable, by time.",
    epilog="\b\nExamples:\n"
    "  spatial-de moran urban_rural_ratio\n"
    "  spatial-de moran digital --index china-digital-7 --last 2022\n"
    "  spatial-de moran gap --data mine.xlsx --unit city --time year \\\n"
    "      --boundaries cities.gpkg --id city",
)
@click.argument("variable")
@options()
@click.option("--permutations", default=999, show_default=True, help="Arrangements of the values.")
@click.option("--seed", default=0, show_default=True)
@click.option("-o", "--output", metavar="STEM", callback=check_stem, help="Write STEM.csv, STEM.md, STEM.tex.")
def moran(variable: str, permutations: int, seed: int, *, output: str | None, **given: Any) -> None:
    """Moran's I of a variable, by time for a panel."""
    from spatial_de.autocorrelation import moran as compute
    from spatial_de.tables import render, write

    inputs = Inputs(**given)
    w = inputs.build_weights()
    found = compute(inputs.values(variable), w, permutations=permutations, seed=seed)
    title = f"Moran's I of {variable} ({w.provenance.rule}; {permutations:,} permutations, seed {seed})"
    click.echo(render(found, "txt", title=title), nl=False)
    if output is not None:
        say(write(found, output, title=title))


@command(
    name="map",
    short_help="Draw a choropleth map.",
    epilog="\b\nExamples:\n"
    "  spatial-de map urban_rural_ratio --at 2013 --at 2022 -o gap.png\n"
    "  spatial-de map gap --data mine.csv --unit city \\\n"
    "      --boundaries cities.gpkg --id city -o gap.pdf",
)
@click.argument("variable")
@options(weights=False)
@click.option("--at", "times", multiple=True, type=int, help="Times to draw; default: the last one.")
@click.option("--scheme", default="quantiles", show_default=True, help="Classification, as in mapclassify.")
@click.option("--classes", default=5, show_default=True)
@click.option("--language", type=click.Choice(["en", "zh"]), default="en", show_default=True)
@click.option("--names", help="Column of the boundaries with names to print, e.g. short_zh.")
@click.option("-o", "--output", default="map.png", show_default=True, help="png, svg or pdf.")
def draw_map(variable: str, output: str, **given: Any) -> None:
    """Choropleth map of a variable; several times share their classes."""
    from spatial_de.maps import choropleth, save

    own = {key: given.pop(key) for key in ("times", "scheme", "classes", "language", "names")}
    inputs = Inputs(**given)
    values = inputs.values(variable)
    times = None
    if values.index.nlevels == 2:
        times = list(own["times"]) or [values.index.unique(1).max()]
    figure = choropleth(
        inputs.regions,
        values,
        times=times,
        scheme=own["scheme"],
        k=own["classes"],
        language=own["language"],
        unit_labels=own["names"],
        legend_title=variable,
    )
    click.echo(save(figure, Path(output)))
