"""Bad input to fits with random effects, each with its message."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de import errors as e
from spatial_de.weights import SpatialWeights

N, T = 8, 5
IDS = [f"u{i}" for i in range(N)]
RNG = np.random.default_rng(4)
LONG = pd.DataFrame([(unit, year) for unit in IDS for year in range(2010, 2010 + T)], columns=["id", "year"])
LONG[["x", "y", "mean_x"]] = RNG.standard_normal((N * T, 3))
LONG["area"] = LONG["id"].map(dict(zip(IDS, RNG.standard_normal(N), strict=True)))
LONG["price"] = LONG["year"].map(dict(zip(range(2010, 2010 + T), RNG.standard_normal(T), strict=True)))
LONG["y"] += LONG["area"]
RING = np.roll(np.eye(N), 1, axis=1) + np.roll(np.eye(N), -1, axis=1)
W = SpatialWeights(RING, IDS, normalization="row")
BINARY = SpatialWeights(RING * (1.0 + np.arange(N)), IDS)


def fit(formula="y ~ x", frame=LONG, w=W, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", e.EstimationWarning)
        return sde.fit(formula, sde.Panel(frame, "id", "year"), w, **({"random": True, "model": "sar"} | options))


REFUSED = {
    "no panel": (
        lambda: sde.fit("y ~ x", LONG[LONG["year"] == 2010].set_index("id")[["x", "y"]], W, random=True),
        "random=True needs a panel",
    ),
    "one time": (lambda: fit(frame=LONG[LONG["year"] == 2010]), "needs at least two times; the panel has 1"),
    "unknown form": (
        lambda: fit(random="anselin"),
        "random='anselin' is not available: use one of True, False, 'bsk', ",
    ),
    "misspelt form": (lambda: fit(random="kpp"), "Did you mean 'kkp'?"),
    "a number": (lambda: fit(random=2), "random=2 is not available"),
    "zero": (lambda: fit(random=0), "random=0 is not available"),
    "fixed individual effects": (
        lambda: fit(fixed="individual"),
        "fixed='individual' and random effects both stand for",
    ),
    "fixed two-way effects": (lambda: fit(fixed="two-way"), "use random=True, correlated=True"),
    "unknown fixed": (lambda: fit(fixed="year"), "fixed='year' is not available"),
    "bias without time effects": (lambda: fit(bias="lee-yu"), "bias='lee-yu' belongs to fixed effects"),
    "bias correction": (lambda: fit(fixed="time", bias="correction"), "bias='correction' is not available"),
    "correlated alone": (lambda: fit(random=False, correlated=True), "say random=True as well"),
    "correlated is no yes or no": (lambda: fit(correlated="mundlak"), "correlated='mundlak' is not available"),
    "gmm": (lambda: fit(method="gmm"), "is estimated by method='ml' only"),
    "robust": (lambda: fit(cov="robust"), "cov='robust' is not available with random effects"),
    "driscoll-kraay": (lambda: fit(cov="driscoll-kraay"), "cov='driscoll-kraay' is not available with random effects"),
    "bandwidth": (lambda: fit(cov="cluster", bandwidth=2), "bandwidth=2 belongs to cov='driscoll-kraay'"),
    "cluster beside a spatial error": (lambda: fit(model="sem", cov="cluster"), "use random='kkp', or cov='classical'"),
    "name of a unit mean taken": (
        lambda: fit("y ~ x + mean_x", correlated=True),
        "Two parameters would be called 'mean_x'",
    ),
    "name of the variance taken": (
        lambda: fit("y ~ sigma2_mu", LONG.rename(columns={"x": "sigma2_mu"})),
        "Two parameters would be called 'sigma2_mu'",
    ),
    "time effects absorb": (lambda: fit("y ~ x + price", fixed="time"), "'price'"),
    "predictions": (lambda: fit(fixed="time").predict(), "predict() is not available with random effects beside"),
    "bootstraps": (lambda: fit(model="sem").bootstrap(), "bootstrap() is not available for random='bsk' beside"),
    "effects of times": (lambda: fit(fixed="time").time_effects, "not available with random effects"),
}


@pytest.mark.parametrize("case", REFUSED, ids=list(REFUSED))
def test_refused(case):
    call, words = REFUSED[case]
    with pytest.raises(e.SpatialDEError, match=re.escape(words)):
        call()


def test_regressors_that_do_not_change_over_time_are_allowed():
    found = fit("y ~ x + area + price", correlated=True)
    assert {"area", "price", "mean_x"} <= set(found.params.index)
    assert not {"mean_area", "mean_price"} & set(found.params.index)
    assert any("'area', 'price'" in note and "Without a unit mean" in note for note in found.notes)


def test_time_effects_that_cannot_be_eliminated():
    panel = sde.Panel(LONG, "id", "year")
    with pytest.warns(e.EstimationWarning, match="W is not row-stochastic, so that with random effects"):
        found = sde.fit("y ~ x", panel, BINARY, model="sar", random=True, fixed="time")
    assert found.bias == "none"
    assert found.n_likelihood == N * T
    assert "Intercept" in found.params


def test_an_exact_fit():
    frame = LONG.assign(y=2.0 * LONG["x"] + 1.0)
    with pytest.raises(e.IdentificationError, match="fit the response exactly"):
        fit(frame=frame)


def test_too_many_units_for_dense_matrices(monkeypatch):
    monkeypatch.setattr("spatial_de.models.random_kernel.DENSE_LIMIT", 7)
    with pytest.raises(e.CapacityError, match=r"8 x 8 units.* random='kkp' does without"):
        fit(model="sem")
    assert fit(model="sem", random="kkp").converged
    assert fit(model="sar").converged
