"""A running API over a real broker, and a real browser in front of it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from benchmarks._browser import chromium
from smartcity.services.ports import free_port
from smartcity.services.system import CHROMIUM
from tests.e2e.recorded import empty, recorded
from tests.integration.conftest import broker_jars, kafka_broker, service_settings
from tests.integration.processes import running, wait_for
from tests.integration.test_api_kafka import live

__all__ = ["broker_jars", "empty", "kafka_broker", "recorded", "service_settings"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium as installed on this machine; without one the tests are skipped."""
    if CHROMIUM.find() is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium on this machine")
        pytest.skip("no Chromium on this machine")
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def api(kafka_broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The API's port."""
    home, port = tmp_path_factory.mktemp("e2e"), free_port()
    environment = {
        "TRAFFIC_HOME": str(home),
        "TRAFFIC_API_PORT": str(port),
        "TRAFFIC_KAFKA_BOOTSTRAP": kafka_broker,
    }
    log = Path(home) / "api.log"
    with running([sys.executable, "-m", "api"], log, environment) as process:
        wait_for(lambda: live(port), process, log)
        yield port
