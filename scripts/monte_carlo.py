"""Bias, standard deviation, coverage and size of the two-way spatial Durbin model, over a grid of panels.

Simulates ``y_t = rho W y_t + x_t + theta W x_t + mu_i + xi_t + e_t`` with standard normal x (fixed over replications),
mu and xi, on row-standardised Delaunay neighbours of N random points (seed 3). The errors e have variance one and are
normal, or skewed: (chi-square(3) - 3) / sqrt(6), skewness 1.6, excess kurtosis 4. Every sample is fitted with the
Lee-Yu transformation (the default of sde.fit) and by the direct likelihood. Writes docs/monte_carlo.md and, beside it,
monte_carlo.csv with every number.

    python scripts/monte_carlo.py                                    # everything: about ten minutes
    python scripts/monte_carlo.py --jobs -1                          # the same numbers from all cores
    python scripts/monte_carlo.py --replications 200 -o quick.md     # a quick look, elsewhere
    python scripts/monte_carlo.py --units 31 --times 5 10 --rho 0.4 --errors normal -o part.md    # a part of the grid

theta is 0.5; in a second set of samples it is such that the indirect effect is zero, for the size of that test.
Replications come in blocks of 250 with seeds of their own, so that neither the number of processes nor the other cells
move a number.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import Delaunay

sys.path.insert(0, str(Path(__file__).parent))

from monte_carlo_page import page

import spatial_de as sde
from spatial_de.effects import multipliers
from spatial_de.effects.replications import effects_of_replications
from spatial_de.models import MODELS, SpatialLinks, build_problem, estimate_ml
from spatial_de.models.covariance import covariance
from spatial_de.models.replications import estimate_replications, lag_rows
from spatial_de.models.simulation import simulate
from spatial_de.panel.design import Design, build_design
from spatial_de.parallel import run_tasks
from spatial_de.weights import SpatialWeights

BETA, THETA, SIGMA2 = 1.0, 0.5, 1.0
CRITICAL = 1.959963984540054
METHODS = {"lee-yu": "Lee-Yu", "none": "direct"}
ROBUST = "Lee-Yu, robust"
PARAMETERS = ("beta", "theta", "rho", "sigma2", "direct", "indirect", "total")
UNITS, TIMES, RHO, ERRORS = (31, 100, 500), (5, 10, 20), (-0.3, 0.0, 0.4, 0.8), ("normal", "skewed")
CHECK = [(31, 12, rho) for rho in (0.2, 0.4, 0.6)]  # cells that an independent program has run as well
BLOCK = 250
FEW = 31  # units up to which the robust covariance, which is not done in batches, is computed


@dataclass(frozen=True)
class Cell:
    """One design.

    Attributes
    ----------
    n_units, n_times, rho, errors
        What varies.
    no_indirect
        Whether theta is such that the indirect effect is zero.
    """

    n_units: int
    n_times: int
    rho: float
    errors: str = "normal"
    no_indirect: bool = False

    def seed(self, seed: int) -> list[int]:
        """Of this cell alone."""
        return [seed, self.n_units, self.n_times, round(1000 * self.rho) + 1000, len(self.errors), self.no_indirect]


def delaunay_weights(n: int, *, seed: int) -> SpatialWeights:
    """Row-standardised Delaunay neighbours of n uniform points."""
    triangles = Delaunay(np.random.default_rng(seed).uniform(size=(n, 2))).simplices
    adjacency = np.zeros((n, n))
    for a, b in ((0, 1), (1, 2), (0, 2)):
        adjacency[triangles[:, a], triangles[:, b]] = adjacency[triangles[:, b], triangles[:, a]] = 1.0
    return SpatialWeights(adjacency, range(n), normalization="row")


def template(cell: Cell, seed: int) -> Design:
    """A design with x drawn once for all cells of its size."""
    index = pd.MultiIndex.from_product([range(cell.n_units), range(cell.n_times)], names=["unit", "time"])
    x = np.random.default_rng([seed, cell.n_units, cell.n_times]).standard_normal(len(index))
    frame = pd.DataFrame({"y": x**2, "x": x}, index=index).reset_index()  # y is a placeholder
    return build_design("y ~ x", sde.Panel(frame, "unit", "time"))


def truth(cell: Cell, w: SpatialWeights) -> np.ndarray:
    """True values of `PARAMETERS`."""
    m = multipliers(w, np.array([cell.rho]))
    of_beta, of_theta = (
        (total - direct)[0] for direct, total in ((m.direct_beta, m.total_beta), (m.direct_theta, m.total_theta))
    )
    theta = -BETA * of_beta / of_theta if cell.no_indirect else THETA
    direct = BETA * m.direct_beta[0] + theta * m.direct_theta[0]
    indirect = 0.0 if cell.no_indirect else BETA * of_beta + theta * of_theta
    return np.array([BETA, theta, cell.rho, SIGMA2, direct, indirect, direct + indirect])


def draw(cell: Cell, design: Design, w: SpatialWeights, *, size: int, rng: np.random.Generator) -> np.ndarray:
    """Responses of some replications, shape (size, T, N)."""
    T, N = design.y.shape
    x = design.X[:, :, 0]
    theta = truth(cell, w)[1]
    mean = BETA * x + theta * lag_rows(w, x)
    mean = mean + rng.standard_normal((size, 1, N)) + rng.standard_normal((size, T, 1))
    shape = (size, T, N)
    e = rng.standard_normal(shape) if cell.errors == "normal" else (rng.chisquare(3, shape) - 3.0) / np.sqrt(6.0)
    return simulate(mean, e, w=w, rho=cell.rho)


def run(cell: Cell, *, replications: int, seed: int, robust: int = 0) -> pd.DataFrame:
    """One row per method and parameter.

    Parameters
    ----------
    cell
        The design.
    replications
        How many samples.
    seed
        Of the whole study.
    robust
        How many of the samples get robust standard errors as well.
    """
    w = delaunay_weights(cell.n_units, seed=3)
    design = template(cell, seed)
    problems = {
        bias: build_problem(design, SpatialLinks.same(w), spec=MODELS["sdm"], effects="two-way", bias=bias)
        for bias in METHODS
    }
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    starts = range(0, replications, BLOCK)
    for start, child in zip(starts, np.random.SeedSequence(cell.seed(seed)).spawn(len(starts)), strict=True):
        size = min(BLOCK, replications - start)
        y = draw(cell, design, w, size=BLOCK, rng=np.random.default_rng(child))[:size]
        for bias, problem in problems.items():
            batch = estimate_replications(problem, y)
            effects = effects_of_replications(batch)
            estimates = np.hstack([batch.params, effects.estimate[:, 0]])
            estimates[~batch.converged] = np.nan
            errors = np.hstack([batch.std_errors, effects.std_error[:, 0]])
            found.setdefault(METHODS[bias], []).append((estimates, errors))
            if bias == "lee-yu" and start < robust:
                few = slice(0, min(size, robust - start))
                found.setdefault(ROBUST, []).append((estimates[few], robust_errors(design, w, y[few])))
    return pd.concat([summarise(cell, truth(cell, w), method, parts=parts) for method, parts in found.items()])


def robust_errors(design: Design, w: SpatialWeights, y: np.ndarray) -> np.ndarray:
    """Robust standard errors of the parameters, one sample after the other, shape (R, 7); NaN for effects."""
    errors = np.full((len(y), len(PARAMETERS)), np.nan)
    for r, response in enumerate(y):
        changed = replace(design, y=response)
        problem = build_problem(changed, SpatialLinks.same(w), spec=MODELS["sdm"], effects="two-way", bias="lee-yu")
        fitted = estimate_ml(problem)
        if fitted.optimization.converged:
            errors[r, :4] = np.sqrt(np.diag(covariance(fitted, "robust")))
    return errors


def summarise(cell: Cell, true: np.ndarray, method: str, *, parts: list[tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """Rows of the table from estimates and standard errors of all replications, each of shape (R, 7)."""
    estimates, errors = (np.concatenate(side) for side in zip(*parts, strict=True))
    usable = np.isfinite(estimates[:, 0])
    rows: list[dict[str, Any]] = []
    for j, name in enumerate(PARAMETERS):
        value, error = estimates[usable, j], errors[usable, j]
        if np.isnan(error).all():
            continue
        rejected = np.abs(value - true[j]) > CRITICAL * error
        rows.append(
            {
                "N": cell.n_units,
                "T": cell.n_times,
                "rho": cell.rho,
                "errors": cell.errors,
                "design": "no indirect effect" if cell.no_indirect else "theta = 0.5",
                "method": method,
                "parameter": name,
                "true value": true[j],
                "bias": value.mean() - true[j],
                "SD": value.std(ddof=1),
                "mean SE": error.mean(),
                "coverage %": 100.0 * (1.0 - rejected.mean()),
                "size %": 100.0 * rejected.mean(),
                "replications": len(usable),
                "at bound": int((~usable).sum()),
            }
        )
    return pd.DataFrame(rows)


def _run_cell(options: dict[str, Any], cell: Cell) -> pd.DataFrame:
    robust = options["robust"] if cell.n_units <= FEW and not cell.no_indirect and cell.errors == "skewed" else 0
    return run(cell, replications=options["replications"], seed=options["seed"], robust=robust)


def cells(*, units: list[int], times: list[int], rho: list[float], errors: list[str]) -> list[Cell]:
    """The grid, the largest panels first, so that no worker is left with them at the end."""
    grid = [Cell(*design) for design in product(sorted(units, reverse=True), sorted(times, reverse=True), rho, errors)]
    return [replace(cell, no_indirect=none) for cell in grid for none in (False, True)]


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--replications", type=int, default=5000, help="samples of each design (default 5000)")
    add("--robust", type=int, default=2000, help="samples with robust errors as well, N <= 31 (default 2000)")
    add("--seed", type=int, default=1, help="of everything random (default 1)")
    add("--units", type=int, nargs="+", default=list(UNITS), metavar="N", help=f"default {UNITS}")
    add("--times", type=int, nargs="+", default=list(TIMES), metavar="T", help=f"default {TIMES}")
    add("--rho", type=float, nargs="+", default=list(RHO), help=f"default {RHO}")
    add("--errors", nargs="+", default=list(ERRORS), choices=ERRORS, help="default both")
    add("--no-check", action="store_true", help="leave out the cells of the comparison at N = 31, T = 12")
    add("--jobs", type=int, default=1, help="processes, -1 for all cores (default 1)")
    add("-o", "--output", type=Path, default=Path("docs/monte_carlo.md"), help="page; the .csv goes beside it")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Run and write."""
    options = parse(arguments)
    start = time.perf_counter()
    grid = cells(units=options.units, times=options.times, rho=options.rho, errors=options.errors)
    check = [] if options.no_check else [Cell(*design) for design in CHECK]
    settings = {name: getattr(options, name) for name in ("replications", "robust", "seed")}
    tables = run_tasks(_run_cell, [*grid, *check], shared=settings, n_jobs=options.jobs, progress=True, what="designs")
    order = ["N", "T", "rho", "errors", "design"]
    table = pd.concat(tables[: len(grid)]).sort_values(order, kind="stable", ignore_index=True)
    seconds = time.perf_counter() - start
    options.output.with_suffix(".csv").write_text(
        pd.concat([table, *tables[len(grid) :]]).to_csv(index=False, float_format="%.5g"), encoding="utf-8"
    )
    made = f"python scripts/monte_carlo.py {' '.join(sys.argv[1:] if arguments is None else arguments)}".strip()
    text = page(table, pd.concat(tables[len(grid) :]) if check else None, made=made, seconds=seconds, **settings)
    options.output.write_text(text, encoding="utf-8")
    print(f"{options.output} and {options.output.with_suffix('.csv')} in {seconds:.0f} s")


if __name__ == "__main__":
    main()
