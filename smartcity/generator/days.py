"""One day after the other: its trips driven, its rows written as parts or files of their own."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from smartcity.generator.demand import Demand, demand
from smartcity.generator.dirt import plant
from smartcity.generator.drive import Driven, drive
from smartcity.generator.layout import stream
from smartcity.generator.parts import write_part
from smartcity.generator.probes import probes
from smartcity.generator.request import Request
from smartcity.generator.taxirows import taxi_rows
from smartcity.generator.truth import truth

_ROWS = 6


@dataclass(frozen=True)
class Places:
    """Where a day's rows go: a part of the month's trip file, and files of the day's own."""

    day: date
    trips: Path
    truth: Path
    probes: Path | None


@dataclass(frozen=True)
class DayMade:
    """What became of a day."""

    places: Places
    trip_rows: int
    truth_rows: int
    probe_rows: int
    dirty: dict[str, int]


def trip_day(
    request: Request, day: date, driven: tuple[Demand, Driven] | None = None
) -> tuple[pa.Table, dict[str, int]]:
    """The rows of one day's trip file, dirty ones included, and how many of each kind those are."""
    trips, taken = driven or _drive(request, day)
    rng = stream(request.seed, _ROWS, day.toordinal(), request.trips_per_day)
    rows = taxi_rows(request.city, request.seed, trips, taken, rng)
    planted = plant(rows, rng)
    return rows.table(request.city), planted


def make_days(request: Request, run: list[Places]) -> Iterator[DayMade]:
    """Make consecutive days. Each comes out the same whatever run it is in."""
    # Trips under way at the first midnight send pings too.
    last = _drive(request, run[0].day - timedelta(days=1)) if request.with_probes else None
    for places in run:
        driven = _drive(request, places.day)
        table, planted = trip_day(request, places.day, driven)
        write_part(places.trips, table, csv=request.format == "csv")
        probe_rows = 0
        if last is not None and places.probes is not None:
            probe_rows = _write(places.probes, probes(request.city, request.seed, places.day, [last, driven]))
            last = driven
        truth_rows = _write(places.truth, truth(request.city, request.seed, places.day))
        yield DayMade(places, table.num_rows, truth_rows, probe_rows, planted)


def _drive(request: Request, day: date) -> tuple[Demand, Driven]:
    trips = demand(request.city, request.seed, day, request.trips_per_day)
    return trips, drive(request.city, request.seed, trips, with_pings=request.with_probes)


def _write(path: Path, table: pa.Table) -> int:
    pq.write_table(table, path, compression="zstd")
    return int(table.num_rows)
