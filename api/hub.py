"""The last few pushes, encoded once; each WebSocket client's own thread takes them at its own pace."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

#: Pushes kept. A client further behind gets a snapshot instead of what it missed.
KEPT = 8


@dataclass(frozen=True)
class Push:
    """One message: its place in the order, its event name and its JSON."""

    sequence: int
    event: str
    json: bytes

    @cached_property
    def frame(self) -> bytes:
        """The message as one unmasked WebSocket text frame: the same bytes for every client (RFC 6455, 5.2)."""
        size = len(self.json)
        if size < 126:
            return bytes([0x81, size]) + self.json
        if size < 65536:
            return b"\x81\x7e" + size.to_bytes(2, "big") + self.json
        return b"\x81\x7f" + size.to_bytes(8, "big") + self.json


class Hub:
    """A short log of updates and the newest snapshot, shared by all clients.

    Args:
        make_snapshot: JSON of the whole state, to be labelled with the given sequence. Called at most once per push.

    """

    def __init__(self, make_snapshot: Callable[[int], bytes], kept: int = KEPT) -> None:
        self._make_snapshot = make_snapshot
        self._news = threading.Condition()
        self._snapshot_lock = threading.Lock()
        self._updates: deque[Push] = deque(maxlen=kept)
        self._snapshot: Push | None = None
        self._sequence = 0
        self._clients = 0
        self.closed = False

    @property
    def sequence(self) -> int:
        """Number of the last update; 0 before the first."""
        return self._sequence

    @property
    def clients(self) -> int:
        """Plain WebSocket clients connected now."""
        return self._clients

    def publish(self, event: str, make: Callable[[int], bytes]) -> Push:
        """Encode the next message once and wake every client's thread."""
        push = Push(self._sequence + 1, event, make(self._sequence + 1))
        with self._news:
            self._updates.append(push)
            self._sequence = push.sequence
            self._news.notify_all()
        return push

    def snapshot(self) -> Push:
        """The whole state as of the last push, or newer: what comes after it may repeat something, never miss it."""
        with self._snapshot_lock:
            sequence = self._sequence
            if self._snapshot is None or self._snapshot.sequence != sequence or sequence == 0:
                self._snapshot = Push(sequence, "snapshot", self._make_snapshot(sequence))
            return self._snapshot

    def after(self, sequence: int, timeout: float) -> Push | None:
        """The update that follows ``sequence``, waiting up to ``timeout`` seconds; a snapshot where it is gone."""
        with self._news:
            if not self._news.wait_for(lambda: self._sequence > sequence or self.closed, timeout) or self.closed:
                return None
            if sequence + 1 >= self._updates[0].sequence:
                return self._updates[sequence + 1 - self._updates[0].sequence]
        return self.snapshot()

    def join(self) -> None:
        """Count a client."""
        with self._news:
            self._clients += 1

    def leave(self) -> None:
        """Count a client no more."""
        with self._news:
            self._clients -= 1

    def close(self) -> None:
        """Let every client's thread end."""
        with self._news:
            self.closed = True
            self._news.notify_all()
