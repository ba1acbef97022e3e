"""`run`: the steps of a study, one after the other, into a folder that appears whole."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spatial_de.errors import SpatialDEError, SpatialDEWarning, StudyError
from spatial_de.study.checks import check
from spatial_de.study.config import StudyConfig
from spatial_de.study.folder import replaced_folder
from spatial_de.study.job import Job
from spatial_de.study.manifest import write_manifest
from spatial_de.study.report import Chapter, chapter, write_report
from spatial_de.study.steps import STEPS
from spatial_de.study.steps.answer import verdicts
from spatial_de.study.verdict import headline

REPORT = "report.html"
CHECKING = "Checks"
REPORTING = "Report"


@dataclass(frozen=True, slots=True)
class Progress:
    """What a progress display is told.

    Attributes
    ----------
    number, total
        Which step of how many.
    title
        Its name.
    state
        "started" or "done".
    seconds
        How long it took, once done.
    """

    number: int
    total: int
    title: str
    state: Literal["started", "done"]
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run left.

    Attributes
    ----------
    folder, report
        Where the results are.
    answers
        One line for the total, the direct and the indirect effect.
    seconds
        Time per step.
    warnings
        What the library warned of on the way.
    """

    folder: Path
    report: Path
    answers: tuple[str, ...]
    seconds: dict[str, float]
    warnings: tuple[str, ...]


def run(config: StudyConfig, folder: str | Path, *, on_step: Callable[[Progress], None] | None = None) -> Outcome:
    """Run a study.

    Everything is made in a new folder beside the target and swapped in at the end: a run that fails or is interrupted
    leaves earlier results as they were.

    Parameters
    ----------
    config
        The options, from `load_config`.
    folder
        Where the results go; an earlier run there is replaced.
    on_step
        Called when a step starts and when it is done.

    Raises
    ------
    StudyError
        A step failed; it is named, with the reason.
    FileError
        The folder cannot be made, or holds what no earlier run made.
    """
    target = Path(folder)
    job, clock = Job(config), _Clock(on_step or (lambda _: None), total=len(STEPS) + 2)
    with replaced_folder(target) as fresh, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SpatialDEWarning)
        with clock.step(CHECKING):
            check(job)
        chapters: list[Chapter] = []
        for step in STEPS:
            with clock.step(step.title):
                chapters.append(chapter(step, job, fresh))
        said = list(dict.fromkeys(str(item.message) for item in caught if issubclass(item.category, SpatialDEWarning)))
        with clock.step(REPORTING):
            write_report(fresh / REPORT, job, chapters=chapters, warnings=said)
        write_manifest(fresh, job, seconds=clock.seconds, warnings=said)
    answers = tuple(headline(found, kind, subject=job.subject) for kind, found in verdicts(job).items())
    return Outcome(target, target / REPORT, answers, clock.seconds, tuple(said))


class _Clock:
    """Tells the display what is going on, and keeps the time of each step."""

    def __init__(self, tell: Callable[[Progress], None], *, total: int) -> None:
        self._tell = tell
        self._total = total
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Time one step, and name it when it fails."""
        number = len(self.seconds) + 1
        self._tell(Progress(number, self._total, title, "started"))
        start = time.perf_counter()
        try:
            yield
        except SpatialDEError as error:
            raise StudyError(f"Step {number} of {self._total}, {title!r}: {error}") from error
        self.seconds[title] = time.perf_counter() - start
        self._tell(Progress(number, self._total, title, "done", self.seconds[title]))
