"""Random effects: exact maximum likelihood of panels, lag and error models, both forms of the error.

    python benchmarks/bench_random.py                     # a minute or two
    python benchmarks/bench_random.py --sizes 46x30       # units x times, one or several

From a `Panel` to estimates, standard errors and average effects with theirs (delta method), weights used before. R's
splm has these models; it is not run here, since Debian has no package of it. Medians of five runs after one that does
not count, of one run for bsk errors of more than a thousand units; elapsed and processor seconds.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import warnings
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parent))

from bench_panel import Case
from bench_unbalanced import REPEATS, median, once, report

import spatial_de as sde

SIZES = ("46x30", "300x10", "2800x20")
MODELS = (("sar", "bsk"), ("sem", "bsk"), ("sem", "kkp"), ("sdm", "bsk"), ("sac", "bsk"))


def measure(size: str, model: str, form: str) -> None:
    case = Case(*(int(part) for part in size.split("x")))
    panel = case.panel()

    def call() -> None:
        fit = sde.fit("y ~ x", panel, case.w, model=model, random=form)
        if model != "sem":
            fit.effects("delta")

    error = model in {"sem", "sac"}
    slow = error and form == "bsk" and case.w.n > 1_000
    report(f"{size}, {model}{', ' + form if error else ''}", once(call) if slow else median(call, cold=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="units x times, e.g. 46x30")
    options = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, one thread; Python {platform.python_version()}, "
        f"numpy {np.__version__}; medians of {REPEATS}; load {os.getloadavg()[0]:.1f}\n"
        f"{'':<52}{'elapsed':>10} {'processor':>10}"
    )
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for size in options.sizes:
            for model, form in MODELS:
                measure(size, model, form)


if __name__ == "__main__":
    main()
