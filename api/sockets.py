"""``/ws/stream``, spoken two ways: a plain WebSocket, and Socket.IO with that namespace. Same messages, same JSON.

On connect a ``snapshot``, then an ``update`` every push. A client that missed a sequence number asks for a new
snapshot: ``{"type": "resync"}`` on the plain socket, the event ``resync`` on Socket.IO.
"""

import logging
import socket
import struct
import threading
from typing import Any

import orjson
from flask import Flask, request
from flask_sock import Sock
from flask_socketio import Namespace, SocketIO, join_room
from simple_websocket import ConnectionClosed, Server

from api.hub import Hub, Push
from api.push import Pusher
from api.security import Gate

log = logging.getLogger(__name__)

PATH = "/ws/stream"
#: A client that takes no byte for this long is dropped.
SEND_TIMEOUT_SECONDS = 10
#: A Socket.IO client with this many packets waiting is dropped.
MOST_WAITING = 16
PING_SECONDS = 20
MOST_MESSAGE_BYTES = 4096
ROOM = "live"


class Codec:
    """JSON for Socket.IO that lets a message encoded once pass through (``orjson.Fragment``)."""

    @staticmethod
    def dumps(value: Any, **_: Any) -> str:
        """JSON text; separators and the like, which Socket.IO passes, are orjson's anyway."""
        return orjson.dumps(value).decode()

    @staticmethod
    def loads(text: str | bytes, **_: Any) -> Any:
        """Parsed JSON."""
        return orjson.loads(text)


class _Daemon(threading.Thread):
    """A reader of a client's socket that does not keep the process from ending."""

    def __init__(self, **options: Any) -> None:
        super().__init__(daemon=True, **options)


class _Wire:
    """A client's socket for two writers: our frames and the library's pongs must not mix mid-frame."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._lock = threading.Lock()
        limit = struct.pack("ll", SEND_TIMEOUT_SECONDS, 0)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes) -> int:
        """Send all of ``data``. Raises: OSError where the client takes nothing for the time limit."""
        with self._lock:
            self._raw.sendall(data)
        return len(data)

    def drop(self) -> None:
        """End the connection without waiting for the client."""
        try:
            self._raw.shutdown(socket.SHUT_RDWR)
        except OSError:
            log.debug("client was gone already")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def _wants_resync(text: str | bytes) -> bool:
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(message, dict) and message.get("type") == "resync"


def _asked_for_snapshot(ws: Server) -> bool:
    asked = False
    while (text := ws.receive(timeout=0)) is not None:
        asked = asked or _wants_resync(text)
    return asked


def serve_plain(ws: Server, hub: Hub, seconds: float) -> None:
    """Feed one plain client until it leaves, is too slow, or the hub closes."""
    wire = _Wire(ws.sock)
    ws.sock = wire
    hub.join()
    try:
        push: Push | None = hub.snapshot()
        sequence = 0
        while ws.connected and not hub.closed:
            if push is not None:
                wire.send(push.frame)
                sequence = push.sequence
            push = hub.snapshot() if _asked_for_snapshot(ws) else hub.after(sequence, timeout=seconds)
    except OSError as error:
        log.info("dropped a WebSocket client: %s", error)
        wire.drop()
    except ConnectionClosed:
        log.debug("client left")
    finally:
        hub.leave()


class Stream(Namespace):  # type: ignore[misc]
    """The Socket.IO side: events ``snapshot`` and ``update`` to the client, ``resync`` from it."""

    def __init__(self, socketio: SocketIO, pusher: Pusher, gate: Gate) -> None:
        super().__init__(PATH)
        self._socketio = socketio
        self._pusher = pusher
        self._gate = gate
        pusher.listeners.append(self.broadcast)

    def on_connect(self, auth: Any = None) -> bool | None:
        """Send the snapshot and join the pushes, with no push in between; False refuses the client."""
        token = auth.get("token") if isinstance(auth, dict) else None
        if not self._gate.admits(request, token):
            return False
        with self._pusher.lock:
            self._send_snapshot()
            join_room(ROOM)
        return None

    def on_resync(self, _: Any = None) -> None:
        """Send a new snapshot."""
        self._send_snapshot()

    def _send_snapshot(self) -> None:
        push = self._pusher.hub.snapshot()
        self._socketio.emit(push.event, orjson.Fragment(push.json), namespace=PATH, to=request.sid)  # type: ignore[attr-defined]

    def broadcast(self, push: Push) -> None:
        """One push to all; clients whose queue is full are dropped first."""
        server = self._socketio.server
        for sid, eio_sid in list(server.manager.get_participants(PATH, ROOM)):
            client = server.eio.sockets.get(eio_sid)
            if client is not None and client.queue.qsize() > MOST_WAITING:
                log.info("dropped a slow Socket.IO client %s", sid)
                client.close(wait=False, abort=True)
        self._socketio.emit(push.event, orjson.Fragment(push.json), namespace=PATH, to=ROOM)


def close_all(socketio: SocketIO) -> None:
    """Let every Socket.IO client go; they connect again elsewhere or later."""
    for client in list(socketio.server.eio.sockets.values()):
        client.close(wait=False, abort=False)


def count(socketio: SocketIO) -> int:
    """Socket.IO clients that get pushes."""
    return sum(1 for _ in socketio.server.manager.get_participants(PATH, ROOM))


def install(app: Flask, pusher: Pusher, gate: Gate, seconds: float) -> SocketIO:
    """Put both kinds of clients on ``app``."""
    app.config["SOCK_SERVER_OPTIONS"] = {
        "ping_interval": PING_SECONDS,
        "max_message_size": MOST_MESSAGE_BYTES,
        "thread_class": _Daemon,
    }
    sock = Sock(app)

    @sock.route(PATH)  # type: ignore[untyped-decorator]
    def stream(ws: Server) -> None:
        serve_plain(ws, pusher.hub, seconds)

    socketio = SocketIO(
        app,
        async_mode="threading",
        json=Codec,
        manage_session=False,
        max_http_buffer_size=MOST_MESSAGE_BYTES,
        ping_interval=PING_SECONDS,
    )
    socketio.on_namespace(Stream(socketio, pusher, gate))
    return socketio
