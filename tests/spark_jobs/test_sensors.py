from datetime import UTC, datetime
from pathlib import Path

import pytest

from smartcity.city import City, PlaceKind
from smartcity.errors import InputError
from smartcity.lake import Dataset
from smartcity.sensors import POSITIONS_PER_READING, load_places
from spark_jobs.sensors import run_sensors


@pytest.fixture
def dataset(tmp_path):
    return Dataset(str(tmp_path / "lake"), "loops", City(name="Los Angeles", time_zone="America/Los_Angeles"))


@pytest.fixture
def locations(tmp_path):
    path = tmp_path / "locations.csv"
    path.write_text("index,sensor_id,latitude,longitude\n0,773869,34.15,-118.31\n1,767541,34.11,-118.23\n")
    return path


def table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join((*lines, "")))
    return path


def test_readings_become_windows_of_their_sensor(dataset, locations, tmp_path):
    speeds = table(
        tmp_path / "speeds.csv",
        "timestamp,773869,767541",
        "2012-03-01 00:00:00,64.375,0",
        "2012-03-01 00:05:00,62.667,67.5",
        "2012-03-01 00:10:00,,150",
        "2012-03-01 00:10:00,1,1",
    )
    figures = run_sensors(dataset, speeds, locations)
    assert (figures.rows_kept, figures.rows_missing, figures.rows_quarantined, figures.rows_duplicate) == (3, 2, 1, 2)
    assert figures.rows_read == figures.rows_kept + figures.rows_quarantined + figures.rows_duplicate
    windows = dataset.windows.read().to_pylist()
    first = windows[0]
    assert first["cell_id"] == "773869" and first["window_start_utc"] == datetime(2012, 3, 1, 8, tzinfo=UTC)
    assert first["avg_speed_mph"] == 64.38 and first["vehicle_bits"] == -1 and first["std_speed_mph"] == 0
    assert first["speed_sum"] == 6438 * POSITIONS_PER_READING
    assert first["speed_square_sum"] == 6438**2 * POSITIONS_PER_READING
    assert dataset.city.place_kind is PlaceKind.SENSOR and dataset.city.window_minutes == 5
    assert load_places(dataset) == {"773869": (34.15, -118.31), "767541": (34.11, -118.23)}
    assert dataset.quarantine.read().column("row_text").to_pylist() == ["767541: 150.0"]


def test_times_may_come_from_start_and_step(dataset, locations, tmp_path):
    speeds = table(tmp_path / "speeds.csv", "773869,767541", "60,61", "62,63")
    run_sensors(dataset, speeds, locations, datetime(2012, 3, 1), 10)
    starts = sorted({row["window_start_utc"] for row in dataset.windows.read().to_pylist()})
    assert starts == [datetime(2012, 3, 1, 8, tzinfo=UTC), datetime(2012, 3, 1, 8, 10, tzinfo=UTC)]


def test_the_same_table_again_adds_nothing(dataset, locations, tmp_path):
    speeds = table(tmp_path / "s.csv", "timestamp,773869", "2012-03-01 00:00,60", "2012-03-01 00:05,61")
    run_sensors(dataset, speeds, locations)
    again = run_sensors(dataset, speeds, locations)
    assert (again.rows_kept, again.rows_duplicate, again.changed_dates) == (0, 2, [])


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        (("773869", "60"), "--start"),
        (("timestamp,773869", "soon,60"), "row 1: timestamp 'soon'"),
        (("timestamp,773869,1", "2012-03-01 00:00,60,60", "2012-03-01 00:05,60,60"), "no place for sensor 1"),
        (("timestamp,773869", "2012-03-01 00:00:00,60", "2012-03-01 00:00:30,60"), "whole minutes"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_way_out(dataset, locations, tmp_path, lines, word):
    with pytest.raises(InputError, match=word):
        run_sensors(dataset, table(tmp_path / "speeds.csv", *lines), locations)
    assert not dataset.exists()
