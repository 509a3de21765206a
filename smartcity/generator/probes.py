"""What the vehicles' GPS sends: ``vehicle_id, timestamp, latitude, longitude, speed``, day by local day."""

import heapq
from datetime import UTC, date, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from smartcity import hashing
from smartcity.city import City
from smartcity.generator.demand import Demand, day_bounds
from smartcity.generator.drive import Driven
from smartcity.generator.layout import layout_of
from smartcity.positions import round_speed

Ints = npt.NDArray[np.int64]

SCHEMA = pa.schema(
    [
        ("vehicle_id", pa.string()),
        ("timestamp", pa.string()),
        ("latitude", pa.float64()),
        ("longitude", pa.float64()),
        ("speed", pa.float64()),
    ]
)
#: Seconds that a vehicle looks for its next passenger, at least and at most.
_IDLE = (120, 1500)
_IDLE_DRAW = 1
#: Two shifts of vehicles take turns by day, so that nobody is in two places at midnight.
_SHIFT = 50_000


def vehicles(trips: Demand, driven: Driven) -> Ints:
    """The vehicle of each trip: the one that waits longest, a new one where all are busy."""
    idle = _IDLE[0] + hashing.uniform(~trips.keys, _IDLE_DRAW) * (_IDLE[1] - _IDLE[0])
    free = trips.pickup_utc + driven.seconds + idle.astype(np.int64)
    waiting: list[tuple[int, int]] = []
    chosen = np.empty(len(trips), dtype=np.int64)
    known = 0
    for trip, (start, until) in enumerate(zip(trips.pickup_utc.tolist(), free.tolist(), strict=True)):
        if waiting and waiting[0][0] <= start:
            vehicle = heapq.heapreplace(waiting, (until, waiting[0][1]))[1]
        else:
            vehicle, known = known, known + 1
            heapq.heappush(waiting, (until, vehicle))
        chosen[trip] = vehicle
    return chosen


def _names(numbers: Ints) -> pa.Array:
    distinct, place = np.unique(numbers, return_inverse=True)
    return pa.array([f"taxi_{number:05d}" for number in distinct.tolist()], pa.string()).take(pa.array(place))


def _iso(times: Ints) -> pa.Array:
    distinct, place = np.unique(times, return_inverse=True)
    texts = [datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for second in distinct.tolist()]
    return pa.array(texts, pa.string()).take(pa.array(place))


def probes(city: City, seed: int, day: date, driven_days: list[tuple[Demand, Driven]]) -> pa.Table:
    """Pings of the local ``day``, in order of time, from the trips of that day and of the one before it."""
    start, end = day_bounds(day, city)
    names, times, places, speeds = [], [], [], []
    for trips, driven in driven_days:
        pings = driven.pings
        if pings is None:
            raise ValueError("these trips were driven without pings")
        rows = np.flatnonzero((pings.time_utc >= start) & (pings.time_utc < end))
        shift = _SHIFT * (trips.day.toordinal() % 2)
        names.append(vehicles(trips, driven)[pings.trip[rows]] + shift)
        times.append(pings.time_utc[rows])
        places.append(np.stack([pings.along[rows], pings.across[rows]]))
        speeds.append(pings.speed_mph[rows])
    time, vehicle = np.concatenate(times), np.concatenate(names)
    order = np.lexsort((vehicle, time))
    latitude, longitude = layout_of(city, seed).streets.to_degrees(*np.concatenate(places, axis=1)[:, order])
    return pa.table(
        [
            _names(vehicle[order]),
            _iso(time[order]),
            pa.array(np.round(latitude, 6)),
            pa.array(np.round(longitude, 6)),
            pa.array(round_speed(np.concatenate(speeds)[order])),
        ],
        schema=SCHEMA,
    )
