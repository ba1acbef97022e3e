"""Effects against the dense inverse, their standard errors against numerical derivatives, for any weights."""

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.effects.core import compute_effects as compute
from spatial_de.effects.inference import Coefficients, Sampling
from spatial_de.effects.multipliers import multipliers
from spatial_de.errors import ConvergenceError, EstimationWarning, OptionError
from spatial_de.weights import SpatialWeights


def compute_effects(c, w, *, logdet=None, **how):
    return compute(c, w, how=Sampling(**how), logdet=logdet)


KINDS = ("row", "binary", "islands", "asymmetric", "spectral", "minmax", "ring")
N = 14


def weights(kind, seed=0):
    rng = np.random.default_rng(seed)
    links = rng.uniform(size=(N, N)) < 0.25
    np.fill_diagonal(links, val=False)
    links[np.arange(N), (np.arange(N) + 1) % N] = True
    raw = links * rng.uniform(0.3, 1.0, (N, N))
    if kind in {"binary", "spectral"}:
        raw = 1.0 * (links | links.T)
    if kind == "islands":
        raw[[2, 5]] = 0.0
        raw[:, 5] = 0.0
    if kind == "ring":  # one-way: complex eigenvalues on the unit circle
        raw = np.roll(np.eye(N), 1, axis=1)
    how = {"row": "row", "islands": "row", "ring": "row", "spectral": "spectral", "minmax": "minmax"}.get(kind, "none")
    return SpatialWeights(raw, [f"u{i:02d}" for i in range(N)], normalization=how)


def brute(W, beta, theta, rho):
    """Direct, indirect and total effect as averages of the matrix of partial derivatives."""
    matrix = np.linalg.inv(np.eye(len(W)) - rho * W) @ (beta * np.eye(len(W)) + theta * W)
    direct, total = np.trace(matrix) / len(W), matrix.sum() / len(W)
    return np.array([direct, total - direct, total])


def coefficients(rho, seed=0):
    rng = np.random.default_rng(seed)
    root = 0.1 * rng.normal(size=(5, 5))
    return Coefficients(("a", "b"), rng.normal(size=2), rng.normal(size=2), rho, root @ root.T)


def share_of_bound(W, share):
    """A spatial parameter inside the admissible interval."""
    return share / np.abs(np.linalg.eigvals(W)).max()


@pytest.mark.parametrize("share", [-0.7, 0.0, 0.3, 0.9])
@pytest.mark.parametrize("kind", KINDS)
def test_estimates_and_delta_errors(kind, share):
    w = weights(kind)
    W = w.to_dense().to_numpy()
    c = coefficients(share_of_bound(W, share))
    table = compute_effects(c, w, inference="delta").table

    def of(point):
        return np.concatenate([brute(W, point[j], point[2 + j], point[4]) for j in range(2)])

    centre = np.array([*c.beta, *c.theta, c.rho])
    np.testing.assert_allclose(table["estimate"], of(centre), rtol=1e-10, atol=1e-13)
    h = 1e-4 * (1 - abs(share))
    steps = h * np.eye(5)
    jacobian = np.column_stack(
        [(8 * (of(centre + s) - of(centre - s)) - of(centre + 2 * s) + of(centre - 2 * s)) / (12 * h) for s in steps]
    )
    np.testing.assert_allclose(table["std_error"], np.sqrt(np.diag(jacobian @ c.cov @ jacobian.T)), rtol=1e-8)
    half = 1.959963984540054 * table["std_error"]
    np.testing.assert_allclose(table["conf_low"], table["estimate"] - half, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(table["conf_high"], table["estimate"] + half, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_simulation_has_the_distribution_of_brute_force(kind):
    """The square root of a covariance is not unique, so distributions are compared, not draws."""
    w = weights(kind)
    W = w.to_dense().to_numpy()
    c = coefficients(share_of_bound(W, 0.2))
    small = np.array([0.2, 0.2, 0.2, 0.2, 0.1 / np.abs(np.linalg.eigvals(W)).max()])
    c = Coefficients(c.terms, c.beta, c.theta, c.rho, c.cov * np.outer(small, small))
    found = compute_effects(c, w, draws=40_000, seed=1).table
    rng = np.random.default_rng(2)
    draws = rng.multivariate_normal([*c.beta, *c.theta, c.rho], c.cov, size=3_000)
    sample = np.array([np.concatenate([brute(W, d[j], d[2 + j], d[4]) for j in range(2)]) for d in draws])
    np.testing.assert_allclose(found["std_error"], sample.std(axis=0, ddof=1), rtol=0.06)
    for column, q in (("conf_low", 0.025), ("conf_high", 0.975)):
        gap = np.abs(found[column].to_numpy() - np.quantile(sample, q, axis=0)) / sample.std(axis=0)
        assert gap.max() < 0.15
    delta = compute_effects(c, w, inference="delta").table["std_error"]
    np.testing.assert_allclose(found["std_error"], delta, rtol=0.06)


@pytest.mark.parametrize("kind", KINDS)
def test_multipliers_of_many_draws_equal_the_dense_inverse(kind):
    """Interpolated totals and traces at every draw, not only on average."""
    w = weights(kind)
    W = w.to_dense().to_numpy()
    rho = share_of_bound(W, np.random.default_rng(0).uniform(-0.8, 0.9, 60))
    m = multipliers(w, rho)
    for i, r in enumerate(rho):
        S = np.linalg.inv(np.eye(N) - r * W)
        dense = [np.trace(S) / N, np.trace(S @ W) / N, S.sum() / N, (S @ W).sum() / N]
        found = [m.direct_beta[i], m.direct_theta[i], m.total_beta[i], m.total_theta[i]]
        np.testing.assert_allclose(found, dense, rtol=1e-9, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Some draws of rho come close")
def test_draws_outside_the_admissible_interval_are_counted():
    w = weights("row")
    wide = Coefficients(("a",), np.ones(1), np.zeros(1), 0.98, np.diag([0.01, 0.0, 0.05**2]))
    with pytest.warns(EstimationWarning, match="outside its admissible interval"):
        effects = compute_effects(wide, w, draws=1000, seed=3)
    assert effects.rejected + effects.draws == 1000
    assert 250 < effects.rejected < 450  # P(z > 0.4) = 0.345


def table_of(seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(N, 3)), columns=["y", "x", "z"], index=weights("row").ids)
    frame["group"] = ["p", "q"] * (N // 2)
    return frame


def test_dummies_and_constants_have_no_effects_and_are_not_lagged():
    fit = sde.fit("y ~ x + C(group)", table_of(), weights("row"), model="sdm")
    assert [t for t in fit.params.index if t.startswith("W_")] == ["W_x"]
    assert fit.effects("delta").table.index.unique(0).tolist() == ["x"]


def test_durbin_lags_only_what_it_names():
    fit = sde.fit("y ~ x + z", table_of(), weights("binary"), model="sdm", durbin=["z"])
    W = fit.weights.to_dense().to_numpy()
    table = fit.effects("delta").table["estimate"]
    np.testing.assert_allclose(table["x"], brute(W, fit.params["x"], 0.0, fit.rho), rtol=1e-10)
    np.testing.assert_allclose(table["z"], brute(W, fit.params["z"], fit.params["W_z"], fit.rho), rtol=1e-10)


@pytest.mark.parametrize(("model", "indirect"), [("ols", False), ("sem", False), ("slx", True), ("sdem", True)])
def test_models_without_a_spatial_lag(model, indirect):
    """Direct is beta, indirect is theta times the mean row sum; their errors are those of the coefficients."""
    fit = sde.fit("y ~ x + z", table_of(), weights("row"), model=model)
    table = fit.effects("delta").table
    assert table.loc[("x", "direct"), "estimate"] == pytest.approx(fit.params["x"], rel=1e-12)
    assert table.loc[("x", "direct"), "std_error"] == pytest.approx(fit.std_errors["x"], rel=1e-12)
    expected = fit.params["W_x"] if indirect else 0.0
    assert table.loc[("x", "indirect"), "estimate"] == pytest.approx(expected, rel=1e-10, abs=1e-14)
    if indirect:
        total = np.sqrt(fit.cov.loc[["x", "W_x"], ["x", "W_x"]].to_numpy().sum())
        assert table.loc[("x", "total"), "std_error"] == pytest.approx(total, rel=1e-10)


@pytest.mark.filterwarnings("ignore:Some draws of rho come close")
def test_round_trip_seed_and_level():
    fit = sde.fit("y ~ x", table_of(), weights("row"), model="sar")
    first, again, other = fit.effects(seed=5), fit.effects(seed=5), fit.effects(seed=6)
    pd.testing.assert_frame_equal(first.table, again.table, check_exact=True)
    assert not np.allclose(first.table["std_error"], other.table["std_error"], rtol=1e-12)
    back = sde.fit("y ~ x", table_of(), weights("row"), model="sar").effects(seed=5).from_dict(first.to_dict())
    pd.testing.assert_frame_equal(back.table, first.table)
    assert (back.seed, back.draws, back.level) == (5, first.draws, 0.95)
    narrow, wide = fit.effects("delta", level=0.5).table, fit.effects("delta", level=0.99).table
    assert (wide["conf_high"] - wide["conf_low"] > narrow["conf_high"] - narrow["conf_low"]).all()
    assert list(first.to_frame().columns[:3]) == ["term", "effect", "estimate"]
    assert "x" in repr(first)


def test_options_are_checked():
    fit = sde.fit("y ~ x", table_of(), weights("row"), model="sar")
    with pytest.raises(OptionError, match="level="):
        fit.effects(level=1.0)
    with pytest.raises(OptionError, match="draws="):
        fit.effects(draws=1)
    with pytest.raises(OptionError, match="simulation"):
        fit.effects("jackknife")
    broken = Coefficients(("a",), np.ones(1), np.zeros(1), 0.1, np.full((3, 3), np.nan))
    with pytest.raises(ConvergenceError, match="no covariance"):
        compute_effects(broken, weights("row"))


def test_draws_near_the_bound_are_reported():
    """A few draws of rho near one make the standard deviation; the quantiles stay where they are."""
    near = Coefficients(("a",), np.ones(1), np.zeros(1), 0.9, np.diag([0.01, 0.0, 0.03**2]))
    with pytest.warns(EstimationWarning, match="Some draws of rho come close to its bound"):
        effects = compute_effects(near, weights("row"), draws=2000, seed=1)
    assert "Some draws" in effects.notes[0]
    assert "Note: Some draws" in repr(effects)
    far = Coefficients(("a",), np.ones(1), np.zeros(1), 0.3, np.diag([0.01, 0.0, 0.03**2]))
    assert compute_effects(far, weights("row"), draws=2000, seed=1).notes == ()


@pytest.mark.filterwarnings("ignore:Some draws")
@pytest.mark.parametrize("rho", [0.2, 0.8, 0.9])
def test_p_values_of_simulation_agree_with_its_intervals(rho):
    """At 5 % the p-value rejects where the 95 % interval leaves out zero, whatever the skewness."""
    seen = set()
    for beta in np.linspace(-0.5, 0.5, 41):
        c = Coefficients(("a",), np.array([beta]), np.array([0.1]), rho, np.diag([0.01, 0.01, 0.04**2]))
        found = compute_effects(c, weights("row"), draws=999, seed=2)
        table = found.table
        outside = (table["conf_low"] > 0.0) | (table["conf_high"] < 0.0)
        # the share moves in steps of two thousandths, and draws without effects count in p-values only
        clear = (table["p_value"] - 0.05).abs() > 0.005 + 2.0 * found.rejected / 999
        assert ((table["p_value"] < 0.05) == outside)[clear].all()
        seen |= set(outside)
        assert table["p_value"].between(1e-3, 1.0).all()
    assert seen == {True, False}


@pytest.mark.filterwarnings("ignore:Some draws")
def test_draws_without_effects_count_as_beyond_zero():
    """rho 0.9 (0.1): a sixth of the draws lies beyond one; all others give a positive effect."""
    c = Coefficients(("a",), np.array([5.0]), np.zeros(1), 0.9, np.diag([0.01, 0.0, 0.1**2]))
    with pytest.warns(EstimationWarning, match="draws of rho fall outside its admissible interval"):
        found = compute_effects(c, weights("row"), draws=999, seed=0)
    assert 130 < found.rejected < 190
    assert found.table["p_value"].to_numpy() == pytest.approx(np.full(3, (2 * found.rejected + 1) / 1000))


def test_an_effect_that_every_draw_gives_has_the_smallest_p_value():
    c = Coefficients(("a",), np.array([5.0]), np.zeros(1), 0.3, np.diag([0.01, 0.0, 0.01**2]))
    assert (compute_effects(c, weights("row"), draws=999, seed=0).table["p_value"] == 1e-3).all()


def test_draws_from_elsewhere_take_the_place_of_the_simulation():
    """Standard deviations, quantiles and shares of the dense effects of every draw; lost draws count beyond zero."""
    rng = np.random.default_rng(8)
    sample = np.column_stack([rng.normal(1.0, 0.3, 400), rng.normal(0.4, 0.3, 400), rng.uniform(-0.2, 0.6, 400)])
    c = Coefficients(("a",), np.ones(1), np.full(1, 0.4), 0.3, np.full((3, 3), np.nan), sample=sample, lost=7)
    w = weights("islands")
    found = compute_effects(c, w, inference="bootstrap", draws=407, seed=5)
    W = w.to_dense().to_numpy()
    effects = []
    for beta, theta, rho in sample:
        E = np.linalg.inv(np.eye(len(W)) - rho * W) @ (beta * np.eye(len(W)) + theta * W)
        direct, total = np.trace(E) / len(W), E.sum() / len(W)
        effects.append([direct, total - direct, total])
    effects = np.array(effects)
    table = found.table.loc["a"]
    np.testing.assert_allclose(table["std_error"], effects.std(axis=0, ddof=1), rtol=1e-9)
    np.testing.assert_allclose(table["conf_high"], np.quantile(effects, 0.975, axis=0), rtol=1e-9)
    beyond = np.minimum((effects <= 0).sum(axis=0), (effects >= 0).sum(axis=0)) + 7
    np.testing.assert_allclose(table["p_value"], np.minimum((2 * beyond + 1) / 408, 1.0))
    assert (found.draws, found.rejected, found.seed) == (400, 7, 5)
