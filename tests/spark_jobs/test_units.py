from datetime import date
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcity.city import City
from spark_jobs.features import own_windows
from spark_jobs.units import packed, stretches


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2016, 3, 13), 23), (date(2016, 7, 4), 24), (date(2016, 11, 6), 25)], ids=str
)
@pytest.mark.parametrize("parts", [1, 3, 24, 10_000])
def test_the_stretches_of_a_day_follow_one_another_and_fill_it(day, hours, parts):
    found = stretches(day, parts, City())
    assert all(a.end == b.first and a.first < a.end for a, b in pairwise(found))
    assert found[-1].end_us - found[0].start_us == hours * 3600 * 1_000_000
    assert len(found) == min(parts, hours * 30)


def test_windows_that_do_not_fit_into_the_citys_days_are_refused():
    with pytest.raises(ValueError, match="fit into the city's days"):
        City(window_minutes=7)
    with pytest.raises(ValueError, match="divides 15 minutes"):
        City(window_minutes=10, time_zone="Asia/Kathmandu")
    assert City(window_minutes=5, time_zone="Asia/Kathmandu").window_minutes == 5


@given(st.lists(st.integers(0, 300), max_size=30))
def test_tasks_hold_every_item_once_in_order_and_none_is_overfull(weights):
    tasks = packed(list(enumerate(weights)), 100)
    assert [item for task in tasks for item in task] == list(range(len(weights)))
    assert all(len(task) == 1 or sum(weights[item] for item in task) <= 100 for task in tasks)


def test_what_is_told_as_done_of_all_stretches_is_the_days_windows_once():
    day = stretches(date(2016, 7, 4), 4, City())
    starts = np.arange(day[0].first - 50, day[-1].end + 8) * day[0].window_us
    windows = pa.table({"window_start_utc": pa.array(starts).cast(pa.timestamp("us", "UTC"))})
    assert sum(own_windows(windows, stretch) for stretch in day) == 24 * 30
