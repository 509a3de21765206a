"""Telling topic ``model_events`` which version serves now."""

import logging
from datetime import UTC, datetime

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from smartcity.messages import ModelEvent
from smartcity.model.spec import MODEL_NAME
from smartcity.settings import Settings
from smartcity.topics import MODEL_EVENTS

log = logging.getLogger(__name__)

#: Somebody waits for the answer; what was done is done, whether the broker hears of it or not.
PATIENCE_SECONDS = 3


def announce_roll_back(settings: Settings, version: str, before: str, reason: str) -> bool:
    """Tell that ``version`` serves again. Returns: whether the broker confirmed it; never raises for Kafka's sake."""
    event = ModelEvent(
        model=MODEL_NAME, event="rolled_back", version=version, before=before, reason=reason, at_utc=datetime.now(UTC)
    )
    confirmed: list[bool] = []

    def on_delivery(error: KafkaError | None, _: Message) -> None:
        confirmed.append(error is None)

    try:
        configuration = {"bootstrap.servers": settings.kafka, "acks": "all"}
        producer = Producer({**configuration, "message.timeout.ms": PATIENCE_SECONDS * 1000}, logger=log)
        producer.produce(MODEL_EVENTS.name, event.model_dump_json(), MODEL_NAME, on_delivery=on_delivery)
        producer.flush(PATIENCE_SECONDS + 1)
    except KafkaException as error:
        log.error("Kafka did not take the message for %s: %s", MODEL_EVENTS.name, error)
    return confirmed == [True]
