"""Local dates and clock times of UTC instants and back, vectorised, from the IANA rules that Python itself reads."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MICROS = 1_000_000
HOUR_MICROS = 3600 * MICROS
DAY_SECONDS = 86_400
#: No zone has changed its offset off the quarter hour since 1972.
_QUARTER_SECONDS = 900
_QUARTERS = DAY_SECONDS // _QUARTER_SECONDS


def is_weekend(day: date) -> bool:
    """Saturday or Sunday: traffic has two kinds of day."""
    return day.weekday() >= 5


def last_day_like(today: date) -> date:
    """The newest day before ``today`` of the same kind."""
    before = (today - timedelta(days=back) for back in range(1, 8))
    return next(day for day in before if is_weekend(day) == is_weekend(today))


@lru_cache(maxsize=4096)
def _offsets_of_day(zone: ZoneInfo, utc_day: int) -> tuple[int, ...]:
    """UTC offset in seconds at each quarter hour of a UTC day (days since 1970)."""
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=utc_day)
    found = []
    for quarter in range(_QUARTERS):
        offset = (start + timedelta(seconds=quarter * _QUARTER_SECONDS)).astimezone(zone).utcoffset()
        found.append(0 if offset is None else int(offset.total_seconds()))
    return tuple(found)


def local_seconds(utc_seconds: Ints, zone: ZoneInfo) -> Ints:
    """Seconds since 1970 that a wall clock of the zone shows, for UTC seconds since 1970."""
    if not len(utc_seconds):
        return utc_seconds
    days = np.unique(utc_seconds // DAY_SECONDS)
    table = np.array([_offsets_of_day(zone, int(day)) for day in days], dtype=np.int64)
    row = np.searchsorted(days, utc_seconds // DAY_SECONDS)
    return utc_seconds + table[row, utc_seconds % DAY_SECONDS // _QUARTER_SECONDS]


def local_days(utc_seconds: Ints, zone: ZoneInfo) -> npt.NDArray[np.int32]:
    """The local date as days since 1970, ready for ``pa.date32()``."""
    return (local_seconds(utc_seconds, zone) // DAY_SECONDS).astype(np.int32)


@lru_cache(maxsize=4096)
def _offsets_of_local_day(zone: ZoneInfo, local_day: int) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """UTC offset in seconds at each quarter hour of a wall clock's day, the earlier of two; and which come twice."""
    start = datetime(1970, 1, 1) + timedelta(days=local_day)
    found, twice = [], []
    for quarter in range(_QUARTERS):
        moment = (start + timedelta(seconds=quarter * _QUARTER_SECONDS)).replace(tzinfo=zone)
        earlier, later = (moment.replace(fold=fold).utcoffset() or timedelta() for fold in (0, 1))
        found.append(int(earlier.total_seconds()))
        twice.append(earlier > later)
    return tuple(found), tuple(twice)


def _utc_micros(local_micros: Ints, zone: ZoneInfo) -> tuple[Ints, Bools]:
    """UTC instants of wall times, the earlier of two; and which wall times come twice."""
    seconds = local_micros // MICROS
    # Broken clocks show years that no calendar has; what they are in UTC does not matter.
    days = np.clip(seconds // DAY_SECONDS, -25_000, 100_000)
    distinct = np.unique(days)
    tables = [_offsets_of_local_day(zone, int(day)) for day in distinct]
    row, quarter = np.searchsorted(distinct, days), seconds % DAY_SECONDS // _QUARTER_SECONDS
    offsets = np.array([table[0] for table in tables], dtype=np.int64)[row, quarter]
    return local_micros - offsets * MICROS, np.array([table[1] for table in tables], dtype=bool)[row, quarter]


def trip_times_utc(pickup_local: Ints, dropoff_local: Ints, zone: ZoneInfo) -> tuple[Ints, Ints]:
    """Pickup and dropoff instants of trips from the wall times they were published with. All in µs since 1970.

    In the hour that comes twice the reading is taken that makes the trip plausible: a dropoff that would lie before
    its pickup is the later one, and so is a pickup whose dropoff comes after that hour (else it would last an hour
    more than the clock showed). Times in the hour that is left out in spring count as an hour later.
    """
    if not len(pickup_local):
        return pickup_local, dropoff_local
    (pickup, pickup_twice), (dropoff, dropoff_twice) = (_utc_micros(at, zone) for at in (pickup_local, dropoff_local))
    later = pickup_twice & ~dropoff_twice & (dropoff_local > pickup_local)
    backwards = dropoff_twice & (dropoff < pickup)
    return pickup + later * HOUR_MICROS, dropoff + backwards * HOUR_MICROS
