"""Many WebSocket clients on one process: how late each push arrives, who is lost, how soon all are back after a kill.

    ./traffic bench sockets --clients 1000 --seconds 600
    ./traffic bench sockets --clients 1000 --seconds 30 --kill
    ./traffic bench sockets --slow-loris 500

A push is as late as its last byte is after the time written into it. Every client gets every push; a sequence number
that is missing is counted. ``--kill``: the server is killed (SIGKILL) and started again as a supervisor would; each
client connects again by itself, and its first message must be a snapshot. ``--slow-loris``: so many connections that
send a header byte now and then, while ``/api/health`` is asked, behind nginx with ``docker/nginx.conf``.
"""

import argparse
import base64
import json
import os
import resource
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from datetime import datetime
from pathlib import Path

from benchmarks._load import Load, percentile, seed, served, wait_until_served
from smartcity.errors import InputError, TrafficError
from smartcity.services.ports import free_port
from smartcity.settings import ROOT, Settings

CELLS = 1000
RETRY_SECONDS = 1.0


class Client:
    """One client: what it waits for, and what it saw."""

    def __init__(self) -> None:
        self.sock: socket.socket | None = None
        self.retry_at = 0.0
        self.buffer = bytearray()
        self.frame_bytes = 0
        self.shaken = False
        self.sequence: int | None = None
        self.back_at: float | None = None


class Crowd:
    """Clients in one loop."""

    def __init__(self, port: int, count: int, plain: bool) -> None:
        self._offer = "" if plain else "Sec-WebSocket-Extensions: permessage-deflate\r\n"
        self._port = port
        self._selector = selectors.DefaultSelector()
        self.clients = [Client() for _ in range(count)]
        self.late: list[float] = []
        self.missed = 0
        self.lost = 0
        self.messages = 0
        self.bytes = 0

    @property
    def listening(self) -> int:
        return sum(client.sequence is not None for client in self.clients)

    def run(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._connect_some()
            for key, _ in self._selector.select(0.1):
                self._hear(key.data)

    def _connect_some(self) -> None:
        now, made = time.monotonic(), 0
        for client in self.clients:
            if client.sock is None and client.retry_at <= now and made < 50:
                made += 1
                self._connect(client)

    def _connect(self, client: Client) -> None:
        try:
            sock = socket.create_connection(("127.0.0.1", self._port), timeout=5)
        except OSError:
            client.retry_at = time.monotonic() + RETRY_SECONDS
            return
        key = base64.b64encode(os.urandom(16)).decode()
        sock.sendall(
            f"GET /ws/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{self._offer}\r\n".encode()
        )
        sock.setblocking(False)
        client.__init__()
        client.sock = sock
        self._selector.register(sock, selectors.EVENT_READ, client)

    def _hear(self, client: Client) -> None:
        try:
            data = client.sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.lost += 1
            self._selector.unregister(client.sock)
            client.sock.close()
            client.sock, client.sequence = None, None
            client.retry_at = time.monotonic() + RETRY_SECONDS
            return
        client.buffer += data
        self.bytes += len(data)
        while self._frame(client):
            pass

    def _frame(self, client: Client) -> bool:
        buffer = client.buffer
        if not client.shaken:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return False
            if not buffer.startswith(b"HTTP/1.1 101"):
                raise RuntimeError(bytes(buffer[:200]))
            del buffer[: end + 4]
            client.shaken = True
        if len(buffer) < 2:
            return False
        size, head = buffer[1] & 127, 2
        if size == 126:
            size, head = int.from_bytes(buffer[2:4], "big"), 4
        elif size == 127:
            size, head = int.from_bytes(buffer[2:10], "big"), 10
        if len(buffer) < head + size:
            return False
        opcode, start = buffer[0] & 15, bytes(buffer[head : head + 500])
        if buffer[0] & 0x40:
            start = zlib.decompressobj(-zlib.MAX_WBITS).decompress(start, 200)
        del buffer[: head + size]
        if opcode == 1:
            self._message(client, start)
        elif opcode == 9:
            client.sock.send(b"\x8a\x80\0\0\0\0")
        return True

    def _message(self, client: Client, start: bytes) -> None:
        now = time.time()
        sequence = int(start.split(b'"sequence":', 1)[1].split(b",", 1)[0])
        sent = start.split(b'"sent_utc":"', 1)[1].split(b'"', 1)[0].decode().replace("Z", "+00:00")
        self.messages += 1
        if b'"update"' in start[:30]:
            self.late.append(now - datetime.fromisoformat(sent).timestamp())
            if client.sequence is not None and sequence != client.sequence + 1:
                self.missed += 1
        elif client.back_at is None:
            client.back_at = time.monotonic()
        client.sequence = sequence


def _feed(changed: int, vehicles: int) -> dict[str, str]:
    return {"FEED_CELLS": str(CELLS), "FEED_CHANGED": str(changed), "FEED_VEHICLES": str(vehicles)}


def _memory_mb(process: subprocess.Popen) -> float:
    import psutil

    own = psutil.Process(process.pid)
    return sum(one.memory_info().rss for one in [own, *own.children(recursive=True)]) / 1e6


def measure(clients: int, seconds: float, changed: int, vehicles: int, kill: bool, plain: bool) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="bench-sockets-") as folder:
        home = Path(folder)
        seed(Settings(home=home), CELLS, 5)
        environment = {**_feed(changed, vehicles), "TRAFFIC_API_SOCKETS": str(clients + 100)}
        with served("benchmarks._feed", home, **environment) as (port, process):
            crowd = Crowd(port, clients, plain)
            end = time.monotonic() + 120
            while crowd.listening < clients and time.monotonic() < end:
                crowd.run(1.0)
            crowd.late.clear()
            crowd.lost = crowd.missed = crowd.messages = crowd.bytes = 0
            crowd.run(seconds)
            figures = {
                "clients": clients,
                "listening": crowd.listening,
                "seconds": seconds,
                "messages": crowd.messages,
                "megabytes_per_second": round(crowd.bytes / seconds / 1e6, 1),
                "push_p50_ms": round(1000 * percentile(crowd.late, 0.5), 1),
                "push_p99_ms": round(1000 * percentile(crowd.late, 0.99), 1),
                "lost": crowd.lost,
                "gaps": crowd.missed,
                "server_memory_mb": round(_memory_mb(process)),
            }
            if kill:
                figures |= _killed(crowd, process, port, home, environment)
    return figures


def _killed(crowd: Crowd, process: subprocess.Popen, port: int, home: Path, environment: dict[str, str]) -> dict:
    import psutil

    own = psutil.Process(process.pid)
    for one in [*own.children(recursive=True), own]:
        one.send_signal(signal.SIGKILL)
    process.wait()
    killed = time.monotonic()
    again = subprocess.Popen(
        [sys.executable, "-m", "benchmarks._feed"],
        env={
            **os.environ, "TRAFFIC_HOME": str(home), "TRAFFIC_API_PORT": str(port), **environment,
            "TRAFFIC_KAFKA_BOOTSTRAP": "127.0.0.1:1", "TRAFFIC_RATE_PER_SECOND": "0",
        },
    )  # fmt: skip
    try:
        crowd.run(1.0)
        while crowd.listening < len(crowd.clients) and time.monotonic() < killed + 60:
            crowd.run(0.2)
        back = [client.back_at - killed for client in crowd.clients if client.back_at and client.back_at > killed]
    finally:
        again.terminate()
        again.wait(20)
    return {
        "back": len(back),
        "back_p50_seconds": round(percentile(back, 0.5), 2),
        "back_last_seconds": round(max(back), 2),
    }


def slow_loris(count: int, seconds: float) -> dict[str, float]:
    """``/api/health`` behind nginx while ``count`` connections never finish their request."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        raise InputError("nginx is not installed; apt-get install nginx-light")
    with tempfile.TemporaryDirectory(prefix="bench-sockets-") as folder:
        home = Path(folder)
        seed(Settings(home=home), CELLS, 5)
        with served("api", home, TRAFFIC_TRUSTED_PROXIES="1") as (port, _):
            outside = free_port()
            text = (ROOT / "docker" / "nginx.conf").read_text()
            text = text.replace("listen 80;", f"listen 127.0.0.1:{outside};").replace("api:5000", f"127.0.0.1:{port}")
            text = text.replace("user nginx;", "").replace("/var/run/nginx.pid", str(home / "nginx.pid"))
            text = text.replace("limit_conn addresses 100;", "limit_conn addresses 2000;")
            (home / "nginx.conf").write_text(text)
            proxy = subprocess.Popen(
                [nginx, "-e", str(home / "error.log"), "-c", str(home / "nginx.conf"), "-g", "daemon off;"]
            )
            try:
                wait_until_served(outside)
                slow = [socket.create_connection(("127.0.0.1", outside)) for _ in range(count)]
                for sock in slow:
                    sock.sendall(b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ")
                took: list[float] = []
                request = b"GET /api/health?check=live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
                end, held = time.monotonic() + seconds, 0
                while time.monotonic() < end:
                    took += Load(outside, request, 4).run(1.0, b"200")
                    held = sum(_still(sock) for sock in slow)
            finally:
                proxy.terminate()
                proxy.wait(10)
    return {
        "slow_connections": count,
        "still_held_at_the_end": held,
        "health_requests": len(took),
        "health_p50_ms": round(1000 * percentile(took, 0.5), 1),
        "health_p99_ms": round(1000 * percentile(took, 0.99), 1),
    }


def _still(sock: socket.socket) -> bool:
    try:
        sock.send(b"a")
        return True
    except OSError:
        return False


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--clients", type=int, default=1000)
    arguments.add_argument("--seconds", type=float, default=60.0)
    arguments.add_argument("--changed", type=int, default=100, help="cells that change every second")
    arguments.add_argument("--vehicles", type=int, default=500, help="vehicles that move every second")
    arguments.add_argument("--kill", action="store_true")
    arguments.add_argument("--plain", action="store_true", help="clients that take no compression; browsers do")
    arguments.add_argument("--slow-loris", type=int, metavar="CONNECTIONS")
    arguments.add_argument("--json", action="store_true")
    options = arguments.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        if options.slow_loris:
            figures = slow_loris(options.slow_loris, options.seconds)
        else:
            figures = measure(
                options.clients, options.seconds, options.changed, options.vehicles, options.kill, options.plain
            )
    except TrafficError as error:
        sys.exit(f"sockets: {error}")
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:28} {value}")


if __name__ == "__main__":
    main()
