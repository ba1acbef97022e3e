"""Bayesian estimation: 10,000 independent draws of all parameters, against the chains of spatialreg.

    python benchmarks/bench_bayes.py                                  # a few minutes with R, seconds without
    python benchmarks/bench_bayes.py --sizes 1000 3000 --models sdm   # a part

Irregular (Delaunay) neighbours, two regressors, rho 0.5. Ours: `sde.fit(..., method="bayes")` from a data frame to the
posterior of every parameter. "Cold": the log-determinant is computed within; "warm": weights that were used before keep
it. Peer: spatialreg's `spBreg_lag` (sar, sdm) and `spBreg_err` (sem, sdem) with as many draws after 500 that are left
out, where Rscript has it, up to 3,000 units; it computes its log-determinants within, so that "times faster" is against
"cold". Means of rho (lambda) are compared in standard errors of simulation; spatialreg looks rho up on a grid of 200
values. Medians of five runs of ours, one of R.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parent))

from bench_large import available, read_data, write_data

import spatial_de as sde
from spatial_de.logdet import log_determinant

REPEATS, DRAWS = 5, 10_000
SIZES, MODELS = (1_000, 3_000, 10_000), ("sar", "sdm", "sem", "sdem")
GOAL = {("sdm", 3_000): 0.03}
LARGEST_IN_R = 3_000


def seconds(folder: Path, model: str, *, cold: bool) -> tuple[float, sde.Results]:
    """Median of the runs, and the last fit."""
    matrix, frame = read_data(folder)
    w = sde.weights.SpatialWeights(matrix, frame.index, normalization="row")
    runs = []
    for _ in range(REPEATS + 1):  # the first loads modules
        if cold:
            log_determinant.cache_clear()
            w = sde.weights.SpatialWeights(matrix, frame.index, normalization="row")
        start = time.perf_counter()
        fit = sde.fit("y ~ x1 + x2", frame, w, model=model, method="bayes", draws=DRAWS)
        runs.append(time.perf_counter() - start)
    return statistics.median(runs[1:]), fit


def peer(folder: Path, model: str) -> dict[str, str]:
    """Seconds, mean and standard deviation of the spatial parameter, effective draws."""
    script = Path(__file__).with_name("bayes_peer.R")
    command = [shutil.which("Rscript") or "Rscript", str(script), str(folder), model, str(DRAWS)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(" ".join(done.stderr.split()[-12:]))
    return dict(line.split() for line in done.stdout.splitlines() if len(line.split()) == 2)


def line(folder: Path, n: int, model: str, *, with_r: bool) -> str:
    cold, _ = seconds(folder, model, cold=True)
    warm, fit = seconds(folder, model, cold=False)
    name = "lambda" if model in {"sem", "sdem"} else "rho"
    mean, sd = float(fit.params[name]), float(fit.std_errors[name])
    goal = GOAL.get((model, n))
    cells = [model, f"{n:,}", f"{1e3 * cold:.0f}", f"{1e3 * warm:.0f}", "" if goal is None else f"{1e3 * goal:.0f}"]
    cells += [f"{mean:.4f}", f"{sd:.4f}"]
    if with_r and n <= LARGEST_IN_R:
        found = peer(folder, model)
        theirs, effective = float(found["seconds"]), float(found["effective"])
        apart = (float(found["mean"]) - mean) / (sd * np.sqrt(1.0 / DRAWS + 1.0 / effective))
        cells += [f"{1e3 * theirs:,.0f}", f"{effective:,.0f}", f"{theirs / cold:,.0f}", f"{apart:+.1f}"]
    else:
        cells += [""] * 4
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    options = parser.parse_args()
    with_r = available("spatialreg")
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, one thread; Python {platform.python_version()}, "
        f"numpy {np.__version__}; spatialreg {'there' if with_r else 'not there'}; load {os.getloadavg()[0]:.1f}. "
        f"{DRAWS:,} draws; milliseconds.\n\n"
        "| model | n | cold | warm | goal | mean | sd | spatialreg | its effective draws | times faster | apart |\n"
        + "|---" * 11
        + "|"
    )
    with threadpool_limits(limits=1), warnings.catch_warnings(), tempfile.TemporaryDirectory() as place:
        warnings.simplefilter("ignore")
        for n in options.sizes:
            folder = Path(place) / str(n)
            folder.mkdir()
            write_data(folder, "delaunay", n)
            for model in options.models:
                print(line(folder, n, model, with_r=with_r), flush=True)


if __name__ == "__main__":
    main()
