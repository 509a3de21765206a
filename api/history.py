"""The past, from the serving database: series of the city or one cell, forecasts beside what then happened."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Engine, case, func, select

from api.models import HistoryPoint
from smartcity.levels import Level
from smartcity.messages import ScoredWindow
from smartcity.store.reader import CHANCE_HIGH, newest_window_start, progress, scored_windows
from smartcity.store.tables import WINDOWS_QUERY, WindowRow

#: The state at start is seeded with the newest window of each cell over this span.
SEED_SPAN = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: A window this far beside the asked moment still counts as "30 minutes ago".
TREND_SLACK = timedelta(minutes=6)


@dataclass(frozen=True)
class Span:
    """Which windows: those that start in [start, end), in steps of ``step``."""

    start: datetime
    end: datetime
    step: timedelta

    def bucket(self, moment: datetime) -> int:
        """Number of the step that ``moment`` falls into, counted from the epoch."""
        return (moment - EPOCH) // self.step

    def time_of(self, bucket: int) -> datetime:
        """Start of a step."""
        return EPOCH + bucket * self.step


def newest_windows(engine: Engine) -> list[ScoredWindow]:
    """The last hour of windows up to where the stream is now, oldest first: what the state starts from.

    Where the stream is stands in its progress: after a replay from an earlier date that is not the newest window.
    """
    current = progress(engine).get(WINDOWS_QUERY)
    newest = current["newest_event_utc"] if current is not None else None
    if newest is None:
        newest = newest_window_start(engine)
    if newest is None:
        return []
    return [window for window in scored_windows(engine, newest - SEED_SPAN) if window.window_start_utc <= newest]


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


def _sums(engine: Engine, span: Span, cell_id: str | None) -> list[Any]:
    """One row per window: counts and sums over its cells."""
    known = WindowRow.level != Level.UNKNOWN.value
    conditions: list[ColumnElement[bool]] = [
        WindowRow.window_start_utc >= span.start,
        WindowRow.window_start_utc < span.end,
    ]
    if cell_id is not None:
        conditions.append(WindowRow.cell_id == cell_id)
    query = (
        select(
            WindowRow.window_start_utc,
            func.sum(WindowRow.vehicle_count),
            func.sum(WindowRow.position_count),
            func.sum(WindowRow.avg_speed_mph * WindowRow.position_count),
            func.sum(case((known, 1), else_=0)),
            func.sum(case((known, WindowRow.ratio), else_=0.0)),
            func.sum(case((WindowRow.level == Level.HIGH.value, 1), else_=0)),
        )
        .where(*conditions)
        .group_by(WindowRow.window_start_utc)
    )
    with engine.connect() as connection:
        return list(connection.execute(query).all())


def _forecasts(engine: Engine, span: Span, window: timedelta, cell_id: str | None) -> list[Any]:
    """One row per target window (named by its end): forecasts made for it, and the sum of their chances of ``high``.

    Of cells whose level was known when the forecast was made, as the share that was seen is of known cells.
    """
    conditions: list[ColumnElement[bool]] = [
        WindowRow.forecast_for_utc >= span.start + window,
        WindowRow.forecast_for_utc < span.end + window,
        WindowRow.forecast_level.is_not(None),
        WindowRow.level != Level.UNKNOWN.value,
    ]
    if cell_id is not None:
        conditions.append(WindowRow.cell_id == cell_id)
    query = (
        select(WindowRow.forecast_for_utc, func.count(), func.sum(CHANCE_HIGH))
        .where(*conditions)
        .group_by(WindowRow.forecast_for_utc)
    )
    with engine.connect() as connection:
        return list(connection.execute(query).all())


def series(
    engine: Engine, span: Span, window: timedelta, horizon: timedelta, cell_id: str | None = None
) -> list[HistoryPoint]:
    """Speed, ratio and share of cells at ``high`` per step, with the share that was expected for that very time.

    Args:
        engine: the serving database.
        span: windows that start in [start, end). The newest window is still filling and left out.
        window: length of a window.
        horizon: how far forecasts reach beyond the newest window; their steps have no outcome yet.
        cell_id: one cell; None for the whole city.

    """
    newest = newest_window_start(engine)
    if newest is None:
        return []
    seen = Span(span.start, min(span.end, newest), span.step)
    ahead = Span(span.start, min(span.end, newest + horizon + window), span.step)
    totals: dict[int, np.ndarray] = {}
    windows: dict[int, int] = {}
    for start, *sums in _sums(engine, seen, cell_id):
        bucket = span.bucket(start)
        row = np.array([value or 0 for value in sums], dtype=np.float64)
        totals[bucket] = totals.get(bucket, np.zeros(len(row))) + row
        windows[bucket] = windows.get(bucket, 0) + 1
    foretold: dict[int, tuple[int, float]] = {}
    for target_end, count, chances in _forecasts(engine, ahead, window, cell_id):
        bucket = span.bucket(target_end - window)
        before = foretold.get(bucket, (0, 0.0))
        foretold[bucket] = (before[0] + count, before[1] + chances)
    return [
        _point(span.time_of(bucket), totals.get(bucket), windows.get(bucket, 0), foretold.get(bucket))
        for bucket in sorted(set(totals) | set(foretold))
    ]


def _point(time: datetime, sums: np.ndarray | None, windows: int, foretold: tuple[int, float] | None) -> HistoryPoint:
    forecast_share = _share(foretold[1], foretold[0]) if foretold else None
    if sums is None:
        return HistoryPoint(time_utc=time, forecast_share_high=forecast_share)
    vehicles, positions, speed_positions, known, ratio_sum, high = (float(value) for value in sums)
    return HistoryPoint(
        time_utc=time,
        avg_speed_mph=round(speed_positions / positions, 2) if positions else None,
        ratio=_share(ratio_sum, known),
        vehicle_count=round(vehicles / windows),
        share_high=_share(high, known),
        forecast_share_high=forecast_share,
        cells=round(known / windows),
    )


def ratios_at(engine: Engine, moment: datetime, cell_ids: Iterable[str]) -> dict[str, float]:
    """Each cell's ratio in its window nearest to the one starting at ``moment``; cells without one are left out."""
    query = (
        select(WindowRow.cell_id, WindowRow.window_start_utc, WindowRow.ratio)
        .where(
            WindowRow.cell_id.in_(list(cell_ids)),
            WindowRow.window_start_utc.between(moment - TREND_SLACK, moment + TREND_SLACK),
            WindowRow.ratio.is_not(None),
        )
        .order_by(WindowRow.window_start_utc)
    )
    nearest: dict[str, tuple[timedelta, float]] = {}
    with engine.connect() as connection:
        for cell_id, start, ratio in connection.execute(query):
            gap = abs(start - moment)
            if ratio is not None and (cell_id not in nearest or gap < nearest[cell_id][0]):
                nearest[cell_id] = (gap, ratio)
    return {cell_id: ratio for cell_id, (_, ratio) in nearest.items()}


def newest_of(engine: Engine, cell_id: str) -> ScoredWindow | None:
    """The newest window of one cell that the database still has."""
    with engine.connect() as connection:
        start = connection.execute(
            select(func.max(WindowRow.window_start_utc)).where(WindowRow.cell_id == cell_id)
        ).scalar()
    return scored_windows(engine, start, [cell_id])[-1] if start is not None else None
