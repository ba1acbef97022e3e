"""LM tests against a dense computation from the definition: score and information of a Gaussian likelihood."""

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.diagnostics import conditional_lm_tests, durbin_lm_tests, lm_tests
from spatial_de.panel.design import build_design
from spatial_de.weights import SpatialWeights

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


def likelihood_parts(y, X, W, *, rho, lam, theta):
    """Score and expected information of the general nesting model at one point, coefficients by least squares.

    Shape of y: (T, N), of X: (T, N, k). Parameters: rho, lambda, coefficients of X, of WX, variance; theta says
    whether those of WX are estimated or zero. Complex steps of mean and covariance of one period.
    """
    T, N = y.shape
    k = X.shape[2]
    WX = np.einsum("ij,tjk->tik", W, X)
    both = np.concatenate([X, WX], axis=2)
    A, B = np.eye(N) - rho * W, np.eye(N) - lam * W
    used = both if theta else X
    filtered = np.einsum("ij,tjk->tik", B, used).reshape(T * N, -1)
    target = (y @ A.T @ B.T).ravel()
    beta = np.linalg.lstsq(filtered, target, rcond=None)[0]
    variance = np.mean((target - filtered @ beta) ** 2)
    start = np.concatenate([[rho, lam], beta, np.zeros(2 * k - len(beta)), [variance]])

    def moments(p):
        left, right = np.linalg.inv(np.eye(N) - p[0] * W), np.linalg.inv(np.eye(N) - p[1] * W)
        return (both @ p[2:-1]) @ left.T, p[-1] * left @ right @ right.T @ left.T

    mean, covariance = moments(start)
    inverse, residual = np.linalg.inv(covariance), y - mean
    means, covariances = [], []
    for i in range(len(start)):
        moved = start.astype(complex)
        moved[i] += 1e-30j
        parts = moments(moved)
        means.append(parts[0].imag / 1e-30)
        covariances.append(inverse @ parts[1].imag / 1e-30)
    score = [
        np.sum(m @ inverse * residual)
        + (np.einsum("ti,ij,tj->", residual, S @ inverse, residual) - T * np.trace(S)) / 2
        for m, S in zip(means, covariances, strict=True)
    ]
    information = [
        [np.sum(m @ inverse * o) + T * np.sum(S * R.T) / 2 for o, R in zip(means, covariances, strict=True)]
        for m, S in zip(means, covariances, strict=True)
    ]
    return np.array(score), np.array(information)


def statistic(score, information, *, tested, held, robust_to=()):
    """The LM statistic of some of the parameters held at zero."""
    p = len(score)
    nuisance = [i for i in range(p) if i not in held]
    chosen = [*tested, *robust_to]
    slope = information[np.ix_(chosen, nuisance)] @ np.linalg.inv(information[np.ix_(nuisance, nuisance)])
    variance = information[np.ix_(chosen, chosen)] - slope @ information[np.ix_(nuisance, chosen)]

    # the joint statistic less that of the parameters which may be different from zero
    def joint(rows):
        return score[rows] @ np.linalg.inv(variance[np.ix_(rows, rows)]) @ score[rows]

    score = score[chosen] - slope @ score[nuisance]
    every, other = list(range(len(chosen))), list(range(len(tested), len(chosen)))
    return joint(every) - (joint(other) if other else 0.0)


@pytest.mark.parametrize("kind", ["row", "binary"])
@pytest.mark.parametrize("times", [1, 6])
def test_tests_for_lagged_regressors(example, times, kind):
    n = 14 if times > 1 else 30
    data, w = example(n, times, kind)
    fixed = "individual" if times > 1 else "none"
    y, X = arrays(data)
    if times > 1:
        F = orthonormal(times).T
        y, X = F @ y, np.einsum("st,tik->sik", F, X)
        constant = ()
    else:
        constant = (2,)
    if constant:  # the intercept as a regressor whose lag is left out
        X = np.concatenate([np.ones_like(X[:, :, :1]), X], axis=2)
    k = X.shape[2]
    score, information = likelihood_parts(y, X, w.to_dense().to_numpy(), rho=0.0, lam=0.0, theta=False)
    wx = [2 + k + j for j in range(len(constant), k)]
    left_out = [2 + k] if constant else []
    keep = [i for i in range(len(score)) if i not in left_out]
    place = {old: new for new, old in enumerate(keep)}
    score, information = score[keep], information[np.ix_(keep, keep)]
    wx = [place[i] for i in wx]
    held = [0, 1, *wx]
    expected = {
        "LM WX": {"tested": wx},
        "LM lag and WX": {"tested": [0, *wx]},
        "Robust LM WX": {"tested": wx, "robust_to": [0]},
        "Robust LM lag (WX)": {"tested": [0], "robust_to": wx},
        "LM error and WX": {"tested": [1, *wx]},
    }
    found = (
        durbin_lm_tests("y ~ x1 + x2", data, w, fixed=fixed) if times > 1 else durbin_lm_tests("y ~ x1 + x2", data, w)
    )
    for name, how in expected.items():
        assert found.loc[name, "statistic"] == pytest.approx(
            statistic(score, information, held=held, **how), rel=1e-8
        ), name


@pytest.mark.parametrize("kind", ["row", "binary"])
@pytest.mark.parametrize("model", ["sar", "sem", "sdm"])
def test_tests_of_what_a_spatial_model_leaves(example, model, kind):
    data, w = example(14, 6, kind)
    fit = sde.fit("y ~ x1 + x2", data, w, model=model, fixed="individual")
    y, X = arrays(data)
    F = orthonormal(6).T
    y, X = F @ y, np.einsum("st,tik->sik", F, X)
    score, information = likelihood_parts(
        y, X, w.to_dense().to_numpy(), rho=fit.estimate.rho, lam=fit.estimate.lam, theta=model == "sdm"
    )
    if model != "sdm":
        keep = [i for i in range(len(score)) if i not in {4, 5}]
        score, information = score[keep], information[np.ix_(keep, keep)]
    tested = [0] if model == "sem" else [1]
    name = {"sar": "LM error in SAR", "sem": "LM lag in SEM", "sdm": "LM error in SDM"}[model]
    found = conditional_lm_tests("y ~ x1 + x2", data, w, fixed="individual").loc[name, "statistic"]
    assert found == pytest.approx(statistic(score, information, tested=tested, held=tested), rel=1e-6)


@pytest.mark.parametrize(
    ("truth", "holds"),
    [({"rho": 0.4}, ["LM error in SAR", "LM error in SDM"]), ({"lam": 0.4}, ["LM lag in SEM", "LM error in SDM"])],
)
def test_many_units_take_the_observed_information(monkeypatch, truth, holds):
    """Above a thousand units nothing is dense; where the null holds both kinds of information have the same limit."""
    from spatial_de.diagnostics import scores

    side = 24
    line = np.eye(side, k=1) + np.eye(side, k=-1)
    rook = np.kron(np.eye(side), line) + np.kron(line, np.eye(side))
    w = SpatialWeights(rook, [f"u{i:03d}" for i in range(side**2)], normalization="row")
    W, rng = w.to_dense().to_numpy(), np.random.default_rng(0)
    x = rng.normal(size=(side**2, 2))
    u = np.linalg.solve(np.eye(side**2) - truth.get("lam", 0.0) * W, rng.normal(size=side**2))
    y = np.linalg.solve(np.eye(side**2) - truth.get("rho", 0.0) * W, x.sum(axis=1) + u)
    table = pd.DataFrame({"y": y, "x1": x[:, 0], "x2": x[:, 1]}, index=w.ids)
    expected = conditional_lm_tests("y ~ x1 + x2", table, w)["statistic"].loc[holds]
    monkeypatch.setattr(scores, "_DENSE_UNITS", 10)
    monkeypatch.setattr(scores, "expected_information", None)
    found = conditional_lm_tests("y ~ x1 + x2", table, w)["statistic"].loc[holds]
    np.testing.assert_allclose(found, expected, rtol=0.15)
