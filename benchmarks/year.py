"""What the API takes to answer from a serving database that holds a year of a thousand cells, beside one of a day.

    ./traffic bench year --cells 1000 --days 365 --window-days 30 [--postgresql]

Both databases are made first: windows for as long as ``TRAFFIC_HISTORY_DAYS`` keeps them, quarters of an hour for 90
days, hours for all. The same requests then go to one and the other in turns, each about another moment or place, so
that no answer is a stored one.
"""

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from urllib.error import HTTPError
from urllib.parse import urlencode

from sqlalchemy import Column, ColumnElement, Integer, MetaData, String, Table, func, insert, literal, select

from benchmarks._load import AHEAD, WINDOW, cells, served
from benchmarks.api import postgresql
from smartcity.errors import InputError, TrafficError
from smartcity.levels import Level
from smartcity.settings import Settings
from smartcity.store.engine import Connection, create_all, create_engine
from smartcity.store.rollups import HOUR, QUARTER, QUARTERS_KEPT
from smartcity.store.tables import WHOLE_CITY, RollupRow, UtcDateTime, WindowRow

DAY = timedelta(days=1)

_scratch = MetaData()
PLACES = Table("bench_places", _scratch, Column("number", Integer), Column("cell_id", String))
MOMENTS = Table("bench_moments", _scratch, Column("number", Integer), *(
    Column(name, UtcDateTime) for name in ("start_utc", "end_utc", "for_utc")
))  # fmt: skip


@dataclass(frozen=True)
class Size:
    """How much a database holds: whole days of windows and of roll-ups, up to ``end``."""

    cells: int
    window_days: int
    days: int
    end: datetime


def fill(connection: Connection, size: Size) -> None:
    """Every cell has a window at every step, with a forecast, and the sums over it. Made by the database itself."""
    if connection.dialect.name == "sqlite":
        # Rows of a thousand places go into as many places of an index, day after day.
        connection.exec_driver_sql("PRAGMA cache_size = -2000000")
    _scratch.create_all(connection)
    names = [WHOLE_CITY, *cells(size.cells)]
    connection.execute(insert(PLACES), [{"number": n, "cell_id": name} for n, name in enumerate(names)])
    number = (PLACES.c.number * 37 + MOMENTS.c.number * 13) % 100
    ratio = 0.3 + number / 150.0
    window = {
        "cell_id": PLACES.c.cell_id, "window_start_utc": MOMENTS.c.start_utc, "window_end_utc": MOMENTS.c.end_utc,
        "vehicle_count": 3 + number % 9, "position_count": 6 + number % 20, "speed_sum": 12_000 + number,
        "speed_square_sum": 24_000_000 + number, "vehicle_bits": literal(255), "avg_speed_mph": 20.0 * ratio,
        "std_speed_mph": literal(3.4), "free_flow_mph": literal(20.0), "ratio": ratio,
        "level": literal(Level.MEDIUM.value), "forecast_for_utc": MOMENTS.c.for_utc,
        "forecast_level": literal(Level.HIGH.value), "probability_low": literal(0.2),
        "probability_medium": literal(0.3), "probability_high": literal(0.5), "expected_speed_mph": 20.0 * ratio,
        "model_version": literal("3"), "updated_utc": MOMENTS.c.end_utc,
    }  # fmt: skip
    for day in range(size.window_days, 0, -1):
        _moments(connection, size.end - day * DAY, size.end - (day - 1) * DAY, WINDOW)
        _cross(connection, WindowRow, window, PLACES.c.cell_id != WHOLE_CITY)
    for period, kept in ((QUARTER, QUARTERS_KEPT), (HOUR, size.days * DAY)):
        _moments(connection, size.end - min(kept, size.days * DAY), size.end, period)
        minutes = int(period.total_seconds()) // 60
        sums = {
            "period_minutes": literal(minutes), "cell_id": PLACES.c.cell_id, "start_utc": MOMENTS.c.start_utc,
            "windows": literal(period // WINDOW), "vehicle_count": 5 * minutes + number, "position_count": 10 * minutes,
            "speed_positions": 200.0 * minutes * ratio, "known": literal(minutes), "ratio_sum": minutes * ratio,
            "high": number % 7, "least_speed_mph": 15.0 * ratio, "most_speed_mph": 25.0 * ratio,
            "least_ratio": 0.5 * ratio, "most_ratio": 1.2 * ratio, "least_share_high": literal(0.0),
            "most_share_high": literal(1.0), "forecasts": literal(minutes), "chance_high_sum": minutes * 0.4,
        }  # fmt: skip
        _cross(connection, RollupRow, sums)
    _scratch.drop_all(connection)
    connection.commit()


def _moments(connection: Connection, start: datetime, end: datetime, step: timedelta) -> None:
    connection.execute(MOMENTS.delete())
    starts = [start + number * step for number in range((end - start) // step)]
    rows = [
        {"number": n, "start_utc": at, "end_utc": at + step, "for_utc": at + step + AHEAD}
        for n, at in enumerate(starts)
    ]
    connection.execute(insert(MOMENTS), rows)


def _cross(connection: Connection, table: type, columns: dict[str, ColumnElement], *which: ColumnElement[bool]) -> None:
    """A row of each place at each moment, in the order of time, as a stream writes them."""
    rows = select(*columns.values()).select_from(PLACES.join(MOMENTS, literal(1) == 1)).where(*which)
    connection.execute(insert(table).from_select(list(columns), rows.order_by(MOMENTS.c.number)))
    # A log of many gigabytes would be searched for each page.
    connection.commit()


def requests(size: Size, round_: int) -> dict[str, str]:
    """What people ask, each time a little differently; ranges are as long as the database allows."""
    end = size.end - round_ * WINDOW
    first = size.end - size.days * DAY
    cell = cells(size.cells)[round_ * 7 % size.cells]
    past = end - min(20, size.window_days - 0.5) * DAY

    def historical(start: datetime, minutes: int, **more: str) -> str:
        asked = {"from": start.isoformat(), "to": end.isoformat(), "step_minutes": minutes, **more}
        return f"/api/historical?{urlencode(asked)}"

    return {
        "city, all of it, by days": historical(first, 1440),
        "one cell, all of it, by 4 hours": historical(first, 240, cell_id=cell),
        "city, the last month, by quarters": historical(max(first, end - 30 * DAY), 15),
        "city, 20 hours, by windows": historical(end - 20 * HOUR, 2),
        "one cell": f"/api/cell/{cell}?hours={3 + round_ / 100}",
        "hotspots": f"/api/hotspots?limit={10 + round_}",
        "all cells, at a moment long past": f"/api/current-traffic?{urlencode({'at': past.isoformat()})}",
        "all forecasts, at a moment long past": f"/api/predictions?{urlencode({'at': past.isoformat()})}",
    }


def ask(port: int, path: str) -> float:
    """Milliseconds of one answer. Raises: InputError where it is none."""
    started = time.perf_counter()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            answer.read()
    except HTTPError as error:
        raise InputError(f"{path}: {error.code} {error.read().decode()[:500]}") from error
    return 1000 * (time.perf_counter() - started)


@contextmanager
def filled(home: Path, size: Size, database: str) -> Iterator[tuple[int, float]]:
    """An API over such a database. Yields: its port, and the size of the database in MB (0 where it is no file)."""
    settings = Settings(home=home, database_url=database)
    engine = create_engine(settings)
    create_all(engine)
    with engine.connect() as connection:
        fill(connection, size)
        held = connection.execute(select(func.count()).select_from(WindowRow)).scalar()
    engine.dispose()
    print(f"{held:,} windows of {size.cells} cells", file=sys.stderr)
    file = home / "serving.db"
    with served("api", home, TRAFFIC_DATABASE_URL=database) as (port, _):
        yield port, file.stat().st_size / 2**20 if file.exists() else 0.0


def measure(size: Size, rounds: int, databases: tuple[str, str]) -> dict[str, object]:
    """Ask both in turns."""
    day = Size(size.cells, 1, 1, size.end)
    with tempfile.TemporaryDirectory(prefix="bench-year-") as folder:
        homes = [Path(folder) / name for name in ("day", "year")]
        for home in homes:
            home.mkdir()
        with filled(homes[0], day, databases[0]) as (small, _), filled(homes[1], size, databases[1]) as (large, mb):
            took: dict[str, tuple[list[float], list[float]]] = {}
            # One round more than counts: the first finds nothing in memory.
            for round_ in range(rounds + 1):
                pairs = zip(requests(day, round_).items(), requests(size, round_).values(), strict=True)
                for (name, of_day), of_year in pairs:
                    pair = ask(small, of_day), ask(large, of_year)
                    if round_:
                        for values, value in zip(took.setdefault(name, ([], [])), pair, strict=True):
                            values.append(value)
    figures = {
        name: {
            "day_ms": round(median(of_day), 1),
            "year_ms": round(median(of_year), 1),
            "year_max_ms": round(max(of_year), 1),
            "ratio": round(median(of_year) / median(of_day), 2),
        }
        for name, (of_day, of_year) in took.items()
    }
    return {"benchmark": "year", "cells": size.cells, "days": size.days, "megabytes": round(mb), "requests": figures}


@contextmanager
def _two_databases(wanted: bool) -> Iterator[tuple[str, str]]:
    if not wanted:
        yield "", ""
        return
    with postgresql() as one, postgresql() as other:
        yield one, other


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--cells", type=int, default=1000)
    arguments.add_argument("--days", type=int, default=365, help="of hours")
    arguments.add_argument("--window-days", type=int, default=30, help="of windows of two minutes")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--postgresql", action="store_true", help="on PostgreSQL servers of its own; else SQLite")
    arguments.add_argument("--json", action="store_true", help="one JSON object")
    options = arguments.parse_args()
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    size = Size(options.cells, min(options.window_days, options.days), options.days, end)
    try:
        with _two_databases(options.postgresql) as databases:
            figures = measure(size, options.rounds, databases)
    except TrafficError as error:
        sys.exit(f"year: {error}")
    if options.json:
        print(json.dumps(figures))
        return
    print(f"{'':38} {'day, ms':>9} {'year, ms':>9} {'longest':>9} {'ratio':>7}")
    for name, row in figures["requests"].items():
        print(f"{name:38} {row['day_ms']:9} {row['year_ms']:9} {row['year_max_ms']:9} {row['ratio']:7}")


if __name__ == "__main__":
    main()
