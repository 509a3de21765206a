import h3
import numpy as np
import pytest

from smartcity.city import Bounds, City
from smartcity.grid import CellGrid, neighbours

SAN_FRANCISCO = Bounds(south=37.70, west=-122.52, north=37.83, east=-122.35)
# Two faces of H3's icosahedron meet here, so that no single projection fits.
FACE_EDGE = Bounds(south=30.0, west=-96.5, north=34.0, east=-92.0)


def positions(bounds: Bounds, count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.uniform(bounds.south, bounds.north, count), random.uniform(bounds.west, bounds.east, count)


@pytest.mark.parametrize("resolution", [7, 8, 9])
@pytest.mark.parametrize("bounds", [City().bounds, SAN_FRANCISCO], ids=["new york", "san francisco"])
def test_every_position_is_in_the_cell_that_h3_names(bounds, resolution):
    latitude, longitude = positions(bounds, 20_000)
    expected = [h3.latlng_to_cell(y, x, resolution) for y, x in zip(latitude, longitude, strict=True)]
    assert CellGrid(bounds, resolution).cells(latitude, longitude).to_pylist() == expected


@pytest.mark.parametrize("resolution", [5, 6])
def test_a_wide_box_is_right_whether_or_not_one_projection_fits(resolution):
    latitude, longitude = positions(FACE_EDGE, 5_000)
    expected = [h3.latlng_to_cell(y, x, resolution) for y, x in zip(latitude, longitude, strict=True)]
    assert CellGrid(FACE_EDGE, resolution).cells(latitude, longitude).to_pylist() == expected


def test_positions_outside_the_bounds_or_not_a_number_have_no_cell():
    grid = CellGrid(SAN_FRANCISCO, 8)
    cells = grid.cells(np.array([40.7, 37.75, np.nan]), np.array([-74.0, -122.4, -122.4]))
    assert [cell is None for cell in cells.to_pylist()] == [True, False, True]


def test_a_cell_has_six_neighbours_and_twelve_beyond():
    cell = h3.latlng_to_cell(40.75, -73.98, 8)
    assert (len(neighbours(cell)), len(neighbours(cell, 2))) == (6, 12)
