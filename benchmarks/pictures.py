"""Pictures of the running platform's pages in each state that people meet, dark and light, wide and narrow.

    ./traffic bench pictures --out docs/img/states

One picture a state, four views in it: desktop and phone in dark, then in light; a wall of screens and paper alone. The
live data are those of the platform that runs; what has to go wrong for a state (a connection that falls silent or is
lost, no WebGL, nothing stored yet) goes wrong between it and the browser.
"""

import argparse
import io
import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, WebSocketRoute

from benchmarks._browser import chromium
from benchmarks._load import served
from smartcity.errors import TrafficError
from smartcity.settings import Settings

PATIENCE_MS = 120_000
Views = tuple[tuple[tuple[int, int], str], ...]
DESKTOP, PHONE = (1440, 900), (390, 844)
#: Width, height and scheme of each view of a state.
VIEWS: Views = ((DESKTOP, "dark"), (PHONE, "dark"), (DESKTOP, "light"), (PHONE, "light"))
WALL: Views = (((3840, 2160), "dark"),)
PAPER: Views = (((1000, 1414), "light"),)
#: How high a view is in the picture, and how much lies between two.
HEIGHT, GAP = 640, 8
MAP = "[data-testid=map][data-ready=true] canvas"
NO_WEBGL = """
const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  return kind.startsWith("webgl") ? null : get.call(this, kind, ...more);
};
"""
#: How far back the moment lies whose forecasts came due.
PAST = timedelta(minutes=24)
State = Callable[[Page, str], None]


def landing(page: Page, address: str) -> None:
    """The landing page, whole, with the city and its figures."""
    page.goto(address.removesuffix("dashboard"))
    page.wait_for_function("/[0-9]/.test(document.querySelector('[data-testid=figures] dd')?.textContent ?? '')")
    page.wait_for_timeout(6_000)


def landing_waiting(page: Page, address: str) -> None:
    """The landing page before there is anything to show."""
    page.goto(address.removesuffix("dashboard"))
    page.wait_for_selector(".now")
    page.wait_for_timeout(3_000)


def api_down(page: Page, address: str) -> None:
    """The page is there, the API is not: what to do."""
    page.route("**/api/**", lambda route: route.abort())
    page.goto(address)
    page.wait_for_selector("[data-testid=api-down]")
    page.wait_for_timeout(1_500)


def live(page: Page, address: str) -> None:
    """Places, vehicles, figures, as they come."""
    page.goto(address)
    page.wait_for_selector(MAP)
    page.wait_for_timeout(6_000)


def place(page: Page, address: str) -> None:
    """The worst hotspot chosen: its history, its forecast and how good forecasts for it have been."""
    live(page, address)
    page.get_by_test_id("hotspot-row").first.click()
    page.wait_for_selector("[data-testid=track-record]")
    page.get_by_test_id("details").scroll_into_view_if_needed()
    page.wait_for_timeout(4_000)


def past(page: Page, address: str) -> None:
    """A moment of the past, and how far off its forecasts were."""
    live(page, f"{address}#layer=error&at={_moment(address)}")
    page.wait_for_timeout(4_000)


def panel(page: Page, address: str) -> None:
    """Kepler.gl's own panel, with what is to be set of a layer."""
    live(page, address)
    page.get_by_test_id("panel-toggle").click()
    page.get_by_role("button", name="Layer settings, Now").press("Enter")
    page.wait_for_timeout(2_000)


def loading(page: Page, address: str) -> None:
    """Figures are there, the map is on its way."""
    # A module that is never done.
    waits = "await new Promise(() => {})"
    page.route("**/assets/TrafficMap.js", lambda route: route.fulfill(content_type="text/javascript", body=waits))
    page.goto(address, wait_until="commit")
    page.wait_for_selector(".map-loading")
    page.wait_for_function("/[0-9]/.test(document.querySelector('[data-testid=kpi-speed]')?.textContent ?? '')")
    page.wait_for_timeout(1_500)


def no_data(page: Page, address: str) -> None:
    """Nothing was ever stored: what to do."""
    page.goto(address)
    page.wait_for_selector("[data-testid=no-data]")
    page.wait_for_timeout(1_500)


def stale(page: Page, address: str) -> None:
    """The connection stands and says nothing."""
    _through(page, messages=4, cut=False)
    page.goto(address)
    page.wait_for_selector(MAP)
    page.wait_for_selector("[data-testid=connection][data-state=stale]")
    page.wait_for_timeout(1_000)


def reconnecting(page: Page, address: str) -> None:
    """The connection is lost and tried again; the last picture stays."""
    _through(page, messages=4, cut=True)
    page.goto(address)
    page.wait_for_selector(MAP)
    page.wait_for_selector("[data-testid=connection][data-state=reconnecting]")
    page.wait_for_timeout(4_000)


def no_webgl(page: Page, address: str) -> None:
    """A flat drawing and a table instead of the map."""
    page.add_init_script(NO_WEBGL)
    page.goto(address)
    page.wait_for_selector("[data-testid=flat-map]")
    page.wait_for_timeout(5_000)


def paper(page: Page, address: str) -> None:
    """As it is printed."""
    live(page, address)
    page.emulate_media(media="print")
    page.wait_for_timeout(2_000)


STATES: dict[str, tuple[State, Views]] = {
    "landing": (landing, VIEWS),
    "landing-waiting": (landing_waiting, VIEWS),
    "live": (live, VIEWS),
    "place": (place, VIEWS),
    "past": (past, VIEWS),
    "panel": (panel, VIEWS),
    "loading": (loading, VIEWS),
    "no-data": (no_data, VIEWS),
    "api-down": (api_down, VIEWS),
    "stale": (stale, VIEWS),
    "reconnecting": (reconnecting, VIEWS),
    "no-webgl": (no_webgl, VIEWS),
    "wall": (live, WALL),
    "paper": (paper, PAPER),
}


#: What needs an API that knows nothing.
NOTHING_STORED = ("no-data", "landing-waiting")
#: Pages that go on below the screen.
WHOLE = (landing,)


def _through(page: Page, messages: int, cut: bool) -> None:
    """Let so many messages of the stream through; then say nothing more, or ``cut`` it for good."""
    seen = 0

    def handle(page_side: WebSocketRoute) -> None:
        nonlocal seen
        if seen >= messages:
            page_side.close()
            return
        server = page_side.connect_to_server()

        def hand_on(message: str | bytes) -> None:
            nonlocal seen
            seen += 1
            if seen <= messages:
                page_side.send(message)
            elif cut:
                page_side.close()

        server.on_message(hand_on)

    page.route_web_socket("**/ws/stream", handle)


def _moment(address: str) -> str:
    """A moment whose forecasts have come due, by the time of the data."""
    asked = f"{address.removesuffix('dashboard')}api/current-traffic?limit=1"
    with urllib.request.urlopen(asked, timeout=30) as answer:
        newest = datetime.fromisoformat(json.load(answer)["data_time_utc"])
    return (newest - PAST).astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def view(browser: Browser, state: State, address: str, size: tuple[int, int], scheme: str) -> Image.Image:
    """One view of a state."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)  # type: ignore[arg-type]
    page.set_default_timeout(PATIENCE_MS)
    try:
        state(page, address)
        found = Image.open(io.BytesIO(page.screenshot(timeout=PATIENCE_MS, full_page=state in WHOLE))).convert("RGB")
    finally:
        page.close()
    return found.resize((round(found.width * HEIGHT / found.height), HEIGHT), Image.Resampling.LANCZOS)


def picture(browser: Browser, state: State, views: Views, address: str) -> Image.Image:
    """The views of a state side by side."""
    found = [view(browser, state, address, size, scheme) for size, scheme in views]
    whole = Image.new("RGB", (sum(each.width + GAP for each in found) - GAP, HEIGHT), "#888888")
    left = 0
    for each in found:
        whole.paste(each, (left, 0))
        left += each.width + GAP
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--state", choices=sorted(STATES), action="append", help="only this one; may be repeated")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    running = f"http://127.0.0.1:{Settings().api_port}/dashboard"
    try:
        with ExitStack() as stack:
            browser = stack.enter_context(chromium())
            for name in options.state or STATES:
                started, address = time.monotonic(), running
                if name in NOTHING_STORED:
                    home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pictures-")))
                    port, _ = stack.enter_context(served("api", home))
                    address = f"http://127.0.0.1:{port}/dashboard"
                file = options.out / f"{name}.webp"
                picture(browser, *STATES[name], address).save(file, quality=65, method=6)
                took = time.monotonic() - started
                print(f"{file}: {file.stat().st_size / 1000:.0f} kB, {took:.0f} s", file=sys.stderr)
    except TrafficError as error:
        sys.exit(f"pictures: {error}")


if __name__ == "__main__":
    main()
