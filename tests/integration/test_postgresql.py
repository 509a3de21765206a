"""Airflow and MLflow on a real PostgreSQL, by two settings; the serving database's tests are in smartcity/store."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from confluent_kafka import Producer

from smartcity import topics
from smartcity.lake import Dataset
from smartcity.model import registry
from smartcity.model.spec import MODEL_NAME
from smartcity.services import kafka
from smartcity.services.ports import free_port
from smartcity.settings import Settings
from smartcity.store.engine import open_engine
from smartcity.store.ledger import decisions
from tests.integration.airflow import ENDED, AirflowClient, airflow_parts
from tests.integration.model_events import told
from tests.integration.processes import broker, registry_server

pytestmark = pytest.mark.integration


def database(server: str, name: str) -> str:
    """The URL of a new database."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server.rpartition('/')[0]}/{name}".replace("postgresql:", "postgresql+psycopg:")


def tables(settings: str) -> int:
    with psycopg.connect(settings.replace("+psycopg", "")) as connection:
        (found,) = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    return found


@pytest.fixture(scope="module")
def settings(postgresql: str, broker_jars: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    found = Settings(
        _env_file=None,
        home=tmp_path_factory.mktemp("postgresql"),
        jars=str(Settings().jar_folder),
        kafka_port=free_port(),
        kafka_controller_port=free_port(),
        mlflow_port=free_port(),
        airflow_port=free_port(),
        mlflow_database_url=database(postgresql, "mlflow"),
        airflow_database_url=database(postgresql, "airflow"),
    )
    with broker(found), registry_server(found):
        kafka.create_topics(found)
        yield found


def test_the_registry_keeps_versions_and_their_alias(settings: Settings) -> None:
    client = registry.client(settings)
    client.create_registered_model(MODEL_NAME)
    run = client.create_run(client.create_experiment("on PostgreSQL"))
    client.log_metric(run.info.run_id, "macro_f1", 0.8)
    version = client.create_model_version(MODEL_NAME, f"{run.info.artifact_uri}/model", run.info.run_id).version
    registry.make_champion(settings, version)
    assert registry.champion_version(settings) == version
    assert not (settings.home / "mlflow" / "mlflow.db").exists()
    assert tables(settings.mlflow_database_url) > 20


@pytest.fixture(scope="module")
def airflow(settings: Settings, small_dataset: Dataset) -> Iterator[AirflowClient]:
    """One in which a person has the last word, and a lake with features."""
    shutil.copytree(small_dataset.path, Dataset.of(settings, small_dataset.name).path)
    names = {
        "TRAFFIC_PROMOTION_APPROVAL": "true",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "2",
        "TRAFFIC_DATASET": small_dataset.name,
        "TRAFFIC_TRAINING_TRIALS": "1",
        "TRAFFIC_TRAINING_ROWS": "20000",
        "TRAFFIC_FOREST_TREES": "8",
        "TRAFFIC_FOREST_DEPTH": "6",
    }
    with airflow_parts(settings, names) as client:
        yield client


def test_airflow_runs_its_dags_and_waits_for_an_event(airflow: AirflowClient, settings: Settings) -> None:
    """Scheduler, workers and triggerer, the last one by its asynchronous driver."""
    airflow.trigger("housekeeping")
    kept = airflow.wait_for_run("housekeeping", 300)
    assert kept["state"] == "success", airflow.log(kept, "prune_versions")
    assert event_seen(airflow, settings)
    assert not (settings.home / "airflow" / "airflow.db").exists()
    assert tables(settings.airflow_database_url) > 40


def test_a_version_that_passed_the_gate_serves_when_a_person_has_said_yes(
    airflow: AirflowClient, settings: Settings
) -> None:
    served = registry.champion_version(settings)
    run = airflow.trigger("model_retrain")
    ended = {"success", "failed", "skipped", "upstream_failed"}
    airflow.wait_until(lambda: airflow.states(run)["approve"] in {"awaiting_input", *ended}, 300)
    assert airflow.states(run)["approve"] == "awaiting_input", airflow.log(run, "train")
    version = registry.entries(settings)[0].version
    assert registry.champion_version(settings) == served != version
    (asked,) = airflow.call(f"{airflow.path(run)}/hitlDetails")["hitl_details"]
    assert asked["subject"] == f"Shall version {version} of the model serve?"
    assert asked["options"] == ["Approve", "Reject"] and asked["response_received"] is False

    def answered() -> bool:
        """Airflow loses an answer that comes before it has noted that the task waits: it asks again then."""
        if airflow.states(run)["approve"] == "awaiting_input":
            path = f"{airflow.path(run, 'approve')}/-1/hitlDetails"
            airflow.call(path, {"chosen_options": ["Approve"], "params_input": {}}, "PATCH")
        return airflow.call(airflow.path(run))["state"] in ENDED

    airflow.wait_until(answered, 120)
    states = airflow.states(run)
    assert set(states.values()) == {"success"}, (states, airflow.log(run, "promote"))
    assert registry.champion_version(settings) == version
    (event,) = told(settings, "promoted")
    assert (event.version, event.before, event.reason) == (version, served, "approved by a person in Airflow")
    last = decisions(open_engine(settings))[0]
    assert (last["version"], last["champion_before"]) == (version, served)


def event_seen(airflow: AirflowClient, settings: Settings) -> bool:
    """Whether the watchdog's sensor saw an event that was sent while it waited: in this run, or in one by its clock."""
    airflow.trigger("stream_watchdog", {"silent_minutes": 3})
    producer = Producer({"bootstrap.servers": settings.kafka})
    ended: list[dict[str, Any]] = []

    def send() -> bool:
        for run in airflow.runs("stream_watchdog"):
            state = airflow.states(run).get("events_come_in")
            if state == "deferred":
                producer.produce(topics.VEHICLE_POSITIONS.name, b'{"vehicle_id": "fresh"}', b"fresh")
                producer.flush(5)
            if state in ("success", "failed"):
                ended.append(run)
        return bool(ended)

    airflow.wait_until(send, 240)
    assert '{\\"vehicle_id\\": \\"fresh\\"}' in airflow.log(ended[0], "events_come_in")
    return airflow.states(ended[0])["events_come_in"] == "success"
