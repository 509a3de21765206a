"""The structured-streaming job: ``python -m streaming.stream [--dataset NAME] [--rebuild]``.

Kafka ``vehicle_positions`` → judged → windows per cell (update mode) → scored → database and ``dashboard_events``;
rejected events → ``vehicle_positions_rejected`` with their reason; good ones → the lake's archive. Ends cleanly on
SIGTERM.
"""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from smartcity.archive import Archive
from smartcity.city import PlaceKind
from smartcity.errors import TrafficError
from smartcity.lake import Dataset
from smartcity.live import LiveCity
from smartcity.settings import Settings
from smartcity.store.engine import Engine, create_all, create_engine
from smartcity.store.tables import REJECTED_QUERY, WINDOWS_QUERY
from smartcity.store.writer import late_so_far, reset_progress
from smartcity.topics import VEHICLE_POSITIONS
from streaming.balance import Balance
from streaming.champion import ChampionWatch
from streaming.checkpoint import Checkpoint, definition
from streaming.lag import LagMeter
from streaming.metrics import StreamMetrics
from streaming.outbox import Outbox
from streaming.query import (
    MAX_JUDGED_PER_BATCH,
    SHUFFLE_PARTITIONS,
    changed_windows,
    checkpoint_folder,
    read_topic,
    stream_session,
)
from streaming.retention import Retention
from streaming.sinks import RejectedSink, WindowSink
from streaming.sorting import Sorter
from streaming.supervision import SupervisedQuery
from streaming.verdicts import VerdictListener, Verdicts

TOPIC = VEHICLE_POSITIONS.name
#: Rejected events may wait: each batch of theirs costs what one of the windows costs.
REJECTED_TRIGGER_SECONDS = 10.0
log = logging.getLogger("streaming")


def prepare(settings: Settings, dataset: Dataset, engine: Engine, rebuild: bool) -> dict[str, Checkpoint]:
    """Claim the checkpoint of each query. Raises: CheckpointError where one was made for another state."""
    found = {}
    for query in (WINDOWS_QUERY, REJECTED_QUERY):
        checkpoint = Checkpoint(checkpoint_folder(settings, dataset.name, query), TOPIC)
        if rebuild:
            checkpoint.rebuild()
        checkpoint.prepare(definition(dataset.city, TOPIC, SHUFFLE_PARTITIONS))
        if checkpoint.is_fresh:
            reset_progress(engine, query)
        found[query] = checkpoint
    return found


def archives(settings: Settings, dataset: Dataset) -> bool:
    """Whether events are kept in the lake; readings of sensors are no positions of vehicles."""
    return settings.archive_positions and dataset.city.place_kind is not PlaceKind.SENSOR


def queries(
    spark: SparkSession,
    settings: Settings,
    dataset: Dataset,
    checkpoints: dict[str, Checkpoint],
    windows: WindowSink,
    rejected: RejectedSink,
    lag: LagMeter,
    metrics: StreamMetrics,
    verdicts: Verdicts,
) -> list[SupervisedQuery]:
    """The two queries, not yet started."""
    city = dataset.city
    first = SupervisedQuery(
        WINDOWS_QUERY,
        lambda: changed_windows(read_topic(spark, settings).load(), settings, city),
        windows,
        checkpoints[WINDOWS_QUERY],
        lag,
        settings.stream_trigger_seconds,
        metrics,
    )
    second = SupervisedQuery(
        REJECTED_QUERY,
        lambda: read_topic(spark, settings, MAX_JUDGED_PER_BATCH).load(),
        rejected,
        checkpoints[REJECTED_QUERY],
        lag,
        REJECTED_TRIGGER_SECONDS,
        metrics,
        after=first,
        collect=Sorter(verdicts, settings, city, archives(settings, dataset), metrics).collect,
    )
    return [first, second]


def main(argv: list[str] | None = None) -> None:
    """Run until SIGTERM or SIGINT."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--dataset", help="name of the data set whose city and profile count; default: settings")
    arguments.add_argument(
        "--rebuild", action="store_true", help="forget the checkpoint, read the topic from its beginning"
    )
    options = arguments.parse_args(argv)
    # Warnings of others only: py4j tells at INFO of every call that a stopping JVM does not answer.
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stdout)
    log.setLevel(logging.INFO)
    settings = Settings()
    try:
        _run(settings, Dataset.of(settings, options.dataset), options.rebuild)
    except TrafficError as error:
        sys.exit(f"stream: {error}")


def _run(settings: Settings, dataset: Dataset, rebuild: bool) -> None:
    engine = create_engine(settings)
    create_all(engine)
    checkpoints = prepare(settings, dataset, engine, rebuild)
    watch = ChampionWatch(settings, dataset)
    stopping = threading.Event()

    def stop(*_: object) -> None:
        stopping.set()
        watch.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    # The JVM starts while the registry is asked: either takes seconds.
    with ThreadPoolExecutor(1, "session") as pool:
        session = pool.submit(stream_session, settings)
        scoring = watch.wait_for_scoring()
    spark = session.result()
    if scoring is None:
        spark.stop()
        return
    live = LiveCity(dataset.city, scoring.profile, scoring.model)
    retention = Retention(
        engine,
        timedelta(days=settings.history_days),
        timedelta(days=settings.rollup_days),
        timedelta(minutes=dataset.city.window_minutes),
    )
    rebuilt = checkpoints[WINDOWS_QUERY].is_rebuilt
    balance = Balance(late_so_far(engine))
    sink = WindowSink(live, scoring.profile, engine, Outbox(settings), watch, retention, balance, rebuilt)
    sink.restore(count=not checkpoints[WINDOWS_QUERY].is_fresh)
    archive = Archive.of(dataset) if archives(settings, dataset) else None
    rejected = RejectedSink(engine, Outbox(settings), balance, archive)
    lag, metrics = LagMeter(settings, TOPIC), StreamMetrics()
    lag.start()
    metrics.serve(settings)
    verdicts = Verdicts()
    listener = VerdictListener(verdicts, WINDOWS_QUERY, TOPIC)
    spark.streams.addListener(listener)
    running = queries(spark, settings, dataset, checkpoints, sink, rejected, lag, metrics, verdicts)
    # Python runs signal handlers in the main thread only, between bytecodes: it must not sit in a call into the JVM.
    failures: list[BaseException] = []
    workers = [threading.Thread(target=_collect, args=(query.run, failures), name=query.name) for query in running]
    for worker in workers:
        worker.start()
    watch.start()
    log.info("stream of %s started; model %s", dataset.name, live.model_version)
    while not failures and not stopping.wait(0.5):
        pass
    verdicts.close()
    for query in reversed(running):
        query.stop()
    for worker in workers:
        worker.join(30)
    watch.stop()
    lag.stop()
    with suppress(Py4JError, OSError):  # a SIGTERM to the whole process group has ended the JVM already
        spark.streams.removeListener(listener)
        spark.stop()
    log.info("stopped")
    # A SIGTERM to the group reaches the JVM too: calls that were under way then fail, and that is no failure.
    if failures and not stopping.is_set():
        raise failures[0]


def _collect(run: Callable[[], None], failures: list[BaseException]) -> None:
    try:
        run()
    except BaseException as error:
        failures.append(error)


if __name__ == "__main__":
    main()
