"""Trip files on an S3-compatible store, and the lake on it, give what the same files on a disk give."""

import gzip
import json
import subprocess
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv, fs

from smartcity.city import City
from smartcity.errors import InputError
from smartcity.housekeeping import sweep
from smartcity.lake import Dataset
from smartcity.services import java
from smartcity.settings import ROOT, Settings
from smartcity.tripfiles import check_files, discover, plan, read_chunk
from tests import lakes
from tests.integration.s3 import s3_server
from tests.trips import trip_rows, write

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """One file of each format."""
    found = tmp_path_factory.mktemp("files")
    _, packed, table = (
        write(found / f"yellow_tripdata_2016-01_{day}.csv", *trip_rows(datetime(2016, 1, day), 24, 400, day))
        for day in (5, 6, 7)
    )
    Path(f"{packed}.gz").write_bytes(gzip.compress(packed.read_bytes()))
    times = dict.fromkeys(("tpep_pickup_datetime", "tpep_dropoff_datetime"), pa.timestamp("us"))
    rows = csv.read_csv(table, convert_options=csv.ConvertOptions(column_types=times))
    pq.write_table(rows, table.with_suffix(".parquet"), row_group_size=150)
    packed.unlink()
    table.unlink()
    return found


@pytest.fixture
def store(tmp_path, folder, monkeypatch):
    """Its address; the files are in it, under ``in/``."""
    with s3_server(tmp_path, "traffic") as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        fs.copy_files(str(folder), "s3://traffic/in")
        yield "s3://traffic"


def rows_of(paths: list[str]) -> pa.Table:
    chunks = plan(check_files(discover(paths), chunk_bytes=20_000).files)
    rows = pa.Table.from_batches([batch for chunk in chunks for batch in read_chunk(chunk)])
    return rows.sort_by([("source_file", "ascending"), ("row_number", "ascending")])


def test_files_are_read_by_address_folder_and_pattern_as_from_a_disk(store, folder):
    expected = rows_of([str(folder)])
    assert expected.num_rows == 1200
    assert rows_of([f"{store}/in"]).equals(expected)
    assert rows_of([f"{store}/in/*_6.csv.gz", f"{store}/in/*_[57].*"]).equals(expected)
    with pytest.raises(InputError, match="no such file"):
        discover([f"{store}/in/none.csv"])


def test_wrong_credentials_are_told_at_once(store, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(InputError, match="AWS_ENDPOINT_URL"):
        discover([f"{store}/in"])


def test_the_whole_batch_from_a_store_to_a_lake_on_it(store, folder, tmp_path, python):
    local, remote = Dataset(str(tmp_path / "lake"), "city", City()), Dataset(f"{store}/lake", "city", City())
    for lake, source in ((local, str(folder)), (remote, f"{store}/in")):
        settings = Settings(home=tmp_path, lake=lake.uri.rpartition("/")[0])
        environment = {**java.environment(settings), "TRAFFIC_HOME": str(tmp_path), "TRAFFIC_LAKE": settings.lake}
        command = [python, "-m", "spark_jobs.pipeline", "trips", "--dataset", "city", source]
        with pytest.MonkeyPatch.context() as patched:
            for name, value in environment.items():
                patched.setenv(name, value)
            ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr[-3000:]
        assert json.loads(ran.stdout.splitlines()[-1])["stage"] == "housekeeping"
    assert local.features.read().num_rows > 100
    lakes.assert_equal(remote, local)
    sweep(remote, at_once=True)
    assert lakes.strays(remote) == set()
    lakes.assert_equal(remote, local)
