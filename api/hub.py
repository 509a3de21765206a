"""The newest push and snapshot, encoded once for each part of the city that somebody subscribed to."""

import threading
from collections.abc import Callable
from functools import cached_property

from api.subscription import EVERYTHING, Subscription


def text_frame(text: bytes) -> bytes:
    """A message as one unmasked WebSocket text frame: the same bytes for every client (RFC 6455, 5.2)."""
    size = len(text)
    if size < 126:
        return bytes([0x81, size]) + text
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + text
    return b"\x81\x7f" + size.to_bytes(8, "big") + text


class Push:
    """One message: its place in the order, its event name and its JSON.

    Args:
        sequence: its number.
        event: its name.
        json: for clients that see the whole city.
        encode: its JSON for a part; None where there is one JSON for all.

    """

    def __init__(
        self, sequence: int, event: str, json: bytes, encode: Callable[[Subscription], bytes] | None = None
    ) -> None:
        self.sequence = sequence
        self.event = event
        self.json = json
        self._encode = encode
        self._parts: dict[Subscription, bytes] = {}

    @cached_property
    def frame(self) -> bytes:
        """The message as a frame."""
        return text_frame(self.json)

    def json_for(self, part: Subscription) -> bytes:
        """Its JSON for a part of the city, made once for all who have that part."""
        if part.whole or self._encode is None:
            return self.json
        found = self._parts.get(part)
        if found is None:
            found = self._parts.setdefault(part, self._encode(part))
        return found

    def frame_for(self, part: Subscription) -> bytes:
        """The same as a frame."""
        return self.frame if part.whole else text_frame(self.json_for(part))


class Hub:
    """Numbers the updates and keeps the newest snapshot of each part, shared by all clients.

    Args:
        make_snapshot: JSON of a part's state, to be labelled with the given sequence. At most once per push and part.

    """

    def __init__(self, make_snapshot: Callable[[int, Subscription], bytes]) -> None:
        self._make_snapshot = make_snapshot
        self._snapshot_lock = threading.Lock()
        self._snapshots: dict[Subscription, Push] = {}
        self._sequence = 0
        self.closed = False

    @property
    def sequence(self) -> int:
        """Number of the last update; 0 before the first."""
        return self._sequence

    def publish(self, make: Callable[[int], Push]) -> Push:
        """Encode the next message once."""
        push = make(self._sequence + 1)
        self._sequence = push.sequence
        return push

    def snapshot(self, part: Subscription = EVERYTHING) -> Push:
        """A part's state as of the last push, or newer: what comes after it may repeat something, never miss it."""
        with self._snapshot_lock:
            sequence = self._sequence
            found = self._snapshots.get(part)
            if found is None or found.sequence != sequence or sequence == 0:
                found = Push(sequence, "snapshot", self._make_snapshot(sequence, part))
                # Of parts that nobody asks for any more, nothing is kept longer than a push.
                self._snapshots = {key: one for key, one in self._snapshots.items() if one.sequence == sequence}
                self._snapshots[part] = found
            return found
