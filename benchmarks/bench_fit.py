"""One fit with effects inference through the formula interface, against spreg on the same data.

    python benchmarks/bench_fit.py

Panel: N = 31, T = 10, six regressors, two-way SDM, 1,000 draws (the size of the bundled study; target 20 ms).
Cross-section: n = 49 and n = 1,000, SDM with standard errors; spreg.ML_Lag with slx_lags=1 has no inference for
effects.
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
from scipy.spatial import Delaunay

import spatial_de as sde
from spatial_de.logdet import log_determinant

REPEATS = 15


def delaunay(n: int, seed: int) -> sde.weights.SpatialWeights:
    simplices = Delaunay(np.random.default_rng(seed).uniform(size=(n, 2))).simplices
    pairs = np.vstack([simplices[:, [0, 1]], simplices[:, [1, 2]], simplices[:, [0, 2]]])
    adjacency = np.zeros((n, n))
    adjacency[pairs[:, 0], pairs[:, 1]] = adjacency[pairs[:, 1], pairs[:, 0]] = 1.0
    return sde.weights.SpatialWeights(adjacency, [f"u{i:04d}" for i in range(n)], normalization="row")


def simulated(w: sde.weights.SpatialWeights, times: int, k: int) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    X = rng.standard_normal((times, w.n, k))
    W = w.sparse.toarray()
    mean = X.sum(axis=2) + 0.3 * (X @ np.ones(k)) @ W.T + rng.standard_normal((times, w.n))
    y = np.linalg.solve(np.eye(w.n) - 0.4 * W, mean.T).T
    frame = pd.DataFrame(X.reshape(-1, k), columns=[f"x{j}" for j in range(k)])
    frame["y"] = y.ravel()
    frame["unit"] = np.tile(w.ids, times)
    frame["year"] = np.repeat(np.arange(2000, 2000 + times), w.n)
    return frame


def median_ms(call) -> float:
    call()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return 1000.0 * statistics.median(seconds)


def panel_case() -> None:
    w = delaunay(31, 3)
    frame = simulated(w, times=10, k=6)
    panel = sde.Panel(frame, "unit", "year")
    formula = "y ~ " + " + ".join(f"x{j}" for j in range(6))

    def ours() -> None:
        sde.fit(formula, panel, w, model="sdm").effects(draws=1000).to_frame()

    print(f"panel SDM 31 x 10, two-way, 6 regressors, fit + 1,000 draws   {median_ms(ours):8.1f} ms")


def cross_section_case(n: int) -> None:
    from spreg import ML_Lag

    w = delaunay(n, 3)
    frame = simulated(w, times=1, k=3).set_index("unit").loc[w.ids]
    formula = "y ~ x0 + x1 + x2"
    pysal = w.to_w()
    y, X = frame[["y"]].to_numpy(), frame[["x0", "x1", "x2"]].to_numpy()

    def ours() -> None:
        log_determinant.cache_clear()
        sde.fit(formula, frame, w, model="sdm").effects(draws=1000).to_frame()

    def spreg() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            ML_Lag(y, X, w=pysal, slx_lags=1, method="full")

    mine, theirs = median_ms(ours), median_ms(spreg)
    print(f"cross-section SDM n = {n:5,}: ours with effects inference    {mine:8.1f} ms")
    print(f"                             spreg.ML_Lag without            {theirs:8.1f} ms   ratio {theirs / mine:.1f}")


def main() -> None:
    import spreg

    warnings.simplefilter("ignore")
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}, "
        f"spreg {spreg.__version__}; medians of {REPEATS}"
    )
    panel_case()
    for n in (49, 1000):
        cross_section_case(n)


if __name__ == "__main__":
    main()
