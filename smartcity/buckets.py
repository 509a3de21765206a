"""Stretches of pick-up time with about equally many trips: the partitions in which trips are sorted out and stored."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from smartcity.localtime import MICROS

Ints = npt.NDArray[np.int64]

#: Trips of a bucket, where files are evenly filled. They are not, so buckets are a quarter of what a task takes: a task
#: gets as many as it needs, and a day with ten times the trips of the others makes none of a size that memory minds.
TRIPS_PER_BUCKET = 31_250
#: Nor is any longer: a file that says a month may hold a day of it, which is more than one task's then.
LONGEST_BUCKET = timedelta(hours=3)


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * MICROS)


@dataclass(frozen=True)
class Buckets:
    """Consecutive stretches of time, split at ``edges`` (µs since 1970, UTC); the first and the last are open."""

    edges: tuple[int, ...]

    @property
    def count(self) -> int:
        """Number of stretches."""
        return len(self.edges) + 1

    def of(self, instant_us: Ints) -> Ints:
        """Number of the stretch that each instant is in."""
        return np.searchsorted(np.array(self.edges, dtype=np.int64), instant_us, side="right")


def plan_buckets(filled: Iterable[tuple[datetime, datetime, int]], trips: int = TRIPS_PER_BUCKET) -> Buckets:
    """Buckets for files whose rows lie in [start, end): (start, end, rows) each, times with a zone.

    Files of one period share them.
    """
    edges: list[int] = []
    for start, end, rows in _merged(filled):
        if edges and edges[-1] != start:
            edges.append(start)
        parts = max(math.ceil(rows / trips), math.ceil((end - start) / (LONGEST_BUCKET.total_seconds() * MICROS)))
        edges += [start + (end - start) * part // parts for part in range(1, parts)]
        edges.append(end)
    return Buckets(tuple(edges[:-1]))


def _merged(filled: Iterable[tuple[datetime, datetime, int]]) -> list[tuple[int, int, int]]:
    """Periods that overlap become one, with the rows of all."""
    merged: list[tuple[int, int, int]] = []
    for start, end, rows in sorted((_micros(start), _micros(end), rows) for start, end, rows in filled):
        if merged and start < merged[-1][1]:
            first, last, before = merged.pop()
            merged.append((first, max(last, end), before + rows))
        else:
            merged.append((start, end, rows))
    return merged
