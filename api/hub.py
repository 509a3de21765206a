"""The newest push and snapshot, encoded once for each part of the city that somebody subscribed to."""

import threading
import zlib
from collections.abc import Callable

from api.subscription import EVERYTHING, Subscription

#: Smaller messages are sent as they are.
LEAST_DEFLATED = 256
DEFLATE_LEVEL = 3


def text_frame(text: bytes, deflate: bool = False) -> bytes:
    """A message as one unmasked WebSocket text frame: the same bytes for every client (RFC 6455, 5.2).

    ``deflate``: compressed by itself, without the messages before it (RFC 7692, 7.2.1), so that clients can share it.
    """
    first = b"\x81"
    if deflate and len(text) >= LEAST_DEFLATED:
        packer = zlib.compressobj(DEFLATE_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        text = (packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
        first = b"\xc1"
    size = len(text)
    if size < 126:
        return first + bytes([size]) + text
    if size < 65536:
        return first + b"\x7e" + size.to_bytes(2, "big") + text
    return first + b"\x7f" + size.to_bytes(8, "big") + text


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
        self._frames: dict[tuple[Subscription, bool], bytes] = {}

    def json_for(self, part: Subscription) -> bytes:
        """Its JSON for a part of the city, made once for all who have that part."""
        if part.whole or self._encode is None:
            return self.json
        found = self._parts.get(part)
        if found is None:
            found = self._parts.setdefault(part, self._encode(part))
        return found

    def frame_for(self, part: Subscription, deflate: bool = False) -> bytes:
        """The same as a frame, made once for all who have that part."""
        found = self._frames.get((part, deflate))
        if found is None:
            found = self._frames.setdefault((part, deflate), text_frame(self.json_for(part), deflate))
        return found


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
