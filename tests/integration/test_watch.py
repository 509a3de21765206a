"""The watchdog's look at a real broker: an empty topic, a fresh event, an old one."""

import time

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from smartcity import topics
from smartcity.services.ports import free_port
from smartcity.settings import Settings
from smartcity.watch import Observed, observe
from tests.integration.processes import broker

pytestmark = pytest.mark.integration


def answered(settings: Settings) -> Observed:
    """What is seen once the broker answers: one that has just started may take longer than a look waits."""
    return next(seen for seen in (observe(settings) for _ in range(10)) if seen.broker_answers)


def test_sees_when_the_newest_event_was_sent(tmp_path, service_settings, broker_jars) -> None:
    settings = Settings(
        home=tmp_path, jars=service_settings.jars, kafka_port=free_port(), kafka_controller_port=free_port()
    )
    with broker(settings):
        # Ours are stamped by the broker; in a topic like this one a test can send what came an hour ago.
        admin = AdminClient({"bootstrap.servers": settings.kafka})
        topic = topics.VEHICLE_POSITIONS
        admin.create_topics([NewTopic(topic.name, topic.partitions)])[topic.name].result(30)
        assert observe(settings).topic_silent_seconds is None

        def send(key: str, seconds_ago: float) -> None:
            producer = Producer({"bootstrap.servers": settings.kafka})
            stamp = int((time.time() - seconds_ago) * 1000)
            producer.produce(topic.name, b"event", key.encode(), timestamp=stamp)
            assert producer.flush(20) == 0

        send("taxi_1", 3600)
        observed = answered(settings)
        assert observed.stream is None
        assert 3600 <= observed.topic_silent_seconds < 7200
        send("taxi_2", 60)
        assert 60 <= answered(settings).topic_silent_seconds < 3600
