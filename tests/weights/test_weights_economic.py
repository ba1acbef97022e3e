"""Economic distance against brute force; its warnings and refusals."""

import numpy as np
import pandas as pd
import pytest

from spatial_de.errors import AlignmentError, CapacityError, DataError, OptionError, WeightsError
from spatial_de.weights import economic

GDP = pd.Series({"BJ": 20.0, "TJ": 12.0, "HE": 8.0, "SX": 6.5}, name="gdp_pc")


def message(call, error):
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def panel_variable(values=GDP, years=(2013, 2014, 2015)):
    """Every year's value differs, the average is `values`."""
    tilt = np.linspace(-3.0, 2.0, len(values))  # so that maximum, last year and average order units differently
    yearly = {year: values + tilt * (year - np.mean(years)) for year in years}
    return pd.concat(yearly, names=["year", "code"]).swaplevel().rename("gdp_pc")


@pytest.mark.parametrize("power", [1, 2])
def test_brute_force(power):
    v = GDP.to_numpy()
    gap = np.abs(v[:, None] - v)
    expected = np.where(gap > 0, np.where(gap > 0, gap, 1.0) ** -float(power), 0.0)
    w = economic(GDP, power=power, normalize="none")
    np.testing.assert_allclose(w.to_dense().to_numpy(), expected, rtol=1e-14)
    assert w.ids.tolist() == GDP.index.tolist()
    np.testing.assert_allclose(
        economic(GDP, power=power).to_dense().to_numpy(), expected / expected.sum(axis=1, keepdims=True), rtol=1e-14
    )


def test_a_panel_variable_is_averaged_over_time_by_label():
    shuffled = panel_variable().sample(frac=1, random_state=1)
    w = economic(shuffled, normalize="none")
    np.testing.assert_allclose(
        w.to_dense().loc[GDP.index, GDP.index], economic(GDP, normalize="none").to_dense(), rtol=1e-12
    )
    assert w.provenance.rule == "inverse absolute difference of 'gdp_pc' averaged over 2013 to 2015 to the power 1"
    one = panel_variable().loc[(slice(None), [2014])]
    assert economic(one).provenance.rule == "inverse absolute difference of 'gdp_pc' in 2014 to the power 1"


def test_the_provenance_warns_of_endogeneity_and_carries_the_name():
    w = economic(GDP)
    assert w.provenance.variables == ("gdp_pc",)
    assert w.provenance.notes == ("endogenous if 'gdp_pc' is the outcome, or reacts to it within the sample",)
    assert "endogenous if 'gdp_pc' is the outcome" in repr(w)
    assert w.normalized("spectral").provenance.variables == ("gdp_pc",)


def test_units_of_measurement_do_not_matter_after_row_normalisation():
    np.testing.assert_allclose(economic(GDP * 1e12).to_dense(), economic(GDP).to_dense(), rtol=1e-12)


def test_equal_values_are_named():
    tied = GDP.copy()
    tied["SX"] = 8.0
    tied["TJ"] = 20.0
    assert message(lambda: economic(tied), WeightsError) == (
        "2 pairs of units with equal 'gdp_pc': ('BJ', 'TJ'), ('HE', 'SX'). The inverse of a difference of zero is "
        "infinite; use values with more digits, an average over more years, or another variable."
    )
    rounded = GDP.copy()
    rounded["SX"] = 8.0 * (1 + 1e-15)
    assert "1 pair of units with equal 'gdp_pc': ('HE', 'SX')" in message(lambda: economic(rounded), WeightsError)


@pytest.mark.parametrize(("bad", "what"), [(np.nan, "missing"), (np.inf, "infinite")])
def test_missing_and_infinite_values_are_named(bad, what):
    values = GDP.copy()
    values["HE"] = bad
    expected = "Variable 'gdp_pc' is missing or infinite at 'HE'. Complete it or leave these units out."
    assert message(lambda: economic(values), DataError) == expected
    long = panel_variable()
    long[("HE", 2014)] = bad
    assert "missing or infinite at ('HE', 2014)" in message(lambda: economic(long), DataError)


def test_averages_over_different_times_are_refused():
    assert message(lambda: economic(panel_variable().drop(("TJ", 2014))), DataError) == (
        "Averages of 'gdp_pc' would be over different times: 1 unit lack some of the 3: 'TJ'. Select times that all "
        "units have."
    )


def test_other_bad_input():
    assert "must hold numbers" in message(lambda: economic(GDP.astype(str)), DataError)
    assert "must hold numbers" in message(lambda: economic(GDP > 10), DataError)
    assert message(lambda: economic(GDP.to_frame()), DataError) == (
        "economic() needs one variable as a Series, got DataFrame."
    )
    assert "1 label occurs more than once: 'BJ'" in message(
        lambda: economic(pd.concat([GDP, pd.Series({"BJ": 3.0})])), AlignmentError
    )
    twice = pd.concat([panel_variable(), panel_variable().iloc[:1]])
    assert "occurs more than once at ('BJ', 2013)" in message(lambda: economic(twice), DataError)
    assert "power=0 must be a positive number" in message(lambda: economic(GDP, power=0), OptionError)
    assert message(lambda: economic(GDP.iloc[:1]), WeightsError) == "Weights need at least two units, got 1."
    huge = pd.Series(np.arange(20_000.0))
    assert "about 19.2 GB while building" in message(lambda: economic(huge), CapacityError)
