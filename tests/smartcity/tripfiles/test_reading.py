import gzip
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from smartcity.errors import InputError
from smartcity.tripfiles import RAW, check_files, discover, plan, read_chunk

HEADER = (
    "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,"
    "pickup_longitude,pickup_latitude,store_and_fwd_flag,dropoff_longitude,dropoff_latitude,fare_amount"
)
NAME = "yellow_tripdata_2016-01.csv"


def row(number: int = 0, **changes: str) -> str:
    values = {
        "vendor": "2",
        "pickup": f"2016-01-05 12:00:{number % 60:02}",
        "dropoff": "2016-01-05 12:10:00",
        "passengers": "1",
        "distance": "2.5",
        "lon": "-73.98",
        "lat": "40.75",
        "flag": "N",
        "lon2": "-73.96",
        "lat2": "40.77",
        "fare": "9.5",
    }
    return ",".join({**values, **changes}.values())


def rows_of(path: Path, chunk_bytes: int = 1 << 20) -> list[dict]:
    checked = check_files(discover([path]), chunk_bytes=chunk_bytes)
    found = [record for chunk in plan(checked.files) for batch in read_chunk(chunk) for record in batch.to_pylist()]
    return sorted(found, key=lambda record: record["row_number"])


def read(path: Path, *lines: str, encoding: str = "utf-8", **options) -> list[dict]:
    path.write_bytes("\n".join((HEADER, *lines, "")).encode(encoding))
    return rows_of(path, **options)


def reasons(records: list[dict]) -> dict[int, str]:
    return {record["row_number"]: record["parse_reason"] for record in records if record["parse_reason"]}


def test_reads_a_row_as_typed_values(tmp_path):
    (record,) = read(tmp_path / NAME, row())
    assert record["pickup_local"] == datetime(2016, 1, 5, 12)
    assert (record["pickup_latitude"], record["dropoff_longitude"]) == (40.75, -73.96)
    assert record["row_number"] == 1 and record["source_file"] == NAME and len(record["trip_id"]) == 24


@pytest.mark.parametrize("chunk_bytes", [100, 1000, 5000])
def test_row_numbers_are_exact_in_every_chunk(tmp_path, chunk_bytes):
    lines = [row(i, fare=str(i)) for i in range(200)]
    lines[57] = "not,a,row"
    lines[150] = row(distance="far")
    records = read(tmp_path / NAME, *lines, chunk_bytes=chunk_bytes)
    assert [record["row_number"] for record in records] == list(range(1, 201))
    assert reasons(records) == {58: "wrong number of fields: 3 of 11", 151: "trip distance unreadable"}
    assert all(r["fare_amount"] == r["row_number"] - 1 for r in records if not r["parse_reason"])
    assert records[150]["row_text"] == lines[150]


def test_plain_gzip_and_parquet_give_the_same_trips(tmp_path):
    plain = read(tmp_path / NAME, *(row(i) for i in range(50)))
    packed = tmp_path / "yellow_tripdata_2016-01.csv.gz"
    packed.write_bytes(gzip.compress((tmp_path / NAME).read_bytes()))
    columns = {name: [line.split(",")[i] for line in map(row, range(50))] for i, name in enumerate(HEADER.split(","))}
    table = pa.table(columns)
    for name in ("passenger_count", "trip_distance", "pickup_longitude", "pickup_latitude", "fare_amount", "VendorID"):
        table = table.set_column(table.schema.names.index(name), name, table[name].cast(pa.float64()))
    pq.write_table(table, tmp_path / "yellow_tripdata_2016-01.parquet", row_group_size=20)
    ids = [record["trip_id"] for record in plain]
    assert len(set(ids)) == 50
    for path in (packed, tmp_path / "yellow_tripdata_2016-01.parquet"):
        records = rows_of(path)
        assert [record["trip_id"] for record in records] == ids
        assert [record["row_number"] for record in records] == list(range(1, 51))


def test_latin_1_bytes_in_a_field_that_is_not_needed_do_no_harm(tmp_path):
    records = read(tmp_path / NAME, row(flag="Café"), row(1), encoding="latin-1")
    assert reasons(records) == {} and len(records) == 2


def test_latin_1_bytes_in_a_needed_field_spoil_that_row_only(tmp_path):
    records = read(tmp_path / NAME, row(distance="2½"), row(1), "é,è", encoding="latin-1")
    assert reasons(records) == {1: "trip distance unreadable", 3: "wrong number of fields: 2 of 11"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pickup": ""}, "pickup time missing"),
        ({"pickup": "yesterday"}, "pickup time unreadable"),
        ({"dropoff": "2016-02-30 12:00:00"}, "dropoff time unreadable"),
        ({"dropoff": "2016-01-05 25:00:00"}, "dropoff time unreadable"),
        ({"lat": "N/A"}, "pickup latitude missing"),
        ({"lon2": "west"}, "dropoff longitude unreadable"),
    ],
)
def test_says_which_field_could_not_be_read(tmp_path, changes, reason):
    assert reasons(read(tmp_path / NAME, row(), row(**changes))) == {2: reason}


@pytest.mark.parametrize(
    "text", ["01/05/2016 12:00:00 PM", "2016-01-05T12:00:00", "2016-01-05T12:00:00.000", "01/05/2016 12:00"]
)
def test_reads_other_spellings_of_a_time(tmp_path, text):
    for extra in ((), (row(distance="bad"),)):  # strict and value by value
        records = read(tmp_path / NAME, row(pickup=text), *extra)
        assert records[0]["pickup_local"] == datetime(2016, 1, 5, 12)


def test_a_stray_quote_costs_its_own_row_at_most(tmp_path):
    records = read(tmp_path / NAME, row(0), row(1, flag='"N'), *(row(i) for i in range(2, 20)))
    assert [record["row_number"] for record in records] == list(range(1, 21))
    assert set(reasons(records)) <= {2}


def test_blank_lines_are_no_rows_and_line_ends_may_be_windows(tmp_path):
    path = tmp_path / NAME
    path.write_bytes("\r\n".join((HEADER, "", row(), "", row(1), "", "")).encode("utf-8-sig"))
    assert [record["row_number"] for record in rows_of(path)] == [2, 4]


def test_trailing_commas_that_the_header_lacks_are_tolerated(tmp_path):
    records = read(tmp_path / NAME, row() + ",,", row(1) + ",,")
    assert reasons(records) == {} and len(records) == 2


def test_a_row_that_breaks_off_is_quarantined(tmp_path):
    path = tmp_path / NAME
    path.write_text(f"{HEADER}\n{row()}\n{row()[:30]}")
    assert reasons(rows_of(path)) == {2: "wrong number of fields: 3 of 11"}


def test_location_ids_without_zones_are_refused_with_the_option_to_pass(tmp_path):
    path = tmp_path / "yellow_tripdata_2019-03.csv"
    path.write_text(
        "tpep_pickup_datetime,tpep_dropoff_datetime,trip_distance,PULocationID,DOLocationID\n"
        "2019-03-01 12:00:00,2019-03-01 12:10:00,2.0,142,236\n"
    )
    with pytest.raises(InputError, match="--zones"):
        rows_of(path)


def test_every_batch_has_the_contract_schema(tmp_path):
    (tmp_path / NAME).write_text("\n".join((HEADER, row(), "broken")))
    for chunk in plan(check_files(discover([tmp_path / NAME])).files):
        assert all(batch.schema.equals(RAW) for batch in read_chunk(chunk))


@pytest.mark.real_data
def test_the_real_rows_of_2016_are_all_readable(real_data):
    records = rows_of(real_data / "yellow_tripdata_2016-01_sample.csv", chunk_bytes=1 << 18)
    assert len(records) == 10_000 and reasons(records) == {}
    assert [record["row_number"] for record in records] == list(range(1, 10_001))
