"""LM tests against a dense computation from the definition: score and information of a Gaussian likelihood."""

import numpy as np
import pytest

from spatial_de.diagnostics import lm_tests
from spatial_de.panel.design import build_design

NAMES = ["LM lag", "LM error", "Robust LM lag", "Robust LM error"]


def orthonormal(n):
    """Columns spanning what is left of R^n beside the constant, shape (n, n - 1)."""
    return np.linalg.svd(np.eye(n) - 1.0 / n)[0][:, : n - 1]


def gaussian_score_and_information(y, Z, *, weights, variance):
    """At rho = lambda = 0, from the mean and covariance of y alone (complex-step derivatives).

    ``y = A^-1 (Z delta + B^-1 e)``; for y ~ N(m, S) the score of a parameter is
    ``m_i' S^-1 r + (r' S^-1 S_i S^-1 r - tr S^-1 S_i) / 2``, the information
    ``m_i' S^-1 m_j + tr(S^-1 S_i S^-1 S_j) / 2``. Parameters: rho, lambda, delta, variance.
    """
    n = len(y)
    delta = np.linalg.lstsq(Z, y, rcond=None)[0]
    start = np.concatenate([[0.0, 0.0], delta, [variance]])

    def moments(p):
        A, B = np.eye(n) - p[0] * weights, np.eye(n) - p[1] * weights
        root = np.linalg.inv(B @ A)
        return np.linalg.inv(A) @ (Z @ p[2:-1]), p[-1] * root @ root.T

    means, covariances = [], []
    for i in range(len(start)):
        moved = start.astype(complex)
        moved[i] += 1e-30j
        mean, covariance = moments(moved)
        means.append(mean.imag / 1e-30)
        covariances.append(covariance.imag / 1e-30 / variance)
    r = y - Z @ delta
    score = [
        m @ r / variance + (r @ S @ r / variance - np.trace(S)) / 2.0 for m, S in zip(means, covariances, strict=True)
    ]
    information = np.array(
        [
            [m @ o / variance + np.sum(S * R.T) / 2.0 for o, R in zip(means, covariances, strict=True)]
            for m, S in zip(means, covariances, strict=True)
        ]
    )
    return np.array(score)[:2], information


def four_statistics(score, information):
    own, cross, rest = information[:2, :2], information[2:, :2], information[2:, 2:]
    J = own - cross.T @ np.linalg.inv(rest) @ cross
    joint = score @ np.linalg.inv(J) @ score
    marginal = score**2 / np.diag(J)
    # the joint statistic is the sum of one marginal and the other robust one (Bera and Yoon 1993)
    return np.array([marginal[0], marginal[1], joint - marginal[1], joint - marginal[0]])


def arrays(data):
    design = build_design("y ~ x1 + x2", data)
    return design.y, design.X


def dense(data, W, *, fixed):
    """The orthonormally transformed model, built with matrices; row-stochastic W or no time effects."""
    y, X = arrays(data)
    T, N = y.shape
    times = orthonormal(T) if fixed in {"individual", "two-way"} else np.eye(T)
    units = orthonormal(N) if fixed in {"time", "two-way"} else np.eye(N)
    F = np.kron(times, units).T
    Z = np.stack([F @ X[:, :, j].ravel() for j in range(X.shape[2])], axis=1)
    if fixed == "none":
        Z = np.column_stack([np.ones(T * N), Z])
    small = np.kron(np.eye(times.shape[1]), units.T @ W @ units)
    response = F @ y.ravel()
    residual = response - Z @ np.linalg.lstsq(Z, response, rcond=None)[0]
    return four_statistics(
        *gaussian_score_and_information(response, Z, weights=small, variance=residual @ residual / len(response))
    )


def dense_with_dummies(data, W, *, fixed):
    """Time effects estimated, the score's expectation under the null (a trace over the residual space) taken off."""
    y, X = arrays(data)
    T, N = y.shape
    times = orthonormal(T) if fixed == "two-way" else np.eye(T)
    F = np.kron(times, np.eye(N)).T
    dummies = F @ np.kron(np.eye(T), np.ones((N, 1)))
    dummies = np.linalg.svd(dummies, full_matrices=False)[0][:, : np.linalg.matrix_rank(dummies)]
    Z = np.column_stack([F @ X[:, :, j].ravel() for j in range(X.shape[2])] + [dummies])
    big = np.kron(np.eye(times.shape[1]), W)
    response = F @ y.ravel()
    residual = response - Z @ np.linalg.lstsq(Z, response, rcond=None)[0]
    free = len(response) - dummies.shape[1]
    score, information = gaussian_score_and_information(response, Z, weights=big, variance=residual @ residual / free)
    left = np.eye(len(response)) - dummies @ dummies.T
    return four_statistics(score - (np.trace(left @ big) - np.trace(big)), information)


def classical(data, W, *, fixed):
    """The formulas of Anselin et al. (1996) and Elhorst (2014) on within-transformed data, with T traces."""
    y, X = arrays(data)
    T, N = y.shape
    individual, time = fixed in {"individual", "two-way"}, fixed in {"time", "two-way"}
    Q = np.kron(np.eye(T) - individual / T, np.eye(N) - time / N)
    big = np.kron(np.eye(T), W)
    Z = np.stack([Q @ X[:, :, j].ravel() for j in range(X.shape[2])], axis=1)
    if fixed == "none":
        Z = np.column_stack([np.ones(T * N), Z])
    response = Q @ y.ravel()
    beta = np.linalg.lstsq(Z, response, rcond=None)[0]
    e = response - Z @ beta
    s2 = e @ e / (N * T)
    lagged = big @ (Z @ beta)
    traces = T * np.trace(W @ W + W.T @ W)
    J = (lagged @ lagged - lagged @ Z @ np.linalg.solve(Z.T @ Z, Z.T @ lagged)) / s2 + traces
    lag, error = e @ big @ response / s2, e @ big @ e / s2
    return np.array(
        [
            lag**2 / J,
            error**2 / traces,
            (lag - error) ** 2 / (J - traces),
            (error - traces / J * lag) ** 2 / (traces * (1 - traces / J)),
        ]
    )


def close(found, expected):
    np.testing.assert_allclose(found["statistic"].loc[NAMES], expected, rtol=1e-9)


@pytest.mark.parametrize("kind", ["row", "binary", "island", "weighted"])
def test_cross_section(example, kind):
    data, w = example(14, 1, kind)
    W = w.to_dense().to_numpy()
    close(lm_tests("y ~ x1 + x2", data, w), dense(data, W, fixed="none"))
    close(lm_tests("y ~ x1 + x2", data, w), classical(data, W, fixed="none"))


@pytest.mark.parametrize("kind", ["row", "binary", "island", "weighted"])
@pytest.mark.parametrize("fixed", ["none", "individual"])
def test_lee_yu_without_time_effects_for_any_weights(example, kind, fixed):
    data, w = example(8, 4, kind)
    close(lm_tests("y ~ x1 + x2", data, w, fixed=fixed), dense(data, w.to_dense().to_numpy(), fixed=fixed))


@pytest.mark.parametrize("fixed", ["time", "two-way"])
def test_lee_yu_eliminates_time_effects_where_weights_are_row_stochastic(example, fixed):
    data, w = example(9, 4, "row")
    close(lm_tests("y ~ x1 + x2", data, w, fixed=fixed), dense(data, w.to_dense().to_numpy(), fixed=fixed))


@pytest.mark.parametrize("kind", ["binary", "island", "weighted"])
@pytest.mark.parametrize("fixed", ["time", "two-way"])
def test_time_effects_are_estimated_and_the_score_centred_for_other_weights(example, kind, fixed):
    data, w = example(9, 4, kind)
    expected = dense_with_dummies(data, w.to_dense().to_numpy(), fixed=fixed)
    close(lm_tests("y ~ x1 + x2", data, w, fixed=fixed), expected)


@pytest.mark.parametrize("fixed", ["none", "individual", "time", "two-way"])
def test_the_direct_form_is_the_classical_one(example, fixed):
    data, w = example(9, 4, "row")
    expected = classical(data, w.to_dense().to_numpy(), fixed=fixed)
    close(lm_tests("y ~ x1 + x2", data, w, fixed=fixed, bias="none"), expected)


def test_without_an_intercept(example):
    data, w = example(14, 1, "binary")
    W, (y, X) = w.to_dense().to_numpy(), arrays(data)
    e = y[0] - X[0] @ np.linalg.lstsq(X[0], y[0], rcond=None)[0]
    expected = four_statistics(*gaussian_score_and_information(y[0], X[0], weights=W, variance=e @ e / len(e)))
    close(lm_tests("y ~ x1 + x2 - 1", data, w), expected)
