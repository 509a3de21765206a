"""The API as a process of its own, fed through a real broker."""

import json
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import socketio
import websocket
from confluent_kafka import Consumer, Producer, TopicPartition

from api.announcing import announce_roll_back
from api.context import Context
from smartcity.events import encode_fields
from smartcity.messages import ModelEvent, Snapshot, Update
from smartcity.services import kafka
from smartcity.services.ports import free_port
from smartcity.settings import Settings
from smartcity.topics import DASHBOARD_EVENTS, MODEL_EVENTS, VEHICLE_POSITIONS
from tests.api.rows import FAST, SLOW, scored
from tests.integration.processes import broker, running, wait_for

pytestmark = pytest.mark.integration


def get(port: int, path: str) -> dict:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return json.load(answer)


def live(port: int) -> bool:
    try:
        return get(port, "/api/health?check=live")["parts"]["kafka"]["status"] != "down"
    except OSError:
        return False


def until(found: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def api(kafka_broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    home, port = tmp_path_factory.mktemp("api"), free_port()
    environment = {
        "TRAFFIC_HOME": str(home),
        "TRAFFIC_API_PORT": str(port),
        "TRAFFIC_KAFKA_BOOTSTRAP": kafka_broker,
        "TRAFFIC_PUSH_SECONDS": "0.5",
    }
    log = Path(home) / "api.log"
    with running([sys.executable, "-m", "api"], log, environment) as process:
        wait_for(lambda: live(port), process, log)
        yield port


@pytest.fixture
def producer(kafka_broker: str) -> Producer:
    return Producer({"bootstrap.servers": kafka_broker, "linger.ms": 0, "log_level": 2})


def send_window(producer: Producer, steps_ago: int, level: str, ratio: float, cell: str = SLOW) -> None:
    window = scored(cell, steps_ago, ratio, level, forecast=level, updated=datetime.now(UTC))
    producer.produce(DASHBOARD_EVENTS.name, key=cell, value=window.model_dump_json())
    producer.flush(10)


def send_position(producer: Producer, vehicle: str, latitude: float, seconds_ago: float = 0) -> None:
    moment = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    value = encode_fields(vehicle, moment, latitude, -73.98, 21.5, "trip_1")
    producer.produce(VEHICLE_POSITIONS.name, key=vehicle, value=value)
    producer.flush(10)


def level_of(port: int, cell: str) -> str | None:
    cells = {found["cell_id"]: found["level"] for found in get(port, "/api/current-traffic")["cells"]}
    return cells.get(cell)


def test_scored_windows_and_positions_reach_rest_and_both_kinds_of_sockets(api: int, producer: Producer) -> None:
    send_window(producer, 1, "medium", 0.6)
    until(lambda: level_of(api, SLOW) == "medium")
    assert get(api, "/api/predictions")["predictions"][0]["model_version"] == "3"
    assert get(api, "/api/health")["ready"]

    plain = websocket.create_connection(f"ws://127.0.0.1:{api}/ws/stream", timeout=20)
    got: list[dict] = []
    listener = socketio.Client(reconnection=False)
    for event in ("snapshot", "update"):
        listener.on(event, got.append, namespace="/ws/stream")
    listener.connect(f"http://127.0.0.1:{api}", namespaces=["/ws/stream"], wait_timeout=20)
    snapshot = Snapshot.model_validate_json(plain.recv())
    assert [cell.level for cell in snapshot.cells] == ["medium"]

    # The reader of positions begins at the end of the topic: repeat until it is there.
    updates: list[Update] = []
    send_window(producer, 0, "high", 0.3)
    send_position(producer, "taxi_1", 40.7500, 10)
    end = time.monotonic() + 60
    while not any(vehicle.heading_degrees == 0.0 for update in updates for vehicle in update.vehicles):
        assert time.monotonic() < end, "no vehicle seen going north"
        send_position(producer, "taxi_1", 40.7500 + 0.001 * len(updates))
        updates.append(Update.model_validate_json(plain.recv()))
    changed = [cell.level for update in updates for cell in update.cells]
    # A snapshot may be newer than its number says: the first update then repeats what is in it.
    assert changed[-1] == "high"
    assert set(changed) <= {"medium", "high"}
    assert updates[-1].summary.vehicle_count == 1

    until(lambda: updates[-1].sequence in {message["sequence"] for message in got})
    by_sequence = {
        message["sequence"]: Update.model_validate(message) for message in got if message["type"] == "update"
    }
    shared = [update for update in updates if update.sequence in by_sequence]
    assert shared
    assert all(Update.model_validate(by_sequence[update.sequence]) == update for update in shared)
    listener.disconnect()
    plain.close()


def test_poison_messages_are_counted_and_the_good_ones_go_on(api: int, producer: Producer) -> None:
    for poison in (b"", b"\xff\xfe", b"{", b"null", b"[]", b'{"cell_id": 7}', b"1e999", b"[" * 50_000, b"x" * 500_000):
        producer.produce(DASHBOARD_EVENTS.name, key=b"poison", value=poison)
        producer.produce(VEHICLE_POSITIONS.name, key=b"poison", value=poison)
    producer.produce(VEHICLE_POSITIONS.name, key=None, value=b"{}")
    producer.produce(DASHBOARD_EVENTS.name, key=b"tombstone", value=None)
    far = datetime(9999, 12, 31, tzinfo=UTC)
    producer.produce(
        VEHICLE_POSITIONS.name, key=b"taxi_2", value=encode_fields("taxi_2", far, 40.75, -73.98, 1.0, None)
    )
    producer.flush(10)
    send_window(producer, 0, "low", 0.9, cell=FAST)
    until(lambda: level_of(api, FAST) == "low")

    def not_understood() -> int:
        detail = get(api, "/api/health")["parts"]["kafka"]["detail"]
        return int(re.search(r"(\d+) messages were not understood", detail)[1])

    # Ten scored windows; of the positions with one key only the newest of a batch is read at all.
    until(lambda: not_understood() >= 10 + 3)


def test_the_readers_go_on_after_the_broker_was_killed(broker_jars: list[Path], tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path, jars=str(Settings().jar_folder), kafka_port=free_port(), kafka_controller_port=free_port()
    )
    context = Context(settings)
    try:
        with broker(settings) as process:
            kafka.create_topics(settings)
            producer = Producer({"bootstrap.servers": settings.kafka, "log_level": 2})
            context.events.start()
            until(lambda: context.events.connected)
            send_window(producer, 1, "medium", 0.6)
            until(lambda: context.state.get(SLOW) is not None)
            process.kill()
            until(lambda: not context.events.connected)
        with broker(settings):
            send_window(producer, 0, "high", 0.3)
            until(lambda: context.state.get(SLOW).level == "high")
            assert context.events.connected
    finally:
        context.stop()


def test_a_roll_back_is_told_on_the_topic_of_model_events(kafka_broker: str, tmp_path: Path) -> None:
    with closing(Consumer({"bootstrap.servers": kafka_broker, "group.id": "test"})) as consumer:
        place = TopicPartition(MODEL_EVENTS.name, 0)
        end = consumer.get_watermark_offsets(place, timeout=10)[1]
        assert announce_roll_back(Settings(home=tmp_path, kafka_bootstrap=kafka_broker), "3", "4", "stands still")
        consumer.assign([TopicPartition(MODEL_EVENTS.name, 0, end)])
        message = consumer.poll(20)
    assert message is not None and message.error() is None
    event = ModelEvent.model_validate_json(message.value())
    assert (message.key(), event.event, event.version, event.before) == (b"congestion", "rolled_back", "3", "4")
    assert event.reason == "stands still"
