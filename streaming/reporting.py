"""How a replay is getting on: a live line on a terminal, a line every ten seconds in a log."""

import logging
import sys
import time
from datetime import UTC, datetime

from streaming.recording import instant
from streaming.sender import Sender

LOG_SECONDS = 10.0
SCREEN_SECONDS = 0.25
log = logging.getLogger("replay")


class Reporter:
    """Shows events sent, their rate, the moment replayed, and what the broker has not confirmed yet."""

    def __init__(self) -> None:
        self._screen = sys.stderr.isatty()
        self._every = SCREEN_SECONDS if self._screen else LOG_SECONDS
        self._shown: tuple[float, int] | None = None

    def show(self, events: int, until_us: int, sender: Sender) -> None:
        """Say it, if the last time is long enough ago."""
        now = time.monotonic()
        if self._shown is None:
            self._shown = (now, events)
            return
        since, before = self._shown
        if now - since < self._every:
            return
        self._shown = (now, events)
        line = summary(events, (events - before) / (now - since), until_us, sender)
        if self._screen:
            sys.stderr.write(f"\r\x1b[2K{line}")
            sys.stderr.flush()
        else:
            log.info("%s", line)

    def close(self) -> None:
        """Leave the last line standing."""
        if self._screen and self._shown is not None:
            sys.stderr.write("\n")


def summary(events: int, rate: float, until_us: int, sender: Sender) -> str:
    """The line."""
    behind = datetime.now(UTC) - instant(until_us)
    parts = [f"{events:,} events", f"{rate:,.0f}/s", f"at {instant(until_us):%Y-%m-%d %H:%M:%S}Z"]
    if abs(behind.total_seconds()) < 86_400:
        parts.append(f"{behind.total_seconds():+.1f} s behind now")
    parts.append(f"{sender.waiting:,} unconfirmed")
    if sender.refused:
        parts.append(f"{sender.refused:,} refused")
    return ", ".join(parts)
