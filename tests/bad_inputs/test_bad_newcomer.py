"""What beginners try, each with its message."""

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de import errors as e
from spatial_de.weights import SpatialWeights

N, T = 8, 5
IDS = [f"u{i}" for i in range(N)]
LONG = pd.DataFrame([(unit, year) for unit in IDS for year in range(2010, 2010 + T)], columns=["id", "year"])
LONG[["x", "y"]] = np.random.default_rng(4).standard_normal((N * T, 2))
W = SpatialWeights(np.roll(np.eye(N), 1, axis=1) + np.roll(np.eye(N), -1, axis=1), IDS, normalization="row")


@pytest.fixture
def fitted():
    return sde.fit("y ~ x", sde.Panel(LONG, "id", "year"), W, model="sar")


def test_unbalanced_is_not_a_word():
    with pytest.raises(e.OptionError, match="unbalanced='no' is not available: use one of True, False"):
        sde.Panel(LONG, "id", "year", unbalanced="no")


def test_no_text_is_proposed_for_true(fitted):
    with pytest.raises(e.OptionError, match="random='true' is not available") as caught:
        sde.fit("y ~ x", sde.Panel(LONG, "id", "year"), W, model="sar", random="true")
    assert "Did you mean" not in str(caught.value)


def test_a_time_effect_is_a_number(fitted):
    later = sde.Panel(LONG.assign(year=LONG["year"] + T), "id", "year")
    with pytest.raises(e.OptionError, match="time_effect='mean' is not allowed: give a number"):
        fitted.predict(later, time_effect="mean")


def test_tables_show_fits(fitted):
    many = sde.fit_many({"a": {"model": "sar"}}, sde.Panel(LONG, "id", "year"), W, formula="y ~ x")
    with pytest.raises(e.OptionError, match=r"not FitRecord; the numbers of fit_many\(\) are in its to_frame\(\)"):
        sde.tables.regression([fitted, many["a"]])
