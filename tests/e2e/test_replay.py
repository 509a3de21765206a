"""The simulation's controls in a real browser, on a real replay."""

import os
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from playwright.sync_api import Browser, Page, expect

from smartcity import columns
from smartcity.lake import Dataset
from smartcity.services.ports import free_port
from smartcity.settings import Settings
from tests.e2e.axe import serious
from tests.integration.processes import running, wait_for
from tests.integration.test_api_kafka import live

pytestmark = pytest.mark.e2e

TOKEN = "the-token-of-this-test"
START = datetime(2026, 3, 3, 15, tzinfo=UTC)
MINUTES = 60
PATIENCE_MS = 60_000


def position(second: int) -> dict[str, object]:
    return {
        "vehicle_id": "v",
        "trip_id": "t",
        "timestamp_utc": START + timedelta(seconds=second),
        "latitude": 40.72,
        "longitude": -73.99,
        "speed_mph": 12.5,
        "cell_id": "882a100d65fffff",
        "date": date(2026, 3, 3),
    }


@pytest.fixture
def dashboard(kafka_broker: str, browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The dashboard of an API with a token, and a replay that has an hour to send."""
    port, log = free_port(), tmp_path / "log"
    dataset = Dataset.of(Settings(home=tmp_path, _env_file=None))
    dataset.create(dataset.city)
    dataset.positions.write(pa.Table.from_pylist([*map(position, range(60 * MINUTES))], columns.POSITIONS))
    environment = {
        **os.environ,
        "TRAFFIC_HOME": str(tmp_path),
        "TRAFFIC_API_PORT": str(port),
        "TRAFFIC_API_TOKEN": TOKEN,
        "TRAFFIC_KAFKA_BOOTSTRAP": kafka_broker,
    }
    replay = [sys.executable, "-m", "streaming.replay", "--as-recorded", "--speed", "1"]
    with running([sys.executable, "-m", "api"], log, environment) as process:
        wait_for(lambda: live(port), process, log)
        with running(replay, log, environment):
            page = browser.new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.goto(f"http://127.0.0.1:{port}/dashboard?token={TOKEN}", wait_until="domcontentloaded")
            yield page
            page.close()


def test_the_simulation_is_paused_sped_up_and_sent_elsewhere_with_the_token(dashboard: Page) -> None:
    expect.set_options(timeout=PATIENCE_MS)
    replay = dashboard.get_by_test_id("replay")
    expect(replay).to_have_attribute("data-state", "running")
    replay.locator("summary").click()

    replay.get_by_label("API token").fill(TOKEN)
    replay.get_by_role("button", name="Unlock").click()
    expect(replay.get_by_role("button", name="Pause the simulation")).to_be_visible()
    assert serious(dashboard) == []
    replay.get_by_role("button", name="Pause the simulation").click()
    expect(replay).to_have_attribute("data-state", "paused")
    expect(replay.locator("summary")).not_to_contain_text("not carried out yet")
    replay.get_by_label("Speed").select_option("×10")
    replay.get_by_role("button", name="Resume the simulation").click()
    expect(replay.locator("summary")).to_contain_text("running ×10")
    later = START + timedelta(minutes=50)
    replay.get_by_label("Recorded time to send from").fill(str(int(later.timestamp() * 1000)))
    replay.get_by_role("button", name="Go there").click()
    dashboard.wait_for_function(
        "earliest => Date.parse(document.querySelector('[data-testid=replay] time').dateTime) >= earliest",
        arg=later.timestamp() * 1000,
    )
    replay.get_by_label("Speed").select_option("as fast as it can")
    expect(replay).to_have_attribute("data-state", "ended")
