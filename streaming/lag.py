"""How far behind the stream is: Kafka's own tools do not see the offsets that Spark keeps in its checkpoint."""

from confluent_kafka import Consumer, KafkaException, TopicPartition

from smartcity.settings import Settings
from streaming.checkpoint import Offsets


class LagMeter:
    """Asks the broker for the ends of a topic's partitions."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._topic = topic
        self._consumer = Consumer(
            {"bootstrap.servers": settings.kafka, "group.id": "traffic-lag", "enable.auto.commit": False}
        )

    def lag(self, read_until: Offsets) -> int:
        """Events in the topic beyond ``read_until``; 0 where the broker does not answer (the query will say so)."""
        total = 0
        try:
            for partition, offset in read_until.items():
                _, end = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=2)
                total += max(end - offset, 0)
        except KafkaException:
            return 0
        return total
