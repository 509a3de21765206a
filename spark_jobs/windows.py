"""Positions to windows: ``python -m spark_jobs.windows --dataset NAME --from DAY --to DAY``.

For days whose positions came from a GPS feed; the job that simulates positions makes their windows along the way, and
days whose windows were made from these very positions are left alone.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from smartcity.city import City
from smartcity.events import SPEED_STEPS_PER_MPH
from smartcity.grid import CellGrid
from smartcity.lake import Dataset, Run, Table
from smartcity.spark.tasks import Report, Scheduler, run_tasks
from smartcity.windowsums import WindowSums, vehicle_bits
from spark_jobs import job as jobs
from spark_jobs.progress import Count, counting
from spark_jobs.units import due, packed, stretches

_POSITIONS_PER_TASK = 1_500_000
_NEEDED = ["vehicle_id", "timestamp_utc", "speed_mph", "cell_id"]


def windows_origin(dataset: Dataset) -> Callable[[date], Mapping[str, Any]]:
    """What the windows of a day are made from."""
    versions = dataset.positions.versions(dataset.positions.dates())

    def origin(day: date) -> Mapping[str, Any]:
        name = f"positions/{day.isoformat()}"
        return {name: versions[name]} if name in versions else {}

    return origin


@dataclass(frozen=True)
class Counting:
    """Days in, files of windows out. Nothing of it is visible until it is published."""

    windows: Run
    positions: Table
    files: Mapping[date, list[str]]
    city: City
    count: Count

    def __call__(self, days: list[date]) -> Iterator[Report]:
        """The kernel for ``run_tasks``."""
        for day in days:
            with self.windows.part(day) as writer:
                writer.write(self.day_windows(day))
            yield {"windows": writer.part}

    def day_windows(self, day: date) -> pa.Table:
        """Rows of ``columns.WINDOWS`` of a day, read a row group at a time."""
        grid, whole = CellGrid.of(self.city), stretches(day, 1, self.city)[0]
        sums = WindowSums(self.city, whole.first, whole.end - whole.first, len(grid.names))
        vehicles: dict[str, int] = {}
        for rows in self._row_groups(day):
            coded = rows["vehicle_id"].combine_chunks()
            numbers = np.array([vehicles.setdefault(name, len(vehicles)) for name in coded.dictionary.to_pylist()])
            cells = rows["cell_id"].combine_chunks()
            cell_numbers = pc.index_in(cells.dictionary, grid.names).fill_null(-1).to_numpy()
            speed = np.rint(rows["speed_mph"].to_numpy() * SPEED_STEPS_PER_MPH).astype(np.int32)
            sums.add(
                rows["timestamp_utc"].cast(pa.int64()).to_numpy(),
                cell_numbers[cells.indices.to_numpy()],
                numbers[coded.indices.to_numpy()].astype(np.int32),
                speed,
            )
            self.count(rows.num_rows)
        return sums.table(grid.names, vehicle_bits(list(vehicles)))

    def _row_groups(self, day: date) -> Iterator[pa.Table]:
        for name in self.files[day]:
            with self.positions.filesystem.open_input_file(f"{self.positions.path}/{name}") as stream:
                stored = pq.ParquetFile(stream, read_dictionary=["vehicle_id", "cell_id"])
                for group in range(stored.num_row_groups):
                    yield stored.read_row_group(group, columns=_NEEDED, use_threads=False)


def job(spark: Scheduler, dataset: Dataset, span: jobs.Span, options: argparse.Namespace) -> jobs.Figures:
    """Make the windows of the span's days."""
    maker = f"python -m spark_jobs.positions --dataset {dataset.name}"
    dataset.positions.require_files(span.start, span.end, maker)
    wanted = [day for day in dataset.positions.dates() if span.covers(day)]
    origin = windows_origin(dataset)
    days = due(dataset.windows, wanted, origin, options)
    figures = {"days": len(days), "days_current": len(wanted) - len(days), "windows": 0}
    if not days:
        return figures
    stored = dataset.positions.rows_by_day()
    rows = {day: stored[day] for day in days}
    tasks = packed([(day, rows[day]) for day in days], _POSITIONS_PER_TASK)
    run = dataset.windows.begin()
    with counting(spark, "windows", sum(rows.values()), "positions") as count:
        work = Counting(run, dataset.positions, dataset.positions.files_by_day(), dataset.city, count)
        reports = run_tasks(spark, f"windows: {len(days)} days in {len(tasks)} tasks", tasks, work)
    figures["windows"] = dataset.windows.publish(run, days, origin, [report["windows"] for report in reports])
    return figures


def main(argv: list[str] | None = None) -> None:
    """Run from the command line or ``spark-submit``."""
    jobs.run("windows", job, jobs.parser(__doc__), argv, start=False)


if __name__ == "__main__":
    main()
