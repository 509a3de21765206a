"""Vehicles drive through the field: how long each trip takes, and where and how fast each vehicle is at every ping."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smartcity import hashing
from smartcity.city import City
from smartcity.generator import parameters as p
from smartcity.generator.demand import Demand
from smartcity.generator.field import speeds_mph
from smartcity.generator.layout import Layout, layout_of
from smartcity.streets import KM_PER_MILE, Legs

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_PHASE, _NOISE = 0, 1
#: Trips marched side by side: few enough that their arrays stay in a core's cache.
_BLOCK_TRIPS = 16_384
_LOG_SD = float(np.sqrt(np.log(1 + p.PING_CV**2)))
#: The correlation of the logarithm that gives the speeds themselves the wanted one.
_LOG_CORRELATION = float(np.log(1 + p.PING_MINUTE_CORRELATION * p.PING_CV**2) / _LOG_SD**2)


@dataclass(frozen=True, eq=False)
class Pings:
    """One row per vehicle and instant; ``trip`` is the row of the demand. Speeds in mph, places in the street plane."""

    trip: Ints
    time_utc: Ints
    along: Floats
    across: Floats
    speed_mph: Floats


@dataclass(frozen=True, eq=False)
class Driven:
    """What became of each trip: seconds taken, miles driven (short of the plan where a jam outlasted the limit)."""

    seconds: Ints
    miles: Floats
    pings: Pings | None


def march_seconds(step_seconds: int) -> tuple[float, int]:
    """Length of a simulation step, at most a minute, and how many of them lie between two pings."""
    between = -(-step_seconds // 60)
    return step_seconds / between, between


@dataclass(frozen=True, eq=False)
class _Field:
    """The speeds of all places over the day, flat: step after step, ``width`` places each."""

    layout: Layout
    first_step: int
    width: int
    speeds: Floats

    @classmethod
    def of(cls, city: City, seed: int, trips: Demand) -> "_Field":
        first = int(trips.pickup_utc.min()) // p.FIELD_STEP_SECONDS
        last = (int(trips.pickup_utc.max()) + p.MAX_TRIP_SECONDS + 60) // p.FIELD_STEP_SECONDS
        speeds = speeds_mph(city, seed, first, last - first + 1)
        return cls(layout_of(city, seed), first, speeds.shape[1], speeds.ravel())

    def at(self, seconds: Floats, along: Floats, across: Floats) -> Floats:
        """Speeds at places, ``seconds`` after the field's first step began."""
        step = (seconds / p.FIELD_STEP_SECONDS).astype(np.int64)
        return np.asarray(self.speeds[step * self.width + self.layout.cell_index(along, across)])


def drive(city: City, seed: int, trips: Demand, *, with_pings: bool) -> Driven:
    """Drive every trip through the field.

    A vehicle's speed is its place's at that moment, times a factor of its own that wanders from minute to minute
    (mean 1, so places are not biased). It is looked up at each step and kept until the next.
    """
    count = len(trips)
    seconds, miles = np.zeros(count), trips.distance_miles.copy()
    seen: list[Pings] = []
    if count:
        field = _Field.of(city, seed, trips)
        # Trips of about the same length go together: else a block's few long ones are marched almost alone.
        order = np.argsort(trips.distance_miles)
        for rows in np.array_split(order, -(-count // _BLOCK_TRIPS)):
            seconds[rows], miles[rows] = _march(city, field, trips.take(rows), rows, seen if with_pings else None)
    whole = np.maximum(np.ceil(seconds).astype(np.int64), p.MIN_TRIP_SECONDS)
    return Driven(whole, miles, _collect(seen) if with_pings else None)


def _march(city: City, field: _Field, trips: Demand, names: Ints, seen: list[Pings] | None) -> tuple[Floats, Floats]:
    """Seconds and miles of each trip, marched step by step; ``seen`` gets its pings under its name."""
    step, between = march_seconds(city.position_step_seconds)
    count = len(trips)
    seconds, miles = np.empty(count), np.empty(count)
    correlation = _LOG_CORRELATION ** (step / 60)
    fresh = float(np.sqrt(1 - correlation**2))
    row = np.arange(count)
    legs, keys, distance = trips.routes.legs(), trips.keys, trips.distance_miles
    road = (distance * KM_PER_MILE / p.LENGTH_REFERENCE_KM) ** p.LENGTH_EXPONENT
    start = (trips.pickup_utc - field.first_step * p.FIELD_STEP_SECONDS).astype(np.float64)
    driven, elapsed, state = np.zeros(count), np.zeros(count), hashing.normal(keys, _NOISE)
    # Steps fall on the pings: the first one ends at a phase of the trip's own, in whole seconds.
    wait: Floats | float = np.floor(hashing.uniform(keys, _PHASE) * city.position_step_seconds)
    number = 0
    while len(row):
        along, across = legs.at(np.minimum(driven / distance, 1.0))
        local = field.at(start + elapsed, along, across)
        speed = np.minimum(local * road * np.exp(_LOG_SD * state - _LOG_SD**2 / 2), p.MAX_VEHICLE_MPH)
        if seen is not None and number and (number - 1) % between == 0:
            time = trips.pickup_utc[row] + elapsed.astype(np.int64)
            seen.append(Pings(names[row], time, along, across, speed))
        arrives = elapsed + (distance - driven) / speed * 3600
        elapsed = elapsed + wait
        driven = driven + speed * wait / 3600
        done = (arrives <= elapsed) | (elapsed >= p.MAX_TRIP_SECONDS)
        ended = np.flatnonzero(done)
        if len(ended):
            seconds[row[ended]] = np.minimum(arrives[ended], elapsed[ended])
            miles[row[ended]] = np.minimum(driven[ended], distance[ended])
            go = np.flatnonzero(~done)
            row, legs, keys, distance, road = row[go], _take(legs, go), keys[go], distance[go], road[go]
            start, driven, elapsed, state = start[go], driven[go], elapsed[go], state[go]
        if number:
            state = correlation * state + fresh * hashing.normal(keys, _NOISE + number)
        wait = step
        number += 1
    return seconds, miles


def _take(legs: Legs, rows: Ints) -> Legs:
    (x, x_split, x_whole), (y, y_split, y_whole) = legs.first, legs.second
    return Legs(
        legs.before[rows],
        legs.split_length[rows],
        legs.whole_length[rows],
        (x[rows], x_split[rows], x_whole[rows]),
        (y[rows], y_split[rows], y_whole[rows]),
    )


def _collect(parts: list[Pings]) -> Pings:
    """All pings in one, trip after trip, each in order of time."""
    if not parts:
        none = np.zeros(0)
        return Pings(none.astype(np.int64), none.astype(np.int64), none, none, none)
    trip = np.concatenate([part.trip for part in parts])
    order = np.argsort(trip, kind="stable")
    return Pings(
        trip[order],
        np.concatenate([part.time_utc for part in parts])[order],
        np.concatenate([part.along for part in parts])[order],
        np.concatenate([part.across for part in parts])[order],
        np.concatenate([part.speed_mph for part in parts])[order],
    )
