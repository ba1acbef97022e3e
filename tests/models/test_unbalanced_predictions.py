"""Predictions for panels with gaps, or under weights that change: stacked dense matrices and explicit dummies."""

import warnings

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import EstimationWarning, OptionError

from .unbalanced import EFFECTS, brute, case

CASES = [(model, fixed, "symmetric", 0.15, False) for model in ("ols", "sar", "sdm", "sem", "gns") for fixed in EFFECTS]
CASES += [("sdm", "two-way", "directed", 0.15, True), ("gns", "two-way", "binary", 0.0, True)]


def fitted(one, model, fixed, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        w = None if model == "ols" else one.weights()
        return sde.fit("y ~ x + z", one.panel(), w, model=model, fixed=fixed, **options)


@pytest.mark.parametrize(("model", "fixed", "kind", "deleted", "varying"), CASES)
def test_in_sample(model, fixed, kind, deleted, varying):
    one = case(kind, seed=3, n_units=12, n_times=6, deleted=deleted, varying=varying)
    fit, dense = fitted(one, model, fixed), brute(one, model, fixed)
    assert fit.converged
    k = dense.Z.shape[1]
    A, B = dense.operators([fit.params[name] for name in ("rho", "lambda") if name in fit.params])
    rest = A @ dense.y - dense.Z @ fit.params.to_numpy()[:k]
    of_dummies = np.linalg.lstsq(B @ dense.D, B @ rest)[0] if dense.D.shape[1] else np.zeros(0)
    trend = dense.Z @ fit.params.to_numpy()[:k] + dense.D @ of_dummies
    noise = B @ (A @ dense.y - trend)
    data = one.sorted().set_index(["unit", "year"])

    def by_row(series):
        return series.loc[data.index].to_numpy()

    parts = fit.decompose()
    np.testing.assert_allclose(by_row(parts.sum(axis=1)), dense.y, rtol=1e-10)
    np.testing.assert_allclose(by_row(parts["trend"]), trend, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(by_row(parts["noise"]), noise, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(by_row(fit.residuals), noise, rtol=1e-7, atol=1e-8)
    mean = np.linalg.solve(A, trend)
    np.testing.assert_allclose(by_row(fit.predict()), mean, rtol=1e-7, atol=1e-8)
    precision = A.T @ B.T @ B @ A
    best = dense.y - precision @ (dense.y - mean) / np.diag(precision)
    np.testing.assert_allclose(by_row(fit.predict(kind="blup")), best, rtol=1e-7, atol=1e-8)
    unit, time = fit.unit_effects, fit.time_effects
    assert (unit is None) == (fixed in {"none", "time"})
    assert (time is None) == (fixed in {"none", "individual"})
    both = 0.0 if unit is None else unit.loc[data.index.get_level_values("unit")].to_numpy()
    both = both + (0.0 if time is None else time.loc[data.index.get_level_values("year")].to_numpy())
    np.testing.assert_allclose(both, dense.D @ of_dummies if dense.D.shape[1] else 0.0, rtol=1e-7, atol=1e-8)
    if fixed == "two-way":
        assert abs(time.mean()) < 1e-10


def test_two_sets_of_units_that_no_time_connects_have_levels_of_their_own():
    rng = np.random.default_rng(0)
    early = [(u, t) for u in ("a", "b", "c") for t in (1, 2, 3)]
    late = [(u, t) for u in ("d", "e", "f") for t in (4, 5, 6)]
    frame = pd.DataFrame(early + late, columns=["unit", "year"]).assign(x=rng.normal(size=18), y=rng.normal(size=18))
    fit = sde.fit("y ~ x", sde.Panel(frame, "unit", "year", unbalanced=True), model="ols", fixed="two-way")
    times = fit.time_effects
    assert abs(times[[1, 2, 3]].mean()) < 1e-12
    assert abs(times[[4, 5, 6]].mean()) < 1e-12
    trend = fit.params["x"] * frame["x"] + fit.unit_effects[frame["unit"]].to_numpy() + times[frame["year"]].to_numpy()
    np.testing.assert_allclose(fit.decompose()["trend"].to_numpy(), trend, rtol=1e-10)


def test_other_data_are_refused():
    one = case(seed=3)
    fit = fitted(one, "sar", "two-way")
    with pytest.raises(OptionError, match="for other data than those of the fit is not available for panels that"):
        fit.predict(one.panel())
