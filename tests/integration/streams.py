"""What the tests of stream and replay share: settings of their own broker, its programs, and its topics."""

import os
import signal
import sys
import urllib.request

from confluent_kafka import Consumer, Producer, TopicPartition

from smartcity.services.ports import free_port
from smartcity.settings import Settings
from smartcity.topics import VEHICLE_POSITIONS
from tests.integration.processes import running

PORTS = ("kafka_port", "kafka_controller_port", "mlflow_port", "stream_metrics_port")
#: What a program is told; the rest is the same for all.
TOLD = ("home", "jars", "spark_master", *PORTS)


def own_settings(home, jars, **more):
    """A home and ports that nobody shares: nobody else's events are counted there."""
    return Settings(home=home, jars=jars, _env_file=None, **{name: free_port() for name in PORTS}, **more)


def log_of(settings, module):
    return settings.home / f"{module}.log"


def started(settings, module, *arguments):
    """The program as a process group of its own, gone when the context ends."""
    values = {f"TRAFFIC_{name.upper()}": str(getattr(settings, name)) for name in TOLD}
    command = [sys.executable, "-m", module, *arguments]
    values |= {"TRAFFIC_STREAM_DRIVER_MEMORY": "1g", "TRAFFIC_MLFLOW_TRACKING_URI": settings.mlflow}
    return running(command, log_of(settings, module), values)


def kill(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


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


def metric(settings, name):
    """A figure of the stream, as Prometheus would fetch it; summed over its labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{settings.stream_metrics_port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))
