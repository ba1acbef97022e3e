"""Predictions against dense matrices, conditional means of the normal distribution, and spatialreg."""

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import (
    AlignmentError,
    ConvergenceError,
    DataError,
    EstimationWarning,
    FormulaError,
    OptionError,
)
from spatial_de.models import MODELS
from spatial_de.weights import SpatialWeights

GOLDEN = Path(__file__).parents[1] / "golden" / "models"
N, T = 13, 5
KINDS = {"trend": "trend", "TS": "conditional", "TC": "reduced", "BP": "blup"}


def weights(n, kind, seed=3, first=0):
    rng = np.random.default_rng(seed)
    links = rng.uniform(size=(n, n)) < 0.25
    np.fill_diagonal(links, val=False)
    links[np.arange(n), (np.arange(n) + 1) % n] = True
    raw = links * rng.uniform(0.3, 1.0, (n, n))
    if kind == "islands":
        raw[[2, 5]] = 0.0
    how = {"binary": "none", "row": "row", "islands": "row"}[kind]
    return SpatialWeights(raw, [f"u{i + first:02d}" for i in range(n)], normalization=how)


def table_of(w, times, seed=0, rho=0.3, lam=0.3):
    rng, n = np.random.default_rng(seed), w.n
    W = w.to_dense().to_numpy() / np.abs(np.linalg.eigvals(w.to_dense())).max()
    x, z = rng.normal(size=(2, len(times), n))
    u = 0.5 * rng.normal(size=(len(times), n)) @ np.linalg.inv(np.eye(n) - lam * W).T
    mean = 2.0 + x - 0.5 * z + 0.4 * x @ W.T + rng.normal(size=n) + rng.normal(size=(len(times), 1))
    y = (mean + u) @ np.linalg.inv(np.eye(n) - rho * W).T
    index = pd.MultiIndex.from_product([times, w.ids], names=["year", "unit"])
    return pd.DataFrame({"y": y.ravel(), "x": x.ravel(), "z": z.ravel()}, index=index).reset_index()


def fitted(model, fixed, kind="row", **options):
    w = weights(N, kind)
    table = table_of(w, range(2001, 2001 + T)).sample(frac=1.0, random_state=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        return sde.fit("y ~ x + z", sde.Panel(table, "unit", "year"), w, model=model, fixed=fixed, **options), table


def wide(series):
    """Values (T, N) of a series by (unit, year)."""
    return series.sort_index().to_numpy().reshape(N, -1).T


def ingredients(fit, table):
    """Arrays that the labelled numbers of a fit stand for: y, X beta + W X theta, A and B."""
    W, value = fit.weights.to_dense().to_numpy(), fit.params.get
    data = table.set_index(["unit", "year"])
    x, z, y = (wide(data[name]) for name in ("x", "z", "y"))
    slope = value("x") * x + value("z") * z + (value("W_x", 0.0) * x + value("W_z", 0.0) * z) @ W.T
    eye = np.eye(len(W))
    return y, slope + value("Intercept", 0.0), eye - value("rho", 0.0) * W, eye - value("lambda", 0.0) * W


CASES = [
    (model, fixed, kind, {})
    for model in MODELS
    for fixed, kind in (("none", "binary"), ("individual", "binary"), ("time", "row"), ("two-way", "row"))
] + [
    ("sdm", "two-way", "islands", {}),
    ("gns", "time", "binary", {}),
    ("sdm", "two-way", "row", {"bias": "none"}),
    ("sdem", "two-way", "row", {"bias": "correction"}),
]


@pytest.mark.parametrize(("model", "fixed", "kind", "options"), CASES)
def test_in_sample(model, fixed, kind, options):
    fit, table = fitted(model, fixed, kind, **options)
    y, slope, A, B = ingredients(fit, table)
    parts = fit.decompose()
    response = table.set_index(["unit", "year"])["y"]
    np.testing.assert_allclose(parts.sum(axis=1), response.loc[parts.index], rtol=1e-11)
    np.testing.assert_allclose(parts["noise"], fit.residuals, rtol=1e-8, atol=1e-10)
    unit, time = fit.unit_effects, fit.time_effects
    assert (unit is None) == (fixed in {"none", "time"})
    assert (time is None) == (fixed in {"none", "individual"})
    trend = slope + (0.0 if unit is None else unit.to_numpy()) + (0.0 if time is None else time.to_numpy()[:, None])
    np.testing.assert_allclose(wide(parts["trend"]), trend, rtol=1e-9, atol=1e-10)
    # the noise is what A, B and the trend leave, effects included
    np.testing.assert_allclose((y @ A.T - trend) @ B.T, wide(parts["noise"]), rtol=1e-7, atol=1e-9)
    mean = trend @ np.linalg.inv(A).T
    np.testing.assert_allclose(wide(fit.predict()), mean, rtol=1e-9)
    np.testing.assert_allclose(wide(fit.predict(kind="trend")), trend, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(fit.predict(kind="conditional"), fit.fitted, rtol=1e-9, atol=1e-10)
    root = np.linalg.inv(B @ A)
    cov = root @ root.T
    best = np.empty_like(y)
    for i in range(N):
        others = np.arange(N) != i
        share = np.linalg.solve(cov[np.ix_(others, others)], cov[others, i])
        best[:, i] = mean[:, i] + (y - mean)[:, others] @ share
    np.testing.assert_allclose(wide(fit.predict(kind="blup")), best, rtol=1e-8)
    assert fit.predict().index.equals(fit.residuals.index)


@pytest.mark.parametrize("model", ["ols", "sar", "sem", "gns"])
def test_effects_are_the_coefficients_of_dummies(model):
    """Generalised least squares of what the slopes leave, in the space of the innovations."""
    fit, table = fitted(model, "two-way", "row")
    y, slope, A, B = ingredients(fit, table)
    rest = y @ A.T - slope
    units, times = np.tile(np.eye(N), (T, 1)), np.repeat(np.eye(T), N, axis=0)
    stacked = np.kron(np.eye(T), B)
    found = np.linalg.lstsq(stacked @ np.hstack([units, times]), stacked @ rest.ravel())[0]
    level = found[N:].mean()
    np.testing.assert_allclose(fit.unit_effects, found[:N] + level, rtol=1e-8)
    np.testing.assert_allclose(fit.time_effects, found[N:] - level, rtol=1e-8, atol=1e-10)
    assert list(fit.unit_effects.index) == list(fit.units)
    assert list(fit.time_effects.index) == list(range(2001, 2001 + T))


@pytest.mark.parametrize("fixed", ["none", "individual", "time", "two-way"])
def test_other_times_of_the_same_units(fixed):
    fit, _ = fitted("sdm", fixed, "row")
    later = table_of(fit.weights, [2004, 2005, 2006, 2007], seed=8).drop(columns="y").sample(frac=1.0, random_state=1)
    panel = sde.Panel(later, "unit", "year")
    _, slope, A, _ = ingredients(fit, later.assign(y=0.0))
    trend = slope + (0.0 if fit.unit_effects is None else fit.unit_effects.to_numpy())
    if fit.time_effects is not None:
        mean = fit.time_effects.mean()
        assert (abs(mean) < 1e-12) == (fixed == "two-way")
        trend = trend + np.array([fit.time_effects[2004], fit.time_effects[2005], mean, mean])[:, None]
    found = fit.predict(panel)
    np.testing.assert_allclose(wide(found), trend @ np.linalg.inv(A).T, rtol=1e-9)
    np.testing.assert_allclose(wide(fit.predict(panel, kind="trend")), trend, rtol=1e-9)
    assert found.name == "prediction"
    if fit.time_effects is None:
        with pytest.raises(OptionError, match="time_effect= belongs to fits with time effects"):
            fit.predict(panel, time_effect=1.0)
        return
    moved = fit.predict(panel, kind="trend", time_effect={2007: 4.0, 2006: 1.0, 2004: 99.0})
    added = np.array([0.0, 0.0, 1.0 - mean, 4.0 - mean])[:, None]
    np.testing.assert_allclose(wide(moved), trend + added, rtol=1e-9)
    np.testing.assert_allclose(
        wide(fit.predict(panel, kind="trend", time_effect=2.0)), trend + np.array([0, 0, 2 - mean, 2 - mean])[:, None]
    )
    with pytest.raises(AlignmentError, match="time_effect= has no value for 2007"):
        fit.predict(panel, time_effect={2006: 1.0})
    with pytest.raises(DataError, match="time_effect= is not a finite number for 2006, 2007"):
        fit.predict(panel, time_effect=np.inf)


@pytest.mark.parametrize("fixed", ["none", "individual", "time", "two-way"])
def test_the_data_of_the_fit_given_again_change_nothing(fixed):
    fit, table = fitted("sdm", fixed, "row")
    again = fit.predict(sde.Panel(table.drop(columns="y"), "unit", "year"))
    pd.testing.assert_series_equal(again, fit.predict(), rtol=1e-10)


def cross_section(model, **options):
    """A fit of the first units, all data, and weights of all."""
    whole = weights(20, "row", seed=6)
    table = table_of(whole, [0], seed=2, lam=0.6).set_index("unit").drop(columns="year")
    old = whole.ids[:13]
    part = SpatialWeights(whole.to_dense().loc[old, old], old, normalization="row")
    other = {}
    for name in options:
        matrix = whole.to_dense().to_numpy().T
        full = SpatialWeights(matrix, whole.ids, normalization="row")
        other[name] = (SpatialWeights(full.to_dense().loc[old, old], old, normalization="row"), full)
    shuffled = table.sample(frac=1.0, random_state=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        fit = sde.fit(
            "y ~ x + z",
            shuffled.loc[shuffled.index.isin(old)],
            part,
            model=model,
            **{name: pair[0] for name, pair in other.items()},
        )
    return fit, table, whole, {name: pair[1] for name, pair in other.items()}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("separate", [False, True])
def test_new_units(model, separate):
    spec = MODELS[model]
    names = ["error_weights"] * spec.lag_error + ["durbin_weights"] * spec.lag_x if separate else []
    fit, table, whole, other = cross_section(model, **dict.fromkeys(names))
    W = whole.to_dense().to_numpy()
    M, V = (other.get(name, whole).to_dense().to_numpy() for name in ("error_weights", "durbin_weights"))
    value, eye = fit.params.get, np.eye(20)
    x, z = table["x"].to_numpy(), table["z"].to_numpy()
    trend = value("Intercept") + value("x") * x + value("z") * z + V @ (value("W_x", 0.0) * x + value("W_z", 0.0) * z)
    A, B = eye - value("rho", 0.0) * W, eye - value("lambda", 0.0) * M
    mean, root = np.linalg.solve(A, trend), np.linalg.inv(B @ A)
    cov = root @ root.T
    old, new = slice(None, 13), slice(13, None)
    best = mean[new] + cov[new, old] @ np.linalg.solve(cov[old, old], table["y"].to_numpy()[old] - mean[old])
    data = table.iloc[13:].drop(columns="y").sample(frac=1.0, random_state=3)
    options = {} if model == "ols" else {"w": whole} | other
    for kind, expected in (("trend", trend[new]), ("reduced", mean[new]), ("blup", best)):
        found = fit.predict(data, kind=kind, **options)
        np.testing.assert_allclose(found.loc[table.index[13:]], expected, rtol=1e-8)
        assert found.index.equals(data.index)


def test_other_regressors_of_the_units_of_a_cross_section():
    fit, table, _, _ = cross_section("sdm")
    data = table.iloc[:13].assign(x=lambda d: d["x"] + 1.0).sample(frac=1.0, random_state=3)
    moved = fit.predict(data) - fit.predict().loc[data.index]
    total = fit.effects("delta").table.loc[("x", "total"), "estimate"]
    assert moved.mean() == pytest.approx(total, rel=1e-9)
    assert moved.index.equals(data.index)
    with pytest.raises(OptionError, match="kind='blup' rests on the response"):
        fit.predict(data, kind="blup")


@pytest.mark.parametrize(("model", "rho", "lam"), [("sar", 0.7, 0.0), ("sem", 0.0, 0.8)])
def test_neighbours_improve_predictions(model, rho, lam):
    """Mean squared error of held-out units over many data sets."""
    n, errors = 60, {"reduced": [], "blup": []}
    i = np.arange(n)
    ring = np.zeros((n, n))
    ring[i, (i + 1) % n] = ring[i, (i - 1) % n] = 1.0
    w = SpatialWeights(ring, i, normalization="row")
    out = i % 5 == 0
    part = SpatialWeights(w.to_dense().to_numpy()[np.ix_(~out, ~out)], i[~out], normalization="row")
    W = w.to_dense().to_numpy()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=n)
        u = np.linalg.solve(np.eye(n) - lam * W, rng.normal(size=n))
        table = pd.DataFrame({"y": np.linalg.solve(np.eye(n) - rho * W, 1.0 + x + u), "x": x})
        table.index.name = "unit"
        fit = sde.fit("y ~ x", table[~out], part, model=model)
        for kind, kept in errors.items():
            kept.append(((fit.predict(table.loc[out, ["x"]], kind=kind, w=w) - table.loc[out, "y"]) ** 2).mean())
    assert np.mean(errors["blup"]) < 0.8 * np.mean(errors["reduced"])


@pytest.mark.parametrize("model", ["sar", "sdm", "sem"])
def test_predictions_of_spatialreg(crime, model):
    table, w = crime
    peer = json.loads((GOLDEN / "columbus_predictions.json").read_text())
    old = table.index <= 40
    part = SpatialWeights(w.to_dense().loc[old, old], table.index[old], normalization="row")
    inside = sde.fit("CRIME ~ INC + HOVAL", table, w, model=model)
    outside = sde.fit("CRIME ~ INC + HOVAL", table[old], part, model=model)
    for name, values in peer["in"][model].items():
        np.testing.assert_allclose(inside.predict(kind=KINDS[name]), values, rtol=0, atol=1e-6)
    compared = [name for name in peer["out"][model] if name in KINDS]
    for name in compared:
        found = outside.predict(table.loc[~old, ["INC", "HOVAL"]], kind=KINDS[name], w=w)
        np.testing.assert_allclose(found, peer["out"][model][name], rtol=0, atol=1e-6)
    assert len(compared) == (1 if model == "sem" else 3)


def test_terms_are_made_as_they_were_in_the_fit():
    whole = weights(20, "row", seed=6)
    table = table_of(whole, [0], seed=2).set_index("unit").drop(columns="year")
    table["region"] = np.where(np.arange(20) % 3 == 0, "east", "west")
    table["y"] = np.exp(0.1 * table["y"])
    old = whole.ids[:15]
    part = SpatialWeights(whole.to_dense().loc[old, old], old, normalization="row")
    fit = sde.fit("log(y) ~ center(x) + C(region)", table.loc[old], part, model="sar")
    new = table.loc[~table.index.isin(old), ["x", "region"]].assign(region="west")
    found = fit.predict(new, kind="trend", w=whole)
    value = fit.params
    expected = value["Intercept"] + value["center(x)"] * (new["x"] - table.loc[old, "x"].mean()) + value.iloc[2]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    np.testing.assert_allclose(fit.decompose().sum(axis=1), np.log(table.loc[old, "y"]), rtol=1e-10)
    with pytest.raises(DataError, match="categories that those of the fit had not: 'north'"):
        fit.predict(new.assign(region="north"), w=whole)
    with pytest.raises(FormulaError, match=r"cannot be evaluated on these data: .*'x' is not defined"):
        fit.predict(new[["region"]], w=whole)
    with pytest.raises(DataError, match="1 value missing: x at u15"):
        fit.predict(new.assign(x=[np.nan, 0.0, 0.0, 0.0, 0.0]), w=whole)


def test_mistakes_are_named():
    fit, table, whole, _ = cross_section("sdm")
    new = table.iloc[13:]
    with pytest.raises(OptionError, match="kind='best' is not available"):
        fit.predict(kind="best")
    with pytest.raises(OptionError, match="kind='conditional' is for the data of the fit"):
        fit.predict(new, kind="conditional", w=whole)
    with pytest.raises(OptionError, match=r"need weights over the units of the fit and the new ones"):
        fit.predict(new)
    with pytest.raises(OptionError, match="error_weights= has no use for model='sdm'"):
        fit.predict(new, w=whole, error_weights=whole)
    with pytest.raises(AlignmentError, match="u19"):
        fit.predict(new, w=weights(19, "row"))
    with pytest.raises(AlignmentError, match=r"mix units of the fit \('u12'\) and new ones \('u13', "):
        fit.predict(table.iloc[12:], w=whole)
    with pytest.raises(AlignmentError, match="The data lack 'u12'"):
        fit.predict(table.iloc[:12])
    with pytest.raises(OptionError, match="w= has no use here: all units are those of the fit"):
        fit.predict(table.iloc[:13], w=whole)
    with pytest.raises(OptionError, match="w= has no use without data="):
        fit.predict(w=whole)
    with pytest.raises(OptionError, match="time_effect= has no use without data="):
        fit.predict(time_effect=1.0)
    with pytest.raises(OptionError, match="time_effect= belongs to panels"):
        fit.predict(new, w=whole, time_effect=1.0)
    own = cross_section("sdem", error_weights=None)[0]
    with pytest.raises(OptionError, match="The fit has error_weights of its own"):
        own.predict(new, w=whole)
    panel, rows = fitted("sdm", "two-way")
    with pytest.raises(DataError, match="The fit is of a panel: give a Panel"):
        panel.predict(new)
    with pytest.raises(DataError, match="The fit is of a cross-section: give a DataFrame"):
        fit.predict(sde.Panel(rows, "unit", "year"))
    strangers = rows.assign(unit=rows["unit"].str.replace("u", "v"))
    with pytest.raises(AlignmentError, match="In panels only the units of the fit can be predicted"):
        panel.predict(sde.Panel(strangers, "unit", "year"))
    record = replace(fit.estimate.optimization, status="at bound")
    ended = replace(fit, estimate=replace(fit.estimate, optimization=record))
    with pytest.raises(ConvergenceError, match="kind='reduced' needs the inverse"):
        ended.predict()
    assert len(ended.predict(kind="conditional")) == 13
