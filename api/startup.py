"""A quick start: after a crash the API has to be back in seconds."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

#: The client's half of what serves Socket.IO imports these where it finds them, which takes long; the server uses none.
CLIENTS = ("aiohttp", "requests", "websocket")


@contextmanager
def without_clients() -> Iterator[None]:
    """What is imported within does not find these; afterwards they can be imported as ever."""
    hidden = [name for name in CLIENTS if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
