"""Reads shared by the stream, after a restart, and the API."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import Engine, RowMapping, case, func, select

from smartcity import columns
from smartcity.levels import Level
from smartcity.messages import Forecast, ScoredWindow
from smartcity.store.tables import StreamProgress, WindowRow

#: Columns of ``columns.WINDOWS`` that the database keeps: all but the partition's date.
WINDOWS = pa.schema([field for field in columns.WINDOWS if field.name != "date"])

#: ``Forecast.chance_high`` in the database; its mean is the share of congested places to expect.
CHANCE_HIGH = func.coalesce(
    WindowRow.probability_high, case((WindowRow.forecast_level == Level.HIGH.value, 1.0), else_=0.0)
)


def newest_window_start(engine: Engine) -> datetime | None:
    """Start of the newest window, None before the first."""
    with engine.connect() as connection:
        return connection.execute(select(func.max(WindowRow.window_start_utc))).scalar()


def recent_windows(engine: Engine, since: datetime, until: datetime | None = None) -> pa.Table:
    """Windows that start from ``since`` on (and before ``until``), oldest first, columns ``WINDOWS`` of this module."""
    table = WindowRow.__table__
    query = select(*(table.c[name] for name in WINDOWS.names)).where(table.c.window_start_utc >= since)
    if until is not None:
        query = query.where(table.c.window_start_utc < until)
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(table.c.window_start_utc, table.c.cell_id)).all()
    values = zip(*rows, strict=True) if rows else ([] for _ in WINDOWS)
    return pa.table([pa.array(column, field.type) for column, field in zip(values, WINDOWS, strict=True)], WINDOWS)


def scored_windows(engine: Engine, since: datetime, cell_ids: Iterable[str] | None = None) -> list[ScoredWindow]:
    """Windows that start from ``since`` on as messages, oldest first; only of ``cell_ids`` where given."""
    query = select(WindowRow.__table__).where(WindowRow.window_start_utc >= since)
    if cell_ids is not None:
        query = query.where(WindowRow.cell_id.in_(list(cell_ids)))
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(WindowRow.window_start_utc, WindowRow.cell_id)).mappings().all()
    return [scored_window(row) for row in rows]


def scored_window(row: RowMapping | Mapping[str, Any]) -> ScoredWindow:
    """The message a row of ``scored_windows`` was written from."""
    forecast = None
    if row["forecast_level"] is not None:
        forecast = Forecast(
            made_utc=row["window_end_utc"],
            for_utc=row["forecast_for_utc"],
            level=row["forecast_level"],
            probability_low=row["probability_low"],
            probability_medium=row["probability_medium"],
            probability_high=row["probability_high"],
            expected_speed_mph=row["expected_speed_mph"],
            model_version=row["model_version"],
        )
    return ScoredWindow(
        cell_id=row["cell_id"],
        window_start_utc=row["window_start_utc"],
        window_end_utc=row["window_end_utc"],
        vehicle_count=row["vehicle_count"],
        position_count=row["position_count"],
        avg_speed_mph=row["avg_speed_mph"],
        std_speed_mph=row["std_speed_mph"],
        free_flow_mph=row["free_flow_mph"],
        ratio=row["ratio"],
        level=row["level"],
        forecast=forecast,
        updated_utc=row["updated_utc"],
    )


def progress(engine: Engine) -> dict[str, RowMapping]:
    """The newest figures of each stream query, by its name."""
    with engine.connect() as connection:
        return {row["query"]: row for row in connection.execute(select(StreamProgress.__table__)).mappings()}
