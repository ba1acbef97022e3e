import re

import numpy as np
import pandas as pd
import pytest

from spatial_de.errors import DataError, DataWarning, OptionError
from spatial_de.index import composite_index
from spatial_de.panel import Panel


def panel(**columns):
    rows = {"code": ["BJ", "BJ", "TJ", "TJ", "HE", "HE"], "year": [2013, 2014] * 3}
    columns = {"ports": [1.0, 2, 3, 4, 5, 7], "firms": [2.0, 1, 4, 3, 6, 8]} | columns
    return Panel(pd.DataFrame(rows | columns), unit="code", time="year")


@pytest.fixture
def refused():
    """Assert that a call raises `error` with exactly this message."""

    def check(error, message, *args, **options):
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            composite_index(*args, **options)

    return check


def test_constant_indicator_is_named(refused):
    message = (
        "1 indicator constant: 'flat'. A constant cannot be put on a common scale and tells nothing: leave it out."
    )
    refused(DataError, message, panel(flat=0.1), ["ports", "flat"])


def test_indicator_constant_in_one_year_is_named_with_the_year():
    data = panel(flat=[1.0, 2, 1, 5, 1, 3])
    with pytest.raises(DataError, match="1 indicator constant in 2013: 'flat'"):
        composite_index(data, ["ports", "flat"], scope="per-year")
    assert composite_index(data, ["ports", "flat"]).scope == "global"


@pytest.mark.parametrize("method", ["entropy", "entropy-topsis", "pca", "equal"])
def test_missing_value_is_named(method):
    with pytest.raises(DataError, match="1 value missing: hole at TJ, 2014"):
        composite_index(panel(hole=[1.0, 2, 3, np.nan, 5, 6]), ["ports", "hole"], method=method)


def test_infinite_value_is_named():
    with pytest.raises(DataError, match=r"1 value infinite: .*hole.* at .*TJ.*2014"):
        composite_index(panel(hole=[1.0, 2, 3, np.inf, 5, 6]), ["ports", "hole"])


def test_text_is_named():
    with pytest.raises(DataError, match=r"'hole' holds text.*'--' at HE, 2013"):
        composite_index(panel(hole=["1", "2", "3", "4", "--", "6"]), ["ports", "hole"])


def test_unknown_variable_names_the_nearest():
    with pytest.raises(DataError, match=r"no variable 'portz'\. Did you mean 'ports'\?"):
        composite_index(panel(), ["portz", "firms"])


@pytest.mark.parametrize("direction", [0, 2, "up", True, None, "Positive"])
def test_unknown_direction_is_named(refused, direction):
    message = (
        f"Indicator 'firms': direction {direction!r} is not known; use 1 or 'positive' (more is better), -1 or "
        "'negative' (less is better)."
    )
    refused(OptionError, message, panel(), {"ports": 1, "firms": direction})


@pytest.mark.parametrize(("given", "shown"), [(["ports"], "'ports'"), ([], "none"), ({"ports": 1}, "'ports'")])
def test_one_indicator_is_no_index(refused, given, shown):
    message = f"A composite index needs at least two indicators, got {shown}. For one variable use the variable itself."
    refused(OptionError, message, panel(), given)


def test_indicator_named_twice(refused):
    refused(OptionError, "1 indicator named more than once: 'ports'.", panel(), ["ports", "firms", "ports"])


def test_unknown_preset_names_the_nearest(refused):
    message = (
        "There is no preset 'china-digital-8': use one of 'china-digital-7'. Did you mean 'china-digital-7'? To use "
        "variables of the panel, give a list of their names."
    )
    refused(OptionError, message, panel(), "china-digital-8")


@pytest.mark.parametrize("method", ["entropy", "entropy-topsis"])
def test_entropy_refuses_z_scores_with_the_reason(refused, method):
    message = (
        f"method='{method}' cannot use normalization='z': it needs shares of non-negative numbers, and z-scores are "
        "negative below the mean. Use normalization='minmax', or method 'pca' or 'equal'."
    )
    refused(OptionError, message, panel(), ["ports", "firms"], method=method, normalization="z")


@pytest.mark.parametrize(
    ("options", "nearest"),
    [
        ({"method": "entrpy"}, "entropy"),
        ({"scope": "per_year"}, "per-year"),
        ({"normalization": "min-max"}, "minmax"),
    ],
)
def test_unknown_options_name_the_nearest(options, nearest):
    with pytest.raises(OptionError, match=f"Did you mean '{nearest}'"):
        composite_index(panel(), ["ports", "firms"], **options)


def test_explained_belongs_to_pca(refused):
    message = "method='entropy' takes no option explained; it belongs to 'pca'."
    refused(OptionError, message, panel(), ["ports", "firms"], explained=0.8)


@pytest.mark.parametrize("explained", [0, -0.5, 1.2, 85, np.nan])
def test_explained_is_a_share(refused, explained):
    message = f"explained={explained!r} is not allowed: give a share above 0 and up to 1, e.g. 0.85."
    refused(OptionError, message, panel(), ["ports", "firms"], method="pca", explained=explained)


def test_component_without_direction_is_refused():
    with pytest.raises(DataError, match="Principal component 1 only contrasts indicators"):
        composite_index(panel(), {"ports": 1, "firms": -1}, method="pca")
    with pytest.raises(DataError, match="Principal component 2 only contrasts indicators"):
        composite_index(panel(), ["ports", "firms"], method="pca", explained=1.0)


def test_indicator_against_the_others_warns():
    data = panel(against=[7.0, 5, 4, 3, 2, 1])
    with pytest.warns(DataWarning, match="^Negative weight for 'against': the index falls where they improve"):
        found = composite_index(data, ["ports", "firms", "against"], method="pca")
    assert found.weights.loc["against", "weight"] < 0


def test_frame_instead_of_panel(refused):
    message = "panel is a DataFrame: build sde.Panel(df, unit=..., time=...) first."
    refused(DataError, message, panel().to_frame(), ["ports", "firms"])
