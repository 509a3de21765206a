"""What happens to the rows of a micro-batch: score, write to the database, tell Kafka. Safe to run twice."""

import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from smartcity.archive import Archive
from smartcity.city import PlaceKind
from smartcity.levels import Level
from smartcity.live import LATE_MINUTES, LiveCity
from smartcity.messages import ScoredWindow
from smartcity.profile import Profile
from smartcity.sensors import POSITIONS_PER_READING
from smartcity.store.engine import Connection, Engine
from smartcity.store.reader import newest_window_start, recent_windows
from smartcity.store.tables import REJECTED_QUERY, WINDOWS_QUERY
from smartcity.store.writer import (
    MEASURED,
    BatchFigures,
    balance_progress,
    record_progress,
    upsert_scores,
    upsert_windows,
    window_row,
)
from streaming.balance import Balance
from streaming.champion import ChampionWatch
from streaming.checkpoint import Offsets
from streaming.outbox import Outbox
from streaming.query import REJECTED_SCHEMA
from streaming.retention import Retention

#: The live city and the counts are seeded with this much after a restart.
RESTORE = timedelta(hours=4)
Key = tuple[str, datetime]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Incoming:
    """What is known of a batch before its rows are seen."""

    batch_id: int
    input_rows: int
    lag_events: int
    started_utc: datetime
    seconds_since_last: float
    newest_event_utc: datetime | None
    start: Offsets = field(default_factory=dict)
    end: Offsets = field(default_factory=dict)

    def figures(self, newest: datetime | None, good: int, rejected: int, model: str | None) -> BatchFigures:
        """The batch's figures as of now."""
        now = datetime.now(UTC)
        seconds = max((now - self.started_utc).total_seconds(), 1e-3)
        return BatchFigures(
            batch_id=self.batch_id,
            updated_utc=now,
            newest_event_utc=newest,
            input_rows=self.input_rows,
            good=good,
            rejected=rejected,
            input_rows_per_second=self.input_rows / max(self.seconds_since_last, seconds),
            batch_seconds=seconds,
            lag_events=self.lag_events,
            model_version=model,
        )


class RejectedSink:
    """Takes the rejected events of one batch after another; with an archive, the good ones too."""

    def __init__(self, engine: Engine, outbox: Outbox, balance: Balance, archive: Archive | None = None) -> None:
        self._engine = engine
        self._outbox = outbox
        self._balance = balance
        self._archive = archive
        self.stages: dict[str, float] = {}

    def write(self, rows: pa.Table, batch: Incoming) -> BatchFigures:
        """Archive the good, tell Kafka of the rejected, then count. Raises: as ``WindowSink.write``."""
        started = time.monotonic()
        if self._archive is not None:
            is_bad = pc.is_valid(rows.column("reject_reason"))
            self._archive.write(rows.filter(pc.invert(is_bad)), batch.start, batch.end)
            rows = rows.filter(is_bad).select(REJECTED_SCHEMA.names)
        archived = time.monotonic()
        self._outbox.rejected(rows.to_pylist())
        self._outbox.flush()
        self.stages = {"archive": archived - started, "publish": time.monotonic() - archived}
        figures = batch.figures(None, 0, len(rows), None)
        with self._engine.begin() as connection:
            count = record_progress(connection, REJECTED_QUERY, figures)["total_rejected"]
            late = self._balance.rejected(batch.end, count)
            balance_progress(connection, WINDOWS_QUERY, REJECTED_QUERY, late)
        return figures


@dataclass
class Counted:
    """Positions per window as last written, so that a batch's good events are counted by what it added."""

    positions_per_event: int = 1
    counts: dict[Key, int] = field(default_factory=dict)

    def added(self, windows: list[dict[str, Any]]) -> int:
        """Events in ``windows`` that were not there before."""
        more = sum(row["position_count"] - self.counts.get(_key(row), 0) for row in windows)
        return int(more // self.positions_per_event)

    def keep(self, windows: list[dict[str, Any]]) -> None:
        """Remember the counts as written, and forget what no event can change any more."""
        self.counts.update({_key(row): row["position_count"] for row in windows})
        if len(self.counts) > 50_000:
            oldest = max(start for _, start in self.counts) - RESTORE
            self.counts = {key: count for key, count in self.counts.items() if key[1] >= oldest}


class WindowSink:
    """Takes the rows of one batch after another."""

    def __init__(
        self,
        live: LiveCity,
        profile: Profile,
        engine: Engine,
        outbox: Outbox,
        watch: ChampionWatch,
        retention: Retention,
        balance: Balance,
        rebuilt: bool = False,
    ) -> None:
        self._live = live
        self._profile = profile
        self._engine = engine
        self._outbox = outbox
        self._watch = watch
        self._retention = retention
        self._balance = balance
        self._rebuilt = rebuilt
        self._counted = Counted(POSITIONS_PER_READING if live.city.place_kind is PlaceKind.SENSOR else 1)
        self._written: dict[Key, tuple[Any, ...]] = {}
        self.stages: dict[str, float] = {}

    def restore(self, count: bool) -> None:
        """Seed the live city from the database, and the counts with it where the checkpoint goes on (``count``)."""
        newest = newest_window_start(self._engine)
        if newest is None:
            return
        windows = recent_windows(self._engine, newest - RESTORE)
        self._live.restore(windows)
        if count:
            self._counted.keep(windows.select(["cell_id", "window_start_utc", "position_count"]).to_pylist())

    def write(self, rows: pa.Table, batch: Incoming) -> BatchFigures:
        """Score and write one batch; all of it is confirmed when this returns.

        Raises: ServiceError, or the database's own error; the batch then runs again.
        """
        started = time.monotonic()
        if (model := self._watch.take()) is not None:
            self._live.set_model(model)
            self._profile = model.profile
        table = rows.sort_by("window_start_utc")
        windows = table.to_pylist()
        scored = self._score(table, windows)
        at_score = time.monotonic()
        figures = self._figures(windows, batch)
        with self._engine.begin() as connection:
            self._upsert(connection, scored, windows)
            totals = record_progress(connection, WINDOWS_QUERY, figures)
            late = self._balance.windows(batch.end, totals["total_read"], totals["total_good"])
            balance_progress(connection, WINDOWS_QUERY, REJECTED_QUERY, late)
        self._counted.keep(windows)
        at_store = time.monotonic()
        self._outbox.scored(scored)
        self._outbox.flush()
        self._remember(scored)
        self._retention.apply(figures.newest_event_utc)
        self.stages = {
            "score": at_score - started,
            "store": at_store - at_score,
            "publish": time.monotonic() - at_store,
        }
        return figures

    def _score(self, table: pa.Table, windows: list[dict[str, Any]]) -> list[ScoredWindow]:
        """The scored windows that differ from what was last written, ascending."""
        found: dict[Key, ScoredWindow] = {}
        for part in _spans(table):
            found.update({(s.cell_id, s.window_start_utc): s for s in self._live.update(part)})
        newest = {_key(row): row["newest_event_utc"] for row in windows}
        result = []
        for key, scored in found.items():
            if key in newest:
                result.append(scored.model_copy(update={"newest_event_utc": newest[key]}))
            elif self._written.get(key) != _content(scored):
                result.append(scored)
        result += [self._unscored(row) for row in windows if _key(row) not in found]
        return result

    def _unscored(self, row: dict[str, Any]) -> ScoredWindow:
        """A window too old for the live city: its counts are kept, its level is not guessed."""
        index = int(self._profile.indexes((row["cell_id"],))[0])
        flow = self._profile.free_flow_mph[index] if index >= 0 else self._profile.city_free_flow_mph
        return ScoredWindow(
            cell_id=row["cell_id"],
            window_start_utc=row["window_start_utc"],
            window_end_utc=row["window_start_utc"] + timedelta(minutes=self._profile.city.window_minutes),
            vehicle_count=row["vehicle_count"],
            position_count=row["position_count"],
            avg_speed_mph=row["avg_speed_mph"],
            std_speed_mph=row["std_speed_mph"],
            free_flow_mph=float(flow),
            ratio=None,
            level=Level.UNKNOWN,
            forecast=None,
            updated_utc=datetime.now(UTC),
            newest_event_utc=row["newest_event_utc"],
        )

    def _upsert(self, connection: Connection, scored: list[ScoredWindow], windows: list[dict[str, Any]]) -> None:
        """Changed windows with the very figures that Spark computed; of the others only their score is new."""
        changed = {_key(row): row for row in windows}
        rows, scores = [], []
        for window in scored:
            source = changed.get((window.cell_id, window.window_start_utc))
            if source is None:
                scores.append(window_row(window))
            else:
                rows.append(window_row(window) | {name: source[name] for name in MEASURED})
        upsert_windows(connection, rows, keep_fuller=self._rebuilt)
        upsert_scores(connection, scores)

    def _figures(self, windows: list[dict[str, Any]], batch: Incoming) -> BatchFigures:
        newest = max((row["newest_event_utc"] for row in windows), default=batch.newest_event_utc)
        return batch.figures(newest, self._counted.added(windows), 0, self._live.model_version)

    def _remember(self, scored: list[ScoredWindow]) -> None:
        self._written.update({(s.cell_id, s.window_start_utc): _content(s) for s in scored})
        if len(self._written) > 50_000:
            oldest = max(start for _, start in self._written) - timedelta(minutes=LATE_MINUTES)
            self._written = {key: content for key, content in self._written.items() if key[1] >= oldest}


def _key(row: dict[str, Any]) -> Key:
    return row["cell_id"], row["window_start_utc"]


def _content(scored: ScoredWindow) -> tuple[Any, ...]:
    """What a reader would see change."""
    return (scored.position_count, scored.vehicle_count, scored.ratio, scored.level, scored.forecast)


def _spans(table: pa.Table) -> list[pa.Table]:
    """Rows, ordered by window, in parts of at most ``LATE_MINUTES``: the live city then scores every one of them."""
    parts = []
    while table.num_rows:
        starts = table.column("window_start_utc")
        young = pc.less(starts, pa.scalar(starts[0].as_py() + timedelta(minutes=LATE_MINUTES), starts.type))
        parts.append(table.filter(young))
        table = table.filter(pc.invert(young))
    return parts or [table]
