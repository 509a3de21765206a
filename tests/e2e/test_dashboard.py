"""The dashboard in a real browser: coloured hexagons that change when new windows arrive."""

import io
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import h3
import numpy as np
import pytest
from confluent_kafka import Producer
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from smartcity.events import encode_fields
from smartcity.levels import Level
from smartcity.messages import Forecast, ScoredWindow
from smartcity.topics import DASHBOARD_EVENTS, VEHICLE_POSITIONS

pytestmark = pytest.mark.e2e

#: Software rendering on a busy machine takes its time.
PATIENCE_MS = 180_000
CELLS = sorted(h3.grid_disk(h3.latlng_to_cell(40.7549, -73.9840, 8), 12))
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
    """The map as it looks, shape (height, width, 3): its largest canvas, the legend below and buttons above cut off.

    The canvas read from inside the page would be empty.
    """
    image = Image.open(io.BytesIO(page.screenshot(timeout=PATIENCE_MS))).convert("RGB")
    boxes = [box for canvas in page.locator("canvas").all() if (box := canvas.bounding_box()) is not None]
    if boxes:
        box = max(boxes, key=lambda found: found["width"] * found["height"])
        top, height = box["y"] + box["height"] * 0.15, box["height"] * 0.5
        image = image.crop((int(box["x"]), int(top), int(box["x"] + box["width"]), int(top + height)))
    return np.asarray(image, dtype=np.int16)


def blue_share(image: np.ndarray) -> float:
    """Share of pixels in the colour of free cells."""
    return float((image[..., 2] - image[..., 0] > 60).mean())


def orange_share(image: np.ndarray) -> float:
    """Share of pixels in the colour of congested cells."""
    return float((image[..., 0] - image[..., 2] > 60).mean())


def wait_for(page: Page, seen: Callable[[np.ndarray], bool], what: str) -> np.ndarray:
    """The page once it looks as it should."""
    end = time.monotonic() + PATIENCE_MS / 1000
    while True:
        image = pixels(page)
        if seen(image):
            return image
        if time.monotonic() > end:
            pytest.fail(f"{what}: {blue_share(image):.2%} of the map is blue, {orange_share(image):.2%} orange")
        page.wait_for_timeout(1000)


@pytest.fixture
def watched(browser: Browser) -> Iterator[tuple[Page, list[str], list[str]]]:
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
    page.on("response", lambda answer: errors.append(f"{answer.status} {answer.url}") if answer.status == 404 else None)
    page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
    yield page, elsewhere, errors
    # A page that stays open goes on drawing, on the cores that the other tests need.
    page.close()


def test_hexagons_are_coloured_and_change_with_new_windows(
    api: int, kafka_broker: str, watched: tuple[Page, list[str], list[str]]
) -> None:
    page, elsewhere, errors = watched
    producer = Producer({"bootstrap.servers": kafka_broker, "log_level": 2})
    page.goto(f"http://127.0.0.1:{api}/dashboard", wait_until="domcontentloaded")
    send_city(producer, Level.LOW, 0)
    calm = wait_for(page, lambda image: blue_share(image) > 0.02, "no hexagons in the colour of free cells")
    assert orange_share(calm) < 0.01
    send_city(producer, Level.HIGH, 1)
    few = blue_share(calm) / 4
    changed = "the hexagons did not change"
    jammed = wait_for(page, lambda image: orange_share(image) > 0.02 and blue_share(image) < few, changed)
    # Only colours changed: the hexagons stand where they stood.
    assert orange_share(jammed) == pytest.approx(blue_share(calm), rel=0.5)
    assert errors == []
    assert elsewhere == []


def test_a_hexagon_says_what_is_known_of_it_and_a_click_selects_it_everywhere(
    api: int, kafka_broker: str, watched: tuple[Page, list[str], list[str]]
) -> None:
    page, _, errors = watched
    send_city(Producer({"bootstrap.servers": kafka_broker, "log_level": 2}), Level.HIGH, 1)
    page.goto(f"http://127.0.0.1:{api}/dashboard", wait_until="domcontentloaded")
    wait_for(page, lambda image: orange_share(image) > 0.02, "no hexagons in the colour of congested cells")
    box = page.get_by_test_id("map").bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    told = page.locator(".map-popover")
    for words in ("NowCongested", "Speed (mph)6", "Vehicles", "In 15 minCongested", "Chance of congestion (%)80"):
        expect(told).to_contain_text(words, timeout=PATIENCE_MS)
    within = told.bounding_box()
    assert within is not None
    assert box["y"] <= within["y"] <= within["y"] + within["height"] <= box["y"] + box["height"]
    assert "What came" not in told.inner_text()
    details = page.get_by_test_id("details")
    # A click as slow as a busy machine makes it.
    page.mouse.click(*middle, delay=600)
    expect(details).to_be_visible()
    cell = details.get_attribute("data-cell")
    assert cell in CELLS
    page.wait_for_function("cell => location.hash.includes(`cell=${cell}`)", arg=cell)
    page.get_by_role("button", name="Close").click()
    expect(details).to_have_count(0, timeout=PATIENCE_MS)
    page.wait_for_function("() => !location.hash.includes('cell=')")
    assert errors == []


def test_the_landing_page_leads_to_the_dashboard(api: int, watched: tuple[Page, list[str], list[str]]) -> None:
    page, elsewhere, errors = watched
    page.goto(f"http://127.0.0.1:{api}/", wait_until="domcontentloaded")
    page.get_by_role("link", name="Launch Dashboard").first.click()
    page.wait_for_url("**/dashboard*")
    assert errors == []
    assert elsewhere == []
