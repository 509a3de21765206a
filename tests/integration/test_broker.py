"""The embedded broker, for real: formatted once, topics as declared, and what was acknowledged survives a kill."""

import dataclasses
import os
import signal
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from smartcity import topics
from smartcity.services import kafka
from smartcity.services.ports import free_port
from smartcity.settings import Settings
from tests.integration.processes import broker

pytestmark = pytest.mark.integration


def send(bootstrap: str, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    for value in values:
        producer.produce(topic, value, key=b"taxi_1")
    assert producer.flush(20) == 0


def receive(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    values: list[bytes] = []
    for _ in range(60):
        values += [message.value() for message in consumer.consume(count, timeout=0.5) if message.error() is None]
        if len(values) >= count:
            break
    consumer.close()
    return values


def test_has_every_topic_with_its_partitions_and_retention(kafka_broker: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka_broker})
    present = admin.list_topics(timeout=10).topics
    for topic in topics.ALL:
        assert len(present[topic.name].partitions) == topic.partitions
        resource = ConfigResource(ResourceType.TOPIC, topic.name)
        stored = admin.describe_configs([resource])[resource].result(timeout=10)
        assert stored["retention.ms"].value == str(topic.retention_hours * 3_600_000)


def test_creating_the_topics_again_creates_none(kafka_broker: str, service_settings: Settings) -> None:
    assert kafka.create_topics(service_settings) == []


def test_brings_a_changed_retention_up_to_date(
    kafka_broker: str, service_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = dataclasses.replace(topics.DASHBOARD_EVENTS, retention_hours=2)
    others = tuple(topic for topic in topics.ALL if topic.name != changed.name)
    monkeypatch.setattr(topics, "ALL", (*others, changed))
    kafka.create_topics(service_settings)
    monkeypatch.undo()
    resource = ConfigResource(ResourceType.TOPIC, changed.name)
    admin = AdminClient({"bootstrap.servers": kafka_broker})

    def retention() -> str:
        return admin.describe_configs([resource])[resource].result(timeout=10)["retention.ms"].value

    end = time.monotonic() + 10  # acknowledged before every reader sees it
    while (found := retention()) != "7200000" and time.monotonic() < end:
        time.sleep(0.1)
    assert found == "7200000"
    kafka.create_topics(service_settings)


def test_keeps_what_it_acknowledged_when_killed(tmp_path: Path, broker_jars: list[Path]) -> None:
    settings = Settings(
        home=tmp_path,
        jars=str(Settings().jar_folder),
        kafka_port=free_port(),
        kafka_controller_port=free_port(),
    )
    values = [f"event {number}".encode() for number in range(1000)]
    with broker(settings) as process:
        kafka.create_topics(settings)
        send(settings.kafka, topics.VEHICLE_POSITIONS.name, values)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
    with broker(settings):
        assert sorted(receive(settings.kafka, topics.VEHICLE_POSITIONS.name, len(values))) == sorted(values)
