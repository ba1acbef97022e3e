"""Many fits are what each fit is alone, whatever runs them, and no failure is lost or loses another."""

import io
import os
import pickle
import sys
import time

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de import parallel
from spatial_de.errors import ConvergenceError, EstimationWarning, FormulaError, OptionError
from spatial_de.parallel import run_tasks

RNG = np.random.default_rng(5)
IDS = [f"u{i:02d}" for i in range(12)]
RING = np.roll(np.eye(12), 1, axis=1) + np.roll(np.eye(12), -1, axis=1)
W = sde.weights.SpatialWeights(RING, IDS, normalization="row")
OTHER = sde.weights.SpatialWeights(RING + np.roll(np.eye(12), 3, axis=1), IDS, normalization="row")
FRAME = pd.DataFrame([(unit, year) for unit in IDS for year in range(6)], columns=["id", "year"])
FRAME[["x", "z", "y"]] = RNG.standard_normal((72, 3))
PANEL = sde.Panel(FRAME, "id", "year")
SPECIFICATIONS = {
    "base": {},
    "sar": {"model": "sar", "formula": "y ~ x"},
    "other weights": {"w": OTHER, "fixed": "individual"},
    "robust": {"cov": "robust", "durbin": ["x"]},
    "sem": {"model": "sem", "data": sde.Panel(FRAME.assign(y=FRAME["y"] + FRAME["x"]), "id", "year")},
}
BAD = {"no variable": {"formula": "y ~ nothing"}, "no lag": {"durbin": ["nothing"]}}


def many(specifications, **options):
    return sde.fit_many(specifications, PANEL, W, formula="y ~ x + z", model=options.pop("model", "sdm"), **options)


@pytest.fixture
def always_start_workers(monkeypatch):
    monkeypatch.setattr(parallel, "_TRIAL", -1.0)
    monkeypatch.setattr(parallel, "_CHUNK", 1e-9)


def assert_same(found, expected):
    pd.testing.assert_frame_equal(found.to_frame(), expected.to_frame(), check_exact=True)
    pd.testing.assert_frame_equal(found.effects_frame(), expected.effects_frame(), check_exact=True)
    pd.testing.assert_frame_equal(found.overview(), expected.overview(), check_exact=True)


@pytest.mark.parametrize("effects", ["delta", "simulation"])
def test_each_record_is_the_fit_alone(effects):
    found = many(SPECIFICATIONS, effects=effects, draws=50, seed=3)
    assert [record.label for record in found.records] == list(SPECIFICATIONS)
    for label, own in SPECIFICATIONS.items():
        options = {"formula": "y ~ x + z", "data": PANEL, "w": W, "model": "sdm"} | own
        alone = sde.fit(**options)
        record = found[label]
        pd.testing.assert_frame_equal(record.table, alone.to_frame())
        pd.testing.assert_frame_equal(record.effects, alone.effects(effects, draws=50, seed=3).to_frame())
        assert (record.loglik, record.aic, record.nobs) == (alone.loglik, alone.aic, alone.nobs)
        assert record.options["model"] == options["model"]
    frame = found.to_frame()
    assert list(frame.columns[:3]) == ["fit", "term", "estimate"]
    assert frame.groupby("fit", sort=False).size().to_dict() == {k: len(found[k].table) for k in SPECIFICATIONS}


def test_failures_are_kept_and_counted():
    with pytest.warns(EstimationWarning, match=r"2 fits of 7 failed \('no variable', 'no lag'\)"):
        found = many(BAD | SPECIFICATIONS)
    assert len(found) == 7
    assert len(found.records) == 5
    assert [(one.label, one.kind) for one in found.failures] == [
        ("no variable", "FormulaError"),
        ("no lag", "OptionError"),
    ]
    with pytest.raises(FormulaError, match="nothing"):
        _ = found["no variable"]
    assert found.overview()["error"].notna().sum() == 2
    assert "2 failed" in repr(found)
    assert "FormulaError: The formula names 'nothing'" in repr(found)
    with pytest.raises(FormulaError, match="nothing"):
        many(SPECIFICATIONS | BAD, errors="raise")


def test_warnings_of_a_fit_are_in_its_notes():
    found = many([{"bias": "none"}, {}])
    assert "biased downwards" in found[0].notes[0]
    assert found[1].notes == ()
    assert found.overview()["notes"].tolist() == [1, 0]


def test_a_fit_at_the_bound_has_no_effects_and_says_so():
    common = FRAME.assign(y=FRAME["year"].map(dict(enumerate(RNG.standard_normal(6)))))
    found = sde.fit_many([{"fixed": "none"}], sde.Panel(common, "id", "year"), W, formula="y ~ x", effects="delta")
    record = found[0]
    assert not record.converged
    assert record.effects is None
    assert found.effects_frame().empty
    assert "bound" in " ".join(record.notes)


@pytest.mark.parametrize("n_jobs", [2, -1])
def test_processes_change_nothing(n_jobs, always_start_workers):
    expected = many(SPECIFICATIONS, effects="simulation", draws=20)
    assert_same(many(SPECIFICATIONS, effects="simulation", draws=20, n_jobs=n_jobs), expected)
    with pytest.warns(EstimationWarning, match="2 fits of 7"):
        found = many(BAD | SPECIFICATIONS, n_jobs=n_jobs)
    assert [one.kind for one in found.failures] == ["FormulaError", "OptionError"]


def test_a_dask_cluster_changes_nothing(always_start_workers):
    distributed = pytest.importorskip("distributed")
    expected = many(SPECIFICATIONS, effects="simulation", draws=20)
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert_same(many(SPECIFICATIONS, effects="simulation", draws=20, client=client), expected)
        with pytest.raises(OptionError, match="give one of them"):
            many(SPECIFICATIONS, client=client, n_jobs=2)


@pytest.mark.parametrize(
    ("specifications", "options", "message"),
    [
        ([{"modle": "sdm"}], {}, "Specification 0: fit has no option 'modle'. Did you mean 'model'"),
        ([{"formula": None}], {}, "Specification 0 has no formula"),
        ([], {}, "there are none"),
        ("y ~ x", {}, "there are none"),
        (["y ~ x"], {}, "specification 0 is not one"),
        ([{}], {"n_jobs": 0}, "n_jobs=0"),
        ([{}], {"client": "tcp://somewhere"}, "must be a dask.distributed.Client, not str"),
        ([{}], {"effects": "bootstrapp"}, "effects='bootstrapp'"),
        ([{}], {"errors": "ignore"}, "errors='ignore'"),
        ([{}], {"effects": "simulation", "draws": 1}, "draws=1"),
    ],
)
def test_bad_input(specifications, options, message):
    with pytest.raises(OptionError, match=message.replace(".", r"\.")):
        many(specifications, **options)


def test_a_label_that_is_not_there():
    with pytest.raises(OptionError, match=r"There is no fit 'bse'\. Did you mean 'base'"):
        _ = many({"base": {}})["bse"]


def test_errors_keep_their_numbers_between_processes():
    error = pickle.loads(pickle.dumps(ConvergenceError("no", {"rho": 0.3})))  # noqa: S301
    assert error.diagnostics == {"rho": 0.3}


def slow_square(shared, task):
    time.sleep(0.02)
    return shared[0] * task**2, os.getpid()


def test_long_work_is_spread_over_processes_and_comes_back_in_order(monkeypatch):
    monkeypatch.setattr(parallel, "_TRIAL", 0.05)
    found = run_tasks(slow_square, range(40), shared=(2,), n_jobs=2)
    assert [value for value, _ in found] == [2 * i**2 for i in range(40)]
    assert len({process for _, process in found} - {os.getpid()}) == 2


def test_short_work_starts_no_process():
    found = run_tasks(slow_square, range(3), shared=(2,), n_jobs=2)
    assert {process for _, process in found} == {os.getpid()}


def test_progress_is_on_stderr_when_asked_and_only_then(monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    run_tasks(slow_square, range(3), shared=(2,))
    assert written.getvalue() == ""
    run_tasks(slow_square, range(3), shared=(2,), progress=True, what="squares")
    assert "squares" in written.getvalue()
    assert "3/3" in written.getvalue()
