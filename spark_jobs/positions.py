"""Trips to positions, and to windows along the way: ``python -m spark_jobs.positions --dataset NAME``.

Each task simulates the trips under way in a few hours of a day, so that its windows are whole. Days whose positions
came from a GPS feed are left alone, and so are days that were made from these very trips before.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from smartcity.city import City
from smartcity.grid import CellGrid
from smartcity.lake import Dataset, Run, Table
from smartcity.lakerows import rows_between
from smartcity.positions import Positions, simulate
from smartcity.spark.tasks import Report, Scheduler, run_tasks
from smartcity.windowsums import WindowSums, vehicle_bits
from spark_jobs.job import Figures, Span, parser, run
from spark_jobs.progress import Count, counting
from spark_jobs.units import Stretch, due, packed, parts_of, stretches
from spark_jobs.windows import windows_origin

#: Raised when the same trips would give other positions or windows.
SIMULATION_VERSION = 1
#: Trips of a task, and trips simulated at a time: what bounds a task's memory.
_TRIPS_PER_TASK = 80_000
_TRIPS_AT_ONCE = 32_768
#: Columns of the trips that the simulation reads.
NEEDED = [
    "trip_id",
    "vehicle_id",
    "pickup_utc",
    "dropoff_utc",
    "pickup_latitude",
    "pickup_longitude",
    "dropoff_latitude",
    "dropoff_longitude",
    "trip_distance_miles",
]


def trips_under_way(table: Table, files: Mapping[date, list[str]], stretch: Stretch) -> pa.Table:
    """Trips that overlap a stretch, from the files of its day and of the day before; columns ``NEEDED``."""
    names = [name for day in (stretch.day - timedelta(days=1), stretch.day) for name in files.get(day, ())]
    # A trip that ends at the first instant is not under way in it.
    times = ("pickup_utc", "dropoff_utc")
    return rows_between(table, names, NEEDED, times, stretch.start_us + 1, stretch.end_us)


def position_runs(trips: pa.Table, stretch: Stretch, city: City) -> Iterator[tuple[pa.RecordBatch, Positions]]:
    """Positions of the trips within the stretch, some trips at a time: the trips, and what they give."""
    for low in range(0, trips.num_rows, _TRIPS_AT_ONCE):
        batch = trips.slice(low, _TRIPS_AT_ONCE).combine_chunks().to_batches()[0]
        found = simulate(batch, city)
        within = (found.instant_us >= stretch.start_us) & (found.instant_us < stretch.end_us)
        yield batch, found if within.all() else found.take(within)


@dataclass(frozen=True)
class Simulation:
    """Stretches in, files of positions and windows out. Nothing of it is visible until it is published."""

    positions: Run
    windows: Run
    trips: Table
    files: Mapping[date, list[str]]
    city: City
    count: Count

    def __call__(self, task: list[Stretch]) -> Iterator[Report]:
        """The kernel for ``run_tasks``."""
        for stretch in task:
            yield from self._make(stretch)

    def _make(self, stretch: Stretch) -> Iterator[Report]:
        grid, outside = CellGrid.of(self.city), 0
        trips = trips_under_way(self.trips, self.files, stretch)
        vehicles = pc.dictionary_encode(trips["vehicle_id"]).combine_chunks()
        vehicle, names = vehicles.indices.to_numpy(), vehicles.dictionary
        sums = WindowSums(self.city, stretch.first, stretch.end - stretch.first, len(grid.names))
        done = 0
        with self.positions.part(stretch.day) as writer:
            for batch, found in position_runs(trips, stretch, self.city):
                inside = found.cell >= 0
                if not inside.all():
                    outside += len(inside) - int(np.count_nonzero(inside))
                    found = found.take(inside)
                sums.add(found.instant_us, found.cell, vehicle[done + found.trip], found.speed_steps)
                writer.write(found.table(batch.column("vehicle_id"), batch.column("trip_id"), self.city))
                done += batch.num_rows
        with self.windows.part(stretch.day) as windows:
            windows.write(sums.table(grid.names, vehicle_bits(names.to_pylist())))
        self.count(trips.num_rows)
        yield {"first": stretch.first, "positions": writer.part, "windows": windows.part, "outside": outside}


def days_to_make(trips: Table, made: Table, span: Span) -> list[date]:
    """Days of the span that trips reach, those under way at midnight included, and whose positions are no GPS feed's.

    With an open end, the day after the last trip is left out: a stub of a day would stand for a whole one.
    """
    known = trips.dates()
    reached = set(known) | {day + timedelta(days=1) for day in known}
    last = span.end or max(known, default=None)
    probes = {day for day, part in made.manifest().partitions.items() if part.made_from.get("source") == "probes"}
    return sorted(day for day in reached if span.covers(day) and last and day <= last and day.isoformat() not in probes)


def job(spark: Scheduler, dataset: Dataset, span: Span, options: argparse.Namespace) -> Figures:
    """Make the positions and windows of each day of the span from its trips and from those under way at midnight.

    Raises: MissingDataError where the span has no trips.
    """
    dataset.trips.require_files(span.start, span.end, f"traffic ingest trips --name {dataset.name} FILE…")
    versions = dataset.trips.versions(dataset.trips.dates())

    def origin(day: date) -> dict[str, Any]:
        inputs = [f"trips/{of.isoformat()}" for of in (day - timedelta(days=1), day)]
        trips = {name: versions[name] for name in inputs if name in versions}
        return {"source": "trips", "simulation": SIMULATION_VERSION, **trips}

    wanted = days_to_make(dataset.trips, dataset.positions, span)
    days = due(dataset.positions, wanted, origin, options)
    figures = {
        "positions": 0,
        "windows": 0,
        "days": len(days),
        "days_current": len(wanted) - len(days),
        "outside_bounds": 0,
    }
    if not days:
        return figures
    rows = dataset.trips.rows_by_day()
    sized = []
    for day in days:
        parts = parts_of(rows.get(day, 0), _TRIPS_PER_TASK)
        sized += [(stretch, rows.get(day, 0) // parts + 1) for stretch in stretches(day, parts, dataset.city)]
    # From the last hours of each day to the first, which have the fewest trips: no worker is left with a big task.
    tasks = packed(sized, _TRIPS_PER_TASK)[::-1]
    positions, windows = dataset.positions.begin(), dataset.windows.begin()
    with counting(spark, "positions", sum(rows.get(day, 0) for day in days), "trips") as count:
        work = Simulation(positions, windows, dataset.trips, dataset.trips.files_by_day(), dataset.city, count)
        reports = run_tasks(spark, f"positions and windows: {len(days)} days in {len(tasks)} tasks", tasks, work)
    reports.sort(key=lambda report: int(report["first"]))
    made = {name: [report[name] for report in reports] for name in ("positions", "windows")}
    figures["positions"] = dataset.positions.publish(positions, days, origin, made["positions"])
    figures["windows"] = dataset.windows.publish(windows, days, windows_origin(dataset), made["windows"])
    figures["outside_bounds"] = sum(report["outside"] for report in reports)
    return figures


def main(argv: list[str] | None = None) -> None:
    """Entry point of ``python -m spark_jobs.positions``."""
    run("positions", job, parser(__doc__ or ""), argv)


if __name__ == "__main__":
    main()
