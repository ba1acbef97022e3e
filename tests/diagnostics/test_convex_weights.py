"""Shares of several weights: dense quadrature of their posterior, planted shares found again, bad input."""

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import EstimationWarning, IdentificationError, OptionError
from spatial_de.weights import SpatialWeights


def weights(n, count, *, links=4):
    out = {}
    for m in range(count):
        rng = np.random.default_rng(m + 10)
        W = np.zeros((n, n))
        for i in range(n):
            W[i, rng.choice(np.delete(np.arange(n), i), links, replace=False)] = 1.0 / links
        out["abcdef"[m]] = SpatialWeights(W, [f"u{i:03}" for i in range(n)], normalization="row")
    return out


def combined(given, shares):
    return sum(share * w.sparse.toarray() for share, w in zip(shares, given.values(), strict=True))


def panel(given, shares, *, times, rho=0.5, seed=0):
    rng = np.random.default_rng(seed)
    first = next(iter(given.values()))
    n, A = first.n, np.eye(first.n) - rho * combined(given, shares)
    x = rng.standard_normal((times, n))
    noise = x + rng.standard_normal((times, n)) + rng.standard_normal(n) + rng.standard_normal((times, 1))
    y = np.linalg.solve(A, noise.T).T
    rows = [(first.ids[i], 2000 + t, y[t, i], x[t, i]) for t in range(times) for i in range(n)]
    return sde.Panel(pd.DataFrame(rows, columns=["unit", "year", "y", "x"]), unit="unit", time="year")


@pytest.mark.filterwarnings("ignore::spatial_de.errors.EstimationWarning")
@pytest.mark.parametrize("fixed", ["none", "two-way"])
def test_posterior_of_rho_and_share_equals_dense_quadrature(fixed):
    given = weights(8, 2, links=3)
    data = panel(given, [0.7, 0.3], times=3, seed=2)
    found = sde.convex_weights("y ~ x", data, given, model="sar", fixed=fixed, draws=40_000)
    frame = data.to_frame()
    y, x = (frame.pivot_table(index="year", columns="unit", values=name).to_numpy() for name in "yx")
    if fixed == "two-way":
        U, V = (np.linalg.svd(np.eye(m) - 1.0 / m)[0][:, : m - 1] for m in (8, 3))
        Z = (V.T @ x @ U).reshape(-1, 1)
        lagged = [(V.T @ (y @ w.sparse.toarray().T) @ U).ravel() for w in given.values()]
        response, times = (V.T @ y @ U).ravel(), 2
    else:
        Z = np.column_stack([np.ones(24), x.ravel()])
        lagged = [(y @ w.sparse.toarray().T).ravel() for w in given.values()]
        response, times = y.ravel(), 3
    nodes, masses = np.polynomial.legendre.leggauss(80)
    Q = np.linalg.qr(Z)[0]
    heights = np.empty((80, 80))
    for i, rho in enumerate(nodes):
        for j, share in enumerate(0.5 * (nodes + 1.0)):
            e = response - rho * (share * lagged[0] + (1.0 - share) * lagged[1])
            e = e - Q @ (Q.T @ e)
            logdet = np.linalg.slogdet(np.eye(8) - rho * combined(given, [share, 1.0 - share]))[1]
            logdet -= np.log(1.0 - rho) if fixed == "two-way" else 0.0
            heights[i, j] = times * logdet - 0.5 * (len(response) - Z.shape[1]) * np.log(e @ e)
    density = np.exp(heights - heights.max()) * np.outer(masses, masses)
    density /= density.sum()
    for name, values in (("rho", nodes[:, None]), ("share[a]", 0.5 * (nodes + 1.0)[None, :])):
        mean = float((density * values).sum())
        sd = float(np.sqrt((density * (values - mean) ** 2).sum()))
        error = sd / np.sqrt(min(found.diagnostics.ess_bulk, found.diagnostics.ess_tail))
        assert found.table.loc[name, "mean"] == pytest.approx(mean, abs=5.0 * error)
        assert found.table.loc[name, "std"] == pytest.approx(sd, rel=0.05)


def test_planted_shares_are_found_again():
    given = weights(60, 3)
    truth = np.array([0.6, 0.4, 0.0])
    found = sde.convex_weights("y ~ x", panel(given, truth, times=20, rho=0.6), given, draws=4_000)
    gap = np.abs(found.shares.to_numpy() - truth)
    spread = found.table.loc[[f"share[{name}]" for name in given], "std"].to_numpy()
    assert (gap < 4.0 * spread).all()
    assert (spread < 0.09).all()
    assert found.table.loc["rho", "conf_low"] < 0.6 < found.table.loc["rho", "conf_high"]
    np.testing.assert_allclose(found.shares.sum(), 1.0)
    np.testing.assert_allclose(found.weights.sparse.toarray(), combined(given, found.shares), atol=1e-15)


def test_draws_are_one_model_with_one_w_where_a_share_is_all():
    given = weights(40, 2)
    data = panel(given, [1.0, 0.0], times=15, rho=0.7)
    found = sde.convex_weights("y ~ x", data, given, model="sar", draws=8_000)
    one = sde.fit("y ~ x", data, given["a"], model="sar")
    assert found.table.loc["share[a]", "mean"] > 0.9
    assert abs(found.table.loc["x", "mean"] - one.params["x"]) < one.std_errors["x"]
    assert abs(found.table.loc["sigma2", "mean"] - one.sigma2) < one.std_errors["sigma2"]


@pytest.mark.filterwarnings("ignore::spatial_de.errors.EstimationWarning")
def test_order_of_rows_and_units_of_measurement_do_not_matter():
    given = weights(12, 2)
    data = panel(given, [0.5, 0.5], times=25)
    base = sde.convex_weights("y ~ x", data, given, draws=800, seed=3)
    frame = data.to_frame().sample(frac=1.0, random_state=0).assign(y=lambda d: 1e3 * d.y, x=lambda d: 1e-2 * d.x)
    turned = {name: w.reorder(w.ids[::-1]) for name, w in given.items()}
    other = sde.convex_weights("y ~ x", sde.Panel(frame, unit="unit", time="year"), turned, draws=800, seed=3)
    names = ["rho", "share[a]", "share[b]"]
    np.testing.assert_allclose(base.table.loc[names], other.table.loc[names], rtol=1e-6)
    np.testing.assert_allclose(base.table.loc["W_x[a]"], 1e-5 * other.table.loc["W_x[a]"], rtol=1e-5)


def test_no_dependence_is_said():
    given = weights(30, 2)
    with pytest.warns(EstimationWarning, match="holds zero"):
        found = sde.convex_weights("y ~ x", panel(given, [0.5, 0.5], times=8, rho=0.0), given, draws=4_000)
    assert any("holds zero" in note for note in found.notes)
    assert found.table.loc["share[a]", "std"] > 0.2


def test_bad_input():
    given = weights(12, 2)
    data = panel(given, [0.5, 0.5], times=4)
    ask = sde.convex_weights
    with pytest.raises(OptionError, match="two or more"):
        ask("y ~ x", data, {"a": given["a"]})
    with pytest.raises(OptionError, match="'b' do not all add up to one"):
        ask("y ~ x", data, {"a": given["a"], "b": SpatialWeights(2.0 * given["b"].sparse, given["b"].ids)})
    with pytest.raises(OptionError, match="'sem'"):
        ask("y ~ x", data, given, model="sem")
    with pytest.raises(OptionError, match="draws"):
        ask("y ~ x", data, given, draws=10)
    with pytest.raises(IdentificationError, match="W_x"):
        ask("y ~ x", data, {"a": given["a"], "again": given["a"]})
