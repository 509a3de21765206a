"""The batch in terms that any SQL engine takes: what the DuckDB and the Polars version of it share.

Times are whole microseconds since 1970, UTC unless the name says local. Every definition is the platform's own: the
rules' SQL text, the city's values, the constants of the simulation. Only what SQL has no words for is a function:
hashes need multiplication modulo 2⁶⁴, and a trip's speed profile is a recurrence over hashes (``batch_draws``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from functools import cached_property
from pathlib import Path

import numpy as np

from smartcity.city import City
from smartcity.errors import InputError
from smartcity.events import MAX_SPEED_MPH, SPEED_STEPS_PER_MPH
from smartcity.features import LAG_MINUTES
from smartcity.grid import CellGrid
from smartcity.levels import HIGH_BELOW_RATIO, LOW_FROM_RATIO
from smartcity.localtime import MICROS
from smartcity.rules import trip_rules
from smartcity.streets import MILES_PER_DEGREE
from smartcity.tripfiles.layout import BY_NAME, FIELDS, Kind, find_layout
from smartcity.tripfiles.period import period_of_name

ROWS_PER_GROUP = 1 << 17
#: What ours compresses Parquet with, and its level: Arrow's default, where the engines' is 3.
COMPRESSION, COMPRESSION_LEVEL = "zstd", 1
HOUR_US = 3600 * MICROS
DAY_US = 24 * HOUR_US
#: FHWA's free flow: this percentile of the speeds from 22:00 to 05:00 local.
NIGHT, FREE_FLOW = (22, 5), 0.85


def _number(value: float) -> str:
    """A double. Without an exponent it would be a decimal to both engines: slow in one, rounded in the other."""
    return f"{value:.17e}"


@dataclass(frozen=True)
class Source:
    """A CSV file as published: its header, which of its columns is which field, and the pickups that belong into it."""

    path: Path
    header: tuple[str, ...]
    fields: dict[str, str]
    period_us: tuple[int, int]

    @classmethod
    def of(cls, path: Path) -> "Source":
        """Look at a file's first line and name."""
        with path.open() as stream:
            header = tuple(stream.readline().strip().split(","))
        layout, period = find_layout(header), period_of_name(path.name)
        if layout is None or period is None:
            raise InputError(f"{path}: the peers read monthly trip files with coordinates, named as published")
        start, end = (int(moment.replace(tzinfo=UTC).timestamp()) * MICROS for moment in (period.start, period.end))
        return cls(path, header, {name: header[at] for name, at in layout.columns.items()}, (start, end))

    def kind(self, column: str) -> Kind | None:
        """How a published column is read; None where nothing reads it."""
        return next((BY_NAME[name].kind for name, published in self.fields.items() if published == column), None)


#: Fields that make a row that trip, in the order in which they are hashed.
IDENTITY = tuple(field.name for field in FIELDS if field.identity)
#: What a quarantined row is shown as.
SHOWN = tuple(name for name in IDENTITY if name.startswith(("pickup_", "dropoff_", "trip_", "fare_")))
REQUIRED = (
    "pickup_local",
    "dropoff_local",
    "pickup_longitude",
    "pickup_latitude",
    "dropoff_longitude",
    "dropoff_latitude",
    "trip_distance_miles",
)


@dataclass(frozen=True)
class Terms:
    """SQL text for one city, good for the time between two instants."""

    city: City
    first_us: int
    last_us: int

    @classmethod
    def of(cls, city: City, sources: Sequence[Source]) -> "Terms":
        """For the periods of these files and a day around them."""
        starts, ends = zip(*(source.period_us for source in sources), strict=True)
        return cls(city, min(starts) - DAY_US, max(ends) + DAY_US)

    @cached_property
    def _offsets(self) -> list[tuple[int, int, int]]:
        """Changes of the clock: the instant, the offset before and after it."""
        found, hour = [], timedelta(hours=1)
        moment = datetime.fromtimestamp(self.first_us // MICROS, UTC)
        before = _offset_us(moment, self.city)
        while moment.timestamp() * MICROS < self.last_us:
            moment += hour
            after = _offset_us(moment, self.city)
            if after != before:
                found.append((int(moment.timestamp()) * MICROS, before, after))
            before = after
        return found

    @property
    def _first_offset(self) -> int:
        return _offset_us(datetime.fromtimestamp(self.first_us // MICROS, UTC), self.city)

    def local(self, utc: str) -> str:
        """The wall time of an instant."""
        return f"({utc} + {self._by_time(utc, [(at, after) for at, _, after in self._offsets])})"

    def _by_time(self, time: str, changes: list[tuple[int, int]]) -> str:
        if not changes:
            return f"({self._first_offset})"
        cases = " ".join(f"WHEN {time} >= {at} THEN {offset}" for at, offset in reversed(changes))
        return f"(CASE {cases} ELSE {self._first_offset} END)"

    def early(self, local: str) -> str:
        """The instant of a wall time, the earlier one where it comes twice."""
        changes = [(at + max(before, after), after) for at, before, after in self._offsets]
        return f"({local} - {self._by_time(local, changes)})"

    def _twice(self, local: str) -> str:
        spans = [(at + after, at + before) for at, before, after in self._offsets if after < before]
        return " OR ".join(f"({local} >= {low} AND {local} < {high})" for low, high in spans) or "FALSE"

    @property
    def pickup_utc(self) -> str:
        """From ``pickup_local``, ``dropoff_local`` and their earlier readings ``pickup_early``, ``dropoff_early``."""
        later = f"({self._twice('pickup_local')}) AND NOT ({self._twice('dropoff_local')})"
        return f"CASE WHEN {later} AND dropoff_local > pickup_local THEN pickup_early + {HOUR_US} ELSE pickup_early END"

    @property
    def dropoff_utc(self) -> str:
        """As ``pickup_utc``."""
        backwards = f"({self._twice('dropoff_local')}) AND dropoff_early < pickup_early"
        return f"CASE WHEN {backwards} THEN dropoff_early + {HOUR_US} ELSE dropoff_early END"

    def days(self, first: datetime, last: datetime) -> list[tuple[date, int, int]]:
        """The local days that reach from ``first`` to ``last``, each with the instants at which it begins and ends."""
        day, found = first.astimezone(self.city.zone).date(), []
        while day <= last.astimezone(self.city.zone).date():
            found.append((day, self._midnight(day), self._midnight(day + timedelta(days=1))))
            day += timedelta(days=1)
        return found

    def _midnight(self, day: date) -> int:
        return int(datetime.combine(day, clock(), self.city.zone).timestamp()) * MICROS

    parse_reason = "CASE {} END".format(
        " ".join(f"WHEN {name} IS NULL THEN '{BY_NAME[name].label} missing'" for name in REQUIRED)
    )
    duration_seconds = f"(dropoff_utc - pickup_utc) / {_number(MICROS)}"
    speed_mph = "CASE WHEN duration_seconds <> 0 THEN trip_distance_miles * 3600 / duration_seconds END"

    @property
    def reason(self) -> str:
        """Why a row is no trip: the platform's own rules."""
        return trip_rules(self.city).reason_sql()

    @property
    def _plane(self) -> tuple[float, float, float]:
        """Cosine and sine of the street grid's turn, and miles per degree of longitude."""
        angle = np.radians(self.city.street_grid_degrees)
        narrowing = np.cos(np.radians(self.city.bounds.center[0]))
        return float(np.cos(angle)), float(np.sin(angle)), MILES_PER_DEGREE * float(narrowing)

    @property
    def axes(self) -> dict[str, str]:
        """Step 1 of a trip's way: miles along and across the avenues."""
        cosine, sine, east = self._plane
        north_miles = f"((dropoff_latitude - pickup_latitude) * {_number(MILES_PER_DEGREE)})"
        east_miles = f"((dropoff_longitude - pickup_longitude) * {_number(east)})"
        return {
            "delta_along": f"{north_miles} * {_number(cosine)} + {east_miles} * {_number(sine)}",
            "delta_across": f"{east_miles} * {_number(cosine)} - {north_miles} * {_number(sine)}",
        }

    @property
    def legs(self) -> dict[str, str]:
        """Step 2: the way with two corners, as degrees per mile on the axis that is split and on the other."""
        cosine, sine, east = self._plane
        along = (cosine / MILES_PER_DEGREE, sine / east)
        across = (-sine / MILES_PER_DEGREE, cosine / east)

        def rate(first: float, then: float, split: bool) -> str:
            one, other = ("delta_along", "delta_across") if split else ("delta_across", "delta_along")
            one_rate, other_rate = (first, then) if split else (then, first)
            return f"CASE WHEN avenue_first THEN {_signed(one, one_rate)} ELSE {_signed(other, other_rate)} END"

        # A column to Polars, which would multiply by the reciprocal of a constant: the last digit would differ.
        hour = f"(pickup_utc * 0 + {_number(HOUR_US)})"
        split = "CASE WHEN avenue_first THEN abs(delta_along) ELSE abs(delta_across) END"
        whole = "CASE WHEN avenue_first THEN abs(delta_across) ELSE abs(delta_along) END"
        return {
            "split_miles": split,
            "whole_miles": whole,
            "before_miles": f"turn * ({split})",
            "latitude_split": rate(along[0], across[0], split=True),
            "longitude_split": rate(along[1], across[1], split=True),
            "latitude_whole": rate(along[0], across[0], split=False),
            "longitude_whole": rate(along[1], across[1], split=False),
            "mean_mph": f"trip_distance_miles / ((dropoff_utc - pickup_utc) / {hour})",
        }

    max_steps = MAX_SPEED_MPH * SPEED_STEPS_PER_MPH

    @cached_property
    def grid(self) -> "GridTerms":
        """Which cell."""
        return GridTerms.of(self.city)

    @property
    def inside(self) -> str:
        """Whether a position lies in the city."""
        b = self.city.bounds
        return f"latitude BETWEEN {b.south} AND {b.north} AND longitude BETWEEN {b.west} AND {b.east}"

    @property
    def shifts(self) -> dict[str, int]:
        """Which ratio stands how many microseconds later: the lags of the platform's features, and the target."""
        steps = {f"ratio_lag_{minutes}min": -self.city.steps(minutes) for minutes in LAG_MINUTES}
        return {name: step * self.window for name, step in (steps | {"target": self.city.horizon_steps}).items()}

    window = property(lambda self: self.city.window_seconds * MICROS)
    low, high = LOW_FROM_RATIO, HIGH_BELOW_RATIO


@dataclass(frozen=True)
class GridTerms:
    """The platform's projection onto H3's axes; ``names[code]`` is the cell, ``codes`` the lookup, row by row."""

    matrix: np.ndarray
    low: tuple[int, int]
    shape: tuple[int, int]
    codes: np.ndarray
    names: list[str]

    @classmethod
    def of(cls, city: City) -> "GridTerms":
        """The grid of a city. Raises: InputError where the city has no single projection."""
        grid = CellGrid.of(city)
        fitted = grid._projection
        if fitted is None:
            raise InputError(f"{city.name} lies on two faces of H3's icosahedron: the peers know one projection only")
        return cls(fitted.matrix, fitted.low, fitted.codes.shape, fitted.codes.ravel(), grid.names.to_pylist())

    @property
    def vector(self) -> dict[str, str]:
        """Step 1: a vector towards the place."""
        return {"x": "cos(radians(longitude))", "y": "sin(radians(longitude))", "z": "tan(radians(latitude))"}

    @property
    def axial(self) -> dict[str, str]:
        """Step 2: the projection, second axis turned round (the axes then are 60° apart)."""
        rows = [f"({_number(m[0])} * x + {_number(m[1])} * y + {_number(m[2])} * z)" for m in self.matrix.tolist()]
        return {"i": f"{rows[0]} / {rows[2]}", "j": f"- {rows[1]} / {rows[2]}"}

    @property
    def corner(self) -> dict[str, str]:
        """Step 3: the unit rhombus, and where in it."""
        return {"low_i": "floor(i)", "low_j": "floor(j)", "u": "i - floor(i)", "v": "j - floor(j)"}

    @property
    def place(self) -> str:
        """Step 4: the number of the nearest centre's place in the lookup."""
        lower = "CAST(u <= v AS DOUBLE)"
        up = f"CAST(u + u + v >= 1 + {lower} AS DOUBLE)"
        right = f"CAST(u + v + v >= 2 - {lower} AS DOUBLE)"
        row = f"(low_i + {up} - ({self.low[0]}))"
        column = f"(-(low_j + {right}) - ({self.low[1]}))"
        return f"CAST({row} * {self.shape[1]} + {column} AS INTEGER)"

    def lookup(self) -> tuple[np.ndarray, list[str]]:
        """Places in the lookup that hold a cell, and which."""
        places = np.flatnonzero(self.codes >= 0)
        return places.astype(np.int32), [self.names[code] for code in self.codes[places].tolist()]


def _signed(direction: str, rate: float) -> str:
    return f"(CASE WHEN {direction} < 0 THEN {_number(-rate)} ELSE {_number(rate)} END)"


def select(columns: dict[str, str]) -> str:
    """``expression AS name, …``."""
    return ", ".join(f"{expression} AS {name}" for name, expression in columns.items())


def _offset_us(moment: datetime, city: City) -> int:
    offset = moment.astimezone(city.zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds()) * MICROS
