"""A thread that reads one Kafka topic for ever: through broker restarts, new partitions and poison messages."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

log = logging.getLogger(__name__)

Pairs = list[tuple[bytes | None, bytes | None]]
BATCH = 2000
#: How long a reader waits for a first message before it looks whether it shall end.
POLL_SECONDS = 0.2
#: How long it gathers more after the first, unless told otherwise.
GATHER_SECONDS = 0.05
#: How often the broker is asked whether it is there and whether the topic has grown.
METADATA_SECONDS = 10.0
#: Rates are averaged over this long.
RATE_SECONDS = 10.0


class Rate:
    """Events per second over the last seconds."""

    def __init__(self, seconds: float = RATE_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._started = clock()
        self._counts: deque[tuple[float, int]] = deque()

    def add(self, count: int) -> None:
        """Count events that came in now."""
        self._counts.append((self._clock(), count))
        self._forget()

    def _forget(self) -> None:
        oldest = self._clock() - self._seconds
        while self._counts and self._counts[0][0] < oldest:
            self._counts.popleft()

    @property
    def per_second(self) -> float:
        """The rate now; over the time since the start where that is shorter."""
        self._forget()
        span = min(self._seconds, max(self._clock() - self._started, 1.0))
        return sum(count for _, count in list(self._counts)) / span


class TopicReader(threading.Thread):
    """Hands batches of (key, value) to ``handle``. Reads every partition itself: no group, so each process sees all.

    Args:
        bootstrap: brokers as host:port,…
        topic: name of the topic; it may not exist yet.
        handle: called with each batch; an error in it is logged and the batch skipped.
        look_back: where to begin: the messages of the last ``look_back``.
        skip_older: where reading falls further behind than this, jump to the end (for the map, where old positions
            are worth nothing); None reads everything.
        gather: seconds for which more messages are gathered after the first of a batch.

    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        handle: Callable[[Pairs], None],
        look_back: timedelta = timedelta(0),
        skip_older: timedelta | None = None,
        gather: float = GATHER_SECONDS,
    ) -> None:
        super().__init__(name=f"reader-{topic}", daemon=True)
        self._servers = bootstrap
        self.topic = topic
        self._take_in = handle
        self._look_back = look_back
        self._skip_older = skip_older
        self._gather = gather
        self._ending = threading.Event()
        self._next_metadata = 0.0
        self._partitions: dict[int, int] = {}
        self.rate = Rate()
        self.total = 0
        self.broken_batches = 0
        self.connected = False
        self.last_message_monotonic: float | None = None

    @property
    def age_seconds(self) -> float | None:
        """Seconds since the last message; None before the first."""
        last = self.last_message_monotonic
        return None if last is None else time.monotonic() - last

    def stop(self, timeout: float = 3.0) -> None:
        """Leave the loop and close the consumer."""
        self._ending.set()
        if self.is_alive():
            self.join(timeout)

    def run(self) -> None:
        """Read until stopped; a consumer that broke is replaced after a pause, its place in the topic kept."""
        while not self._ending.is_set():
            consumer = None
            try:
                consumer = Consumer(self._configuration(), logger=log)
                self._next_metadata = 0.0
                self._read(consumer)
            except KafkaException as error:
                self.connected = False
                log.warning("topic %s: %s; trying again", self.topic, error)
            except Exception:
                log.exception("topic %s: reader failed; starting it again", self.topic)
            finally:
                if consumer is not None:
                    consumer.close()
            self._ending.wait(1.0)

    def _configuration(self) -> dict[str, Any]:
        return {
            "bootstrap.servers": self._servers,
            # librdkafka wants a group name even where partitions are assigned by hand; nothing is ever committed.
            "group.id": "smartcity-api",
            "enable.auto.commit": False,
            "auto.offset.reset": "latest",
            "enable.partition.eof": False,
            "fetch.wait.max.ms": 100,
            "reconnect.backoff.max.ms": 2000,
            "topic.metadata.refresh.interval.ms": 10000,
            "error_cb": self._on_error,
        }

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self.connected = False

    def _read(self, consumer: Consumer) -> None:
        while not self._ending.is_set():
            if time.monotonic() >= self._next_metadata:
                self._refresh(consumer)
            if not self._partitions:
                self._ending.wait(POLL_SECONDS)
                continue
            messages = consumer.consume(num_messages=1, timeout=POLL_SECONDS)
            if messages:
                messages += consumer.consume(num_messages=BATCH - 1, timeout=self._gather)
            good = [message for message in messages if message.error() is None]
            for message in messages:
                if message.error() is not None:
                    log.warning("topic %s: %s", self.topic, message.error())
            if good:
                self._take(good)
                if self._too_old(good):
                    log.warning("topic %s: far behind, jumping to the end", self.topic)
                    self._assign(consumer, dict.fromkeys(self._partitions, OFFSET_END))

    def _refresh(self, consumer: Consumer) -> None:
        """Ask the broker for the topic's partitions; assign those not read yet."""
        try:
            metadata = consumer.list_topics(self.topic, timeout=2.0).topics[self.topic]
        except KafkaException as error:
            if self.connected or not self._partitions:
                log.warning("topic %s: no broker at %s (%s)", self.topic, self._servers, error.args[0].str())
            self.connected = False
            self._next_metadata = time.monotonic() + 1.0
            return
        self.connected = True
        found = set(metadata.partitions) if metadata.error is None else set()
        self._next_metadata = time.monotonic() + (METADATA_SECONDS if found else 1.0)
        if found != {part.partition for part in consumer.assignment()} and found:
            self._assign(consumer, self._places(consumer, found))

    def _places(self, consumer: Consumer, found: set[int]) -> dict[int, int]:
        """Offset to read each partition from: after what was read, else ``look_back`` ago, else from its end."""
        places = {number: self._partitions[number] for number in found if number in self._partitions}
        new = sorted(found - set(places))
        if new and self._look_back:
            since = int((time.time() - self._look_back.total_seconds()) * 1000)
            asked = [TopicPartition(self.topic, number, since) for number in new]
            answer = consumer.offsets_for_times(asked, timeout=5.0)
            places.update({part.partition: part.offset if part.error is None else OFFSET_END for part in answer})
        else:
            places.update(dict.fromkeys(new, OFFSET_END))
        return places

    def _assign(self, consumer: Consumer, places: dict[int, int]) -> None:
        consumer.assign([TopicPartition(self.topic, number, offset) for number, offset in places.items()])
        self._partitions = places

    def _take(self, messages: list[Message]) -> None:
        self.connected = True
        self.last_message_monotonic = time.monotonic()
        self.total += len(messages)
        self.rate.add(len(messages))
        try:
            self._take_in([(message.key(), message.value()) for message in messages])
        except Exception:
            self.broken_batches += 1
            log.exception("topic %s: a batch of %d messages was skipped", self.topic, len(messages))
        for message in messages:
            number, offset = message.partition(), message.offset()
            if number is not None and offset is not None:
                self._partitions[number] = offset + 1

    def _too_old(self, messages: list[Message]) -> bool:
        if self._skip_older is None or len(messages) < BATCH:
            return False
        return time.time() - messages[-1].timestamp()[1] / 1000 > self._skip_older.total_seconds()
