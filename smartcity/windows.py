"""Windows as dense arrays, time × cell: the shape in which features, profile and live city compute."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from smartcity.city import City
from smartcity.events import SPEED_STEPS_PER_MPH

Ints = npt.NDArray[np.int64]
#: Bits in the set of vehicles that a window carries; a vehicle sets the bit ``crc32(vehicle_id) mod 64``.
VEHICLE_BITS = 64
#: Integer columns of ``columns.WINDOWS`` that a block carries; everything else derives from them.
COUNTS = ("position_count", "vehicle_count", "speed_sum", "speed_square_sum", "vehicle_bits")


def window_index(times: pa.Array | pa.ChunkedArray, city: City) -> Ints:
    """Number of the window, counted from the epoch, that starts at each time (µs, UTC)."""
    micros = (
        pc.cast(times, pa.int64()).to_numpy(zero_copy_only=False)
        if isinstance(times, pa.Array)
        else (pc.cast(times, pa.int64()).to_numpy())
    )
    return np.asarray(micros // (city.window_seconds * 1_000_000), dtype=np.int64)


def window_start(index: int, city: City) -> datetime:
    """Start of the window with this number."""
    return datetime.fromtimestamp(index * city.window_seconds, UTC)


@dataclass(frozen=True)
class WindowBlock:
    """Consecutive windows of some cells. Each array has shape (windows, cells); a pair never seen is 0."""

    first: int
    cells: tuple[str, ...]
    position_count: Ints
    vehicle_count: Ints
    speed_sum: Ints
    speed_square_sum: Ints
    vehicle_bits: Ints

    @property
    def length(self) -> int:
        """Number of windows."""
        return len(self.position_count)

    @classmethod
    def empty(cls, first: int, length: int, cells: tuple[str, ...]) -> "WindowBlock":
        """A block without a position."""
        return cls(first, cells, *(np.zeros((length, len(cells)), dtype=np.int64) for _ in COUNTS))

    @classmethod
    def of(cls, table: pa.Table, city: City, cells: tuple[str, ...] | None = None) -> "WindowBlock":
        """The rows of ``table`` (columns cell_id, window_start_utc and ``COUNTS``), dense from first to last window."""
        names = table.column("cell_id")
        cells = cells if cells is not None else tuple(sorted(pc.unique(names).to_pylist()))
        index = window_index(table.column("window_start_utc"), city)
        if not len(index):
            return cls.empty(0, 0, cells)
        block = cls.empty(int(index.min()), int(index.max() - index.min()) + 1, cells)
        block.put(table, city)
        return block

    def put(self, table: pa.Table, city: City) -> None:
        """Write rows into the block, replacing what was there. All must lie within it."""
        rows = window_index(table.column("window_start_utc"), city) - self.first
        columns = pc.index_in(table.column("cell_id"), pa.array(self.cells, pa.string())).to_numpy()
        for name in COUNTS:
            getattr(self, name)[rows, columns] = table.column(name).to_numpy()

    def trailing(self, name: str, steps: int) -> Ints:
        """Sum of a count over each window and the ``steps - 1`` before it; integers, so exact in any grouping."""
        total = np.cumsum(getattr(self, name), axis=0)
        shifted = np.zeros_like(total)
        shifted[steps:] = total[:-steps] if steps < len(total) else total[:0]
        return np.asarray(total - shifted, dtype=np.int64)

    def distinct_vehicles(self, steps: int) -> Ints:
        """Lower bound of the distinct vehicles in each window and the ``steps - 1`` before it, exact for few."""
        bits = self.vehicle_bits.copy()
        for step in range(1, min(steps, self.length)):
            bits[step:] |= self.vehicle_bits[:-step]
        return np.bitwise_count(bits.view(np.uint64)).astype(np.int64)

    def avg_speed_mph(self) -> npt.NDArray[np.float64]:
        """Space-mean speed per window; NaN without a position."""
        n = self.position_count
        return np.where(n > 0, self.speed_sum / (float(SPEED_STEPS_PER_MPH) * np.maximum(n, 1)), np.nan)

    def std_speed_mph(self) -> npt.NDArray[np.float64]:
        """Population standard deviation of the speed per window; NaN without a position."""
        n = np.maximum(self.position_count, 1)
        mean = self.speed_sum / n
        variance = np.maximum(self.speed_square_sum / n - mean * mean, 0.0)
        return np.where(self.position_count > 0, np.sqrt(variance) / SPEED_STEPS_PER_MPH, np.nan)
