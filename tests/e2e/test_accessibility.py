"""axe looks at both pages in every state that people meet: nothing may hinder seriously."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, WebSocketRoute, expect

from tests.api.rows import NOW, SLOW, WINDOW
from tests.e2e.axe import serious
from tests.e2e.recorded import NO_WEBGL

pytestmark = pytest.mark.e2e

PATIENCE_MS = 180_000
MAP = "[data-testid=map][data-ready=true] canvas"
PAST = f"at={NOW - 40 * WINDOW:%Y-%m-%dT%H:%M:%SZ}"


def landing(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_test_id("figures")).to_contain_text("78.4%")


def live(page: Page, address: str) -> None:
    page.goto(f"{address}/dashboard#cell={SLOW}")
    page.locator(MAP).first.wait_for()
    expect(page.get_by_test_id("track-record")).to_be_visible()
    page.locator(".filters summary").click()


def places(page: Page, address: str) -> None:
    page.goto(f"{address}/dashboard#hide=low&layer=forecast")
    page.locator(MAP).first.wait_for()
    page.get_by_role("button", name="By place").click()
    expect(page.get_by_test_id("scatter")).to_be_visible()


def past(page: Page, address: str) -> None:
    page.goto(f"{address}/dashboard#cell={SLOW}&layer=error&{PAST}")
    page.locator(MAP).first.wait_for()
    expect(page.get_by_test_id("kpi-accuracy")).to_have_text("50.0%")


def kepler(page: Page, address: str) -> None:
    page.goto(f"{address}/dashboard")
    page.locator(MAP).first.wait_for()
    page.get_by_test_id("panel-toggle").click()
    page.get_by_test_id("layer__title__editor").first.wait_for()


def kepler_layer(page: Page, address: str) -> None:
    """All that is to be set of a layer."""
    kepler(page, address)
    press(page, page.get_by_role("button", name="Layer settings, Now"))
    for group in ("Fill Color", "Outline", "Coverage", "Height"):
        press(page, page.get_by_role("button", name=f"{group}, Now"))
    expect(page.get_by_text("Height Multiplier")).to_be_visible()


def kepler_filter(page: Page, address: str) -> None:
    """A filter made with nothing but keys."""
    kepler(page, address)
    press(page, page.get_by_role("button", name="Filters", exact=True))
    press(page, page.get_by_role("button", name="Add Filter"))
    expect(page.locator(".typeahead__input")).to_be_focused()
    for key in ("ArrowDown", "Enter"):
        page.keyboard.press(key)
    press(page, page.get_by_role("button", name="Select a field"))
    expect(page.locator(".typeahead__input")).to_be_focused()
    page.keyboard.type("Speed")
    for key in ("ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(page.locator(".filter-panel__header")).to_contain_text("Speed (mph)")


def kepler_tooltips(page: Page, address: str) -> None:
    kepler(page, address)
    press(page, page.get_by_role("button", name="Interactions", exact=True))
    expect(page.get_by_role("checkbox", name="Tooltip")).to_be_checked()


def press(page: Page, control: Locator) -> None:
    """With the keyboard, as somebody without a mouse would."""
    control.focus()
    page.keyboard.press("Enter")


def loading(page: Page, address: str) -> None:
    page.route("**/assets/TrafficMap.js", lambda route: None)
    page.goto(f"{address}/dashboard", wait_until="commit")
    page.locator(".map-loading").wait_for()


def stale(page: Page, address: str) -> None:
    silent(page, cut=False)
    page.goto(f"{address}/dashboard")
    page.locator("[data-testid=connection][data-state=stale]").wait_for()


def reconnecting(page: Page, address: str) -> None:
    silent(page, cut=True)
    page.goto(f"{address}/dashboard")
    page.locator("[data-testid=connection][data-state=reconnecting]").wait_for()


def down(page: Page, address: str) -> None:
    page.route("**/api/config", lambda route: route.abort())
    page.goto(f"{address}/dashboard")
    page.get_by_test_id("api-down").wait_for()


def no_webgl(page: Page, address: str) -> None:
    page.add_init_script(NO_WEBGL)
    page.goto(f"{address}/dashboard#cell={SLOW}")
    expect(page.get_by_test_id("places-table").get_by_role("row")).to_have_count(3)
    expect(page.get_by_test_id("hotspot-row")).to_have_count(1)


def waiting(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator(".now")).to_contain_text("Waiting")


def no_data(page: Page, address: str) -> None:
    page.goto(f"{address}/dashboard")
    page.get_by_test_id("no-data").wait_for()


KNOWING: list[Callable[[Page, str], None]] = [
    landing, live, places, past, kepler_layer, kepler_filter, kepler_tooltips,
    loading, stale, reconnecting, down, no_webgl,
]  # fmt: skip
KNOWING_NOTHING: list[Callable[[Page, str], None]] = [waiting, no_data]


def silent(page: Page, cut: bool) -> None:
    """Let the stream's first message through; then say nothing more, or ``cut`` it for good."""
    opened = 0

    def handle(here: WebSocketRoute) -> None:
        nonlocal opened
        opened += 1
        if opened > 1:
            here.close()
            return
        said = 0

        def hand_on(message: str | bytes) -> None:
            nonlocal said
            said += 1
            if said == 1:
                here.send(message)
            elif cut:
                here.close()

        here.connect_to_server().on_message(hand_on)

    page.route_web_socket("**/ws/stream", handle)


@pytest.fixture(params=[("light", 1280, 800), ("dark", 390, 844)], ids=["light, wide", "dark, narrow"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    theme, width, height = request.param
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    yield page
    page.close()


@pytest.mark.parametrize("state", KNOWING, ids=lambda state: state.__name__)
def test_nothing_seriously_hinders(recorded: str, page: Page, state: Callable[[Page, str], None]) -> None:
    state(page, recorded)
    assert serious(page) == []


@pytest.mark.parametrize("state", KNOWING_NOTHING, ids=lambda state: state.__name__)
def test_nothing_seriously_hinders_while_there_is_no_data(
    empty: str, page: Page, state: Callable[[Page, str], None]
) -> None:
    state(page, empty)
    assert serious(page) == []
