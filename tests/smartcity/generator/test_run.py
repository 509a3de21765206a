"""The files: their schemas, their dirt, the same bytes for the same seed, and nothing overwritten unasked."""

import json
from datetime import date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from smartcity.cli.generate import command
from smartcity.columns import TRUTH
from smartcity.errors import InputError
from smartcity.generator import parameters as p
from smartcity.generator.days import trip_day
from smartcity.generator.files import Staging
from smartcity.generator.parts import write_part
from smartcity.generator.run import generate
from smartcity.generator.taxirows import SCHEMA

HEADER_OF_2016 = (
    "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,pickup_longitude,"
    "pickup_latitude,RatecodeID,store_and_fwd_flag,dropoff_longitude,dropoff_latitude,payment_type,fare_amount,extra,"
    "mta_tax,tip_amount,tolls_amount,improvement_surcharge,total_amount"
)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_same_request_same_bytes(tmp_path, request_of):
    generate(request_of(), tmp_path / "a")
    generate(request_of(), tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert set(contents(tmp_path / "a")) == {
        "generated.json",
        "trips/yellow_tripdata_2016-01_generated.parquet",
        "probes/probes_2016-01-05.parquet",
        "probes/probes_2016-01-06.parquet",
        "truth/truth_2016-01-05.parquet",
        "truth/truth_2016-01-06.parquet",
    }


def test_another_seed_other_trips(request_of):
    one, other = (trip_day(request_of(seed=seed), date(2016, 1, 5))[0] for seed in (1, 2))
    assert not one.equals(other)


def test_a_day_is_the_same_in_a_shorter_and_in_a_longer_run(tmp_path, request_of):
    generate(request_of(start=date(2016, 1, 6), days=1), tmp_path / "one")
    generate(request_of(days=3), tmp_path / "three")
    one, three = contents(tmp_path / "one"), contents(tmp_path / "three")
    for name in ("probes/probes_2016-01-06.parquet", "truth/truth_2016-01-06.parquet"):
        assert one[name] == three[name]
    trips = pq.read_table(tmp_path / "three/trips/yellow_tripdata_2016-01_generated.parquet")
    alone = pq.read_table(tmp_path / "one/trips/yellow_tripdata_2016-01_generated.parquet")
    assert trips.slice(2000, 2000).equals(alone)


def test_trip_files_are_monthly_and_in_the_schema_of_2016(tmp_path, request_of):
    made = generate(request_of(start=date(2016, 1, 31), format="csv", with_probes=False), tmp_path)
    names = [name for name in made.files if name.startswith("trips/")]
    assert names == [
        "trips/yellow_tripdata_2016-01_generated.csv",
        "trips/yellow_tripdata_2016-02_generated.csv",
    ]
    lines = (tmp_path / names[0]).read_text().splitlines()
    assert lines[0] == HEADER_OF_2016
    assert len(lines) == 2001
    assert lines[1].split(",")[1].startswith("2016-01-31 00:")
    assert not list(tmp_path.glob("probes/*"))


def test_csv_and_parquet_hold_the_same_rows(tmp_path, request_of):
    generate(request_of(format="csv", with_probes=False), tmp_path / "csv")
    generate(request_of(with_probes=False), tmp_path / "parquet")
    name = "trips/yellow_tripdata_2016-01_generated"
    read = pacsv.read_csv(tmp_path / f"csv/{name}.csv", convert_options=pacsv.ConvertOptions(column_types=SCHEMA))
    assert read.equals(pq.read_table(tmp_path / f"parquet/{name}.parquet"))


def test_dirty_rows_come_at_the_documented_rates_and_are_counted(request_of):
    rows, planted = trip_day(request_of(trips_per_day=100_000), date(2016, 1, 5))
    for kind, rate in p.DIRTY_RATES.items():
        assert planted[kind] == pytest.approx(rate * 100_000, abs=4 * (rate * 100_000) ** 0.5)
    taken = (
        pc.subtract(
            rows.column("tpep_dropoff_datetime").cast(pa.int64()), rows.column("tpep_pickup_datetime").cast(pa.int64())
        ).to_numpy()
        / 1e6
    )
    assert (taken <= 0).sum() == planted["duration_not_positive"]
    assert ((taken > 0) & (taken < 60)).sum() == planted["duration_under_60_s"]
    assert (taken > 3 * 3600).sum() == planted["duration_over_3_h"]
    assert (rows.column("trip_distance").to_numpy() == 0).sum() == planted["distance_zero"]
    assert (rows.column("fare_amount").to_numpy() < 0).sum() == planted["fare_negative"]
    assert (rows.column("passenger_count").to_numpy() == 0).sum() == planted["passengers_zero"]
    start, end = (rows.column(f"{side}_latitude").to_numpy() for side in ("pickup", "dropoff"))
    assert ((start == 0) | (end == 0)).sum() == planted["zero_coordinate"]
    assert ((end != 0) & ((end < 40.49) | (end > 40.93))).sum() == planted["out_of_bounds"]


def test_probes_of_a_day_lie_in_it_and_begin_at_its_midnight(tmp_path, request_of):
    generate(request_of(days=1), tmp_path)
    rows = pq.read_table(tmp_path / "probes/probes_2016-01-05.parquet")
    assert rows.column_names == ["vehicle_id", "timestamp", "latitude", "longitude", "speed"]
    times = [datetime.fromisoformat(text) for text in rows.column("timestamp").to_pylist()]
    assert times == sorted(times)
    assert datetime.fromisoformat("2016-01-05T05:00:00Z") <= times[0] < times[0] + timedelta(minutes=5)
    assert times[0] < datetime.fromisoformat("2016-01-05T05:02:00Z")
    assert times[-1] < datetime.fromisoformat("2016-01-06T05:00:00Z")
    assert rows.group_by(["vehicle_id", "timestamp"]).aggregate([]).num_rows == rows.num_rows


def test_truth_has_the_columns_of_the_contract(tmp_path, request_of):
    generate(request_of(days=1, with_probes=False), tmp_path)
    rows = pq.read_table(tmp_path / "truth/truth_2016-01-05.parquet")
    assert rows.schema.equals(TRUTH)
    assert rows.num_rows == 60 * 720


def test_other_content_is_not_overwritten_unless_forced(tmp_path, request_of):
    generate(request_of(with_probes=False), tmp_path)
    before = contents(tmp_path)
    with pytest.raises(InputError, match="--force"):
        generate(request_of(seed=6, with_probes=False), tmp_path)
    assert contents(tmp_path) == before
    generate(request_of(seed=6, days=1, with_probes=False), tmp_path, force=True)
    assert sorted(contents(tmp_path)) == [
        "generated.json",
        "trips/yellow_tripdata_2016-01_generated.parquet",
        "truth/truth_2016-01-05.parquet",
    ]


def test_a_foreign_file_in_the_way_is_refused_and_nothing_is_left_behind(tmp_path, request_of):
    foreign = tmp_path / "truth/truth_2016-01-05.parquet"
    foreign.parent.mkdir()
    foreign.write_bytes(b"mine")
    with pytest.raises(InputError, match=r"truth_2016-01-05\.parquet"):
        generate(request_of(days=1, with_probes=False), tmp_path)
    assert contents(tmp_path) == {"truth/truth_2016-01-05.parquet": b"mine"}


def test_finished_work_is_not_redone_but_a_damaged_file_is(tmp_path, request_of):
    request = request_of(days=1, with_probes=False)
    generate(request, tmp_path)
    whole = contents(tmp_path)
    days = []
    generate(request, tmp_path, progress=days.append)
    assert days == []
    (tmp_path / "truth/truth_2016-01-05.parquet").unlink()
    generate(request, tmp_path, progress=days.append)
    assert days == [date(2016, 1, 5)]
    assert contents(tmp_path) == whole


def test_a_run_that_breaks_off_leaves_nothing(tmp_path):
    rows = pa.table({"x": [1]})
    with pytest.raises(RuntimeError), Staging(tmp_path) as staging:
        for label in ("joined", "left"):
            write_part(staging.part("a.parquet", label), rows, csv=False)
        staging.join("a.parquet", staging.part("a.parquet", "joined"), rows.schema)
        staging.write_bytes("b.json", b"{}")
        raise RuntimeError
    assert contents(tmp_path) == {}


def test_any_number_of_processes_makes_the_same_bytes(tmp_path, request_of):
    """Three days in two months; with probes in runs of two days and one."""
    for number, changes in enumerate(({"format": "csv", "with_probes": False}, {"trips_per_day": 300})):
        request = request_of(start=date(2016, 1, 30), days=3, **changes)
        generate(request, tmp_path / f"{number}-1", workers=1)
        generate(request, tmp_path / f"{number}-2", workers=2)
        assert contents(tmp_path / f"{number}-1") == contents(tmp_path / f"{number}-2")
        assert len(contents(tmp_path / f"{number}-1")) == (6 if number == 0 else 9)


def test_each_day_is_a_row_group_of_its_month(tmp_path, request_of):
    generate(request_of(with_probes=False), tmp_path)
    with pq.ParquetFile(tmp_path / "trips/yellow_tripdata_2016-01_generated.parquet") as file:
        groups = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    assert groups == [2000, 2000]


def test_the_command_prints_one_json_object_and_ends_yesterday(tmp_path):
    arguments = ["--days", "1", "--trips-per-day", "500", "--no-probes", "--json", "--out", str(tmp_path / "city")]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures["trip_rows"] == 500
    assert figures["probe_rows"] == 0
    assert figures["dirty_rows"] == sum(
        value for name, value in figures.items() if name.startswith("dirty_") and name != "dirty_rows"
    )
    assert 0 < (date.today() - date.fromisoformat(figures["last_day"])).days <= 2
