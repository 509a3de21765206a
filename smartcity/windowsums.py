"""Positions to windows in one pass over arrays: counts and sums per cell and window of a stretch of time.

The stream counts the same with Spark (``smartcity.spark.windows``); a test holds the two together.
"""

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from smartcity.city import City
from smartcity.columns import UTC_TIMESTAMP, WINDOWS
from smartcity.events import SPEED_STEPS_PER_MPH
from smartcity.localtime import MICROS, local_days
from smartcity.windows import VEHICLE_BITS

Ints = npt.NDArray[np.int64]


def vehicle_bits(vehicle_ids: Sequence[str]) -> npt.NDArray[np.uint64]:
    """The one bit that each vehicle sets in a window's set of vehicles."""
    numbers = np.fromiter((zlib.crc32(name.encode()) for name in vehicle_ids), dtype=np.uint64, count=len(vehicle_ids))
    return np.asarray(np.left_shift(np.uint64(1), numbers % np.uint64(VEHICLE_BITS)), dtype=np.uint64)


class WindowSums:
    """Sums over the windows ``first`` … ``first + length - 1`` (numbered from the epoch) of ``cells`` cells.

    Memory: three numbers per pair of window and cell, and one per vehicle seen in each pair.
    """

    def __init__(self, city: City, first: int, length: int, cells: int) -> None:
        self._city, self._first, self._length, self._cells = city, first, length, cells
        self._count, self._sum, self._squares = (np.zeros(length * cells) for _ in range(3))
        self._visits: list[Ints] = []

    def add(
        self,
        instant_us: Ints,
        cell: npt.NDArray[np.int32],
        vehicle: npt.NDArray[np.int32],
        speed_steps: npt.NDArray[np.int32],
    ) -> None:
        """Add positions; those outside the stretch or in no cell (-1) are left out. Speed in steps of 1/100 mph.

        ``vehicle`` numbers the vehicles, the same in every call.
        """
        window = instant_us // (self._city.window_seconds * MICROS) - self._first
        inside = (window >= 0) & (window < self._length) & (cell >= 0)
        if not inside.all():
            window, cell, vehicle, speed_steps = window[inside], cell[inside], vehicle[inside], speed_steps[inside]
        pair = window * self._cells + cell
        # Sums of whole numbers below 2^53: exact as floats, in any order.
        speed = speed_steps.astype(np.float64)
        size = len(self._count)
        self._count += np.bincount(pair, minlength=size)
        self._sum += np.bincount(pair, speed, minlength=size)
        self._squares += np.bincount(pair, speed * speed, minlength=size)
        visit = (pair << 32) | vehicle
        # A vehicle's positions mostly follow one another, so its second in a window is mostly its neighbour.
        new = np.ones(len(visit), dtype=bool)
        np.not_equal(visit[1:], visit[:-1], out=new[1:])
        self._visits.append(visit[new])

    def table(self, names: pa.StringArray, bits: npt.NDArray[np.uint64]) -> pa.Table:
        """One row per pair with a position, by window and cell, columns of ``columns.WINDOWS``.

        Args: names: ``cell_id`` by number; bits: ``vehicle_bits`` by number of vehicle.
        """
        visits = np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *self._visits]))
        visits = visits[np.concatenate([[True], visits[1:] != visits[:-1]])] if len(visits) else visits
        pair, starts, vehicles = np.unique(visits >> 32, return_index=True, return_counts=True)
        sets = bits[visits & 0xFFFF_FFFF]
        count, total, squares = (sums[pair].astype(np.int64) for sums in (self._count, self._sum, self._squares))
        mean = total / np.maximum(count, 1)
        variance = np.maximum(squares / np.maximum(count, 1) - mean * mean, 0.0)
        seconds = (pair // self._cells + self._first) * self._city.window_seconds
        return pa.table(
            [
                pa.DictionaryArray.from_arrays(pa.array((pair % self._cells).astype(np.int32)), names),
                pa.array(seconds * MICROS).cast(UTC_TIMESTAMP),
                pa.array(vehicles.astype(np.int64)),
                pa.array(count),
                pa.array(total),
                pa.array(squares),
                pa.array((np.bitwise_or.reduceat(sets, starts) if len(pair) else sets).view(np.int64)),
                pa.array(total / (float(SPEED_STEPS_PER_MPH) * count)),
                pa.array(np.sqrt(variance) / SPEED_STEPS_PER_MPH),
                pa.array(local_days(seconds, self._city.zone), pa.date32()),
            ],
            names=WINDOWS.names,
        )
