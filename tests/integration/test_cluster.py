"""The batch on a Spark standalone cluster gives the lake that it gives on one machine, also when its leader dies."""

import gzip
import os
import subprocess
import time
from datetime import datetime

import pytest

from smartcity.city import City
from smartcity.lake import Dataset
from smartcity.services import java
from smartcity.settings import ROOT, Settings
from tests import lakes
from tests.integration.cluster import address, spark_cluster
from tests.trips import trip_rows, write

pytestmark = pytest.mark.integration


def wait_until(ready, job, log):
    """Until ``ready()``, while the job runs: what is waited for must happen before it ends."""
    end = time.monotonic() + 120
    while not ready():
        assert job.poll() is None and time.monotonic() < end, log.read_text()[-3000:]
        time.sleep(0.1)


def test_a_cluster_whose_leading_master_is_killed_while_a_job_runs_makes_the_same_lake(tmp_path, python):
    plain, packed = (
        write(tmp_path / f"yellow_tripdata_2016-01_{day}.csv", *trip_rows(datetime(2016, 1, day), 24, 2_000, day))
        for day in (5, 6)
    )
    files = [str(plain), f"{packed}.gz"]
    (tmp_path / f"{packed.name}.gz").write_bytes(gzip.compress(packed.read_bytes()))
    settings, log = Settings(home=tmp_path), tmp_path / "job.log"

    def start(lake: str, master: str) -> subprocess.Popen:
        environment = {
            **os.environ,
            **java.environment(settings),
            "TRAFFIC_HOME": str(tmp_path),
            "TRAFFIC_LAKE": str(tmp_path / lake),
            "TRAFFIC_SPARK_MASTER": master,
        }
        command = [python, "-m", "spark_jobs.pipeline", "trips", "--dataset", "city", *files]
        with log.open("ab") as output:
            return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)

    with spark_cluster(settings, tmp_path / "cluster") as (masters, workers):
        leader, standby = masters
        assert standby.status == "STANDBY"
        with start("cluster-lake", address(masters)) as job:
            # Both workers work on it.
            wait_until(lambda: [one["cores"] for one in leader.state()["activeapps"]] == [2], job, log)
            leader.kill()
            wait_until(lambda: standby.status == "ALIVE", job, log)
        assert job.returncode == 0, log.read_text()[-3000:]
        state = standby.state()
    # The standby learned of the job and of the workers from ZooKeeper, and of the job's end from the job itself.
    assert [application["name"] for application in state["completedapps"]] == ["traffic ingest trips"]
    assert [application["state"] for application in state["completedapps"]] == ["FINISHED"]
    assert [worker["state"] for worker in state["workers"]] == ["ALIVE"] * 2
    assert all(worker.had_work for worker in workers), "a worker had nothing to do"
    with start("local-lake", "local[2]") as job:
        pass
    assert job.returncode == 0, log.read_text()[-3000:]
    there, here = (Dataset(str(tmp_path / lake), "city", City()) for lake in ("cluster-lake", "local-lake"))
    assert here.features.read().num_rows > 1000
    lakes.assert_equal(there, here)
