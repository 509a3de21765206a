"""Chromium as tests and measurements run it."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from smartcity.errors import InputError
from smartcity.services.system import CHROMIUM

#: Software WebGL, and no talk with the browser's maker.
FLAGS = (
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser of this machine, gone afterwards. Raises: InputError where there is none."""
    program = CHROMIUM.find()
    if program is None:
        raise InputError(f"there is no browser; install one of: {', '.join(CHROMIUM.commands)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()
