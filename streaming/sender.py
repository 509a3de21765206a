"""The producer: idempotent, confirmed by the broker, patient while the broker is away."""

import logging
import threading

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from smartcity.errors import ServiceError
from smartcity.settings import Settings

log = logging.getLogger(__name__)


class Sender:
    """Counts what was sent and confirmed.

    A message is tried for ever and in its order, by the producer itself: one that it gave up may have arrived all the
    same, and to queue it again would send it twice, behind events that came after it. Where the producer cannot go on,
    its owner starts another at the last confirmed place, after a look at what arrived behind that.
    """

    def __init__(self, settings: Settings, topic: str, stop: threading.Event | None = None) -> None:
        self._topic = topic
        self._bootstrap = settings.kafka
        self._stop = stop or threading.Event()
        self._failed: str | None = None
        self.confirmed = 0
        self.refused = 0
        self._queued = 0
        self._broker_away = False
        self._producer = self._connect()

    @property
    def waiting(self) -> int:
        """Messages not confirmed yet."""
        return len(self._producer)

    def send(self, key: bytes, value: bytes) -> bool:
        """Queue one message; waits where the queue is full (the broker is slow, or away).

        Returns: False where the wait was ended by ``stop``; the message is not queued then. Raises: as ``flush``.
        """
        while True:
            try:
                self._producer.produce(self._topic, value, key, on_delivery=self._on_failure)
                self._queued += 1
                return True
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                self._failed = self._failed or str(error)
            self._check()
            if self._stop.is_set():
                return False

    def serve(self) -> None:
        """Let callbacks run."""
        self._producer.poll(0)

    def flush(self, seconds: float | None = None) -> bool:
        """Wait until all is confirmed, for ever or for ``seconds``. Returns: whether it is.

        Raises: ServiceError where the producer cannot go on (the broker forgot it, or refuses it); whoever holds the
        last confirmed position starts anew from there.
        """
        left = self._producer.flush(-1 if seconds is None else seconds)
        self._check()
        if not left:
            self.confirmed = self._queued - self.refused
            self._broker_away = False
        return not left

    def _check(self) -> None:
        if self._failed:
            raise ServiceError(f"Kafka's producer cannot go on: {self._failed}")

    def _connect(self) -> Producer:
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
                # No end: a broker that is away for an hour finds all of it, once and in its order.
                "message.timeout.ms": 0,
                "reconnect.backoff.max.ms": 2000,
                # One callback per failure, not per message: the confirmed are known from an empty queue.
                "delivery.report.only.error": True,
                "error_cb": self._on_error,
                "log_level": 2,
            }
        )

    def _on_failure(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            return
        if error.code() in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT):
            self.refused += 1
            if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                log.error("refused for good: %s", error)
            return
        self._failed = str(error)

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._failed = str(error)
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
