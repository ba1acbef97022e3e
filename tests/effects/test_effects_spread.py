"""Effects between groups, by unit, by order and in full, against the dense matrix of partial derivatives."""

import warnings

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.effects.curves import curves
from spatial_de.effects.inference import Sampling, _admissible, _draw
from spatial_de.effects.spread import Network, order_parts
from spatial_de.errors import (
    AlignmentError,
    CapacityError,
    ConvergenceError,
    DataError,
    EstimationWarning,
    OptionError,
)
from spatial_de.models import MODELS
from spatial_de.results.spillovers import coefficients
from spatial_de.weights import SpatialWeights

N, T = 12, 6
IDS = [f"u{i:02d}" for i in range(N)]
REGION = pd.Series(["east"] * 5 + ["west"] * 4 + ["north"] * 3, index=IDS)
KINDS = ("row", "binary", "islands", "asymmetric")


def weights(kind, seed=4):
    rng = np.random.default_rng(seed)
    links = rng.uniform(size=(N, N)) < 0.25
    np.fill_diagonal(links, val=False)
    links[np.arange(N), (np.arange(N) + 1) % N] = True
    raw = 1.0 * (links | links.T) if kind == "binary" else links * rng.uniform(0.3, 1.0, (N, N))
    if kind == "islands":
        raw[[2, 7]] = 0.0
    return SpatialWeights(raw, IDS, normalization="row" if kind in {"row", "islands"} else "none")


def fitted(model, kind, *, fixed="individual", **options):
    w, rng = weights(kind), np.random.default_rng(9)
    W = w.to_dense().to_numpy()
    rho = 0.3 / np.abs(np.linalg.eigvals(W)).max()
    X = rng.normal(size=(T, N, 2))
    mean = X @ [1.0, -0.5] + 0.4 * X[:, :, 0] @ W.T + rng.normal(size=N)
    y = (mean + 0.3 * rng.normal(size=(T, N))) @ np.linalg.inv(np.eye(N) - rho * W).T
    index = pd.MultiIndex.from_product([range(T), IDS], names=["year", "unit"])
    table = pd.DataFrame({"y": y.ravel(), "a": X[:, :, 0].ravel(), "b": X[:, :, 1].ravel()}, index=index).reset_index()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        return sde.fit("y ~ a + b", sde.Panel(table, "unit", "year"), w, model=model, fixed=fixed, **options), W


def places(fit, term="a"):
    names = list(fit.params.index)
    return [names.index(name) if name in names else None for name in (term, f"W_{term}", "rho")]


def partial_derivatives(point, W):
    beta, theta, rho = point
    S = np.linalg.inv(np.eye(N) - rho * W)
    return S @ (beta * np.eye(N) + theta * W)


def delta(fit, W, summary, term="a"):
    """Estimates and standard errors of any summary of the matrix, by numerical derivatives."""
    found = places(fit, term)
    point = np.array([0.0 if i is None else fit.params.iloc[i] for i in found])
    step = 1e-6
    slopes = np.array(
        [
            (summary(partial_derivatives(point + step * h, W)) - summary(partial_derivatives(point - step * h, W)))
            / (2 * step)
            for h in np.eye(3)
        ]
    )
    cov = np.zeros((3, 3))
    have = [i for i, place in enumerate(found) if place is not None]
    cov[np.ix_(have, have)] = fit.cov.to_numpy()[np.ix_([found[i] for i in have], [found[i] for i in have])]
    return summary(partial_derivatives(point, W)), np.sqrt(np.einsum("ia,ij,ja->a", slopes, cov, slopes))


def between_groups(E):
    names = list(dict.fromkeys(REGION))
    out = []
    for receiver in names:
        mine = REGION.eq(receiver).to_numpy()
        out += [np.mean([E[i, REGION.eq(emitter).to_numpy()].sum() for i in np.flatnonzero(mine)]) for emitter in names]
        out.append(np.mean([E[i, i] for i in np.flatnonzero(mine)]))
    return np.array(out)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", MODELS)
def test_groups_are_block_means(model, kind):
    fit, W = fitted(model, kind)
    table = fit.effects_by_group(REGION, inference="delta").table.loc["a"]
    estimate, std_error = delta(fit, W, between_groups)
    np.testing.assert_allclose(table["estimate"], estimate, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(table["std_error"], std_error, rtol=1e-5, atol=1e-9)
    assert list(table.index[:5]) == [
        ("east", "east"),
        ("east", "west"),
        ("east", "north"),
        ("east", "east (direct)"),
        ("west", "east"),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_groups_add_up_to_the_averages(kind):
    fit, _ = fitted("sdm", kind)
    average = fit.effects("delta").table["estimate"]
    parts = fit.effects_by_group(REGION, inference="delta").table["estimate"]
    share = REGION.value_counts() / N
    for term in ("a", "b"):
        own = parts[term].reset_index()
        own["weighted"] = own["estimate"] * own["on"].map(share)
        direct = own["of"].str.endswith("(direct)")
        assert own.loc[~direct, "weighted"].sum() == pytest.approx(average[term, "total"], rel=1e-12)
        assert own.loc[direct, "weighted"].sum() == pytest.approx(average[term, "direct"], rel=1e-12)


def test_groups_meet_units_by_label():
    fit, _ = fitted("sdm", "row")
    one = fit.effects_by_group(REGION).table
    shuffled = fit.effects_by_group(REGION.sample(frac=1.0, random_state=1).to_dict()).table
    pd.testing.assert_frame_equal(one, shuffled)


@pytest.mark.parametrize("kind", KINDS)
def test_simulated_groups_are_what_every_draw_gives(kind):
    """Interpolated multipliers against a dense inverse for each draw of the same seed."""
    fit, W = fitted("sdm", kind)
    found = fit.effects_by_group(REGION, draws=200, seed=3)
    how = Sampling("simulation", 200, 3)
    c = coefficients(fit, how)
    sample, rejected = _admissible(_draw(c, how), fit.optimization.bounds, lost=0)
    values = np.array([between_groups(partial_derivatives((d[0], d[2], d[4]), W)) for d in sample])
    table = found.table.loc["a"]
    assert found.rejected == rejected
    np.testing.assert_allclose(table["std_error"], values.std(axis=0, ddof=1), rtol=1e-7)
    np.testing.assert_allclose(table["conf_low"], np.quantile(values, 0.025, axis=0), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", ["ols", "slx", "sar", "sdm"])
def test_units(model, kind):
    fit, W = fitted(model, kind)

    def by_unit(E):
        own = np.diag(E)
        return np.concatenate([own, E.sum(axis=0) - own, E.sum(axis=1) - own])

    table = fit.effects_by_unit().table.loc["a"]
    estimate, std_error = delta(fit, W, by_unit)
    np.testing.assert_allclose(table["estimate"], estimate, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(table["std_error"], std_error, rtol=1e-5, atol=1e-9)
    average = fit.effects("delta").table.loc["a", "estimate"]
    assert table.loc["direct", "estimate"].mean() == pytest.approx(average["direct"], rel=1e-12)
    for kind_of in ("emitted", "received"):
        assert table.loc[kind_of, "estimate"].mean() == pytest.approx(average["indirect"], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", ["ols", "slx", "sar", "sdm"])
def test_orders(model, kind):
    fit, W = fitted(model, kind)
    found = places(fit)
    beta, theta, rho = (0.0 if i is None else fit.params.iloc[i] for i in found)
    power, expected = np.eye(N), []
    for q in range(4):
        E = rho**q * power * beta
        if q:
            E = E + rho ** (q - 1) * np.linalg.matrix_power(W, q - 1) @ W * theta
        direct, total = np.trace(E) / N, E.sum() / N
        expected += [direct, total - direct, total]
        power = power @ W
    table = fit.effects_by_order(3, inference="delta").table.loc["a"]
    np.testing.assert_allclose(table["estimate"], expected, rtol=1e-10, atol=1e-13)
    all_orders = fit.effects_by_order(60, inference="delta").table.loc["a", "estimate"].groupby("effect").sum()
    average = fit.effects("delta").table.loc["a", "estimate"]
    np.testing.assert_allclose(all_orders[list(average.index)], average, rtol=1e-6, atol=1e-9)


def test_errors_of_orders_by_numerical_derivatives():
    fit, W = fitted("sdm", "asymmetric")
    found = places(fit)
    point = fit.params.to_numpy()[found]

    def second(p):
        E = p[2] ** 2 * W @ W * p[0] + p[2] * W @ W * p[1]
        return np.array([np.trace(E), E.sum() - np.trace(E), E.sum()]) / N

    slopes = np.array([(second(point + h) - second(point - h)) / 2e-6 for h in 1e-6 * np.eye(3)])
    cov = fit.cov.to_numpy()[np.ix_(found, found)]
    table = fit.effects_by_order(2, inference="delta").table.loc[("a", 2)]
    np.testing.assert_allclose(table["std_error"], np.sqrt(np.einsum("ia,ij,ja->a", slopes, cov, slopes)), rtol=1e-6)


@pytest.mark.parametrize("model", ["ols", "sdm"])
def test_the_matrix_in_full(model):
    fit, W = fitted(model, "asymmetric")
    found = places(fit)
    point = [0.0 if i is None else fit.params.iloc[i] for i in found]
    matrix = fit.effect_matrix("a")
    np.testing.assert_allclose(matrix, partial_derivatives(point, W), rtol=1e-10, atol=1e-14)
    assert (matrix.index.name, matrix.columns.name) == ("on", "of")
    assert list(matrix.index) == IDS


def test_weights_of_their_own_for_regressors():
    other = weights("binary", seed=8)
    fit, W = fitted("sdm", "row", durbin_weights=other)
    beta, theta, rho = fit.params.to_numpy()[places(fit)]
    expected = np.linalg.inv(np.eye(N) - rho * W) @ (beta * np.eye(N) + theta * other.to_dense().to_numpy())
    np.testing.assert_allclose(fit.effect_matrix("a"), expected, rtol=1e-10, atol=1e-14)
    parts = fit.effects_by_group(REGION, inference="delta").table.loc["a"]["estimate"]
    np.testing.assert_allclose(parts, between_groups(expected), rtol=1e-9)
    total = fit.effects("delta").table["estimate"].xs("a")["total"]
    assert expected.sum() / N == pytest.approx(total, rel=1e-10)


def test_they_follow_the_covariance_and_survive_a_round_trip():
    fit, _ = fitted("sdm", "row")
    clustered = fit.with_cov("cluster")
    one, other = (f.effects_by_group(REGION, inference="delta") for f in (fit, clustered))
    assert other.covariance == "cluster"
    assert (one.table["std_error"] != other.table["std_error"]).all()
    for found in (one, fit.effects_by_unit(), fit.effects_by_order(2)):
        again = type(found).from_dict(found.to_dict())
        pd.testing.assert_frame_equal(again.table, found.table, check_index_type=False)
        assert found.title in repr(found)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda f: f.effects_by_group(REGION[:-1]), AlignmentError, "groups= has no group for 'u11'"),
        (lambda f: f.effects_by_group("region"), OptionError, "groups= is a str: give the group of every unit"),
        (
            lambda f: f.effects_by_group(REGION.where(REGION != "west")),
            DataError,
            "groups= is missing for 'u05', 'u06'",
        ),
        (lambda f: f.effects_by_group(pd.Series("all", index=IDS)), DataError, "holds one group only, 'all'"),
        (lambda f: f.effects_by_group(pd.concat([REGION, REGION[:1]])), AlignmentError, "names units twice: 'u00'"),
        (lambda f: f.effects_by_group(REGION, inference="bayes"), OptionError, "inference='bayes' is not available"),
        (lambda f: f.effects_by_order(-1), OptionError, "orders=-1 is not allowed"),
        (lambda f: f.effect_matrix("c"), OptionError, "term='c' is not available: use one of 'a', 'b'"),
    ],
)
def test_mistakes_are_named(call, error, message):
    fit, _ = fitted("sdm", "row")
    with pytest.raises(error) as caught:
        call(fit)
    assert message in str(caught.value)


def test_matrices_that_would_not_fit_are_refused(monkeypatch):
    fit, _ = fitted("sdm", "row")
    monkeypatch.setattr("spatial_de.effects.spread.DENSE_LIMIT", N - 1)
    with pytest.raises(CapacityError, match=r"the limit is 11 units\. effects_of_change\(\) gives"):
        fit.effect_matrix("a")
    with pytest.raises(CapacityError, match=r"the limit is 11 units\. own='within' gives"):
        fit.effects_by_unit()


def test_curves_that_no_polynomial_follows_are_refused():
    rho = np.linspace(-0.5, 0.5, 50)
    with pytest.raises(ConvergenceError, match="cannot be interpolated"):
        curves(lambda x: np.array([abs(x)]), rho, poles=(-1.0, 1.0))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", ["ols", "slx", "sar", "sdm", "gns"])
def test_large_networks_give_what_dense_matrices_give(model, kind, monkeypatch):
    """Solutions with sparse factors, and traces by complex steps."""
    fit, _ = fitted(model, kind)
    small = fit.effects_by_group(REGION, inference="delta").table
    orders = fit.effects_by_order(7, inference="delta").table
    monkeypatch.setattr("spatial_de.effects.spread.DENSE_LIMIT", N - 1)
    pd.testing.assert_frame_equal(fit.effects_by_group(REGION, inference="delta").table, small, rtol=1e-8, atol=1e-11)
    pd.testing.assert_frame_equal(fit.effects_by_order(7, inference="delta").table, orders, rtol=1e-10, atol=1e-13)


def test_powers_of_large_networks_that_fill_up_are_refused(monkeypatch):
    fit, _ = fitted("sdm", "row")
    monkeypatch.setattr("spatial_de.effects.spread._FULL", 1.0)
    monkeypatch.setattr("spatial_de.effects.spread._LINKS", 60)
    with pytest.raises(CapacityError, match=r"to the power of 2 link .* ask for fewer orders than 3"):
        fit.effects_by_order(6)
    assert len(fit.effects_by_order(2, inference="delta").table) == 2 * 3 * 3


def test_powers_of_full_weights_are_dense():
    rng = np.random.default_rng(2)
    W = rng.uniform(size=(6, 6)) * (1 - np.eye(6))
    network = Network.of(6, SpatialWeights(W, range(6), normalization="none"), None)
    own = order_parts(network, 5, np.array([0.1])).beta.reshape(6, 2)
    powers = [np.linalg.matrix_power(0.1 * W, q) for q in range(6)]
    np.testing.assert_allclose(own, [[np.trace(P) / 6, P.sum() / 6] for P in powers], rtol=1e-12)


def test_units_with_their_own_effect():
    for kind in KINDS:
        fit, W = fitted("sdm", kind)
        table = fit.effects_by_unit(own="within").table.loc["a"]
        estimate, std_error = delta(fit, W, lambda E: np.concatenate([E.sum(axis=0), E.sum(axis=1)]))
        np.testing.assert_allclose(table["estimate"], estimate, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(table["std_error"], std_error, rtol=1e-6, atol=1e-9)
        assert list(table.index.unique("effect")) == ["emitted", "received"]


@pytest.mark.parametrize("own", ["apart", "within"])
def test_simulated_units_are_what_every_draw_gives(own):
    fit, W = fitted("sdm", "islands")
    found = fit.effects_by_unit(own=own, inference="simulation", draws=150, seed=2).table.loc["a"]
    values = []
    how = Sampling("simulation", 150, 2)
    for d in _admissible(_draw(coefficients(fit, how), how), fit.optimization.bounds, lost=0)[0]:
        E = partial_derivatives((d[0], d[2], d[4]), W)
        inside = np.diag(E) if own == "apart" else 0.0
        sums = [E.sum(axis=0) - inside, E.sum(axis=1) - inside]
        values.append(np.concatenate([np.diag(E), *sums] if own == "apart" else sums))
    np.testing.assert_allclose(found["std_error"], np.std(values, axis=0, ddof=1), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found["conf_high"], np.quantile(values, 0.975, axis=0), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", ["ols", "slx", "sar", "sdm"])
def test_a_change_is_a_column_of_the_matrix_for_each_unit_that_changes(model, kind):
    fit, W = fitted(model, kind)
    found = fit.effects_of_change("a", {"u05": -2.0, "u00": 0.5})
    estimate, std_error = delta(fit, W, lambda E: 0.5 * E[:, 0] - 2.0 * E[:, 5])
    np.testing.assert_allclose(found.table["estimate"], estimate, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.table["std_error"], std_error, rtol=1e-5, atol=1e-9)
    assert list(found.table.index) == [("a", unit) for unit in IDS]
    everywhere = fit.effects_of_change("a", pd.Series(1.0, index=IDS[::-1])).table["estimate"]
    assert everywhere.mean() == pytest.approx(fit.effects("delta").table.loc[("a", "total"), "estimate"], rel=1e-9)


def test_simulated_effects_of_a_change():
    fit, W = fitted("sdm", "row")
    how = Sampling("simulation", 120, 1)
    found = fit.effects_of_change("b", {"u03": 1.0}, inference="simulation", draws=120, seed=1).table
    sample = _draw(coefficients(fit, how).only("b"), how)
    sample = _admissible(sample, fit.optimization.bounds, lost=0)[0]
    values = [partial_derivatives(d, W)[:, 3] for d in sample]
    np.testing.assert_allclose(found["std_error"], np.std(values, axis=0, ddof=1), rtol=1e-7)


@pytest.mark.parametrize(
    ("term", "change", "error", "message"),
    [
        ("a", {"u00": 1.0, "x1": 1.0}, AlignmentError, "change= names 'x1': the fit has no such unit"),
        ("a", pd.Series([1.0, 2.0], index=["u00", "u00"]), AlignmentError, "change= names units twice: 'u00'"),
        ("a", {"u00": np.nan}, DataError, "change= is not a finite number for 'u00'"),
        ("a", {"u00": "much"}, DataError, "change= is not a finite number for 'u00'"),
        ("a", {}, DataError, "change= names no unit"),
        ("A", {"u00": 1.0}, OptionError, "term='A' is not available: use one of 'a', 'b'"),
    ],
)
def test_changes_that_cannot_be(term, change, error, message):
    fit, _ = fitted("sdm", "row")
    with pytest.raises(error) as caught:
        fit.effects_of_change(term, change)
    assert message in str(caught.value)


def test_too_many_draws_of_too_many_effects(monkeypatch):
    fit, _ = fitted("sdm", "row")
    monkeypatch.setattr("spatial_de.results.spillovers._NUMBERS", 3000)
    with pytest.raises(CapacityError, match="use inference='delta' or fewer draws"):
        fit.effects_by_unit(inference="simulation", draws=100)
    fit.effects_by_unit(inference="simulation", draws=50)
