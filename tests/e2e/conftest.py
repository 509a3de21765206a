"""A running API over a real broker, and a real browser in front of it."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from smartcity.services.ports import free_port
from tests.integration.conftest import broker_jars, kafka_broker, service_settings
from tests.integration.processes import running, wait_for
from tests.integration.test_api_kafka import live

__all__ = ["broker_jars", "kafka_broker", "service_settings"]

#: Software WebGL, and no talk with the browser's maker.
FLAGS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium as installed on this machine; without one the tests are skipped."""
    program = next((path for path in map(shutil.which, NAMES) if path), None)
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium on this machine")
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


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
