"""The batch, killed with SIGKILL ten times while it works, leaves the lake that an undisturbed run leaves."""

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest

from smartcity.city import City
from smartcity.lake import Dataset
from smartcity.services import java
from smartcity.settings import ROOT, Settings
from tests import lakes
from tests.integration.processes import die_with_parent
from tests.trips import trip_rows, write

pytestmark = pytest.mark.integration

SEED = 11
#: In which stage each kill falls, and whether at a random moment of it or while it writes: a stage is over in less
#: than a second here, and most random moments fall before its first file.
KILLS = [(stage, when) for stage in ("trips", "positions", "features") for when in ("random", "writing", "random")]
KILLS.append(("features", "writing"))


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[str]:
    """Two days, the second one packed."""
    folder = tmp_path_factory.mktemp("files")
    plain, packed = (
        write(folder / f"yellow_tripdata_2016-01_{day}.csv", *trip_rows(datetime(2016, 1, day), 24, 6_000, day))
        for day in (5, 6)
    )
    with gzip.open(f"{packed}.gz", "wb") as target:
        target.write(packed.read_bytes())
    return [str(plain), f"{packed}.gz"]


class Pipeline:
    """The batch over these files as a process of its own."""

    def __init__(self, home: Path, python: str, files: list[str]) -> None:
        self._command = [python, "-m", "spark_jobs.pipeline", "trips", "--dataset", "city", *files]
        self._home, self._log = home, home / "pipeline.log"
        (home / "spark").mkdir(parents=True, exist_ok=True)
        self._environment = {**os.environ, **java.environment(Settings(home=home)), "TRAFFIC_HOME": str(home)}
        # What a killed Spark leaves on its own disk goes with the test.
        self._environment["SPARK_LOCAL_DIRS"] = str(home / "spark")

    def lake(self, name: str) -> Dataset:
        return Dataset(str(self._home / name), "city", City())

    def run(self, lake: str, kill_in: str | None = None, after: float | None = None) -> dict[str, float] | None:
        """Seconds by stage; None where the process group was killed in the stage ``kill_in``.

        That is ``after`` so many seconds of it, or with its next file.
        """
        environment = {**self._environment, "TRAFFIC_LAKE": str(self._home / lake)}
        stages: dict[str, float] = {}
        with (
            self._log.open("ab") as log,
            subprocess.Popen(
                self._command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
                env=environment,
                start_new_session=True,
                preexec_fn=die_with_parent,
            ) as process,
        ):
            try:
                for line in process.stdout:
                    told = json.loads(line)
                    if told["state"] == "done":
                        stages[told["stage"]] = told["seconds"]
                    elif (told["stage"], told["state"]) == (kill_in, "started"):
                        if after is None:
                            self._wait_for_a_file(process, lake)
                        else:
                            with suppress(subprocess.TimeoutExpired):
                                process.wait(after)
                        break
                else:
                    process.wait()
                if process.poll() is None:
                    return None
                assert process.returncode == 0, self._log.read_text()[-3000:]
                return stages
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def _wait_for_a_file(self, process: subprocess.Popen, lake: str) -> None:
        """Return when the stage at work has begun one more file, or the process has ended."""

        def files() -> set[Path]:
            return {path for path in (self._home / lake).rglob("*") if path.suffix in {".arrow", ".parquet"}}

        before = files()
        while process.poll() is None and not files() - before:
            time.sleep(0.002)


def test_ten_kills_at_random_moments_change_nothing(tmp_path_factory, python, files):
    pipeline = Pipeline(tmp_path_factory.mktemp("home"), python, files)
    usual = pipeline.run("undisturbed")
    chance, kills, runs, left = random.Random(SEED), 0, 0, 0
    while kills < len(KILLS):
        stage, when = KILLS[kills]
        runs += 1
        assert runs <= 2 * len(KILLS), "the runs end before they can be killed"
        if pipeline.run("killed", stage, None if when == "writing" else chance.uniform(0, usual[stage])) is None:
            kills += 1
            left += len(lakes.strays(pipeline.lake("killed")))
        else:
            # Nothing was left to do: the next kills meet a lake that is made from the beginning.
            shutil.rmtree(pipeline.lake("killed").path)
    assert pipeline.run("killed") is not None
    undisturbed, killed = pipeline.lake("undisturbed"), pipeline.lake("killed")
    assert undisturbed.features.read().num_rows > 1000 and undisturbed.quarantine.read().num_rows == 300
    lakes.assert_equal(killed, undisturbed)

    assert left, "ten killed runs left nothing behind?"
    # A task whose Spark was killed ends by itself within moments; nothing is at work then.
    time.sleep(1)
    stray = lakes.strays(killed)
    command = [python, "-m", "smartcity", "housekeeping", "city", "--now", "--json"]
    environment = {**os.environ, "TRAFFIC_LAKE": str(Path(killed.path).parent)}
    told = subprocess.run(command, capture_output=True, check=True, cwd=ROOT, env=environment)
    assert json.loads(told.stdout)["city"]["files"] == len(stray)
    assert lakes.strays(killed) == set()
    lakes.assert_equal(killed, undisturbed)
