"""From Kafka's records through the stream's sink and the archive to positions, without a broker."""

from datetime import UTC, date, datetime, timedelta

import pyarrow.compute as pc
import pytest

from benchmarks._events import poison
from smartcity.archive import Archive
from smartcity.city import City
from smartcity.events import encode_fields
from smartcity.lake import Dataset
from smartcity.settings import Settings
from smartcity.store.engine import create_all, create_engine
from spark_jobs.archive import run_archive
from spark_jobs.job import Span
from streaming.balance import Balance
from streaming.query import REJECTED_SCHEMA, judged_events
from streaming.sinks import Incoming, RejectedSink

#: 04:59 and 05:01 UTC: before and after midnight in New York.
MOMENTS = [datetime(2024, 3, 5, 4, 59, tzinfo=UTC), datetime(2024, 3, 5, 5, 1, tzinfo=UTC)]
KAFKA = "value BINARY, topic STRING, partition INT, offset BIGINT, timestamp TIMESTAMP"


class Told:
    def __init__(self):
        self.rows = []

    def rejected(self, rows):
        self.rows += rows

    def flush(self):
        pass


@pytest.fixture
def dataset(tmp_path):
    return Dataset(str(tmp_path / "lake"), "city", City())


def records(payloads, first=0):
    came = datetime(2024, 3, 5, 6, tzinfo=UTC)
    return [(bytearray(payload), "t", 0, first + number, came) for number, payload in enumerate(payloads)]


def test_each_good_event_is_a_position_of_its_day_however_often_its_batch_ran(spark, dataset, tmp_path):
    settings, told = Settings(home=tmp_path, _env_file=None), Told()
    engine = create_engine(settings)
    create_all(engine)
    good = [
        encode_fields(f"v{number}", moment, 40.72, -73.99, 12.34, None) for moment in MOMENTS for number in range(3)
    ]
    broken = [payload for payload, _ in poison() if len(payload) < 10_000]
    rows = judged_events(spark.createDataFrame(records(good + broken), KAFKA), settings, City()).toArrow()
    assert pc.sum(pc.is_null(rows["reject_reason"])).as_py() == len(good)
    sink = RejectedSink(engine, told, Balance(), Archive.of(dataset))

    def batch(number, start, end):
        return Incoming(number, end - start, 0, datetime.now(UTC), 1.0, None, {0: start}, {0: end})

    for _ in range(2):
        figures = sink.write(rows, batch(0, 0, len(rows)))
    # A stream that was rebuilt cuts its batches elsewhere.
    sink.write(rows.slice(0, 4), batch(0, 0, 4))
    assert figures.rejected == len(broken) and len(told.rows) == 2 * len(broken)
    assert list(told.rows[0]) == REJECTED_SCHEMA.names

    made = run_archive(spark, dataset, Span())
    assert (made.rows_read, made.rows_kept, made.rows_duplicate) == (10, 6, 4)
    assert dataset.positions.rows_by_day() == {date(2024, 3, 4): 3, date(2024, 3, 5): 3}
    found = dataset.positions.read()
    assert found["timestamp_utc"].unique().to_pylist() == MOMENTS
    assert found["speed_mph"].unique().to_pylist() == [12.34]
    assert run_archive(spark, dataset, Span()).files == 0

    late = encode_fields("late", MOMENTS[1] + timedelta(seconds=1), 40.72, -73.99, 1.0, None)
    more = judged_events(spark.createDataFrame(records([late], len(rows)), KAFKA), settings, City()).toArrow()
    sink.write(more, batch(1, len(rows), len(rows) + 1))
    assert run_archive(spark, dataset, Span()).changed_dates == [date(2024, 3, 5)]
    assert dataset.positions.rows_by_day() == {date(2024, 3, 4): 3, date(2024, 3, 5): 4}
