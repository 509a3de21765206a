"""Each kind of broken delivery is caught by the rule named for it, before a row of it is in the lake."""

import csv
import json
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from expectations.__main__ import main
from expectations.outcome import Outcome
from expectations.runner import run
from expectations.suites import load
from smartcity import inbox
from smartcity.errors import NothingYetError
from smartcity.lake import Dataset
from smartcity.ledger import FileRecord, Ledger
from smartcity.settings import Settings
from smartcity.tripfiles import check_files, discover
from tests.expectations import rows

Rows = list[dict[str, object]]
LAST = rows.days()[-1]
CITY = ZoneInfo("America/New_York")


def write(path: Path, trips: Iterable[dict[str, object]], renamed: dict[str, str] | None = None) -> Path:
    """Trips as the publisher would: the city's wall time, TLC names."""
    published = [
        {
            "tpep_pickup_datetime": f"{row['pickup_utc'].astimezone(CITY):%Y-%m-%d %H:%M:%S}",
            "tpep_dropoff_datetime": f"{row['dropoff_utc'].astimezone(CITY):%Y-%m-%d %H:%M:%S}",
            **{name: row[name] for name in row if name.startswith(("pickup_l", "dropoff_l"))},
            "trip_distance": row["trip_distance_miles"],
        }
        for row in trips
    ]
    names = [(renamed or {}).get(name, name) for name in published[0]]
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(names)
        writer.writerows(row.values() for row in published)
    return path


@pytest.fixture
def deliver(tmp_path: Path, dataset: Dataset, settings: Settings) -> Callable[..., Outcome]:
    def gate(trips: Rows, **options: object) -> Outcome:
        path = write(tmp_path / "yellow_tripdata_2025-02.csv", trips, **options)
        return run(load("raw"), dataset, settings, files=[path])

    return gate


def test_passes_a_sound_month_and_says_where_it_looked_for_files(
    deliver: Callable[..., Outcome], trips: Rows, dataset: Dataset, settings: Settings
) -> None:
    found = deliver(trips)
    assert (found.findings, found.rows) == ([], len(trips))
    assert (found.first_day, found.last_day) == ("2025-02-01", "2025-02-28")
    with pytest.raises(NothingYetError, match="inbox/city"):
        run(load("raw"), dataset, settings)


def test_catches_swapped_columns(deliver: Callable[..., Outcome], trips: Rows) -> None:
    for row in trips:
        row["pickup_latitude"], row["pickup_longitude"] = row["pickup_longitude"], row["pickup_latitude"]
    assert deliver(trips).names("FAIL") == ["most_rows_are_good"]


def test_catches_half_the_rows_missing_beside_the_days_in_the_lake(
    deliver: Callable[..., Outcome], trips: Rows, dataset: Dataset
) -> None:
    dataset.trips.write(rows.trip_table([row for row in trips if row["date"] != LAST]))
    assert deliver(rows.trip_rows(LAST)).names("FAIL") == []
    assert deliver(rows.trip_rows(LAST)[::2]).names("FAIL") == ["rows_are_as_many_as_usual"]


def test_catches_kilometres_for_miles(deliver: Callable[..., Outcome], trips: Rows) -> None:
    for row in trips:
        if row["date"] == LAST:
            row["trip_distance_miles"] *= 1.609344
    assert deliver(trips).names("FAIL") == ["speed_is_in_the_usual_unit"]


def test_catches_a_day_twice_and_a_day_under_another_date(deliver: Callable[..., Outcome], trips: Rows) -> None:
    assert deliver([*trips, *rows.trip_rows(LAST)]).names("FAIL") == ["rows_are_as_many_as_usual"]
    copied, shift = rows.trip_rows(rows.days()[0]), LAST - rows.days()[0]
    for row in copied:
        row["pickup_utc"] += shift
        row["dropoff_utc"] += shift
    kept = [row for row in trips if row["date"] != LAST]
    assert deliver(kept + copied).names("FAIL") == ["no_day_is_a_copy_of_another"]


def test_catches_a_changed_layout_and_names_what_is_missing(deliver: Callable[..., Outcome], trips: Rows) -> None:
    found = deliver(trips, renamed={"trip_distance": "km_driven"})
    assert found.names("FAIL") == ["files_are_trip_files"]
    assert "Missing: trip distance" in found.findings[0].examples[0]


def test_a_file_delivered_again_is_seen_and_a_day_may_come_in_two_parts(
    deliver: Callable[..., Outcome], trips: Rows, dataset: Dataset, tmp_path: Path
) -> None:
    sha256 = check_files(discover([write(tmp_path / "again.csv", trips)])).files[0].sha256
    Ledger(files={sha256: FileRecord(name="again.csv", judged_by="1")}).save(dataset)
    dataset.trips.write(rows.trip_table(trips))
    assert deliver(trips).names("WARN") == ["files_are_new"]
    late = [dict(row, trip_distance_miles=2.05) for row in rows.trip_rows(LAST)[:9]]
    for row in late:
        row["dropoff_utc"] += timedelta(seconds=1)
    assert deliver(late).names("FAIL") == []


def test_the_command_takes_files_anywhere_among_its_options_and_else_those_in_the_inbox(
    trips: Rows,
    dataset: Dataset,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TRAFFIC_HOME", str(settings.home))
    folder = inbox.folder(settings, dataset.name)
    folder.mkdir(parents=True)
    file = write(folder / "yellow_tripdata_2025-02.csv", trips)
    main(["raw", "--dataset", "city", "--zones", "", "--mark", "nightly-run_1-gate_raw"])
    main(["raw", "--dataset", "city", str(file), "--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [line["rows"] for line in lines] == [len(trips)] * 2
    assert "<tr id='nightly-run_1-gate_raw'>" in (settings.home / "data_docs" / "index.html").read_text()
    file.unlink()
    with pytest.raises(SystemExit, match="99"):
        main(["raw", "--dataset", "city"])
