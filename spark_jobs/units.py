"""Cutting days into units of work of about the same size, and saying which days need no work."""

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, TypeVar

from smartcity.city import City
from smartcity.lake import Table
from smartcity.localtime import MICROS

T = TypeVar("T")


@dataclass(frozen=True)
class Stretch:
    """Windows ``first`` … ``end - 1`` (numbered from the epoch) of a local day."""

    day: date
    first: int
    end: int
    window_us: int

    @property
    def start_us(self) -> int:
        """First instant."""
        return self.first * self.window_us

    @property
    def end_us(self) -> int:
        """First instant after it."""
        return self.end * self.window_us


def _midnight_us(day: date, city: City) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=city.zone).timestamp()) * MICROS


def stretches(day: date, parts: int, city: City) -> list[Stretch]:
    """A local day in ``parts`` of equal length, cut between windows (a city's windows fit into its days)."""
    step = city.window_seconds * MICROS
    first, last = (_midnight_us(at, city) // step for at in (day, day + timedelta(days=1)))
    parts = max(1, min(parts, last - first))
    edges = [first + (last - first) * part // parts for part in range(parts + 1)]
    return [Stretch(day, low, high, step) for low, high in pairwise(edges)]


def packed(items: Sequence[tuple[T, int]], size: int) -> list[list[T]]:
    """Items with their sizes in consecutive tasks of about ``size``: small days share one, big parts stand alone."""
    tasks: list[list[T]] = []
    room = 0
    for item, weight in items:
        if not tasks or weight > room:
            tasks.append([])
            room = size
        tasks[-1].append(item)
        room -= weight
    return tasks


def parts_of(rows: int, size: int) -> int:
    """In how many stretches a day of so many rows is cut."""
    return max(1, math.ceil(rows / size))


def due(
    made: Table, dates: list[date], origin: Callable[[date], Mapping[str, Any]], options: argparse.Namespace
) -> list[date]:
    """Those of ``dates`` that ``made`` lacks, or that were made from something else than ``origin`` says.

    All of them where ``options`` have ``redo``.
    """
    if redo_asked(options):
        return dates
    partitions = made.manifest().partitions
    return [
        day
        for day in dates
        if (partition := partitions.get(day.isoformat())) is None or partition.made_from != origin(day)
    ]


def redo_asked(options: argparse.Namespace) -> bool:
    """Whether ``options`` ask for days that are up to date, too; only a command line must say."""
    return bool(getattr(options, "redo", False))
