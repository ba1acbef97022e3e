import re

import numpy as np
import pandas as pd
import pytest

from spatial_de.autocorrelation import local_moran, moran
from spatial_de.errors import (
    AlignmentError,
    DataError,
    DataWarning,
    IdentificationError,
    OptionError,
    PanelError,
    WeightsError,
)
from spatial_de.weights import SpatialWeights

UNITS = ["BJ", "TJ", "HE", "SX", "NM", "LN", "JL", "HL"]
RING = np.array([[float((i - j) % 8 in {1, 7}) for j in range(8)] for i in range(8)])
both = pytest.mark.parametrize("statistic", [moran, local_moran])


def ring(ids=UNITS):
    return SpatialWeights(RING, ids, normalization="row")


def values(ids=UNITS, **changes):
    x = pd.Series([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0], index=ids, name="gap")
    for unit, value in changes.items():
        x[unit] = value
    return x


def panel_values(years=(2013, 2014)):
    return pd.concat({year: values() for year in years}, names=["year", "code"]).swaplevel()


@pytest.fixture
def refused():
    """Assert that a call raises `error` with exactly this message."""

    def check(error, message, call, *args, **options):
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            call(*args, **options)

    return check


@both
def test_missing_and_infinite_values_name_the_units(statistic, refused):
    message = (
        "'gap': 2 units without a finite number (NaN or inf): 'BJ', 'HE'. Fill the gaps, or leave these units out "
        "of both sides (series.drop(ids), w.subset(ids))."
    )
    refused(DataError, message, statistic, values(BJ=np.nan, HE=np.inf), ring())


@both
def test_missing_value_in_a_panel_names_unit_and_time(statistic):
    x = panel_values()
    x["TJ", 2014] = np.nan
    with pytest.raises(DataError, match=r"^'gap' in 2014: 1 unit without a finite number .*: 'TJ'\."):
        statistic(x, ring())


@both
@pytest.mark.parametrize("level", [0.0, 0.1, 1e9, -1e-9])
def test_constant_is_refused(statistic, refused, level):
    message = f"'gap': all 8 units have the same value {level:g}; a constant has no spatial pattern."
    refused(DataError, message, statistic, pd.Series(level, index=UNITS, name="gap"), ring())


@both
def test_constant_up_to_rounding_is_refused(statistic):
    x = values()
    x[:] = 0.3
    x["BJ"] = 0.1 + 0.2
    with pytest.raises(DataError, match=r"all 8 units have the same value 0\.3"):
        statistic(x, ring())


@both
def test_missing_and_extra_units_are_named(statistic):
    x = values().drop("TJ")
    with pytest.raises(AlignmentError, match=r"1 unit of the weights not in 'gap': 'TJ'"):
        statistic(x, ring())
    x["TJ"] = x["XX"] = 2.0
    with pytest.raises(AlignmentError, match=r"1 unit of 'gap' not in the weights: 'XX'"):
        statistic(x, ring())


@both
def test_text_against_integer_ids_name_the_fix(statistic):
    codes = range(110000, 110008)
    with pytest.raises(AlignmentError, match=r"are text .*are integers .*astype"):
        statistic(values([str(c) for c in codes]), ring(codes))


@both
def test_unlabelled_series_does_not_meet_by_position(statistic):
    with pytest.raises(AlignmentError, match="are not the same"):
        statistic(values().reset_index(drop=True), ring())


@both
def test_duplicated_unit_is_named(statistic):
    x = values()
    x.index = ["BJ", "BJ", *UNITS[2:]]
    with pytest.raises(AlignmentError, match="1 label occurs more than once: 'BJ'"):
        statistic(x, ring())


@both
def test_duplicated_unit_and_time_is_named(statistic, refused):
    x = pd.concat([panel_values(), panel_values().iloc[[0]]])
    message = "1 pair of unit and time occur more than once: ('BJ', 2013)."
    refused(PanelError, message, statistic, x, ring())


@both
def test_unbalanced_panel_names_time_and_unit(statistic):
    x = panel_values().drop(("HE", 2014))
    with pytest.raises(AlignmentError, match=r"1 unit of the weights not in 'gap' in 2014: 'HE'"):
        statistic(x, ring())


@both
def test_panel_with_time_first_is_named(statistic, refused):
    message = "The index of the panel variable is (time, unit); (unit, time) is needed: x.swaplevel()."
    refused(AlignmentError, message, statistic, panel_values().swaplevel(), ring())


@both
def test_text_is_refused_with_its_units(statistic, refused):
    x = values().astype(object)
    x["SX"] = "--"
    message = "'gap': text at 'SX'; numbers are needed (x.astype(float) converts what can be)."
    refused(DataError, message, statistic, x, ring())


@both
@pytest.mark.parametrize("kind", [bool, "category", complex])
def test_other_types_are_refused(statistic, kind):
    with pytest.raises(DataError, match=r"numbers are needed|real ones are needed"):
        statistic(values().astype(kind), ring())


@both
@pytest.mark.parametrize("kind", ["float32", "int64", "Float64"])
def test_numbers_of_any_kind_are_accepted(statistic, kind):
    plain, other = statistic(values(), ring()), statistic(values().astype(kind), ring())
    assert other.to_frame().to_string() == plain.to_frame().to_string()


@both
def test_arrays_are_refused(statistic):
    with pytest.raises(DataError, match="x is a ndarray; units are matched by label"):
        statistic(values().to_numpy(), ring())


@both
def test_three_index_levels_are_refused(statistic, refused):
    x = pd.concat({"a": panel_values()})
    refused(DataError, "x has 3 index levels: use unit, or unit and time.", statistic, x, ring())


@both
def test_foreign_weights_are_refused_with_the_way_in(statistic):
    with pytest.raises(WeightsError, match=r"w is a ndarray, not SpatialWeights.*from_graph"):
        statistic(values(), RING)


@both
def test_weights_without_links_are_refused(statistic, refused):
    message = "The weights add up to zero (no links?): Moran's I is not defined."
    refused(WeightsError, message, statistic, values(), SpatialWeights(np.zeros((8, 8)), UNITS))


@both
@pytest.mark.parametrize("permutations", [0, -1, 99.5, True, "99"])
def test_permutations_must_be_a_positive_whole_number(statistic, refused, permutations):
    message = f"permutations={permutations!r} is not allowed: give a whole number of at least 1."
    refused(OptionError, message, statistic, values(), ring(), permutations=permutations)


@both
@pytest.mark.parametrize("seed", [-1, 1.5, None])
def test_seed_must_be_a_whole_number(statistic, refused, seed):
    message = f"seed={seed!r} is not allowed: give a whole number of at least 0."
    refused(OptionError, message, statistic, values(), ring(), seed=seed)


@pytest.mark.parametrize("alpha", [0, 1, -0.1, 5, np.nan])
def test_alpha_must_lie_between_zero_and_one(refused, alpha):
    message = f"alpha={alpha!r} is not allowed: give a number between 0 and 1."
    refused(OptionError, message, local_moran, values(), ring(), alpha=alpha)


@pytest.mark.parametrize(
    ("statistic", "options", "nearest"),
    [
        (moran, {"inference": "randomisation"}, "randomization"),
        (moran, {"alternative": "two.sided"}, "two-sided"),
        (local_moran, {"control": "FDR "}, ""),
        (local_moran, {"control": "bonferoni"}, "bonferroni"),
        (local_moran, {"divisor": "n-2"}, "n-1"),
    ],
)
def test_unknown_options_name_the_nearest(statistic, options, nearest):
    hint = f" Did you mean '{nearest}'" if nearest else "use one of 'fdr'"
    with pytest.raises(OptionError, match=hint):
        statistic(values(), ring(), **options)


@both
def test_too_few_units_are_refused(statistic, refused):
    w = SpatialWeights([[0, 1], [1, 0]], ["a", "b"])
    message = "the variable: 2 units only; at least 3 are needed."
    refused(DataError, message, statistic, pd.Series({"a": 1.0, "b": 2.0}), w, permutations=1)


def test_three_units_need_normality():
    w = SpatialWeights([[0, 1, 0], [1, 0, 1], [0, 1, 0]], ["a", "b", "c"])
    x = pd.Series({"a": 1.0, "b": 2.0, "c": 4.0})
    with pytest.raises(DataError, match="needs 4; use inference='normality'"):
        moran(x, w, permutations=5)
    assert moran(x, w, permutations=5, inference="normality").n == 3


def test_weights_that_link_all_equally_are_refused():
    w = SpatialWeights(1 - np.eye(8), UNITS, normalization="row")
    with pytest.raises(IdentificationError, match="'gap': every arrangement of the values gives the same"):
        moran(values(), w)


def test_unit_linked_equally_to_all_others_is_never_significant():
    w = SpatialWeights(1 - np.eye(8), UNITS, normalization="row")
    table = local_moran(values(), w).table
    assert table["z"].isna().all()
    assert (table["p_sim"] == 1.0).all()


def test_unit_that_alone_differs_has_no_distribution():
    table = local_moran(pd.Series(0.1, index=UNITS) + pd.Series(0.6, index=["LN"]).reindex(UNITS).fillna(0), ring())
    assert np.isnan(table.table.loc["LN", "z"])
    assert table.table.loc["LN", "p_sim"] == 1.0


def test_more_permutations_than_arrangements_warn():
    w = SpatialWeights([[float((i - j) % 5 in {1, 4}) for j in range(5)] for i in range(5)], range(5))
    x = pd.Series([1.0, 2.0, 4.0, 8.0, 3.0])
    with pytest.warns(DataWarning, match=r"^5 values can be arranged in only 120 ways, fewer than the 999"):
        moran(x, w)
    with pytest.warns(DataWarning, match=r"^4 values can be arranged in only 24 ways, fewer than the 999"):
        local_moran(x, w, permutations=999)
    assert local_moran(x, w).settings.permutations == 24


def test_bonferroni_out_of_reach_warns():
    with pytest.warns(DataWarning, match=r"smallest possible p-value is 0.02, above 0.05 / 8.*permutations=320 or"):
        local_moran(values(), ring(), permutations=99, control="bonferroni")
    local_moran(values(), ring(), permutations=320, control="bonferroni")


def test_unknown_time_is_named():
    for result in (moran(panel_values(), ring()), local_moran(panel_values(), ring())):
        with pytest.raises(OptionError, match=r"No results for 2015: use one of 2013, 2014\. Did you mean '201"):
            result[2015]


@pytest.mark.parametrize("factor", [1e-300, 1e300])
def test_sizes_beyond_double_precision(factor):
    w = SpatialWeights(RING, UNITS)
    x = pd.Series(np.linspace(1.0, 4.0, 8) * factor, index=UNITS, name="x")
    with pytest.raises(DataError, match=r"'x': the values spread over 3e[-+]300: express them in other units"):
        moran(x, w)
