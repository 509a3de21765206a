"""APIs without a broker: one that knows two hours of the past, one that knows nothing; and a browser without WebGL."""

import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from smartcity.services.ports import free_port
from smartcity.settings import Settings
from smartcity.store.engine import create_all, create_engine
from smartcity.store.tables import WINDOWS_QUERY
from smartcity.store.writer import BatchFigures, record_progress, upsert_windows, window_row
from tests.api.rows import FAST, NOW, SLOW, SUMS, scored
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


def fill(home: Path) -> None:
    """SLOW is medium until 30 windows ago and foretold high; FAST is and is foretold low."""
    engine = create_engine(Settings(home=home))
    create_all(engine)
    windows = []
    for step in range(60):
        windows.append(scored(FAST, step, 0.90, "low", forecast="low"))
        slow = (0.60, "medium") if step >= 30 else (0.40, "high")
        windows.append(scored(SLOW, step, *slow, forecast="high"))
    with engine.begin() as connection:
        upsert_windows(connection, [window_row(window, SUMS) for window in windows])
        figures = BatchFigures(
            batch_id=1,
            updated_utc=datetime.now(UTC),
            newest_event_utc=NOW,
            input_rows=120,
            good=120,
            rejected=0,
            input_rows_per_second=1.0,
            batch_seconds=0.5,
            lag_events=0,
            model_version="3",
        )
        record_progress(connection, WINDOWS_QUERY, figures)
    engine.dispose()


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
    fill(home)
    with served(home) as address:
        yield address


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an API in which nothing was ever stored."""
    with served(tmp_path_factory.mktemp("empty")) as address:
        yield address
