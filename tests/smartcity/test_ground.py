"""The ground under a city without an outline."""

from itertools import pairwise

import h3
import pytest

from smartcity.ground import ground_of

MIDDLE = "882a100d25fffff"


def inside(ring: list[list[float]], latitude: float, longitude: float) -> bool:
    """Whether a ray to the east crosses the ring an odd number of times."""
    crossings = 0
    for (x1, y1), (x2, y2) in pairwise(ring):
        if (y1 > latitude) != (y2 > latitude):
            crossings += longitude < x1 + (latitude - y1) / (y2 - y1) * (x2 - x1)
    return crossings % 2 == 1


def test_every_cell_lies_on_the_ground_and_the_next_but_one_does_not() -> None:
    cells = h3.grid_disk(MIDDLE, 2)
    ground = ground_of(cells)
    assert ground is not None
    ((polygon,),) = [feature["geometry"]["coordinates"] for feature in ground["features"]]
    (ring,) = polygon
    assert ring[0] == ring[-1]
    assert all(inside(ring, *h3.cell_to_latlng(cell)) for cell in cells)
    assert not any(inside(ring, *h3.cell_to_latlng(cell)) for cell in h3.grid_ring(MIDDLE, 4))


def test_water_between_places_stays_water() -> None:
    far = h3.grid_ring(MIDDLE, 9)[0]
    ground = ground_of([MIDDLE, far])
    assert ground is not None
    assert len(ground["features"][0]["geometry"]["coordinates"]) == 2
    lake = ground_of(h3.grid_ring(MIDDLE, 4))
    assert lake is not None
    (polygon,) = lake["features"][0]["geometry"]["coordinates"]
    assert len(polygon) == 2
    assert inside(polygon[1], *h3.cell_to_latlng(MIDDLE))


def test_corners_are_cut() -> None:
    ground = ground_of([MIDDLE])
    assert ground is not None
    assert len(ground["features"][0]["geometry"]["coordinates"][0][0]) == pytest.approx(18 * 4 + 1)


def test_no_cell_no_ground() -> None:
    assert ground_of([]) is None
