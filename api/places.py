"""Where a place is: an H3 cell's centre and corners, a sensor's point."""

from functools import lru_cache

import h3

from smartcity.city import Bounds, City, PlaceKind
from smartcity.lake import Dataset
from smartcity.sensors import SensorPlaces, load_places


@lru_cache(maxsize=65536)
def _center(cell_id: str) -> tuple[float, float]:
    latitude, longitude = h3.cell_to_latlng(cell_id)
    return latitude, longitude


class Places:
    """The places of one data set."""

    def __init__(self, city: City, sensors: SensorPlaces) -> None:
        self._kind = city.place_kind
        #: Where each sensor stands; empty in a city of H3 cells.
        self.sensors = sensors

    @classmethod
    def of(cls, dataset: Dataset) -> "Places":
        """Read what the data set knows about its places."""
        return cls(dataset.city, load_places(dataset))

    def can_be(self, cell_id: str) -> bool:
        """Whether ``cell_id`` can name a place at all."""
        return self._kind is PlaceKind.SENSOR or h3.is_valid_cell(cell_id)

    def center(self, cell_id: str) -> tuple[float, float] | None:
        """(latitude, longitude) in degrees; None for a place that is not known."""
        if self._kind is PlaceKind.SENSOR:
            return self.sensors.get(cell_id)
        return _center(cell_id) if h3.is_valid_cell(cell_id) else None

    def boundary(self, cell_id: str) -> list[tuple[float, float]]:
        """Corners as (longitude, latitude); empty for a point."""
        if self._kind is PlaceKind.SENSOR or not h3.is_valid_cell(cell_id):
            return []
        return [(longitude, latitude) for latitude, longitude in h3.cell_to_boundary(cell_id)]

    def inside(self, cell_id: str, box: Bounds) -> bool:
        """Whether the place's centre is in the box."""
        center = self.center(cell_id)
        if center is None:
            return False
        return box.south <= center[0] <= box.north and box.west <= center[1] <= box.east
