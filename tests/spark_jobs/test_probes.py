from datetime import UTC, datetime

import pytest

from smartcity.city import City
from smartcity.errors import InputError
from smartcity.lake import Dataset
from spark_jobs.probes import NO_SPEED, run_probes


@pytest.fixture
def dataset(tmp_path):
    return Dataset(str(tmp_path / "lake"), "test", City())


def write(path, *rows, header="vehicle_id,timestamp,latitude,longitude,speed"):
    path.write_text("\n".join((header, *rows, "")))
    return path


def test_derives_missing_speeds_and_says_why_a_position_is_not_kept(spark, dataset, tmp_path):
    file = write(
        tmp_path / "feed.csv",
        "a,2016-01-05T12:00:00-05:00,40.75,-73.99",
        "a,2016-01-05T17:01:00Z,40.755,-73.99",
        "a,1452013260,40.755,-73.99",  # the same instant as epoch seconds
        "b,2016-01-05 12:01:00,40.755,-73.99",  # no neighbour
        "c,1452013260000,-73.99,40.755",
        "c,2016-01-05 12:01:00,0,0",
        "c,1970-01-01T00:00:00Z,40.755,-73.99",
        "c,later,40.755,-73.99",
        "c,2016-01-05 12:01:00,40.755",
        header="vehicle_id,timestamp,latitude,longitude",
    )
    figures = run_probes(spark, dataset, [file])
    assert (figures.rows_read, figures.rows_kept, figures.rows_duplicate, figures.rows_quarantined) == (9, 2, 1, 6)
    assert {row["row_number"]: row["reason"] for row in dataset.quarantine.read().to_pylist()} == {
        4: NO_SPEED,
        5: "latitude and longitude swapped",
        6: "coordinate 0",
        7: "timestamp far from the rest of the file",
        8: "timestamp unreadable",
        9: "wrong number of fields: 3 of 4",
    }
    positions = dataset.positions.read().to_pylist()
    # 0.005 degrees of latitude are 0.3455 miles, in one minute.
    assert [position["speed_mph"] for position in positions] == pytest.approx([20.73, 20.73], abs=0.01)
    assert positions[0]["cell_id"].startswith("88")


def test_a_feed_that_misses_some_speeds_keeps_those_that_it_gives(spark, dataset, tmp_path):
    file = write(
        tmp_path / "feed.csv",
        "a,2016-01-05T17:00:00Z,40.75,-73.99,",
        "a,2016-01-05T17:01:00Z,40.755,-73.99,11",
        "a,2016-01-05T17:02:00Z,40.755,-73.99,",
        "b,2016-01-05T17:00:00Z,40.75,-73.99,12",
        "b,2016-01-05T17:01:00Z,40.755,-73.99,13",
        "c,2016-01-05T17:01:00Z,40.755,-73.99,",  # no neighbour
    )
    figures = run_probes(spark, dataset, [file])
    assert (figures.rows_read, figures.rows_kept, figures.quarantined_by_reason) == (6, 5, {NO_SPEED: 1})
    rows = sorted(
        (row["vehicle_id"], row["timestamp_utc"], row["speed_mph"]) for row in dataset.positions.read().to_pylist()
    )
    assert [speed for _, _, speed in rows] == pytest.approx([20.73, 11, 0, 12, 13], abs=0.01)


def test_converts_units_rejects_impossible_speeds_and_adds_nothing_twice(spark, dataset, tmp_path):
    file = write(
        tmp_path / "feed.csv",
        "a,2016-01-05T17:00:00Z,40.75,-73.99,36",
        "a,2016-01-05T17:01:00Z,40.75,-73.99,400",
        "a,2016-01-05T17:02:00Z,40.75,-73.99,-1",
    )
    first = run_probes(spark, dataset, [file], speed_unit="kmh")
    assert first.quarantined_by_reason == {"faster than 120 mph": 1, "speed below 0": 1}
    assert dataset.positions.read().column("speed_mph").to_pylist() == [22.37]
    again = run_probes(spark, dataset, [file], speed_unit="kmh")
    assert (again.rows_kept, again.rows_duplicate) == (0, 1)
    (position,) = dataset.positions.read().to_pylist()
    assert position["timestamp_utc"] == datetime(2016, 1, 5, 17, tzinfo=UTC)


def test_a_trip_file_is_sent_to_the_right_command(spark, dataset, tmp_path):
    header = "pickup_datetime,dropoff_datetime,trip_distance,PULocationID,DOLocationID"
    with pytest.raises(InputError, match="ingest trips"):
        run_probes(spark, dataset, [write(tmp_path / "a.csv", "1,2,3,4,5", header=header)])
