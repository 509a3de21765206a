"""All plain WebSocket clients in one thread: a push is one send each, and a slow client costs nobody else anything.

The web server shakes hands in a thread of its own, then hands the socket over and is free again: a client takes a few
kilobytes here instead of two threads.
"""

import logging
import queue
import selectors
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import orjson
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Message, Ping, TextMessage
from wsproto.extensions import PerMessageDeflate
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from api.hub import Hub, Push, text_frame
from api.subscription import EVERYTHING, Subscription

log = logging.getLogger(__name__)

#: A client that takes no byte for this long while some wait for it is dropped.
SEND_TIMEOUT_SECONDS = 10.0
#: Clients are pinged this often; who says nothing for three of these is gone.
PING_SECONDS = 20.0
PING_FRAME, CLOSE_GOING_AWAY, CLOSE_TOO_BIG = b"\x89\x00", b"\x88\x02\x03\xe9", b"\x88\x02\x03\xf1"
MOST_MESSAGE_BYTES = 64 * 1024
#: A client may say this much in a row, and then so much a second: each message may cost a snapshot.
TALK_BURST, TALK_PER_SECOND = 20.0, 2.0


@dataclass(eq=False)
class Client:
    """One client: its socket, what waits for it, which part of the city it sees and how far it is."""

    sock: socket.socket
    part: Subscription
    parser: Connection
    deflates: bool = False
    waiting: deque[memoryview] = field(default_factory=deque)
    sequence: int = -1
    behind: bool = False
    text: str = ""
    heard: float = field(default_factory=time.monotonic)
    took: float = field(default_factory=time.monotonic)
    talk: float = TALK_BURST


class StreamLoop(threading.Thread):
    """Feeds the clients it was handed.

    Args:
        hub: where snapshots come from.
        most: clients at once; more are refused by ``full``.

    """

    def __init__(self, hub: Hub, most: int) -> None:
        super().__init__(name="stream-loop", daemon=True)
        self._hub = hub
        self._most = most
        self._selector = selectors.DefaultSelector()
        self._clients: dict[int, Client] = {}
        self._news: queue.SimpleQueue[Push | Client | None] = queue.SimpleQueue()
        self._hears, self._calls = socket.socketpair()
        self._hears.setblocking(False)
        self._calls.setblocking(False)
        self._selector.register(self._hears, selectors.EVENT_READ)
        self._next_ping = time.monotonic() + PING_SECONDS
        self._closing = False
        self.dropped = 0
        self.thinned = 0

    @property
    def clients(self) -> int:
        """Clients connected now."""
        return len(self._clients)

    @property
    def full(self) -> bool:
        """Whether no more are taken."""
        return len(self._clients) >= self._most

    def adopt(
        self, sock: socket.socket, part: Subscription = EVERYTHING, deflate: PerMessageDeflate | None = None
    ) -> None:
        """Take over a socket whose handshake is done, with the compression agreed on in it; from any thread."""
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        parser = Connection(ConnectionType.SERVER, [deflate] if deflate else [])
        self._tell(Client(sock, part, parser, deflate is not None))

    def publish(self, push: Push) -> None:
        """Send a push to everyone; from any thread."""
        self._tell(push)

    def stop(self) -> None:
        """Let every client go, with a word of goodbye, and end."""
        self._tell(None)
        if self.is_alive():
            self.join(3.0)

    def _tell(self, news: Push | Client | None) -> None:
        self._news.put(news)
        try:
            self._calls.send(b"\0")
        except OSError:
            log.debug("the loop is awake already")

    def run(self) -> None:
        """Serve until stopped."""
        while not self._closing:
            for key, events in self._selector.select(1.0):
                if key.fileobj is self._hears:
                    self._listen()
                elif isinstance(key.data, Client) and key.data.sock.fileno() in self._clients:
                    self._serve(key.data, events)
            self._look_after()
        for client in list(self._clients.values()):
            self._send(client, CLOSE_GOING_AWAY)
            self._drop(client)
        self._selector.close()

    def _listen(self) -> None:
        try:
            self._hears.recv(4096)
        except BlockingIOError:
            log.debug("woken for nothing")
        while True:
            try:
                news = self._news.get_nowait()
            except queue.Empty:
                return
            if news is None:
                self._closing = True
                return
            if isinstance(news, Client):
                self._take(news)
            else:
                self._broadcast(news)

    def _take(self, client: Client) -> None:
        self._clients[client.sock.fileno()] = client
        self._selector.register(client.sock, selectors.EVENT_READ, client)
        self._snapshot(client)

    def _snapshot(self, client: Client) -> None:
        push = self._hub.snapshot(client.part)
        client.sequence, client.behind = push.sequence, False
        # A snapshot is of its part already, and has one JSON for all who have that.
        self._send(client, push.frame_for(client.part, client.deflates))

    def _broadcast(self, push: Push) -> None:
        for client in list(self._clients.values()):
            if push.sequence <= client.sequence:
                continue
            if client.waiting:
                # It still takes the last message: it gets a snapshot once it has, not all it missed.
                self.thinned += not client.behind
                client.behind = True
            else:
                client.sequence = push.sequence
                self._send(client, push.frame_for(client.part, client.deflates))

    def _send(self, client: Client, data: bytes) -> None:
        if client.waiting:
            client.waiting.append(memoryview(data))
            return
        try:
            sent = client.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(client)
            return
        if sent < len(data):
            client.took = time.monotonic()
            client.waiting.append(memoryview(data)[sent:])
            self._selector.modify(client.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, client)

    def _serve(self, client: Client, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._flush(client)
        if events & selectors.EVENT_READ and client.sock.fileno() in self._clients:
            self._hear(client)

    def _flush(self, client: Client) -> None:
        while client.waiting:
            head = client.waiting[0]
            try:
                sent = client.sock.send(head)
            except BlockingIOError:
                return
            except OSError:
                self._drop(client)
                return
            client.took = time.monotonic()
            if sent < len(head):
                client.waiting[0] = head[sent:]
                return
            client.waiting.popleft()
        self._selector.modify(client.sock, selectors.EVENT_READ, client)
        if client.behind:
            self._snapshot(client)

    def _hear(self, client: Client) -> None:
        try:
            data = client.sock.recv(16384)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        client.talk = min(TALK_BURST, client.talk + (time.monotonic() - client.heard) * TALK_PER_SECOND)
        client.heard = time.monotonic()
        try:
            client.parser.receive_data(data)
            for event in client.parser.events():
                if client.sock.fileno() not in self._clients:
                    return
                if isinstance(event, Ping):
                    self._send(client, client.parser.send(event.response()))
                elif isinstance(event, CloseConnection):
                    self._send(client, client.parser.send(event.response()))
                    self._drop(client)
                elif isinstance(event, Message):
                    self._collect(client, event)
        except (RemoteProtocolError, LocalProtocolError):
            self._drop(client)

    def _collect(self, client: Client, event: Message[Any]) -> None:
        client.text += event.data if isinstance(event, TextMessage) else ""
        if len(client.text) > MOST_MESSAGE_BYTES:
            self._send(client, CLOSE_TOO_BIG)
            self._drop(client)
        elif event.message_finished:
            text, client.text = client.text, ""
            client.talk -= 1
            if client.talk < 0:
                log.info("dropped a WebSocket client that talks too much")
                self.dropped += 1
                self._drop(client)
                return
            self._understand(client, text)

    def _understand(self, client: Client, text: str) -> None:
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            return
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "subscribe":
            try:
                client.part = Subscription.of(message)
            except ValueError as error:
                self._send(client, text_frame(orjson.dumps({"type": "error", "detail": str(error)})))
                return
        if kind in ("subscribe", "resync"):
            if client.waiting:
                client.behind = True
            else:
                self._snapshot(client)

    def _look_after(self) -> None:
        now = time.monotonic()
        ping = now >= self._next_ping
        if ping:
            self._next_ping = now + PING_SECONDS
        for client in list(self._clients.values()):
            if client.waiting and now - client.took > SEND_TIMEOUT_SECONDS:
                log.info("dropped a WebSocket client that took nothing for %g s", SEND_TIMEOUT_SECONDS)
                self.dropped += 1
                self._drop(client)
            elif ping and now - client.heard > 3 * PING_SECONDS:
                log.info("dropped a WebSocket client that does not answer")
                self.dropped += 1
                self._drop(client)
            elif ping and not client.waiting:
                self._send(client, PING_FRAME)

    def _drop(self, client: Client) -> None:
        if self._clients.pop(client.sock.fileno(), None) is None:
            return
        self._selector.unregister(client.sock)
        client.sock.close()
