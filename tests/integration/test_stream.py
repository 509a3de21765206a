"""The stream against a real broker, and a plain count of the same events: equal, key by key, also after kill -9."""

import json
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime, timedelta

import h3
import pyarrow as pa
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks._events import from_tomorrow, poison
from benchmarks._oracle import differences, expected, stored
from smartcity import columns
from smartcity.events import encode_fields
from smartcity.lake import Dataset
from smartcity.messages import ScoredWindow
from smartcity.services import kafka
from smartcity.services.ports import free_port
from smartcity.settings import Settings
from smartcity.store.engine import create_all, create_engine
from smartcity.store.reader import progress, scored_windows
from smartcity.topics import DASHBOARD_EVENTS, VEHICLE_POSITIONS, VEHICLE_POSITIONS_REJECTED
from tests.integration.processes import broker, running, wait_for
from tests.streaming.profiles import even_profile

pytestmark = pytest.mark.integration

START = datetime(2024, 3, 4, 12, 0, tzinfo=UTC)
SECONDS = 420


@pytest.fixture(scope="module")
def settings(tmp_path_factory, service_settings, broker_jars):
    """A broker, a data set and a database of this module's own: nobody else's events are counted here."""
    own = Settings(
        home=tmp_path_factory.mktemp("stream"),
        jars=service_settings.jars,
        kafka_port=free_port(),
        kafka_controller_port=free_port(),
        mlflow_port=free_port(),
        spark_master="local[2]",
        _env_file=None,
    )
    with broker(own):
        kafka.create_topics(own)
        yield own


def fit_a_profile(dataset):
    dataset.create(dataset.city)
    cell = h3.latlng_to_cell(40.72, -73.99, dataset.city.h3_resolution)
    even_profile(dataset.city, (cell,), START - timedelta(days=1)).save(dataset)


def log_of(settings, module):
    return settings.home / f"{module}.log"


def started(settings, module, *arguments):
    """The program as a process group of its own, gone when the context ends."""
    names = ("home", "jars", "kafka_port", "kafka_controller_port", "mlflow_port")
    values = {f"TRAFFIC_{name.upper()}": str(getattr(settings, name)) for name in names}
    command = [sys.executable, "-m", module, *arguments]
    return running(command, log_of(settings, module), {**values, "TRAFFIC_STREAM_DRIVER_MEMORY": "1g"})


def kill(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def events():
    """Positions of 40 vehicles over seven minutes, one in five shuffled by up to three minutes."""
    chance = random.Random(7)
    rows = []
    for second in range(SECONDS):
        for vehicle in range(second % 10, 40, 10):
            moment = START + timedelta(seconds=second, microseconds=chance.randrange(1_000_000))
            at = (40.70 + chance.random() * 0.05, -74.01 + chance.random() * 0.05)
            delay = chance.randrange(180) if chance.random() < 0.2 else 0
            rows.append((second + delay, f"v{vehicle}", moment, *at, round(chance.random() * 60, 2)))
    return [row[1:] for row in sorted(rows)]


def as_table(rows):
    names = ("vehicle_id", "timestamp_utc", "latitude", "longitude", "speed_mph")
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def produce(settings, messages):
    producer = Producer({"bootstrap.servers": settings.kafka, "enable.idempotence": True, "linger.ms": 5})
    for key, value in messages:
        producer.produce(VEHICLE_POSITIONS.name, value, key)
        producer.poll(0)
    assert producer.flush(60) == 0


def consume(settings, topic):
    consumer = Consumer({"bootstrap.servers": settings.kafka, "group.id": "test", "auto.offset.reset": "earliest"})
    partitions = [TopicPartition(topic, number, 0) for number in consumer.list_topics(topic).topics[topic].partitions]
    ends = {p.partition: consumer.get_watermark_offsets(p)[1] for p in partitions}
    consumer.assign(partitions)
    found = []
    while len(found) < sum(ends.values()):
        messages = consumer.consume(1000, 20)
        assert messages, "the topic ended early"
        found += [(message.key(), message.value()) for message in messages]
    consumer.close()
    return found


def test_the_database_equals_a_plain_count_also_after_the_stream_was_killed(settings):
    dataset, engine = Dataset.of(settings), create_engine(settings)
    # The file is there before its tables are: who asks between the two finds none.
    create_all(engine)
    fit_a_profile(dataset)
    rows, log = events(), log_of(settings, "streaming.stream")
    messages = [(row[0].encode(), encode_fields(*row, None)) for row in rows]
    broken = poison()
    for number, (payload, _) in enumerate(broken):
        messages.insert(number * len(messages) // len(broken), (b"poison", payload))
    # Were it believed, the watermark would drop all that comes after it.
    messages.insert(len(messages) // 4, from_tomorrow())
    reasons = sorted([reason for _, reason in broken] + ["from_the_future"])
    half = len(messages) // 2

    def read(query):
        found = progress(engine).get(query)
        return found["total_read"] if found else 0

    with started(settings, "streaming.stream") as process:
        produce(settings, messages[:half])
        wait_for(lambda: read("windows") > 0, process, log)
        # In its stride: events keep coming while it is killed, so that a batch is under way.
        produce(settings, messages[half : half + 300])
        time.sleep(1.0)
        kill(process)
    produce(settings, messages[half + 300 :])
    with started(settings, "streaming.stream") as process:
        wait_for(lambda: read("windows") == read("rejected") == len(messages), process, log)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(60) == 0

    assert not differences(stored(engine), expected(as_table(rows), dataset.city))
    figures = progress(engine)["windows"]
    counts = tuple(figures[name] for name in ("total_read", "total_good", "total_rejected", "total_late"))
    assert counts == (len(messages), len(rows), len(reasons), 0)
    assert figures["model_version"] == "persistence"

    told = {key: json.loads(value) for key, value in consume(settings, VEHICLE_POSITIONS_REJECTED.name)}
    assert sorted(message["reason"] for message in told.values()) == reasons
    last = {}
    for key, value in consume(settings, DASHBOARD_EVENTS.name):
        window = ScoredWindow.model_validate_json(value)
        assert key.decode() == window.cell_id
        last[window.cell_id, window.window_start_utc] = window
    for window in scored_windows(engine, START - timedelta(days=1)):
        said = last[window.cell_id, window.window_start_utc]
        assert (said.position_count, said.level, said.forecast) == (
            window.position_count,
            window.level,
            window.forecast,
        )


def test_a_checkpoint_of_another_state_is_refused_by_the_stream(settings):
    definition = settings.home / "checkpoints" / "windows-city" / "definition.json"
    content = definition.read_text()
    definition.write_text(content.replace('"window_minutes": 2', '"window_minutes": 5'))
    try:
        with started(settings, "streaming.stream") as process:
            assert process.wait(120) == 1
        assert "--rebuild" in log_of(settings, "streaming.stream").read_text()[-2000:]
    finally:
        definition.write_text(content)


def test_a_replay_killed_and_started_again_sends_each_position_once(settings):
    dataset = Dataset.of(settings, "recorded")
    dataset.create(dataset.city)
    day = START.date()
    positions = [
        {
            "vehicle_id": f"r{vehicle}",
            "trip_id": f"t{vehicle}",
            "timestamp_utc": START + timedelta(seconds=second),
            "latitude": 40.72,
            "longitude": -73.99,
            "speed_mph": 12.5,
            "cell_id": "882a100d65fffff",
            "date": day,
        }
        for second in range(600)
        for vehicle in range(50)
    ]
    dataset.positions.write(pa.Table.from_pylist(positions, columns.POSITIONS))
    before = len(consume(settings, VEHICLE_POSITIONS.name))
    arguments = ("--dataset", "recorded", "--as-recorded", "--speed", "max", "--max-rate", "4000")
    log = log_of(settings, "streaming.replay")
    for _ in range(3):
        with started(settings, "streaming.replay", *arguments) as process:
            at_start = len(consume(settings, VEHICLE_POSITIONS.name))
            wait_for(lambda: len(consume(settings, VEHICLE_POSITIONS.name)) > at_start + 500, process, log)  # noqa: B023
            kill(process)
    with started(settings, "streaming.replay", *arguments) as process:
        assert process.wait(300) == 0, log.read_text()[-2000:]
    sent = [value for _, value in consume(settings, VEHICLE_POSITIONS.name) if value.startswith(b'{"vehicle_id":"r')]
    mine = [(event["vehicle_id"], event["timestamp"]) for event in map(json.loads, sent)]
    assert len(mine) == len(set(mine)) == len(positions)
    assert len(consume(settings, VEHICLE_POSITIONS.name)) == before + len(positions)
