"""Bootstrap over units: its data sets by dense arithmetic, its standard errors against theory and against clusters."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import ConvergenceError, EstimationWarning, OptionError
from spatial_de.models.bootstrap import bootstrap, refit
from spatial_de.parallel import run_tasks
from spatial_de.weights import SpatialWeights


def weights(n, kind, seed=4):
    rng = np.random.default_rng(seed)
    links = rng.uniform(size=(n, n)) < 3.0 / n
    np.fill_diagonal(links, val=False)
    links[np.arange(n), (np.arange(n) + 1) % n] = True
    raw = links * (1.0 if kind == "binary" else rng.uniform(0.3, 1.0, (n, n)))
    return SpatialWeights(raw, [f"u{i:03d}" for i in range(n)], normalization="none" if kind == "binary" else "row")


def panel(w, n_times, *, seed=0, rho=0.3, memory=0.0, level=0.0):
    """A panel of a spatial Durbin process whose errors (and regressor) follow AR(1) processes over time."""
    rng, N = np.random.default_rng(seed), w.n

    def series():
        draws = rng.normal(size=(n_times + 20, N))
        for t in range(1, len(draws)):
            draws[t] = memory * draws[t - 1] + np.sqrt(1.0 - memory**2) * draws[t]
        return draws[20:]

    W = w.to_dense().to_numpy()
    x, e = series(), series()
    mean = level + x + 0.5 * x @ W.T + rng.normal(size=N) + rng.normal(size=(n_times, 1))
    y = (mean + e) @ np.linalg.inv(np.eye(N) - rho / abs(np.linalg.eigvals(W)).max() * W).T
    index = pd.MultiIndex.from_product([range(n_times), w.ids], names=["year", "unit"])
    return sde.Panel(pd.DataFrame({"y": y.ravel(), "x": x.ravel()}, index=index).reset_index(), "unit", "year")


def quietly(*args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        return sde.fit(*args, **options)


def by_hand(fit, data, w, seed, draws):
    """Responses of the data sets by dense inverses, from labelled numbers of the fit only."""
    N, T = w.n, data.n_times
    W = w.to_dense().to_numpy()
    x = data.wide("x").to_numpy()
    value = fit.params.get
    mean = value("x") * x + value("W_x", 0.0) * x @ W.T + value("Intercept", 0.0)
    # effects move y by what the same effects take out again, where W is row-stochastic; dummies of times do not
    e = fit.residuals.to_numpy().reshape(N, T).T
    ssr = np.sum(e**2)
    e = e - e.mean(axis=1, keepdims=True)
    lost = {"none": (0, 0), "two-way": (1, 1), "individual": (1, 0)}[fit.fixed]
    free = (T - lost[0]) * (N - lost[1])
    k = len(fit.params) - 1 - ("rho" in fit.params) - ("lambda" in fit.params)
    e = e * np.sqrt(ssr / np.sum(e**2) * (N / (N - 1) if lost[1] else 1.0) * free / (free - k))
    units = [
        np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(i,))).integers(N, size=N) for i in range(draws)
    ]
    S = np.linalg.inv(np.eye(N) - value("rho", 0.0) * W)
    B = np.linalg.inv(np.eye(N) - value("lambda", 0.0) * W)
    return [(mean + e[:, chosen] @ B.T) @ S.T for chosen in units]


@pytest.mark.parametrize(
    ("model", "fixed", "kind", "bias"),
    [
        ("ols", "none", "row", None),
        ("sar", "none", "binary", None),
        ("sdm", "none", "row", None),
        ("sem", "none", "binary", None),
        ("sdm", "two-way", "row", "lee-yu"),
        ("sdem", "two-way", "row", "lee-yu"),
        ("sdm", "two-way", "row", "none"),
        ("sdm", "two-way", "row", "correction"),
        ("sar", "individual", "binary", "lee-yu"),
        ("sac", "two-way", "row", "lee-yu"),
    ],
)
def test_data_sets_are_estimated_as_the_data_were(model, fixed, kind, bias):
    w = weights(14, kind)
    data = panel(w, 5, level=3.0)
    options = {"model": model, "fixed": fixed} | ({} if bias is None else {"bias": bias})
    fit = quietly("y ~ x", data, w, **options)
    found = bootstrap(fit.estimate, draws=3, seed=5)
    assert (found.status == "converged").all()
    for params, y in zip(found.params, by_hand(fit, data, w, 5, 3), strict=True):
        table = data.to_frame()
        table["y"] = y.T.ravel()
        again = quietly("y ~ x", sde.Panel(table, "unit", "year"), w, **options)
        np.testing.assert_allclose(params, again.params, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(("model", "form"), [("ols", "bsk"), ("sar", "bsk"), ("sem", "kkp"), ("gns", "kkp")])
@pytest.mark.parametrize("correlated", [False, True])
def test_random_effects_are_drawn_with_the_innovations_of_their_unit(model, form, correlated):
    w = weights(14, "row")
    data = panel(w, 5, level=3.0)
    options = {"model": model, "random": form, "correlated": correlated}
    fit = quietly("y ~ x", data, w, **options)
    W, x, y = w.to_dense().to_numpy(), data.wide("x").to_numpy(), data.wide("y").to_numpy()
    value = fit.params.get
    mean = value("Intercept") + value("x") * x + value("W_x", 0.0) * x @ W.T
    mean = mean + value("mean_x", 0.0) * x.mean(axis=0) + value("mean_W_x", 0.0) * (x @ W.T).mean(axis=0)
    A, B = (np.eye(14) - value(name, 0.0) * W for name in ("rho", "lambda"))
    v = (y @ A.T - mean) @ B.T
    k = len(fit.params) - 2 - ("rho" in fit.params) - ("lambda" in fit.params)
    centred = v - v.mean(axis=1, keepdims=True)
    drawn = centred * np.sqrt(np.sum(v**2) / np.sum(centred**2) * 70 / (70 - k))
    units = np.random.default_rng(np.random.SeedSequence(3, spawn_key=(0,))).integers(14, size=14)
    table = data.to_frame()
    table["y"] = np.linalg.solve(A, mean.T + np.linalg.solve(B, drawn[:, units].T)).ravel()
    again = quietly("y ~ x", sde.Panel(table, "unit", "year"), w, **options)
    found = bootstrap(fit.estimate, draws=1, seed=3)
    np.testing.assert_allclose(found.params[0], again.params, rtol=1e-6, atol=1e-8)
    assert list(fit.bootstrap(draws=3, seed=3).params.columns) == list(fit.params.index)


@pytest.mark.parametrize("model", ["sar", "sdem"])
def test_effects_of_times_that_are_dummies_stay_in_the_data(model):
    """Where W is not row-stochastic, effects of times reach the response through S and do not cancel."""
    w = weights(14, "binary")
    data = panel(w, 5, level=3.0)
    fit = quietly("y ~ x", data, w, model=model)
    W, parts = w.to_dense().to_numpy(), fit.decompose()
    trend, e = (parts[name].to_numpy().reshape(14, 5).T for name in ("trend", "noise"))
    centred = e - e.mean(axis=1, keepdims=True)
    k = len(fit.params) - 2
    drawn = centred * np.sqrt(np.sum(e**2) / np.sum(centred**2) * 14 / 13 * 52 / (52 - k))
    units = np.random.default_rng(np.random.SeedSequence(3, spawn_key=(0,))).integers(14, size=14)
    A, B = (np.eye(14) - fit.params.get(name, 0.0) * W for name in ("rho", "lambda"))
    table = data.to_frame()
    table["y"] = np.linalg.solve(A, trend.T + np.linalg.solve(B, drawn[:, units].T)).ravel()
    again = quietly("y ~ x", sde.Panel(table, "unit", "year"), w, model=model)
    np.testing.assert_allclose(bootstrap(fit.estimate, draws=1, seed=3).params[0], again.params, rtol=1e-8)


def test_of_a_cross_section_the_residuals_are_drawn():
    w = weights(40, "row")
    data = panel(w, 2).to_frame().query("year == 0").set_index("unit").drop(columns="year")
    fit = sde.fit("y ~ x", data, w)
    found = bootstrap(fit.estimate, draws=2, seed=1)
    e = fit.residuals.to_numpy()
    chosen = np.random.default_rng(np.random.SeedSequence(1, spawn_key=(0,))).integers(40, size=40)
    W, value = w.to_dense().to_numpy(), fit.params
    drawn = (e * np.sqrt(40 / 37))[chosen]  # of mean zero, as there is an intercept
    mean = value["Intercept"] + value["x"] * data["x"] + value["W_x"] * W @ data["x"]
    y = np.linalg.solve(np.eye(40) - fit.rho * W, mean + drawn)
    np.testing.assert_allclose(found.params[0], sde.fit("y ~ x", data.assign(y=y), w).params, rtol=1e-9)


def test_errors_as_the_model_has_them_give_its_standard_errors():
    w = weights(80, "row")
    fit = sde.fit("y ~ x", panel(w, 12, seed=3), w)
    delta = fit.effects("delta").table["std_error"]
    found = fit.effects("bootstrap", draws=2000).table["std_error"]
    np.testing.assert_allclose(found, delta, rtol=0.1)
    np.testing.assert_allclose(found, fit.effects(draws=2000).table["std_error"], rtol=0.1)


def test_errors_that_remember_give_the_standard_errors_of_clusters():
    w = weights(150, "row")
    data = panel(w, 10, seed=8, memory=0.8)
    fit = sde.fit("y ~ x", data, w)
    found = fit.effects("bootstrap", draws=1000).table["std_error"]
    clustered = fit.with_cov("cluster").effects("delta").table["std_error"]
    assert (clustered > 1.2 * fit.effects("delta").table["std_error"]).all()
    np.testing.assert_allclose(found, clustered, rtol=0.15)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Some draws")
def test_intervals_cover_where_errors_remember():
    w, hits, classical = weights(49, "row"), [], []
    for seed in range(400):
        fit = sde.fit("y ~ x", panel(w, 8, seed=seed, memory=0.8), w)
        truth = 1.5 / 0.7
        for kept, table in (
            (hits, fit.effects("bootstrap", draws=400, seed=seed).table),
            (classical, fit.effects("delta").table),
        ):
            row = table.loc[("x", "total")]
            kept.append(row["conf_low"] < truth < row["conf_high"])
    assert 0.91 < np.mean(hits) < 0.98
    assert np.mean(classical) < 0.90


def test_seeds_and_processes():
    w = weights(30, "row")
    data = panel(w, 6)
    for model in ("sac", "sdm"):
        first = sde.fit("y ~ x", data, w, model=model).bootstrap(12, seed=3)
        fit = sde.fit("y ~ x", data, w, model=model)
        pd.testing.assert_frame_equal(first.params, fit.bootstrap(12, seed=3, n_jobs=2, progress=False).params)
        assert fit.bootstrap(12, seed=3) is fit.bootstrap(12, seed=3)
        pd.testing.assert_frame_equal(first.params.iloc[:5], fit.bootstrap(5, seed=3).params)  # a draw has its own seed
        assert not first.params.equals(fit.bootstrap(12, seed=4).params)
    assert "(bootstrap, 12 draws, seed 3)" in repr(fit.effects("bootstrap", draws=12, seed=3))


def test_chunks_change_nothing(monkeypatch):
    w = weights(20, "row")
    fit = sde.fit("y ~ x", panel(w, 4), w)
    whole = bootstrap(fit.estimate, draws=11, seed=3).params
    monkeypatch.setattr("spatial_de.models.bootstrap._NUMBERS", 3 * 80)
    np.testing.assert_array_equal(bootstrap(fit.estimate, draws=11, seed=3).params, whole)


def test_the_table_of_a_bootstrap():
    w = weights(30, "row")
    fit = sde.fit("y ~ x", panel(w, 6), w)
    found = fit.bootstrap(50, seed=3)
    table = found.to_frame().set_index("term")
    np.testing.assert_allclose(table["std_error"], found.params.to_numpy().std(axis=0, ddof=1))
    np.testing.assert_allclose(table["bias"], found.params.mean() - fit.params)
    np.testing.assert_allclose(table[["conf_low", "conf_high"]].T, np.quantile(found.params, [0.025, 0.975], axis=0))
    assert found.to_dict()["table"]["term"] == ["x", "W_x", "rho", "sigma2"]
    assert "50 replications, seed 3" in repr(found)
    assert "<pre>" in found._repr_html_()
    with pytest.raises(OptionError, match="level="):
        found.conf_int(1.0)


@pytest.mark.filterwarnings("ignore:Some draws")  # high powers of rho
def test_all_effects_use_the_same_data_sets():
    w = weights(40, "row")
    fit = sde.fit("y ~ x", panel(w, 12), w)
    how = {"inference": "bootstrap", "draws": 60, "seed": 2}
    average = fit.effects(**how).table
    unit, order = fit.effects_by_unit(**how).table, fit.effects_by_order(60, **how).table
    group = fit.effects_by_group(pd.Series(["a"] * 15 + ["b"] * 25, index=w.ids), **how).table
    assert unit.loc[("x", "emitted"), "estimate"].mean() == pytest.approx(average.loc[("x", "indirect"), "estimate"])
    totals = order["estimate"].xs("total", level="effect").sum()
    assert totals == pytest.approx(average.loc[("x", "total"), "estimate"])
    assert (group["std_error"] > 0).all()
    # the effect on a of one more in a, draw by draw
    sample = bootstrap(fit.estimate, draws=60, seed=2).params
    W, member = w.to_dense().to_numpy(), np.arange(40) < 15
    values = []
    for beta, theta, rho, _ in sample:
        E = np.linalg.solve(np.eye(40) - rho * W, beta * np.eye(40) + theta * W)
        values.append(E[np.ix_(member, member)].sum() / 15)
    row = group.loc[("x", "a", "a")]
    assert row["std_error"] == pytest.approx(np.std(values, ddof=1), rel=1e-8)
    np.testing.assert_allclose(row[["conf_low", "conf_high"]], np.quantile(values, [0.025, 0.975]), rtol=1e-8)


def test_what_cannot_be_resampled_is_refused():
    w = weights(30, "row")
    data = panel(w, 2).to_frame().query("year == 0").set_index("unit").drop(columns="year")
    moments = quietly("y ~ x", data, w, method="gmm")
    with pytest.raises(OptionError, match=r"^The bootstrap is for method='ml'; this fit used 'gmm'"):
        moments.bootstrap(10)
    fit = sde.fit("y ~ x", data, w)
    with pytest.raises(OptionError, match=r"^draws=1 is not allowed"):
        fit.bootstrap(1)
    record = replace(fit.estimate.optimization, status="at bound")
    ended = replace(fit, estimate=replace(fit.estimate, optimization=record))
    with pytest.raises(ConvergenceError, match="at its bound"):
        ended.bootstrap(10)


def test_replications_without_a_maximum_are_counted(monkeypatch):
    w = weights(30, "row")
    fit = quietly("y ~ x", panel(w, 3), w, bias="none")
    whole = bootstrap(fit.estimate, draws=40, seed=0)
    monkeypatch.setattr(
        "spatial_de.results.resampling.bootstrap",
        lambda *_, **__: replace(whole, status=np.array(["at bound"] * 7 + ["no maximum"] + ["converged"] * 32)),
    )
    with pytest.warns(EstimationWarning, match="8 of 40 replications have no interior maximum"):
        found = fit.effects("bootstrap", draws=40)
    assert (found.draws, found.rejected) == (32, 8)
    assert fit.bootstrap(40).lost.to_dict() == {"at bound": 7, "no maximum": 1}
    assert "twice that bias" in found.notes[0]
    assert "8 of 40" in found.notes[1]
    monkeypatch.setattr(
        "spatial_de.results.resampling.bootstrap",
        lambda *_, **__: replace(whole, status=np.array(["at bound"] * 39 + ["converged"])),
    )
    with pytest.raises(ConvergenceError, match="nothing to infer from: 39 of 40 replications"):
        fit.effects("bootstrap", draws=40, seed=1)


def test_a_refit_that_fails_is_a_lost_replication():
    w = weights(12, "row")
    fit = sde.fit("y ~ x", panel(w, 4), w, model="sac")
    params, status = refit(fit.estimate.problem, np.ones((4, 12)), logdet="auto")
    assert status == "no maximum"
    assert len(params) == len(fit.params)
    assert np.isnan(params).all()


def draw_again(fit, seed):
    return fit.bootstrap(4, seed=seed).std_errors["rho"]


def test_a_bootstrap_within_a_task():
    """A Monte Carlo study of bootstraps: tasks that run tasks of their own."""
    w = weights(20, "row")
    fit = sde.fit("y ~ x", panel(w, 6), w)
    found = run_tasks(draw_again, [1, 2], shared=fit)
    assert found == [draw_again(fit, 1), draw_again(fit, 2)]
