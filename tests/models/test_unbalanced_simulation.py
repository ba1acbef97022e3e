"""Bias and coverage in unbalanced panels: direct against adjusted. Figures of a longer run are in docs/methods.md."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import Delaunay

import spatial_de as sde
from spatial_de.weights.stacked import StackedWeights

N, T, RHO, THETA = 31, 12, 0.4, 0.5
UNITS = [f"u{i:02d}" for i in range(N)]


def contiguity():
    points = np.random.default_rng(3).uniform(size=(N, 2))
    links = np.zeros((N, N))
    for corners in Delaunay(points).simplices:
        links[np.ix_(corners, corners)] = 1.0
    np.fill_diagonal(links, 0.0)
    return sde.weights.from_matrix(links, UNITS, normalize="row")


def frame(noise, keys, rows, W):
    """y of one replication."""
    rng = np.random.default_rng(noise)
    unit, time = keys.codes
    mean = rows + THETA * W @ rows + rng.normal(size=N)[unit] + rng.normal(size=T)[time] + rng.normal(size=len(rows))
    y = np.linalg.solve(np.eye(len(rows)) - RHO * W, mean)
    return keys.to_frame(index=False).assign(x=rows, y=y)


def simulate(missing, replications):
    """Estimates and standard errors of (x, W_x, rho, sigma2), each of shape (replications, 2, 4): direct, adjusted."""
    rng = np.random.default_rng(3)
    grid = pd.MultiIndex.from_product([range(T), UNITS], names=["year", "unit"])
    keys = grid[rng.uniform(size=N * T) > 0.15].swaplevel()
    rows = rng.normal(size=len(keys))
    w = contiguity()
    estimates, errors, W = [], [], None
    for i in range(replications):
        data = frame(i, keys, rows, np.zeros((len(rows),) * 2) if W is None else W)
        panel = sde.Panel(data, "unit", "year", unbalanced=True)
        fits = [sde.fit("y ~ x", panel, w, bias=bias, missing_neighbors=missing) for bias in ("none", "lee-yu")]
        if W is None:  # the first fit only makes the weights
            assert isinstance(fits[0].weights, StackedWeights)
            W = fits[0].weights.sparse.toarray()
            continue
        estimates.append([fit.params.to_numpy() for fit in fits])
        errors.append([fit.std_errors.to_numpy() for fit in fits])
    return np.array(estimates), np.array(errors)


def summary(missing, replications):
    estimates, errors = simulate(missing, replications)
    gap = estimates - np.array([1.0, THETA, RHO, 1.0])
    return gap.mean(axis=0), gap.std(axis=0), (np.abs(gap) < 1.96 * errors).mean(axis=0), errors.mean(axis=0)


@pytest.mark.filterwarnings("ignore::spatial_de.errors.EstimationWarning")
def test_the_adjustment_takes_the_bias_off():
    bias, spread, _, _ = summary("renormalize", 31)
    assert bias[0, 2] < -0.06
    assert abs(bias[1, 2]) < 3.0 * spread[1, 2] / np.sqrt(30)
    assert bias[0, 3] < -0.07
    assert abs(bias[1, 3]) < 3.0 * spread[1, 3] / np.sqrt(30)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::spatial_de.errors.EstimationWarning")
@pytest.mark.parametrize("missing", ["renormalize", "zero"])
def test_intervals_cover(missing):
    bias, spread, coverage, errors = summary(missing, 601)
    assert bias[0, 2] < -0.07
    assert coverage[0, 2] < 0.85
    assert np.abs(bias[1]).max() < 0.03
    assert ((coverage[1, :3] > 0.925) & (coverage[1, :3] < 0.975)).all()
    np.testing.assert_allclose(errors[1], spread[1], rtol=0.1)
