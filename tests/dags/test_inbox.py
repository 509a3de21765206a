"""The inbox and the choice of days, on a lake of a few rows."""

import time
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from smartcity import inbox
from smartcity.lake import Dataset, Table
from smartcity.settings import Settings

DAYS = [date(2025, 2, day) for day in (3, 4, 5)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, _env_file=None)


def publish(table: Table, days: list[date]) -> None:
    rows = [{name: (day if name == "date" else None) for name in table.schema.names} for day in days]
    table.write(pa.Table.from_pylist(rows, schema=table.schema))


def test_finds_trip_files_and_leaves_the_rest(settings: Settings) -> None:
    folder = inbox.folder(settings, "city")
    folder.mkdir(parents=True)
    for name in ("b.csv", "a.parquet", "c.csv.gz", "d.csv.part", "notes.txt"):
        (folder / name).touch()
    (folder / inbox.DONE).mkdir()
    files = inbox.new_files(settings, "city")
    assert [file.name for file in files] == ["a.parquet", "b.csv", "c.csv.gz"]
    inbox.put_away(files)
    inbox.put_away(files)
    assert inbox.new_files(settings, "city") == []
    assert (folder / inbox.DONE / "b.csv").exists()


def test_no_inbox_is_an_empty_one(settings: Settings) -> None:
    assert inbox.new_files(settings, "city") == []


def test_days_are_those_whose_trips_are_newer_and_the_days_beside_them(settings: Settings) -> None:
    dataset = Dataset.of(settings, "city")
    assert inbox.all_days(dataset) is None
    publish(dataset.trips, DAYS)
    assert inbox.days_to_process(dataset, 7) == inbox.Work(DAYS[0], DAYS[-1])
    # A run is named by its time in whole seconds.
    time.sleep(1.1)
    publish(dataset.features, DAYS)
    assert inbox.days_to_process(dataset, 7) is None
    time.sleep(1.1)
    publish(dataset.trips, DAYS[2:])
    assert inbox.days_to_process(dataset, 7) == inbox.Work(DAYS[1], DAYS[2])
    assert inbox.all_days(dataset) == inbox.Work(DAYS[0], DAYS[2])
    time.sleep(1.1)
    publish(dataset.features, DAYS)
    time.sleep(1.1)
    publish(dataset.trips, DAYS[:1])
    assert inbox.days_to_process(dataset, 7) == inbox.Work(DAYS[0], DAYS[1]), "its lags come from a day that came late"
