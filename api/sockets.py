"""``/ws/stream``, spoken two ways: a plain WebSocket, and Socket.IO with that namespace. Same messages, same JSON.

On connect a ``snapshot``, then an ``update`` every push. A client that missed a sequence number asks for a new
snapshot: ``{"type": "resync"}`` on the plain socket, the event ``resync`` on Socket.IO. ``subscribe`` with ``bbox`` or
``cells`` brings a snapshot of that part, and from then on that part only.
"""

import logging
import socket
from collections.abc import Mapping
from typing import Any

import orjson
from flask import Flask, Response, request
from flask_socketio import Namespace, SocketIO, join_room
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection
from wsproto.extensions import PerMessageDeflate
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from api.hub import Push
from api.problems import Problem
from api.push import Pusher
from api.security import Gate
from api.streamloop import MOST_MESSAGE_BYTES, PING_SECONDS, StreamLoop
from api.subscription import EVERYTHING, Subscription

log = logging.getLogger(__name__)

PATH = "/ws/stream"
#: A client takes the answer to its handshake within this long.
HANDSHAKE_SECONDS = 5.0
#: A Socket.IO client with this many packets waiting is dropped.
MOST_WAITING = 16
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


def _deflate(environ: Mapping[str, Any]) -> PerMessageDeflate | None:
    """Compression, where the client offers it without a smaller window of ours: each message by itself."""
    for offer in environ.get("HTTP_SEC_WEBSOCKET_EXTENSIONS", "").split(","):
        name, *parameters = (part.strip().lower() for part in offer.split(";"))
        if name == PerMessageDeflate.name and not any(one.startswith("server_max_window_bits") for one in parameters):
            return PerMessageDeflate(client_no_context_takeover=True, server_no_context_takeover=True)
    return None


def _accept(environ: Mapping[str, Any], deflate: PerMessageDeflate | None) -> bytes:
    """The answer to a handshake. Raises: Problem 400 where it is none."""
    headers = [
        (name[5:].replace("_", "-").lower().encode(), str(value).encode("latin-1"))
        for name, value in environ.items()
        if name.startswith("HTTP_")
    ]
    parser = WSConnection(ConnectionType.SERVER)
    try:
        parser.initiate_upgrade_connection(headers, environ.get("PATH_INFO", PATH))
        return bytes(parser.send(AcceptConnection(extensions=[deflate] if deflate else [])))
    except (RemoteProtocolError, LocalProtocolError) as error:
        raise Problem(400, f"This is no WebSocket handshake: {error}.") from error


def _raw_socket(environ: Mapping[str, Any]) -> socket.socket:
    """The client's socket, which from now on is nobody's but ours: the server's own object no longer has it."""
    served = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    if not isinstance(served, socket.socket):
        raise Problem(501, "This server cannot hand a WebSocket over.")
    return socket.socket(fileno=served.detach())


class _HandedOver(Response):
    """What a web server gets for a request whose socket it no longer has: told in the way that it takes quietly."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if "gunicorn.socket" in environ:
            raise StopIteration
        raise ConnectionAbortedError


def open_stream(loop: StreamLoop) -> Response:
    """Shake hands and hand the client to the loop. Raises: Problem where the request is wrong or the loop full."""
    try:
        part = Subscription.of(request.args.to_dict())
    except ValueError as error:
        raise Problem(400, f"The query is not valid: {error}") from error
    if loop.full:
        raise Problem(
            503, "As many WebSocket clients are connected as this server takes.", headers={"Retry-After": "30"}
        )
    deflate = _deflate(request.environ)
    answer = _accept(request.environ, deflate)
    raw = _raw_socket(request.environ)
    raw.settimeout(HANDSHAKE_SECONDS)
    try:
        raw.sendall(answer)
        loop.adopt(raw, part, deflate)
    except OSError:
        raw.close()
    return _HandedOver()


class Stream(Namespace):  # type: ignore[misc]
    """The Socket.IO side: events ``snapshot`` and ``update`` to the client, ``resync`` and ``subscribe`` from it."""

    def __init__(self, socketio: SocketIO, pusher: Pusher, gate: Gate) -> None:
        super().__init__(PATH)
        self._socketio = socketio
        self._pusher = pusher
        self._gate = gate
        self._parts: dict[str, Subscription] = {}
        pusher.listeners.append(self.broadcast)

    def on_connect(self, auth: Any = None) -> bool | None:
        """Send the snapshot and join the pushes, with no push in between; False refuses the client."""
        token = auth.get("token") if isinstance(auth, dict) else None
        if not self._gate.admits(request, token):
            return False
        self._join(EVERYTHING)
        return None

    def on_disconnect(self, *_: Any) -> None:
        """Forget what it was subscribed to."""
        self._parts.pop(request.sid, None)  # type: ignore[attr-defined]

    def on_resync(self, _: Any = None) -> None:
        """Send a new snapshot."""
        self._send_snapshot(self._parts.get(request.sid, EVERYTHING))  # type: ignore[attr-defined]

    def on_subscribe(self, asked: Any = None) -> None:
        """Send a snapshot of a part of the city, and from now on that part only."""
        try:
            self._join(Subscription.of(asked or {}))
        except ValueError as error:
            self._socketio.emit("error", {"type": "error", "detail": str(error)}, namespace=PATH, to=request.sid)  # type: ignore[attr-defined]

    def _join(self, part: Subscription) -> None:
        sid: str = request.sid  # type: ignore[attr-defined]
        with self._pusher.lock:
            self._parts[sid] = part
            self._send_snapshot(part)
            join_room(ROOM)

    def _send_snapshot(self, part: Subscription) -> None:
        push = self._pusher.hub.snapshot(part)
        self._socketio.emit(push.event, orjson.Fragment(push.json), namespace=PATH, to=request.sid)  # type: ignore[attr-defined]

    def broadcast(self, push: Push) -> None:
        """One push to all; clients whose queue is full are dropped first."""
        server = self._socketio.server
        for sid, eio_sid in list(server.manager.get_participants(PATH, ROOM)):
            client = server.eio.sockets.get(eio_sid)
            if client is not None and client.queue.qsize() > MOST_WAITING:
                log.info("dropped a slow Socket.IO client %s", sid)
                client.close(wait=False, abort=True)
                continue
            part = self._parts.get(sid, EVERYTHING)
            self._socketio.emit(push.event, orjson.Fragment(push.json_for(part)), namespace=PATH, to=sid)


def close_all(socketio: SocketIO) -> None:
    """Let every Socket.IO client go; they connect again elsewhere or later."""
    for client in list(socketio.server.eio.sockets.values()):
        client.close(wait=False, abort=False)


def count(socketio: SocketIO) -> int:
    """Socket.IO clients that get pushes."""
    return sum(1 for _ in socketio.server.manager.get_participants(PATH, ROOM))


def install(app: Flask, pusher: Pusher, loop: StreamLoop, gate: Gate) -> SocketIO:
    """Put both kinds of clients on ``app``."""
    pusher.listeners.append(loop.publish)

    @app.get(PATH, websocket=True)
    def stream() -> Response:
        return open_stream(loop)

    socketio = SocketIO(
        app,
        async_mode="threading",
        json=Codec,
        manage_session=False,
        max_http_buffer_size=MOST_MESSAGE_BYTES,
        ping_interval=PING_SECONDS,
        cors_allowed_origins=gate.origins or None,
    )
    socketio.on_namespace(Stream(socketio, pusher, gate))
    return socketio
