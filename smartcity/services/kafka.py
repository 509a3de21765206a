"""Kafka's embedded broker: one KRaft node on loopback, its storage formatted once, its topics from ``topics.py``."""

import os
import subprocess
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

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
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
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


def folder(settings: Settings) -> Path:
    """Where the broker's configuration and data are."""
    return settings.home / "kafka"


def server_properties(settings: Settings) -> str:
    """The broker's configuration."""
    return PROPERTIES.format(
        port=settings.kafka_port, controller=settings.kafka_controller_port, data=folder(settings) / "data"
    )


def _java(settings: Settings, options: list[str], main: str, *arguments: str) -> list[str]:
    classpath = os.pathsep.join(str(path) for path in jars.broker_jars(settings))
    logging = f"-Dlog4j2.configurationFile={folder(settings) / 'log4j2.properties'}"
    program = str(java.java_home(settings) / "bin" / "java")
    return [program, *JVM_OPTIONS, *options, logging, "-cp", classpath, main, *arguments]


def command(settings: Settings) -> list[str]:
    """What runs the broker. ``prepare`` must have run."""
    archive = java.class_archive(settings, "kafka", jars.folder(settings, jars.BROKER))
    return _java(settings, archive, "kafka.Kafka", str(folder(settings) / "server.properties"))


def prepare(settings: Settings) -> None:
    """Write the configuration; format the storage, once. Raises: InstallError with what the formatter said."""
    where = folder(settings)
    where.mkdir(parents=True, exist_ok=True)
    (where / "log4j2.properties").write_text(LOGGING)
    (where / "server.properties").write_text(server_properties(settings))
    if (where / "data" / "meta.properties").exists():
        return
    arguments = ("format", "--ignore-formatted", "-t", CLUSTER_ID, "-c", str(where / "server.properties"))
    answer = subprocess.run(
        _java(settings, [], "kafka.tools.StorageTool", *arguments),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if answer.returncode != 0:
        raise InstallError(f"Kafka's storage in {where / 'data'} could not be formatted: {answer.stderr.strip()}")


def topic_settings(topic: topics.Topic) -> dict[str, str]:
    """A topic's configuration: how long messages stay, and whether only the last of each key does."""
    return {
        "retention.ms": str(topic.retention_hours * 3_600_000),
        "cleanup.policy": "compact,delete" if topic.compacted else "delete",
        # An open segment is never deleted: without this a quiet topic would keep a week.
        "segment.ms": "3600000",
    }


def create_topics(settings: Settings, replication: int = 1) -> list[str]:
    """Create the platform's topics where missing, and bring the others' configuration up to date.

    Returns: the names of those created. Raises: ServiceError where no broker answers or it refuses.
    """
    admin = AdminClient({"bootstrap.servers": settings.kafka, "socket.timeout.ms": 10_000, "log_level": 3})
    try:
        present = admin.list_topics(timeout=10).topics
        wanted = [topic for topic in topics.ALL if topic.name not in present]
        fresh = [NewTopic(t.name, t.partitions, replication, config=topic_settings(t)) for t in wanted]
        for future in (admin.create_topics(fresh) if fresh else {}).values():
            future.result(timeout=30)
        changes = [
            ConfigResource(
                ResourceType.TOPIC,
                topic.name,
                incremental_configs=[
                    ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
                    for name, value in topic_settings(topic).items()
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


def answers(settings: Settings, seconds: float = 5) -> bool:
    """Whether a broker answers with its metadata."""
    try:
        AdminClient({"bootstrap.servers": settings.kafka, "log_level": 0}).list_topics(timeout=seconds)
    except KafkaException:
        return False
    return True
