"""Where in the topic no event broke a rule: the windows' query has judged each, and Spark tells so of every batch.

The other query then need not judge those events a second time.
"""

import json
import threading
from collections import deque
from dataclasses import dataclass

from pyspark.sql.streaming.listener import (
    QueryIdleEvent,
    QueryProgressEvent,
    QueryStartedEvent,
    QueryTerminatedEvent,
    StreamingQueryListener,
)

from streaming.checkpoint import Offsets, within

#: Name under which a batch tells how many of its events broke a rule.
OBSERVED, REJECTED = "judged", "rejected"
#: So long the other query waits to be told of events that it has in hand before it judges them itself.
PATIENCE_SECONDS = 10.0
#: Batches remembered; at one a second, an hour in which the other query may fall behind.
REMEMBERED = 3600


@dataclass(frozen=True)
class Judged:
    """One batch of the windows' query: its offsets, and how many of its events broke a rule."""

    start: Offsets
    end: Offsets
    rejected: int


class Verdicts:
    """What was said of the batches since the query started, without a gap; safe to use from several threads."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience = patience_seconds
        self._told = threading.Condition()
        self._batches: deque[Judged] = deque(maxlen=REMEMBERED)
        self._is_closed = False

    def close(self) -> None:
        """Nobody waits any more."""
        with self._told:
            self._is_closed = True
            self._told.notify_all()

    def add(self, batch: Judged) -> None:
        """The next batch is judged. Where one in between was missed, what was said before it is forgotten."""
        with self._told:
            if self._batches and batch.start != self._batches[-1].end:
                self._batches.clear()
            self._batches.append(batch)
            self._told.notify_all()

    def all_good(self, start: Offsets, end: Offsets) -> bool:
        """Whether none of the events from ``start`` to ``end`` broke a rule; False also where nobody knows.

        Waits, for a while, where the windows' query has judged the first of them and has yet to judge the last.
        """
        with self._told:
            self._told.wait_for(lambda: not self._is_good(start, end) or self._reaches(end), self._patience)
            return self._is_good(start, end) and self._reaches(end)

    def _is_good(self, start: Offsets, end: Offsets) -> bool:
        """Whether what is known begins at ``start`` or before, and none of it is bad."""
        is_known = not self._is_closed and bool(self._batches) and within(self._batches[0].start, start)
        return is_known and not any(batch.rejected for batch in self._batches if _overlap(batch, start, end))

    def _reaches(self, end: Offsets) -> bool:
        return bool(self._batches) and within(end, self._batches[-1].end)


class VerdictListener(StreamingQueryListener):
    """Hands on what Spark tells of each finished batch of one query that reads one topic."""

    def __init__(self, verdicts: Verdicts, query: str, topic: str) -> None:
        self._verdicts = verdicts
        self._query = query
        self._topic = topic

    def onQueryProgress(self, event: QueryProgressEvent) -> None:
        """A batch is done."""
        progress = event.progress
        if progress.name == self._query and OBSERVED in progress.observedMetrics:
            source = progress.sources[0]
            start, end = (_offsets(text, self._topic) for text in (source.startOffset, source.endOffset))
            self._verdicts.add(Judged(start, end, int(progress.observedMetrics[OBSERVED][REJECTED])))

    def onQueryStarted(self, event: QueryStartedEvent) -> None:
        """Nothing to tell yet."""

    def onQueryIdle(self, event: QueryIdleEvent) -> None:
        """Nothing was judged."""

    def onQueryTerminated(self, event: QueryTerminatedEvent) -> None:
        """Whatever comes next starts where its checkpoint stands."""


def _offsets(text: str, topic: str) -> Offsets:
    """Spark's offsets by partition; before the first batch there are none, and the text is no JSON."""
    found = json.loads(text) if text.startswith("{") else {}
    return {int(partition): int(offset) for partition, offset in found.get(topic, {}).items()}


def _overlap(batch: Judged, start: Offsets, end: Offsets) -> bool:
    """Whether a batch holds an event from ``start`` to ``end``."""
    return any(
        max(batch.start.get(partition, 0), start.get(partition, 0)) < min(last, end.get(partition, 0))
        for partition, last in batch.end.items()
    )
