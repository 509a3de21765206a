"""The DAGs in a real Airflow: from the publisher's files to a registered model, through kills, and what stops a run."""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import h3
import psutil
import pytest

from smartcity import inbox
from smartcity.lake import Dataset
from smartcity.levels import Level
from smartcity.messages import Forecast, ScoredWindow
from smartcity.model import registry
from smartcity.model.spec import MODEL_NAME
from smartcity.services import health, java, kafka, programs
from smartcity.services.pools import SPARK_POOL, SPARK_SLOTS
from smartcity.services.ports import free_port
from smartcity.settings import ROOT, Settings
from smartcity.store.engine import create_all, create_engine, open_engine
from smartcity.store.ledger import ROLL_BACK, decisions
from smartcity.store.writer import WindowSums, upsert_windows, window_row
from tests import lakes
from tests.expectations.test_raw_gate import write as published
from tests.integration.airflow import ENDED, AirflowClient, airflow_parts
from tests.integration.model_events import told
from tests.integration.outages import Broker, Door
from tests.integration.processes import answers_http
from tests.smartcity.publisher import publisher

pytestmark = pytest.mark.integration

#: Days × trips of the generated city: enough for labels and a model, little enough for minutes.
DAYS, TRIPS_PER_DAY = 3, 4000
SPARK_JOBS = {"clean", "positions", "windows", "features"}
#: The gates that are killed too: each costs the time of another start.
GATES = {"gate_raw", "gate_features"}


@pytest.fixture(scope="module")
def door(service_settings: Settings, mlflow_server: str) -> Iterator[Door]:
    """The only way from this file's Airflow to the registry, which others use too."""
    found = Door(service_settings.mlflow_port)
    yield found
    found.shut()


@pytest.fixture(scope="module")
def settings(
    service_settings: Settings, door: Door, broker_jars: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """The shared registry behind a door, and a broker of its own."""
    return Settings(
        home=tmp_path_factory.mktemp("airflow"),
        jars=service_settings.jars,
        mlflow_port=door.port,
        kafka_port=free_port(),
        kafka_controller_port=free_port(),
        airflow_port=free_port(),
        openlineage="file",
    )


@pytest.fixture(scope="module")
def own_broker(settings: Settings) -> Iterator[Broker]:
    """With its topics: this file and the shared broker's others may run side by side."""
    found = Broker(settings)
    found.on()
    kafka.create_topics(settings)
    yield found
    found.off()


def live_forecasts(settings: Settings, version: str, level: Level) -> None:
    """Two hours in which all places were jammed, and ``version`` foretold ``level`` for each of them."""
    newest = datetime.now(UTC).replace(second=0, microsecond=0)
    step = timedelta(minutes=settings.city.window_minutes)
    lead = 8 * step
    sums = WindowSums(speed_sum=3_000, speed_square_sum=1_800_000, vehicle_bits=0b11111)
    chances = {f"probability_{each}": 0.8 if each == level else 0.1 for each in ("low", "medium", "high")}
    rows = []
    for cell in h3.grid_disk("882a100d25fffff", 2):
        for number in range(60):
            end = newest - number * step
            forecast = Forecast(
                made_utc=end, for_utc=end + lead, level=level, expected_speed_mph=18.0, model_version=version, **chances
            )
            window = ScoredWindow(
                cell_id=cell, window_start_utc=end - step, window_end_utc=end, vehicle_count=5, position_count=5,
                avg_speed_mph=6.0, std_speed_mph=1.0, free_flow_mph=20.0, ratio=0.3, level=Level.HIGH,
                forecast=forecast, updated_utc=end,
            )  # fmt: skip
            rows.append(window_row(window, sums))
    engine = create_engine(settings)
    create_all(engine)
    with engine.begin() as connection:
        upsert_windows(connection, rows)


@pytest.fixture(scope="module")
def trip_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A month's file of a generated city, as it is published."""
    made = tmp_path_factory.mktemp("generated")
    size = ["--days", str(DAYS), "--trips-per-day", str(TRIPS_PER_DAY), "--seed", "5", "--start", "2025-02-03"]
    command = [sys.executable, "-m", "smartcity", "generate", *size, "--no-probes", "--out", str(made)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    (file,) = (made / "trips").iterdir()
    return file


@pytest.fixture(scope="module")
def airflow(settings: Settings, own_broker: Broker, trip_file: Path) -> Iterator[AirflowClient]:
    """Airflow with an empty database, and a publisher who has one month and breaks off in the middle of it, once."""
    # A small model: what is tested is the way to it.
    names = {
        "TRAFFIC_FOREST_TREES": "8",
        "TRAFFIC_FOREST_DEPTH": "6",
        "TRAFFIC_TRAINING_TRIALS": "1",
        # Before the next try, and for Kafka to take a message: by day it is half a minute each.
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "2",
        "AIRFLOW_CONN_KAFKA_DEFAULT": json.dumps(
            {"conn_type": "kafka", "extra": {"bootstrap.servers": settings.kafka, "message.timeout.ms": 4_000}}
        ),
    }
    with publisher() as site:
        site.files["/trips_2025-02.parquet"] = trip_file.read_bytes()
        site.break_after, site.breaks = 100_000, 1
        names["TRAFFIC_DOWNLOAD"] = f"{site.address}/trips_{{year}}-{{month}}.parquet"
        names["TRAFFIC_DOWNLOAD_FROM"] = "2025-02"
        with airflow_parts(settings, names) as client:
            yield client


def processes_of(settings: Settings, task: str) -> list[psutil.Process]:
    """Java and Python of a Spark job of this home, or a gate; their workers too."""
    kind, _, suite = task.partition("_")

    def does(words: list[str]) -> bool:
        if kind == "gate":
            return words[1:4] == ["-m", "expectations", suite]
        return any(word.endswith(f"spark_jobs/{task}.py") for word in words)

    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("TRAFFIC_HOME") == str(settings.home) and does(process.cmdline()):
                found += [process, *process.children(recursive=True)]
    return found


def test_the_nightly_run_is_green_whatever_is_killed_and_a_model_follows(
    airflow: AirflowClient, settings: Settings, trip_file: Path, tmp_path: Path
) -> None:
    # A new Airflow makes up for the last 02:00 it missed; that run finds what the publisher has.
    opened: set[str] = set()
    killed: set[str] = set()
    chance = random.Random(3)

    def look_and_kill(run: dict[str, Any]) -> None:
        at_work = {task for task, state in airflow.states(run).items() if state == "running"}
        for job in (at_work & SPARK_JOBS) - opened:
            address = airflow.links(run, job)["Spark UI (while it runs)"]
            if address and answers_http(f"{address}/jobs/"):
                opened.add(job)
        for task in (at_work & (SPARK_JOBS | GATES)) - killed:
            time.sleep(chance.uniform(0, 3 if task in SPARK_JOBS else 1))
            for process in processes_of(settings, task):
                killed.add(task)
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    run = airflow.wait_for_run("traffic_nightly", 1200, look_and_kill)
    states = airflow.states(run)
    broken = [task for task, state in states.items() if state == "failed"]
    assert run["state"] == "success", (states, [airflow.log(run, task) for task in broken])
    assert set(states.values()) == {"success"}
    assert opened, "no job's own pages could be looked at while it ran"
    assert len(killed & SPARK_JOBS) >= 3 and killed & GATES, killed
    for gate in killed & GATES:
        assert "ended by signal 9 before it had judged the data" in airflow.log(run, gate, attempt=1)
    assert "100,000 of them by an earlier try" in airflow.log(run, "download_new_files")

    dataset = Dataset.of(settings)
    assert len(dataset.trips.dates()) == DAYS
    assert dataset.features.dates() == dataset.trips.dates()
    assert inbox.new_files(settings, dataset.name) == []
    undisturbed = Settings(home=tmp_path, jars=settings.jars)
    file = shutil.copy(trip_file, tmp_path / "trips_2025-02.parquet")
    days = dataset.trips.dates()
    asked = ["--from", str(days[0]), "--to", str(days[-1])]
    for job, words in (("clean", [str(file)]), *((job, asked) for job in ("positions", "windows", "features"))):
        command = [sys.executable, "-m", f"spark_jobs.{job}", "--dataset", settings.dataset, *words]
        environment = {**os.environ, **java.environment(undisturbed), "TRAFFIC_HOME": str(tmp_path)}
        made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True)
        assert made.returncode == 0, made.stderr[-3000:]
    lakes.assert_equal(dataset, Dataset.of(undisturbed))
    gates = [json.loads(line) for line in (settings.home / "data_docs" / "runs.jsonl").read_text().splitlines()]
    # One that was killed after its verdict has given it twice.
    assert list(dict.fromkeys(gate["gate"] for gate in gates)) == ["raw", "trips", "windows", "features"]
    assert all(gate["status"] != "failed" for gate in gates)

    retrain = airflow.wait_for_run("model_retrain", 300)
    states = airflow.states(retrain)
    assert retrain["run_type"] == "asset_triggered"
    assert retrain["state"] == "success", (states, airflow.log(retrain, "train"))
    versions = urllib.request.urlopen(
        f"{settings.mlflow}/api/2.0/mlflow/registered-models/get?name=congestion", timeout=30
    ).read()
    assert json.loads(versions)["registered_model"]["latest_versions"]
    promoted = bool(json.loads(versions)["registered_model"].get("aliases"))
    assert states["announce"] == ("success" if promoted else "skipped")
    if promoted:
        (event,) = told(settings, "promoted")
        assert (event.event, event.version, event.before) == ("promoted", "1", None)


def test_a_pool_that_is_gone_is_told_by_the_status(airflow: AirflowClient, settings: Settings) -> None:
    assert health.check_airflow(settings).ok
    pool = airflow.call(f"/api/v2/pools/{SPARK_POOL}")
    assert pool["slots"] == SPARK_SLOTS
    airflow.call(f"/api/v2/pools/{SPARK_POOL}", method="DELETE")
    try:
        assert "no pool 'spark' with a slot, so that no Spark job starts" in health.check_airflow(settings).detail
    finally:
        airflow.call("/api/v2/pools", {name: pool[name] for name in ("name", "slots", "description")})
    assert health.check_airflow(settings).ok


def test_the_lineage_that_airflow_tells_reads_as_the_data_path(airflow: AirflowClient, settings: Settings) -> None:
    ended: dict[str, Any] = {}
    end = time.monotonic() + 60  # the scheduler tells of a run after it has ended
    while not {"traffic_nightly", "model_retrain"} <= ended.keys() and time.monotonic() < end:
        time.sleep(1)
        events = [json.loads(line) for line in (settings.home / "lineage.jsonl").read_text().splitlines()]
        ended = {event["job"]["name"]: event for event in events if event["eventType"] == "COMPLETE"}
    assert {"traffic_nightly", "model_retrain"} <= ended.keys()
    assert {event["job"]["namespace"] for event in ended.values()} == {"smart-city-traffic"}
    assert "def find_new_files" not in json.dumps(ended), "source code of tasks was told"

    def told(job: str, side: str) -> list[tuple[str, str]]:
        return [(data["namespace"], data["name"]) for data in ended[job][side]]

    path = (
        ("traffic_nightly.clean", "traffic://inbox", "files", "traffic://lake", "trips"),
        ("traffic_nightly.positions", "traffic://lake", "trips", "traffic://lake", "positions"),
        ("traffic_nightly.windows", "traffic://lake", "positions", "traffic://lake", "windows"),
        ("traffic_nightly.publish_features", "traffic://lake", "windows", "traffic://lake", "features"),
        ("model_retrain.train", "traffic://lake", "features", "traffic://registry", "congestion"),
    )
    for job, *ends in path:
        assert [*told(job, "inputs"), *told(job, "outputs")] == [tuple(ends[:2]), tuple(ends[2:])], job


def test_a_gates_link_leads_to_its_line_in_data_docs_and_a_trainings_to_its_run(
    airflow: AirflowClient, settings: Settings
) -> None:
    run = airflow.runs("traffic_nightly")[0]
    docs = airflow.links(run, "gate_features")["Data Docs"]
    page, _, mark = docs.partition("#")
    assert f"id='{mark}'" in airflow.page(page)
    retrain = airflow.runs("model_retrain")[0]
    assert airflow.links(retrain, "train")["MLflow run"].startswith(f"{settings.mlflow}/#/experiments/")


def next_day(settings: Settings) -> list[dict[str, Any]]:
    """The lake's last day, delivered under the date after it."""
    trips = Dataset.of(settings).trips
    day = trips.dates()[-1]
    rows = trips.read(day, day).to_pylist()
    for row in rows:
        row["pickup_utc"] += timedelta(days=1)
        row["dropoff_utc"] += timedelta(days=1)
    return rows


def swapped(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for row in rows:
        for end in ("pickup", "dropoff"):
            there = f"{end}_latitude", f"{end}_longitude"
            row[there[0]], row[there[1]] = row[there[1]], row[there[0]]
    return rows


def in_kilometres(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"trip_distance_miles": row["trip_distance_miles"] * 1.609344} for row in rows]


@pytest.mark.parametrize(
    ("fault", "renamed", "broken"),
    [
        # No row is left of the day, so that it is also smaller than others.
        (swapped, {}, {"most_rows_are_good", "rows_are_as_many_as_usual"}),
        (lambda rows: rows[::2], {}, {"rows_are_as_many_as_usual"}),
        (in_kilometres, {}, {"speed_is_in_the_usual_unit"}),
        (lambda rows: rows, {}, {"no_day_is_a_copy_of_another"}),
        (lambda rows: rows, {"trip_distance": "km_driven"}, {"files_are_trip_files"}),
    ],
    ids=["swapped columns", "half the rows", "kilometres", "a day twice", "a changed layout"],
)
def test_a_planted_fault_stops_the_run_by_the_rule_named_for_it_and_changes_nothing(
    airflow: AirflowClient,
    settings: Settings,
    fault: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
    renamed: dict[str, str],
    broken: set[str],
) -> None:
    dataset = Dataset.of(settings)
    before = {table.name: table.manifest() for table in dataset.tables}
    file = published(inbox.folder(settings, dataset.name) / "planted.csv", fault(next_day(settings)), renamed)
    try:
        run = airflow.trigger_and_wait("traffic_nightly", 240)
        states = airflow.states(run)
        assert (run["state"], states["gate_raw"], states["clean"]) == ("failed", "failed", "upstream_failed")
        assert airflow.tries(run, "gate_raw") == 1, "the same data were judged again"
        figures = json.loads((settings.home / "data_docs" / "runs.jsonl").read_text().splitlines()[-1])
        assert set(figures["failed"]) == broken
        said = airflow.log(run, "gate_raw")
        assert all(f"FAIL {rule}" in said for rule in broken) and "'A gate failed'" in said
    finally:
        file.unlink()
    assert {table.name: table.manifest() for table in dataset.tables} == before


def test_a_run_without_data_fails_at_once_and_says_what_to_do(airflow: AirflowClient) -> None:
    started = time.monotonic()
    run = airflow.trigger_and_wait("traffic_nightly", 240, {"dataset": "nothing"})
    states = airflow.states(run)
    assert run["state"] == "failed" and states["choose_days"] == "failed" and states["positions"] == "upstream_failed"
    assert "data set 'nothing' has no trips. Put trip files into" in airflow.log(run, "choose_days")
    assert time.monotonic() - started < 60, "it was tried again, though nothing can have changed"


def test_a_failed_gate_stops_what_depends_on_it_and_leaves_the_lake(airflow: AirflowClient, settings: Settings) -> None:
    """Half of a day's trips vanish; the run asks for the whole span and must end at the first gate."""
    dataset = Dataset.of(settings)
    before = dataset.features.manifest()
    day = dataset.trips.dates()[-1]
    rows = dataset.trips.read(day, day)
    dataset.trips.write(rows.slice(0, rows.num_rows // 3))

    airflow.trigger("traffic_nightly")
    run = airflow.wait_for_run("traffic_nightly", 300)
    states = airflow.states(run)
    assert run["state"] == "failed"
    assert states["find_new_files"] == "success" and states["clean"] == "skipped"
    assert states["gate_trips"] == "failed"
    assert states["positions"] == states["publish_features"] == "upstream_failed"
    assert "rows_are_as_many_as_usual" in airflow.log(run, "gate_trips")
    assert dataset.features.manifest() == before


def test_a_new_champion_that_does_worse_than_persistence_is_rolled_back_and_told_of_when_kafka_is_back(
    airflow: AirflowClient, settings: Settings, own_broker: Broker
) -> None:
    good = registry.entries(settings)[0].version
    registry.make_champion(settings, good)
    mlflow = registry.client(settings)
    kept = mlflow.get_model_version(MODEL_NAME, good)
    bad = mlflow.create_model_version(MODEL_NAME, kept.source, kept.run_id, tags=dict(kept.tags)).version
    command = [sys.executable, "-m", "smartcity", "model", "promote", bad]
    environment = {**programs.airflow_environment(settings), "TRAFFIC_MLFLOW_TRACKING_URI": settings.mlflow}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    assert registry.champion_version(settings) == bad
    live_forecasts(settings, bad, Level.LOW)

    own_broker.off()
    try:
        # The watchdog's own run of the half hour would be waited for.
        for other in airflow.runs("stream_watchdog"):
            if other["state"] not in ENDED:
                airflow.call(airflow.path(other), {"state": "failed"}, "PATCH")
        watch = airflow.trigger("stream_watchdog", {"silent_minutes": 0.1})
        run = airflow.trigger_and_wait("model_monitor", 180)
        states = airflow.states(run)
        assert (states["roll_back"], states["announce"], states["ask_for_training"]) == ("success", "failed", "skipped")
        said = airflow.log(run, "announce")
        assert "Kafka did not take the message for model_events" in said
        assert "'Nobody was told of a promotion'" in said
        assert registry.champion_version(settings) == good, "the version serves all the same"
        airflow.wait_until(lambda: airflow.states(watch)["events_come_in"] == "failed", 120)
        airflow.wait_until(lambda: airflow.tries(watch, "watch_stream") > 1, 120)
    finally:
        own_broker.on()
    silent = airflow.log(watch, "events_come_in")
    assert (
        "no event came into vehicle_positions within 0.1 minutes" in silent
        and "'The stream is silent, late or stopped'" in silent
    )
    assert "Kafka does not answer: nothing can come in" in airflow.log(watch, "watch_stream", attempt=1)

    assert told(settings, "rolled_back") == []
    airflow.clear(run, "announce")
    airflow.wait_until(lambda: airflow.states(run)["announce"] in ENDED, 120)
    assert airflow.states(run)["announce"] == "success", airflow.log(run, "announce")
    (event,) = told(settings, "rolled_back")
    assert (event.version, event.before) == (good, bad)
    assert "under persistence" in event.reason
    last = decisions(open_engine(settings))[0]
    assert (last["action"], last["version"]) == (ROLL_BACK, good)


def test_drift_is_followed_by_a_training_which_outlasts_a_registry_that_is_down(
    airflow: AirflowClient, settings: Settings, service_settings: Settings, door: Door
) -> None:
    serving = registry.champion_version(settings)
    assert serving is not None
    live_forecasts(settings, serving, Level.LOW)
    # On the days of a training that is not a day old, another would say the same: none is asked for.
    with closing(sqlite3.connect(service_settings.home / "mlflow" / "mlflow.db")) as database, database:
        database.execute("UPDATE model_versions SET creation_time = creation_time - 24 * 3600 * 1000")
    before, last = registry.entries(settings), airflow.newest("model_retrain")["dag_run_id"]
    monitor = airflow.trigger_and_wait("model_monitor", 180)
    states = airflow.states(monitor)
    assert (states["ask_for_training"], states["roll_back"]) == ("success", "skipped"), airflow.log(monitor, "decide")

    with door.is_shut():
        airflow.wait_until(lambda: airflow.newest("model_retrain")["dag_run_id"] != last, 60)
        run = airflow.newest("model_retrain")
        airflow.wait_until(lambda: airflow.states(run)["train"] in {"up_for_retry", *ENDED}, 180)
        assert f"registry {settings.mlflow} does not answer" in airflow.log(run, "train", attempt=1)
        # The registry itself, behind the door.
        assert [entry.version for entry in registry.entries(service_settings)] == [entry.version for entry in before]
        assert registry.champion_version(service_settings) == serving
    run = airflow.wait_for_run("model_retrain", 300)
    assert (run["state"], run["run_type"]) == ("success", "asset_triggered"), airflow.log(run, "train")
    asked = airflow.log(run, "choose_dataset")
    assert "training on city: " in asked and "under persistence's" in asked
    assert len(registry.entries(settings)) == len(before) + 1
