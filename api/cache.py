"""Answers that may be some seconds old: one thread computes, the others get what it found."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")
MOST_ENTRIES = 128


class TimedCache:
    """Values by key, each kept for ``seconds``; at most ``MOST_ENTRIES``, the oldest go first."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[Hashable, tuple[float, Any]] = {}
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of ``key``, made anew where it is too old; errors of ``make`` are raised and not kept."""
        found, value = self._look_up(key)
        if found:
            return value  # type: ignore[no-any-return]
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        try:
            with making:
                found, value = self._look_up(key)
                if found:
                    return value  # type: ignore[no-any-return]
                made = make()
                with self._lock:
                    self._entries.pop(key, None)
                    self._entries[key] = (self._clock(), made)
                    while len(self._entries) > MOST_ENTRIES:
                        del self._entries[next(iter(self._entries))]
                return made
        finally:
            with self._lock:
                self._making.pop(key, None)

    def _look_up(self, key: Hashable) -> tuple[bool, Any]:
        with self._lock:
            entry = self._entries.get(key)
        if entry is None or self._clock() - entry[0] >= self._seconds:
            return False, None
        return True, entry[1]
