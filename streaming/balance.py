"""What became of the events read: good, rejected or late; late ones are known only where both queries have been."""

import threading
from collections import deque

from streaming.checkpoint import Offsets, within

#: Batches of the windows' query that may wait for the other one; a flood of them forgets the oldest.
BATCHES = 3600


class Balance:
    """How many events came too late, never more than there were: it grows, and never falls.

    Events read, less those in windows, less those rejected. The queries run apart, so that counts only where the
    rejected ones of all the events read are known: of a batch that ends nowhere behind the end of the other query.
    """

    def __init__(self, late: int = 0) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Offsets, int]] = deque(maxlen=BATCHES)
        self._sorted_until: Offsets = {}
        self._rejected: int | None = None
        self._late = late

    def windows(self, end: Offsets, read: int, good: int) -> int:
        """A batch of the windows' query ended at ``end``, with these totals. Returns: late events."""
        with self._lock:
            self._waiting.append((end, read - good))
            return self._settle()

    def rejected(self, end: Offsets, rejected: int) -> int:
        """A batch of the other query ended at ``end``, with this total. Returns: late events."""
        with self._lock:
            self._sorted_until, self._rejected = end, rejected
            return self._settle()

    def _settle(self) -> int:
        while self._rejected is not None and self._waiting and within(self._waiting[0][0], self._sorted_until):
            _, not_good = self._waiting.popleft()
            self._late = max(self._late, not_good - self._rejected)
        return self._late
