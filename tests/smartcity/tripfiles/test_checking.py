import gzip
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from smartcity.errors import InputError
from smartcity.tripfiles import check_files, discover
from smartcity.tripfiles.layout import COORDINATES, LOCATION_IDS, find_layout
from smartcity.tripfiles.source import Format

HEADER = (
    "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,"
    "pickup_longitude,pickup_latitude,dropoff_longitude,dropoff_latitude,fare_amount"
)
ROW = "2,2016-01-05 12:00:00,2016-01-05 12:10:00,1,2.5,-73.98,40.75,-73.96,40.77,9.5"


def check(*paths: Path, **options):
    return check_files(discover(paths), **options)


def write(path: Path, *lines: str, ending: str = "\n") -> Path:
    path.write_bytes(ending.join((*lines, "")).encode())
    return path


def refused(path: Path) -> str:
    with pytest.raises(InputError) as error:
        check(path)
    assert str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("header", "place"),
    [
        (
            "vendor_name,Trip_Pickup_DateTime,Trip_Dropoff_DateTime,Passenger_Count,Trip_Distance,Start_Lon,Start_Lat,"
            "Rate_Code,store_and_forward,End_Lon,End_Lat,Payment_Type,Fare_Amt,surcharge,mta_tax,Tip_Amt,Tolls_Amt,Total_Amt",
            COORDINATES,
        ),
        (
            "vendor_id, pickup_datetime, dropoff_datetime, passenger_count, trip_distance, pickup_longitude, "
            "pickup_latitude, rate_code, store_and_fwd_flag, dropoff_longitude, dropoff_latitude, fare_amount",
            COORDINATES,
        ),
        (HEADER, COORDINATES),
        (
            "VendorID,lpep_pickup_datetime,Lpep_dropoff_datetime,Pickup_longitude,Pickup_latitude,"
            "Dropoff_longitude,Dropoff_latitude,Passenger_count,Trip_distance,Fare_amount",
            COORDINATES,
        ),
        ("VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,trip_distance,PULocationID,DOLocationID", LOCATION_IDS),
        ("VENDORID,LPEP_PICKUP_DATETIME,LPEP_DROPOFF_DATETIME,TRIP_DISTANCE,PULOCATIONID,DOLOCATIONID", LOCATION_IDS),
        ("hvfhs_license_num,pickup_datetime,dropoff_datetime,PULocationID,DOLocationID,trip_miles", LOCATION_IDS),
    ],
    ids=["yellow 2009", "yellow 2010-2014", "yellow 2015", "green 2013", "yellow 2016-07", "capitals", "high volume"],
)
def test_knows_every_published_header(header, place):
    layout = find_layout(header.split(","))
    assert layout is not None
    assert set(place) <= set(layout.required)


def test_an_empty_file_is_refused_with_the_way_out(tmp_path):
    assert "empty" in refused(write(tmp_path / "a.csv"))


def test_a_file_with_a_header_only_is_refused(tmp_path):
    assert "no rows" in refused(write(tmp_path / "a.csv", HEADER))


def test_unknown_columns_are_named_with_what_is_missing(tmp_path):
    said = refused(write(tmp_path / "a.csv", "id,when,how_far", "1,2,3"))
    assert "when" in said and "pickup time" in said and "coordinates or location ids" in said


def test_a_probe_file_is_sent_to_the_right_command(tmp_path):
    assert "ingest probes" in refused(write(tmp_path / "a.csv", "vehicle_id,timestamp,latitude,longitude", "a,1,2,3"))


def test_a_truncated_parquet_file_is_refused(tmp_path):
    whole = tmp_path / "whole.parquet"
    pq.write_table(pa.table({"a": list(range(1000))}), whole)
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole.read_bytes()[:-100])
    assert "truncated" in refused(cut)


def test_a_truncated_gzip_file_is_refused_with_the_row_where_it_breaks_off(tmp_path):
    packed = gzip.compress("\n".join([HEADER] + [ROW.replace("2.5", f"{i / 7}") for i in range(5000)]).encode())
    path = tmp_path / "a.csv.gz"
    path.write_bytes(packed[: len(packed) // 2])
    assert "breaks off after row" in refused(path)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"PK\x03\x04....", "ZIP"),
        (b"<!DOCTYPE html><html>Access denied</html>", "web page"),
        (b"<?xml version='1.0'?><Error>", "web page"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (b'{"a": 1}', "JSON"),
        (b"\x00\x01\x02\x03\x00", "binary"),
    ],
)
def test_foreign_content_is_refused_by_what_it_is(tmp_path, content, word):
    path = tmp_path / "yellow_tripdata_2016-01.csv"
    path.write_bytes(content)
    assert word in refused(path)


def test_a_csv_that_is_called_parquet_is_read_as_csv_with_a_warning(tmp_path):
    path = write(tmp_path / "yellow_tripdata_2016-01.parquet", HEADER, ROW)
    checked = check(path)
    assert checked.files[0].format is Format.CSV
    assert "content is csv" in checked.warnings[0]


def test_a_parquet_file_that_is_called_csv_is_read_as_parquet_with_a_warning(tmp_path):
    path = tmp_path / "yellow_tripdata_2019-03.csv"
    when = pa.array([datetime(2019, 3, 1)], pa.timestamp("us"))
    names = ["tpep_pickup_datetime", "tpep_dropoff_datetime", "trip_distance", "PULocationID", "DOLocationID"]
    pq.write_table(pa.table([when, when, [1.0], [1], [2]], names=names), path)
    checked = check(path)
    assert checked.files[0].format is Format.PARQUET and len(checked.warnings) == 1


def test_another_delimiter_is_found_and_named(tmp_path):
    path = write(tmp_path / "yellow_tripdata_2016-01.csv", HEADER.replace(",", ";"), ROW.replace(",", ";"))
    checked = check(path)
    assert checked.files[0].delimiter == ";"
    assert "';'" in checked.warnings[0]


def test_a_csv_that_breaks_off_in_a_row_is_named_with_the_row(tmp_path):
    path = tmp_path / "yellow_tripdata_2016-01.csv"
    path.write_text(f"{HEADER}\n{ROW}\n{ROW[:40]}")
    assert "breaks off in row 2" in check(path).warnings[0]


def test_a_second_copy_of_a_file_is_left_out(tmp_path):
    checked = check(write(tmp_path / "a.csv", HEADER, ROW), write(tmp_path / "b.csv", HEADER, ROW))
    assert len(checked.files) == 1 and "same content" in checked.skipped[0]


def test_bad_files_are_left_out_on_demand(tmp_path):
    good, bad = write(tmp_path / "a.csv", HEADER, ROW), write(tmp_path / "b.csv")
    checked = check(good, bad, skip_bad=True)
    assert [file.name for file in checked.files] == ["a.csv"] and "empty" in checked.skipped[0]


def test_a_lookup_table_in_a_directory_is_left_out_but_refused_when_named(tmp_path):
    write(tmp_path / "a.csv", HEADER, ROW)
    lookup = write(tmp_path / "taxi_zone_lookup.csv", "LocationID,Borough,Zone,service_zone", "1,EWR,Newark,EWR")
    assert [file.name for file in check(tmp_path).files] == ["a.csv"]
    assert "zone lookup" in refused(lookup)


def test_the_period_is_the_month_of_the_name(tmp_path):
    period = check(write(tmp_path / "green_tripdata_2015-12.csv", HEADER, ROW)).files[0].period
    assert (period.start, period.end) == (datetime(2015, 12, 1), datetime(2016, 1, 1))


def test_without_a_month_in_the_name_stray_dates_lie_outside_the_period(tmp_path):
    rows = [ROW.replace("01-05", f"01-{day:02}") for day in range(1, 29)]
    period = check(write(tmp_path / "mine.csv", HEADER, *rows, ROW.replace("2016", "2084"))).files[0].period
    assert period.start < datetime(2016, 1, 1) and datetime(2016, 1, 29) < period.end < datetime(2017, 1, 1)
    assert period.day == date(2016, 1, 1)


@pytest.mark.parametrize("name", ["nothing.csv", "no*.csv", ""])
def test_paths_that_give_no_file_are_named(tmp_path, name):
    with pytest.raises(InputError, match=r"no such file|no file matches|no \.csv"):
        discover([tmp_path / name])
