"""Within transformations against projections off explicit dummies, and orthonormal transformations."""

import numpy as np
import pytest

from spatial_de.panel.transforms import EFFECTS, free_observations, within


def dummies(T, N, effects):
    """Columns of the effects for data stacked by time, units fastest."""
    unit, time = np.kron(np.ones((T, 1)), np.eye(N)), np.kron(np.eye(T), np.ones((N, 1)))
    parts = {"none": [], "individual": [unit], "time": [time], "two-way": [unit, time]}[effects]
    return np.hstack(parts) if parts else np.zeros((T * N, 0))


@pytest.mark.parametrize("effects", EFFECTS)
@pytest.mark.parametrize(("T", "N"), [(1, 5), (4, 1), (2, 2), (5, 7)])
def test_residuals_of_a_regression_on_dummies(effects, T, N):
    x = np.random.default_rng(T * N).normal(size=(T, N, 3))
    D = dummies(T, N, effects)
    flat = x.reshape(T * N, 3)
    expected = flat - D @ np.linalg.lstsq(D, flat, rcond=None)[0] if D.shape[1] else flat
    np.testing.assert_allclose(within(x, effects).reshape(T * N, 3), expected, atol=1e-12)
    assert free_observations(T, N, effects) == T * N - (np.linalg.matrix_rank(D) if D.shape[1] else 0)


@pytest.mark.parametrize("effects", EFFECTS)
def test_projection(effects):
    x = np.random.default_rng(1).normal(size=(4, 6))
    once = within(x, effects)
    np.testing.assert_allclose(within(once, effects), once, atol=1e-14)
    assert within(x[:, :, None], effects).shape == (4, 6, 1)


@pytest.mark.parametrize("effects", EFFECTS)
def test_inner_products_equal_those_of_orthonormal_data(effects):
    """Why one transformation serves both estimators: F F' is the projection."""
    T, N = 5, 6
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, T, N))

    def basis(n):
        return np.linalg.qr(np.column_stack([np.ones(n), rng.normal(size=(n, n - 1))]))[0][:, 1:]

    left = basis(T) if effects in {"individual", "two-way"} else np.eye(T)
    right = basis(N) if effects in {"time", "two-way"} else np.eye(N)
    a, b = left.T @ x @ right, left.T @ y @ right
    assert a.size == free_observations(T, N, effects)
    np.testing.assert_allclose((a * b).sum(), (within(x, effects) * within(y, effects)).sum(), rtol=1e-12)


def test_lag_then_transform_is_not_transform_then_lag():
    """The order matters for time effects: what splm and others get wrong."""
    rng = np.random.default_rng(3)
    y, W = rng.normal(size=(4, 6)), rng.uniform(size=(6, 6)) * (1 - np.eye(6))
    W /= W.sum(axis=1, keepdims=True)
    assert np.abs(within(y @ W.T, "time") - within(y, "time") @ W.T).max() > 0.01
    np.testing.assert_allclose(within(y @ W.T, "individual"), within(y, "individual") @ W.T, atol=1e-14)
