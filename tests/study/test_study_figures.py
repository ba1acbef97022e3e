import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from spatial_de.effects import Effects
from spatial_de.study import figures
from spatial_de.study.robustness import Estimated


def row(name, estimate, low, high, *, p=0.001, group="Weights"):
    index = pd.MultiIndex.from_product([["index"], ["direct", "indirect", "total"]], names=["term", "effect"])
    columns = ["estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]
    table = pd.DataFrame([[estimate, 1.0, 1.0, p, low, high]] * 3, index=index, columns=columns)
    effects = Effects(table, "delta", 0.95, None, None, None, "classical")
    return Estimated(group, name, effects, effects, failure="", comparable=True)


@pytest.fixture(scope="module")
def figure():
    failed = Estimated("Weights", "failed", None, None, failure="no", comparable=True)
    rows = [
        row("main", 0.5, 0.3, 0.7, group="Main"),
        row("weak", 0.1, -0.1, 0.3, p=0.3),
        row("huge", 3.0, 0.1, 40.0, p=0.8),
        failed,
    ]
    return figures.variants(rows)


def test_each_variant_with_effects_is_a_row(figure):
    labels = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert labels == ["Main", "Weak", "Huge"]
    assert [ax.get_title() for ax in figure.axes] == ["Direct", "Indirect", "Total"]


def test_pale_rows_are_those_that_cannot_be_told_from_zero(figure):
    intervals = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 2 and np.ptp(line.get_ydata()) == 0]
    colours = [to_hex(line.get_color()) for line in intervals if line.get_linewidth() > 2]
    assert colours == [figures._SURE, figures._UNSURE, figures._UNSURE]


def test_an_interval_too_wide_for_the_axis_ends_in_an_arrow(figure):
    ax = figure.axes[0]
    assert ax.get_xlim()[1] < 1.0
    assert [line.get_marker() for line in ax.lines if line.get_marker() in "<>"] == [">"]


def test_the_band_is_the_interval_of_the_main_estimate(figure):
    band = figure.axes[0].patches[0].get_extents().transformed(figure.axes[0].transData.inverted())
    assert (band.x0, band.x1) == pytest.approx((0.3, 0.7))


def test_the_axis_says_what_it_measures(figure):
    assert "Standard deviations" in figure.axes[1].get_xlabel()
    assert figures.variants([row("a", 0.5, 0.3, 0.7)], language="zh").axes[1].get_xlabel() == figures._AXIS["zh"]
