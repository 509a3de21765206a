"""Local dates and clock times of UTC instants, vectorised, from the IANA rules that Python itself reads."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

MICROS = 1_000_000
DAY_SECONDS = 86_400
#: No zone has changed its offset off the quarter hour since 1972.
_QUARTER_SECONDS = 900
_QUARTERS = DAY_SECONDS // _QUARTER_SECONDS


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
