"""Writes of the stream: keyed upserts, so that a batch that runs twice changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Executable, Table, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from smartcity.messages import ScoredWindow
from smartcity.store.tables import Base, StreamProgress, WindowRow

#: Column values of one window row.
Row = dict[str, Any]
#: Columns that only a changed aggregate changes; a window that is merely scored again keeps what it has.
MEASURED = (
    "vehicle_count",
    "position_count",
    "speed_sum",
    "speed_square_sum",
    "vehicle_bits",
    "avg_speed_mph",
    "std_speed_mph",
)


@dataclass(frozen=True)
class WindowSums:
    """The exact sums behind one window, in the units of ``columns.WINDOWS``."""

    speed_sum: int
    speed_square_sum: int
    vehicle_bits: int


NO_SUMS = WindowSums(0, 0, 0)


@dataclass(frozen=True)
class BatchFigures:
    """What one micro-batch did. Counts are of this batch; the row in the database adds them up once per batch."""

    batch_id: int
    updated_utc: datetime
    newest_event_utc: datetime | None
    input_rows: int
    good: int
    rejected: int
    input_rows_per_second: float
    batch_seconds: float
    lag_events: int
    model_version: str | None


def window_row(scored: ScoredWindow, sums: WindowSums = NO_SUMS) -> Row:
    """A scored window and its sums as the values of a ``WindowRow``."""
    forecast = scored.forecast
    return {
        "cell_id": scored.cell_id,
        "window_start_utc": scored.window_start_utc,
        "window_end_utc": scored.window_end_utc,
        "vehicle_count": scored.vehicle_count,
        "position_count": scored.position_count,
        "speed_sum": sums.speed_sum,
        "speed_square_sum": sums.speed_square_sum,
        "vehicle_bits": sums.vehicle_bits,
        "avg_speed_mph": scored.avg_speed_mph,
        "std_speed_mph": scored.std_speed_mph,
        "free_flow_mph": scored.free_flow_mph,
        "ratio": scored.ratio,
        "level": scored.level.value,
        "forecast_for_utc": forecast.for_utc if forecast else None,
        "forecast_level": forecast.level.value if forecast else None,
        "probability_low": forecast.probability_low if forecast else None,
        "probability_medium": forecast.probability_medium if forecast else None,
        "probability_high": forecast.probability_high if forecast else None,
        "expected_speed_mph": forecast.expected_speed_mph if forecast else None,
        "model_version": forecast.model_version if forecast else None,
        "updated_utc": scored.updated_utc,
    }


def upsert_windows(connection: Connection, rows: Sequence[Row], keep_fuller: bool = False) -> None:
    """Insert the windows, or replace those that are there, by (cell_id, window_start_utc).

    ``keep_fuller``: a stored window that has more positions stays. A stream that was made anew does not see the events
    that the broker has deleted: of the topic's first windows it counts a part only.
    """
    table: Table = WindowRow.__table__  # type: ignore[assignment]
    _upsert(connection, table, rows, least="position_count" if keep_fuller else None)


def upsert_scores(connection: Connection, rows: Sequence[Row]) -> None:
    """As ``upsert_windows``, but a window that is there keeps its ``MEASURED`` columns: only its score is new."""
    _upsert(connection, WindowRow.__table__, rows, keep=MEASURED)  # type: ignore[arg-type]


def record_progress(connection: Connection, query: str, batch: BatchFigures) -> Row:
    """Bring the query's row up to ``batch``; its totals grow only where the batch was not recorded before.

    Returns: the row.
    """
    table = StreamProgress.__table__
    stored = connection.execute(select(table).where(table.c.query == query)).mappings().first()
    last = stored["batch_id"] if stored else -1
    again = batch.batch_id <= last

    def total(name: str, more: int) -> int:
        return (stored[name] if stored else 0) + (0 if again else more)

    row = {
        "query": query,
        "batch_id": max(batch.batch_id, last),
        "updated_utc": batch.updated_utc,
        "newest_event_utc": batch.newest_event_utc,
        "input_rows": batch.input_rows,
        "input_rows_per_second": batch.input_rows_per_second,
        "batch_seconds": batch.batch_seconds,
        "lag_events": batch.lag_events,
        "total_read": total("total_read", batch.input_rows),
        "total_good": total("total_good", batch.good),
        "total_rejected": total("total_rejected", batch.rejected),
        "total_late": total("total_late", 0),
        "model_version": batch.model_version,
    }
    _upsert(connection, table, [row])  # type: ignore[arg-type]
    return row


def balance_progress(connection: Connection, windows: str, rejected: str, late: int) -> None:
    """Enter what the query ``rejected`` counted into the row of ``windows``, and how many events were late so far."""
    table = StreamProgress.__table__
    count = connection.execute(select(table.c.total_rejected).where(table.c.query == rejected)).scalar() or 0
    row = connection.execute(select(table).where(table.c.query == windows)).mappings().first()
    if row is not None:
        values = {"total_rejected": count, "total_late": max(late, row["total_late"])}
        connection.execute(update(table).where(table.c.query == windows).values(values))  # type: ignore[arg-type]


def late_so_far(engine: Engine) -> int:
    """Events that came too late, as last recorded."""
    with engine.connect() as connection:
        return connection.execute(select(func.max(StreamProgress.total_late))).scalar() or 0


def reset_progress(engine: Engine, query: str) -> None:
    """Forget a query's row: its checkpoint starts again at batch 0."""
    with engine.begin() as connection:
        connection.execute(delete(StreamProgress).where(StreamProgress.query == query))


def prune_windows(engine: Engine, before: datetime) -> int:
    """Delete windows that started before ``before``. Returns: how many."""
    with engine.begin() as connection:
        return connection.execute(delete(WindowRow).where(WindowRow.window_start_utc < before)).rowcount


def upsert(connection: Connection, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or replace those that are there, by the table's key."""
    _upsert(connection, table.__table__, rows)  # type: ignore[arg-type]


def _upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    keep: Sequence[str] = (),
    least: str | None = None,
) -> None:
    """``least``: a row is replaced only by one that has as much of this column."""
    if not rows:
        return
    key = [column.name for column in table.primary_key]
    others = [column.name for column in table.columns if column.name not in {*key, *keep}]
    # One prepared statement run for many rows: an INSERT of thousands of values would compile for longer than run.
    connection.execute(_insert(connection.dialect.name, table, key, others, least), list(rows))


def _insert(dialect: str, table: Table, key: list[str], others: list[str], least: str | None) -> Executable:
    into = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    return into.on_conflict_do_update(
        index_elements=key,
        set_={name: into.excluded[name] for name in others},
        where=into.excluded[least] >= table.c[least] if least else None,
    )
