import gzip
from collections import Counter

import pytest
from pyarrow.fs import LocalFileSystem

from smartcity.buckets import Buckets
from smartcity.city import City
from smartcity.rules import trip_rules
from smartcity.tripfiles import check_files, discover, plan
from spark_jobs import sorting
from spark_jobs.exchange import Block, Exchange, by_task
from spark_jobs.sorting import Reading

HEADER = (
    "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,"
    "pickup_longitude,pickup_latitude,dropoff_longitude,dropoff_latitude,fare_amount"
)


@pytest.fixture
def chunk(tmp_path):
    """The one chunk of a .csv.gz of 150,000 rows (about 12 MB of text), every 50th of them bad."""
    rows = (
        f"2,2016-01-05 12:00:00,2016-01-05 12:{0 if n % 50 == 0 else 10 + n % 49:02}:00,1,2.5,"
        f"-73.98,40.{700000 + n},-73.96,40.77,9.5"
        for n in range(150_000)
    )
    file = tmp_path / "yellow_tripdata_2016-01.csv.gz"
    file.write_bytes(gzip.compress("\n".join((HEADER, *rows, "")).encode(), 1))
    (one,) = plan(check_files(discover([file])).files)
    return one


def test_a_packed_file_which_cannot_be_cut_is_split_a_bounded_number_of_rows_at_a_time(chunk, tmp_path, monkeypatch):
    monkeypatch.setattr(sorting, "_ROWS_AT_ONCE", 20_000)
    counted: list[float] = []
    exchange = Exchange(LocalFileSystem(), str(tmp_path / "blocks"))
    reading = Reading(None, trip_rules(City()), City(), Buckets(()), exchange, counted.append)
    rows: Counter[str] = Counter()
    [report] = reading(chunk)
    largest = max(block.rows for block in report["blocks"])
    [mine] = by_task([report], 1_000_000)
    for kind, table in exchange.read(mine):
        rows[kind] += table.num_rows
    assert rows == {"good": 147_000, "bad": 3_000}
    assert largest < 75_000 and sum(counted) == 75_000
    exchange.remove()
    assert not (tmp_path / "blocks").exists()


def test_a_task_takes_as_many_neighbouring_buckets_as_it_needs_and_none_is_cut():
    def block(bucket: int, rows: int) -> Block:
        return Block(bucket, "good", "f", 0, 0, rows)

    first = {"blocks": [block(3, 40), block(0, 30), block(1, 30)]}
    second = {"blocks": [block(0, 30), block(2, 900), block(4, 10)]}
    tasks = by_task([first, second], 100)
    assert [sorted((found.bucket, found.rows) for found in task) for task in tasks] == [
        [(0, 30), (0, 30), (1, 30)],
        [(2, 900)],
        [(3, 40), (4, 10)],
    ]
