"""Vehicles drive through the field: how long each trip takes, and where and how fast each vehicle is at every ping."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smartcity import hashing
from smartcity.city import City
from smartcity.generator import parameters as p
from smartcity.generator.demand import Demand
from smartcity.generator.field import speeds_mph
from smartcity.generator.layout import layout_of
from smartcity.streets import KM_PER_MILE

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_PHASE, _NOISE = 0, 1
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


def drive(city: City, seed: int, trips: Demand, *, with_pings: bool) -> Driven:
    """Drive every trip through the field.

    A vehicle's speed is its place's at that moment, times a factor of its own that wanders from minute to minute
    (mean 1, so places are not biased). It is looked up at each step and kept until the next.
    """
    layout = layout_of(city, seed)
    step, between = march_seconds(city.position_step_seconds)
    count = len(trips)
    seconds, miles = np.zeros(count), trips.distance_miles.copy()
    if not count:
        return Driven(seconds.astype(np.int64), miles, _collect([]) if with_pings else None)
    first = int(trips.pickup_utc.min()) // p.FIELD_STEP_SECONDS
    last = (int(trips.pickup_utc.max()) + p.MAX_TRIP_SECONDS + 60) // p.FIELD_STEP_SECONDS
    speeds = speeds_mph(city, seed, first, last - first + 1)
    width = speeds.shape[1]
    flat = speeds.ravel()

    correlation = _LOG_CORRELATION ** (step / 60)
    fresh = float(np.sqrt(1 - correlation**2))
    row = np.arange(count)
    routes, keys, distance = trips.routes, trips.keys, trips.distance_miles
    road = (distance * KM_PER_MILE / p.LENGTH_REFERENCE_KM) ** p.LENGTH_EXPONENT
    clock = (hashing.uniform(keys, _PHASE) * city.position_step_seconds).astype(np.int64).astype(np.float64)
    start = trips.pickup_utc - first * p.FIELD_STEP_SECONDS
    driven, state = np.zeros(count), hashing.normal(keys, _NOISE)
    wait, elapsed, number = clock, np.zeros(count), 0
    seen: list[Pings] = []
    while len(row):
        along, across = routes.at(np.minimum(driven / distance, 1.0))
        moment = ((start + elapsed) // p.FIELD_STEP_SECONDS).astype(np.int64)
        local = flat[moment * width + layout.cell_index(along, across)]
        speed = np.minimum(local * road * np.exp(_LOG_SD * state - _LOG_SD**2 / 2), p.MAX_VEHICLE_MPH)
        if with_pings and number and (number - 1) % between == 0:
            seen.append(Pings(row, trips.pickup_utc[row] + elapsed.astype(np.int64), along, across, speed))
        arrives = elapsed + (distance - driven) / speed * 3600
        elapsed = elapsed + wait
        driven = driven + speed * wait / 3600
        late = elapsed >= p.MAX_TRIP_SECONDS
        done = (arrives <= elapsed) | late
        seconds[row[done]] = np.minimum(arrives, elapsed)[done]
        miles[row[done]] = np.minimum(driven, distance)[done]
        go = np.flatnonzero(~done)
        row, routes, keys, distance, road = row[go], routes.take(go), keys[go], distance[go], road[go]
        start, driven, elapsed = start[go], driven[go], elapsed[go]
        state = state[go]
        if number:
            state = correlation * state + fresh * hashing.normal(keys, _NOISE + number)
        wait = np.full(len(row), step)
        number += 1
    whole = np.maximum(np.ceil(seconds).astype(np.int64), p.MIN_TRIP_SECONDS)
    return Driven(whole, miles, _collect(seen) if with_pings else None)


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
