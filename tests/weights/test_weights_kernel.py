"""Kernel weights of pairs against brute force, on the plane and on the sphere."""

import geopandas as gpd
import numpy as np
import pytest

import spatial_de as sde
from spatial_de.boundaries import EARTH_RADIUS_KM
from spatial_de.errors import BoundaryError, OptionError, WeightsError
from spatial_de.weights import SpatialWeights, kernel
from spatial_de.weights.kernel import as_kernel

N = 50
FORMULAS = {
    "triangular": lambda z: 1 - z,
    "epanechnikov": lambda z: 1 - z**2,
    "bisquare": lambda z: (1 - z**2) ** 2,
    "parzen": lambda z: np.where(z <= 0.5, 1 - 6 * z**2 + 6 * z**3, 2 * (1 - z) ** 3),
}


def points(x, y, crs):
    return gpd.GeoDataFrame(geometry=gpd.points_from_xy(x, y), index=[f"u{i:02d}" for i in range(len(x))], crs=crs)


@pytest.fixture(params=["plane", "sphere"])
def case(request):
    rng = np.random.default_rng(8)
    if request.param == "plane":
        x, y = rng.uniform(0, 4e5, N), rng.uniform(0, 3e5, N)
        return points(x, y, "EPSG:32650"), np.hypot(x[:, None] - x, y[:, None] - y) / 1000.0, 90.0
    lon, lat = rng.uniform(-180, 180, N), np.degrees(np.arcsin(rng.uniform(-1, 1, N)))
    a, b = np.radians(lon), np.radians(lat)
    cosine = np.sin(b)[:, None] * np.sin(b) + np.outer(np.cos(b), np.cos(b)) * np.cos(a[:, None] - a)
    return points(lon, lat, "EPSG:4326"), EARTH_RADIUS_KM * np.arccos(np.clip(cosine, -1, 1)), 3000.0


@pytest.mark.parametrize("function", FORMULAS)
def test_values(function, case):
    gdf, km, bandwidth = case
    z = km / bandwidth
    expected = np.where(z < 1, FORMULAS[function](np.minimum(z, 1)), 0.0) * (1 - np.eye(N))
    w = kernel(gdf, bandwidth=bandwidth, function=function)
    np.testing.assert_allclose(w.sparse.toarray(), expected, rtol=1e-6, atol=1e-12)
    assert w.normalization == "none"
    assert w.is_symmetric
    assert as_kernel(w, gdf.index) is w


def test_units_far_from_all_others_and_units_at_one_place():
    gdf = points([0.0, 0.0, 5e5], [0.0, 0.0, 5e5], "EPSG:32650")
    w = kernel(gdf, bandwidth=10)
    assert w.to_edges().values.tolist() == [["u00", "u01", 1.0], ["u01", "u00", 1.0]]


def test_the_order_of_the_data_decides(case):
    gdf, _, bandwidth = case
    w = kernel(gdf, bandwidth=bandwidth)
    turned = gdf.index[::-1]
    assert as_kernel(w, turned).ids.equals(turned)
    np.testing.assert_array_equal(as_kernel(w, turned).sparse.toarray(), w.sparse.toarray()[::-1, ::-1])


def test_what_is_refused():
    gdf = points([0.0, 1e4], [0.0, 1e4], "EPSG:32650")
    for wrong in (0.0, -1.0, np.inf, "200", True):
        with pytest.raises(OptionError, match=r"bandwidth=.* must be a positive number of kilometres"):
            kernel(gdf, bandwidth=wrong)
    with pytest.raises(OptionError, match=r"function='triangle' is not available.*'triangular'"):
        kernel(gdf, bandwidth=5, function="triangle")
    with pytest.raises(BoundaryError):
        kernel(gdf.set_crs(None, allow_override=True), bandwidth=5)
    with pytest.raises(WeightsError, match="Distances need a GeoDataFrame"):
        kernel(gdf.geometry.x, bandwidth=5)
    row = SpatialWeights([[0, 1, 1], [1, 0, 0], [1, 0, 0]], list("abc"), normalization="row")
    with pytest.raises(WeightsError, match="same in both directions"):
        as_kernel(row, row.ids)


def test_provinces_with_standard_errors_by_kernel():
    provinces = sde.datasets.load_provinces()
    rng = np.random.default_rng(0)
    table = provinces[[]].assign(x=rng.normal(size=len(provinces)), y=rng.normal(size=len(provinces)))
    pairs = kernel(provinces, bandwidth=900)
    fit = sde.fit("y ~ x", table, model="ols", cov="hac", hac_weights=pairs)
    assert fit.cov_label == "spatial HAC"
    assert "spatial HAC, triangular kernel of great-circle distance, bandwidth 900 km" in " ".join(
        fit.summary().split()
    )
    assert fit.with_cov("classical").hac_weights is None
