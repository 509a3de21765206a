"""The structured-streaming job: ``python -m streaming.stream [--dataset NAME] [--rebuild]``.

Kafka ``vehicle_positions`` → judged → windows per cell (update mode) → scored → database and ``dashboard_events``;
rejected events → ``vehicle_positions_rejected`` with their reason. Ends cleanly on SIGTERM.
"""

import argparse
import contextlib
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery
from sqlalchemy import Engine

from smartcity.errors import TrafficError
from smartcity.lake import Dataset
from smartcity.live import LiveCity
from smartcity.settings import Settings
from smartcity.store.engine import create_all, create_engine
from smartcity.store.writer import reset_progress
from smartcity.topics import VEHICLE_POSITIONS
from streaming.champion import ChampionWatch
from streaming.checkpoint import Checkpoint, CheckpointError, count_between, definition
from streaming.lag import LagMeter
from streaming.outbox import Outbox
from streaming.query import SHUFFLE_PARTITIONS, checkpoint_folder, read_topic, stream_session, windows_and_rejects
from streaming.sinks import QUERY, Incoming, WindowSink

#: A query that failed starts again in the same session, this often without a batch in between.
MAX_FAILURES = 5
LOG_SECONDS = 10.0
log = logging.getLogger("streaming")


class Stream:
    """The query, its sink and its checkpoint, started again where a batch fails."""

    def __init__(self, spark: SparkSession, settings: Settings, dataset: Dataset, sink: WindowSink) -> None:
        self._spark = spark
        self._settings = settings
        self._city = dataset.city
        self._sink = sink
        self._checkpoint = Checkpoint(checkpoint_folder(settings, dataset.name))
        self._lag = LagMeter(settings, VEHICLE_POSITIONS.name)
        self._failures = 0
        self._last_batch = self._last_log = time.monotonic()
        self._newest: datetime | None = None
        self._query: StreamingQuery | None = None
        self._stopping = threading.Event()

    def run(self) -> None:
        """Until ``stop``. Raises: TrafficError where starting again does not help."""
        while not self._stopping.is_set():
            try:
                self._query = self._start()
                if self._stopping.is_set():
                    self._query.stop()
                self._query.awaitTermination()
            except StreamingQueryException as error:
                if self._stopping.is_set():
                    return
                self._failed(error)

    def stop(self) -> None:
        """End after the running batch, or in its middle where it takes long; either is safe."""
        self._stopping.set()
        if self._query is not None:
            self._query.stop()

    def _start(self) -> StreamingQuery:
        kafka = read_topic(self._spark, self._settings).load()
        return (
            windows_and_rejects(kafka, self._settings, self._city)
            .writeStream.queryName(QUERY)
            .outputMode("update")
            .option("checkpointLocation", str(self._checkpoint.folder))
            .trigger(processingTime=f"{self._settings.stream_trigger_seconds} seconds")
            .foreachBatch(self._write)
            .start()
        )

    def _write(self, rows: DataFrame, batch_id: int) -> None:
        started, now = datetime.now(UTC), time.monotonic()
        topic = VEHICLE_POSITIONS.name
        end = self._checkpoint.offsets(batch_id, topic)
        incoming = Incoming(
            batch_id=batch_id,
            input_rows=count_between(self._checkpoint.start_offsets(batch_id, topic), end),
            lag_events=self._lag.lag(end),
            started_utc=started,
            seconds_since_last=now - self._last_batch,
            newest_event_utc=self._newest,
        )
        self._last_batch = now
        table = rows.toArrow()
        aggregated = time.monotonic()
        figures = self._sink.write(table, incoming)
        self._newest = figures.newest_event_utc
        self._failures = 0
        if now - self._last_log >= LOG_SECONDS:
            self._last_log = now
            stages = {"spark": aggregated - now, **self._sink.stages}
            log.info(
                "batch %d: %d events (%d rejected, %d late), lag %d, %.2f s (%s), model %s",
                *(batch_id, incoming.input_rows, figures.rejected, figures.late, incoming.lag_events),
                *(figures.batch_seconds, ", ".join(f"{name} {value:.2f}" for name, value in stages.items())),
                figures.model_version,
            )

    def _failed(self, error: StreamingQueryException) -> None:
        """Say what failed and wait a little. Raises: TrafficError where it failed too often or cannot pass."""
        reason = str(error)
        if "KAFKA_DATA_LOSS" in reason or "failOnDataLoss" in reason:
            raise CheckpointError(
                f"the broker holds no longer the events at which {self._checkpoint.folder} stopped (its topic was "
                "made anew, or the stream stood still for longer than the topic keeps events). What is lost is lost; "
                f"go on from what the topic holds with: python -m streaming.stream --rebuild ({reason[:500]})"
            ) from error
        self._failures += 1
        log.error("the query failed (%d in a row), starting it again: %s", self._failures, reason[:2000])
        if self._failures >= MAX_FAILURES:
            raise TrafficError(f"the streaming query failed {self._failures} times in a row; the last: {reason[:500]}")
        self._stopping.wait(min(2.0**self._failures, 15.0))


def prepare(settings: Settings, dataset: Dataset, engine: Engine, rebuild: bool) -> bool:
    """Claim the checkpoint. Returns: whether it goes on where it stopped. Raises: CheckpointError."""
    checkpoint = Checkpoint(checkpoint_folder(settings, dataset.name))
    if rebuild:
        checkpoint.remove()
    checkpoint.prepare(definition(dataset.city, VEHICLE_POSITIONS.name, SHUFFLE_PARTITIONS))
    if checkpoint.is_fresh:
        reset_progress(engine, QUERY)
    return not checkpoint.is_fresh


def main(argv: list[str] | None = None) -> None:
    """Run until SIGTERM or SIGINT."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--dataset", help="name of the data set whose city and profile count; default: settings")
    arguments.add_argument(
        "--rebuild", action="store_true", help="forget the checkpoint, read the topic from the start"
    )
    options = arguments.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stdout)
    settings = Settings()
    try:
        _run(settings, Dataset.of(settings, options.dataset), options.rebuild)
    except TrafficError as error:
        sys.exit(f"stream: {error}")


def _run(settings: Settings, dataset: Dataset, rebuild: bool) -> None:
    engine = create_engine(settings)
    create_all(engine)
    goes_on = prepare(settings, dataset, engine, rebuild)
    watch = ChampionWatch(settings, dataset)
    stopping = threading.Event()

    def stop(*_: object) -> None:
        stopping.set()
        watch.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    scoring = watch.wait_for_scoring()
    if scoring is None:
        return
    live = LiveCity(dataset.city, scoring.profile, scoring.model)
    sink = WindowSink(live, scoring.profile, engine, Outbox(settings), watch)
    sink.restore(count=goes_on)
    watch.start()
    spark = stream_session(settings)
    stream = Stream(spark, settings, dataset, sink)
    # Signal handlers run between Python's bytecodes, and the main thread sits in a call into the JVM: the query runs
    # in a thread of its own, and the main thread waits where a signal can wake it.
    failures: list[BaseException] = []
    worker = threading.Thread(target=lambda: _collect(stream.run, failures), name="stream")
    worker.start()
    log.info("stream of %s started; model %s", dataset.name, live.model_version)
    while worker.is_alive() and not stopping.is_set():
        worker.join(0.5)
    stream.stop()
    worker.join(30)
    watch.stop()
    spark.stop()
    if failures:
        raise failures[0]


def _collect(run: Callable[[], None], failures: list[BaseException]) -> None:
    try:
        run()
    except BaseException as error:
        failures.append(error)


if __name__ == "__main__":
    main()
