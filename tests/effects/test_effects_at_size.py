"""Total effects of weights that are not row-stochastic, by every way in which they are computed."""

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial import KDTree

from spatial_de.effects import totals as module
from spatial_de.effects.multipliers import multipliers
from spatial_de.effects.totals import totals
from spatial_de.logdet import log_determinant
from spatial_de.weights import SpatialWeights


def grid(side):
    path, eye = sparse.diags_array([np.ones(side - 1)] * 2, offsets=[-1, 1]), sparse.eye_array(side)
    return SpatialWeights(sparse.kron(path, eye) + sparse.kron(eye, path), range(side**2))


def nearest(n, *, normalization="none", islands=0):
    neighbors = KDTree(points := np.random.default_rng(0).random((n, 2))).query(points, k=5)[1][:, 1:]
    links = sparse.csr_array((np.ones(4 * n), (np.repeat(np.arange(n), 4), neighbors.ravel())), shape=(n, n))
    keep = np.where(np.arange(n) < islands, 0.0, 1.0)
    return SpatialWeights(sparse.diags_array(keep) @ links, range(n), normalization=normalization)


def apart(n):
    """Two units without neighbours, which are nobody's neighbours either."""
    ring = np.roll(np.eye(n), 1, axis=1) + np.roll(np.eye(n), -1, axis=1)
    ring[:2], ring[:, :2] = 0.0, 0.0
    return SpatialWeights(ring, range(n), normalization="row")


def dense(w, rho):
    W, eye, ones = w.sparse.toarray(), np.eye(w.n), np.ones(w.n)
    once = [np.linalg.solve(eye - x * W, W @ ones) for x in rho]
    twice = [np.linalg.solve(eye - x * W, W @ v) for x, v in zip(rho, once, strict=True)]
    return np.mean(once, axis=1), np.mean(twice, axis=1)


CASES = {
    "symmetric": grid(15),
    "asymmetric": nearest(200),
    "islands as neighbours": nearest(200, normalization="row", islands=3),
    "islands apart": apart(40),
    "asymmetric minmax": nearest(150, normalization="minmax"),
}


@pytest.mark.parametrize("share", [(-0.95, 0.97), (0.3, 0.35), (0.0, 0.0)])
@pytest.mark.parametrize("name", CASES)
def test_totals_and_slopes_equal_dense_solutions(name, share):
    w = CASES[name]
    bounds = log_determinant(w, "eigenvalues").bounds
    low, high = (s * (bounds[1] if s > 0 else -bounds[0]) for s in share)
    rho = np.random.default_rng(1).uniform(low, high, 50)
    found = totals(w, rho, bounds=bounds)
    for values, expected in zip(found, dense(w, rho), strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-9)


@pytest.mark.parametrize("name", ["symmetric", "asymmetric", "islands as neighbours"])
def test_solutions_stand_in_where_series_do_not_settle(name, monkeypatch):
    w = CASES[name]
    bounds = log_determinant(w).bounds
    rho = bounds[1] * np.random.default_rng(1).uniform(0.2, 0.6, 30)
    usual = totals(w, rho, bounds=bounds)
    monkeypatch.setattr(module, "_STEPS", (3, 4))
    monkeypatch.setattr(module, "_POWERS", 5)
    for few in (rho, rho[:2]):
        for values, expected in zip(totals(w, few, bounds=bounds), usual, strict=True):
            np.testing.assert_allclose(values, expected[: len(few)], rtol=1e-10)


def test_a_negative_parameter_beyond_the_reach_of_powers():
    """Smallest eigenvalue -1, largest 5: rho = -0.7 is admissible, but (rho W)^j grows."""
    complete = np.kron(np.eye(6), np.ones((6, 6)) - np.eye(6))
    complete[0, 1] = 2.0  # not symmetric any more, so that no quadrature serves
    w = SpatialWeights(complete, range(36))
    rho = np.array([-0.7, -0.3, 0.1])
    found = totals(w, rho, bounds=log_determinant(w, "eigenvalues").bounds)
    for values, expected in zip(found, dense(w, rho), strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-10)


def test_a_hundred_thousand_cells_equal_the_closed_form():
    """Eigenvectors of a path are sines: 1'f(W)1 of a rook grid is a double sum over its eigenvalues."""
    side = 316
    k = np.arange(1, side + 1) * np.pi / (side + 1)
    path = 2.0 * np.cos(k)
    share = (np.sqrt(2.0 / (side + 1)) * np.sin(np.outer(k, np.arange(1, side + 1))).sum(axis=1)) ** 2 / side
    spectrum, weight = np.add.outer(path, path), np.outer(share, share)
    w, rho = grid(side), np.array([0.2, 0.21, 0.2405])
    found = multipliers(w, rho)
    for i, x in enumerate(rho):
        ratio = spectrum / (1.0 - x * spectrum)
        expected = [ratio.mean(), (weight * ratio).sum(), (ratio**2).mean(), (weight * ratio**2).sum()]
        numbers = [found.direct_theta[i], found.total_theta[i]]
        np.testing.assert_allclose(numbers, expected[:2], rtol=1e-9)
        np.testing.assert_allclose(found.direct_beta[i], 1.0 + x * expected[0], rtol=1e-9)
        np.testing.assert_allclose(found.d_total_beta[i], expected[1] + x * expected[3], rtol=1e-8)
