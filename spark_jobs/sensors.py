"""Sensor speed tables straight to windows: one column per sensor, one row per time step, speeds in mph.

``python -m spark_jobs.sensors --dataset NAME --speeds FILE --locations FILE [--start TIME --every MINUTES]``
A sensor takes the place of a cell: its id is the ``cell_id``, its step the window.
"""

import argparse
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from smartcity import columns
from smartcity.city import Bounds, City, PlaceKind
from smartcity.errors import InputError
from smartcity.events import MAX_SPEED_MPH, SPEED_STEPS_PER_MPH
from smartcity.hashing import file_sha256
from smartcity.lake import Dataset
from smartcity.sensors import ALL_VEHICLE_BITS, POSITIONS_PER_READING, save_places
from smartcity.spark.engine import Engine
from spark_jobs.ingesting import IngestFigures
from spark_jobs.job import Figures, Span, parser, run
from spark_jobs.sensor_tables import Readings, read_locations, read_speeds

#: Around the outermost sensors, so that none lies on the edge.
_MARGIN_DEGREES = 0.01


def windows_of(readings: Readings) -> pa.Table:
    """One window per reading, columns ``columns.WINDOWS``; NaN, 0, impossible speeds and times give none."""
    usable = usable_readings(readings.speeds) & readings.times.notna()[:, None]
    rows, places = np.nonzero(usable)
    steps = np.rint(readings.speeds[usable] * SPEED_STEPS_PER_MPH).astype(np.int64)
    constant = np.full(len(rows), POSITIONS_PER_READING, dtype=np.int64)
    return pa.table(
        {
            "cell_id": pa.array(readings.sensors, pa.string()).take(pa.array(places)),
            "window_start_utc": pa.array(readings.times.as_unit("us").asi8[rows], pa.int64()).cast(
                columns.UTC_TIMESTAMP
            ),
            "vehicle_count": constant,
            "position_count": constant,
            "speed_sum": steps * POSITIONS_PER_READING,
            "speed_square_sum": steps * steps * POSITIONS_PER_READING,
            "vehicle_bits": np.full(len(rows), ALL_VEHICLE_BITS, dtype=np.int64),
            "avg_speed_mph": steps / SPEED_STEPS_PER_MPH,
            "std_speed_mph": np.zeros(len(rows)),
            "date": pa.array(readings.dates[rows], pa.date32()),
        },
        schema=columns.WINDOWS,
    )


def usable_readings(speeds: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Readings above 0 and at most the speed any vehicle has. Loops report 0 where they measured nothing."""
    return np.asarray((speeds > 0) & (speeds <= MAX_SPEED_MPH))


def run_sensors(
    dataset: Dataset, speeds: Path, locations: Path, start: datetime | None = None, every: int | None = None
) -> IngestFigures:
    """Ingest a speed table into ``dataset.windows``; its days replace what was there. Counts are single readings.

    Raises: InputError for unreadable files or sensors without a place; SettingsError where the data set is another
    city's.
    """
    places = read_locations(locations)
    readings = read_speeds(speeds, dataset.city.time_zone, start, every)
    known = set(places["sensor_id"])
    if lost := [name for name in readings.sensors if name not in known]:
        raise InputError(f"{locations} has no place for sensor {', '.join(lost[:5])}" + (" …" if len(lost) > 5 else ""))
    places = places[places["sensor_id"].isin(readings.sensors)]
    dataset.create(city_of(dataset.city, places, readings.step_minutes))
    points = zip(places["latitude"].tolist(), places["longitude"].tolist(), strict=True)
    save_places(dataset, dict(zip(places["sensor_id"], points, strict=True)))
    windows = windows_of(readings)
    sha256 = file_sha256(speeds)
    stored = {
        day for day, part in dataset.windows.manifest().partitions.items() if sha256 in part.made_from.get("files", {})
    }
    bad = impossible_readings(readings, speeds.name, sha256)
    figures = _figures(readings, windows, bad, stored)
    if bad.num_rows:
        dataset.quarantine.write(bad, {"source": "sensors", "files": {sha256: "1"}})
    if figures.changed_dates:
        dataset.windows.write(windows, {"source": "sensors", "files": {sha256: "1"}})
    return figures


def city_of(city: City, places: pd.DataFrame, step_minutes: int) -> City:
    """The city with the sensors' box and step."""
    bounds = Bounds(
        south=places["latitude"].min() - _MARGIN_DEGREES,
        west=places["longitude"].min() - _MARGIN_DEGREES,
        north=places["latitude"].max() + _MARGIN_DEGREES,
        east=places["longitude"].max() + _MARGIN_DEGREES,
    )
    return city.model_copy(update={"bounds": bounds, "place_kind": PlaceKind.SENSOR, "window_minutes": step_minutes})


def _figures(readings: Readings, windows: pa.Table, bad: pa.Table, stored: set[str]) -> IngestFigures:
    speeds = readings.speeds
    missing = int((np.isnan(speeds) | (speeds == 0)).sum())
    days = windows.column("date").to_pandas().value_counts()
    old = int(sum(count for day, count in days.items() if day.isoformat() in stored))
    copies = readings.repeated * len(readings.sensors)
    return IngestFigures(
        files=1,
        rows_read=speeds.size - missing + copies,
        rows_kept=windows.num_rows - old,
        rows_quarantined=bad.num_rows,
        rows_duplicate=copies + old,
        rows_missing=missing,
        quarantined_by_reason={str(reason): int(n) for reason, n in bad["reason"].to_pandas().value_counts().items()},
        first_date=min(days.index, default=None),
        last_date=max(days.index, default=None),
        changed_dates=sorted(day for day in days.index if day.isoformat() not in stored),
    )


def impossible_readings(readings: Readings, source_file: str, sha256: str) -> pa.Table:
    """Rows for the quarantine: readings below 0, faster than any vehicle, or of a wall time that never was.

    Missing ones (0, NaN) are only counted.
    """
    speeds, unreal = readings.speeds, readings.times.isna()[:, None]
    rows, places = np.nonzero((speeds < 0) | (speeds > MAX_SPEED_MPH) | (unreal & (speeds > 0)))
    values = speeds[rows, places]
    never, fast = "in the hour that the clock leaves out", f"faster than {MAX_SPEED_MPH:.0f} mph"
    reasons = np.where(values < 0, "speed below 0", np.where(values > MAX_SPEED_MPH, fast, never))
    return pa.table(
        {
            "source_file": pa.repeat(source_file, len(rows)),
            "source_sha256": pa.repeat(sha256, len(rows)),
            "row_number": readings.rows[rows],
            "reason": pa.array(reasons, pa.string()),
            "row_text": pa.array(
                [f"{readings.sensors[p]}: {v}" for p, v in zip(places, values, strict=True)], pa.string()
            ),
            "date": pa.array(readings.dates[rows], pa.date32()),
        },
        schema=columns.QUARANTINE,
    )


def job(engine: Engine, dataset: Dataset, span: Span, options: argparse.Namespace) -> Figures:
    """The whole job, for ``spark_jobs.job.run``. A table of sensors fits into memory: Spark has nothing to do."""
    start = options.first_time
    return run_sensors(dataset, options.speeds, options.locations, start, options.every).figures()


def arguments() -> argparse.ArgumentParser:
    """The job's command line."""
    found = parser((__doc__ or "").partition("\n")[0])
    found.add_argument("--speeds", type=Path, required=True, help="table of speeds in mph, one column per sensor")
    found.add_argument("--locations", type=Path, required=True, help="sensor_id,latitude,longitude")
    found.add_argument("--start", dest="first_time", type=datetime.fromisoformat, help="time of the first row")
    found.add_argument("--every", type=int, help="minutes between rows")
    return found


def main(argv: list[str] | None = None) -> None:
    """Entry point of ``python -m spark_jobs.sensors``."""
    run("sensors", job, arguments(), argv)


if __name__ == "__main__":
    main()
