"""Sensor speed tables straight to windows: one column per sensor, one row per time step, speeds in mph.

``python -m spark_jobs.sensors --dataset NAME --speeds FILE --locations FILE [--start TIME --every MINUTES]``
A sensor takes the place of a cell: its id is the ``cell_id``, its step the window.
"""

import argparse
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyspark.sql import SparkSession

from smartcity import columns
from smartcity.city import Bounds, City, PlaceKind
from smartcity.errors import InputError
from smartcity.events import MAX_SPEED_MPH, SPEED_STEPS_PER_MPH
from smartcity.lake import Dataset
from smartcity.tripfiles.scan import file_sha256
from spark_jobs.ingesting import IngestFigures
from spark_jobs.job import Figures, Span, parser, run

#: A loop averages all vehicles of its step: its reading outweighs any history (K = 8 positions) and is never unknown.
POSITIONS_PER_READING = 100
#: All bits: as many distinct vehicles as the set can show.
ALL_VEHICLE_BITS = -1
#: Around the outermost sensors, so that none lies on the edge.
_MARGIN_DEGREES = 0.01


@dataclass(frozen=True)
class Readings:
    """A speed table: ``speeds`` has shape (times, sensors) in mph, NaN where missing; ``times`` are UTC, ascending."""

    times: pd.DatetimeIndex
    sensors: tuple[str, ...]
    speeds: npt.NDArray[np.float64]
    step_minutes: int


def read_locations(path: Path) -> pd.DataFrame:
    """Columns sensor_id (text), latitude, longitude. Raises: InputError naming the file and row."""
    table = _read_table(path, "--locations")
    table.columns = [str(name).strip().lower() for name in table.columns]
    if missing := [name for name in ("sensor_id", "latitude", "longitude") if name not in table.columns]:
        raise InputError(f"--locations {path}: no column {', '.join(missing)}; found {', '.join(table.columns)[:300]}")
    table = table[["sensor_id", "latitude", "longitude"]].copy()
    table["sensor_id"] = [_sensor_name(value) for value in table["sensor_id"]]
    for name, limit in (("latitude", 90), ("longitude", 180)):
        table[name] = pd.to_numeric(table[name], errors="coerce")
        bad = np.flatnonzero(~(table[name].abs() <= limit))
        if len(bad):
            raise InputError(f"--locations {path}: row {bad[0] + 1}: {name} is not a number within ±{limit}")
    if len(repeated := table["sensor_id"][table["sensor_id"].duplicated()]):
        raise InputError(f"--locations {path}: sensor {repeated.iloc[0]} is listed twice")
    return table


def read_speeds(path: Path, time_zone: str, start: datetime | None, every: int | None) -> tuple[Readings, int]:
    """The table and how many of its rows repeat a time. Naive times are the city's wall time.

    Raises: InputError where times are missing or unreadable, or the step is no whole number of minutes from 1 to 60.
    """
    table = _read_table(path, "--speeds")
    named = next(
        (name for name in table.columns if str(name).strip().lower() in ("timestamp", "time", "datetime")), None
    )
    if named is None and not str(table.columns[0]).strip().removeprefix("Unnamed: 0"):
        named = table.columns[0]
    if named is not None and start is None:
        times = _parse_times(path, table[named])
    elif start is not None and every is not None:
        times = pd.DatetimeIndex(pd.date_range(start, periods=len(table), freq=f"{every}min"))
    else:
        raise InputError(f"--speeds {path}: no timestamp column; pass --start 2012-03-01T00:00 and --every MINUTES")
    table = table.drop(columns=[named] if named is not None else [])
    times = _to_utc(times, time_zone)
    step = every or _step_minutes(path, times)
    if not 1 <= step <= 60:
        raise InputError(f"--speeds {path}: a step of {step} minutes; 1 to 60 are possible")
    numbers = table.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    starts = times.floor(f"{step}min")
    first = ~starts.duplicated()
    order = np.argsort(starts[first].asi8, kind="stable")
    names = tuple(_sensor_name(name) for name in table.columns)
    return Readings(starts[first][order], names, numbers[first][order], step), int((~first).sum())


def windows_of(readings: Readings, city: City) -> pa.Table:
    """One window per reading, columns ``columns.WINDOWS``; NaN, 0 and impossible speeds give none."""
    usable = usable_readings(readings.speeds)
    rows, places = np.nonzero(usable)
    steps = np.rint(readings.speeds[usable] * SPEED_STEPS_PER_MPH).astype(np.int64)
    constant = np.full(len(rows), POSITIONS_PER_READING, dtype=np.int64)
    dates = readings.times.tz_convert(city.time_zone).date
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
            "date": pa.array(dates, pa.date32()).take(pa.array(rows)),
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
    readings, repeated = read_speeds(speeds, dataset.city.time_zone, start, every)
    known = set(places["sensor_id"])
    if lost := [name for name in readings.sensors if name not in known]:
        raise InputError(f"{locations} has no place for sensor {', '.join(lost[:5])}" + (" …" if len(lost) > 5 else ""))
    places = places[places["sensor_id"].isin(readings.sensors)]
    dataset.create(city_of(dataset.city, places, readings.step_minutes))
    dataset.put_json("places.json", places.rename(columns={"sensor_id": "cell_id"}).to_dict("records"))
    windows = windows_of(readings, dataset.city)
    sha256 = file_sha256(speeds)
    stored = {
        day for day, part in dataset.windows.manifest().partitions.items() if sha256 in part.made_from.get("files", {})
    }
    bad = impossible_readings(readings, dataset.city, speeds.name, sha256)
    figures = _figures(readings, windows, bad, repeated, stored)
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


def _figures(readings: Readings, windows: pa.Table, bad: pa.Table, repeated: int, stored: set[str]) -> IngestFigures:
    speeds = readings.speeds
    missing = int((np.isnan(speeds) | (speeds == 0)).sum())
    days = windows.column("date").to_pandas().value_counts()
    old = int(sum(count for day, count in days.items() if day.isoformat() in stored))
    copies = repeated * len(readings.sensors)
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


def impossible_readings(readings: Readings, city: City, source_file: str, sha256: str) -> pa.Table:
    """Rows for the quarantine: readings below 0 or faster than any vehicle. Missing ones (0, NaN) are only counted."""
    rows, places = np.nonzero((readings.speeds < 0) | (readings.speeds > MAX_SPEED_MPH))
    values = readings.speeds[rows, places]
    dates = readings.times.tz_convert(city.time_zone).date
    fast = f"faster than {MAX_SPEED_MPH:.0f} mph"
    return pa.table(
        {
            "source_file": pa.repeat(source_file, len(rows)),
            "source_sha256": pa.repeat(sha256, len(rows)),
            "row_number": rows.astype(np.int64) + 1,
            "reason": pa.array(["speed below 0" if value < 0 else fast for value in values], pa.string()),
            "row_text": pa.array(
                [f"{readings.sensors[p]}: {v}" for p, v in zip(places, values, strict=True)], pa.string()
            ),
            "date": pa.array(dates, pa.date32()).take(pa.array(rows)),
        },
        schema=columns.QUARANTINE,
    )


def _read_table(path: Path, option: str) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"{option} {path}: no such file")
    try:
        with path.open("rb") as stream:
            head = stream.read(8)
        if head.startswith(b"PAR1"):
            table = pd.read_parquet(path)
            named_index = isinstance(table.index, pd.DatetimeIndex)
            return table.rename_axis("timestamp").reset_index() if named_index else table
        if head.startswith(b"\x89HDF"):
            raise InputError(
                f"{option} {path}: an HDF5 file: write it as CSV or Parquet (pandas.read_hdf(…).to_parquet(…))"
            )
        with pd.io.common.get_handle(path, "r", encoding="utf-8-sig", errors="replace", compression="infer") as text:
            first = text.handle.readline()
            delimiter = max(",;\t|", key=first.count)
            text.handle.seek(0)
            table = pd.read_csv(text.handle, sep=delimiter)
    except (ValueError, OSError, pa.ArrowException) as error:
        raise InputError(f"{option} {path}: cannot be read as CSV or Parquet ({str(error)[:200]})") from error
    if table.empty:
        raise InputError(f"{option} {path}: no rows")
    return table


def _parse_times(path: Path, column: pd.Series) -> pd.DatetimeIndex:
    times = pd.to_datetime(column, errors="coerce", format="mixed" if column.dtype == object else None)
    bad = np.flatnonzero(times.isna())
    if len(bad):
        raise InputError(f"--speeds {path}: row {bad[0] + 1}: timestamp {column.iloc[bad[0]]!r} cannot be read")
    return pd.DatetimeIndex(times)


def _to_utc(times: pd.DatetimeIndex, time_zone: str) -> pd.DatetimeIndex:
    if times.tz is None:
        # The hour that comes twice is taken as its first time, the hour that is left out as the one after it.
        first = np.ones(len(times), dtype=bool)
        times = times.tz_localize(time_zone, ambiguous=first, nonexistent="shift_forward")
    return times.tz_convert("UTC")


def _step_minutes(path: Path, times: pd.DatetimeIndex) -> int:
    gaps = np.diff(np.unique(times.as_unit("s").asi8))
    if not len(gaps):
        raise InputError(f"--speeds {path}: one time only; pass --every MINUTES")
    step = float(np.median(gaps)) / 60
    if step != int(step):
        raise InputError(
            f"--speeds {path}: rows are {step * 60:.0f} s apart; whole minutes are needed, or pass --every MINUTES"
        )
    return int(step)


def _sensor_name(value: object) -> str:
    return str(value).strip().removesuffix(".0")


def job(spark: SparkSession, dataset: Dataset, span: Span, options: argparse.Namespace) -> Figures:
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
