from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from smartcity import columns
from smartcity.lake import Dataset
from smartcity.lakerows import rows_between

NOON = datetime(2016, 1, 5, 17, tzinfo=UTC)
NOON_US = round(NOON.timestamp()) * 1_000_000
MINUTE_US = 60_000_000


@pytest.fixture
def windows(tmp_path, small_city):
    """Two files of windows of ten minutes each, the first in two row groups."""
    table = Dataset(str(tmp_path), "city", small_city).windows
    day, parts, run = date(2016, 1, 5), [], table.begin()
    for starts in ([[0, 2, 4], [6, 8]], [[10, 12, 14, 16, 18]]):
        with run.part(day) as writer:
            for minutes in starts:
                rows = {"window_start_utc": [NOON + timedelta(minutes=at) for at in minutes], "speed_sum": minutes}
                filled = {field.name: pa.nulls(len(minutes), field.type) for field in columns.WINDOWS}
                writer.write(pa.table({**filled, **rows}).cast(columns.WINDOWS))
        parts.append(writer.part)
    table.publish(run, [day], None, parts)
    return table


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [(0, 20, 10), (4, 5, 1), (4, 4, 0), (5, 6, 0), (7, 13, 3), (-9, 0, 0), (19, 99, 0), (18, 99, 1)],
)
def test_rows_are_those_that_begin_before_the_end_and_end_not_before_the_start(windows, start, end, found):
    names = windows.files_by_day()[date(2016, 1, 5)]
    times = ("window_start_utc", "window_start_utc")
    span = (NOON_US + start * MINUTE_US, NOON_US + end * MINUTE_US)
    rows = rows_between(windows, names, ["speed_sum"], times, *span)
    assert rows.column_names == ["speed_sum"]
    assert sorted(rows["speed_sum"].to_pylist()) == [at for at in range(0, 20, 2) if start <= at < end]
    assert rows.num_rows == found


def test_no_file_has_no_rows(windows):
    assert rows_between(windows, [], ["cell_id"], ("window_start_utc",) * 2, 0, 1).num_rows == 0
