import sqlite3

import pytest

from smartcity.city import Bounds, City
from smartcity.rules import Rules, probe_rules, trip_rules

GOOD = {
    "parse_reason": None,
    "pickup_local": "2016-01-05 12:00:00",
    "period_start": "2016-01-01 00:00:00",
    "period_end": "2016-02-01 00:00:00",
    "pickup_utc": "2016-01-05 17:00:00",
    "dropoff_utc": "2016-01-05 17:10:00",
    "duration_seconds": 600.0,
    "trip_distance_miles": 2.5,
    "speed_mph": 15.0,
    "fare_amount": 9.5,
    "pickup_location_id": None,
    "dropoff_location_id": None,
    "pickup_latitude": 40.75,
    "pickup_longitude": -73.98,
    "dropoff_latitude": 40.77,
    "dropoff_longitude": -73.96,
}


def reason(rules: Rules, row: dict) -> str | None:
    """The rules are plain SQL: any engine can say what they mean."""
    selected = ", ".join(f":{name} AS {name}" for name in row)
    return (
        sqlite3.connect(":memory:").execute(f"SELECT {rules.reason_sql()} FROM (SELECT {selected})", row).fetchone()[0]
    )


def test_a_good_trip_breaks_no_rule():
    assert reason(trip_rules(City()), GOOD) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"parse_reason": "pickup time unreadable", "pickup_utc": None}, "pickup time unreadable"),
        ({"pickup_local": "2084-01-01 00:00:00"}, "pickup outside the file's period"),
        ({"pickup_local": "2016-02-01 00:00:00"}, "pickup outside the file's period"),
        ({"dropoff_utc": "2016-01-05 16:50:00", "duration_seconds": -600.0}, "dropoff before pickup"),
        ({"duration_seconds": 59.0}, "shorter than 60 s"),
        ({"duration_seconds": 10801.0}, "longer than 3 h"),
        ({"trip_distance_miles": 0.0}, "distance 0"),
        ({"trip_distance_miles": -1.0}, "distance below 0"),
        ({"trip_distance_miles": 101.0}, "distance over 100 miles"),
        ({"speed_mph": 80.1}, "faster than 80 mph"),
        ({"fare_amount": -9.5}, "fare below 0"),
        ({"pickup_location_id": 264, "pickup_latitude": None, "pickup_longitude": None}, "unknown location id"),
        ({"dropoff_longitude": 0.0, "dropoff_latitude": 0.0}, "coordinate 0"),
        ({"pickup_latitude": -73.98, "pickup_longitude": 40.75}, "latitude and longitude swapped"),
        ({"dropoff_latitude": 48.1}, "outside the city's bounds"),
    ],
)
def test_each_rule_names_its_reason(changes, expected):
    assert reason(trip_rules(City()), {**GOOD, **changes}) == expected


@pytest.mark.parametrize(
    "edge",
    [
        {"duration_seconds": 60.0},
        {"duration_seconds": 10800.0},
        {"trip_distance_miles": 100.0},
        {"speed_mph": 80.0},
        {"fare_amount": None},
        {"pickup_local": "2016-01-01 00:00:00"},
        {"pickup_latitude": 40.49},
    ],
)
def test_the_bounds_themselves_are_kept(edge):
    assert reason(trip_rules(City()), {**GOOD, **edge}) is None


def test_the_first_broken_rule_is_the_reason():
    both = {**GOOD, "duration_seconds": 10.0, "trip_distance_miles": 0.0}
    assert reason(trip_rules(City()), both) == "shorter than 60 s"


def test_another_city_has_its_own_bounds_and_version():
    berlin = City(name="Berlin", time_zone="Europe/Berlin", bounds=Bounds(south=52.3, west=13.0, north=52.7, east=13.8))
    there = {"pickup_latitude": 52.5, "pickup_longitude": 13.4, "dropoff_latitude": 52.51, "dropoff_longitude": 13.41}
    assert reason(trip_rules(berlin), {**GOOD, **there}) is None
    assert reason(trip_rules(berlin), GOOD) == "outside the city's bounds"
    assert trip_rules(berlin).version != trip_rules(City()).version == trip_rules(City()).version


def test_every_rule_says_why():
    rules = (*trip_rules(City()).rules, *probe_rules(City()).rules)
    assert all(rule.why.endswith(".") and rule.name for rule in rules)


@pytest.mark.parametrize("rules", [trip_rules(City()), probe_rules(City())])
def test_names_and_reasons_are_unique(rules):
    assert len({rule.name for rule in rules.rules}) == len({rule.reason for rule in rules.rules}) == len(rules.rules)
