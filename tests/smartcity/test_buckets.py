from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from smartcity.buckets import plan_buckets

MONTH = (datetime(2016, 1, 1, tzinfo=UTC), datetime(2016, 2, 1, tzinfo=UTC))
LATER = (datetime(2019, 6, 1, tzinfo=UTC), datetime(2019, 7, 1, tzinfo=UTC))


def micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


def test_a_big_file_is_cut_evenly_and_no_bucket_of_a_small_one_is_longer_than_three_hours():
    assert plan_buckets([(*MONTH, 1000)]).count == 31 * 8
    buckets = plan_buckets([(*MONTH, 100_000)], trips=100)
    assert buckets.count == 1000
    spread = buckets.of(np.linspace(micros(MONTH[0]), micros(MONTH[1]) - 1, 100_000).astype(np.int64))
    assert np.bincount(spread).tolist() == [100] * 1000


def test_two_files_of_a_month_share_its_buckets_and_years_between_cost_none():
    buckets = plan_buckets([(*MONTH, 50_000), (*LATER, 50_000), (*MONTH, 50_000)], trips=100)
    assert buckets.count == 1000 + 1 + 500
    assert buckets.of(np.array([micros(LATER[0]) - 1, micros(LATER[0])])).tolist() == [1000, 1001]


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 90), st.integers(0, 10_000)), min_size=1, max_size=6))
def test_every_instant_has_a_bucket_and_later_ones_never_an_earlier(filled):
    start = MONTH[0]
    periods = [(start + timedelta(days=a), start + timedelta(days=a + n), rows) for a, n, rows in filled]
    buckets = plan_buckets(periods, trips=500)
    found = buckets.of(np.arange(micros(start) - 10**12, micros(start) + 500 * 86_400 * 10**6, 10**12))
    assert found.min() >= 0 and found.max() < buckets.count and (np.diff(found) >= 0).all()
    assert list(buckets.edges) == sorted(set(buckets.edges))
