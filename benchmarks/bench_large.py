"""Spatial Durbin model from 3,107 to a million units, with standard errors and 1,000-draw effects, against peers.

    python benchmarks/bench_large.py                                   # about a quarter of an hour
    python benchmarks/bench_large.py --sizes 3107 10000 --graphs rook --peers spreg spatialreg
    python benchmarks/bench_large.py --slow                            # a million units with SuperLU and in R as well

Prints a Markdown table. Every measurement of ours is a fresh process (peak memory from `getrusage`); a small fit
beforehand has loaded all modules. "Cold" is the first fit with the weights: symmetric form, interval of rho,
factorisations, log-determinant and effects; "warm" is a second fit with the same weights object, which keeps all of
these. Building the weights object has a column of its own; peers get theirs ready as well. "Processor" is the part of
the cold seconds in which the process ran: the rest it waited for other programs on the machine.

Peers: spreg.ML_Lag with `slx_lags=1` (no inference for effects), spatialreg::lagsarlm with `Durbin = TRUE`,
`method = "Matrix"`, `trW(type = "MC")` and `impacts(R = 1000)` where Rscript has it; only at sizes that they manage in
a minute or so. `cholmod` and `superlu` are ours, with and without the optional cvxopt.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

SIZES = (3_107, 10_000, 100_000, 1_000_000)
GRAPHS = ("rook", "queen", "delaunay")
TO_REACH = {
    "cholmod": {3_107: 0.02, 10_000: 0.1, 100_000: 1.0, 1_000_000: 15.0},
    "superlu": {100_000: 5.0, 1_000_000: 200.0},
}
LARGEST = {"cholmod": 1_000_000, "superlu": 100_000, "spreg": 3_200, "spatialreg": 100_000}  # without --slow
SLOW = {"superlu": 1_000_000, "spatialreg": 1_000_000}
RHO = 0.5


def links(graph: str, n: int) -> sparse.csr_array:
    """Zeros and ones; grids are squares of about n cells, irregular neighbours are those of n random points."""
    if graph == "delaunay":
        from scipy.spatial import Delaunay

        start, neighbors = Delaunay(np.random.default_rng(3).random((n, 2))).vertex_neighbor_vertices
        found = sparse.csr_array((np.ones(len(neighbors)), neighbors, start), shape=(n, n))
    else:
        side = round(n**0.5)
        path = sparse.diags_array([np.ones(side - 1)] * 2, offsets=[-1, 1], format="csr")
        eye = sparse.eye_array(side, format="csr")
        if graph == "rook":
            found = (sparse.kron(path, eye) + sparse.kron(eye, path)).tocsr()
        else:
            found = (sparse.kron(path + eye, path + eye) - sparse.eye_array(side**2)).tocsr()
            found.eliminate_zeros()
    found.sort_indices()
    return found


def write_data(folder: Path, graph: str, n: int) -> dict[str, float]:
    """Binary files that Python and R read: compressed rows of the links, y, x1, x2."""
    found = links(graph, n)
    n, counts = found.shape[0], np.diff(found.indptr)
    W = sparse.csr_array((found.data / np.repeat(counts, counts), found.indices, found.indptr), shape=found.shape)
    rng = np.random.default_rng(7)
    X = rng.standard_normal((n, 2))
    mean = X @ [1.0, -0.5] + (W @ X) @ [0.5, 0.25] + rng.standard_normal(n)
    y = mean.copy()
    for _ in range(60):  # powers of rho W: the rest is below 1e-18
        y = mean + RHO * (W @ y)
    for name, values in {"indptr": found.indptr, "indices": found.indices}.items():
        values.astype("<i4").tofile(folder / f"{name}.bin")
    for name, values in {"y": y, "x1": X[:, 0], "x2": X[:, 1]}.items():
        values.astype("<f8").tofile(folder / f"{name}.bin")
    return {"n": n}


def read_data(folder: Path) -> tuple[sparse.csr_array, pd.DataFrame]:
    start, neighbors = (np.fromfile(folder / f"{name}.bin", dtype="<i4") for name in ("indptr", "indices"))
    n = len(start) - 1
    frame = pd.DataFrame({name: np.fromfile(folder / f"{name}.bin", dtype="<f8") for name in ("y", "x1", "x2")})
    frame.index = pd.Index(np.arange(1, n + 1), name="id")
    return sparse.csr_array((np.ones(len(neighbors)), neighbors, start), shape=(n, n)), frame


def ours(folder: Path, program: str) -> dict[str, float]:
    import spatial_de as sde
    from spatial_de.logdet import factors

    if program == "superlu":
        factors.BACKENDS = tuple(one for one in factors.BACKENDS if one.needs != "cvxopt")

    def fit(frame, w):
        start, busy = time.perf_counter(), time.process_time()
        found = sde.fit("y ~ x1 + x2", frame, w, model="sdm")
        effects = found.effects(draws=1000).table
        return time.perf_counter() - start, time.process_time() - busy, found, effects

    small = links("rook", 900)
    noise = pd.DataFrame(np.random.default_rng(0).standard_normal((900, 3)), columns=["y", "x1", "x2"])
    noise.index = pd.Index(range(1, 901), name="id")
    fit(noise, sde.weights.SpatialWeights(small, noise.index, normalization="row"))

    matrix, frame = read_data(folder)
    start = time.perf_counter()
    w = sde.weights.SpatialWeights(matrix, frame.index, normalization="row")
    built = time.perf_counter() - start
    del matrix
    cold, busy, found, effects = fit(frame, w)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    warm = fit(frame, w)[0]
    return {
        "cold": cold,
        "busy": busy,
        "warm": warm,
        "build": built,
        "peak": peak / 1e3,
        "rho": found.rho,
        "se": float(found.std_errors["rho"]),
        "total": float(effects.loc[("x1", "total"), "estimate"]),
        "how": f"{found.optimization.logdet}, error below {found.optimization.logdet_error:.0e}",
    }


def by_spreg(folder: Path, repeats: int) -> dict[str, float]:
    import spreg

    import spatial_de as sde

    matrix, frame = read_data(folder)
    w = sde.weights.SpatialWeights(matrix, frame.index, normalization="row").to_w()
    y, X = frame[["y"]].to_numpy(), frame[["x1", "x2"]].to_numpy()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            found = spreg.ML_Lag(y, X, w=w, slx_lags=1, method="LU")
        seconds.append(time.perf_counter() - start)
    rho = float(found.rho)
    total = float((found.betas[1, 0] + found.betas[3, 0]) / (1.0 - rho))
    return {
        "cold": statistics.median(seconds),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "rho": rho,
        "se": float(found.std_err[-1]),
        "total": total,
        "how": f"spreg {spreg.__version__}, method='LU'",
    }


def by_spatialreg(folder: Path, repeats: int) -> dict[str, float]:
    script = Path(__file__).with_name("large_peer.R")
    command = ["Rscript", str(script), str(folder), str(repeats)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(" ".join(done.stderr.split()[-12:]))
    found = dict(line.split() for line in done.stdout.splitlines())
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
    numbers = {"cold": "seconds", "rho": "rho", "se": "se", "total": "total"}
    return {ours: float(found[theirs]) for ours, theirs in numbers.items()} | {
        "peak": peak,
        "how": f"spatialreg {found['version']}, method='Matrix'"
        + ("" if found["trouble"] == "none" else f"; impacts failed: {found['trouble'].replace('_', ' ')}"),
    }


def in_fresh_process(program: str, folder: Path, *, threads: int, **options: object) -> dict[str, float]:
    """What `one` returns; the parent stays small, as a process inherits the peak memory of the one it came from."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    command = [sys.executable, __file__, "--one", program, "--folder", str(folder)]
    command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=os.environ | dict.fromkeys(names, str(threads))
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "killed")
    return json.loads(done.stdout.splitlines()[-1])


def one(arguments: argparse.Namespace) -> dict[str, float]:
    """What a fresh process does."""
    warnings.simplefilter("ignore")
    program, folder, repeats = arguments.one, arguments.folder, arguments.repeats
    if program == "data":
        return write_data(folder, arguments.graphs[0], arguments.sizes[0])
    if program == "spreg":
        return by_spreg(folder, repeats)
    return by_spatialreg(folder, repeats) if program == "spatialreg" else ours(folder, program)


def repetitions(program: str, n: int, asked: int) -> int:
    """Fewer where a single run takes long."""
    if n <= 10_000 or (program == "cholmod" and n <= 100_000):
        return asked
    return min(asked, 3 if program == "cholmod" or (program == "superlu" and n <= 100_000) else 1)


def measure(program: str, folder: Path, *, repeats: int, threads: int) -> dict[str, float]:
    """Medians over fresh processes; peers repeat inside one process, which does not count their start."""
    if program not in TO_REACH:
        return in_fresh_process(program, folder, repeats=repeats, threads=threads)
    runs = [in_fresh_process(program, folder, threads=threads) for _ in range(repeats)]
    medians = {key: statistics.median(run[key] for run in runs) for key in ("cold", "busy", "warm", "build", "peak")}
    return runs[-1] | medians


def available(program: str) -> bool:
    from importlib.util import find_spec

    if program == "spatialreg":
        if shutil.which("Rscript") is None:
            return False
        return not subprocess.run(["Rscript", "-e", "library(spatialreg)"], check=False, capture_output=True).returncode
    return find_spec({"cholmod": "cvxopt", "spreg": "spreg"}.get(program, "scipy")) is not None


def row(graph: str, n: int, program: str, *, found: dict[str, float], first: dict[str, float], runs: int) -> str:
    """One line of the table; numbers are compared with those of the first program of the same data."""
    aim = TO_REACH.get(program, {}).get(min(SIZES, key=lambda size: abs(size - n)))
    cells = [
        graph,
        f"{n:,}",
        program,
        str(runs),
        f"{found['cold']:.3f}",
        f"{found['busy']:.3f}" if "busy" in found else "",
        f"{found['warm']:.3f}" if "warm" in found else "",
        "" if aim is None else f"{aim:g}",
        f"{found['build']:.3f}" if "build" in found else "",
        f"{found['peak']:,.0f}",
        f"{found['rho']:.6f}",
        f"{found['se']:.6f}",
        f"{(found['rho'] - first['rho']) / first['se']:+.1e}",
        f"{found['se'] / first['se'] - 1.0:+.1e}",
        f"{found['total'] / first['total'] - 1.0:+.1e}",
        found["how"],
    ]
    return f"| {' | '.join(cells)} |"


def run(arguments: argparse.Namespace) -> None:
    limits = LARGEST | (SLOW if arguments.slow else {})
    programs = [program for program in arguments.peers if available(program)]
    load = os.getloadavg()[0]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {arguments.threads} thread(s), Python "
        f"{platform.python_version()}, numpy {np.__version__}; load of the machine before the run {load:.1f}. "
        f"Not there: {', '.join(sorted(set(arguments.peers) - set(programs))) or 'nothing'}. Seconds are medians of "
        "the runs given; peak memory in MB of the whole process; rho is compared in standard errors of the first "
        "program, its standard error and the total effect of x1 as ratio minus one.\n"
    )
    print(
        "| neighbours | n | program | runs | cold, s | processor, s | warm, s | to reach | building W, s | peak, MB | "
        "rho | se(rho) | rho apart | se apart | effect apart | how |\n" + "|---" * 16 + "|"
    )
    for graph in arguments.graphs:
        for size in arguments.sizes:
            with tempfile.TemporaryDirectory() as place:
                compare(graph, size, programs, limits=limits, folder=Path(place), arguments=arguments)
    print(f"\nLoad of the machine after the run {os.getloadavg()[0]:.1f}.")


def compare(graph, size, programs, *, limits, folder, arguments) -> None:
    n = in_fresh_process("data", folder, threads=arguments.threads, graphs=graph, sizes=size)["n"]
    first = None
    for program in programs:
        if size > limits[program]:
            continue
        repeats = repetitions(program, size, arguments.repeats)
        try:
            found = measure(program, folder, repeats=repeats, threads=arguments.threads)
        except RuntimeError as error:
            print(f"| {graph} | {n:,} | {program} | failed: {error} |" + " |" * 12, flush=True)
            continue
        first = first or found
        print(row(graph, n, program, found=found, first=first, runs=repeats), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--graphs", nargs="+", choices=GRAPHS, default=GRAPHS)
    parser.add_argument("--peers", nargs="+", choices=tuple(LARGEST), default=tuple(LARGEST), help="programs to run")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--slow", action="store_true", help="a million units also with SuperLU and spatialreg")
    parser.add_argument("--one", choices=("data", *LARGEST), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(one(arguments)))
    else:
        run(arguments)


if __name__ == "__main__":
    main()
