"""Size and power of every specification test, by simulation.

Samples come from ``y = rho W y + x1 + x2 + theta (W x1 - W x2) + effects + u``, ``u = lambda W u + e``, with standard
normal regressors, drawn once, on row-standardised Delaunay neighbours of random points: cross-sections of 100 units,
and panels of 50 units and 10 times with unit and time effects. Each truth below is the null of some tests and an
alternative of others. Writes docs/test_sizes.md and, beside it, test_sizes.csv with every rate.

    python scripts/test_sizes.py                              # everything: an hour on one core
    python scripts/test_sizes.py --jobs -1                    # the same numbers from all cores
    python scripts/test_sizes.py --replications 50 -o q.md    # a quick look, elsewhere

Samples come in blocks of 50 with seeds of their own, so that the number of processes moves no number.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

from monte_carlo import delaunay_weights
from test_sizes_page import page

import spatial_de as sde
from spatial_de.diagnostics import (
    HypothesisTest,
    baltagi_song_koh_tests,
    hausman_test,
    mundlak_test,
    pesaran_cd,
    random_effects_test,
)
from spatial_de.errors import IdentificationError, SpatialDEWarning
from spatial_de.parallel import run_tasks

FORMULA = "y ~ x1 + x2"
BLOCK = 50


@dataclass(frozen=True)
class Truth:
    """What a sample is drawn from.

    Attributes
    ----------
    rho, lam, theta
        Spatial lag, spatial error, and the coefficient of ``W x1 - W x2``.
    growth
        The standard deviation of an error is ``exp(growth x1)``.
    skewed
        Errors from the chi-square distribution with three degrees of freedom, standardised.
    unit, time
        Standard deviations of unit and of time effects.
    follows
        How much unit effects follow the unit means of x1.
    """

    rho: float = 0.0
    lam: float = 0.0
    theta: float = 0.0
    growth: float = 0.0
    skewed: bool = False
    unit: float = 1.0
    time: float = 1.0
    follows: float = 0.0


TRUTHS = {
    "no dependence": Truth(),
    "lag": Truth(rho=0.3),
    "error": Truth(lam=0.4),
    "WX": Truth(theta=0.2),
    "lag and WX": Truth(rho=0.3, theta=0.2),
    "lag and error": Truth(rho=0.3, lam=0.4),
    "growing variance": Truth(growth=0.25),
    "skewed errors": Truth(skewed=True),
    "no effects": Truth(unit=0.0, time=0.0),
    "small effects": Truth(unit=0.3, time=0.3),
}
RANDOM = {
    "no effects": Truth(unit=0.0, time=0.0),
    "unit effects": Truth(unit=0.3, time=0.0),
    "unit effects, error": Truth(unit=0.3, time=0.0, lam=0.3),
    "error": Truth(unit=0.0, time=0.0, lam=0.3),
    "time effects": Truth(unit=0.3, time=0.3),
    "effects that follow x1": Truth(unit=0.3, time=0.0, follows=1.0),
}


def draw(truth: Truth, w: sde.weights.SpatialWeights, times: int, *, rng: np.random.Generator) -> pd.DataFrame:
    """One sample, long."""
    n, W = w.n, w.to_dense().to_numpy()
    fixed = np.random.default_rng([n, times])
    own = fixed.normal(size=(2, 1, n)) if times > 1 else 0.0
    x = fixed.normal(size=(2, times, n)) + own
    e = (rng.chisquare(3, (times, n)) - 3.0) / np.sqrt(6.0) if truth.skewed else rng.normal(size=(times, n))
    u = np.linalg.solve(np.eye(n) - truth.lam * W, (np.exp(truth.growth * x[0]) * e).T).T
    mean = 1.0 + x.sum(axis=0) + truth.theta * (x[0] - x[1]) @ W.T
    if times > 1:
        unit = truth.unit * rng.normal(size=n) + truth.follows * x[0].mean(axis=0)
        mean = mean + unit + truth.time * rng.normal(size=(times, 1))
    y = np.linalg.solve(np.eye(n) - truth.rho * W, (mean + u).T).T
    index = pd.MultiIndex.from_product([range(times), w.ids], names=["time", "unit"])
    return pd.DataFrame({"y": y.ravel(), "x1": x[0].ravel(), "x2": x[1].ravel()}, index=index).reset_index()


def cross_section(frame: pd.DataFrame, w: sde.weights.SpatialWeights) -> dict[str, float]:
    """P-values of the tests of a cross-section."""
    table = frame.set_index("unit")[["y", "x1", "x2"]]
    return sde.specification_tests(FORMULA, table, w).table["p_value"].to_dict()


def panel(frame: pd.DataFrame, w: sde.weights.SpatialWeights) -> dict[str, float]:
    """P-values of the tests of a panel with two-way effects."""
    data = sde.Panel(frame, unit="unit", time="time")
    return sde.specification_tests(FORMULA, data, w).table["p_value"].to_dict()


def unit_effects(frame: pd.DataFrame, w: sde.weights.SpatialWeights) -> dict[str, float]:
    """P-values of the tests of random unit effects and of dependence between units."""
    data = sde.Panel(frame, unit="unit", time="time")
    found = baltagi_song_koh_tests(FORMULA, data, w)["p_value"].to_dict()
    fixed = sde.fit(FORMULA, data, w, model="sar", fixed="individual")
    pooled = sde.fit(FORMULA, data, w, model="sar", fixed="none")
    random = sde.fit(FORMULA, data, w, model="sar", fixed="none", random=True)
    correlated = sde.fit(FORMULA, data, w, model="sar", fixed="none", random=True, correlated=True)
    linear = sde.fit(FORMULA, data, w, model="ols", fixed="individual")
    tests: list[Callable[[], HypothesisTest]] = [
        lambda: random_effects_test(random, pooled),
        lambda: hausman_test(fixed, random),
        lambda: mundlak_test(correlated),
        lambda: pesaran_cd(linear),
    ]
    for run in tests:
        try:
            test = run()
        except IdentificationError:  # the classical Hausman statistic does not exist in every sample
            found["Hausman"] = np.nan
        else:
            found[test.name] = test.p_value
    return found


@dataclass(frozen=True)
class Setting:
    """One size of samples and what is done with them."""

    n_units: int
    n_times: int
    truths: dict[str, Truth]
    run: Callable[[pd.DataFrame, sde.weights.SpatialWeights], dict[str, float]]


SETTINGS = {
    "cross-section": Setting(100, 1, {k: v for k, v in TRUTHS.items() if "effects" not in k}, cross_section),
    "panel, two-way effects": Setting(50, 10, TRUTHS, panel),
    "panel, unit effects": Setting(50, 10, RANDOM, unit_effects),
}


def block(settings: dict[str, int], task: tuple[str, str, int]) -> pd.DataFrame:
    """P-values of one block: a row per sample, a column per test."""
    setting_name, truth_name, number = task
    setting = SETTINGS[setting_name]
    place = list(SETTINGS).index(setting_name), list(setting.truths).index(truth_name)
    rng = np.random.default_rng([settings["seed"], *place, number])
    w = delaunay_weights(setting.n_units, seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpatialDEWarning)
        samples = range(min(BLOCK, settings["replications"]))
        rows = [setting.run(draw(setting.truths[truth_name], w, setting.n_times, rng=rng), w) for _ in samples]
    return pd.DataFrame(rows).assign(setting=setting_name, truth=truth_name)


def rates(found: pd.DataFrame) -> pd.DataFrame:
    """Share of samples in which a test rejects at 5 %, and in which it could be made."""
    long = found.melt(["setting", "truth"], var_name="test", value_name="p").assign(made=lambda f: f["p"].notna())
    long = long.assign(rejects=(long["p"] < 0.05).where(long["made"]))
    groups = long.groupby(["setting", "truth", "test"], sort=False)
    table = groups.agg(rate=("rejects", "mean"), made=("made", "mean"), samples=("made", "size")).reset_index()
    return table[table["made"] > 0.0]


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Options of the command."""
    root = Path(__file__).parents[1]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=1000, help="samples of each truth (default: 1000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes, -1 for all cores")
    parser.add_argument("-o", "--output", type=Path, default=root / "docs" / "test_sizes.md")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Run and write."""
    options, start = parse(arguments), time.perf_counter()
    blocks = max(options.replications // BLOCK, 1)
    tasks = [(name, truth, k) for name, s in SETTINGS.items() for truth in s.truths for k in range(blocks)]
    settings = {"seed": options.seed, "replications": options.replications}
    found = run_tasks(block, tasks, shared=settings, n_jobs=options.jobs, progress=True, what="blocks of samples")
    table = rates(pd.concat(found, ignore_index=True))
    options.output.with_suffix(".csv").write_text(table.to_csv(index=False, float_format="%.4g"), encoding="utf-8")
    made = f"python scripts/test_sizes.py {' '.join(sys.argv[1:] if arguments is None else arguments)}".strip()
    text = page(table, made=made, seconds=time.perf_counter() - start, seed=options.seed)
    options.output.write_text(text, encoding="utf-8")
    print(f"{options.output} and {options.output.with_suffix('.csv')} in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
