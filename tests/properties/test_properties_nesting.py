"""Models that contain each other, limits in which they coincide, and maxima that nothing beats."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_instances import (
    BIASES,
    FORMULA,
    KINDS,
    ROW_STOCHASTIC,
    SLOPES,
    SPATIAL,
    assert_same_numbers,
    instances,
    quiet,
    random_checks,
)

import spatial_de as sde
from spatial_de.errors import EstimationWarning
from spatial_de.models import MODELS
from spatial_de.weights import SpatialWeights

CONTAINS = {
    ("slx", "ols"),
    ("sar", "ols"),
    ("sem", "ols"),
    ("sdm", "sar"),
    ("sdm", "slx"),
    ("sdm", "sem"),
    ("sdem", "sem"),
    ("sdem", "slx"),
}


def stacked(case):
    """y (T, N), X (T, N, 2) and W as arrays."""
    wide = case.table.sort_values(["year", "unit"])
    shape = (case.n_times, case.n_units)
    return (
        wide["y"].to_numpy().reshape(shape),
        wide[SLOPES].to_numpy().reshape(*shape, 2),
        case.weights().sparse.toarray(),
    )


def pooled_loglik(case, params):
    """Log-likelihood of a pooled model at any parameters, by the definition: dense determinants, no concentration."""
    y, X, W = stacked(case)
    N = len(W)
    p = params.reindex(["Intercept", *SLOPES, "W_x1", "W_x2", "rho", "lambda", "sigma2"]).fillna(0.0)
    A, B = np.eye(N) - p["rho"] * W, np.eye(N) - p["lambda"] * W
    u = y @ A.T - p["Intercept"] - X @ p[SLOPES].to_numpy() - (X @ p[["W_x1", "W_x2"]].to_numpy()) @ W.T
    e = u @ B.T
    jacobian = case.n_times * (np.linalg.slogdet(A)[1] + np.linalg.slogdet(B)[1])
    return jacobian - 0.5 * y.size * np.log(2 * np.pi * p["sigma2"]) - (e**2).sum() / (2 * p["sigma2"])


@pytest.mark.parametrize(("big", "small"), sorted(CONTAINS))
@random_checks()
@given(case=instances(biases=("lee-yu", "none")))
def test_the_larger_model_fits_at_least_as_well(big, small, case):
    larger, smaller = case.fit(big), case.fit(small)
    if (big, small) == ("sdm", "sem") and case.fixed != "individual" and not case.weights().is_row_stochastic:
        return  # the error model filters the constants too, and W 1 is no constant
    if larger.n_likelihood != smaller.n_likelihood:
        assert case.bias == "lee-yu"  # time effects eliminated in the one, estimated in the other: not comparable
        return
    assert larger.loglik >= smaller.loglik - 1e-9 * abs(smaller.loglik)


@pytest.mark.parametrize("model", MODELS)
@random_checks()
@given(case=instances(effects=("none",)))
def test_log_likelihood_is_its_definition(model, case):
    fit = case.fit(model)
    np.testing.assert_allclose(fit.loglik, pooled_loglik(case, fit.params), rtol=1e-11, atol=1e-10)


@pytest.mark.parametrize("model", MODELS)
@random_checks()
@given(case=instances(effects=("none",)), seed=st.integers(0, 10**6))
def test_nothing_near_the_maximum_is_better(model, case, seed):
    fit = case.fit(model)
    rng = np.random.default_rng(seed)
    for size in (1e-3, 1e-2, 0.1):
        step = rng.normal(size=len(fit.params)) * fit.std_errors * size
        moved = fit.params + step
        if moved["sigma2"] > 0:
            assert pooled_loglik(case, moved) <= fit.loglik + 1e-10 * abs(fit.loglik)


@pytest.mark.parametrize("model", SPATIAL)
@random_checks()
@given(case=instances(effects=("none",), n=(8, 14)))
def test_no_point_of_a_fine_grid_is_better(model, case):
    """The whole admissible interval, coefficients and variance concentrated out by least squares."""
    fit = case.fit(model)
    y, X, W = stacked(case)
    N, spec = len(W), MODELS[model]
    columns = np.concatenate([np.ones((*y.shape, 1)), X], axis=2)
    if spec.lag_x:
        columns = np.concatenate([columns, np.einsum("ij,tjk->tik", W, X)], axis=2)
    both, ends = spec.lag_y and spec.lag_error, fit.optimization.bounds
    grid = [np.linspace(*pair, 22 if both else 402)[1:-1] for pair in (ends if both else (ends, ends))]
    for rho, lam in product(grid[0] if spec.lag_y else [0.0], grid[1] if spec.lag_error else [0.0]):
        A, B = np.eye(N) - rho * W, np.eye(N) - lam * W
        target = (y @ A.T @ B.T).ravel()
        Z = np.einsum("ij,tjk->tik", B, columns)
        e = target - Z.reshape(y.size, -1) @ np.linalg.lstsq(Z.reshape(y.size, -1), target, rcond=None)[0]
        own = case.n_times * (np.linalg.slogdet(A)[1] + np.linalg.slogdet(B)[1])
        own -= 0.5 * y.size * (np.log(2 * np.pi * (e @ e) / y.size) + 1)
        assert own <= fit.loglik + 1e-9


@pytest.mark.parametrize("model", SPATIAL)
@random_checks()
@given(case=instances())
def test_score_is_zero_at_the_maximum(model, case):
    record = case.fit(model).optimization
    assert record.status == "converged"
    assert abs(record.gradient) < 1e-6  # in standard errors


@random_checks(30)
@given(case=instances(effects=("none",)))
def test_error_model_is_a_durbin_model_with_theta_minus_rho_beta(case):
    sem = case.fit("sem")
    p = sem.params.rename({"lambda": "rho"})
    W1 = case.weights().sparse.sum(axis=1)
    p["W_x1"], p["W_x2"] = -p["rho"] * p["x1"], -p["rho"] * p["x2"]
    if np.ptp(W1) > 1e-12:  # W 1 is not constant: the common factor holds for the intercept too
        return
    p["Intercept"] *= 1.0 - p["rho"] * W1[0]
    np.testing.assert_allclose(pooled_loglik(case, p), sem.loglik, rtol=1e-11, atol=1e-10)


@pytest.mark.parametrize("model", MODELS)
@random_checks(8)
@given(case=instances(t=(1, 1), effects=("none",), n=(12, 30)))
def test_one_period_is_the_cross_section(model, case):
    table = case.table.drop(columns="year").set_index("unit")
    assert_same_numbers(case.fit(model), case.fit(model, data=table, fixed=None, bias=None))


@pytest.mark.parametrize("model", MODELS)
@random_checks(8)
@given(case=instances(t=(2, 4), effects=("none",), n=(8, 12)))
def test_pooled_panel_is_a_block_diagonal_cross_section(model, case):
    labels = [f"{u}-{t}" for t in sorted(case.table["year"].unique()) for u in case.ids]
    w = SpatialWeights(np.kron(np.eye(case.n_times), case.weights().sparse.toarray()), labels)
    table = case.table.sort_values(["year", "unit"]).set_axis(pd.Index(labels), axis=0)
    found = case.fit(model, data=table, w=w, fixed=None, bias=None)
    assert_same_numbers(found, case.fit(model), rtol=1e-10)


@pytest.mark.parametrize("model", [m for m in MODELS if m != "ols"])
@random_checks(8)
@given(case=instances())
def test_without_links_every_model_is_least_squares(model, case):
    empty = SpatialWeights(np.zeros_like(case.raw), case.ids)
    with pytest.warns(EstimationWarning, match="hold no links"):
        found = sde.fit(FORMULA, case.panel(), empty, model=model, fixed=case.fixed, bias="lee-yu")
    expected = case.fit("ols", bias="none" if case.fixed == "none" else "lee-yu")
    assert_same_numbers(found, expected)
    assert found.model == "ols"


@pytest.mark.parametrize("model", SPATIAL)
@random_checks(8)
@given(case=instances(kinds=("row", "binary"), effects=("none", "individual"), biases=("none",)))
def test_links_that_carry_almost_nothing_change_almost_nothing(model, case):
    """rho W with W scaled away: SAR and SEM approach least squares plus one wasted parameter; never below it."""
    small, ols = case.fit(model, w=case.weights(scale=1e-9)), case.fit("ols")
    assert small.loglik >= ols.loglik - 1e-9 * abs(ols.loglik)


@pytest.mark.parametrize("kind", KINDS)
@random_checks(4)
@given(data=st.data())
def test_effects_of_any_weights_equal_the_dense_inverse(kind, data):
    case = data.draw(instances(kinds=(kind,)))
    fit = case.fit("sdm")
    W, N = case.weights().sparse.toarray(), case.n_units
    S = np.linalg.inv(np.eye(N) - fit.rho * W)
    table = quiet(fit.effects, "delta").table["estimate"]
    for term in SLOPES:
        M = S @ (fit.params[term] * np.eye(N) + fit.params[f"W_{term}"] * W)
        direct, total = np.trace(M) / N, M.sum() / N
        np.testing.assert_allclose(table[term], [direct, total - direct, total], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("model", MODELS)
@random_checks(8)
@given(case=instances(kinds=ROW_STOCHASTIC, biases=BIASES))
def test_total_effects_of_row_stochastic_weights(model, case):
    fit = case.fit(model)
    table = quiet(fit.effects, "delta").table["estimate"].unstack()  # noqa: PD010
    np.testing.assert_allclose(table["direct"] + table["indirect"], table["total"], rtol=1e-10, atol=1e-12)
    rho = fit.params.get("rho", 0.0)
    for term in SLOPES:
        total = (fit.params[term] + fit.params.get(f"W_{term}", 0.0)) / (1.0 - rho)
        np.testing.assert_allclose(table.loc[term, "total"], total, rtol=1e-10, atol=1e-12)
    if model == "sar":
        ratios = table["indirect"] / table["direct"]
        np.testing.assert_allclose(ratios["x1"], ratios["x2"], rtol=1e-9)


@random_checks(6)
@given(case=instances(kinds=("row", "binary"), t=(5, 8)))
def test_simulated_errors_approach_the_delta_method(case):
    """As far as the normal distribution goes: away from the bounds, where effects are nearly linear."""
    fit = case.fit("slx")  # exactly linear in the coefficients
    delta = fit.effects("delta").table["std_error"]
    drawn = fit.effects(draws=20_000, seed=1).table["std_error"]
    np.testing.assert_allclose(drawn, delta, rtol=0.03)
