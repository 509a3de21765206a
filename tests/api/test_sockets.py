"""Real clients against a really running server."""

import re
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import orjson
import pytest
import socketio
import websocket
from flask import Flask
from wsproto import ConnectionType, WSConnection
from wsproto.events import Request, TextMessage
from wsproto.extensions import PerMessageDeflate

from api import streamloop
from api.context import Context
from api.hub import Hub, Push
from api.streamloop import StreamLoop
from api.subscription import EVERYTHING
from smartcity.messages import Snapshot, Update
from tests.api.conftest import Running
from tests.api.rows import FAST, QUIET, SLOW, scored


def connect(running: Running, **options: Any) -> websocket.WebSocket:
    return websocket.create_connection(f"ws://127.0.0.1:{running.port}/ws/stream", timeout=10, **options)


def receive(client: websocket.WebSocket) -> dict:
    return orjson.loads(client.recv())


def until(condition: Any, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)


class Listener:
    """A Socket.IO client that keeps what it gets."""

    def __init__(self, running: Running, transports: list[str], **options: Any) -> None:
        self.messages: list[dict] = []
        self.client = socketio.Client(reconnection=False)
        for event in ("snapshot", "update"):
            self.client.on(event, self.messages.append, namespace="/ws/stream")
        self.client.connect(
            f"http://127.0.0.1:{running.port}",
            namespaces=["/ws/stream"],
            transports=transports,
            wait_timeout=10,
            **options,
        )


def test_a_plain_client_gets_a_snapshot_and_then_updates_without_a_gap(running: Running) -> None:
    client = connect(running)
    snapshot = Snapshot.model_validate(receive(client))
    assert {cell.cell_id for cell in snapshot.cells} == {FAST, SLOW, QUIET}
    assert snapshot.summary.model_version == "3"
    sequences = [snapshot.sequence] + [Update.model_validate(receive(client)).sequence for _ in range(5)]
    assert sequences == list(range(sequences[0], sequences[0] + 6))
    client.close()


def test_an_update_carries_the_cells_that_changed_and_no_others(running: Running) -> None:
    client = connect(running)
    receive(client)
    receive(client)
    running.context.state.apply([scored(SLOW, -1, 0.9, "low", forecast="low")])
    found = next(message for message in (receive(client) for _ in range(20)) if message["cells"])
    assert [(cell["cell_id"], cell["level"]) for cell in found["cells"]] == [(SLOW, "low")]
    client.close()


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]])
def test_a_socketio_client_gets_the_same_messages(running: Running, transports: list[str]) -> None:
    plain = connect(running)
    listener = Listener(running, transports)
    until(lambda: len(listener.messages) >= 4)
    snapshot, *updates = listener.messages[:4]
    assert snapshot["type"] == "snapshot"
    assert [update["sequence"] for update in updates] == [snapshot["sequence"] + n for n in (1, 2, 3)]
    same: list[dict] = []
    while not same or same[-1]["sequence"] < updates[-1]["sequence"]:
        same.append(receive(plain))
    assert [message for message in same if message["type"] == "update"][-3:] == updates
    listener.client.disconnect()
    plain.close()


def test_resync_brings_a_new_snapshot_to_either_client(running: Running) -> None:
    plain = connect(running)
    receive(plain)
    plain.send('{"type": "resync"}')
    assert "snapshot" in [receive(plain)["type"] for _ in range(3)]
    listener = Listener(running, ["websocket"])
    until(lambda: listener.messages)
    listener.client.emit("resync", namespace="/ws/stream")
    until(lambda: [message["type"] for message in listener.messages].count("snapshot") == 2)
    listener.client.disconnect()
    plain.close()


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"type": 7}', '"resync"', "[" * 3000, "\ud7ff"])
def test_nonsense_from_a_client_changes_nothing(running: Running, text: str) -> None:
    client = connect(running)
    receive(client)
    client.send(text)
    assert [receive(client)["type"] for _ in range(3)] == ["update"] * 3
    client.close()


def ends(client: websocket.WebSocket) -> bool:
    """Whether the server closes the connection, by a close frame (read as an empty message) or by cutting it."""
    try:
        return any(client.recv() in ("", b"") for _ in range(100))
    except (websocket.WebSocketException, OSError):
        return True


def test_a_message_too_large_ends_that_client_only(running: Running) -> None:
    other, client = connect(running), connect(running)
    client.send("x" * 300_000)
    assert ends(client)
    assert receive(other)["type"] == "snapshot"
    other.close()


def test_a_client_that_reads_nothing_is_dropped_and_does_not_hold_up_others(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streamloop, "SEND_TIMEOUT_SECONDS", 1)
    many = [scored(f"cell-{number}", -1, 0.9, "low", forecast="low") for number in range(3000)]
    stuck = socket.create_connection(("127.0.0.1", running.port))
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.sendall(
        b"GET /ws/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    until(lambda: running.context.loop.clients == 1)
    quick = connect(running)
    receive(quick)
    stop = threading.Event()

    def keep_changing() -> None:
        while not stop.wait(0.5):
            running.context.state.apply(many)

    threading.Thread(target=keep_changing, daemon=True).start()
    end = time.monotonic() + 60
    while running.context.loop.clients == 2:
        assert time.monotonic() < end, "the client that reads nothing is still there"
        # Fails after the client's own 10 seconds, should the one that is stuck hold up this one.
        receive(quick)
    stop.set()
    assert receive(quick)["type"] in ("update", "snapshot")
    quick.close()
    stuck.close()


def test_a_slow_client_gets_a_snapshot_for_what_it_missed_and_the_others_get_all() -> None:
    hub = Hub(lambda sequence, part: b"whole %d" % sequence)
    loop = StreamLoop(hub, 10)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.socket()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        theirs.connect(listener.getsockname())
        ours, _ = listener.accept()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    loop.start()
    loop.adopt(ours)
    until(lambda: loop.clients == 1)
    big = b"x" * 1_000_000
    for _ in range(3):
        loop.publish(hub.publish(lambda sequence: Push(sequence, "update", big)))
    until(lambda: loop.thinned == 1)
    got = b""
    theirs.settimeout(10)
    while not got.endswith(b"whole 3"):
        got += theirs.recv(65536)
    # The first snapshot, one update in whole, and one snapshot for the two that it missed.
    assert got.count(big) == 1
    assert got.count(b"whole") == 2
    loop.stop()


def test_a_part_of_the_city_is_a_snapshot_and_updates_of_that_part(running: Running) -> None:
    client = websocket.create_connection(f"ws://127.0.0.1:{running.port}/ws/stream?cells={FAST}", timeout=10)
    assert [cell["cell_id"] for cell in receive(client)["cells"]] == [FAST]
    running.context.state.apply([scored(SLOW, -1, 0.9, "low"), scored(FAST, -1, 0.4, "high")])
    found = next(message for message in (receive(client) for _ in range(20)) if message["cells"])
    assert [cell["cell_id"] for cell in found["cells"]] == [FAST]
    client.send('{"type": "subscribe", "bbox": "-74.00,40.74,-73.97,40.77"}')
    until(lambda: receive(client)["type"] == "snapshot")
    client.send('{"type": "subscribe"}')
    snapshot = next(message for message in (receive(client) for _ in range(9)) if message["type"] == "snapshot")
    assert len(snapshot["cells"]) == 3
    client.send('{"type": "subscribe", "bbox": "nonsense"}')
    assert "error" in [receive(client)["type"] for _ in range(3)]
    client.close()


def test_a_socketio_client_can_have_a_part_too(running: Running) -> None:
    listener = Listener(running, ["websocket"])
    until(lambda: listener.messages)
    listener.client.emit("subscribe", {"cells": [QUIET]}, namespace="/ws/stream")
    until(lambda: [message["type"] for message in listener.messages].count("snapshot") == 2)
    snapshots = [message for message in listener.messages if message["type"] == "snapshot"]
    assert [cell["cell_id"] for cell in snapshots[1]["cells"]] == [QUIET]
    listener.client.disconnect()


def test_a_client_that_talks_too_much_is_dropped(running: Running) -> None:
    client = connect(running)
    # It may be gone before it has said everything.
    with suppress(ConnectionError):
        for _ in range(100):
            client.send('{"type": "resync"}')
    assert ends(client)
    assert running.context.loop.dropped == 1


def test_no_more_clients_are_taken_than_the_setting_says(running: Running) -> None:
    running.context.loop._most = 1
    first = connect(running)
    receive(first)
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        connect(running)
    assert refused.value.status_code == 503
    first.close()


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_a_frame_is_what_the_standard_says(size: int) -> None:
    from wsproto import ConnectionType
    from wsproto.connection import Connection

    client = Connection(ConnectionType.CLIENT)
    client.receive_data(Push(1, "update", b"x" * size).frame_for(EVERYTHING))
    (event,) = client.events()
    assert event.data == "x" * size


@pytest.mark.parametrize("offer", ["permessage-deflate", "permessage-deflate; client_max_window_bits, x-other"])
def test_a_client_that_can_gets_its_messages_compressed_and_may_answer_so(running: Running, offer: str) -> None:
    deflate = PerMessageDeflate(client_no_context_takeover=True, server_no_context_takeover=True)
    client = WSConnection(ConnectionType.CLIENT)
    raw = socket.create_connection(("127.0.0.1", running.port), timeout=10)
    ask = client.send(Request(host="127.0.0.1", target="/ws/stream", extensions=[deflate]))
    raw.sendall(re.sub(rb"Sec-WebSocket-Extensions: [^\r]*", b"Sec-WebSocket-Extensions: " + offer.encode(), ask))
    got: list[dict] = []
    text, sent, size = "", False, 0
    while [message["type"] for message in got].count("snapshot") < 2:
        data = raw.recv(65536)
        size += len(data)
        client.receive_data(data)
        for event in client.events():
            if isinstance(event, TextMessage):
                text += event.data
                if event.message_finished:
                    got.append(orjson.loads(text))
                    text = ""
        if got and not sent:
            assert size < len(orjson.dumps(got[0]))
            raw.sendall(client.send(TextMessage(data='{"type": "resync"}')))
            sent = True
    assert deflate.enabled()
    raw.close()


@pytest.mark.parametrize("offer", ["", "x-webkit-deflate-frame", "permessage-deflate; server_max_window_bits=9"])
def test_without_an_offer_that_fits_messages_go_as_they_are(running: Running, offer: str) -> None:
    header = [f"Sec-WebSocket-Extensions: {offer}"] if offer else []
    client = connect(running, header=header)
    assert receive(client)["type"] == "snapshot"
    client.close()


def test_a_foreign_page_may_not_open_the_stream(running: Running) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        connect(running, origin="https://elsewhere.example")
    assert refused.value.status_code == 403
    with pytest.raises(socketio.exceptions.ConnectionError):
        Listener(running, ["websocket"], headers={"Origin": "https://elsewhere.example"})


def test_clients_are_counted(app: Flask, context: Context, running: Running) -> None:
    plain, listener = connect(running), Listener(running, ["websocket"])
    until(lambda: context.websocket_clients() == 2)
    plain.close()
    listener.client.disconnect()
    until(lambda: context.websocket_clients() == 0)


def test_a_request_without_upgrade_is_a_problem(app: Flask) -> None:
    answer = app.test_client().get("/ws/stream")
    assert answer.status_code in (400, 404)
    assert answer.mimetype == "application/problem+json"
