"""What a micro-batch says to Kafka: scored windows and rejected events, each under a key of its own."""

import base64
from collections.abc import Iterable
from typing import Any

import orjson
from confluent_kafka import KafkaError, Message, Producer

from smartcity.errors import ServiceError
from smartcity.messages import ScoredWindow
from smartcity.settings import Settings
from smartcity.topics import DASHBOARD_EVENTS, VEHICLE_POSITIONS_REJECTED

#: A batch waits this long for the broker's confirmations; then it fails as a whole and runs again.
CONFIRM_SECONDS = 60


class Outbox:
    """An idempotent producer whose messages are all confirmed, or the batch fails."""

    def __init__(self, settings: Settings) -> None:
        self._failed: KafkaError | None = None
        self._producer = Producer(
            {
                "bootstrap.servers": settings.kafka,
                "client.id": "traffic-stream",
                "enable.idempotence": True,
                "linger.ms": 2,
                "compression.type": "lz4",
                "queue.buffering.max.messages": 200_000,
                "message.timeout.ms": CONFIRM_SECONDS * 1000,
                "delivery.report.only.error": True,
            }
        )

    def scored(self, windows: Iterable[ScoredWindow]) -> None:
        """Queue windows for ``dashboard_events``, key cell_id."""
        for window in windows:
            # The update was built from checked values; pydantic would only check them again.
            self._send(DASHBOARD_EVENTS.name, window.cell_id.encode(), window.model_dump_json().encode())

    def rejected(self, rows: Iterable[dict[str, Any]]) -> None:
        """Queue rejected events; the key is their place in the topic, so a repeated batch is recognised as such."""
        for row in rows:
            key = f"{row['topic']}-{row['partition']}-{row['offset']}".encode()
            self._send(VEHICLE_POSITIONS_REJECTED.name, key, rejected_message(row))

    def flush(self) -> None:
        """Wait until everything queued is confirmed. Raises: ServiceError where something is not."""
        left = self._producer.flush(CONFIRM_SECONDS)
        failed, self._failed = self._failed, None
        if left or failed:
            raise ServiceError(f"Kafka did not confirm {left or 'some'} messages: {failed or 'no answer'}")

    def _send(self, topic: str, key: bytes, value: bytes) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=self._on_failure)
                return
            except BufferError:
                self._producer.poll(0.1)

    def _on_failure(self, error: KafkaError | None, _: Message) -> None:
        self._failed = error or self._failed


def rejected_message(row: dict[str, Any]) -> bytes:
    """JSON of one rejected event: its reason, where it stood, and its first bytes (as text where they are UTF-8)."""
    payload: bytes = row["payload"] or b""
    size = row["payload_bytes"] or 0
    try:
        text, encoding = payload.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(payload).decode(), "base64"
    return orjson.dumps(
        {
            "reason": row["reject_reason"],
            "payload": text,
            "payload_encoding": encoding,
            "payload_bytes": size,
            "payload_is_cut": size > len(payload),
            "topic": row["topic"],
            "partition": row["partition"],
            "offset": row["offset"],
        }
    )
