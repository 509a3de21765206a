"""Kafka's embedded broker: one KRaft node on loopback, its storage formatted once, its topics from ``topics.py``.

The same code starts the nodes of a quorum, each with the copies that the others keep.
"""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
    TopicMetadata,
)

from smartcity import topics
from smartcity.errors import InstallError, ServiceError
from smartcity.services import jars, java
from smartcity.settings import Settings

#: The embedded cluster's id: 16 bytes in Kafka's base 64.
CLUSTER_ID = "c21hcnQtY2l0eS10cmFmZg"
#: Little memory and a quick start: at this size the second compiler and a parallel collector cost more than they give.
JVM_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")

PROPERTIES = """\
process.roles=broker,controller
node.id={number}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={in_sync}
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
log.segment.bytes=67108864
log.cleaner.dedupe.buffer.size=33554432
num.network.threads=2
num.io.threads=4
"""

LOGGING = """\
rootLogger.level=INFO
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c: %m%n
"""


@dataclass(frozen=True)
class Node:
    """A broker that is a controller, too: its number in the quorum, its ports on loopback, and its folder."""

    number: int
    port: int
    controller_port: int
    folder: Path

    @property
    def voter(self) -> str:
        """How the others know it."""
        return f"{self.number}@127.0.0.1:{self.controller_port}"


def embedded(settings: Settings) -> Node:
    """The one node of the embedded set-up."""
    return Node(1, settings.kafka_port, settings.kafka_controller_port, settings.home / "kafka")


def in_sync_copies(copies: int) -> int:
    """How many of a message's copies must be written before it is acknowledged: one broker may be away."""
    return max(1, copies - 1)


def server_properties(node: Node, quorum: Sequence[Node]) -> str:
    """A node's configuration; ``quorum``: all of them."""
    copies = min(3, len(quorum))
    return PROPERTIES.format(
        number=node.number,
        voters=",".join(one.voter for one in quorum),
        port=node.port,
        controller=node.controller_port,
        data=node.folder / "data",
        copies=copies,
        in_sync=in_sync_copies(copies),
    )


def _java(settings: Settings, node: Node, options: list[str], main: str, *arguments: str) -> list[str]:
    classpath = os.pathsep.join(str(path) for path in jars.broker_jars(settings))
    logging = f"-Dlog4j2.configurationFile={node.folder / 'log4j2.properties'}"
    program = str(java.java_home(settings) / "bin" / "java")
    return [program, *JVM_OPTIONS, *options, logging, "-cp", classpath, main, *arguments]


def command(settings: Settings, node: Node | None = None) -> list[str]:
    """What runs a node, by default the embedded one. ``prepare`` must have run."""
    # Nodes that end at once would write the archive of classes over one another.
    archive = java.class_archive(settings, "kafka", jars.folder(settings, jars.BROKER), make=node is None)
    node = node or embedded(settings)
    return _java(settings, node, archive, "kafka.Kafka", str(node.folder / "server.properties"))


def prepare(settings: Settings, node: Node | None = None, quorum: Sequence[Node] = ()) -> None:
    """Write a node's configuration; format its storage, once. By default the embedded node, alone.

    Raises: InstallError with what the formatter said.
    """
    node = node or embedded(settings)
    where = node.folder
    where.mkdir(parents=True, exist_ok=True)
    (where / "log4j2.properties").write_text(LOGGING)
    (where / "server.properties").write_text(server_properties(node, quorum or [node]))
    if (where / "data" / "meta.properties").exists():
        return
    arguments = ("format", "--ignore-formatted", "-t", CLUSTER_ID, "-c", str(where / "server.properties"))
    answer = subprocess.run(
        _java(settings, node, [], "kafka.tools.StorageTool", *arguments),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if answer.returncode != 0:
        raise InstallError(f"Kafka's storage in {where / 'data'} could not be formatted: {answer.stderr.strip()}")


def topic_settings(topic: topics.Topic, copies: int) -> dict[str, str]:
    """A topic's configuration: how long messages stay, whether only the last of each key does, and when one is safe."""
    return {
        "retention.ms": str(topic.retention_hours * 3_600_000),
        "cleanup.policy": "compact,delete" if topic.compacted else "delete",
        # An open segment is never deleted: without this a quiet topic would keep a week.
        "segment.ms": "3600000",
        # By the broker's clock, so that no producer vouches for its own: events ahead of it are rejected.
        "message.timestamp.type": "LogAppendTime",
        # Every producer asks for all copies in sync (acks=all).
        "min.insync.replicas": str(in_sync_copies(copies)),
    }


def create_topics(settings: Settings) -> list[str]:
    """Create the platform's topics where missing, and bring the others' configuration up to date.

    A topic that is there keeps its number of copies: changing it moves data, which is an operator's decision.
    Returns: the names of those created. Raises: ServiceError where no broker answers or it refuses.
    """
    admin = AdminClient({"bootstrap.servers": settings.kafka, "socket.timeout.ms": 10_000, "log_level": 3})
    copies = settings.kafka_replication
    try:
        present = admin.list_topics(timeout=10).topics
        wanted = [topic for topic in topics.ALL if topic.name not in present]
        fresh = [NewTopic(t.name, t.partitions, copies, config=topic_settings(t, copies)) for t in wanted]
        for future in (admin.create_topics(fresh) if fresh else {}).values():
            future.result(timeout=30)
        changes = [
            ConfigResource(
                ResourceType.TOPIC,
                topic.name,
                incremental_configs=[
                    ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
                    for name, value in topic_settings(topic, _copies(present[topic.name])).items()
                ],
            )
            for topic in topics.ALL
            if topic not in wanted
        ]
        for future in (admin.incremental_alter_configs(changes) if changes else {}).values():
            future.result(timeout=30)
    except KafkaException as error:
        raise ServiceError(f"Kafka at {settings.kafka}: {error.args[0].str()}. See {settings.home}/logs") from error
    return [topic.name for topic in wanted]


def _copies(found: TopicMetadata) -> int:
    """How many copies a topic has of each message: those of the partition that has fewest."""
    return min((len(partition.replicas) for partition in found.partitions.values()), default=1)


def answers(settings: Settings, seconds: float = 5) -> bool:
    """Whether a broker answers with its metadata."""
    try:
        AdminClient({"bootstrap.servers": settings.kafka, "log_level": 0}).list_topics(timeout=seconds)
    except KafkaException:
        return False
    return True
