"""What the second query makes of a batch whose events are known to be good is what the rules themselves make of it."""

from datetime import UTC, datetime, timedelta

import pytest

from smartcity.city import City
from smartcity.settings import Settings
from streaming.metrics import StreamMetrics
from streaming.query import judged_events
from streaming.sorting import Sorter
from streaming.verdicts import Judged, Verdicts
from tests.smartcity.spark.test_events import BAD_BY_SCHEMA, FINE, GOOD, KAFKA

#: An hour after midnight in New York; a batch holds both days.
CAME = datetime(2024, 3, 5, 6, tzinfo=UTC)
SETTINGS = Settings(_env_file=None)
NOT_PLAIN = {"a numbered vehicle", "nanoseconds", "spaces around"}


def records(spark, payloads):
    rows = [(payload, "vehicle_positions", 0, offset, CAME) for offset, payload in enumerate(payloads)]
    return spark.createDataFrame(rows, KAFKA)


def collect(events, rejected, count, keeps=True):
    verdicts, metrics = Verdicts(0), StreamMetrics()
    verdicts.add(Judged({}, {0: count}, rejected))
    table = Sorter(verdicts, SETTINGS, City(), keeps, metrics).collect(events, {}, {0: count})
    return table, metrics.registry.get_sample_value("traffic_stream_judged_again_total")


def as_rows(table):
    return sorted(table.to_pylist(), key=lambda row: row["offset"])


def many():
    """Good events of every plain spelling, speeds at and beside half a step, on two local days."""
    speeds = (f"{hundredths / 1000:.3f}".encode() for hundredths in range(0, 120_000, 617))
    next_day = CAME - timedelta(minutes=59)
    moved = [GOOD.replace(b"2024-03-04T11:59:30Z", next_day.strftime("%Y-%m-%dT%H:%M:%SZ").encode())]
    return [FINE[name] for name in FINE if name not in NOT_PLAIN] + [
        event for speed in speeds for event in (GOOD.replace(b"15.5", speed), *moved)
    ]


def test_good_events_are_read_to_the_same_rows_without_being_judged_again(spark):
    payloads = many()
    events = records(spark, payloads)
    table, again = collect(events, 0, len(payloads))
    assert again == 0
    assert len({row["date"] for row in table.to_pylist()}) == 2
    assert as_rows(table) == as_rows(judged_events(events, SETTINGS, City()).toArrow())


@pytest.mark.parametrize("name", sorted(NOT_PLAIN))
def test_a_good_event_that_is_not_plain_is_left_to_the_rules(spark, name):
    events = records(spark, [GOOD, FINE[name]])
    table, again = collect(events, 0, 2)
    assert again == 2
    assert as_rows(table) == as_rows(judged_events(events, SETTINGS, City()).toArrow())


def test_where_one_event_is_rejected_all_are_judged(spark):
    events = records(spark, [GOOD, BAD_BY_SCHEMA["speed negative"][0]])
    table, again = collect(events, 1, 2)
    assert again == 2
    assert [row["reject_reason"] for row in as_rows(table)] == [None, "bad_speed"]


def test_without_an_archive_good_events_are_not_even_read(spark):
    table, again = collect(records(spark, [GOOD]), 0, 1, keeps=False)
    assert (len(table), again) == (0, 0)
    table, again = collect(records(spark, [GOOD, b""]), 1, 2, keeps=False)
    assert ([row["reject_reason"] for row in table.to_pylist()], again) == (["empty"], 2)
