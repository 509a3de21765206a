"""The oracle counts what is there, and sees what is not as it must be; the scenarios send what they say."""

from datetime import UTC, datetime, timedelta

import h3
import pyarrow as pa

from benchmarks._events import DENSITY, START, messages, mixed, positions, shuffled
from benchmarks._oracle import differences, expected
from smartcity import columns
from smartcity.city import City
from smartcity.events import decode

CITY = City()


def events(*rows):
    names = ("vehicle_id", "timestamp_utc", "latitude", "longitude", "speed_mph")
    return pa.table({name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)})


def test_the_oracle_counts_vehicles_positions_and_whole_steps_of_speed_in_each_cell_and_window():
    start = datetime(2024, 3, 4, 12, 0, tzinfo=UTC)
    last = start + timedelta(seconds=119, microseconds=999_999)
    found = expected(
        events(
            ("a", start, 40.72, -73.99, 10.25),
            ("a", last, 40.72, -73.99, 0.29),
            ("b", last, 40.72, -73.99, 1.0),
            ("b", start + timedelta(seconds=120), 40.72, -73.99, 2.0),
        ),
        CITY,
    )
    cell = h3.latlng_to_cell(40.72, -73.99, CITY.h3_resolution)
    assert found == {
        (cell, start): (2, 3, 1025 + 29 + 100, 1025**2 + 29**2 + 100**2),
        (cell, start + timedelta(minutes=2)): (1, 1, 200, 200**2),
    }


def test_one_event_twice_one_lost_and_one_window_too_many_are_each_told():
    sent = positions(2_000, CITY)
    wanted = expected(sent, CITY)
    assert not differences(expected(sent, CITY), wanted)
    assert len(differences(expected(pa.concat_tables([sent, sent.slice(7, 1)]), CITY), wanted)) == 1
    assert len(differences(expected(sent.slice(1), CITY), wanted)) == 1
    assert len(differences({**wanted, ("8a", START): (1, 1, 1, 1)}, wanted)) == 1


def test_positions_are_the_same_each_time_and_come_back_from_their_messages():
    sent = positions(500, CITY)
    assert sent.equals(positions(500, CITY)) and sent.schema.equals(columns.POSITIONS)
    read = [decode(value) for _, value in messages(sent)]
    assert [event.timestamp for event in read] == sent["timestamp_utc"].to_pylist()
    assert [event.latitude for event in read] == sent["latitude"].to_pylist()


def test_a_share_is_shuffled_within_the_time_given():
    sent = messages(positions(5_000, CITY))
    found = shuffled(sent, 0.2, seconds=2.0)
    places = {message: place for place, message in enumerate(sent)}
    behind = [place - places[message] for place, message in enumerate(found)]
    assert sorted(found) == sorted(sent)
    assert 0.15 < sum(late > 20 for late in behind) / len(sent) < 0.25
    assert max(behind) <= 2.0 * DENSITY


def test_poison_is_a_hundredth_and_every_kind_is_in_it():
    found, broken = mixed(messages(positions(3_000, CITY)), 0.01)
    assert len(found) == 3_000 + len(broken) == 3_030
    assert {"empty", "not_utf8", "not_json", "wrong_type", "missing_field", "bad_speed", "bad_id"} < set(broken)
