"""The estimate does not depend on how the log-determinant is computed, also for few units and near a bound."""

import warnings

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import ConvergenceError, EstimationWarning
from spatial_de.weights import SpatialWeights


def lattice(k):
    """Rook neighbours on a k x k grid, row-standardised."""
    n = k * k
    raw = np.zeros((n, n))
    for i in range(n):
        right, below = i + 1, i + k
        if right % k:
            raw[i, right] = raw[right, i] = 1.0
        if below < n:
            raw[i, below] = raw[below, i] = 1.0
    return SpatialWeights(raw, range(n), normalization="row")


def one_way(n):
    """Row-standardised, complex eigenvalues."""
    i = np.arange(n)
    raw = np.zeros((n, n))
    raw[i, (i + 1) % n], raw[i, (i + 3) % n] = 1.0, np.random.default_rng(4).uniform(0.2, 1.0, n)
    return SpatialWeights(raw, range(n), normalization="row")


def panel_of(w, rho, seed, *, times=3):
    rng = np.random.default_rng(seed)
    S = np.linalg.inv(np.eye(w.n) - rho * w.sparse.toarray())
    x = rng.normal(size=(times, w.n))
    y = (x + rng.normal(size=x.shape)) @ S.T
    index = {"unit": np.tile(np.arange(w.n), times), "time": np.repeat(np.arange(times), w.n)}
    return sde.Panel(pd.DataFrame(index | {"x": x.ravel(), "y": y.ravel()}), unit="unit", time="time")


def quiet_fit(panel, w, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        return sde.fit("y ~ x", panel, w, **options)


WEIGHTS = {"25 units": lattice(5), "49 units": lattice(7), "441 units": lattice(21), "one way": one_way(40)}


@pytest.mark.parametrize("fixed", ["two-way", "individual"])
@pytest.mark.parametrize("model", ["sar", "sem", "sdm", "sac"])
@pytest.mark.parametrize(
    ("name", "rho"), [*((name, rho) for name in WEIGHTS for rho in (0.3, 0.9)), ("441 units", 0.97)]
)
def test_sparse_and_dense_log_determinants_give_one_estimate(name, rho, model, fixed):
    """A random weight of the unit root in the sketch of the sparse method sent climbs to rho = 1."""
    w = WEIGHTS[name]
    for seed in range(2):
        panel = panel_of(w, rho, seed)
        try:
            dense = quiet_fit(panel, w, model=model, fixed=fixed, logdet="eigenvalues")
        except ConvergenceError as error:
            with pytest.raises(ConvergenceError, match=str(error)[:40]):
                quiet_fit(panel, w, model=model, fixed=fixed, logdet="sparse")
            continue
        sparse = quiet_fit(panel, w, model=model, fixed=fixed, logdet="sparse")
        assert sparse.converged == dense.converged
        if dense.converged:
            assert sparse.loglik == pytest.approx(dense.loglik, rel=1e-8)
            np.testing.assert_allclose(sparse.params, dense.params, rtol=1e-5, atol=1e-7)
            np.testing.assert_allclose(sparse.std_errors, dense.std_errors, rtol=1e-4)


@pytest.mark.parametrize(("k", "seed"), [(5, 1), (7, 0), (7, 5)])
def test_a_maximum_at_the_bound_is_one_by_either_method(k, seed):
    """Without the unit root the likelihood is finite at lambda = 1, where the factors of I - rho W are singular."""
    w = lattice(k)
    panel = panel_of(w, 0.97, seed)
    for logdet in ("eigenvalues", "sparse"):
        fit = quiet_fit(panel, w, model="sem", logdet=logdet)
        assert not fit.converged
        assert fit.std_errors.isna().all()
