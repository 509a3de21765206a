"""The street grid: degrees to miles along and across the avenues, and the way a car takes through the blocks."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smartcity.city import City

Floats = npt.NDArray[np.float64]

MILES_PER_DEGREE = 69.0934
KM_PER_MILE = 1.609344


@dataclass(frozen=True)
class StreetGrid:
    """A plane in miles, its first axis along the avenues (``degrees`` clockwise from north), its second across."""

    latitude: float
    longitude: float
    degrees: float

    @classmethod
    def of(cls, city: City) -> "StreetGrid":
        """The grid of a city, with its origin in the middle of the bounds."""
        latitude, longitude = city.bounds.center
        return cls(latitude, longitude, city.street_grid_degrees)

    @property
    def _turn(self) -> tuple[float, float, float]:
        """(cosine, sine) of the grid's turn, and miles per degree of longitude."""
        angle = np.radians(self.degrees)
        return float(np.cos(angle)), float(np.sin(angle)), MILES_PER_DEGREE * float(np.cos(np.radians(self.latitude)))

    def to_plane(self, latitude: Floats, longitude: Floats) -> tuple[Floats, Floats]:
        """(along, across) in miles."""
        cosine, sine, per_longitude = self._turn
        north = (latitude - self.latitude) * MILES_PER_DEGREE
        east = (longitude - self.longitude) * per_longitude
        return north * cosine + east * sine, east * cosine - north * sine

    def to_degrees(self, along: Floats, across: Floats) -> tuple[Floats, Floats]:
        """(latitude, longitude)."""
        cosine, sine, per_longitude = self._turn
        north = along * cosine - across * sine
        east = along * sine + across * cosine
        return self.latitude + north / MILES_PER_DEGREE, self.longitude + east / per_longitude


@dataclass(frozen=True)
class Routes:
    """Ways with two corners: a part of one axis, the whole of the other, the rest of the first. Miles, one per trip.

    ``avenue_first``: which axis is split; ``turn``: the share of it that is driven before the first corner.
    """

    along: Floats
    across: Floats
    delta_along: Floats
    delta_across: Floats
    avenue_first: npt.NDArray[np.bool_]
    turn: Floats

    @property
    def length(self) -> Floats:
        """L1 length in miles."""
        return np.abs(self.delta_along) + np.abs(self.delta_across)

    def take(self, rows: npt.NDArray[np.int64]) -> "Routes":
        """The ways of some trips, in that order."""
        return Routes(
            self.along[rows],
            self.across[rows],
            self.delta_along[rows],
            self.delta_across[rows],
            self.avenue_first[rows],
            self.turn[rows],
        )

    def at(self, share: Floats) -> tuple[Floats, Floats]:
        """(along, across) of each car after ``share`` (0..1) of its way."""
        split = np.where(self.avenue_first, self.delta_along, self.delta_across)
        whole = np.where(self.avenue_first, self.delta_across, self.delta_along)
        split_length, whole_length = np.abs(split), np.abs(whole)
        before = self.turn * split_length
        driven = share * (split_length + whole_length)
        on_whole = np.clip(driven - before, 0.0, whole_length)
        on_split = np.copysign(np.minimum(driven - on_whole, split_length), split)
        on_whole = np.copysign(on_whole, whole)
        return (
            self.along + np.where(self.avenue_first, on_split, on_whole),
            self.across + np.where(self.avenue_first, on_whole, on_split),
        )
