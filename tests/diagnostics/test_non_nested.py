"""Kelejian's J test: the formula in plain NumPy, its size and power, invariance, refusals."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

import spatial_de as sde
from spatial_de.diagnostics import j_test
from spatial_de.errors import IdentificationError, OptionError
from spatial_de.weights import SpatialWeights


def nearest(n, k, seed):
    points = np.random.default_rng(seed).random((n, 2))
    neighbors = cKDTree(points).query(points, k + 1)[1][:, 1:]
    W = np.zeros((n, n))
    W[np.repeat(np.arange(n), k), neighbors.ravel()] = 1.0 / k
    return SpatialWeights(W, [f"u{i:03}" for i in range(n)], normalization="row")


N = 100
FIRST, SECOND = nearest(N, 4, 0), nearest(N, 6, 1)
A = np.eye(N) - 0.4 * FIRST.sparse.toarray()


def sample(rng, *, unequal=False):
    X = rng.standard_normal((N, 2))
    e = rng.standard_normal(N) * (np.abs(X[:, 0]) if unequal else 1.0)
    y = np.linalg.solve(A, 1.0 + X @ [1.0, 1.0] + e)
    return pd.DataFrame({"y": y, "a": X[:, 0], "b": X[:, 1]}, index=FIRST.ids)


def fits(frame, formula="y ~ a + b", **options):
    return [sde.fit(formula, frame, w, model="sar", method="gmm", **options) for w in (FIRST, SECOND)]


def by_hand(frame, *, robust):
    W1, W2 = FIRST.sparse.toarray(), SECOND.sparse.toarray()
    y, X = frame["y"].to_numpy(), np.column_stack([np.ones(N), frame[["a", "b"]]])

    def tsls(Z, H):
        P = H @ np.linalg.pinv(H)
        d = np.linalg.solve(Z.T @ P @ Z, Z.T @ P @ y)
        return d, y - Z @ d, P @ Z

    Z2 = np.column_stack([X, W2 @ y])
    d2 = tsls(Z2, np.column_stack([X, W2 @ X[:, 1:]]))[0]
    Z = np.column_stack([X, W1 @ y, Z2 @ d2])
    d, u, projected = tsls(Z, np.column_stack([X, W1 @ X[:, 1:], W2 @ X[:, 1:]]))
    bread = np.linalg.inv(projected.T @ projected)
    meat = projected.T @ np.diag(u**2) @ projected if robust else projected.T @ projected * np.mean(u**2)
    return d[-1] ** 2 / (bread @ meat @ bread)[-1, -1]


@pytest.mark.parametrize("robust", [False, True])
def test_the_formula(robust):
    frame = sample(np.random.default_rng(0))
    null, other = fits(frame)
    found = j_test(null, other, cov="robust" if robust else "classical")
    assert found.statistic == pytest.approx(by_hand(frame, robust=robust), rel=1e-8)
    assert found.df == 1


def test_size_and_power():
    """The true model is rejected in about 5 % of samples, that with the wrong W nearly always."""
    rng = np.random.default_rng(1)
    right, wrong = [], []
    for _ in range(400):
        null, other = fits(sample(rng))
        right.append(j_test(null, other).p_value)
        wrong.append(j_test(other, null).p_value)
    assert 0.02 < np.mean(np.array(right) < 0.05) < 0.09
    assert np.mean(np.array(wrong) < 0.05) > 0.8


def test_units_of_measurement_do_not_matter_and_several_alternatives_count():
    frame = sample(np.random.default_rng(3))
    null, other = fits(frame)
    scaled = frame.assign(y=1e6 * frame["y"] + 5.0, a=1e-3 * frame["a"])
    assert j_test(*fits(scaled)).statistic == pytest.approx(j_test(null, other).statistic, rel=1e-6)
    third = sde.fit("y ~ a", frame, nearest(N, 5, 7), model="sar", method="gmm")
    assert j_test(null, [other, third]).df == 2


def test_refusals():
    frame = sample(np.random.default_rng(4))
    null, other = fits(frame)
    with pytest.raises(IdentificationError, match="alternative 1"):
        j_test(null, null)
    with pytest.raises(OptionError, match="method='ml'"):
        j_test(null, sde.fit("y ~ a + b", frame, SECOND, model="sar"))
    with pytest.raises(OptionError, match="same response"):
        j_test(null, fits(frame.assign(y=frame["y"] + frame["a"]))[1])
    with pytest.raises(OptionError, match="no alternative"):
        j_test(null, [])
    with pytest.raises(OptionError, match="'hc3'"):
        j_test(null, other, cov="hc3")
