"""How long the serving database keeps windows: what is older is deleted, about hourly, between two batches."""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from smartcity.store.engine import Engine
from smartcity.store.writer import prune_windows

PRUNE_SECONDS = 3600.0
log = logging.getLogger(__name__)


class Retention:
    """Deletes windows that are older than ``kept``.

    Age is measured in the time of the events, not of the clock: a replay of last year's days would else be deleted as
    it is written.
    """

    def __init__(self, engine: Engine, kept: timedelta, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._kept = kept
        self._clock = clock
        self._due = clock()

    def apply(self, newest_event_utc: datetime | None) -> int:
        """Delete what is too old, if the last time was an hour ago. Returns: windows deleted."""
        if newest_event_utc is None or self._clock() < self._due:
            return 0
        self._due = self._clock() + PRUNE_SECONDS
        deleted = prune_windows(self._engine, newest_event_utc - self._kept)
        if deleted:
            log.info("deleted %d windows older than %s", deleted, self._kept)
        return deleted
