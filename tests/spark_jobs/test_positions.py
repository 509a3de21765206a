"""The job around the kernel: the same rows as the kernel alone, whole days, probes left alone."""

import argparse
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from smartcity.city import City
from smartcity.columns import POSITIONS, TRIPS
from smartcity.errors import MissingDataError
from smartcity.lake import Dataset
from smartcity.positions import positions_from_trips
from spark_jobs.job import Span
from spark_jobs.positions import job, positions

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


def run(spark, dataset, start=None, end=None):
    return job(spark, dataset, Span(start, end), argparse.Namespace())


def test_spark_gives_the_very_rows_of_the_kernel(spark):
    rows = trips(FIRST, datetime(2016, 1, 5, 17, tzinfo=UTC), count=40)
    frame = spark.createDataFrame(rows.drop_columns(["date"]).to_pandas()).repartition(3)
    made = positions(frame, CITY).toArrow().cast(POSITIONS).sort_by(ORDER)
    assert made.equals(positions_from_trips(rows, CITY).sort_by(ORDER))


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
    run(spark, dataset)
    assert dataset.positions.read().sort_by(ORDER).equals(before)


def test_leaves_a_day_alone_that_came_from_probes(spark, dataset):
    probe = positions_from_trips(dataset.trips.read(FIRST, FIRST), CITY)
    probe = probe.filter(pa.compute.equal(probe.column("date"), FIRST)).slice(0, 1)
    dataset.positions.write(probe, {"source": "probes"})
    run(spark, dataset)
    assert dataset.positions.read(FIRST, FIRST).equals(probe)
    assert dataset.positions.manifest().partitions["2016-01-06"].made_from == {"source": "trips"}


def test_says_how_to_get_trips_where_there_are_none(spark, tmp_path):
    with pytest.raises(MissingDataError, match="traffic ingest trips"):
        run(spark, Dataset(str(tmp_path), "empty", CITY))
