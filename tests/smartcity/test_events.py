"""Events encoded together are, byte for byte, those encoded one by one."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np

from smartcity.events import decode, encode_columns, encode_fields

NEW_YORK = timezone(timedelta(hours=-5))
MOMENTS = [
    datetime(2024, 3, 4, 12, 0, tzinfo=UTC),
    datetime(2024, 3, 4, 12, 0, 0, 10_001, tzinfo=UTC),
    datetime(2024, 12, 31, 23, 59, 59, 999_999, tzinfo=NEW_YORK),
]


def test_columns_become_the_events_that_fields_become():
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    times_us = np.array([(moment - epoch) // timedelta(microseconds=1) for moment in MOMENTS])
    columns = ["a", "b", "c"], [40.7, 40.71, 40.72], [-74.0, -73.99, -73.9], [0.0, 12.34, 99.0], ["t1", None, "t3"]
    vehicles, *others = columns
    found = encode_columns(vehicles, times_us, *others)
    assert found == [encode_fields(v, moment, *row) for v, moment, *row in zip(vehicles, MOMENTS, *others, strict=True)]
    assert [decode(value).timestamp for value in found] == MOMENTS
