"""APIs without a broker: one that knows two hours of the past, one that knows nothing; and a browser without WebGL."""

import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from smartcity.services.ports import free_port
from smartcity.settings import Settings
from tests.api.rows import fill
from tests.integration.processes import running, wait_for

#: A browser without WebGL: a table and a flat drawing stand in for the map.
NO_WEBGL = """
const original = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind.startsWith("webgl") ? null : original.call(this, kind, ...rest);
};
"""


def answers(address: str) -> bool:
    """Whether the API serves what it has; ready it never is, without a broker."""
    try:
        with urllib.request.urlopen(f"{address}/api/current-traffic", timeout=10) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def served(home: Path) -> Iterator[str]:
    """The address of an API without a broker over what ``home`` holds."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {
        "TRAFFIC_HOME": str(home),
        "TRAFFIC_API_PORT": str(port),
        # Port 1 answers nobody.
        "TRAFFIC_KAFKA_BOOTSTRAP": "127.0.0.1:1",
    }
    log = home / "api.log"
    with running([sys.executable, "-m", "api"], log, environment) as process:
        wait_for(lambda: answers(address), process, log)
        yield address


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an API that knows two hours of the past."""
    home = tmp_path_factory.mktemp("past")
    fill(Settings(home=home), quiet=False)
    with served(home) as address:
        yield address


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an API in which nothing was ever stored."""
    with served(tmp_path_factory.mktemp("empty")) as address:
        yield address
