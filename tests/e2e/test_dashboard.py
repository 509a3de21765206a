"""The dashboard in a real browser: coloured hexagons that change when new windows arrive."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import h3
import numpy as np
import pytest
from confluent_kafka import Producer
from PIL import Image
from playwright.sync_api import Browser, Page

from smartcity.events import encode_fields
from smartcity.levels import Level
from smartcity.messages import Forecast, ScoredWindow
from smartcity.topics import DASHBOARD_EVENTS, VEHICLE_POSITIONS

pytestmark = pytest.mark.e2e

#: Software rendering on a busy machine takes its time.
PATIENCE_MS = 90_000
CELLS = sorted(h3.grid_disk(h3.latlng_to_cell(40.7549, -73.9840, 8), 7))
RATIOS = {Level.LOW: 0.9, Level.MEDIUM: 0.6, Level.HIGH: 0.3}


def window_start(steps: int) -> datetime:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    return now - timedelta(minutes=now.minute % 2) + timedelta(minutes=2 * steps)


def send_city(producer: Producer, level: Level, steps: int) -> None:
    """All cells at ``level`` in a window ``steps`` after the present one, and a vehicle in each tenth."""
    start = window_start(steps)
    end = start + timedelta(minutes=2)
    forecast = Forecast(
        made_utc=end,
        for_utc=end + timedelta(minutes=16),
        level=level,
        probability_low=0.1,
        probability_medium=0.1,
        probability_high=0.8,
        expected_speed_mph=RATIOS[level] * 20,
        model_version="1",
    )
    for number, cell in enumerate(CELLS):
        window = ScoredWindow(
            cell_id=cell,
            window_start_utc=start,
            window_end_utc=end,
            vehicle_count=5 + number % 20,
            position_count=30,
            avg_speed_mph=RATIOS[level] * 20,
            std_speed_mph=2.0,
            free_flow_mph=20.0,
            ratio=RATIOS[level],
            level=level,
            forecast=forecast,
            updated_utc=datetime.now(UTC),
        )
        producer.produce(DASHBOARD_EVENTS.name, key=cell, value=window.model_dump_json())
        if number % 10 == 0:
            latitude, longitude = h3.cell_to_latlng(cell)
            value = encode_fields(f"taxi_{number}", datetime.now(UTC), latitude, longitude, 12.0, None)
            producer.produce(VEHICLE_POSITIONS.name, key=f"taxi_{number}", value=value)
    producer.flush(20)


def pixels(page: Page) -> np.ndarray:
    """The page as it looks, shape (height, width, 3). The canvas read from inside the page would be empty."""
    image = Image.open(io.BytesIO(page.screenshot(timeout=PATIENCE_MS))).convert("RGB")
    return np.asarray(image, dtype=np.int16)


def coloured_share(image: np.ndarray) -> float:
    """Share of pixels with a clear colour: neither a grey nor a dark background."""
    return float((image.max(axis=2) - image.min(axis=2) > 60).mean())


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """Share of pixels that look clearly different."""
    return float((np.abs(first - second).max(axis=2) > 40).mean())


def wait_for(page: Page, seen: Callable[[np.ndarray], bool], what: str) -> np.ndarray:
    for _ in range(PATIENCE_MS // 1000):
        image = pixels(page)
        if seen(image):
            return image
        page.wait_for_timeout(1000)
    pytest.fail(what)


@pytest.fixture
def watched(browser: Browser) -> tuple[Page, list[str], list[str]]:
    """A page, the hosts it asked besides this one, and its errors."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(PATIENCE_MS)
    elsewhere: list[str] = []
    errors: list[str] = []

    def note(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
            elsewhere.append(url)

    page.on("request", lambda request: note(request.url))
    page.on("websocket", lambda opened: note(opened.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
    return page, elsewhere, errors


def test_hexagons_are_coloured_and_change_with_new_windows(
    api: int, kafka_broker: str, watched: tuple[Page, list[str], list[str]]
) -> None:
    page, elsewhere, errors = watched
    producer = Producer({"bootstrap.servers": kafka_broker, "log_level": 2})
    page.goto(f"http://127.0.0.1:{api}/dashboard", wait_until="domcontentloaded")
    page.wait_for_timeout(3000)
    empty = pixels(page)
    send_city(producer, Level.LOW, 0)
    calm = wait_for(page, lambda image: coloured_share(image) > coloured_share(empty) + 0.02, "no coloured hexagons")
    page.wait_for_timeout(3000)
    calm = pixels(page)
    send_city(producer, Level.HIGH, 1)
    jammed = wait_for(page, lambda image: difference(calm, image) > 0.02, "the hexagons did not change")
    assert coloured_share(jammed) > 0.02
    assert errors == []
    assert elsewhere == []


def test_the_landing_page_leads_to_the_dashboard(api: int, watched: tuple[Page, list[str], list[str]]) -> None:
    page, elsewhere, errors = watched
    page.goto(f"http://127.0.0.1:{api}/", wait_until="domcontentloaded")
    page.get_by_role("link", name="Launch Dashboard").first.click()
    page.wait_for_url("**/dashboard*")
    assert errors == []
    assert elsewhere == []
