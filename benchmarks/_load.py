"""A light client that keeps many HTTP connections busy, and a city to serve: shared by the API's benchmarks."""

import os
import selectors
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h3

from smartcity.levels import Level
from smartcity.messages import Forecast, ScoredWindow
from smartcity.services.ports import free_port
from smartcity.settings import Settings
from smartcity.store.engine import create_all, create_engine
from smartcity.store.writer import upsert_windows, window_row

WINDOW, AHEAD = timedelta(minutes=2), timedelta(minutes=16)


def cells(count: int) -> list[str]:
    """The cells around Midtown."""
    found: list[str] = []
    ring = 0
    while len(found) < count:
        found = sorted(h3.grid_disk("882a100d65fffff", ring))
        ring += 1
    return found[:count]


def window(cell_id: str, end: datetime, number: int) -> ScoredWindow:
    """A busy window of a cell."""
    ratio = 0.3 + (number * 37 % 100) / 150
    level = Level.HIGH if ratio < 0.5 else Level.MEDIUM if ratio < 0.75 else Level.LOW
    forecast = Forecast(
        made_utc=end, for_utc=end + AHEAD, level=level, probability_low=0.2137, probability_medium=0.3319,
        probability_high=0.4544, expected_speed_mph=12.345678, model_version="3",
    )  # fmt: skip
    return ScoredWindow(
        cell_id=cell_id, window_start_utc=end - WINDOW, window_end_utc=end, vehicle_count=3 + number % 9,
        position_count=6 + number % 20, avg_speed_mph=20.123456 * ratio, std_speed_mph=3.456789,
        free_flow_mph=20.123456,
        ratio=ratio, level=level, forecast=forecast, updated_utc=datetime.now(UTC), newest_event_utc=datetime.now(UTC),
    )  # fmt: skip


def seed(settings: Settings, count: int, windows: int) -> None:
    """Fill the serving database."""
    engine = create_engine(settings)
    create_all(engine)
    end = datetime.now(UTC).replace(second=0, microsecond=0)
    with engine.begin() as connection:
        for step in range(windows):
            rows = [window_row(window(cell, end - step * WINDOW, n + step)) for n, cell in enumerate(cells(count))]
            upsert_windows(connection, rows)
    engine.dispose()


@contextmanager
def served(module: str, home: Path, **environment: str):
    """``python -m module`` with its own port. Yields: (port, process)."""
    port = free_port()
    settings = {
        "TRAFFIC_HOME": str(home),
        "TRAFFIC_API_PORT": str(port),
        "TRAFFIC_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "TRAFFIC_RATE_PER_SECOND": "1000000",
        "TRAFFIC_RATE_BURST": "1000000",
        **environment,
    }
    with (home / f"{module}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module], env={**os.environ, **settings}, stdout=log, stderr=log
        )
    try:
        wait_until_served(port)
        yield port, process
    finally:
        process.terminate()
        process.wait(20)


def wait_until_served(port: int, seconds: float = 120) -> None:
    """Until the server answers."""
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health?check=live", timeout=5).read()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def percentile(values: list[float], share: float) -> float:
    """The value below which that share lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


class Load:
    """``connections`` keep-alive connections, each asking again as soon as it was answered."""

    def __init__(self, port: int, request: bytes, connections: int) -> None:
        self._port = port
        self._request = request
        self._connections = connections

    def run(self, seconds: float, status: bytes) -> list[float]:
        """Seconds each answer took. Raises: RuntimeError for another status than ``status``."""
        selector = selectors.DefaultSelector()
        took: list[float] = []
        for _ in range(self._connections):
            sock = socket.create_connection(("127.0.0.1", self._port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(sock, selectors.EVENT_READ, [bytearray(), 0, time.perf_counter()])
            sock.sendall(self._request)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for key, _ in selector.select(1.0):
                sock, state = key.fileobj, key.data
                data = sock.recv(1 << 18)
                if not data:
                    raise RuntimeError("the server closed a connection")
                state[0] += data
                if not state[1]:
                    state[1] = self._length(state[0], status)
                if state[1] and len(state[0]) >= state[1]:
                    now = time.perf_counter()
                    took.append(now - state[2])
                    key.data[0], key.data[1], key.data[2] = bytearray(), 0, now
                    sock.sendall(self._request)
        for key in list(selector.get_map().values()):
            key.fileobj.close()
        return took

    @staticmethod
    def _length(answer: bytearray, status: bytes) -> int:
        end = answer.find(b"\r\n\r\n")
        if end < 0:
            return 0
        head = bytes(answer[:end]).lower()
        if not head.startswith(b"http/1.1 " + status):
            raise RuntimeError(f"not {status.decode()}: {head[:200]!r}")
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r", 1)[0]) if at >= 0 and status != b"304" else 0
        return end + 4 + length
