"""Method of moments through the formula interface, against spreg on the same data.

    python benchmarks/bench_gmm.py

SAR and SAC with heteroskedasticity-robust covariance, three regressors, Delaunay neighbours; medians of five.
"""

from __future__ import annotations

import contextlib
import io
import os
import platform
import statistics
import time
import warnings

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.spatial import Delaunay

import spatial_de as sde

REPEATS = 5


def delaunay(n: int) -> sde.weights.SpatialWeights:
    corners = Delaunay(np.random.default_rng(3).uniform(size=(n, 2))).simplices
    pairs = np.vstack([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]]])
    both = np.unique(np.vstack([pairs, pairs[:, ::-1]]), axis=0)
    matrix = coo_array((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(n, n))
    return sde.weights.SpatialWeights(matrix, [f"u{i:06d}" for i in range(n)], normalization="row")


def simulated(w: sde.weights.SpatialWeights) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    X = rng.standard_normal((w.n, 3))
    mean = X.sum(axis=1) + np.exp(0.5 * X[:, 0]) * rng.standard_normal(w.n)
    y = mean.copy()
    for _ in range(60):  # the series of (I - 0.4 W)^-1
        y = mean + 0.4 * (w.sparse @ y)
    return pd.DataFrame(X, columns=["x0", "x1", "x2"], index=w.ids).assign(y=y)


def median_ms(call) -> float:
    call()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return 1000.0 * statistics.median(seconds)


def case(n: int) -> None:
    import spreg

    w = delaunay(n)
    frame = simulated(w)
    pysal = w.to_w()
    y, X = frame[["y"]].to_numpy(), frame[["x0", "x1", "x2"]].to_numpy()

    def ours(model: str) -> None:
        sde.fit("y ~ x0 + x1 + x2", frame, w, model=model, method="gmm", cov="robust")

    def theirs(model: str) -> None:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if model == "sar":
                spreg.GM_Lag(y, X, w=pysal, robust="white")
            else:
                spreg.GM_Combo_Het(y, X, w=pysal)

    for model in ("sar", "sac"):
        mine, other = median_ms(lambda model=model: ours(model)), median_ms(lambda model=model: theirs(model))
        print(f"{model} n = {n:7,}   spatial_de {mine:9.1f} ms   spreg {other:9.1f} ms   ratio {other / mine:6.1f}")


if __name__ == "__main__":
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "all")
    print(f"Python {platform.python_version()}, numpy {np.__version__}, threads {threads}")
    for size in (49, 1_000, 10_000, 100_000):
        case(size)
