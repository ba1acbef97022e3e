"""Many W side by side, growing distance, random W: against single fits, planted answers, and degrees that are kept."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.diagnostics.placebo import relabelled, rewired
from spatial_de.errors import IslandError, OptionError, WeightsError

FORMULA = "y ~ x"
N, TIMES = 60, 6
YEARS = range(2010, 2010 + TIMES)


@pytest.fixture(scope="module")
def places():
    rng = np.random.default_rng(4)
    xy = rng.uniform(0, 1e6, (N, 2))  # a square of 1,000 km
    units = [f"u{i:02d}" for i in range(N)]
    return gpd.GeoDataFrame(geometry=gpd.points_from_xy(*xy.T), index=units, crs="EPSG:32650")


def simulated(w, *, rho=0.5, theta=0.5, seed=0):
    rng = np.random.default_rng(seed)
    W = w.to_dense().to_numpy()
    x = rng.normal(size=(TIMES, w.n))
    mean = x + theta * x @ W.T + rng.normal(size=w.n) + rng.normal(size=(TIMES, 1))
    y = np.linalg.solve(np.eye(w.n) - rho * W, (mean + rng.normal(size=(TIMES, w.n))).T).T
    index = pd.MultiIndex.from_product([YEARS, w.ids], names=["year", "unit"])
    frame = pd.DataFrame({"y": y.ravel(), "x": x.ravel()}, index=index).reset_index()
    return sde.Panel(frame, unit="unit", time="year")


@pytest.fixture(scope="module")
def candidates(places):
    return {
        "4 nearest": sde.weights.knn(places, k=4),
        "8 nearest": sde.weights.knn(places, k=8),
        "distance": sde.weights.inverse_distance(places, power=2),
        "band": sde.weights.distance_band(places, threshold=260),
    }


def test_numbers_are_those_of_single_fits(candidates):
    panel = simulated(candidates["4 nearest"])
    found = sde.compare_weights(FORMULA, panel, candidates, model="sdm")
    for name, w in candidates.items():
        fit = sde.fit(FORMULA, panel, w, model="sdm")
        row = found.table.loc[name]
        assert row["loglik"] == pytest.approx(fit.loglik, abs=1e-8)
        assert row["rho"] == pytest.approx(fit.rho, abs=1e-8)
        assert row["se(rho)"] == pytest.approx(fit.std_errors["rho"], rel=1e-6)
        assert row["links"] == w.n_links
        effects = fit.effects("delta").table
        own = found.effect("x", "indirect").loc[name]
        assert own["estimate"] == pytest.approx(effects.loc[("x", "indirect"), "estimate"], rel=1e-8)
        assert own["std_error"] == pytest.approx(effects.loc[("x", "indirect"), "std_error"], rel=1e-6)
    probabilities = sde.model_probabilities(FORMULA, panel, candidates, models=("sdm",)).by_weights
    np.testing.assert_allclose(found.table["probability"], probabilities, rtol=1e-10)
    assert found.table["probability"].sum() == pytest.approx(1.0)
    text = str(found)
    for word in ("Spatial Durbin", "Best supported: 4 nearest.", "Indirect effects", *candidates):
        assert word in text
    assert found.to_dict()["model"] == "sdm"
    assert "<table" in found._repr_html_()


@pytest.mark.parametrize("truth", ["4 nearest", "8 nearest", "distance"])
def test_the_true_w_is_found(candidates, truth):
    found = sde.compare_weights(FORMULA, simulated(candidates[truth], seed=1), candidates)
    assert found.best == truth
    assert found.table.loc[truth, "probability"] > 0.9


def test_a_planted_economic_w_is_found(places):
    rng = np.random.default_rng(8)
    wealth = pd.Series(rng.lognormal(size=N), index=places.index, name="wealth")
    truth = sde.weights.economic(wealth)
    rivals = {"economic": truth, "near": sde.weights.knn(places, k=5), "far": sde.weights.inverse_distance(places)}
    assert sde.compare_weights(FORMULA, simulated(truth, rho=0.6), rivals).best == "economic"


def test_likelihoods_of_other_data_are_not_compared(places, candidates):
    """Islands make W not row-stochastic: time effects are then estimated, over more observations."""
    alone = sde.weights.distance_band(places, threshold=100, islands="keep")
    assert len(alone.islands)
    panel = simulated(candidates["4 nearest"])
    found = sde.compare_weights(FORMULA, panel, candidates | {"islands": alone})
    assert np.isnan(found.table.loc["islands", "loglik"])
    assert np.isnan(found.table.loc["islands", "probability"])
    assert found.table["loglik"].notna().sum() == len(candidates)
    assert found.effect("x").loc["islands", "estimate"] == pytest.approx(
        sde.fit(FORMULA, panel, alone).effects("delta").table.loc[("x", "indirect"), "estimate"], rel=1e-8
    )
    assert any("'islands'" in note and "cannot be compared" in note for note in found.notes)


def test_a_w_that_fails_does_not_stop_the_others(candidates):
    panel = simulated(candidates["4 nearest"])
    equal = sde.weights.SpatialWeights(1.0 - np.eye(N), panel.units, normalization="row")
    found = sde.compare_weights(FORMULA, panel, candidates | {"equal": equal})
    assert list(found.failed) == ["equal"]
    assert "Not fitted: equal" in str(found)
    with pytest.raises(sde.errors.IdentificationError):
        sde.compare_weights(FORMULA, panel, {"equal": equal})


def test_misuse_is_named(candidates):
    panel = simulated(candidates["4 nearest"])
    with pytest.raises(OptionError, match="by name"):
        sde.compare_weights(FORMULA, panel, {})
    with pytest.raises(OptionError, match="model"):
        sde.compare_weights(FORMULA, panel, candidates, model="ols")
    found = sde.compare_weights(FORMULA, panel, candidates, model="sac")
    assert found.table["probability"].isna().all()
    assert any("model='sac'" in note for note in found.notes)
    with pytest.raises(OptionError, match="'z'"):
        found.effect("z")


@pytest.mark.parametrize(("kind", "radius"), [("band", 300), ("inverse", 400)])
def test_a_planted_radius_is_found(places, kind, radius):
    cutoffs = range(250, 650, 50)
    build = sde.weights.distance_band if kind == "band" else sde.weights.inverse_distance
    truth = build(places, **{"threshold" if kind == "band" else "cutoff": radius})
    panels = [simulated(truth, rho=0.5, theta=2.0, seed=seed) for seed in range(4)]
    scans = [sde.distance_scan(FORMULA, panel, places, cutoffs=cutoffs, term="x", kind=kind) for panel in panels]
    assert sum(found.boundary == radius for found in scans) >= 3
    found = scans[0]
    assert found.table.loc[radius, "probability"] > 0.5
    assert found.reach >= radius
    fit = sde.fit(FORMULA, panels[0], truth)
    assert found.table.loc[radius, "loglik"] == pytest.approx(fit.loglik, abs=1e-8)
    assert f"Best supported cutoff: {radius} km." in str(found)


def test_rings_hold_what_lies_between(places):
    panel = simulated(sde.weights.distance_band(places, threshold=300), theta=1.0, seed=2)
    found = sde.distance_scan(FORMULA, panel, places, cutoffs=[300, 450, 600], term="x", kind="ring")
    bands = {km: sde.weights.distance_band(places, threshold=km, normalize="none") for km in (300, 450, 600)}
    assert found.table.loc[450, "links"] == bands[450].n_links - bands[300].n_links
    ring = sde.weights.SpatialWeights(bands[450].raw - bands[300].raw, places.index, normalization="row")
    assert found.table.loc[450, "loglik"] == pytest.approx(sde.fit(FORMULA, panel, ring).loglik, abs=1e-8)
    assert found.boundary == 300


def test_cutoffs_that_leave_units_alone_are_named(places):
    panel = simulated(sde.weights.knn(places, k=4))
    found = sde.distance_scan(FORMULA, panel, places, cutoffs=[60, 260, 400], term="x")
    assert list(found.skipped) == [60.0]
    assert "without neighbours" in found.skipped[60.0]
    assert "60 km left out" in str(found)
    kept = sde.distance_scan(FORMULA, panel, places, cutoffs=[60, 260, 400], term="x", islands="keep")
    assert kept.table["loglik"].isna().tolist() == [True, False, False]
    assert any("60.0" in note and "cannot be compared" in note for note in kept.notes)
    assert "cannot be compared" in str(kept)
    with pytest.raises(IslandError, match="islands='keep'"):
        sde.distance_scan(FORMULA, panel, places, cutoffs=[20, 30], term="x")
    with pytest.raises(OptionError, match="larger than the one before"):
        sde.distance_scan(FORMULA, panel, places, cutoffs=[300, 200], term="x")


def test_rewired_graphs_keep_degrees(places):
    w = sde.weights.distance_band(places, threshold=260)
    graph = rewired(w, np.random.default_rng(0))
    raw, before = graph.raw.toarray(), w.raw.toarray()
    np.testing.assert_array_equal(raw, raw.T)
    np.testing.assert_array_equal(np.diag(raw), 0.0)
    np.testing.assert_array_equal((raw > 0).sum(axis=1), (before > 0).sum(axis=1))
    assert set(np.unique(raw)) == {0.0, 1.0}
    assert (raw * before).sum() < 0.4 * before.sum()  # most links are new
    assert graph.normalization == w.normalization
    with pytest.raises(WeightsError, match="relabel"):
        rewired(sde.weights.knn(places, k=4), np.random.default_rng(0))


def test_relabelled_weights_are_the_same_up_to_names(places):
    w = sde.weights.knn(places, k=4)
    other = relabelled(w, np.random.default_rng(1)).to_dense().to_numpy()
    order = np.random.default_rng(1).permutation(N)
    np.testing.assert_allclose(other, w.to_dense().to_numpy()[np.ix_(order, order)])


def test_a_true_w_stands_out_and_a_false_one_does_not(places):
    w = sde.weights.distance_band(places, threshold=260)
    real = sde.placebo_weights(FORMULA, simulated(w, seed=3), w, term="x", draws=99)
    assert real.table.loc["loglik", "p_value"] == pytest.approx(0.01)
    assert real.table.loc["rho", "share_below"] == 1.0
    false = sde.placebo_weights(FORMULA, simulated(w, rho=0.0, theta=0.0, seed=3), w, term="x", draws=99)
    assert false.table.loc["loglik", "p_value"] > 0.05
    assert "fits better than 100.0 %" in str(real)


def test_p_values_without_dependence_are_uniform(places):
    w = sde.weights.knn(places, k=4)
    found = [
        sde.placebo_weights(
            FORMULA, simulated(w, rho=0.0, theta=0.0, seed=s), w, term="x", null="relabel", draws=19, model="sar"
        ).table.loc["loglik", "p_value"]
        for s in range(40)
    ]
    assert 0.35 < np.mean(found) < 0.7  # 0.525 with a standard error of 0.046
    assert np.mean(np.array(found) <= 0.2) < 0.45


def test_p_values_count_the_sample_and_seeds_decide(places):
    w = sde.weights.knn(places, k=4)
    panel = simulated(w, rho=0.2, theta=0.1)
    one, two, other = (
        sde.placebo_weights(FORMULA, panel, w, term="x", null="relabel", draws=25, seed=s, n_jobs=j)
        for s, j in ((0, 1), (0, 2), (1, 1))
    )
    pd.testing.assert_frame_equal(one.draws, two.draws)
    assert not one.draws.equals(other.draws)
    fit = sde.fit(FORMULA, panel, w, model="sdm")
    assert one.table.loc["rho", "observed"] == pytest.approx(fit.rho)
    above = int((one.draws["loglik"] >= fit.loglik).sum())
    assert one.table.loc["loglik", "p_value"] == pytest.approx((1 + above) / 26)
    beyond = min((one.draws["rho"] >= fit.rho).sum(), (one.draws["rho"] <= fit.rho).sum())
    assert one.table.loc["rho", "p_value"] == pytest.approx(min(1.0, 2 * (1 + beyond) / 26))
    with pytest.raises(OptionError, match="'z'"):
        sde.placebo_weights(FORMULA, panel, w, term="z", draws=5)


def test_figures_draw_every_w(candidates, places):
    panel = simulated(candidates["4 nearest"])
    figure = sde.maps.compared_weights(sde.compare_weights(FORMULA, panel, candidates), "x")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(candidates)
    assert len(figure.axes) == 4
    assert len(figure.axes[3].patches) == len(candidates)
    scan = sde.distance_scan(FORMULA, panel, places, cutoffs=[260, 300, 400], term="x")
    assert len(sde.maps.distance_scan(scan).axes[1].patches) == 3
    placebo = sde.placebo_weights(FORMULA, panel, candidates["4 nearest"], term="x", null="relabel", draws=20)
    drawn = sde.maps.placebo_weights(placebo)
    assert sum(bar.get_height() for bar in drawn.axes[0].patches) == 20
    with pytest.raises(OptionError, match="'sigma'"):
        sde.maps.placebo_weights(placebo, statistics=("sigma",))
