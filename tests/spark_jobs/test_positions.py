"""The job around the kernel: the same rows as the kernel alone, whole days, probes left alone."""

import argparse
import json
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from smartcity.city import City
from smartcity.columns import TRIPS
from smartcity.errors import MissingDataError
from smartcity.lake import Dataset
from smartcity.positions import positions_from_trips
from smartcity.spark.engine import Engine
from smartcity.spark.tables import read_table
from smartcity.spark.windows import aggregate_windows
from spark_jobs import positions, windows
from spark_jobs.job import Span

CITY = City()
FIRST = date(2016, 1, 5)
ORDER = [("trip_id", "ascending"), ("timestamp_utc", "ascending")]


def trips(day, pickup, count=3, minutes=20):
    return pa.Table.from_pylist(
        [
            {
                "trip_id": f"{day}-{number}",
                "vehicle_id": f"taxi_{number}",
                "pickup_utc": pickup,
                "dropoff_utc": pickup + timedelta(minutes=minutes),
                "pickup_latitude": 40.75,
                "pickup_longitude": -73.99,
                "dropoff_latitude": 40.77,
                "dropoff_longitude": -73.97 if number else -80.0,
                "trip_distance_miles": 3.0,
                "source_file": "literal",
                "date": day,
            }
            for number in range(count)
        ],
        schema=TRIPS,
    )


@pytest.fixture
def dataset(tmp_path):
    made = Dataset(str(tmp_path), "city", CITY)
    made.create(CITY)
    late = trips(FIRST, datetime(2016, 1, 6, 4, 50, tzinfo=UTC))
    noon = trips(FIRST + timedelta(days=1), datetime(2016, 1, 6, 17, tzinfo=UTC))
    made.trips.write(pa.concat_tables([late, noon]))
    return made


def run(spark, dataset, start=None, end=None, redo=False):
    return positions.job(spark, dataset, Span(start, end), argparse.Namespace(redo=redo))


def test_the_job_gives_the_very_rows_of_the_kernel(spark, dataset):
    run(spark, dataset)
    whole = positions_from_trips(dataset.trips.read(), CITY).sort_by(ORDER)
    assert dataset.positions.read().sort_by(ORDER).equals(whole)


def test_its_windows_are_those_that_the_stream_would_count(spark, dataset):
    run(spark, dataset)
    order = [("cell_id", "ascending"), ("window_start_utc", "ascending")]
    counted = aggregate_windows(read_table(spark, dataset.positions, None, None, "-"), CITY).toArrow()
    made = dataset.windows.read().drop_columns(["date"]).sort_by(order)
    assert made.equals(counted.cast(made.schema).sort_by(order))
    before = dataset.windows.manifest()
    figures = windows.job(spark, dataset, Span(), argparse.Namespace(redo=True))
    assert figures["windows"] == made.num_rows and dataset.windows.manifest() != before
    assert dataset.windows.read().drop_columns(["date"]).sort_by(order).equals(made)


def test_days_made_from_these_very_trips_are_not_made_again(spark, dataset):
    assert run(spark, dataset)["days"] == 2
    before = dataset.positions.manifest(), dataset.windows.manifest()
    again = run(spark, dataset)
    assert (again["days"], again["days_current"]) == (0, 2)
    assert (dataset.positions.manifest(), dataset.windows.manifest()) == before
    late = trips(FIRST + timedelta(days=1), datetime(2016, 1, 6, 18, tzinfo=UTC), count=5)
    dataset.trips.write(late)
    assert (run(spark, dataset)["days"], dataset.positions.manifest().partitions["2016-01-05"]) == (
        1,
        before[0].partitions["2016-01-05"],
    )


def test_windows_that_came_with_their_positions_are_left_alone_without_a_start_of_spark(
    spark, dataset, tmp_path, monkeypatch, capsys
):
    run(spark, dataset)
    monkeypatch.setenv("TRAFFIC_LAKE", str(tmp_path))
    monkeypatch.setattr(Engine, "start", lambda _: pytest.fail("Spark was started"))
    windows.main(["--dataset", "city"])
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["days"], said["days_current"]) == (0, 2)


@pytest.mark.parametrize("trips_per_task", [1, 2, 100])
def test_how_days_are_cut_into_tasks_changes_nothing(spark, dataset, monkeypatch, trips_per_task):
    run(spark, dataset)
    whole = dataset.positions.read().sort_by(ORDER), sorted(dataset.windows.read().to_pylist(), key=str)
    monkeypatch.setattr(positions, "_TRIPS_PER_TASK", trips_per_task)
    run(spark, dataset, redo=True)
    assert dataset.positions.read().sort_by(ORDER).equals(whole[0])
    assert sorted(dataset.windows.read().to_pylist(), key=str) == whole[1]


def test_a_day_holds_also_the_trips_under_way_at_midnight_before_it(spark, dataset):
    figures = run(spark, dataset, FIRST + timedelta(days=1), FIRST + timedelta(days=1))
    made = dataset.positions.read()
    assert dataset.positions.dates() == [FIRST + timedelta(days=1)]
    assert {name[:10] for name in made.column("trip_id").to_pylist()} == {"2016-01-05", "2016-01-06"}
    assert figures["positions"] == made.num_rows
    whole = positions_from_trips(dataset.trips.read(), CITY, keep_outside=True)
    second = whole.filter(pa.compute.equal(whole.column("date"), FIRST + timedelta(days=1)))
    assert figures["outside_bounds"] == second.column("cell_id").null_count > 0


def test_a_rerun_replaces_its_days_by_the_same_rows(spark, dataset):
    run(spark, dataset)
    before = dataset.positions.read().sort_by(ORDER)
    run(spark, dataset, redo=True)
    assert dataset.positions.read().sort_by(ORDER).equals(before)


def test_leaves_a_day_alone_that_came_from_probes(spark, dataset):
    probe = positions_from_trips(dataset.trips.read(FIRST, FIRST), CITY)
    probe = probe.filter(pa.compute.equal(probe.column("date"), FIRST)).slice(0, 1)
    dataset.positions.write(probe, {"source": "probes"})
    run(spark, dataset)
    assert dataset.positions.read(FIRST, FIRST).equals(probe)
    assert dataset.positions.manifest().partitions["2016-01-06"].made_from["source"] == "trips"


def test_says_how_to_get_trips_where_there_are_none(spark, tmp_path):
    with pytest.raises(MissingDataError, match="traffic ingest trips"):
        run(spark, Dataset(str(tmp_path), "empty", CITY))
