from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from smartcity import columns
from smartcity.city import City
from smartcity.lake import Dataset
from streaming import recording as module
from streaming.recording import Recording
from streaming.schedule import Leg, micros

DAY = date(2016, 1, 4)
NOON = datetime(2016, 1, 4, 17, 0, tzinfo=UTC)


@pytest.fixture
def recording(tmp_path):
    dataset = Dataset(str(tmp_path), "city", City())
    seconds = [50, 10, 10, 30, 3000, 20]
    dataset.positions.write(
        pa.Table.from_pylist(
            [
                {
                    "vehicle_id": f"v{index}",
                    "trip_id": None,
                    "timestamp_utc": NOON + timedelta(seconds=second, microseconds=7),
                    "latitude": 40.7,
                    "longitude": -74.0,
                    "speed_mph": float(index),
                    "cell_id": "882a100d65fffff",
                    "date": DAY,
                }
                for index, second in enumerate(seconds)
            ],
            columns.POSITIONS,
        )
    )
    return Recording(dataset.positions)


def leg(start=NOON, minutes=60, shift=0):
    return Leg(DAY, micros(start), micros(start + timedelta(minutes=minutes)), shift)


def vehicles(recording, leg):
    return [vehicle for part in recording.slices(leg) for vehicle in part.vehicle_ids]


def test_positions_come_in_the_order_of_time_and_vehicle(recording):
    assert vehicles(recording, leg()) == ["v1", "v2", "v5", "v3", "v0", "v4"]


def test_many_small_slices_hold_the_same_positions(recording, monkeypatch):
    monkeypatch.setattr(module, "SLICE_ROWS", 1)
    monkeypatch.setattr(module, "MIN_SLICE_US", 60_000_000)
    assert len(list(recording.slices(leg()))) >= 1
    assert vehicles(recording, leg()) == ["v1", "v2", "v5", "v3", "v0", "v4"]


def test_a_leg_holds_its_start_but_not_its_end(recording):
    start = NOON + timedelta(seconds=10, microseconds=7)
    assert vehicles(recording, Leg(DAY, micros(start), micros(start + timedelta(seconds=10)), 0)) == ["v1", "v2"]


def test_times_are_moved_exactly(recording):
    [part] = list(recording.slices(leg(minutes=1, shift=86_400_000_000)))
    assert int(part.times_us[0]) == micros(NOON + timedelta(days=1, seconds=10, microseconds=7))
