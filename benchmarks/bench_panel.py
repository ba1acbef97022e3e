"""Two-way spatial Durbin models for panels: one fit on prepared arrays, ten thousand in a batch, one of 2,800 units.

    python benchmarks/bench_panel.py                  # a minute
    python benchmarks/bench_panel.py --spreg-large    # spreg at 2,800 x 20 as well: minutes

"Prepared arrays": response and regressors as arrays, weights as an object whose log-determinant is known from an
earlier fit, unless said otherwise. Every fit includes standard errors; effects are direct, indirect and total with
theirs. spreg.Panel_FE_Lag has individual effects only, gets W X as further regressors, and has no inference for
effects. R's splm is not run: it is no part of a Python environment.

Two figures: elapsed time, and processor time of this process, which other programs on the machine hardly move.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from monte_carlo import Cell, delaunay_weights, draw, template

import spatial_de as sde
from spatial_de.effects.core import compute_effects
from spatial_de.effects.inference import Coefficients, Sampling
from spatial_de.effects.replications import effects_of_replications
from spatial_de.logdet import log_determinant
from spatial_de.models import MODELS, SpatialLinks, build_problem, estimate_ml
from spatial_de.models.replications import estimate_replications, lag_rows

REPEATS = 5
BATCH = 10_000
FEW = 20  # calls of a millisecond timed together


@dataclass(frozen=True)
class Timing:
    """Elapsed and processor seconds."""

    elapsed: float
    processor: float


def once(call: Callable[[], Any], *, calls: int = 1) -> Timing:
    """Seconds of one call, averaged over some."""
    elapsed, processor = time.perf_counter(), time.process_time()
    for _ in range(calls):
        call()
    return Timing((time.perf_counter() - elapsed) / calls, (time.process_time() - processor) / calls)


def median(call: Callable[[], Any], *, calls: int = 1) -> Timing:
    """Medians of five runs, after one that does not count."""
    once(call, calls=calls)
    runs = [once(call, calls=calls) for _ in range(REPEATS)]
    return Timing(statistics.median(r.elapsed for r in runs), statistics.median(r.processor for r in runs))


def report(what: str, found: Timing, *, goal: str = "") -> None:
    """Milliseconds."""
    figures = f"{1e3 * found.elapsed:>12,.2f} {1e3 * found.processor:>12,.2f} ms"
    print(f"{what:<64}{figures}{'   goal ' + goal if goal else ''}", flush=True)


def report_rate(what: str, found: Timing, *, goal: str = "") -> None:
    """Fits per second."""
    figures = f"{BATCH / found.elapsed:>12,.0f} {BATCH / found.processor:>12,.0f} fits/s"
    print(f"{what:<64}{figures}{'   goal ' + goal if goal else ''}", flush=True)


class Case:
    """A panel with its weights, as arrays."""

    def __init__(self, n: int, times: int) -> None:
        cell = Cell(n, times, 0.4)
        self.w, self.rng = delaunay_weights(n, seed=3), np.random.default_rng(1)
        self.cell, design = cell, template(cell, 1)
        self.design = replace(design, y=draw(cell, design, self.w, size=1, rng=self.rng)[0])

    def problem(self) -> Any:
        """Lagged, transformed and scaled data."""
        links = SpatialLinks.same(self.w)
        return build_problem(self.design, links, spec=MODELS["sdm"], effects="two-way", bias="lee-yu")

    def fit(self, how: Sampling) -> Any:
        """From arrays to estimates, standard errors and effects."""
        found = estimate_ml(self.problem())
        c = Coefficients(("x",), found.params[:1], found.params[1:2], found.rho, found.bread[:3, :3])
        return compute_effects(c, self.w, how=how, logdet=found.logdet)

    def panel(self) -> sde.Panel:
        """The same through the front door."""
        T, N = self.design.y.shape
        frame = {"unit": np.tile(np.arange(N), T), "time": np.repeat(np.arange(T), N)}
        frame |= {"y": self.design.y.ravel(), "x": self.design.X[:, :, 0].ravel()}
        import pandas as pd

        return sde.Panel(pd.DataFrame(frame), "unit", "time")

    def spreg(self) -> Callable[[], Any]:
        """A call of spreg on the same data."""
        from spreg import Panel_FE_Lag

        x = self.design.X[:, :, 0]
        y, X = self.design.y.reshape(-1, 1), np.column_stack([x.ravel(), lag_rows(self.w, x).ravel()])
        pysal = self.w.to_w()

        def call() -> None:
            with contextlib.redirect_stdout(io.StringIO()):
                Panel_FE_Lag(y, X, w=pysal)

        return call


def small() -> None:
    case = Case(31, 12)
    one = median(lambda: case.fit(Sampling("delta")), calls=FEW)
    report("31 x 12, fit + effects (delta method), prepared arrays", one, goal="1")
    report("31 x 12, fit + effects (1,000 draws), prepared arrays", median(lambda: case.fit(Sampling()), calls=FEW))
    panel = case.panel()
    through_fit = median(lambda: sde.fit("y ~ x", panel, case.w).effects("delta"), calls=FEW)
    report("31 x 12, sde.fit (formula, labels) + effects (delta method)", through_fit)
    theirs = median(case.spreg(), calls=FEW)
    report("31 x 12, spreg.Panel_FE_Lag, individual effects, no effects", theirs)
    print(f"   spreg / ours on prepared arrays: {theirs.processor / one.processor:.0f} times")


def batch() -> None:
    case = Case(31, 12)
    problem = case.problem()
    y = draw(case.cell, case.design, case.w, size=BATCH, rng=case.rng)
    X = case.design.X + case.rng.standard_normal((BATCH, 12, 31, 1))

    def call(own: Any) -> None:
        effects_of_replications(estimate_replications(problem, y, X=own))

    what = f"31 x 12, {BATCH:,} fits with errors and effects"
    report_rate(f"{what}, X shared", median(lambda: call(None)), goal="30,000")
    report_rate(f"{what}, X of their own", median(lambda: call(X)))


def large(*, spreg: bool) -> None:
    case = Case(2800, 20)
    report(
        "2,800 x 20, fit + effects (delta method), prepared arrays",
        median(lambda: case.fit(Sampling("delta"))),
        goal="50",
    )

    def first() -> None:
        log_determinant.cache_clear()
        case.fit(Sampling("delta"))

    report("2,800 x 20, the same with weights never seen before", median(first))
    if spreg:
        report("2,800 x 20, spreg.Panel_FE_Lag, one run", once(case.spreg()))


def main() -> None:
    import spreg

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spreg-large", action="store_true", help="spreg at 2,800 x 20 as well")
    options = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, one thread; Python {platform.python_version()}, "
        f"numpy {np.__version__}, spreg {spreg.__version__}; medians of {REPEATS}; load {os.getloadavg()[0]:.1f}\n"
        f"{'':<64}{'elapsed':>12} {'processor':>12}"
    )
    with threadpool_limits(limits=1):
        small()
        batch()
        large(spreg=options.spreg_large)


if __name__ == "__main__":
    main()
