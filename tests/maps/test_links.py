"""The map of links draws every link once, arrows for one-way ones, and rings islands."""

import numpy as np
import pytest

import spatial_de as sde
from spatial_de.errors import AlignmentError


@pytest.fixture(scope="module")
def provinces():
    return sde.datasets.load_provinces()


def drawn(figure):
    """Segments and widths of two-way links, arrows of one-way ones, and the number of rings."""
    ax = figure.axes[0]
    lines = [c for c in ax.collections if type(c).__name__ == "LineCollection"]
    segments = [segment for c in lines for segment in c.get_segments()]
    widths = [width for c in lines for width in c.get_linewidths()]
    rings = [line for line in ax.lines if line.get_markersize() == 9]
    return segments, widths, ax.texts, sum(len(line.get_xdata()) for line in rings)


def test_contiguity_has_a_line_for_each_pair(provinces):
    mainland = provinces[provinces["region"] != "none"]
    w = sde.weights.contiguity(mainland, islands="keep")
    segments, widths, arrows, rings = drawn(sde.maps.links(w, provinces))
    assert len(segments) == w.n_links / 2
    assert not arrows
    assert rings == len(w.islands) == 1
    weights = w.to_dense().to_numpy()
    i, j = np.nonzero(np.triu(weights > 0, 1))
    larger = np.maximum(weights[i, j], weights[j, i])
    assert np.corrcoef(np.sort(larger), np.sort(widths))[0, 1] == pytest.approx(1.0)


def test_nearest_neighbours_that_are_not_mutual_are_arrows_to_the_receiver(provinces):
    mainland = provinces[provinces["region"] != "none"]
    w = sde.weights.knn(mainland, k=4)
    matrix = w.to_dense().to_numpy() > 0
    segments, _, arrows, rings = drawn(sde.maps.links(w, provinces, crs=3857))
    assert len(segments) == (matrix & matrix.T).sum() / 2
    assert len(arrows) == (matrix & ~matrix.T).sum()
    assert rings == 0
    places = mainland.to_crs(3857).representative_point()
    i, j = np.nonzero(matrix & ~matrix.T)
    expected = {(round(places.iloc[a].x), round(places.iloc[b].x)) for a, b in zip(i, j, strict=True)}
    found = {(round(arrow.xy[0]), round(arrow.get_position()[0])) for arrow in arrows}
    assert len(expected & found) > 0.5 * len(expected)  # simplified polygons move some of the points


def test_points_will_do(provinces):
    mainland = provinces[provinces["region"] != "none"]
    points = mainland.set_geometry(mainland.representative_point())
    w = sde.weights.knn(points, k=3)
    segments, _, arrows, _ = drawn(sde.maps.links(w, points))
    assert len(segments) * 2 + len(arrows) == w.n_links


def test_units_without_a_polygon_are_named(provinces):
    w = sde.weights.knn(provinces[provinces["region"] != "none"], k=2)
    with pytest.raises(AlignmentError, match="'BJ'"):
        sde.maps.links(w, provinces.drop(index="BJ"))
