"""Which pickup times belong into a file: its month by name, or what nearly all of its rows say."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from smartcity.tripfiles.source import Period

#: ``yellow_tripdata_2016-01.csv``; a day after the month means that the file is no month's.
_MONTHLY = re.compile(r"tripdata_(\d{4})-(0[1-9]|1[0-2])(?!-?\d)")
#: Rows this far outside the middle half of an unnamed file's pickups still belong to it.
_SLACK = timedelta(days=92)


def period_of_name(name: str) -> Period | None:
    """The month that a TLC file name says; None where it says none."""
    match = _MONTHLY.search(name.lower())
    if match is None:
        return None
    start = datetime(int(match[1]), int(match[2]), 1)
    return Period(start, (start + timedelta(days=32)).replace(day=1), start.date())


def period_of_times(times: Iterable[pa.Array]) -> Period | None:
    """The period of a sample of pickup times: the quartiles, widened by 3 interquartile ranges, at least 92 days.

    Tukey's outer fence. Stray dates (2001, 2084) would otherwise stretch the data set over decades. None: no time.
    """
    micros = [array.drop_null().cast(pa.int64()).to_numpy() for array in times]
    all_micros = np.concatenate(micros) if micros else np.zeros(0, dtype=np.int64)
    if not len(all_micros):
        return None
    low, high = np.quantile(all_micros, [0.25, 0.75], method="nearest")
    slack = max(_SLACK, timedelta(microseconds=3 * int(high - low)))
    epoch = datetime(1970, 1, 1)
    first = _clamped(epoch, int(low), -slack)
    last = _clamped(epoch, int(high), slack)
    inside = all_micros[all_micros >= (first - epoch) // timedelta(microseconds=1)]
    return Period(first, last, (epoch + timedelta(microseconds=int(inside.min()))).date())


def _clamped(epoch: datetime, micros: int, slack: timedelta) -> datetime:
    try:
        return epoch + timedelta(microseconds=micros) + slack
    except OverflowError:
        return datetime.min if slack < timedelta(0) else datetime.max
