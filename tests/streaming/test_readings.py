from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest

from smartcity.city import Bounds, City, PlaceKind
from smartcity.events import encode_fields
from smartcity.lake import Dataset
from smartcity.sensors import save_places
from smartcity.settings import Settings
from spark_jobs.sensor_tables import Readings
from spark_jobs.sensors import windows_of
from streaming.query import changed_windows
from streaming.readings import recording_of
from streaming.recording import instant
from streaming.schedule import Leg, micros

LOOPS = City(
    name="Los Angeles",
    time_zone="America/Los_Angeles",
    bounds=Bounds(south=34, west=-119, north=35, east=-118),
    place_kind=PlaceKind.SENSOR,
    window_minutes=5,
)
DAY = date(2012, 3, 1)
EIGHT = datetime(2012, 3, 1, 16, 0, tzinfo=UTC)
#: Three steps of two sensors; the second one says nothing in the second step.
SPEEDS = np.array([[64.38, 50.0], [62.67, np.nan], [60.0, 12.34]])


@pytest.fixture
def dataset(tmp_path):
    dataset = Dataset(str(tmp_path), "loops", LOOPS)
    dataset.create(LOOPS)
    save_places(dataset, {"773869": (34.15, -118.31), "767541": (34.11, -118.23)})
    times = pd.date_range(EIGHT, periods=3, freq="5min")
    rows = np.arange(1, 4)
    table = Readings(times, ("773869", "767541"), SPEEDS, 5, np.array([DAY] * len(rows)), rows, repeated=0)
    dataset.windows.write(windows_of(table))
    return dataset


def sent(dataset, start=EIGHT, minutes=15):
    leg = Leg(DAY, micros(start), micros(start + timedelta(minutes=minutes)), 0)
    for part in recording_of(dataset).slices(leg):
        times = [instant(moment) for moment in part.times_us.tolist()]
        yield from zip(part.vehicle_ids, times, part.latitudes, part.longitudes, part.speeds_mph, strict=True)


def test_a_reading_is_sent_when_its_step_ends_from_where_its_sensor_stands(dataset):
    assert list(sent(dataset, minutes=10)) == [
        ("767541", EIGHT + timedelta(seconds=299), 34.11, -118.23, 50.0),
        ("773869", EIGHT + timedelta(seconds=299), 34.15, -118.31, 64.38),
        ("773869", EIGHT + timedelta(seconds=599), 34.15, -118.31, 62.67),
    ]


def test_a_replay_that_starts_within_a_step_sends_the_step(dataset):
    assert len(list(sent(dataset, EIGHT + timedelta(seconds=299), minutes=5))) == 2
    assert list(sent(dataset, EIGHT + timedelta(seconds=300), minutes=4)) == []


def test_the_stream_makes_of_a_replayed_table_the_windows_that_the_batch_made(spark, dataset):
    values = [encode_fields(*reading, None) for reading in sent(dataset)]
    arrived = [(bytearray(value), EIGHT + timedelta(hours=1)) for value in values]
    kafka = spark.createDataFrame(arrived, "value binary, timestamp timestamp")
    found = changed_windows(kafka, Settings(_env_file=None), LOOPS).toArrow()
    order = [("window_start_utc", "ascending"), ("cell_id", "ascending")]
    batch = dataset.windows.read().drop_columns(["date"]).sort_by(order)
    assert found.select(batch.column_names).cast(batch.schema).sort_by(order).equals(batch)
    assert pc.min_max(found["newest_event_utc"])["max"].as_py() == EIGHT + timedelta(seconds=899)
