"""Figures of the stream for Prometheus: http://127.0.0.1:5010/metrics (``TRAFFIC_STREAM_METRICS_PORT``)."""

import logging
from collections import Counter as Counts
from collections.abc import Iterable, Mapping
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from smartcity.settings import Settings
from smartcity.store.writer import BatchFigures
from streaming.lag import Lag

BATCH_BUCKETS = (0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30)
LATENCY_BUCKETS = (0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10, 15, 30, 60, 120, 300)
#: An event older than this when written was replayed with its recorded time: its age says nothing about the system.
LONGEST_SECONDS = 3600.0
log = logging.getLogger("streaming")


class StreamMetrics:
    """What the batches say of themselves."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own, query = self.registry, ["query"]
        self._events = Counter("traffic_stream_events", "Events read.", query, registry=own)
        self._rate = Gauge("traffic_stream_input_rate", "Events read a second, of the last batch.", query, registry=own)
        self._seconds = Histogram(
            "traffic_stream_batch_seconds", "Time of a batch.", query, buckets=BATCH_BUCKETS, registry=own
        )
        self._stages = Gauge(
            "traffic_stream_stage_seconds", "Time of each part of the last batch.", ["query", "stage"], registry=own
        )
        lag = ["query", "partition"]
        self._lag = Gauge("traffic_stream_partition_lag_events", "Events of the topic not read yet.", lag, registry=own)
        self._age = Gauge("traffic_stream_partition_lag_seconds", "For how long they wait.", lag, registry=own)
        self._rows = Gauge("traffic_stream_state_rows", "Windows in the state.", query, registry=own)
        self._bytes = Gauge("traffic_stream_state_bytes", "Memory of the state.", query, registry=own)
        self._rejected = Counter("traffic_stream_rejected", "Events that break a rule.", ["reason"], registry=own)
        self._again = Counter(
            "traffic_stream_judged_again", "Events to which the second query applied the rules as well.", registry=own
        )
        self._model = Gauge("traffic_stream_model", "1 for the version that scores.", ["version"], registry=own)
        self._latency = Histogram(
            "traffic_stream_latency_seconds",
            "Age of the newest event of a window when that was written.",
            buckets=LATENCY_BUCKETS,
            registry=own,
        )
        self._version: str | None = None

    def serve(self, settings: Settings) -> None:
        """Answer scrapes. A port that is taken is said; the stream is worth more than its figures."""
        if not settings.stream_metrics_port:
            return
        try:
            start_http_server(settings.stream_metrics_port, settings.stream_metrics_host, self.registry)
        except OSError as error:
            log.warning("no metrics on port %d: %s", settings.stream_metrics_port, error.strerror)

    def batch(self, query: str, figures: BatchFigures, lags: Mapping[int, Lag], stages: Mapping[str, float]) -> None:
        """A batch is done."""
        self._events.labels(query).inc(figures.input_rows)
        self._rate.labels(query).set(figures.input_rows_per_second)
        self._seconds.labels(query).observe(figures.batch_seconds)
        for stage, seconds in stages.items():
            self._stages.labels(query, stage).set(seconds)
        for partition, lag in lags.items():
            self._lag.labels(query, partition).set(lag.events)
            self._age.labels(query, partition).set(lag.seconds)
        if figures.model_version and figures.model_version != self._version:
            self._model.clear()
            self._model.labels(figures.model_version).set(1)
            self._version = figures.model_version

    def rows(self, table: pa.Table, written_utc: datetime) -> None:
        """The rows that a batch wrote: windows with their newest event, or events, the rejected with their reason."""
        if "reject_reason" in table.column_names:
            self._count(table.column("reject_reason").drop_null().to_pylist())
        if "newest_event_utc" in table.column_names:
            newest = table.column("newest_event_utc").drop_null()
            ages = pc.subtract(pa.scalar(written_utc, newest.type), newest).cast(pa.int64()).to_numpy() / 1e6
            for age in ages[(ages >= 0) & (ages <= LONGEST_SECONDS)].tolist():
                self._latency.observe(age)

    def _count(self, reasons: Iterable[str]) -> None:
        for reason, count in Counts(reasons).items():
            self._rejected.labels(reason).inc(count)

    def judged_again(self, events: int) -> None:
        """Events were judged by the second query, too: among their neighbours one breaks a rule, or nobody knows."""
        self._again.inc(events)

    def state(self, query: str, rows: int, size: int) -> None:
        """What the state holds."""
        self._rows.labels(query).set(rows)
        self._bytes.labels(query).set(size)
