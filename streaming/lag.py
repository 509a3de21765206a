"""How far behind the stream is: Kafka's own tools do not see the offsets that Spark keeps in its checkpoint."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, TopicPartition

from smartcity.settings import Settings
from streaming.checkpoint import Offsets

ASK_SECONDS = 2.0
#: So many answers are kept; a lag that is older than the first of them counts as old as that.
ANSWERS = 1800
log = logging.getLogger("streaming")


@dataclass(frozen=True)
class Lag:
    """Events of a partition that are not read yet, and for how long the first of them has been there."""

    events: int
    seconds: float


class Ends:
    """The ends of partitions as they were over time. Pure but for its memory."""

    def __init__(self) -> None:
        self._answers: dict[int, deque[tuple[float, int]]] = {}

    def note(self, ends: Mapping[int, int], at: float) -> None:
        """Remember where the partitions ended at a moment."""
        for partition, end in ends.items():
            known = self._answers.setdefault(partition, deque(maxlen=ANSWERS))
            if not known or known[-1][1] != end:
                known.append((at, end))

    def lag(self, read_until: Mapping[int, int], at: float) -> dict[int, Lag]:
        """By partition. Of a broker that is silent, the last answer holds: a lag does not vanish with it."""
        found = {}
        for partition, known in self._answers.items():
            offset = read_until.get(partition, 0)
            since = next((moment for moment, end in known if end > offset), None)
            events = max(known[-1][1] - offset, 0)
            found[partition] = Lag(events, at - since if since is not None and events else 0.0)
        return found


class LagMeter:
    """Asks the broker for the ends of a topic's partitions in a thread of its own: no batch waits for the answer."""

    def __init__(self, settings: Settings, topic: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._topic = topic
        self._clock = clock
        self._ends = Ends()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._consumer = Consumer(
            {"bootstrap.servers": settings.kafka, "group.id": "traffic-lag", "enable.auto.commit": False}
        )

    def start(self) -> None:
        """Ask from now on."""
        threading.Thread(target=self._run, name="lag-meter", daemon=True).start()

    def stop(self) -> None:
        """Ask no more."""
        self._ending.set()

    def lag(self, read_until: Offsets) -> dict[int, Lag]:
        """By partition; nothing before the broker's first answer."""
        with self._lock:
            return self._ends.lag(read_until, self._clock())

    def _run(self) -> None:
        while True:
            try:
                ends = self._ask()
            except KafkaException as error:
                log.debug("lag: %s", error)
            else:
                with self._lock:
                    self._ends.note(ends, self._clock())
            if self._ending.wait(ASK_SECONDS):
                return

    def _ask(self) -> dict[int, int]:
        partitions = self._consumer.list_topics(self._topic, timeout=5).topics[self._topic].partitions
        return {
            p: self._consumer.get_watermark_offsets(TopicPartition(self._topic, p), timeout=5)[1] for p in partitions
        }
