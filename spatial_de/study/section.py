"""What a step of a study hands over: words, tables and figures, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spatial_de.study.job import Job


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; `strong` for the sentence that carries the answer."""

    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table, written as csv, md and tex under `name`.

    Attributes
    ----------
    name
        Name of the files.
    title, note
        Text above and below.
    content
        What `tables.write` takes.
    labels
        Names for people.
    folded
        Whether the report shows it only on request.
    """

    name: str
    title: str
    content: Any
    note: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure, written under `name`.

    Attributes
    ----------
    name
        Name of the files.
    title
        What is to be seen, also for those who cannot see it.
    draw
        Makes the figure.
    wide
        Whether it needs room: scrolled sideways on a phone instead of being shrunk.
    """

    name: str
    title: str
    draw: Callable[[], Figure]
    wide: bool = False


Item = Text | Bullets | Table | Drawing


@dataclass(frozen=True, slots=True)
class Section:
    """A chapter of the report."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a study.

    Attributes
    ----------
    name
        Short name, the anchor in the report.
    title
        What the progress display and the report call it.
    run
        From the job to a section.
    """

    name: str
    title: str
    run: Callable[[Job], Section]
