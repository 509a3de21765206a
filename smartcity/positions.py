"""Trips to positions: the one simulation of where a taxi was, and how fast, between pick-up and drop-off.

A trip record says when and where it began and ended and how far it went, nothing between. The car is sent over the
street grid on a way with two corners, scaled to the recorded distance, at a speed that varies around the trip's mean
as GPS traces do and that adds up to the trip's distance and duration exactly. All of it depends on the trip's id
alone, so batch, replay and a rerun agree. It cannot bring back the local speeds that the record averaged away.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from smartcity import hashing
from smartcity.city import City
from smartcity.columns import POSITIONS, UTC_TIMESTAMP
from smartcity.events import MAX_SPEED_MPH, SPEED_STEPS_PER_MPH
from smartcity.grid import CellGrid
from smartcity.localtime import MICROS, local_days
from smartcity.streets import Routes, StreetGrid

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Spread of the logarithm of speed, and its correlation from one minute to the next, before a trip's profile is
#: scaled to its own mean. After it, over trips of real lengths, the speed's CV is 0.5 and its correlation 0.38.
PROFILE_LOG_SD = 0.555
PROFILE_MINUTE_CORRELATION = 0.545

#: Positions computed at a time: their arrays stay in the processor's cache, which halves the time.
_CACHED_PINGS = 1 << 15

#: Draws of a trip's stream; the profile takes those from ``_PROFILE`` on, one per ping.
_PHASE, _AVENUE_FIRST, _TURN, _PROFILE = range(4)


@dataclass(frozen=True)
class Positions:
    """Positions as arrays of one length, trip after trip, each in order of time.

    ``trip`` is the row of the trip; speed in steps of 1/100 mph; ``cell`` a number of the city's ``CellGrid``, -1
    outside the bounds.
    """

    trip: npt.NDArray[np.int32]
    instant_us: Ints
    latitude: Floats
    longitude: Floats
    speed_steps: npt.NDArray[np.int32]
    cell: npt.NDArray[np.int32]

    def take(self, chosen: npt.NDArray[np.bool_]) -> "Positions":
        """Those positions only."""
        return Positions(*(getattr(self, part.name)[chosen] for part in fields(self)))

    def table(self, vehicle_id: pa.Array, trip_id: pa.Array, city: City) -> pa.Table:
        """Columns of ``columns.POSITIONS`` but ``date``, strings dictionary-encoded. Args: ids of the trips, by row."""
        rows = pa.array(self.trip)
        return pa.table(
            [
                pa.DictionaryArray.from_arrays(rows, vehicle_id),
                pa.DictionaryArray.from_arrays(rows, trip_id),
                pa.array(self.instant_us).cast(UTC_TIMESTAMP),
                pa.array(self.latitude),
                pa.array(self.longitude),
                pa.array(self.speed_steps / SPEED_STEPS_PER_MPH),
                CellGrid.of(city).coded(self.cell),
            ],
            names=[name for name in POSITIONS.names if name != "date"],
        )


@dataclass(frozen=True)
class _Pings:
    """When each trip is seen. Arrays over trips; ``counts`` sums to the number of pings."""

    start_us: Ints
    duration_us: Ints
    phase_us: Ints
    counts: Ints
    step_us: int


def _micros(column: pa.Array) -> Ints:
    return np.asarray(
        column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).fill_null(0).to_numpy(), dtype=np.int64
    )


def _pings(trips: pa.RecordBatch, keys: hashing.UInts, city: City) -> _Pings:
    """Every ``position_step_seconds`` from a phase of the trip's own (whole seconds), up to its end.

    A trip that ends before it begins has none; neither has one shorter than its phase, so that the number of pings
    is proportional to time, not to trips.
    """
    start, end = _micros(trips.column("pickup_utc")), _micros(trips.column("dropoff_utc"))
    step = city.position_step_seconds * MICROS
    phase = (hashing.uniform(keys, _PHASE) * city.position_step_seconds).astype(np.int64) * MICROS
    counts = np.where(end - start > phase, (end - start - phase - 1) // step + 1, 0)
    return _Pings(start, end - start, phase, counts, step)


def _profile(pings: _Pings, keys: hashing.UInts, first: Ints) -> tuple[Floats, Floats]:
    """Relative speed at each ping and share of the way driven by then, flat, trip after trip.

    The speed holds from halfway after the ping before to halfway to the next one. Sums run within a trip only: a
    running sum over the whole batch would round differently in another batch.
    """
    total_pings = int(pings.counts.sum())
    speed, share = np.empty(total_pings), np.empty(total_pings)
    order = np.argsort(-pings.counts, kind="stable")
    counts, keys, first = pings.counts[order], keys[order], first[order]
    duration, phase = pings.duration_us[order] / MICROS, pings.phase_us[order] / MICROS
    step = pings.step_us / MICROS
    correlation = PROFILE_MINUTE_CORRELATION ** (step / 60)
    fresh = np.sqrt(1 - correlation**2)
    state, driven = np.zeros(len(counts)), np.zeros(len(counts))
    for number in range(int(counts[0]) if len(counts) else 0):
        active = int(np.searchsorted(-counts, -number, side="left"))
        draw = hashing.normal(keys[:active], _PROFILE + number)
        state = draw if number == 0 else correlation * state[:active] + fresh * draw
        relative = np.exp(PROFILE_LOG_SD * state)
        before = phase[:active] if number == 0 else step / 2
        rest = duration[:active] - phase[:active] - number * step
        after = np.where(counts[:active] == number + 1, rest, step / 2)
        place = first[:active] + number
        speed[place] = relative
        share[place] = driven[:active] + relative * before
        driven[:active] += relative * (before + after)
    seen = counts > 0
    whole = np.ones(len(counts))
    whole[order[seen]] = driven[seen]
    mean = np.ones(len(counts))
    mean[order[seen]] = driven[seen] / duration[seen]
    return speed / np.repeat(mean, pings.counts), share / np.repeat(whole, pings.counts)


def _routes(trips: pa.RecordBatch, keys: hashing.UInts, streets: StreetGrid) -> Routes:
    def degrees(name: str) -> Floats:
        return np.asarray(trips.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)

    along, across = streets.to_plane(degrees("pickup_latitude"), degrees("pickup_longitude"))
    to_along, to_across = streets.to_plane(degrees("dropoff_latitude"), degrees("dropoff_longitude"))
    avenue_first = hashing.uniform(keys, _AVENUE_FIRST) < 0.5
    turn = hashing.uniform(keys, _TURN)
    return Routes(along, across, to_along - along, to_across - across, avenue_first, turn)


def speed_steps(speed_mph: Floats) -> npt.NDArray[np.int32]:
    """Speed in whole steps of 1/100 mph, at most ``MAX_SPEED_MPH``."""
    return np.asarray(np.rint(np.minimum(speed_mph, MAX_SPEED_MPH) * SPEED_STEPS_PER_MPH), dtype=np.int32)


def round_speed(speed_mph: Floats) -> Floats:
    """Speed as positions carry it."""
    return np.asarray(speed_steps(speed_mph) / SPEED_STEPS_PER_MPH)


def ping_counts(trips: pa.Table | pa.RecordBatch, city: City) -> Ints:
    """Pings that each trip makes, inside the bounds or not: what ``positions_from_trips`` dropped is the difference."""
    batch = _one_batch(trips)
    return _pings(batch, hashing.string_keys(batch.column("trip_id")), city).counts


def _one_batch(trips: pa.Table | pa.RecordBatch) -> pa.RecordBatch:
    if isinstance(trips, pa.RecordBatch):
        return trips
    whole = trips.combine_chunks().to_batches()
    return whole[0] if whole else pa.RecordBatch.from_pylist([], schema=trips.schema)


def _runs(counts: Ints) -> Iterator[slice]:
    """Consecutive trips of together about ``_CACHED_PINGS`` pings."""
    part = (np.cumsum(counts) - counts) // _CACHED_PINGS
    edges = np.flatnonzero(np.diff(part)) + 1
    for low, high in pairwise([0, *edges.tolist(), len(counts)] if len(counts) else []):
        yield slice(low, high)


def simulate(trips: pa.RecordBatch, city: City) -> Positions:
    """Positions of every trip at the city's step, inside the bounds or not. Args as ``positions_from_trips``."""
    keys = hashing.string_keys(trips.column("trip_id"))
    pings = _pings(trips, keys, city)
    first = np.cumsum(pings.counts) - pings.counts
    relative, share = _profile(pings, keys, first)
    miles = np.asarray(trips.column("trip_distance_miles").cast(pa.float64()).to_numpy(zero_copy_only=False))
    hours = pings.duration_us / (3600.0 * MICROS)
    mean_mph = np.divide(miles, hours, out=np.zeros(len(hours)), where=pings.counts > 0)
    streets = StreetGrid.of(city)
    legs = _routes(trips, keys, streets).legs().in_degrees(streets)
    # What the clock shows at ping 0 of the whole batch, were it this trip's: so instants need no ping number.
    origin = pings.start_us + pings.phase_us - first * pings.step_us
    grid, total = CellGrid.of(city), len(share)
    found = Positions(
        np.repeat(np.arange(len(keys), dtype=np.int32), pings.counts),
        np.repeat(origin, pings.counts) + np.arange(total) * pings.step_us,
        np.empty(total),
        np.empty(total),
        np.empty(total, dtype=np.int32),
        np.empty(total, dtype=np.int32),
    )
    for ways in _runs(pings.counts):
        counts = pings.counts[ways]
        rows = slice(int(first[ways.start]), int(first[ways.start] + counts.sum()))
        found.speed_steps[rows] = speed_steps(relative[rows] * np.repeat(mean_mph[ways], counts))
        latitude, longitude = legs.repeat(ways, counts).at(share[rows])
        found.latitude[rows], found.longitude[rows] = np.round(latitude, 6), np.round(longitude, 6)
        found.cell[rows] = grid.numbers(found.latitude[rows], found.longitude[rows])
    return found


def positions_from_trips(trips: pa.Table | pa.RecordBatch, city: City, *, keep_outside: bool = False) -> pa.Table:
    """Positions of every trip at the city's step.

    Args:
        trips: columns of ``columns.TRIPS``; ``source_file`` and ``date`` are not needed.
        city: bounds, street grid, H3 resolution, step and time zone.
        keep_outside: keep positions outside the bounds, with a null ``cell_id``, for a caller that counts them.

    Returns: columns of ``columns.POSITIONS``, trip after trip in the order given, each in order of time. ``date`` is
        the city's local date of the ping, so a trip may reach into the next day.

    """
    batch = _one_batch(trips)
    found = simulate(batch, city)
    if not keep_outside:
        found = found.take(found.cell >= 0)
    dates = pa.array(local_days(found.instant_us // MICROS, city.zone), pa.date32())
    table = found.table(batch.column("vehicle_id"), batch.column("trip_id"), city)
    return table.append_column("date", dates).cast(POSITIONS)
