from datetime import UTC, datetime, timedelta

import pytest

from api.vehicles import VehicleMap, heading_degrees
from smartcity.events import encode_fields

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


def message(
    vehicle: str, at: datetime = NOON, latitude: float = 40.75, longitude: float = -73.98
) -> tuple[bytes, bytes]:
    return vehicle.encode(), encode_fields(vehicle, at, latitude, longitude, 10.0, None)


def vehicle_map(limit: int = 1000) -> VehicleMap:
    return VehicleMap(limit, timedelta(seconds=60))


@pytest.mark.parametrize(
    ("to", "expected"),
    [((40.76, -73.98), 0.0), ((40.74, -73.98), 180.0), ((40.75, -73.97), 90.0), ((40.75, -73.99), 270.0)],
)
def test_heading_is_clockwise_from_north(to: tuple[float, float], expected: float) -> None:
    assert heading_degrees(40.75, -73.98, *to) == pytest.approx(expected, abs=0.1)


def test_a_vehicle_that_stands_has_no_new_heading() -> None:
    assert heading_degrees(40.75, -73.98, 40.75, -73.98) is None
    vehicles = vehicle_map()
    for second, latitude in enumerate((40.75, 40.76, 40.76)):
        vehicles.apply([message("a", NOON + timedelta(seconds=second), latitude)])
    assert vehicles.all()[0].heading_degrees == 0.0


def test_an_older_position_does_not_replace_a_newer_one() -> None:
    vehicles = vehicle_map()
    vehicles.apply([message("a", NOON, 40.75)])
    vehicles.apply([message("a", NOON - timedelta(seconds=30), 40.70), message("b", NOON)])
    assert {one.vehicle_id: one.latitude for one in vehicles.all()} == {"a": 40.75, "b": 40.75}


def test_a_vehicle_not_seen_for_three_minutes_of_event_time_leaves() -> None:
    vehicles = vehicle_map()
    vehicles.apply([message("a", NOON), message("b", NOON + timedelta(minutes=1))])
    vehicles.drain()
    vehicles.apply([message("b", NOON + timedelta(minutes=3, seconds=1))])
    moved, gone = vehicles.drain()
    assert ([one.vehicle_id for one in moved], gone) == (["b"], ["a"])
    assert vehicles.drain() == ([], [])


def test_too_many_vehicles_are_thinned_to_the_limit_and_always_the_same_stay() -> None:
    vehicles = vehicle_map(limit=100)
    everyone = [message(f"taxi_{number}") for number in range(1000)]
    for _ in range(5):
        vehicles.apply(everyone)
    kept = {one.vehicle_id for one in vehicles.all()}
    assert 60 <= len(kept) <= 100
    later = [message(f"taxi_{number}", NOON + timedelta(seconds=5)) for number in range(1000)]
    vehicles.apply(later)
    assert {one.vehicle_id for one in vehicles.all()} == kept
    assert vehicles.estimated_count == pytest.approx(1000, rel=0.3)


def test_vehicles_come_back_when_there_is_room_again() -> None:
    vehicles = vehicle_map(limit=100)
    vehicles.apply([message(f"taxi_{number}") for number in range(1000)])
    for minute in range(4, 60, 4):
        vehicles.apply([message(f"taxi_{number}", NOON + timedelta(minutes=minute)) for number in range(20)])
    assert len(vehicles.all()) == 20


def test_what_is_thinned_away_is_never_parsed() -> None:
    vehicles = vehicle_map(limit=10)
    vehicles.apply([message(f"taxi_{number}") for number in range(1000)])
    vehicles.apply([(f"other_{number}".encode(), b"no position") for number in range(1000)])
    assert vehicles.rejected < 50


@pytest.mark.parametrize(
    "value", [None, b"", b"{}", b"\xff", b"[1]", message("a")[1].replace(b"40.75", b"400"), b'{"vehicle_id":"a"}']
)
def test_poison_is_counted_and_the_rest_of_the_batch_kept(value: bytes | None) -> None:
    vehicles = vehicle_map()
    vehicles.apply([(b"poison", value), message("good"), (None, b"{}")])
    assert [one.vehicle_id for one in vehicles.all()] == ["good"]
    assert vehicles.rejected == 2


def test_an_event_from_the_future_does_not_chase_the_others_away() -> None:
    vehicles = vehicle_map()
    now = datetime.now(UTC)
    vehicles.apply([message("a", now), message("b", now + timedelta(days=1))])
    assert [one.vehicle_id for one in vehicles.all()] == ["a"]


def test_a_feed_that_starts_again_on_an_earlier_date_replaces_the_old_one() -> None:
    vehicles = vehicle_map()
    vehicles.apply([message("a", NOON)])
    vehicles.drain()
    vehicles.apply([message("b", NOON - timedelta(days=30))])
    moved, gone = vehicles.drain()
    assert ([one.vehicle_id for one in moved], gone) == (["b"], ["a"])
