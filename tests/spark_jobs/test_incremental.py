"""A new day is made from what is new; everything else stays as it lies in the lake. All formats go together."""

import argparse
import gzip
import json
from datetime import date, datetime

import pyarrow as pa
import pyarrow.parquet as pq

from smartcity.lake import Dataset
from smartcity.profile import Profile
from spark_jobs import features, positions
from spark_jobs.clean import run_clean
from spark_jobs.job import Span
from spark_jobs.stages import SOURCES, run
from tests import lakes
from tests.trips import HEADER, trip_rows, write

OPTIONS = {"zones": None, "skip_bad_files": False, "refit_profile": False, "redo": False}


def make(spark, dataset, *files):
    run(spark, dataset, SOURCES["trips"](), argparse.Namespace(files=[str(file) for file in files], **OPTIONS))


def day_file(folder, day, count=150):
    return write(folder / f"tripdata_2016-01-{day:02}.csv", *trip_rows(datetime(2016, 1, day), 23, count, day))


def runs(dataset):
    return {
        (table.name, date.fromisoformat(day).day): partition.run_id
        for table in dataset.tables
        for day, partition in table.manifest().partitions.items()
    }


def test_one_more_day_leaves_the_other_days_files_where_they_are(spark, small_city, tmp_path):
    dataset = Dataset(str(tmp_path / "lake"), "city", small_city)
    make(spark, dataset, *(day_file(tmp_path, day) for day in (5, 6, 7, 8)))
    before = runs(dataset)
    make(spark, dataset, day_file(tmp_path, 9))
    after = runs(dataset)
    assert {key for key, run_id in before.items() if after[key] != run_id} == {("features", 8)}
    assert {(name, 9) for name in ("trips", "positions", "windows", "features")} <= after.keys() - before.keys()
    made_from = dataset.features.manifest().partitions["2016-01-09"].made_from
    assert made_from["windows/2016-01-08"] == after["windows", 8]
    again = runs(dataset)
    make(spark, dataset, day_file(tmp_path, 9), day_file(tmp_path, 5))
    assert runs(dataset) == again


def test_enough_new_days_have_history_split_and_all_features_made_anew(spark, small_city, tmp_path, monkeypatch):
    dataset = Dataset(str(tmp_path / "lake"), "city", small_city)
    make(spark, dataset, *(day_file(tmp_path, day) for day in (5, 6, 7)))
    before, split = runs(dataset), Profile.load(dataset).train_until_utc
    monkeypatch.setenv("TRAFFIC_PROFILE_DAYS", "2")
    make(spark, dataset, day_file(tmp_path, 8))
    assert Profile.load(dataset).train_until_utc == split
    make(spark, dataset, day_file(tmp_path, 9))
    profile = Profile.load(dataset)
    assert profile.train_until_utc > split
    assert date(2016, 1, 8).toordinal() in profile.days, "a training still learns nothing of the new days"
    after = runs(dataset)
    made_anew = {name for name, _ in (key for key, run_id in before.items() if after[key] != run_id)}
    assert made_anew == {"features"}
    profiles = {part.made_from["profile"] for part in dataset.features.manifest().partitions.values()}
    assert profiles == {profile.profile_id}
    again = runs(dataset)
    make(spark, dataset, day_file(tmp_path, 9))
    assert runs(dataset) == again


def test_of_the_day_before_a_new_one_only_the_end_is_made_anew(spark, small_city, tmp_path, monkeypatch):
    monkeypatch.setattr(features, "_WINDOWS_PER_TASK", 200)
    grown, whole = (Dataset(str(tmp_path / name), "city", small_city) for name in ("grown", "whole"))
    make(spark, grown, *(day_file(tmp_path, day) for day in (5, 6, 7, 8)))
    before = grown.features.files_by_day()[date(2016, 1, 8)]
    make(spark, grown, day_file(tmp_path, 9))
    after = grown.features.files_by_day()[date(2016, 1, 8)]
    assert len(before) > 2 and len(set(before) & set(after)) == len(before) - 1
    # The same days, all made at once from the same profile.
    make(spark, whole, *(day_file(tmp_path, day) for day in (5, 6, 7, 8)))
    make(spark, whole, day_file(tmp_path, 9))
    features.job(spark, whole, Span(), argparse.Namespace(**{**OPTIONS, "redo": True}))
    assert set(whole.features.files_by_day()[date(2016, 1, 8)]).isdisjoint(before)
    lakes.assert_equal(grown, whole)


def test_a_late_file_of_a_day_changes_this_day_and_what_rests_on_it(spark, small_city, tmp_path):
    dataset = Dataset(str(tmp_path / "lake"), "city", small_city)
    make(spark, dataset, *(day_file(tmp_path, day) for day in (5, 6, 7, 8)))
    before = runs(dataset)
    late = write(tmp_path / "late.csv", *trip_rows(datetime(2016, 1, 6), 23, 40, 99))
    make(spark, dataset, late)
    after = runs(dataset)
    changed = {key for key, run_id in before.items() if after[key] != run_id and key[0] != "quarantine"}
    # A trip of the 6th may run past midnight; features look over the edges of their day.
    resting = {
        ("trips", 6),
        *((name, day) for name in ("positions", "windows") for day in (6, 7)),
        *(("features", day) for day in (5, 6, 7)),
    }
    assert resting <= changed <= resting | {("features", 8)}
    assert len(dataset.trips.manifest().partitions["2016-01-06"].made_from["files"]) == 2


def test_how_the_work_is_cut_changes_nothing_however_skewed_it_is(spark, small_city, tmp_path, monkeypatch):
    """A day of ten times as many trips, half of them in one place, some of them ten times as long."""
    quiet, busy = datetime(2016, 1, 5), datetime(2016, 1, 6)
    rows = [*trip_rows(quiet, 23, 60, 1), *trip_rows(busy, 23, 300, 2), *trip_rows(busy, 23, 300, 3)]
    crowded = [
        f"2,2016-01-06 12:{n % 60:02}:00,2016-01-06 {14 if n % 10 else 12}:{n % 60:02}:{n % 50 + 9},1,{1 + n / 1000},"
        "-73.98,40.75,-73.979,40.751,9.5"
        for n in range(600)
    ]
    file = write(tmp_path / "tripdata_2016-01-05.csv", *rows, *crowded)
    whole, cut = (Dataset(str(tmp_path / name), "city", small_city) for name in ("whole", "cut"))
    make(spark, whole, file)
    monkeypatch.setattr(positions, "_TRIPS_PER_TASK", 50)
    monkeypatch.setattr(positions, "_TRIPS_AT_ONCE", 7)
    make(spark, cut, file)
    assert max(len(part.files) for part in cut.positions.manifest().partitions.values()) > 20
    assert whole.trips.read().num_rows > 1000
    lakes.assert_equal(cut, whole)


def test_every_generation_and_format_goes_together_in_one_run(spark, small_city, tmp_path):
    rows = trip_rows(datetime(2016, 1, 5), 23, 80, 5)
    yellow = write(tmp_path / "yellow_tripdata_2016-01.csv", *rows)
    old = tmp_path / "yellow_tripdata_2010-03.csv"
    names = HEADER.replace("tpep_", "").replace("VendorID", "vendor_id")
    old.write_text("\n".join((names, *trip_rows(datetime(2010, 3, 5), 23, 70, 6), "")))
    green = tmp_path / "green_tripdata_2015-02.csv.gz"
    names = HEADER.replace("tpep_pickup", "lpep_pickup").replace("tpep_dropoff", "Lpep_dropoff")
    green.write_bytes(gzip.compress("\n".join((names, *trip_rows(datetime(2015, 2, 5), 23, 60, 7), "")).encode()))
    starts = [datetime(2019, 3, 5, hour) for hour in range(20)]
    recent = pa.table(
        {
            "VendorID": [2] * 20,
            "tpep_pickup_datetime": pa.array(starts, pa.timestamp("us")),
            "tpep_dropoff_datetime": pa.array([at.replace(minute=12) for at in starts], pa.timestamp("us")),
            "trip_distance": [1.5] * 20,
            "PULocationID": [7] * 20,
            "DOLocationID": [7] * 19 + [265],
            "fare_amount": [9.5] * 20,
        }
    )
    pq.write_table(recent, tmp_path / "yellow_tripdata_2019-03.parquet")
    box = [[-73.99, 40.75], [-73.98, 40.75], [-73.98, 40.76], [-73.99, 40.76], [-73.99, 40.75]]
    shape = {"type": "Polygon", "coordinates": [box]}
    zone = {"type": "Feature", "properties": {"LocationID": 7, "zone": "Seven"}, "geometry": shape}
    zones = tmp_path / "zones.geojson"
    zones.write_text(json.dumps({"type": "FeatureCollection", "features": [zone]}))

    dataset = Dataset(str(tmp_path / "lake"), "city", small_city)
    files = [yellow, old, green, tmp_path / "yellow_tripdata_2019-03.parquet"]
    figures = run_clean(spark, dataset, files, zones)
    kept = dataset.trips.read().to_pandas().groupby("source_file").size().to_dict()
    assert kept == {
        "yellow_tripdata_2016-01.csv": 78,
        "yellow_tripdata_2010-03.csv": 68,
        "green_tripdata_2015-02.csv.gz": 58,
        "yellow_tripdata_2019-03.parquet": 19,
    }
    assert figures.quarantined_by_reason == {"dropoff before pickup": 6, "unknown location id": 1}
    assert [day.isoformat() for day in dataset.trips.dates()] == [
        "2010-03-05",
        "2015-02-05",
        "2016-01-05",
        "2019-03-05",
    ]
