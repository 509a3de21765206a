"""How many requests one address may make: a bucket that fills steadily and empties with each request."""

import ipaddress
import threading
import time
from collections.abc import Callable
from functools import lru_cache

#: Addresses remembered; those that were silent for long are forgotten first.
MOST_ADDRESSES = 20_000
#: What a wrong token costs: guessing one is slower by this.
WRONG_TOKEN = 20.0


@lru_cache(maxsize=4096)
def network_of(address: str | None) -> str:
    """Who is meant by an address: itself, or of IPv6 its /64, which one subscriber has whole."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return "?"
    if found.version == 4:
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))


class RateLimit:
    """One bucket for each address.

    Args:
        per_second: requests that are made good each second; 0: no limit.
        burst: requests that a full bucket holds.
        clock: seconds that never go back.

    """

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}
        self.refused = 0

    def take(self, address: str, cost: float = 1.0) -> float:
        """Take from the address's bucket. Returns: 0, or the seconds until there is enough."""
        if not self._per_second:
            return 0.0
        now = self._clock()
        with self._lock:
            level, seen = self._buckets.pop(address, (self._burst, now))
            level = min(self._burst, level + (now - seen) * self._per_second)
            refused = level < cost
            # A wrong token may run up a debt, an honest request may not.
            self._buckets[address] = (level if refused and cost == 1.0 else level - cost, now)
            while len(self._buckets) > MOST_ADDRESSES:
                del self._buckets[next(iter(self._buckets))]
            self.refused += refused
        return (cost - level) / self._per_second if refused else 0.0
