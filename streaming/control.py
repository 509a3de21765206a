"""The replay's line to the database: a thread fetches what is wished and reports how it goes, so sending never waits.

A database that is away changes nothing: the replay goes on with the last wish that came through.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from smartcity.settings import Settings
from smartcity.store import replay as store
from smartcity.store.engine import Engine, create_all, create_engine
from smartcity.store.replay import Wish
from streaming.recording import instant

POLL_SECONDS = 0.5
REPORT_SECONDS = 1.0
#: A database that is away is asked again this often.
AWAY_SECONDS = 5.0
log = logging.getLogger("replay")


@dataclass(frozen=True)
class Standing:
    """How the replay is getting on, as its own thread last said."""

    state: str = store.RUNNING
    speed: float = 1.0
    position_us: int | None = None
    shift_us: int | None = None
    events: int = 0
    done: int = 0
    refused: str | None = None


class Control:
    """Carries wishes in and reports out, in a thread of its own.

    Args:
        settings: where the database is.
        span: columns of ``ReplayRow`` that say what is replayed; they stay.
        wish: what was wished last, as the place remembers it.
        keep: whether that, and what was wished since, holds.
        new_speed: whether it holds but for the speed, since the replay was started with another one.

    """

    def __init__(
        self, settings: Settings, span: Mapping[str, Any], wish: Wish, keep: bool, new_speed: bool = False
    ) -> None:
        self._settings = settings
        self._span = dict(span)
        self._wish = wish
        self._keep = keep
        self._new_speed = new_speed
        self._fetched = threading.Event()
        self._ending = threading.Event()
        self._standing = Standing()
        self._counted: tuple[float, int] | None = None
        self._thread = threading.Thread(target=self._run, name="replay-control", daemon=True)

    @property
    def wish(self) -> Wish:
        """What is wished, as last fetched."""
        return self._wish

    def start(self, standing: Standing, seconds: float = 3.0) -> Wish:
        """Enter the replay. Returns: what is wished of it; the place's own where the database does not answer."""
        self._standing = standing
        self._thread.start()
        self._fetched.wait(seconds)
        return self._wish

    def say(self, **changes: Any) -> None:
        """Remember how it goes; it is written within a second."""
        self._standing = replace(self._standing, **changes)

    def close(self, **changes: Any) -> None:
        """Report for the last time."""
        self.say(**changes)
        self._ending.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        engine = create_engine(self._settings)
        said = self._try(lambda: self._begin(engine))
        reported = time.monotonic()
        while not self._ending.wait(POLL_SECONDS if said else AWAY_SECONDS):
            if not self._fetched.is_set():
                said = self._try(lambda: self._begin(engine))
                continue
            said = self._try(lambda: self._fetch(engine), quiet=not said)
            if said and time.monotonic() - reported >= REPORT_SECONDS:
                reported = time.monotonic()
                said = self._try(lambda: store.report(engine, self._figures()))
        if self._fetched.is_set():
            self._try(lambda: store.report(engine, self._figures()))
        engine.dispose()

    def _begin(self, engine: Engine) -> None:
        create_all(engine)
        figures = {**self._span, **self._figures(), **({"wish_speed": None} if self._new_speed else {})}
        self._wish = store.begin(engine, self._wish, figures, self._keep)
        # A database that was made anew while the replay runs gets what is wished now.
        self._keep, self._new_speed = True, False
        self._fetched.set()

    def _fetch(self, engine: Engine) -> None:
        wish = store.wish_of(engine)
        if wish is None:
            # Somebody made the database anew.
            self._begin(engine)
        else:
            self._wish = wish

    def _try(self, step: Callable[[], None], quiet: bool = False) -> bool:
        try:
            step()
        except Exception as error:
            if not quiet:
                log.warning("the serving database does not answer, going on without: %s", type(error).__name__)
            return False
        return True

    def _figures(self) -> dict[str, Any]:
        now, standing = time.monotonic(), self._standing
        since, before = self._counted or (now, standing.events)
        self._counted = (now, standing.events)
        return {
            "state": standing.state,
            "speed": standing.speed,
            "position_utc": instant(standing.position_us) if standing.position_us is not None else None,
            "shifted_seconds": standing.shift_us / 1e6 if standing.shift_us is not None else None,
            "events_sent": standing.events,
            "events_per_second": round((standing.events - before) / (now - since), 1) if now > since else 0.0,
            "done_number": standing.done,
            "refused": standing.refused,
            "updated_utc": datetime.now(UTC),
        }
