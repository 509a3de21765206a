"""The hashes of the simulation for the peers: a trip's id, and the random draws and speed profile that follow from it.

Vectorised NumPy on Arrow arrays. It is written here a second time, by scans instead of the platform's loop over pings,
so that the comparison of windows holds one against the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from smartcity import hashing
from smartcity.city import City
from smartcity.localtime import MICROS
from smartcity.positions import PROFILE_LOG_SD, PROFILE_MINUTE_CORRELATION
from smartcity.tripfiles.identity import trip_hashes
from smartcity.tripfiles.identity import trip_ids as hex_ids

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_PHASE, _AVENUE_FIRST, _TURN, _PROFILE = range(4)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
#: Weights below this change no digit.
_NOTHING = 1e-18


@dataclass(frozen=True)
class Draws:
    """Per trip: phase, way and number of pings; per ping, trip after trip: relative speed, and share of the way."""

    phase_us: Ints
    avenue_first: npt.NDArray[np.bool_]
    turn: Floats
    counts: Ints
    relative: Floats
    share: Floats


def trip_ids(columns: Mapping[str, pa.Array], count: int) -> pa.Array:
    """The platform's ``trip_id`` of each row."""
    return hex_ids(trip_hashes(columns, count))


def draws(trip_id: pa.Array, duration_us: Ints, city: City) -> Draws:
    """All random numbers of the trips, and what follows from them alone and the duration."""
    keys = hashing.string_keys(trip_id)
    step_us = city.position_step_seconds * MICROS
    phase = (hashing.uniform(keys, _PHASE) * city.position_step_seconds).astype(np.int64) * MICROS
    counts = np.where(duration_us > phase, (duration_us - phase - 1) // step_us + 1, 0)
    relative, share = _profile(keys, phase / MICROS, duration_us / MICROS, counts, city.position_step_seconds)
    avenue_first, turn = hashing.uniform(keys, _AVENUE_FIRST) < 0.5, hashing.uniform(keys, _TURN)
    return Draws(phase, avenue_first, turn, counts, relative, share)


def _profile(keys: hashing.UInts, phase: Floats, duration: Floats, counts: Ints, step: float) -> tuple[Floats, Floats]:
    first = np.cumsum(counts) - counts
    total = int(counts.sum())
    number = np.arange(total) - np.repeat(first, counts)
    draw = hashing.normal(np.repeat(keys, counts) + _GOLDEN * number.astype(np.uint64), _PROFILE)
    relative = np.exp(PROFILE_LOG_SD * _autoregression(draw, number, PROFILE_MINUTE_CORRELATION ** (step / 60)))
    seen = np.flatnonzero(counts)
    starts, ends = first[seen], first[seen] + counts[seen] - 1
    # A speed holds from halfway after the ping before to halfway to the next; at the ends, to the ends.
    before = np.full(total, step / 2)
    before[starts] = phase[seen]
    held = before + step / 2
    held[ends] = before[ends] + duration[seen] - phase[seen] - (counts[seen] - 1) * step
    driven = relative * held
    whole = np.add.reduceat(driven, starts) if len(seen) else np.zeros(0)
    running = np.cumsum(driven) - driven
    share = running - np.repeat(running[starts], counts[seen]) + relative * before
    return relative / np.repeat(whole / duration[seen], counts[seen]), share / np.repeat(whole, counts[seen])


def _autoregression(draw: Floats, number: Ints, correlation: float) -> Floats:
    """Each trip's state at each ping, from its own draws: a scan that doubles its reach with every pass."""
    state = draw * np.where(number == 0, 1.0, np.sqrt(1 - correlation**2))
    reach, longest = 1, int(number.max(initial=0))
    while reach <= longest and correlation**reach > _NOTHING:
        earlier = state[:-reach] * correlation**reach
        earlier *= number[reach:] >= reach
        state[reach:] = state[reach:] + earlier
        reach *= 2
    return np.asarray(state)
