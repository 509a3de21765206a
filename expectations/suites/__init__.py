"""The suites: one module per table that is guarded. A suite is loaded when its gate runs."""

import importlib
from typing import TYPE_CHECKING

from smartcity.errors import SettingsError

if TYPE_CHECKING:
    from expectations.suite import Suite

#: Name on the command line -> module with a constant ``SUITE``.
SUITES = {
    "raw": "expectations.suites.raw",
    "trips": "expectations.suites.trips",
    "windows": "expectations.suites.windows",
    "features": "expectations.suites.features",
    "predictions": "expectations.suites.predictions",
}


def load(name: str) -> "Suite":
    """The suite called ``name``. Raises: SettingsError naming those there are."""
    if name not in SUITES:
        raise SettingsError(f"no suite {name!r}; there are {', '.join(SUITES)}")
    suite: Suite = importlib.import_module(SUITES[name]).SUITE
    return suite
