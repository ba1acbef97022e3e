"""report.html: one file, without network, on any screen."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatial_de import __version__, maps
from spatial_de.study.section import Bullets, Drawing, Section, Step, Table, Text
from spatial_de.tables import render as render_table
from spatial_de.tables import write as write_table

if TYPE_CHECKING:
    from jinja2 import Environment

    from spatial_de.study.job import Job

TABLES, FIGURES = "tables", "figures"
_TYPES = {"png": "image/png", "svg": "image/svg+xml"}
_LARGE_SVG = 250_000  # bytes; beyond, a png is lighter


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a chapter as the template needs it.

    Attributes
    ----------
    kind
        "text", "strong", "bullets", "table", "figure".
    content
        Text, list of texts, html of a table, or address of an image.
    title
        Caption.
    files
        Files to download: name of the format and path.
    wide
        Whether it scrolls sideways on a small screen.
    folded
        Whether it is shown on request only.
    """

    kind: str
    content: Any
    title: str = ""
    files: tuple[tuple[str, str], ...] = ()
    wide: bool = False
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Chapter:
    """A step's section, its files written, ready for the template."""

    name: str
    title: str
    blocks: tuple[Block, ...]


def chapter(step: Step, job: Job, folder: Path) -> Chapter:
    """Run a step and write its tables and figures."""
    section: Section = step.run(job)
    return Chapter(step.name, step.title, tuple(_block(item, job, folder) for item in section.items))


def write_report(path: Path, job: Job, *, chapters: list[Chapter], warnings: list[str]) -> None:
    """Write the report.

    Parameters
    ----------
    path
        report.html.
    job
        The study.
    chapters
        In the order of the steps; the answer is put first.
    warnings
        What the library warned of on the way.
    """
    from spatial_de.study.steps import FIRST

    ordered = sorted(chapters, key=lambda item: item.name != FIRST)
    text = (
        _environment()
        .get_template("report.html.j2")
        .render(
            title=job.config.title,
            chapters=ordered,
            times=f"{job.panel.times[0]}-{job.panel.times[-1]}",
            units=f"{job.panel.n_units} {job.subject.units}",
            warnings=warnings,
            version=__version__,
            css=resources.files("spatial_de.study").joinpath("templates/report.css").read_text(encoding="utf-8"),
        )
    )
    path.write_text(text, encoding="utf-8")


def _block(item: Any, job: Job, folder: Path) -> Block:
    if isinstance(item, Text):
        return Block("strong" if item.strong else "text", item.text)
    if isinstance(item, Bullets):
        return Block("bullets", item.items)
    return _table(item, folder) if isinstance(item, Table) else _figure(item, job, folder)


def _table(item: Table, folder: Path) -> Block:
    from markupsafe import Markup

    (folder / TABLES).mkdir(exist_ok=True)
    options: dict[str, Any] = {"note": item.note or None, "labels": item.labels}
    paths = write_table(item.content, folder / TABLES / item.name, title=item.title, **options)
    html = render_table(item.content, "html", title="", **options)
    return Block("table", Markup(html), item.title, _files(paths, folder), folded=item.folded)  # noqa: S704  escaped by the writer


def _figure(item: Drawing, job: Job, folder: Path) -> Block:
    (folder / FIGURES).mkdir(exist_ok=True)
    figure = item.draw()
    paths = [maps.save(figure, folder / FIGURES / f"{item.name}.{kind}") for kind in job.config.figures.formats]
    light = [path for path in paths if path.suffix == ".png" or path.stat().st_size <= _LARGE_SVG]
    shown = next((path for kind in (".svg", ".png") for path in light if path.suffix == kind), None)
    if shown is not None:
        return Block("figure", _address(shown), item.title, _files(paths, folder), wide=item.wide)
    spare = maps.save(figure, folder / f"{item.name}.png")
    address = _address(spare)
    spare.unlink()
    return Block("figure", address, item.title, _files(paths, folder), wide=item.wide)


def _address(path: Path) -> str:
    """An image as an address that holds it."""
    return f"data:{_TYPES[path.suffix[1:]]};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _files(paths: Any, folder: Path) -> tuple[tuple[str, str], ...]:
    return tuple((path.suffix[1:], path.relative_to(folder).as_posix()) for path in paths)


def typeset(text: str) -> str:
    """Real minus signs, and no line break between a number and its sign or unit.

    Examples
    --------
    >>> typeset("by -3.5 % (p < 0.001)").replace(chr(160), "~")
    'by −3.5~% (p~<~0.001)'
    """
    text = re.sub(r"(?<![\w)\-])-(?=[\d.])", "−", text)
    return re.sub(r"(?<=\d) (?=%)|(?<=\bp) (?=[<=])|(?<=\bp.[<=]) (?=\d)", "\N{NO-BREAK SPACE}", text)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("spatial_de.study"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["typeset"] = typeset
    return environment
