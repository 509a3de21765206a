"""When each event is due: event time against the clock, at any speed, and never more than so many a second."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

#: Events are sent in bursts this far apart: finer than a reader could tell, and coarse enough to leave the cores alone.
TICK_SECONDS = 0.05
MAX = math.inf


@dataclass
class Pace:
    """Event time runs ``speed`` times as fast as the clock from the first question on; ``MAX``: everything is due.

    ``catch_up_us``: events up to this time are due at once, the clock starts there (the warm-up of a live replay).
    """

    speed: float
    max_rate: float = MAX
    catch_up_us: int | None = None
    clock: Callable[[], float] = monotonic
    _origin: tuple[float, int] | None = field(default=None, init=False)
    _budget: float = field(default=0.0, init=False)
    _asked: float | None = field(default=None, init=False)

    def due_us(self, next_us: int) -> int:
        """Event time that is due by now, given the time of the next event to send."""
        if self.speed == MAX:
            return next_us + 10**15
        if self._origin is None:
            self._origin = (self.clock(), self.catch_up_us if self.catch_up_us is not None else next_us)
        started, origin = self._origin
        return origin + int((self.clock() - started) * self.speed * 1e6)

    def allowed(self, wanted: int) -> int:
        """How many of ``wanted`` events may go now; at most a tenth of a second's worth is saved up."""
        if self.max_rate == MAX:
            return wanted
        now = self.clock()
        self._budget += (now - self._asked if self._asked is not None else TICK_SECONDS) * self.max_rate
        self._budget = min(self._budget, max(1.0, self.max_rate / 10))
        self._asked = now
        granted = min(wanted, int(self._budget))
        self._budget -= granted
        return granted
