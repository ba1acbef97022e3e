"""Replications of a fit are what `fit` gives for each response, by label."""

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de import parallel
from spatial_de.errors import AlignmentError, DataError, OptionError
from spatial_de.fitting import replications

IDS = [f"u{i:02d}" for i in range(12)]
RING = np.roll(np.eye(12), 1, axis=1) + np.roll(np.eye(12), -1, axis=1)
W = sde.weights.SpatialWeights(RING, IDS, normalization="row")
FRAME = pd.DataFrame([(unit, year) for year in range(6) for unit in reversed(IDS)], columns=["id", "year"])
FRAME[["x", "z", "y"]] = np.random.default_rng(5).standard_normal((72, 3))
FRAME["y"] += FRAME["x"]
INDEX = pd.MultiIndex.from_frame(FRAME[["id", "year"]])


def fitted(frame=FRAME, **options):
    return sde.fit("y ~ x + z", sde.Panel(frame, "id", "year"), W, **options)


@pytest.fixture
def responses():
    """Thirty responses, rows shuffled."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"r{i}": FRAME["y"].to_numpy() + rng.normal(size=72) for i in range(30)}).set_index(INDEX)
    return table.sample(frac=1.0, random_state=1)


@pytest.mark.parametrize(
    "options", [{"model": "sdm"}, {"model": "sem", "fixed": "individual"}, {"model": "slx", "fixed": "none"}]
)
def test_each_replication_is_the_fit_alone(responses, options):
    found = sde.fit_replications(fitted(**options), responses)
    assert len(found) == 30
    assert found.converged.all()
    for name in ("r0", "r17"):
        alone = fitted(FRAME.assign(y=responses[name].reindex(INDEX).to_numpy()), **options)
        table = alone.effects("delta").table
        np.testing.assert_allclose(found.params.loc[name], alone.params, rtol=1e-9)
        np.testing.assert_allclose(found.std_errors.loc[name], alone.std_errors, rtol=1e-8)
        np.testing.assert_allclose(found.effects.loc[name, table.index], table["estimate"], rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(found.effects_std_errors.loc[name, table.index], table["std_error"], rtol=1e-8)
        assert found.loglik[name] == pytest.approx(alone.loglik, rel=1e-12)
    long = found.to_frame().set_index(["replication", "term", "effect"])
    assert long.loc[("r17", "x", "total"), "estimate"] == found.effects.loc["r17", ("x", "total")]
    assert long.loc[("r17", "x", ""), "std_error"] == found.std_errors.loc["r17", "x"]
    assert "30 replications: 30 converged" in repr(found)


def test_a_cross_section():
    frame = FRAME[FRAME["year"] == 0].set_index("id")[["x", "z", "y"]]
    fit = sde.fit("y ~ x + z", frame, W, model="sar")
    noise = pd.Series(np.random.default_rng(2).normal(size=12), index=frame.index)
    found = sde.fit_replications(fit, pd.DataFrame({"a": frame["y"], "b": frame["y"] + noise}).sort_index())
    alone = sde.fit("y ~ x + z", frame.assign(y=frame["y"] + noise), W, model="sar")
    np.testing.assert_allclose(found.params.loc["b"], alone.params, rtol=1e-9)


def test_processes_and_blocks_change_nothing(responses, monkeypatch):
    fit = fitted()
    whole = sde.fit_replications(fit, responses)
    monkeypatch.setattr(replications, "_BLOCK", 7)
    monkeypatch.setattr(parallel, "_TRIAL", -1.0)
    one, two = (sde.fit_replications(fit, responses, n_jobs=n) for n in (1, 2))
    pd.testing.assert_frame_equal(one.to_frame(), two.to_frame(), check_exact=True)
    pd.testing.assert_frame_equal(one.to_frame(), whole.to_frame(), rtol=1e-11)


def test_a_response_without_an_estimate_is_marked(responses):
    responses["constant"] = 3.0
    found = sde.fit_replications(fitted(), responses)
    assert found.status["constant"] == "exact fit"
    assert found.params.loc["constant"].isna().all()
    assert found.params.drop("constant").notna().all().all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda r: r.iloc[:-1], AlignmentError, "71 rows, the data of the fit 72"),
        (lambda r: r.rename(index={"u03": "u99"}, level=0), AlignmentError, r"no row for \('u03', 0\)"),
        (lambda r: r.assign(r1=np.nan), DataError, "not finite in replications 1"),
        (lambda r: r.assign(r1="a"), DataError, "must be numbers"),
        (lambda r: r.to_numpy(), DataError, "not ndarray"),
        (lambda r: r[[]], DataError, "a column per replication"),
    ],
)
def test_bad_responses(responses, change, error, message):
    with pytest.raises(error, match=message):
        sde.fit_replications(fitted(), change(responses))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cov": "robust"}, "cov='robust'"),
        ({"information": "expected"}, "information='expected'"),
        ({"model": "sac"}, "two spatial parameters"),
        ({"bias": "correction"}, "bias correction"),
    ],
)
def test_fits_that_are_not_done_in_batches(responses, options, message):
    with pytest.raises(OptionError, match=message):
        sde.fit_replications(fitted(**options), responses)
