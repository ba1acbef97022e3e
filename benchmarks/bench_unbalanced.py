"""Unbalanced panels: a two-way spatial Durbin model with 15 % of the rows deleted.

    python benchmarks/bench_unbalanced.py                     # a minute
    python benchmarks/bench_unbalanced.py --sizes 31x12       # units x times, one or several

From a `Panel` to estimates, standard errors and average effects with theirs (delta method). Default: scores adjusted
for the effects; "direct": the plain likelihood. No other program has exact likelihoods of unbalanced spatial panels, so
each is compared with the balanced panel that the rows were deleted from. Medians of five runs after one that does not
count; "cold" forgets every log-determinant before each run. Elapsed and processor seconds.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parent))

from bench_panel import Case

import spatial_de as sde
from spatial_de.logdet import log_determinant

REPEATS = 5
SIZES = ("31x12", "300x10", "2800x20")
GOAL = {"2800x20": 5.0}
DELETED = 0.15


def deleted(panel: sde.Panel) -> sde.Panel:
    """The panel without 15 % of its rows."""
    frame = panel.to_frame()
    kept = np.random.default_rng(2).random(len(frame)) >= DELETED
    return sde.Panel(frame[kept], "unit", "time", unbalanced=True)


def once(call: Callable[[], object]) -> tuple[float, float]:
    """Elapsed and processor seconds."""
    elapsed, processor = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - elapsed, time.process_time() - processor


def median(call: Callable[[], object], *, cold: bool) -> tuple[float, float]:
    """Medians of runs after one that does not count."""
    runs = []
    for _ in range(REPEATS + 1):
        if cold:
            log_determinant.cache_clear()
        runs.append(once(call))
    return tuple(statistics.median(column) for column in zip(*runs[1:], strict=True))


def report(what: str, found: tuple[float, float], goal: float | None = None) -> None:
    print(f"{what:<52}{found[0]:>10.3f} {found[1]:>10.3f} s{'' if goal is None else f'   goal {goal:g}'}", flush=True)


def measure(size: str) -> None:
    case = Case(*(int(part) for part in size.split("x")))
    panel = case.panel()
    gaps = deleted(panel)

    def call(data: sde.Panel, bias: str) -> Callable[[], object]:
        return lambda: sde.fit("y ~ x", data, case.w, bias=bias).effects("delta")

    report(f"{size}, unbalanced, default, cold", median(call(gaps, "lee-yu"), cold=True), GOAL.get(size))
    report(f"{size}, unbalanced, default", median(call(gaps, "lee-yu"), cold=False), GOAL.get(size))
    report(f"{size}, unbalanced, direct", median(call(gaps, "none"), cold=False))
    report(f"{size}, balanced, default", median(call(panel, "lee-yu"), cold=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="units x times, e.g. 31x12")
    options = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, one thread; Python {platform.python_version()}, "
        f"numpy {np.__version__}; medians of {REPEATS}; load {os.getloadavg()[0]:.1f}\n"
        f"{'':<52}{'elapsed':>10} {'processor':>10}"
    )
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for size in options.sizes:
            measure(size)


if __name__ == "__main__":
    main()
