"""`fit` on unbalanced panels and with weights that change: labels, effects, notes, edges, what has no answer."""

import pickle

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.diagnostics import likelihood_ratio, wald_test
from spatial_de.errors import IdentificationError
from spatial_de.models.covariance import _scores
from spatial_de.weights.stacked import StackedWeights

from .unbalanced import Adjusted, brute, case

pytestmark = pytest.mark.filterwarnings("ignore::spatial_de.errors.EstimationWarning")


def fitted(one, model="sdm", fixed="two-way", **options):
    return sde.fit("y ~ x + z", one.panel(), one.weights(), model=model, fixed=fixed, **options)


def test_order_of_rows_and_units_and_offsets_do_not_matter():
    one = case(seed=1, n_units=12, n_times=6)
    usual = fitted(one)
    panel = sde.Panel(one.frame.sample(frac=1.0, random_state=2), "unit", "year", unbalanced=True)
    turned = one.weights().reorder(one.units[::-1])
    found = sde.fit("y ~ x + z", panel, turned)
    np.testing.assert_allclose(found.params, usual.params, rtol=1e-12)
    frame = one.frame.assign(y=1e9 + 1e3 * one.frame.y, x=one.frame.x + 1e6)
    scaled = sde.fit("y ~ x + z", sde.Panel(frame, "unit", "year", unbalanced=True), one.weights(), fixed="individual")
    plain = fitted(one, fixed="individual")
    assert scaled.rho == pytest.approx(plain.rho, rel=1e-6)
    assert scaled.params["z"] == pytest.approx(1e3 * plain.params["z"], rel=1e-6)


def test_residuals_and_fitted_values_have_the_rows_given():
    one = case(seed=1)
    fit = fitted(one)
    key = one.frame.set_index(["unit", "year"]).sort_index()
    assert fit.residuals.index.equals(key.index)
    np.testing.assert_allclose(fit.fitted + fit.residuals, key.y)
    dense = Adjusted(brute(one, "sdm", "two-way"))
    A, B, P, _, _ = dense.operators(fit.params.to_numpy()[4:-1])
    e = P @ B @ (A @ dense.model.y - dense.model.Z @ fit.params.to_numpy()[:4])
    by_time = one.sorted().set_index(["unit", "year"]).index
    np.testing.assert_allclose(fit.residuals[by_time], e, atol=1e-9)
    assert (fit.nobs, fit.n_likelihood) == (len(one.frame), len(one.frame) - dense.model.D.shape[1])
    assert fit.r_squared == pytest.approx(1.0 - e @ e / np.sum((P @ dense.model.y) ** 2), abs=1e-9)


@pytest.mark.parametrize("missing", ["renormalize", "zero"])
def test_effects_are_averages_over_rows(missing):
    one = case(seed=2, varying=True, n_units=25, n_times=10)
    fit = fitted(one, missing_neighbors=missing)
    W = one.stacked(missing)
    n = len(W)
    S = np.linalg.inv(np.eye(n) - fit.rho * W)
    table = fit.effects("delta").table["estimate"]
    for term in ("x", "z"):
        E = S @ (fit.params[term] * np.eye(n) + fit.params[f"W_{term}"] * W)
        assert table[term, "direct"] == pytest.approx(np.trace(E) / n, rel=1e-9)
        assert table[term, "total"] == pytest.approx(E.sum() / n, rel=1e-9)
    drawn = fit.effects().table
    np.testing.assert_allclose(drawn["estimate"], table, rtol=1e-9)
    assert ((drawn["conf_low"] < table) & (table < drawn["conf_high"])).all()


def test_units_seen_once_drop_out_but_are_neighbours():
    one = case(seed=3, n_units=12, n_times=6)
    first = one.units[0]
    one.frame = one.frame[(one.frame.unit != first) | (one.frame.year == one.frame.year[one.frame.unit == first].min())]
    fit = fitted(one, fixed="individual")
    assert abs(fit.residuals[first].iloc[0]) < 1e-10
    assert any(note.startswith("Present at one time only: 'u00'.") for note in fit.notes)
    own = one.frame.unit == first
    moved = case(seed=3, n_units=12, n_times=6)
    moved.frame = one.frame.assign(x=one.frame.x.where(~own, 5.0))
    assert fitted(moved, "sar", "individual").params["x"] == pytest.approx(
        fitted(one, "sar", "individual").params["x"], rel=1e-9
    )  # its own row says nothing ...
    moved.frame = one.frame.assign(y=one.frame.y.where(~own, 5.0))
    assert fitted(moved, "sar", "individual").rho != pytest.approx(fitted(one, "sar", "individual").rho, rel=1e-4)


@pytest.mark.parametrize("model", ["sdm", "sem"])
def test_a_time_with_one_unit_and_panels_in_two_pieces(model):
    one = case(seed=4, n_units=12, n_times=7)
    units, years = np.array(one.units), one.frame.year
    early = (years <= 2003) & one.frame.unit.isin(units[:7])
    late = (years >= 2004) & one.frame.unit.isin(units[7:])
    alone = (years == 2001) & (one.frame.unit != one.frame.unit[early & (years == 2001)].iloc[0])
    one.frame = one.frame[(early | late) & ~alone]
    fit = fitted(one, model, bias="none")
    dense = brute(one, model, "two-way")
    assert dense.D.shape[1] == one.frame.unit.nunique() + one.frame.year.nunique() - 2
    np.testing.assert_allclose(fit.params, dense.fit(), rtol=1e-7, atol=1e-8)


def test_two_times_and_one_time():
    one = case("ring", seed=1, n_units=40, n_times=2, deleted=0.0)
    one.frame = one.frame.drop(index=[3, 17, 29, 51, 66, 78])
    assert np.isfinite(fitted(one, "sar").std_errors).all()
    single = case(seed=5, n_units=25, n_times=1, deleted=0.0)
    fit = fitted(single, "sdm", "none")
    cross = single.frame.set_index("unit")
    w = single.weights().subset(cross.sort_index().index)
    expected = sde.fit("y ~ x + z", cross, w)
    np.testing.assert_allclose(fit.params, expected.params, rtol=1e-8)
    assert fit.loglik == pytest.approx(expected.loglik)


def test_one_w_for_all_times_is_that_w():
    one = case(seed=6, deleted=0.0, n_units=12)
    w = one.weights()
    usual, mapped = fitted(one), sde.fit("y ~ x + z", one.panel(), dict.fromkeys(one.times, w))
    assert not isinstance(mapped.weights, StackedWeights)
    assert mapped.params.equals(usual.params)


def test_weights_over_the_units_that_are_there():
    one = case(seed=7)
    panel, w = one.panel(), one.weights()
    there = {t: w.subset(sorted(one.frame.unit[one.frame.year == t])) for t in one.times}
    found = sde.fit("y ~ x + z", panel, there)
    np.testing.assert_allclose(found.params, fitted(one).params, rtol=1e-12)
    assert found.weights.lost_links == 0
    usual = fitted(one).weights
    kept = usual.n_links
    assert usual.lost_links == sum(w.sparse[[w.ids.get_loc(u) for u in one.frame.unit]].nnz for _ in [0]) - kept


def test_separate_weights_that_change():
    one, other = case(seed=8, varying=True, n_units=12, n_times=6), case("directed", seed=9, n_units=12, n_times=6)
    fit = sde.fit(
        "y ~ x + z",
        one.panel(),
        one.weights(),
        model="gns",
        fixed="individual",
        bias="none",
        error_weights=other.weights(),
    )
    dense = brute(one, "gns", "individual")
    other.frame = one.frame
    dense.M = other.stacked("renormalize")
    params = fit.params.to_numpy()
    assert np.abs(dense.score(params) * fit.std_errors.to_numpy()).max() < 1e-6
    assert fit.loglik == pytest.approx(dense.at(params), abs=1e-8)


def test_notes_and_summary_say_what_was_done():
    fit = fitted(case(seed=1))
    text = " ".join(fit.summary().split())
    assert "The panel is unbalanced: 38 rows, 7 of 45 missing." in text
    assert f"Links to units that are missing at the time: {fit.weights.lost_links} of w" in text
    assert "(missing_neighbors='renormalize')" in text
    assert "Estimation scores adjusted for effects" in text
    assert "(row), at each of 5 times" in text
    kept = fitted(case(seed=1), missing_neighbors="zero")
    assert "so that a missing neighbour counts as zero" in " ".join(kept.summary().split())
    assert kept.weights.lost_links == fit.weights.lost_links


def test_tests_between_fits():
    one = case(seed=2, n_units=14, n_times=8)
    big, small, error = fitted(one), fitted(one, "sar"), fitted(one, "sem")
    ratio, wald = likelihood_ratio(big, small), wald_test(big, "sar")
    assert ratio.statistic == pytest.approx(wald.statistic, rel=0.3)
    assert np.isfinite(wald_test(big, "sem").statistic)
    with pytest.raises(IdentificationError, match=r"adjusted for effects in different ways: use wald_test"):
        likelihood_ratio(big, error)
    assert likelihood_ratio(fitted(one, bias="none"), fitted(one, "sem", bias="none")).statistic >= 0.0


@pytest.mark.parametrize("kind", ["cluster", "cluster-time", "driscoll-kraay"])
@pytest.mark.parametrize("bias", ["none", "lee-yu"])
@pytest.mark.filterwarnings("ignore:.*standard errors rest on")
def test_scores_behind_the_covariances_add_up_to_zero(kind, bias):
    """Cells and pairs together are the score, which is zero; the covariances exist."""
    fit = fitted(case(seed=1, n_units=14, n_times=8), "gns", bias=bias)
    scores = _scores(fit.estimate)
    pairs = 0.5 * np.einsum("ti,atij,tj->a", fit.estimate.e, scores.cross, fit.estimate.e)
    total = scores.cells.sum(axis=(0, 1))
    total[-3:-1] += pairs
    size = np.sqrt(np.diag(np.linalg.inv(fit.estimate.scaled_bread)))
    if bias == "none":
        assert np.abs(total / size).max() < 1e-6
    else:  # what is expected of a cell is approximate there, in the second order of the absence of rows
        assert np.abs(total / size).max() < 0.3
    robust = fit.with_cov(kind)
    assert (robust.std_errors > 0).all()
    ratio = robust.std_errors / fit.std_errors
    assert ratio.between(0.1, 3.0).all()


def test_linear_models_have_white_and_clustered_errors():
    one = case(seed=2, n_units=14, n_times=8)
    fit = sde.fit("y ~ x + z", one.panel(), model="ols", fixed="two-way", cov="robust")
    dense = brute(one, "ols", "two-way")
    D = dense.D
    P = np.eye(len(D)) - D @ np.linalg.pinv(D)
    X, e = P @ dense.Z, P @ dense.y
    e = e - X @ np.linalg.lstsq(X, e, rcond=None)[0]
    bread = np.linalg.inv(X.T @ X)
    free = len(D) - D.shape[1]
    V = bread @ (X * e[:, None] ** 2).T @ X @ bread * free / (free - 2)
    np.testing.assert_allclose(fit.std_errors[["x", "z"]], np.sqrt(np.diag(V)), rtol=1e-9)
    units = one.sorted().unit.to_numpy()
    sums = np.array([(X[units == u] * e[units == u, None]).sum(axis=0) for u in np.unique(units)])
    V = bread @ sums.T @ sums @ bread * len(sums) / (len(sums) - 1)
    np.testing.assert_allclose(fit.with_cov("cluster").std_errors[["x", "z"]], np.sqrt(np.diag(V)), rtol=1e-9)


def test_a_year_can_be_missing_for_all_and_pickles_keep_the_fit():
    one = case(seed=1, n_times=6)
    one.frame = one.frame[one.frame.year != 2003]
    one.times, one.raw = [t for t in one.times if t != 2003], one.raw[:5]
    with pytest.warns(sde.errors.DataWarning, match="not evenly spaced"):
        fit = fitted(one)
    again = pickle.loads(pickle.dumps(fit))  # noqa: S301  our own bytes
    pd.testing.assert_series_equal(again.params, fit.params)
    assert again.weights.lost_links == fit.weights.lost_links


def test_equal_weights_with_time_effects_tell_nothing_unless_they_change():
    one = case(seed=1, n_units=10, n_times=6)
    w = sde.weights.from_matrix(1.0 - np.eye(10), one.units, normalize="row")
    with pytest.raises(IdentificationError, match="Every unit has every other as neighbour with the same weight"):
        sde.fit("y ~ x", one.panel(), w, model="sar", missing_neighbors="zero")
    assert np.isfinite(sde.fit("y ~ x", one.panel(), w, model="sar", bias="none").params).all()


def test_units_without_neighbours_at_a_time_are_noted():
    one = case("ring", seed=1, n_units=12, n_times=6)
    fit = fitted(one, "sar", "individual")
    alone = fit.weights.islands
    assert len(alone)
    assert f"Without neighbours at a time: {alone[0]!r}" in " ".join(fit.notes)


def test_rows_that_add_up_to_one_are_normalised_again_however_they_came():
    """A matrix divided by its row sums before it was given is what normalize='row' makes of it."""
    one = case(seed=1, n_units=12, n_times=6)
    given = one.weights().normalized("none")
    raw, rows = given.sparse.toarray(), given.sparse.toarray().sum(axis=1, keepdims=True)
    ready = sde.weights.from_matrix(raw / np.where(rows > 0, rows, 1.0), given.ids)
    named = sde.weights.from_matrix(raw, given.ids, normalize="row")
    found = [sde.fit("y ~ x + z", one.panel(), w, model="sar", bias="none") for w in (ready, named)]
    np.testing.assert_allclose(found[0].params, found[1].params, rtol=1e-10)
    zero = sde.fit("y ~ x + z", one.panel(), ready, model="sar", bias="none", missing_neighbors="zero")
    assert abs(zero.rho - found[0].rho) > 1e-3
    assert any("normalised again" in note for note in found[0].notes)
    kept = sde.fit("y ~ x + z", one.panel(), sde.weights.from_matrix(3.0 * raw, given.ids), model="sar", bias="none")
    assert any("no normalisation that could be repeated" in note for note in kept.notes)
