"""Whether the live side does its work: events come in, and the stream scores them in time."""

import time
from dataclasses import asdict, dataclass

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from smartcity import topics
from smartcity.settings import Settings
from smartcity.store.age import DataAge, data_age

#: For one answer of the broker.
TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Limits:
    """What is still in order."""

    silent_minutes: float
    lag_events: int


@dataclass(frozen=True)
class Observed:
    """What is. ``topic_silent_seconds``: since the newest event; None where the topic holds none."""

    broker_answers: bool
    topic_silent_seconds: float | None
    stream: DataAge | None

    def figures(self) -> dict[str, object]:
        """Named figures, units in the names."""
        return {
            "broker_answers": self.broker_answers,
            "topic_silent_seconds": self.topic_silent_seconds,
            "stream": asdict(self.stream) if self.stream else None,
        }


def observe(settings: Settings) -> Observed:
    """Ask the broker for the newest event of ``vehicle_positions``, and the database for the stream's last batch."""
    try:
        newest = _newest_event(settings)
    except (KafkaException, TimeoutError):
        return Observed(False, None, data_age(settings))
    # The broker's clock and this one may differ by a little: an event is not from the future.
    silent = None if newest is None else round(max(time.time() - newest, 0), 1)
    return Observed(True, silent, data_age(settings))


def _newest_event(settings: Settings) -> float | None:
    """Seconds since the epoch at which the newest event was sent; None where there is none."""
    admin = AdminClient({"bootstrap.servers": settings.kafka, "log_level": 0})
    name = topics.VEHICLE_POSITIONS.name
    asked = {
        TopicPartition(name, number): OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]
        for number in range(topics.VEHICLE_POSITIONS.partitions)
    }
    answers = admin.list_offsets(asked, request_timeout=TIMEOUT_SECONDS).values()
    stamps = [answer.result(timeout=TIMEOUT_SECONDS).timestamp for answer in answers]
    newest = max(stamps)
    return newest / 1000 if newest >= 0 else None


def complaints(observed: Observed, limits: Limits) -> list[str]:
    """What is out of order, one line each with the way out; the cause before what follows from it."""
    allowed = limits.silent_minutes * 60
    if not observed.broker_answers:
        return ["Kafka does not answer: nothing can come in. Look at it with ./traffic status and var/logs/kafka.log"]
    found = []
    topic = topics.VEHICLE_POSITIONS.name
    if observed.topic_silent_seconds is None:
        found.append(f"{topic} holds no event: no replay and no feed sends. Start one: ./traffic replay")
    elif observed.topic_silent_seconds > allowed:
        found.append(
            f"no event came into {topic} for {_minutes(observed.topic_silent_seconds)} (allowed: "
            f"{limits.silent_minutes:g}): the replay or the feed stopped. Look at it with ./traffic status"
        )
    return [*found, *_of_stream(observed.stream, limits)]


def _of_stream(stream: DataAge | None, limits: Limits) -> list[str]:
    if stream is None:
        return ["the stream has scored nothing yet, or the database does not answer: ./traffic status says which"]
    found = []
    if stream.progress_seconds > limits.silent_minutes * 60:
        found.append(
            f"the stream's last batch ended {_minutes(stream.progress_seconds)} ago (allowed: "
            f"{limits.silent_minutes:g}): it stopped. Its log is var/logs/stream.log; ./traffic up starts it again"
        )
    if stream.lag_events > limits.lag_events:
        found.append(
            f"{stream.lag_events:,} events wait to be scored (allowed: {limits.lag_events:,}): more come than the "
            "stream can take. Slow the replay down, or give the stream more cores"
        )
    return found


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes"
