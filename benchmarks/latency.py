"""End-to-end latency: from the time of an event at its producer to its arrival in a WebSocket client's message.

    ./traffic bench latency --rate 1000 --seconds 60

Sends synthetic positions (event time = now, vehicles ``bench-…`` all over the city) into the running system, and
listens at ``/ws/stream`` as a plain client. An event counts as seen with the first message whose cell says that its
newest event is as new; each event is timed, not only the newest. Whatever else feeds the topic runs on.
"""

import argparse
import json
import math
import random
import sys
import threading
import time
from bisect import bisect_right
from collections import defaultdict
from datetime import UTC, datetime

import numpy as np
import orjson
import websocket
from confluent_kafka import Producer

from smartcity.city import City
from smartcity.errors import ServiceError, TrafficError
from smartcity.events import encode_fields
from smartcity.grid import CellGrid
from smartcity.lake import Dataset
from smartcity.settings import Settings
from smartcity.topics import VEHICLE_POSITIONS

#: Vehicles report once a minute, as the recorded ones do.
STEP_SECONDS = 60
#: After the last event, this long for the rest to arrive.
DRAIN_SECONDS = 15
STAGES = ("event_to_scored", "scored_to_push", "push_to_client")


class Pending:
    """Events on their way: times per cell, ascending."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[str, list[float]] = defaultdict(list)

    def sent(self, cell: str, moment: float) -> None:
        """An event left the producer."""
        with self._lock:
            self._times[cell].append(moment)

    def seen(self, cell: str, newest: float) -> list[float]:
        """The events of a cell that a message with this newest event shows for the first time."""
        with self._lock:
            times = self._times.get(cell)
            if not times:
                return []
            count = bisect_right(times, newest)
            found, self._times[cell] = times[:count], times[count:]
            return found

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._times.values()))


def produce(settings: Settings, city: City, rate: int, seconds: float, pending: Pending) -> int:
    """Send ``rate`` events a second, evenly, each dated the moment it is sent. Returns: how many."""
    chance = random.Random(1)
    count = rate * STEP_SECONDS
    south, west = city.bounds.center[0] - 0.05, city.bounds.center[1] - 0.05
    latitude = np.array([south + chance.random() * 0.1 for _ in range(count)])
    longitude = np.array([west + chance.random() * 0.1 for _ in range(count)])
    cells = CellGrid.of(city).cells(latitude, longitude).to_pylist()
    producer = Producer(
        {"bootstrap.servers": settings.kafka, "enable.idempotence": True, "acks": "all", "linger.ms": 5}
    )
    started, sent = time.time(), 0
    while (elapsed := time.time() - started) < seconds:
        while sent < min(elapsed, seconds) * rate:
            vehicle, now = sent % count, datetime.now(UTC)
            speed = round(10 + 10 * chance.random(), 2)
            value = encode_fields(
                f"bench-{vehicle}", now, latitude[vehicle].item(), longitude[vehicle].item(), speed, None
            )
            pending.sent(cells[vehicle], now.timestamp())
            producer.produce(VEHICLE_POSITIONS.name, value, f"bench-{vehicle}")
            sent += 1
        producer.poll(0)
        time.sleep(0.005)
    if producer.flush(30):
        raise ServiceError(f"Kafka at {settings.kafka} did not confirm all events; see: ./traffic status")
    return sent


class Listener(threading.Thread):
    """A plain WebSocket client that times what it sees."""

    def __init__(self, url: str, pending: Pending) -> None:
        super().__init__(name="listener", daemon=True)
        try:
            self._socket = websocket.create_connection(url, timeout=10)
        except OSError as error:
            raise ServiceError(f"no API answers at {url} ({error}). Start the system with: ./traffic up") from error
        self._pending = pending
        self.latencies: list[float] = []
        self.stages: dict[str, list[float]] = {stage: [] for stage in STAGES}
        self.messages = self.bytes = 0
        self.ending = threading.Event()

    def run(self) -> None:
        while not self.ending.is_set():
            try:
                text = self._socket.recv()
            except websocket.WebSocketTimeoutException:
                continue
            except (websocket.WebSocketException, OSError):
                return
            arrived = time.time()
            self.messages += 1
            self.bytes += len(text)
            message = orjson.loads(text)
            pushed = _seconds(message["sent_utc"])
            for cell in message["cells"]:
                if cell.get("newest_event_utc"):
                    self._see(cell, pushed, arrived)

    def _see(self, cell: dict[str, str], pushed: float, arrived: float) -> None:
        scored = _seconds(cell["updated_utc"])
        for moment in self._pending.seen(cell["cell_id"], _seconds(cell["newest_event_utc"])):
            self.latencies.append(arrived - moment)
            for stage, value in zip(STAGES, (scored - moment, pushed - scored, arrived - pushed), strict=True):
                self.stages[stage].append(value)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _percentile(values: list[float], share: float) -> float | None:
    return round(float(np.percentile(values, share)), 3) if values else None


def measure(settings: Settings, rate: int, seconds: float) -> dict[str, float | int | str | None]:
    """Run once. Returns: named figures. Raises: ServiceError where the system does not run."""
    city = Dataset.of(settings).city
    pending = Pending()
    listener = Listener(f"ws://127.0.0.1:{settings.api_port}/ws/stream", pending)
    listener.start()
    sent = produce(settings, city, rate, seconds, pending)
    end = time.monotonic() + DRAIN_SECONDS
    while len(pending) and time.monotonic() < end:
        time.sleep(0.2)
    listener.ending.set()
    stages = {f"{stage}_p50_seconds": _percentile(listener.stages[stage], 50) for stage in STAGES}
    return {
        "benchmark": "latency",
        "rate_events_per_second": rate,
        "duration_seconds": seconds,
        "sent_events": sent,
        "seen_events": len(listener.latencies),
        "latency_p50_seconds": _percentile(listener.latencies, 50),
        "latency_p99_seconds": _percentile(listener.latencies, 99),
        "latency_max_seconds": _percentile(listener.latencies, 100),
        **stages,
        "trigger_seconds": settings.stream_trigger_seconds,
        "push_seconds": settings.push_seconds,
        "websocket_messages": listener.messages,
        "websocket_bytes_per_message": math.ceil(listener.bytes / max(listener.messages, 1)),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--rate", type=int, default=1000, help="events a second")
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--json", action="store_true", help="one JSON object")
    options = arguments.parse_args()
    try:
        figures = measure(Settings(), options.rate, options.seconds)
    except TrafficError as error:
        sys.exit(f"latency: {error}")
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:32} {value}")
    if figures["seen_events"] != figures["sent_events"]:
        sys.exit(
            f"latency: {figures['sent_events']} events sent, {figures['seen_events']} seen within {DRAIN_SECONDS} s"
        )


if __name__ == "__main__":
    main()
