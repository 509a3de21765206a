"""A streaming query kept running: its batches handed to a sink, its failures said and started over."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Protocol

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from smartcity.errors import TrafficError
from smartcity.store.writer import BatchFigures
from streaming.checkpoint import Checkpoint, CheckpointError, Offsets, count_between
from streaming.lag import LagMeter
from streaming.metrics import StreamMetrics
from streaming.sinks import Incoming

#: A query that failed starts again in the same session, this often without a batch in between.
MAX_FAILURES = 5
LOG_SECONDS = 10.0
#: So long a query lets the one that it comes after have the cores to itself, unless that is in its stride before.
HEAD_START_SECONDS = 30.0
log = logging.getLogger("streaming")


class Sink(Protocol):
    """Takes the rows of a batch; may see a batch twice."""

    def write(self, rows: pa.Table, batch: Incoming) -> BatchFigures:
        """Write all, or raise."""


#: Brings the rows of a batch, which its offsets name, to the driver.
Collect = Callable[[DataFrame, Offsets, Offsets], pa.Table]


def _all(rows: DataFrame, start: Offsets, end: Offsets) -> pa.Table:
    return rows.toArrow()


class SupervisedQuery:
    """One query. ``make`` builds its frame anew at each start, since a failed one cannot be started again.

    ``after``: a query that goes first. A first batch takes seconds of all cores to plan and compile; two of them at
    once would keep the windows waiting after a restart.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], DataFrame],
        sink: Sink,
        checkpoint: Checkpoint,
        lag: LagMeter,
        trigger_seconds: float,
        metrics: StreamMetrics,
        after: "SupervisedQuery | None" = None,
        collect: Collect = _all,
    ) -> None:
        self.name = name
        self._make = make
        self._sink = sink
        self._checkpoint = checkpoint
        self._lag = lag
        self._trigger = trigger_seconds
        self._metrics = metrics
        self._failures = 0
        self._last_batch = self._last_log = time.monotonic()
        self._newest: datetime | None = None
        self._query: StreamingQuery | None = None
        self._stopping = threading.Event()
        self._after = after
        self._collect = collect
        self._in_stride = threading.Event()

    def run(self) -> None:
        """Until ``stop``. Raises: TrafficError where starting again does not help."""
        if self._after is not None:
            self._after._in_stride.wait(HEAD_START_SECONDS)
        while not self._stopping.is_set():
            try:
                self._query = self._start()
                if self._stopping.is_set():
                    self._query.stop()
                self._query.awaitTermination()
            except (StreamingQueryException, Py4JError, OSError) as error:
                if self._stopping.is_set():
                    return
                if not isinstance(error, StreamingQueryException):
                    raise TrafficError(f"the JVM of query {self.name} is gone: {error}") from error
                self._failed(str(error))

    def stop(self) -> None:
        """End after the running batch, or in its middle where it takes long; either is safe."""
        self._stopping.set()
        self._in_stride.set()
        if self._query is not None:
            with suppress(Py4JError, OSError):
                self._query.stop()

    def _start(self) -> StreamingQuery:
        writer = self._make().writeStream.queryName(self.name).outputMode("update").foreachBatch(self._write)
        writer = writer.option("checkpointLocation", str(self._checkpoint.folder))
        return writer.trigger(processingTime=f"{self._trigger} seconds").start()

    def _write(self, rows: DataFrame, batch_id: int) -> None:
        started, now = datetime.now(UTC), time.monotonic()
        start, end = self._checkpoint.start_offsets(batch_id), self._checkpoint.offsets(batch_id)
        lags = self._lag.lag(end)
        incoming = Incoming(
            batch_id=batch_id,
            input_rows=count_between(start, end),
            lag_events=sum(lag.events for lag in lags.values()),
            started_utc=started,
            seconds_since_last=now - self._last_batch,
            newest_event_utc=self._newest,
            start=start,
            end=end,
        )
        self._last_batch = now
        table = self._collect(rows, start, end)
        aggregated = time.monotonic()
        figures = self._sink.write(table, incoming)
        self._newest = figures.newest_event_utc
        self._failures = 0
        self._in_stride.set()
        stages = {"spark": aggregated - now, **getattr(self._sink, "stages", {})}
        self._metrics.batch(self.name, figures, lags, stages)
        self._metrics.rows(table, figures.updated_utc)
        if now - self._last_log >= LOG_SECONDS:
            self._last_log = now
            self._measure_state()
            log.info(
                "%s batch %d: %d events, %d rows, %d rejected, lag %d, %.2f s (spark %.2f), model %s",
                *(self.name, batch_id, incoming.input_rows, len(table), figures.rejected, incoming.lag_events),
                *(figures.batch_seconds, aggregated - now, figures.model_version),
            )

    def _measure_state(self) -> None:
        """What the state held after the batch before this one; a figure, for which no batch shall fail."""
        try:
            progress = self._query.lastProgress if self._query is not None else None
        except (Py4JError, OSError):
            return
        operators = progress.stateOperators if progress is not None else []
        if operators:
            rows, size = (sum(getattr(one, name) for one in operators) for name in ("numRowsTotal", "memoryUsedBytes"))
            self._metrics.state(self.name, rows, size)

    def _failed(self, reason: str) -> None:
        """Say what failed and wait a little. Raises: TrafficError where it failed too often or cannot pass."""
        if "KAFKA_DATA_LOSS" in reason or "failOnDataLoss" in reason:
            raise CheckpointError(
                f"the broker holds no longer the events at which {self._checkpoint.folder} stopped (its topic was made "
                "anew, or the stream stood still for longer than the topic keeps events). What is lost is lost; go on "
                f"from what the topic holds with: python -m streaming.stream --rebuild ({reason[:500]})"
            )
        self._failures += 1
        log.error("query %s failed (%d in a row): %s", self.name, self._failures, reason[:2000])
        if self._failures >= MAX_FAILURES:
            raise TrafficError(f"query {self.name} failed {self._failures} times in a row; the last: {reason[:500]}")
        self._stopping.wait(min(2.0**self._failures, 15.0))
