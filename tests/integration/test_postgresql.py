"""Airflow and MLflow on a real PostgreSQL, by two settings; the serving database's tests are in smartcity/store."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from confluent_kafka import Producer

from smartcity import topics
from smartcity.model import registry
from smartcity.model.spec import MODEL_NAME
from smartcity.services import kafka
from smartcity.services.ports import free_port
from smartcity.settings import Settings
from tests.integration.airflow import AirflowClient, airflow_parts
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


def test_airflow_runs_its_dags_and_waits_for_an_event(settings: Settings) -> None:
    """Scheduler, workers and triggerer, the last one by its asynchronous driver."""
    with airflow_parts(settings, {"TRAFFIC_MLFLOW_TRACKING_URI": settings.mlflow}) as airflow:
        airflow.call("/api/v2/dags/housekeeping/dagRuns", {"logical_date": None, "conf": {}})
        kept = airflow.wait_for_run("housekeeping", 300)
        assert kept["state"] == "success", airflow.log(kept, "prune_versions")
        assert event_seen(airflow, settings)
    assert not (settings.home / "airflow" / "airflow.db").exists()
    assert tables(settings.airflow_database_url) > 40


def event_seen(airflow: AirflowClient, settings: Settings) -> bool:
    """Whether the watchdog's sensor saw an event that was sent while it waited: in this run, or in one by its clock."""
    airflow.call("/api/v2/dags/stream_watchdog/dagRuns", {"logical_date": None, "conf": {"silent_minutes": 3}})
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
