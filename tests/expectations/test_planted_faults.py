"""Each kind of broken delivery is caught by the rule that is named for it."""

from datetime import timedelta

import pyarrow as pa
import pytest

from expectations.outcome import Outcome
from expectations.runner import require, run
from expectations.suites import load
from smartcity.errors import GateFailedError, MissingDataError, SettingsError
from smartcity.lake import Dataset
from smartcity.settings import Settings
from tests.expectations import rows

Rows = list[dict[str, object]]
LAST = rows.days()[-1]


def gate(dataset: Dataset, settings: Settings, suite: str, **options: object) -> Outcome:
    return run(load(suite), dataset, settings, **options)


def check_trips(dataset: Dataset, settings: Settings, trips: Rows) -> Outcome:
    dataset.trips.write(rows.trip_table(trips))
    return gate(dataset, settings, "trips")


def check_windows(dataset: Dataset, settings: Settings, windows: Rows) -> Outcome:
    dataset.windows.write(rows.window_table(windows))
    return gate(dataset, settings, "windows")


def test_passes_a_sound_city_without_a_warning(
    dataset: Dataset, settings: Settings, trips: Rows, windows: Rows
) -> None:
    assert check_trips(dataset, settings, trips).findings == []
    assert check_windows(dataset, settings, windows).findings == []


def test_catches_swapped_coordinates(dataset: Dataset, settings: Settings, trips: Rows) -> None:
    for row in trips:
        row["pickup_latitude"], row["pickup_longitude"] = row["pickup_longitude"], row["pickup_latitude"]
    found = check_trips(dataset, settings, trips)
    assert found.names("FAIL") == ["pickup_latitude_is_in_the_city", "pickup_longitude_is_in_the_city"]
    assert found.findings[0].column == "pickup_latitude"
    assert found.findings[0].examples[0] == "-73.99"


def test_catches_half_a_day_missing(dataset: Dataset, settings: Settings, trips: Rows) -> None:
    kept = [row for row in trips if row["date"] != LAST] + rows.trip_rows(LAST)[::2]
    assert "rows_are_as_many_as_usual" in check_trips(dataset, settings, kept).names("FAIL")


def test_catches_kilometres_for_miles(dataset: Dataset, settings: Settings, trips: Rows) -> None:
    for row in trips:
        if row["date"] == LAST:
            row["trip_distance_miles"] *= 1.609344
    assert check_trips(dataset, settings, trips).names("FAIL") == ["speed_is_in_the_usual_unit"]


def test_catches_a_day_delivered_under_another_date(dataset: Dataset, settings: Settings, trips: Rows) -> None:
    copied = rows.trip_rows(rows.days()[0])
    shift = LAST - rows.days()[0]
    for row in copied:
        row["trip_id"] = f"copy-{row['trip_id']}"
        row["date"] = LAST
        row["pickup_utc"] += shift
        row["dropoff_utc"] += shift
    kept = [row for row in trips if row["date"] != LAST]
    assert check_trips(dataset, settings, kept + copied).names("FAIL") == ["no_day_is_a_copy_of_another"]


def test_catches_a_trip_twice(dataset: Dataset, settings: Settings, trips: Rows) -> None:
    found = check_trips(dataset, settings, [*trips, dict(trips[0])])
    assert found.names("FAIL") == ["a_trip_is_there_once"]
    assert str(trips[0]["trip_id"]) in found.findings[0].examples


def test_catches_times_in_the_wrong_order(dataset: Dataset, settings: Settings, trips: Rows) -> None:
    trips[5]["dropoff_utc"] = trips[5]["pickup_utc"] - timedelta(minutes=1)
    assert "dropoff_is_after_pickup" in check_trips(dataset, settings, trips).names("FAIL")


def test_catches_a_large_quarantine(dataset: Dataset, settings: Settings, trips: Rows) -> None:
    refused = [
        {"source_file": "a.csv", "source_sha256": "0", "row_number": n, "reason": "r", "row_text": "x", "date": LAST}
        for n in range(60)
    ]
    dataset.quarantine.write(pa.Table.from_pylist(refused, schema=dataset.quarantine.schema))
    assert check_trips(dataset, settings, trips).names("FAIL") == ["quarantine_is_small"]


def test_catches_a_missing_column_before_it_looks_at_rows(dataset: Dataset, settings: Settings, trips: Rows) -> None:
    dataset.trips.write(rows.trip_table(trips))
    table = dataset.table("trips", dataset.trips.schema.remove(8))
    table.write(rows.trip_table(rows.trip_rows(LAST)).drop(["trip_distance_miles"]))
    found = gate(dataset, settings, "trips")
    assert found.names("FAIL") == ["no_column_is_missing"]
    assert found.rows == 0


def test_catches_a_column_of_another_type(dataset: Dataset, settings: Settings, windows: Rows) -> None:
    dataset.windows.write(rows.window_table(windows))
    schema = dataset.windows.schema
    narrow = schema.set(2, pa.field("vehicle_count", pa.float32()))
    dataset.table("windows", narrow).write(rows.window_table(rows.window_rows(LAST)))
    assert gate(dataset, settings, "windows").names("FAIL") == ["columns_keep_their_types"]


def test_catches_a_window_twice(dataset: Dataset, settings: Settings, windows: Rows) -> None:
    found = check_windows(dataset, settings, [*windows, dict(windows[0])])
    assert found.names("FAIL") == ["one_row_per_cell_and_window"]


def test_catches_windows_of_another_grid_and_resolution(dataset: Dataset, settings: Settings, windows: Rows) -> None:
    windows[0]["window_start_utc"] += timedelta(seconds=30)
    windows[1]["cell_id"] = "892a100d25bffff"
    found = check_windows(dataset, settings, windows)
    assert set(found.names("FAIL")) == {"windows_start_on_the_grid", "cells_are_of_the_citys_resolution"}


def test_catches_an_average_that_is_not_of_its_sums(dataset: Dataset, settings: Settings, windows: Rows) -> None:
    windows[3]["avg_speed_mph"] = 12.5
    assert check_windows(dataset, settings, windows).names("FAIL") == ["averages_are_those_of_the_sums"]


def test_catches_positions_that_are_not_in_the_windows(dataset: Dataset, settings: Settings, windows: Rows) -> None:
    positions = [
        {"vehicle_id": "v", "timestamp_utc": rows.midnight(LAST), "speed_mph": 1.0, "date": LAST} for _ in range(1000)
    ]
    dataset.positions.write(pa.Table.from_pylist(positions, schema=dataset.positions.schema))
    assert check_windows(dataset, settings, windows).names("FAIL") == ["windows_hold_the_positions"]


def test_catches_speeds_in_kilometres_an_hour(dataset: Dataset, settings: Settings, windows: Rows) -> None:
    """A GPS feed whose unit changed: its positions and windows are whole, and 1.6 times as fast."""
    for row in windows:
        if row["date"] == LAST:
            row["speed_sum"] = round(row["speed_sum"] * 1.609344)
            row["avg_speed_mph"] = row["speed_sum"] / row["position_count"] / 100
    assert check_windows(dataset, settings, windows).names("FAIL") == ["speed_is_in_the_usual_unit"]


def test_catches_windows_that_are_of_an_older_run_than_their_positions(
    dataset: Dataset, settings: Settings, windows: Rows
) -> None:
    positions = [
        {"vehicle_id": "v", "timestamp_utc": rows.midnight(LAST), "speed_mph": 1.0, "date": LAST} for _ in range(144)
    ]
    table = pa.Table.from_pylist(positions, schema=dataset.positions.schema)
    dataset.positions.write(table)
    dataset.windows.write(rows.window_table(windows), dataset.positions.versions([LAST]))
    assert gate(dataset, settings, "windows", start=LAST).findings == []
    dataset.positions.write(table)
    found = gate(dataset, settings, "windows", start=LAST)
    assert found.names("FAIL") == ["days_are_made_from_what_is_there"]


def test_warns_of_a_day_that_never_came(dataset: Dataset, settings: Settings, trips: Rows) -> None:
    gap = rows.days()[4]
    found = check_trips(dataset, settings, [row for row in trips if row["date"] != gap])
    assert found.status == "warned" and found.names("WARN") == ["no_day_is_missing_before"]
    assert found.findings[0].examples == ("1",)


def test_catches_half_the_windows_missing(dataset: Dataset, settings: Settings, windows: Rows) -> None:
    kept = [row for row in windows if row["date"] != LAST] + rows.window_rows(LAST)[::2]
    assert check_windows(dataset, settings, kept).names("FAIL") == ["rows_are_as_many_as_usual"]


def test_an_accepted_rule_is_seen_but_does_not_stop_the_run(
    dataset: Dataset, settings: Settings, windows: Rows
) -> None:
    dataset.windows.write(rows.window_table([*windows, dict(windows[0])]))
    with pytest.raises(GateFailedError, match="one_row_per_cell_and_window"):
        require(gate(dataset, settings, "windows"))
    accepted = gate(dataset, settings, "windows", accept=["one_row_per_cell_and_window"])
    assert accepted.status == "warned"
    require(accepted)


def test_an_unknown_rule_or_an_empty_span_is_refused(dataset: Dataset, settings: Settings, windows: Rows) -> None:
    with pytest.raises(MissingDataError, match=r"spark_jobs\.windows --dataset city"):
        gate(dataset, settings, "windows")
    dataset.windows.write(rows.window_table(windows))
    with pytest.raises(SettingsError, match="no such rule"):
        gate(dataset, settings, "windows", accept=["everything"])
