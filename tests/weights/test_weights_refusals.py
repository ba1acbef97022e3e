"""Weights and labels that would come out as something else: refused, with what to do."""

import geopandas as gpd
import pandas as pd
import pytest
from shapely.geometry import box

from spatial_de.errors import AlignmentError, BoundaryError, IslandError, WeightsError
from spatial_de.weights import SpatialWeights, contiguity, knn

PAIR = [[0, 1], [1, 0]]


def message(call, error):
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_decimal_labels_are_not_integers():
    x = pd.Series([1.0, 2.0], index=[1.0, 2.0], name="x")
    assert message(lambda: SpatialWeights(PAIR, [1, 2]).lag(x), AlignmentError) == (
        "The units of the variable are decimal numbers (such as 1.0), those of weights are integers (such as 1): 2 of "
        "them would match if both were written the same way. Labels are compared as given; convert one side, e.g. "
        "ids.astype(int) for the variable."
    )
    assert "ids.astype(int) for weights" in message(
        lambda: SpatialWeights(PAIR, [1.0, 2.0]).reorder([2, 1]), AlignmentError
    )


def test_rows_that_cancel_but_for_rounding():
    rows = [[0, 0.1, 0.2, -0.3], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]
    assert "the weights of 'a' add up to zero" in message(
        lambda: SpatialWeights(rows, list("abcd"), normalization="row", allow_negative=True), WeightsError
    )


@pytest.mark.parametrize(
    ("ids", "name", "said"),
    [
        ([1, 2**53 + 1], "w.xlsx", "cannot hold whole numbers as large as 9007199254740993"),
        ([1, 2**53 + 1], "w.dta", "cannot hold whole numbers as large as 9007199254740993"),
        (["a", "=A1"], "w.xlsx", "Excel would take labels such as '=A1' for formulas"),
        (["a", ""], "w.csv", "A unit has an empty label"),
        (["a", " b"], "w.gal", "Labels with blanks cannot be written into a .gal file: ' b'"),
    ],
)
def test_labels_that_would_not_come_back(ids, name, said, tmp_path):
    assert said in message(lambda: SpatialWeights(PAIR, ids).write(tmp_path / name), WeightsError)
    assert not (tmp_path / name).exists()


@pytest.fixture
def two_blocks():
    cells = [box(0, 0, 1, 1), box(1, 0, 2, 1), box(5, 0, 6, 1), box(6, 0, 7, 1), box(7, 0, 8, 1)]
    return gpd.GeoDataFrame(geometry=cells, index=list("abcde"), crs=4326)


def test_units_without_neighbours_of_a_higher_order(two_blocks):
    said = "3 units without neighbours of order 2: 'a', 'b', 'd'"
    assert message(lambda: contiguity(two_blocks, order=2), IslandError).startswith(said + ". Pass islands='keep'")
    w = contiguity(two_blocks, order=2, islands="keep")
    assert w.islands.tolist() == ["a", "b", "d"]
    assert w.provenance.notes == (said,)
    assert len(contiguity(two_blocks, order=2, include_lower_orders=True).islands) == 0


def test_a_geographic_system_in_grads(two_blocks):
    grads = two_blocks.set_crs(4807, allow_override=True)
    said = "EPSG:4807 counts in grads, not in degrees: use gdf.to_crs('EPSG:4326')."
    assert message(lambda: knn(grads, k=1), BoundaryError) == said
