"""What is shipped: the wheel carries data, shapefile, fonts and templates."""

import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    path = next(iter(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])))
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_the_wheel_carries_every_file_of_the_package(wheel_names):
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "spatial_de").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert package <= set(wheel_names)


def test_the_wheel_carries_the_shapefile_inside_the_package(wheel_names):
    layer = {f"spatial_de/{path.relative_to(ROOT)}" for path in (ROOT / "shapefiles").rglob("*") if path.is_file()}
    assert any(name.endswith(".shp") for name in layer)
    assert layer <= set(wheel_names)


def test_the_command_is_declared(wheel_names):
    assert any(name.endswith("entry_points.txt") for name in wheel_names)
