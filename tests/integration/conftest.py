"""Real services for the tests, each started once, on free ports, in a folder of its own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartcity.services import jars, kafka
from smartcity.services.ports import free_port
from smartcity.settings import Settings
from tests.integration.processes import broker, registry_server


@pytest.fixture(scope="session")
def service_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of the services below: their own home, free ports; Java archives from the repository's own home."""
    return Settings(
        home=tmp_path_factory.mktemp("home"),
        jars=str(Settings().jar_folder),
        kafka_port=free_port(),
        kafka_controller_port=free_port(),
        mlflow_port=free_port(),
        api_port=free_port(),
        airflow_port=free_port(),
    )


@pytest.fixture(scope="session")
def broker_jars(service_settings: Settings) -> list[Path]:
    """Kafka's archives and the connector's, fetched where missing."""
    jars.fetch(service_settings, jars.CONNECTOR)
    return jars.fetch(service_settings, jars.BROKER)


@pytest.fixture(scope="session")
def kafka_broker(service_settings: Settings, broker_jars: list[Path]) -> Iterator[str]:
    """A real broker with the platform's topics; its bootstrap servers."""
    with broker(service_settings):
        kafka.create_topics(service_settings)
        yield service_settings.kafka


@pytest.fixture(scope="session")
def mlflow_server(service_settings: Settings) -> Iterator[str]:
    """A real MLflow server on SQLite that serves its artifacts; its URI."""
    with registry_server(service_settings):
        yield service_settings.mlflow


@pytest.fixture(scope="session")
def python() -> str:
    """The interpreter that runs the tests, for processes of the platform."""
    return sys.executable
