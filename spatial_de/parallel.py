"""Many small tasks over the cores of a machine or the workers of a Dask cluster, in chunks of about a second.

A task knows nothing of its chunk or worker, so that results are the same for any number of workers.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from spatial_de.errors import OptionError
from spatial_de.wording import check_whole

Function = Callable[[Any, Any], Any]
_TRIAL = 0.3  # seconds of work after which it pays to start workers
_CHUNK = 1.0  # seconds of work sent out together
_SHARES = 4  # chunks for each worker at least, so that none waits for the last
_SILENT = 2.0  # seconds before a line of progress appears
# warnings are collected process-wide: tasks in threads would mix theirs; a task may run tasks of its own
_one_at_a_time = threading.RLock()


def run_tasks(
    function: Function,
    tasks: Iterable[Any],
    *,
    shared: Any = None,
    n_jobs: int = 1,
    client: Any = None,
    progress: bool | None = None,
    what: str = "tasks",
) -> list[Any]:
    """``function(shared, task)`` for every task, in the order of the tasks.

    Parameters
    ----------
    function
        Defined at the top of a module. Every worker runs it with one thread of linear algebra.
    tasks
        Small objects.
    shared
        What all tasks need; sent to every worker once.
    n_jobs
        Processes on this machine (joblib's loky); 1 for none, -1 for all cores.
    client
        A `dask.distributed.Client`, used instead of processes.
    progress
        A line of progress on stderr; by default where that is a terminal and the work is long.
    what
        What the tasks are, for that line.

    Raises
    ------
    OptionError
        `n_jobs` or `client` are not what they should be.
    """
    _check(n_jobs, client)
    waiting = list(tasks)
    done: list[Any] = []
    with _progress(len(waiting), what, wanted=progress) as advance:
        alone = n_jobs == 1 and client is None
        seconds = _run_here(function, shared, waiting, done=done, limit=None if alone else _TRIAL, advance=advance)
        rest = waiting[len(done) :]
        if rest:
            spread = partial(_on_processes, n_jobs=n_jobs) if client is None else partial(_on_cluster, client=client)
            workers = _count(n_jobs, client)
            for part in spread(function, shared, _chunks(rest, seconds, workers)):
                done += part
                advance(len(part))
    return done


def _check(n_jobs: int, client: Any) -> None:
    if n_jobs != -1:
        check_whole(n_jobs, "n_jobs", least=1)
    if client is not None and not all(hasattr(client, name) for name in ("scatter", "map", "gather")):
        raise OptionError(f"client= must be a dask.distributed.Client, not {type(client).__name__}.")
    if client is not None and n_jobs != 1:
        raise OptionError("n_jobs= counts processes on this machine and client= is a cluster: give one of them.")


def _run_here(
    function: Function,
    shared: Any,
    tasks: Sequence[Any],
    *,
    done: list[Any],
    limit: float | None,
    advance: Callable[[int], None],
) -> float:
    """Run tasks until a time is up; the seconds one takes, without the first, which prepares what all share."""
    start = last = first = time.perf_counter()
    with _single_threaded():
        for i, task in enumerate(tasks):
            if limit is not None and i > 1 and last - start > limit:
                break
            done.append(function(shared, task))
            advance(1)
            last = time.perf_counter()
            first = first if i else last
    return (last - first) / (len(done) - 1) if len(done) > 1 else 0.0


def run_chunk(tasks: Sequence[Any], *, function: Function, shared: Any) -> list[Any]:
    """Results of some tasks."""
    with _single_threaded():
        return [function(shared, task) for task in tasks]


@contextmanager
def _single_threaded() -> Iterator[None]:
    from threadpoolctl import threadpool_limits

    with _one_at_a_time, threadpool_limits(limits=1):
        yield


def _chunks(tasks: Sequence[Any], seconds: float, workers: int) -> list[Sequence[Any]]:
    size = min(_CHUNK / max(seconds, 1e-6), len(tasks) / (_SHARES * workers))
    step = max(1, round(size))
    return [tasks[i : i + step] for i in range(0, len(tasks), step)]


def _count(n_jobs: int, client: Any) -> int:
    if client is not None:
        threads: dict[str, int] = client.nthreads()
        return max(1, sum(threads.values()))
    from joblib import effective_n_jobs

    found: int = effective_n_jobs(n_jobs)
    return found


def _on_processes(function: Function, shared: Any, chunks: list[Sequence[Any]], *, n_jobs: int) -> Iterator[list[Any]]:
    """Through joblib; what is shared lies in a file that every process reads once."""
    import joblib

    with TemporaryDirectory(prefix="spatial-de-") as folder:
        path = Path(folder) / "shared.pickle"
        joblib.dump(shared, path)
        parallel = joblib.Parallel(
            n_jobs=n_jobs, backend="loky", return_as="generator", pre_dispatch="all", batch_size=1
        )
        yield from parallel(
            joblib.delayed(_run_from_file)(chunk, function=function, path=str(path)) for chunk in chunks
        )


def _run_from_file(tasks: Sequence[Any], *, function: Function, path: str) -> list[Any]:
    return run_chunk(tasks, function=function, shared=_read(path))


@lru_cache(maxsize=1)
def _read(path: str) -> Any:
    import joblib

    return joblib.load(path)


def _on_cluster(function: Function, shared: Any, chunks: list[Sequence[Any]], *, client: Any) -> Iterator[list[Any]]:
    """Through Dask; what is shared is sent to every worker once."""
    everywhere = client.scatter(shared, broadcast=True, hash=False)
    futures = client.map(run_chunk, chunks, function=function, shared=everywhere, pure=False)
    try:
        for future in futures:
            yield future.result()
    finally:
        client.cancel(futures)


@contextmanager
def _progress(total: int, what: str, *, wanted: bool | None) -> Iterator[Callable[[int], None]]:
    """A function that is told how many tasks are done more, behind it a line on stderr where one is wanted."""
    if wanted is False or (wanted is None and not sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    line = Progress(*columns, console=Console(stderr=True), transient=wanted is None)
    number = line.add_task(what, total=total)
    start = time.perf_counter()

    def advance(count: int) -> None:
        line.advance(number, count)
        if not line.live.is_started and (wanted or time.perf_counter() - start > _SILENT):
            line.start()

    try:
        yield advance
    finally:
        line.stop()
