"""The dashboard's past: moments, links to them, and what is left where the browser can draw no 3D."""

import io
import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from PIL import Image, ImageStat
from playwright.sync_api import Browser, Page, expect

from tests.api.rows import FAST, FREE_FLOW, NOW, SLOW, WINDOW
from tests.e2e.recorded import NO_WEBGL

pytestmark = pytest.mark.e2e

PATIENCE_MS = 180_000
#: While SLOW was medium still.
BEFORE = NOW - 40 * WINDOW


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script(NO_WEBGL)
    yield page
    page.close()


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
    expect(page.get_by_label("Forecasts come true")).to_contain_text("persistence 100.0%")
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


def test_playback_goes_on_window_by_window_and_ends_live(recorded: str, page: Page) -> None:
    page.goto(f"{recorded}/dashboard#{at(NOW - 3 * WINDOW)}", wait_until="domcontentloaded")
    page.get_by_role("button", name="Play", exact=True).click()
    for number in (2, 1):
        page.wait_for_function("moment => location.hash.includes(moment)", arg=at(NOW - number * WINDOW))
    expect(page.get_by_test_id("time")).to_have_attribute("data-mode", "live")


def test_the_slider_is_dragged_to_a_moment(recorded: str, page: Page) -> None:
    page.goto(f"{recorded}/dashboard", wait_until="domcontentloaded")
    slider = page.get_by_label("Moment shown")
    expect(slider).to_be_enabled()
    page.get_by_label("Reach of the slider").select_option("3")
    box = slider.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] - 4, middle)
    page.mouse.down()
    for step in range(11):
        page.mouse.move(box["x"] + box["width"] * (1 - step / 20), middle)
    page.mouse.up()
    # Half of three hours before the end of the data, which is one window after NOW.
    sought = (NOW + WINDOW - timedelta(minutes=90)).timestamp() * 1000
    assert abs(float(slider.input_value()) - sought) < 10 * 60_000
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "past")


def test_a_drag_on_the_chart_zooms_in_and_two_clicks_show_all_again_and_choose_no_moment(
    recorded: str, page: Page
) -> None:
    page.goto(f"{recorded}/dashboard", wait_until="domcontentloaded")
    plot = page.locator(".city-chart .u-over")
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 20, steps=4)
    page.mouse.up()
    whole = page.get_by_role("button", name="Show all")
    expect(whole).to_be_visible()
    plot.dblclick()
    expect(whole).to_have_count(0)
    page.wait_for_timeout(1_000)
    expect(page.get_by_test_id("time")).to_have_attribute("data-mode", "live")
    plot.click()
    expect(page.get_by_test_id("time")).to_have_attribute("data-mode", "paused")


def test_without_webgl_there_are_a_drawing_and_a_table_and_a_filter_lists_every_place_it_leaves(
    recorded: str, page: Page
) -> None:
    page.goto(f"{recorded}/dashboard#cell={FAST}", wait_until="domcontentloaded")
    expect(page.get_by_test_id("places-table").get_by_role("row")).to_have_count(3, timeout=PATIENCE_MS)
    expect(page.get_by_test_id("flat-map")).to_be_visible()
    # The other place is free, and is expected to stay so.
    expect(page.get_by_test_id("hotspot-row")).to_have_count(1, timeout=PATIENCE_MS)
    page.locator(".filters summary").click()
    page.get_by_label("Vehicles, at least").fill("1")
    expect(page.get_by_test_id("hotspot-row")).to_have_count(2, timeout=PATIENCE_MS)


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
    # A key without words would be shown as it is.
    expect(page.get_by_test_id("map")).not_to_contain_text(re.compile("layer[.]type", re.IGNORECASE))
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
