"""The dashboard's past: moments, links to them, and what is left where the browser can draw no 3D."""

import io
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageStat
from playwright.sync_api import Browser, Page, expect

from smartcity.services.ports import free_port
from smartcity.settings import Settings
from smartcity.store.engine import create_all, create_engine
from smartcity.store.tables import WINDOWS_QUERY
from smartcity.store.writer import BatchFigures, record_progress, upsert_windows, window_row
from tests.api.rows import FAST, FREE_FLOW, NOW, SLOW, SUMS, WINDOW, scored
from tests.integration.processes import running, wait_for

pytestmark = pytest.mark.e2e

PATIENCE_MS = 180_000
#: A browser without WebGL: a table and a flat drawing stand in for the map.
NO_WEBGL = """
const original = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind.startsWith("webgl") ? null : original.call(this, kind, ...rest);
};
"""
#: SLOW is medium until 30 windows ago and foretold high; FAST is and is foretold low.
BEFORE = NOW - 40 * WINDOW


def answers(address: str) -> bool:
    """Whether the API serves what it has; ready it never is, without a broker."""
    try:
        with urllib.request.urlopen(f"{address}/api/current-traffic", timeout=10) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def fill(home: Path) -> None:
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


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an API that knows two hours of the past and has no broker."""
    home, port = tmp_path_factory.mktemp("past"), free_port()
    address = f"http://127.0.0.1:{port}"
    fill(home)
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


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script(NO_WEBGL)
    yield page
    page.close()


def serious(page: Page) -> list[str]:
    """What axe finds to be a serious hindrance."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['target']}" for one in found if one["impact"] in ("serious", "critical")]


def ground(page: Page) -> float:
    """How bright the base map is, from 0 to 255, where nothing else is drawn."""
    box = page.get_by_test_id("map").bounding_box()
    assert box is not None
    spot = {"x": box["x"] + box["width"] * 0.8, "y": box["y"] + box["height"] * 0.4, "width": 16, "height": 16}
    return ImageStat.Stat(Image.open(io.BytesIO(page.screenshot(clip=spot))).convert("L")).mean[0]


def at(moment: datetime) -> str:
    return f"at={moment:%Y-%m-%dT%H:%M:%SZ}"


def test_a_link_to_a_past_moment_shows_what_was_foretold_and_whether_it_came(recorded: str, page: Page) -> None:
    page.goto(f"{recorded}/dashboard#cell={SLOW}&{at(BEFORE)}", wait_until="domcontentloaded")
    expect(page.get_by_test_id("time")).to_have_attribute("data-mode", "paused", timeout=PATIENCE_MS)
    # Of both forecasts one came true; the levels stayed as they were.
    expect(page.get_by_test_id("kpi-accuracy")).to_have_text("50.0%", timeout=PATIENCE_MS)
    expect(page.get_by_label("Forecasts that came true")).to_contain_text("persistence 100.0%")
    details = page.get_by_test_id("details")
    expect(details).to_have_attribute("data-cell", SLOW)
    expect(details).to_contain_text("What came")
    page.get_by_role("button", name="Back to live").click()
    expect(page.get_by_test_id("time")).to_have_attribute("data-mode", "live")
    page.wait_for_function("() => !location.hash.includes('at=')")


def test_a_step_back_is_a_moment_that_the_address_names(recorded: str, page: Page) -> None:
    page.goto(f"{recorded}/dashboard", wait_until="domcontentloaded")
    back = page.get_by_role("button", name="One window back")
    expect(back).to_be_enabled(timeout=PATIENCE_MS)
    back.click()
    expect(page.get_by_test_id("time")).to_have_attribute("data-mode", "paused")
    page.wait_for_function("wanted => location.hash.includes(wanted)", arg=at(NOW))
    expect(page.locator(".data-time time")).to_have_attribute("datetime", f"{NOW:%Y-%m-%dT%H:%M:%S}.000Z")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_without_webgl_there_is_a_table_and_nothing_seriously_hinders(recorded: str, page: Page, theme: str) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto(f"{recorded}/dashboard#cell={FAST}", wait_until="domcontentloaded")
    expect(page.get_by_test_id("places-table").get_by_role("row")).to_have_count(3, timeout=PATIENCE_MS)
    expect(page.get_by_test_id("flat-map")).to_be_visible()
    expect(page.get_by_test_id("hotspot-row")).to_have_count(2, timeout=PATIENCE_MS)
    assert serious(page) == []


def test_nothing_seriously_hinders_on_the_landing_page(recorded: str, page: Page) -> None:
    page.goto(recorded, wait_until="domcontentloaded")
    expect(page.get_by_test_id("figures")).to_be_visible()
    assert serious(page) == []


def test_a_filter_leaves_places_out_everywhere_and_is_in_the_link(recorded: str, page: Page) -> None:
    page.goto(f"{recorded}/dashboard#hide=low&vehicles=1", wait_until="domcontentloaded")
    table = page.get_by_test_id("places-table").get_by_role("row")
    expect(table).to_have_count(2, timeout=PATIENCE_MS)
    expect(page.get_by_test_id("filter-count")).to_have_text("1 of 2 places")
    expect(page.get_by_test_id("hotspot-row")).to_have_count(1, timeout=PATIENCE_MS)
    expect(page.get_by_test_id("hotspot-row")).to_have_attribute("data-cell", SLOW)
    expect(page.get_by_label("Congested places among 1 chosen")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Clear").click()
    expect(table).to_have_count(3)
    page.wait_for_function("() => !location.hash.includes('hide=')")
    page.get_by_test_id("units").click()
    expect(page.get_by_label("Mean speed")).to_contain_text("km/h")
    expect(page.get_by_test_id("places-table")).to_contain_text("km/h")


def test_a_click_on_a_point_of_the_chart_selects_its_place_also_after_one_beside_all_places(
    recorded: str, page: Page
) -> None:
    page.goto(f"{recorded}/dashboard", wait_until="domcontentloaded")
    page.get_by_test_id("flat-map").locator("canvas").click(position={"x": 5, "y": 5}, timeout=PATIENCE_MS)
    page.get_by_role("button", name="By place").click()
    chart = page.get_by_test_id("scatter")
    for cell, ratio in ((FAST, 0.90), (SLOW, 0.40)):
        box = chart.bounding_box()
        assert box is not None
        # As Scatter.tsx places them: the axes end at 1.2 times free flow, and 9.5 mph are foretold for both.
        x = 40 + ratio / 1.2 * (box["width"] - 50)
        y = box["height"] - 22 - 9.5 / FREE_FLOW / 1.2 * (box["height"] - 28)
        chart.click(position={"x": x, "y": y})
        expect(page.get_by_test_id("details")).to_have_attribute("data-cell", cell)


def test_another_theme_and_other_units_leave_the_map_and_its_panel_as_they_are(recorded: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{recorded}/dashboard", wait_until="domcontentloaded")
    page.locator("[data-testid=map][data-ready=true] canvas").first.wait_for()
    page.get_by_test_id("panel-toggle").click()
    name = page.get_by_test_id("layer__title__editor").first
    name.fill("Cars")
    page.evaluate("document.querySelectorAll('[data-testid=map] canvas').forEach(each => (each.dataset.kept = 'yes'))")
    assert ground(page) > 180
    page.get_by_test_id("theme").click()
    page.get_by_test_id("units").click()
    expect(page.get_by_label("Mean speed")).to_contain_text("km/h")
    end = time.monotonic() + PATIENCE_MS / 1000
    while ground(page) > 60 and time.monotonic() < end:
        page.wait_for_timeout(500)
    assert ground(page) < 60
    expect(name).to_have_value("Cars")
    kept = page.locator("[data-testid=map] canvas").evaluate_all("all => all.map(each => each.dataset.kept)")
    assert kept
    assert set(kept) == {"yes"}
    page.close()
