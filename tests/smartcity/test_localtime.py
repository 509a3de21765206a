"""Local time by whole arrays agrees with Python's own, instant by instant."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcity.localtime import last_day_like, local_days, local_seconds, trip_times_utc

ZONES = ["America/New_York", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]


@settings(deadline=None)
@given(st.lists(st.integers(315_532_800, 1_900_000_000), max_size=20), st.sampled_from(ZONES))
def test_agrees_with_zoneinfo(seconds, name):
    zone = ZoneInfo(name)
    found = local_seconds(np.array(seconds, dtype=np.int64), zone)
    expected = [
        int(datetime.fromtimestamp(second, UTC).astimezone(zone).replace(tzinfo=UTC).timestamp()) for second in seconds
    ]
    assert found.tolist() == expected


@pytest.mark.parametrize(
    ("instant", "day"),
    [("2016-01-06T04:59:59+00:00", date(2016, 1, 5)), ("2016-01-06T05:00:00+00:00", date(2016, 1, 6))],
)
def test_the_date_changes_at_local_midnight(instant, day):
    second = np.array([int(datetime.fromisoformat(instant).timestamp())])
    days = local_days(second, ZoneInfo("America/New_York"))
    assert days[0] == day.toordinal() - date(1970, 1, 1).toordinal()


@pytest.mark.parametrize(
    ("pickup", "dropoff", "minutes"),
    [
        ("2016-11-06 00:50:00", "2016-11-06 01:10:00", 20),  # into the hour that comes twice
        ("2016-11-06 01:10:00", "2016-11-06 01:40:00", 30),  # within it
        ("2016-11-06 01:50:00", "2016-11-06 01:10:00", 20),  # over the change
        ("2016-11-06 01:50:00", "2016-11-06 02:05:00", 15),  # out of its second half
        ("2016-03-13 01:50:00", "2016-03-13 03:05:00", 15),  # over the hour that is left out
        ("2016-07-04 12:00:00", "2016-07-04 12:30:00", 30),
        ("2016-07-04 12:30:00", "2016-07-04 12:00:00", -30),  # no excuse: dates swapped
    ],
)
def test_durations_are_true_across_the_change_of_the_clock(pickup, dropoff, minutes):
    local = [np.array([np.datetime64(at, "us").astype(np.int64)]) for at in (pickup, dropoff)]
    start, end = trip_times_utc(local[0], local[1], ZoneInfo("America/New_York"))
    assert (end - start)[0] / 60e6 == minutes


@pytest.mark.parametrize(
    ("today", "last"),
    [
        (date(2026, 11, 23), date(2026, 11, 20)),  # Monday: Friday
        (date(2026, 11, 24), date(2026, 11, 23)),
        (date(2026, 11, 28), date(2026, 11, 22)),  # Saturday: Sunday
        (date(2026, 11, 29), date(2026, 11, 28)),
    ],
)
def test_the_last_day_of_the_same_kind(today, last):
    assert last_day_like(today) == last
