"""The recorded positions of a day, in time order and bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from smartcity.archive import SOURCE
from smartcity.columns import UTC_TIMESTAMP
from smartcity.lake import Table
from streaming.schedule import Leg

#: Positions held at once, on average; a day is read in as many slices as that takes.
SLICE_ROWS = 100_000
MIN_SLICE_US = 60_000_000
COLUMNS = ("vehicle_id", "trip_id", "timestamp_utc", "latitude", "longitude", "speed_mph")


@dataclass(frozen=True)
class Slice:
    """Positions of a stretch of time, ordered by time and vehicle; times moved, in microseconds since the epoch."""

    day: date
    until_us: int
    times_us: npt.NDArray[np.int64]
    vehicle_ids: list[str]
    trip_ids: list[str | None]
    latitudes: list[float]
    longitudes: list[float]
    speeds_mph: list[float]

    def __len__(self) -> int:
        return len(self.vehicle_ids)


def span_of(column: str, start_us: int, end_us: int) -> pc.Expression:
    """A filter: rows whose time is from ``start_us`` (included) to ``end_us`` (not)."""
    low, high = (pa.scalar(value, pa.int64()).cast(UTC_TIMESTAMP) for value in (start_us, end_us))
    return (pads.field(column) >= low) & (pads.field(column) < high)


class Recording:
    """Reads a table of positions."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def rows(self) -> dict[date, int]:
        """Positions by day."""
        return {date.fromisoformat(day): part.rows for day, part in self._table.manifest().partitions.items()}

    def archived(self) -> set[date]:
        """Days that a stream archived, perhaps of a replay of the others."""
        parts = self._table.manifest().partitions.items()
        return {date.fromisoformat(day) for day, part in parts if part.made_from.get("source") == SOURCE}

    def run_ids(self) -> dict[str, str]:
        """What wrote each day: a day that was written anew is another recording."""
        return {day: part.run_id for day, part in self._table.manifest().partitions.items()}

    def slices(self, leg: Leg) -> Iterator[Slice]:
        """A leg's positions. The order depends on the data only, not on how its files are laid out."""
        files = self._table.files(leg.day, leg.day)
        prefix = len(self._table.uri()) - len(self._table.path)
        if not files:
            return
        day = pads.dataset([file[prefix:] for file in files], format="parquet", filesystem=self._table.filesystem)
        count = max(1, self.rows()[leg.day] // SLICE_ROWS)
        length = max(MIN_SLICE_US, 86_400_000_000 // count)
        # Cut at multiples of the length, wherever the leg starts, so that a restart cuts at the same places.
        start = leg.start_us
        while start < leg.end_us:
            end = min((start // length + 1) * length, leg.end_us)
            yield self._read(day, leg, start, end)
            start = end

    def _positions(self, day: pads.Dataset, start_us: int, end_us: int) -> pa.Table:
        """The columns ``COLUMNS`` of a stretch of a day, in any order."""
        return day.to_table(columns=list(COLUMNS), filter=span_of("timestamp_utc", start_us, end_us))

    def _read(self, day: pads.Dataset, leg: Leg, start: int, end: int) -> Slice:
        rows = self._positions(day, start, end).sort_by([("timestamp_utc", "ascending"), ("vehicle_id", "ascending")])
        times = pc.cast(rows.column("timestamp_utc"), UTC_TIMESTAMP).cast(pa.int64()).to_numpy()
        return Slice(
            leg.day,
            end + leg.shift_us,
            times + leg.shift_us,
            rows.column("vehicle_id").to_pylist(),
            rows.column("trip_id").to_pylist(),
            rows.column("latitude").to_pylist(),
            rows.column("longitude").to_pylist(),
            rows.column("speed_mph").to_pylist(),
        )


EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def instant(micros: int) -> datetime:
    """The moment, exact (a float of seconds would lose microseconds)."""
    return EPOCH + timedelta(microseconds=micros)
