"""Bad input to fits of unbalanced panels and of weights that change, each with the exact message."""

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de import errors as e
from spatial_de.weights import SpatialWeights

N, T = 8, 5
IDS = [f"u{i}" for i in range(N)]
YEARS = list(range(2010, 2010 + T))
RNG = np.random.default_rng(0)
LONG = pd.DataFrame([(unit, year) for unit in IDS for year in YEARS], columns=["id", "year"])
LONG[["x", "y", "z"]] = RNG.standard_normal((N * T, 3))
HOLES = LONG.drop([4, 5, 17, 30])
I = np.arange(N)
RING = np.zeros((N, N))
RING[I, (I + 1) % N] = RING[(I + 1) % N, I] = 1.0
W = SpatialWeights(RING, IDS, normalization="row")
OTHER = SpatialWeights(np.roll(RING, 1, axis=1) * (1 - np.eye(N)), IDS, normalization="row")
VARYING = dict.fromkeys(YEARS, W) | {2011: OTHER}


def panel(frame=HOLES, **columns):
    return sde.Panel(frame.assign(**columns), "id", "year", unbalanced=True)


def fit(formula="y ~ x", data=None, w=W, **options):
    return sde.fit(formula, panel() if data is None else data, w, **options)


REFUSED = {
    "a value that is missing in a row that is there": (
        lambda: fit(data=panel(x=HOLES["x"].where(HOLES.index != 7))),
        e.DataError,
        "1 value missing: x at u1, 2012. Complete them, drop the units or times explicitly, or leave the variable out.",
    ),
    "a time without weights": (
        lambda: fit(w=dict.fromkeys(YEARS[1:], W)),
        e.AlignmentError,
        "w= must have weights for each time of the panel, 2010 to 2014: it lacks 2010.",
    ),
    "weights for times that are not there": (
        lambda: fit(w=dict.fromkeys([*YEARS, 2015, 2016], W)),
        e.AlignmentError,
        "w= must have weights for each time of the panel, 2010 to 2014: it has 2015, 2016 too many.",
    ),
    "times written as text": (
        lambda: fit(model="sem", error_weights={str(year): W for year in YEARS}),
        e.AlignmentError,
        "error_weights= must have weights for each time of the panel, 2010 to 2014: it lacks 2010, 2011, 2012, 2013, 2014 "
        "and has '2010', '2011', '2012', '2013', '2014' too many.",
    ),
    "weights of one time that lack a unit": (
        lambda: fit(data=panel(LONG), w=VARYING | {2012: W.subset(IDS[1:])}),
        e.AlignmentError,
        "w= at 2012: The units of weights and data are not the same; 1 unit of data not in weights: 'u0'. Drop or add units "
        "explicitly (w.subset(ids), panel.select(units=...)) so that both hold the same ones.",
    ),
    "a matrix at one time": (
        lambda: fit(w=dict.fromkeys(YEARS, W) | {2010: RING}),
        e.WeightsError,
        "Weights must be SpatialWeights, not ndarray: use sde.weights.from_graph(...) for libpysal objects, "
        "sde.weights.from_matrix(a, ids) for matrices.",
    ),
    "weights by time for a cross-section": (
        lambda: fit(data=LONG[LONG.year == 2010].set_index("id")[["x", "y"]], w=VARYING),
        e.OptionError,
        "w= has weights for each time, but a cross-section has no times: give one W.",
    ),
    "a rule for missing neighbours that is none": (
        lambda: fit(missing_neighbors="renormalise"),
        e.OptionError,
        "missing_neighbors='renormalise' is not available: use one of None, 'renormalize', 'zero'. Did you mean "
        "'renormalize'?",
    ),
    "missing neighbours where nobody is missing": (
        lambda: fit(data=panel(LONG), missing_neighbors="zero"),
        e.OptionError,
        "missing_neighbors='zero' has no use here: every unit is there at every time.",
    ),
    "the analytic correction": (
        lambda: fit(bias="correction"),
        e.OptionError,
        "bias='correction' is not available for a panel that is not balanced: use bias='lee-yu', which adjusts the scores "
        "exactly.",
    ),
    "the expected information": (
        lambda: fit(data=panel(LONG), w=VARYING, information="expected"),
        e.OptionError,
        "information='expected' is not available for weights that change over time: use information='observed'.",
    ),
    "cumulants of the errors": (
        lambda: fit(fixed="individual", cov="robust"),
        e.OptionError,
        "cov='robust' of model='sdm' needs a balanced panel under one W, whose residuals show the cumulants of the errors: "
        "use cov='cluster' here.",
    ),
    "effects between units": (
        lambda: fit(fixed="individual").effects_by_unit(),
        e.OptionError,
        "Effects between units are those of one W at all times, and here it changes with the units that are there or with "
        "time: effects() gives the averages over times; effects of units need a balanced panel under one W.",
    ),
    "specification tests": (
        lambda: sde.specification_tests("y ~ x", panel(LONG), VARYING),
        e.OptionError,
        "Specification tests need a balanced panel under one W: call panel.balance() and give one W, or compare fits of the "
        "panel as it is, with likelihood_ratio and wald_test.",
    ),
    "more effects than rows": (
        lambda: fit(
            "y ~ x + z",
            data=panel(LONG[LONG.year <= 2011].iloc[:6]),
            w=None,
            model="ols",
        ),
        e.IdentificationError,
        "2 free observations cannot determine 2 coefficients: use fewer regressors, fewer effects or more data.",
    ),
    "a regressor that the effects absorb": (
        lambda: fit(data=panel(x=HOLES["id"].str[1:].astype(int)), fixed="individual"),
        e.IdentificationError,
        "No variation over time within units in 'x': the individual effects absorb it. Leave it out, or choose other effects "
        "(fixed=...).",
    ),
    "a column to drop by that is not there": (
        lambda: panel().drop_missing(["xx"]),
        e.DataError,
        "The panel has no variable 'xx'. Did you mean 'x'? It has 'x', 'y', 'z'.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.filterwarnings("ignore::spatial_de.errors.EstimationWarning")
def test_refused_with_the_exact_message(case):
    call, error, message = REFUSED[case]
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert str(caught.value) == message
