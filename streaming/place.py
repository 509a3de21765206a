"""Where a replay stands: kept on disk once everything before it is confirmed, found again after ``kill -9``."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from smartcity.errors import ServiceError
from smartcity.settings import Settings
from streaming.checkpoint import Offsets
from streaming.course import Course

#: A broker that hands out nothing for so long is given up.
TAIL_SECONDS = 30.0
#: Messages are asked for this long at a time: the client waits all of it where there are fewer than were asked for.
ASK_SECONDS = 0.1
#: What makes an event of a replay the same event: whose it is, and when (as sent).
Sent = set[tuple[str, int]]


@dataclass(frozen=True)
class Place:
    """Everything before ``until_us`` of the tape is confirmed, and the first ``of_moment`` events of that very moment.

    ``offsets``: the topic's ends when that was so. ``plan``: what was replayed; another plan, or other data, starts
    at its own beginning. ``course``: how the tape ran; None in places from before there were courses.
    """

    plan: dict[str, Any]
    until_us: int
    of_moment: int
    events: int
    offsets: Offsets = field(default_factory=dict)
    course: Course | None = None


class Places:
    """The file of the place, and the lock that keeps a second replay from writing the same events."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.home / "replay"
        self._file = self._folder / "state.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the replay's lock. Raises: ServiceError where another process does."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with open(self._folder / "lock", "a+") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                handle.seek(0)
                raise ServiceError(
                    f"a replay is running already (process {handle.read().strip() or 'unknown'}); two would mix their "
                    "vehicles. Stop it first, with Ctrl-C or: kill PROCESS"
                ) from error
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
            yield

    def load(self, plan: dict[str, Any]) -> Place | None:
        """The place of this plan; None where there is none."""
        try:
            found = json.loads(self._file.read_text())
            offsets = {int(partition): offset for partition, offset in found.pop("offsets").items()}
            course = Course(**found.pop("course")) if found.get("course") else None
            place = Place(**{**found, "offsets": offsets, "course": course})
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None
        return place if place.plan == plan else None

    def save(self, place: Place) -> None:
        """Replace the place, durably."""
        temporary = self._file.with_suffix(".new")
        with temporary.open("w") as handle:
            json.dump(asdict(place), handle)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(self._file)


class TopicEnd:
    """The end of a topic: where it is, and what was written behind a place."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._topic = topic
        self._kafka = settings.kafka
        self._consumer = self._connect()

    def offsets(self) -> Offsets:
        """The next offset of each partition. Raises: ServiceError where no broker answers."""
        try:
            topic = self._consumer.list_topics(self._topic, timeout=10).topics[self._topic]
            if not topic.partitions:
                raise ServiceError(f"topic {self._topic} does not exist yet. Make it with: ./traffic up")
            ends = {
                p: self._consumer.get_watermark_offsets(TopicPartition(self._topic, p), 10) for p in topic.partitions
            }
            return {partition: end for partition, (_, end) in ends.items()}
        except KafkaException as error:
            raise ServiceError(f"no broker answers at {self._kafka}: {error.args[0].str()}") from error

    def keys_and_values(self, start: Offsets) -> Iterator[tuple[bytes, bytes]]:
        """Key and value of every message from ``start`` to the end as it is now."""
        end = self.offsets()
        behind = {p: offset for p, offset in start.items() if offset < end.get(p, 0)}
        if not behind:
            return
        self._consumer.assign([TopicPartition(self._topic, p, offset) for p, offset in behind.items()])
        patient_until = time.monotonic() + TAIL_SECONDS
        while behind:
            messages = self._consumer.consume(10_000, ASK_SECONDS)
            if messages:
                patient_until = time.monotonic() + TAIL_SECONDS
            elif time.monotonic() > patient_until:
                raise ServiceError(f"{self._kafka} does not hand out the end of {self._topic}")
            for message in messages:
                partition, offset = message.partition(), message.offset()
                if message.error() is not None or partition is None or offset is None:
                    raise ServiceError(f"{self._kafka} does not hand out the end of {self._topic}: {message.error()}")
                if offset < end[partition]:
                    yield message.key() or b"", message.value() or b""
                if offset + 1 >= end[partition]:
                    behind.pop(partition, None)
        self._consumer.unassign()

    def _connect(self) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self._kafka,
                "group.id": "traffic-replay-end",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "log_level": 2,
            }
        )
