"""Reading and repairing boundaries; centroids and distances."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from spatial_de import boundaries
from spatial_de.datasets.provinces import load_provinces, province_file
from spatial_de.errors import BoundaryError, BoundaryWarning, FileError

BOX = shapely.box(0, 0, 1, 1)


@pytest.fixture
def squares(tmp_path):
    frame = gpd.GeoDataFrame(
        {"code": ["a", "b", "b"], "name": ["A", "B1", "B2"]},
        geometry=[BOX, shapely.box(1, 0, 2, 1), shapely.box(2, 0, 3, 1)],
        crs="EPSG:4326",
    )
    path = tmp_path / "squares.gpkg"
    frame.to_file(path)
    return path


def test_the_bundled_layer_is_complete_valid_and_small():
    layer = load_provinces()
    assert len(layer) == 34
    assert list(layer.columns) == ["gb2260", "iso3166_2", "name_en", "name_zh", "short_zh", "region", "geometry"]
    assert (layer["region"] != "none").sum() == 31
    assert set(layer.index[layer["region"] == "none"]) == {"HK", "MO", "TW"}
    assert layer.notna().all().all()
    assert layer.loc["GD", "name_zh"] == "广东省"
    assert layer.is_valid.all()
    assert shapely.coverage_is_valid(layer.geometry.to_numpy())
    assert sum(path.stat().st_size for path in province_file().parent.glob("provinces.*")) < 400_000
    assert (province_file().parent / "README.md").exists()


def test_repeated_labels_are_named_or_merged_on_request(squares):
    with pytest.raises(BoundaryError, match=r"1 label in column 'code' occur more than once: 'b'\. Pass dissolve=True"):
        boundaries.read(squares, id="code")
    merged = boundaries.read(squares, id="code", dissolve=True)
    assert list(merged.index) == ["a", "b"]
    assert shapely.area(merged.geometry["b"]) == 2.0


def test_a_misspelt_column_is_named(squares):
    with pytest.raises(BoundaryError, match=r"squares.gpkg has no column 'cod'\. Did you mean 'code'\?"):
        boundaries.read(squares, id="cod")


def test_files_that_are_missing_or_not_boundaries(tmp_path):
    with pytest.raises(FileError, match=r"There is no file"):
        boundaries.read(tmp_path / "nowhere.shp", id="code")
    text = tmp_path / "text.shp"
    text.write_text("not a shapefile")
    with pytest.raises(FileError, match=r"cannot be read as boundaries"):
        boundaries.read(text, id="code")


def test_shapefiles_in_gb18030_are_read_with_their_encoding(tmp_path):
    frame = gpd.GeoDataFrame({"name": ["广东"]}, geometry=[BOX], crs="EPSG:4326")
    frame.to_file(tmp_path / "zh.shp", encoding="GB18030")
    (tmp_path / "zh.cpg").unlink()
    assert list(boundaries.read(tmp_path / "zh.shp", id="name", encoding="GB18030").index) == ["广东"]


def test_geoparquet_is_read(tmp_path):
    gpd.GeoDataFrame({"code": ["a"]}, geometry=[BOX], crs="EPSG:4326").to_parquet(tmp_path / "x.parquet")
    assert list(boundaries.read(tmp_path / "x.parquet", id="code").index) == ["a"]


def test_invalid_polygons_are_repaired_with_a_warning_or_refused():
    bow_tie = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    frame = gpd.GeoDataFrame(geometry=[bow_tie, shapely.box(1, 0, 2, 1)], index=["a", "b"])
    with pytest.warns(BoundaryWarning, match=r"Invalid polygons were repaired: 'a'\."):
        mended = boundaries.check_polygons(frame)
    assert mended.is_valid.all()
    assert shapely.area(mended.geometry["a"]) == pytest.approx(0.5)
    with pytest.raises(BoundaryError, match=r"Invalid polygons: 'a' \(Self-intersection"):
        boundaries.check_polygons(frame, repair=False)
    assert not frame.is_valid.all()  # the caller's layer is untouched


def test_points_are_refused_as_polygons():
    frame = gpd.GeoDataFrame(geometry=[shapely.Point(0, 0)], index=["a"])
    with pytest.raises(BoundaryError, match=r"Units that are not polygons: 'a'\."):
        boundaries.check_polygons(frame)


def test_distances_need_a_coordinate_system():
    with pytest.raises(BoundaryError, match=r"Distances need a coordinate system"):
        boundaries.points(gpd.GeoDataFrame(geometry=[BOX], index=["a"]))


def test_great_circles_cross_the_date_line():
    places = [shapely.Point(179.9, 0), shapely.Point(-179.9, 0), shapely.Point(0, 90)]
    found = boundaries.points(gpd.GeoDataFrame(geometry=places, index=list("abc"), crs="EPSG:4326"))
    chord = np.linalg.norm(found.xyz_km[0] - found.xyz_km[1:], axis=1)
    assert found.metric == "great-circle"
    assert found.arc_km(chord) == pytest.approx([0.2 * np.pi / 180 * 6371.0088, np.pi / 2 * 6371.0088])
    assert found.chord_km(float(found.arc_km(chord[:1])[0])) == pytest.approx(chord[0])


def test_projected_coordinates_are_kilometres():
    frame = gpd.GeoDataFrame(
        geometry=[BOX.buffer(0), shapely.box(3000, 4000, 3001, 4001)], index=["a", "b"], crs="EPSG:32650"
    )
    found = boundaries.points(frame)
    assert found.metric == "projected"
    assert np.linalg.norm(found.xyz_km[0] - found.xyz_km[1]) == pytest.approx(5.0)


def test_the_centroid_on_the_sphere_is_that_of_the_area():
    """Against an integral over a fine grid, for a polygon across the date line and one with a hole."""
    octant = shapely.segmentize(shapely.box(0, 0, 90, 90), 0.05)
    centroid = boundaries.sphere_centroids(np.array([octant], dtype=object))[0]
    assert centroid == pytest.approx(np.ones(3) / np.sqrt(3), abs=1e-5)
    ring = shapely.segmentize(shapely.box(-30, 20, 50, 60).difference(shapely.box(0, 30, 20, 50)), 0.05)
    lon, lat = np.meshgrid(np.arange(-29.95, 50, 0.1), np.arange(20.05, 60, 0.1))
    inside = ~((lon > 0) & (lon < 20) & (lat > 30) & (lat < 50))
    weight = np.cos(np.radians(lat)) * inside
    places = boundaries.on_sphere(np.column_stack([lon.ravel(), lat.ravel()]))
    expected = (places * weight.ravel()[:, None]).sum(axis=0)
    found = boundaries.sphere_centroids(np.array([ring], dtype=object))[0]
    assert found == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)
