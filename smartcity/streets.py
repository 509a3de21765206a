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

    def legs(self) -> "Legs":
        """The same ways, prepared for asking where on them a car is."""
        split = np.where(self.avenue_first, self.delta_along, self.delta_across)
        whole = np.where(self.avenue_first, self.delta_across, self.delta_along)
        first, zero = self.avenue_first.astype(np.float64), np.zeros(len(split))
        split_sign, whole_sign = np.copysign(1.0, split), np.copysign(1.0, whole)
        return Legs(
            self.turn * np.abs(split),
            np.abs(split),
            np.abs(whole),
            (self.along + zero, first * split_sign, (1.0 - first) * whole_sign),
            (self.across + zero, (1.0 - first) * split_sign, first * whole_sign),
        )

    def at(self, share: Floats) -> tuple[Floats, Floats]:
        """(along, across) of each car after ``share`` (0..1) of its way."""
        return self.legs().at(share)


#: A coordinate as a linear function: its value at the start, per mile on the axis that is split, and on the other.
Linear = tuple[Floats, Floats, Floats]


@dataclass(frozen=True)
class Legs:
    """Ways in the form in which positions on them are a few multiplications. One entry per way, lengths in miles.

    ``before`` is driven on the split axis before the first corner; ``first`` and ``second`` are the coordinates.
    """

    before: Floats
    split_length: Floats
    whole_length: Floats
    first: Linear
    second: Linear

    def in_degrees(self, streets: StreetGrid) -> "Legs":
        """The same with latitude and longitude in the place of (along, across)."""
        zero = streets.to_degrees(np.zeros(1), np.zeros(1))
        start = streets.to_degrees(self.first[0], self.second[0])
        split = streets.to_degrees(self.first[1], self.second[1])
        whole = streets.to_degrees(self.first[2], self.second[2])
        first, second = ((start[axis], split[axis] - zero[axis], whole[axis] - zero[axis]) for axis in (0, 1))
        return Legs(self.before, self.split_length, self.whole_length, first, second)

    def repeat(self, ways: slice, counts: npt.NDArray[np.int64]) -> "Legs":
        """Each of these ways as often as it is asked for."""

        def repeated(axis: Linear) -> Linear:
            start, split, whole = axis
            return np.repeat(start[ways], counts), np.repeat(split[ways], counts), np.repeat(whole[ways], counts)

        return Legs(
            np.repeat(self.before[ways], counts),
            np.repeat(self.split_length[ways], counts),
            np.repeat(self.whole_length[ways], counts),
            repeated(self.first),
            repeated(self.second),
        )

    def at(self, share: Floats) -> tuple[Floats, Floats]:
        """Both coordinates of each car after ``share`` (0..1) of its way."""
        driven = share * (self.split_length + self.whole_length)
        on_whole = driven - self.before
        np.maximum(on_whole, 0.0, out=on_whole)
        np.minimum(on_whole, self.whole_length, out=on_whole)
        driven -= on_whole
        on_split = np.minimum(driven, self.split_length, out=driven)
        (x, x_split, x_whole), (y, y_split, y_whole) = self.first, self.second
        return x + on_split * x_split + on_whole * x_whole, y + on_split * y_split + on_whole * y_whole
