"""How long the serving database keeps windows: summed, then deleted where older, about hourly, between two batches."""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from smartcity.store.engine import Engine
from smartcity.store.rollups import MOST_PERIODS, prune_rollups, roll_up
from smartcity.store.writer import prune_windows

PRUNE_SECONDS = 3600.0
#: While there is more to sum than one turn takes, the next one follows this soon.
CATCH_UP_SECONDS = 30.0
log = logging.getLogger(__name__)


class Retention:
    """Sums windows to quarters and hours, and deletes windows older than ``kept``, hours older than ``hours_kept``.

    Age is measured in the time of the events, not of the clock: a replay of last year's days would else be deleted as
    it is written.
    """

    def __init__(
        self,
        engine: Engine,
        kept: timedelta,
        hours_kept: timedelta,
        window: timedelta,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._kept = kept
        self._hours_kept = hours_kept
        self._window = window
        self._clock = clock
        self._due = clock()

    def apply(self, newest_event_utc: datetime | None) -> int:
        """Sum what is settled, delete what is too old, if the last time was an hour ago. Returns: windows deleted."""
        if newest_event_utc is None or self._clock() < self._due:
            return 0
        if roll_up(self._engine, self._window, newest_event_utc) >= MOST_PERIODS:
            # Nothing is deleted before it was summed.
            self._due = self._clock() + CATCH_UP_SECONDS
            return 0
        self._due = self._clock() + PRUNE_SECONDS
        prune_rollups(self._engine, newest_event_utc, self._hours_kept)
        deleted = prune_windows(self._engine, newest_event_utc - self._kept)
        if deleted:
            log.info("deleted %d windows older than %s", deleted, self._kept)
        return deleted
