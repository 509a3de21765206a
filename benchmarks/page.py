"""The dashboard in a real browser with software rendering: how soon it shows figures and the map, and what it costs.

    ./traffic bench page --seconds 60
    ./traffic bench page --cells 1000 --vehicles 5000 --seconds 600
    ./traffic bench page --running --loads 7

First figure and map: from the start of the navigation, with an empty cache, the smallest of ``--loads``; the medians
are told too. While live, what Chromium's own counters say: the main thread's share of the time (``TaskDuration``), its
longest task, and the heap after a collection at the start, the middle and the end. Each update moves every vehicle and
changes a tenth of the cells.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page

from benchmarks._browser import chromium
from benchmarks._load import seed, served
from smartcity.settings import Settings

PATIENCE_MS = 180_000
#: Notes, from the page's first line of script on, when a figure and the map stand, and every long task.
WATCH = """
window.seen = { tasks: [] };
const note = ({ startTime, duration }) => window.seen.tasks.push([startTime, duration]);
new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({ type: "longtask", buffered: true });
const look = () => {
  const speed = document.querySelector("[data-testid=kpi-speed]");
  if (!window.seen.figure && speed && /[0-9]/.test(speed.textContent)) window.seen.figure = performance.now();
  const map = document.querySelector("[data-testid=map][data-ready=true] canvas");
  if (!window.seen.map && map) requestAnimationFrame(() => (window.seen.map ??= performance.now()));
  if (!window.seen.figure || !window.seen.map) requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


def _opened(browser: Browser, address: str) -> Page:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script(WATCH)
    page.goto(address, wait_until="commit")
    page.wait_for_function("() => window.seen && window.seen.figure && window.seen.map")
    return page


def _counters(session: CDPSession) -> dict[str, float]:
    return {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}


def _heap_mb(session: CDPSession) -> float:
    session.send("HeapProfiler.collectGarbage")
    return round(float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6, 1)


def _live(page: Page, seconds: int) -> dict[str, Any]:
    """What the page costs once it has settled."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.wait_for_timeout(10_000)
    heap = [_heap_mb(session)]
    busy = took = 0.0
    longest, over = 0.0, 0
    for _ in range(2):
        begun = page.evaluate("performance.now()")
        before = _counters(session)
        page.wait_for_timeout(seconds * 500)
        after = _counters(session)
        busy += after["TaskDuration"] - before["TaskDuration"]
        took += after["Timestamp"] - before["Timestamp"]
        tasks = page.evaluate(
            "from => window.seen.tasks.filter(([at]) => at >= from).map(([, length]) => length)", begun
        )
        longest, over = max([longest, *tasks]), over + sum(length > 100 for length in tasks)
        heap.append(_heap_mb(session))
    return {
        "seconds": round(took),
        "main_thread_share": round(busy / took, 4),
        "longest_task_ms": round(longest),
        "tasks_over_100_ms": over,
        "heap_mb": heap,
    }


def _loads(browser: Browser, address: str, loads: int) -> tuple[dict[str, Any], Page]:
    """How soon figures and map stood, and the page as opened last."""
    figures, maps = [], []
    for turn in range(loads):
        page = _opened(browser, address)
        seen = page.evaluate("window.seen")
        figures.append(round(seen["figure"]))
        maps.append(round(seen["map"]))
        if turn + 1 < loads:
            page.close()
    return {
        "first_figure_ms": [min(figures), statistics.median(figures)],
        "map_ms": [min(maps), statistics.median(maps)],
    }, page


def _running(options: argparse.Namespace) -> dict[str, Any]:
    """The running platform's own dashboard."""
    with chromium() as browser:
        return _loads(browser, f"http://127.0.0.1:{Settings().api_port}/dashboard", options.loads)[0]


def _made(options: argparse.Namespace) -> dict[str, Any]:
    """A city made for this, and what it costs while it is live."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        seed(Settings(home=home), options.cells, 30)
        feed = {
            "FEED_CELLS": str(options.cells),
            "FEED_CHANGED": str(options.cells // 10),
            "FEED_VEHICLES": str(options.vehicles),
        }
        with served("benchmarks._feed", home, **feed) as (port, _), chromium() as browser:
            loaded, page = _loads(browser, f"http://127.0.0.1:{port}/dashboard", options.loads)
            return {"cells": options.cells, "vehicles": options.vehicles, **loaded, **_live(page, options.seconds)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--vehicles", type=int, default=5000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--loads", type=int, default=3)
    parser.add_argument("--running", action="store_true", help="only the loads, of the dashboard of what `up` started")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = _running(options) if options.running else _made(options)
    result |= {"load_average": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}
    sys.stdout.write(json.dumps(result) + "\n" if options.json else "".join(f"{k}: {v}\n" for k, v in result.items()))


if __name__ == "__main__":
    main()
