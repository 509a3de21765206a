"""What axe finds on a page."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

#: Kepler.gl's own panel has inputs without a label, buttons within buttons, faint words. Somebody has to open it first.
ELSEWHERE = {"exclude": [[".side-panel--container"]]}


def serious(page: Page) -> list[str]:
    """What seriously hinders, with where it is."""
    found = Axe().run(page, context=ELSEWHERE).response["violations"]
    return [
        f"{one['id']}: {[node['target'] for node in one['nodes']]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
