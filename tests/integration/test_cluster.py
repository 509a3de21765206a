"""The batch on a Spark standalone cluster gives the lake that it gives on one machine; only settings differ."""

import gzip
import os
import subprocess
from datetime import datetime

import pytest

from smartcity.city import City
from smartcity.lake import Dataset
from smartcity.services import java
from smartcity.settings import ROOT, Settings
from tests import lakes
from tests.integration.cluster import spark_cluster
from tests.trips import trip_rows, write

pytestmark = pytest.mark.integration


def test_a_master_and_two_workers_make_the_same_lake(tmp_path, python):
    plain, packed = (
        write(tmp_path / f"yellow_tripdata_2016-01_{day}.csv", *trip_rows(datetime(2016, 1, day), 24, 2_000, day))
        for day in (5, 6)
    )
    files = [str(plain), f"{packed}.gz"]
    (tmp_path / f"{packed.name}.gz").write_bytes(gzip.compress(packed.read_bytes()))
    settings = Settings(home=tmp_path)

    def run(lake: str, master: str) -> Dataset:
        environment = {
            **os.environ,
            **java.environment(settings),
            "TRAFFIC_HOME": str(tmp_path),
            "TRAFFIC_LAKE": str(tmp_path / lake),
            "TRAFFIC_SPARK_MASTER": master,
        }
        command = [python, "-m", "spark_jobs.pipeline", "trips", "--dataset", "city", *files]
        ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr[-3000:]
        return Dataset(str(tmp_path / lake), "city", City())

    with spark_cluster(settings, tmp_path / "cluster") as (master, workers):
        there = run("cluster-lake", master.url)
        applications = master.state()["completedapps"]
    assert [application["name"] for application in applications] == ["traffic trips city"]
    assert all(list(folder.glob("app-*/*/stderr")) for folder in workers), "a worker had nothing to do"
    here = run("local-lake", "local[2]")
    assert here.features.read().num_rows > 1000
    lakes.assert_equal(there, here)
