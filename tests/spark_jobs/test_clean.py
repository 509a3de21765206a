from argparse import Namespace
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from threading import Barrier

import pytest

from smartcity.city import City
from smartcity.errors import InputError
from smartcity.lake import Dataset
from smartcity.ledger import Ledger
from smartcity.rules import Rule, Rules, trip_rules
from spark_jobs import clean
from spark_jobs.clean import run_clean
from spark_jobs.job import Span

HEADER = (
    "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,"
    "pickup_longitude,pickup_latitude,dropoff_longitude,dropoff_latitude,fare_amount"
)
GOOD = [f"2,2016-01-05 12:{m:02}:00,2016-01-05 12:{m + 10}:00,1,2.5,-73.98,40.75,-73.96,40.77,9.5" for m in range(20)]
DATES_SWAPPED = "2,2016-01-05 12:10:00,2016-01-05 12:00:00,1,2.5,-73.98,40.75,-73.96,40.77,9.5"
PLACES_SWAPPED = "2,2016-01-05 12:00:00,2016-01-05 12:10:00,1,2.5,40.75,-73.98,40.77,-73.96,9.5"
STRAY = "2,2084-01-05 12:00:00,2084-01-05 12:10:00,1,2.5,-73.98,40.75,-73.96,40.77,9.5"
BROKEN = "2,2016-01-05"


@pytest.fixture
def dataset(tmp_path):
    return Dataset(str(tmp_path / "lake"), "test", City())


def write(path, *rows):
    path.write_text("\n".join((HEADER, *rows, "")))
    return path


def adds_up(figures):
    return figures.rows_read == figures.rows_kept + figures.rows_quarantined + figures.rows_duplicate


def test_keeps_good_rows_and_quarantines_the_rest_with_row_and_reason(spark, dataset, tmp_path):
    file = write(tmp_path / "yellow_tripdata_2016-01.csv", *GOOD, DATES_SWAPPED, PLACES_SWAPPED, STRAY, BROKEN, GOOD[0])
    figures = run_clean(spark, dataset, [file])
    assert adds_up(figures)
    assert (figures.rows_read, figures.rows_kept, figures.rows_quarantined, figures.rows_duplicate) == (25, 20, 4, 1)
    bad = {row["row_number"]: row for row in dataset.quarantine.read().to_pylist()}
    assert {number: row["reason"] for number, row in bad.items()} == {
        21: "dropoff before pickup",
        22: "latitude and longitude swapped",
        23: "pickup outside the file's period",
        24: "wrong number of fields: 2 of 10",
    }
    assert bad[24]["row_text"] == BROKEN and '"pickup_latitude":-73.98' in bad[22]["row_text"]
    assert bad[23]["date"] == date(2016, 1, 1)
    trips = dataset.trips.read().to_pylist()
    first = min(trips, key=lambda trip: trip["pickup_utc"])
    assert first["pickup_utc"] == datetime(2016, 1, 5, 17, tzinfo=UTC) and first["date"] == date(2016, 1, 5)
    assert first["vehicle_id"].startswith("taxi_")


def test_two_runs_over_the_same_file_at_once_take_it_in_once(spark, dataset, tmp_path, capsys):
    file = write(tmp_path / "yellow_tripdata_2016-01.csv", *GOOD, DATES_SWAPPED)
    asked, both = Namespace(files=[file], zones=None, skip_bad_files=False), Barrier(2)

    def run(_):
        both.wait(60)
        return clean.job(spark, dataset, Span(), asked)

    with ThreadPoolExecutor(2) as pool:
        figures = list(pool.map(run, range(2)))
    assert sorted(one["rows_kept"] for one in figures) == [0, 20]
    assert dataset.trips.read().num_rows == 20 and dataset.quarantine.read().num_rows == 1
    assert [record.kept for record in Ledger.load(dataset).files.values()] == [20]
    assert "another ingest into 'test' is at work" in capsys.readouterr().err


def test_the_same_file_again_adds_nothing_and_a_late_file_merges(spark, dataset, tmp_path):
    early = write(tmp_path / "yellow_tripdata_2016-01.csv", *GOOD[:15], DATES_SWAPPED)
    run_clean(spark, dataset, [early])
    before = dataset.trips.manifest(), dataset.quarantine.manifest()
    again = run_clean(spark, dataset, [early])
    assert adds_up(again)
    assert (again.rows_kept, again.rows_duplicate, again.rows_quarantined) == (0, 15, 1)
    assert again.changed_dates == [] and again.first_date == date(2016, 1, 5)
    assert (dataset.trips.manifest(), dataset.quarantine.manifest()) == before

    late = write(tmp_path / "yellow_tripdata_2016-01_late.csv", *GOOD[10:], PLACES_SWAPPED)
    merged = run_clean(spark, dataset, [late])
    assert adds_up(merged)
    assert (merged.rows_kept, merged.rows_duplicate) == (5, 5)
    trips = dataset.trips.read().column("trip_id").to_pylist()
    assert len(trips) == len(set(trips)) == 20
    assert sorted(dataset.quarantine.read().column("reason").to_pylist()) == [
        "dropoff before pickup",
        "latitude and longitude swapped",
    ]
    assert len(dataset.trips.manifest().partitions["2016-01-05"].made_from["files"]) == 2


def test_a_bad_file_stops_everything_before_anything_is_written(spark, dataset, tmp_path):
    good = write(tmp_path / "yellow_tripdata_2016-01.csv", *GOOD)
    (tmp_path / "empty.csv").touch()
    with pytest.raises(InputError, match="empty"):
        run_clean(spark, dataset, [good, tmp_path / "empty.csv"])
    assert not dataset.exists() and dataset.trips.dates() == []


def test_a_file_is_read_anew_where_the_rules_changed(spark, dataset, tmp_path, monkeypatch):
    other = write(tmp_path / "yellow_tripdata_2016-01_other.csv", *GOOD[12:], PLACES_SWAPPED)
    run_clean(spark, dataset, [write(tmp_path / "yellow_tripdata_2016-01.csv", *GOOD[:12], DATES_SWAPPED), other])
    strict = Rules(
        (*trip_rules(dataset.city).rules, Rule("short", "minute(pickup_local) >= 10", "too late", "A test."))
    )
    monkeypatch.setattr(clean, "trip_rules", lambda city: strict)
    figures = run_clean(spark, dataset, [tmp_path / "yellow_tripdata_2016-01.csv"])
    assert (figures.rows_kept, figures.rows_quarantined, figures.rows_duplicate) == (10, 3, 0)
    assert Counter(dataset.trips.read().column("source_file").to_pylist()) == {
        "yellow_tripdata_2016-01.csv": 10,
        "yellow_tripdata_2016-01_other.csv": 8,
    }
    assert Counter(dataset.quarantine.read().column("reason").to_pylist()) == {
        "too late": 2,
        "dropoff before pickup": 1,
        "latitude and longitude swapped": 1,
    }


def test_a_run_that_was_killed_before_its_last_word_is_made_good_by_the_next(spark, dataset, tmp_path, monkeypatch):
    file = write(tmp_path / "yellow_tripdata_2016-01.csv", *GOOD, DATES_SWAPPED)
    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "save", lambda ledger, dataset: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run_clean(spark, dataset, [file])
    figures = run_clean(spark, dataset, [file])
    assert (figures.rows_kept, figures.rows_duplicate, figures.rows_quarantined) == (20, 0, 1)
    assert (dataset.trips.read().num_rows, dataset.quarantine.read().num_rows) == (20, 1)
    assert run_clean(spark, dataset, [file]).files_known == 1


@pytest.mark.real_data
def test_the_three_real_files(spark, dataset, real_data):
    figures = run_clean(
        spark, dataset, [*real_data.glob("yellow*.csv"), *real_data.glob("*.parquet")], real_data / "taxi_zones.shp"
    )
    assert adds_up(figures)
    assert (figures.rows_read, figures.rows_kept, figures.rows_duplicate) == (30_000, 28_993, 0)
    kept = dataset.trips.read().to_pandas().groupby("source_file").size()
    assert kept["yellow_tripdata_2016-01_sample.csv"] / 10_000 == pytest.approx(0.974, abs=0.002)
    assert len(dataset.get_json("outline.json")["features"]) == 260
    assert dataset.quarantine.read().num_rows == 1_007
