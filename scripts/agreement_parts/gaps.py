"""Panels that are not balanced: a sample with 15 % of its rows deleted, against the dense model of the tests."""

from __future__ import annotations

import importlib
import sys
import warnings
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import root

import spatial_de as sde
from agreement_parts import exact
from agreement_parts.samples import Sample, load
from spatial_de.errors import SpatialDEWarning

SAMPLE = "china"
DELETED, SEED = 0.15, 1
MODELS = ("sar", "sem", "sac", "sdm", "sdem")
TREATMENTS = {"none": "direct", "lee-yu": "adjusted scores"}


def _tests() -> Any:
    """The brute-force module of the tests, a package of its own name so that its siblings are found."""
    folder = str(Path(__file__).parents[2])
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module("tests.models.unbalanced")


@dataclass(frozen=True)
class Gap:
    """Largest differences of a fit to the dense computation."""

    model: str
    fixed: str
    bias: str
    missing: str
    rho: float | None
    estimates: float
    errors: float

    @property
    def worst(self) -> float:
        """The larger of both."""
        return max(self.estimates, self.errors)


def thinned(sample: Sample) -> Any:
    """The sample with gaps, as the tests hold it: columns unit, year, y, x, z."""
    frame = sample.frame.reset_index().rename(columns={"time": "year", sample.y: "y"})
    frame = frame.rename(columns=dict(zip(sample.x, ("x", "z"), strict=True)))
    kept = np.random.default_rng(SEED).permutation(len(frame))[: round((1.0 - DELETED) * len(frame))]
    raw = sample.w.to_dense().to_numpy() > 0.0
    times = sorted(frame["year"].unique())
    return _tests().Case(frame.iloc[np.sort(kept)], [1.0 * raw] * len(times), "row", list(sample.w.ids), times)


def compare(one: Any, model: str, fixed: str, *, bias: str, missing: str) -> Gap:
    """Ours against the nearest root of the dense scores, plain or adjusted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpatialDEWarning)
        fit = sde.fit(
            "y ~ x + z", one.panel(), one.weights(), model=model, fixed=fixed, bias=bias, missing_neighbors=missing
        )
    mine, cov = fit.params.to_numpy(), fit.cov.to_numpy()
    dense = _tests().brute(one, model, fixed, missing)
    if bias == "none":
        likelihood = exact.Likelihood(dense)
        near = mine[likelihood.k : -1]
        truth = likelihood.at(list(root(likelihood.slope, near, tol=1e-13).x if len(near) else near))
        spread = np.linalg.inv(exact.information(likelihood.gradient, truth))
    else:
        adjusted = _tests().Adjusted(dense)
        truth = adjusted.solve(mine)
        spread, _ = adjusted.covariance(truth)
    errors = np.sqrt(np.diag(spread))
    return Gap(
        model=model,
        fixed=fixed,
        bias=bias,
        missing=missing,
        rho=fit.params.get("rho"),
        estimates=float((np.abs(mine - truth) / np.maximum(np.abs(truth), errors)).max()),
        errors=float(np.abs(np.sqrt(np.diag(cov)) / errors - 1.0).max()),
    )


def gaps() -> list[Gap]:
    """Every model, effect and treatment; both rules for missing neighbours for the Durbin model."""
    one = thinned(load()[SAMPLE])
    rules = {"sdm": ("renormalize", "zero")}
    return [
        compare(one, model, fixed, bias=bias, missing=missing)
        for model, fixed, bias in product(MODELS, ("individual", "time", "two-way"), TREATMENTS)
        for missing in rules.get(model, ("renormalize",))
    ]
