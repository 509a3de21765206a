"""Local time by whole arrays agrees with Python's own, instant by instant."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcity.localtime import local_days, local_seconds

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
