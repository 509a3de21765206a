"""Speed tables of road sensors and the list of their places, as the files come."""

import gzip
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from smartcity.errors import InputError


@dataclass(frozen=True)
class Readings:
    """A speed table: ``speeds`` has shape (times, sensors) in mph, NaN where missing.

    ``times`` are UTC, ascending; NaT, at the end, for rows in the hour that the clock leaves out when put forward.
    ``dates`` are the local days, ``rows`` the file's row numbers, from 1; ``repeated`` rows came with another's time.
    """

    times: pd.DatetimeIndex
    sensors: tuple[str, ...]
    speeds: npt.NDArray[np.float64]
    step_minutes: int
    dates: npt.NDArray[np.object_]
    rows: npt.NDArray[np.int64]
    repeated: int


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


def read_speeds(path: Path, time_zone: str, start: datetime | None, every: int | None) -> Readings:
    """The table. Naive times are the city's wall time.

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
    dates, times = (times if times.tz is None else times.tz_convert(time_zone)).date, _to_utc(times, time_zone)
    step = every or _step_minutes(path, times)
    if not 1 <= step <= 60:
        raise InputError(f"--speeds {path}: a step of {step} minutes; 1 to 60 are possible")
    numbers = table.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    starts = times.floor(f"{step}min")
    real = np.flatnonzero(starts.notna() & ~starts.duplicated())
    unreal = np.flatnonzero(starts.isna())
    kept = np.append(real[np.argsort(starts[real].asi8, kind="stable")], unreal)
    names = tuple(_sensor_name(name) for name in table.columns)
    return Readings(starts[kept], names, numbers[kept], step, dates[kept], kept + 1, len(starts) - len(kept))


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
        opened = gzip.open if head.startswith(b"\x1f\x8b") else open
        with opened(path, "rt", encoding="utf-8-sig", errors="replace") as text:
            delimiter = max(",;\t|", key=text.readline().count)
            text.seek(0)
            table = pd.read_csv(text, sep=delimiter)
    except (ValueError, OSError, EOFError, pa.ArrowException) as error:
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
    """The same moments in UTC; NaT for a wall time in the hour that the clock leaves out."""
    if times.tz is None:
        # Of the hour that comes twice, a time is summer's where the table has it first, and winter's where again.
        times = times.tz_localize(time_zone, ambiguous=~times.duplicated(), nonexistent="NaT")
    return times.tz_convert("UTC")


def _step_minutes(path: Path, times: pd.DatetimeIndex) -> int:
    gaps = np.diff(np.unique(times.dropna().as_unit("s").asi8))
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
