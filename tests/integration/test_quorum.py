"""Three brokers that are a KRaft quorum, as processes: one is killed while events are sent, and nothing is lost."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from smartcity import topics
from smartcity.services import kafka
from smartcity.services.kafka import Node
from smartcity.services.ports import free_port
from smartcity.settings import Settings
from streaming.sender import Sender
from tests.integration.processes import running, wait_for

pytestmark = pytest.mark.integration

TOPIC = topics.VEHICLE_POSITIONS
VEHICLES, EVENTS = 7, 20_000


@pytest.fixture(scope="module")
def quorum(tmp_path_factory: pytest.TempPathFactory, broker_jars: list[Path]) -> Iterator[tuple[Settings, dict]]:
    """Settings that name three brokers, and each broker's process by its number."""
    home = tmp_path_factory.mktemp("quorum")
    nodes = [Node(number, free_port(), free_port(), home / f"kafka-{number}") for number in (1, 2, 3)]
    settings = Settings(
        home=home,
        jars=str(Settings().jar_folder),
        kafka_bootstrap=",".join(f"127.0.0.1:{node.port}" for node in nodes),
        kafka_replication=3,
    )
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda node: kafka.prepare(settings, node, nodes), nodes))
    with ExitStack() as stack:
        processes = {
            node.number: stack.enter_context(running(kafka.command(settings, node), home / f"{node.number}.log"))
            for node in nodes
        }
        for number, process in processes.items():
            wait_for(partial(has_brokers, settings, 3), process, home / f"{number}.log")
        yield settings, processes
        # Nothing of theirs is needed any more: a graceful end, three times, takes longer than the tests.
        for process in processes.values():
            os.killpg(process.pid, signal.SIGKILL)


def has_brokers(settings: Settings, count: int) -> bool:
    try:
        admin = AdminClient({"bootstrap.servers": settings.kafka, "log_level": 0})
        return len(admin.list_topics(timeout=2).brokers) == count
    except KafkaException:
        return False


def received(settings: Settings, count: int) -> list[tuple[str, int]]:
    """Vehicle and number of the events of the topic, as they come."""
    consumer = Consumer({"bootstrap.servers": settings.kafka, "group.id": "test", "auto.offset.reset": "earliest"})
    consumer.subscribe([TOPIC.name])
    found: list[tuple[str, int]] = []
    silent = 0
    while silent < 3 or (len(found) < count and silent < 40):
        messages = consumer.consume(5000, timeout=0.5)
        silent = 0 if messages else silent + 1
        found += [(m.key().decode(), int(m.value())) for m in messages if m.error() is None]
    consumer.close()
    return found


def test_topics_have_as_many_copies_as_the_setting_says_and_wait_for_two(quorum: tuple[Settings, dict]) -> None:
    settings, _ = quorum
    assert set(kafka.create_topics(settings)) == {topic.name for topic in topics.ALL}
    admin = AdminClient({"bootstrap.servers": settings.kafka})
    found = admin.list_topics(timeout=10).topics
    for topic in topics.ALL:
        assert {len(partition.replicas) for partition in found[topic.name].partitions.values()} == {3}
        resource = ConfigResource(ResourceType.TOPIC, topic.name)
        stored = admin.describe_configs([resource])[resource].result(timeout=10)
        assert stored["min.insync.replicas"].value == "2"
    # Once more, by settings that would have it otherwise: what is there keeps its copies, and what goes with them.
    assert kafka.create_topics(settings.model_copy(update={"kafka_replication": 1})) == []
    assert admin.describe_configs([resource])[resource].result(timeout=10)["min.insync.replicas"].value == "2"


def test_a_broker_killed_while_events_are_sent_costs_none_of_them(quorum: tuple[Settings, dict]) -> None:
    settings, processes = quorum
    admin = AdminClient({"bootstrap.servers": settings.kafka})
    partitions = admin.list_topics(TOPIC.name, timeout=10).topics[TOPIC.name].partitions
    leader = partitions[0].leader
    sender = Sender(settings, TOPIC.name)
    sent = [(f"taxi_{number % VEHICLES}", number) for number in range(EVENTS)]
    for vehicle, number in sent:
        assert sender.send(vehicle.encode(), str(number).encode())
        if number == EVENTS // 2:
            # Some are confirmed by now, some on their way to the broker that dies.
            os.killpg(processes[leader].pid, signal.SIGKILL)
    assert sender.flush(60) and (sender.confirmed, sender.refused) == (EVENTS, 0)
    sender.close()
    found = received(settings, EVENTS)
    assert sorted(found) == sorted(sent)
    for vehicle in {vehicle for vehicle, _ in sent}:
        numbers = [number for name, number in found if name == vehicle]
        assert numbers == sorted(numbers), "a vehicle's events came out of order"
    after = admin.list_topics(TOPIC.name, timeout=10).topics[TOPIC.name].partitions
    assert leader not in {partition.leader for partition in after.values()}
