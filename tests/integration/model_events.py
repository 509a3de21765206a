"""What was told on the topic ``model_events``."""

from confluent_kafka import Consumer, KafkaError, TopicPartition

from smartcity import topics
from smartcity.messages import ModelEvent
from smartcity.settings import Settings


def told(settings: Settings, kind: str) -> list[ModelEvent]:
    """All messages of this kind in `model_events`."""
    reader = Consumer(
        {"bootstrap.servers": settings.kafka, "group.id": kind, "auto.offset.reset": "earliest"}
        | {"enable.partition.eof": True}
    )
    ends = [TopicPartition(topics.MODEL_EVENTS.name, number, 0) for number in range(topics.MODEL_EVENTS.partitions)]
    reader.assign(ends)
    found, ended = [], 0
    try:
        while ended < len(ends) and (message := reader.poll(30)) is not None:
            if message.error() is not None:
                assert message.error().code() == KafkaError._PARTITION_EOF
                ended += 1
            else:
                found.append(ModelEvent.model_validate_json(message.value()))
    finally:
        reader.close()
    assert ended == len(ends), "the broker did not answer"
    return [event for event in found if event.event == kind]
