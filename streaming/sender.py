"""The producer: idempotent, confirmed by the broker, patient while the broker is away."""

import logging

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from smartcity.errors import ServiceError
from smartcity.settings import Settings

#: A message is tried this long before it counts as failed and is queued again.
TIMEOUT_SECONDS = 300
log = logging.getLogger(__name__)


class Sender:
    """Counts what was sent and confirmed; a failed message is queued again, except where no try can succeed."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._topic = topic
        self._bootstrap = settings.kafka
        self.confirmed = 0
        self.retried = 0
        self.refused = 0
        self._queued = 0
        self._broker_away = False
        self._producer = self._connect()

    @property
    def waiting(self) -> int:
        """Messages not confirmed yet."""
        return len(self._producer)

    def send(self, key: bytes, value: bytes) -> None:
        """Queue one message; waits where the queue is full (the broker is slow, or away)."""
        while True:
            try:
                self._producer.produce(self._topic, value, key, on_delivery=self._on_failure)
                self._queued += 1
                return
            except BufferError:
                self._producer.poll(0.1)

    def serve(self) -> None:
        """Let callbacks run."""
        self._producer.poll(0)

    def flush(self, seconds: float | None = None) -> bool:
        """Wait until all is confirmed, for ever or for ``seconds``. Returns: whether it is.

        Raises: ServiceError where the producer cannot go on (the broker forgot it); whoever holds the last confirmed
        position starts anew from there.
        """
        left = self._producer.flush(-1 if seconds is None else seconds)
        if fatal := self._fatal():
            raise ServiceError(f"Kafka's producer cannot go on: {fatal}")
        if not left:
            self.confirmed = self._queued - self.refused
        return not left

    def _fatal(self) -> str | None:
        return self._fatal_error

    def _connect(self) -> Producer:
        self._fatal_error: str | None = None
        return Producer(
            {
                "bootstrap.servers": self._bootstrap,
                "client.id": "traffic-replay",
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 5,
                "batch.size": 262_144,
                "batch.num.messages": 10_000,
                "compression.type": "lz4",
                "queue.buffering.max.messages": 500_000,
                "queue.buffering.max.kbytes": 131_072,
                "message.timeout.ms": TIMEOUT_SECONDS * 1000,
                "reconnect.backoff.max.ms": 2000,
                # One callback per failure, not per message: the confirmed are known from an empty queue.
                "delivery.report.only.error": True,
                "error_cb": self._on_error,
                "log_level": 2,
            }
        )

    def _on_failure(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            return
        if error.code() in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError._PURGE_QUEUE):
            self.refused += 1
            log.error("refused for good: %s", error)
            return
        if error.fatal():
            self._fatal_error = str(error)
            return
        self.retried += 1
        self._queued -= 1
        self.send(message.key() or b"", message.value() or b"")

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._fatal_error = str(error)
        elif error.code() == KafkaError._ALL_BROKERS_DOWN and not self._broker_away:
            self._broker_away = True
            log.warning("no broker answers at %s; waiting for it", self._bootstrap)
        elif error.code() != KafkaError._ALL_BROKERS_DOWN:
            log.debug("%s", error)

    def close(self) -> None:
        """Give up what is queued; the caller has flushed what matters."""
        try:
            self._producer.purge()
            self._producer.flush(5)
        except KafkaException as error:
            log.warning("%s", error)
