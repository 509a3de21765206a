"""The past: series of the city, of some cells or of one, forecasts beside what then happened.

Recent windows come from the database, a long range from its roll-ups, and what is older than both from the lake.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Engine, func, select

from api.models import HistoryPoint
from api.queries import Aggregation
from smartcity.levels import Level
from smartcity.messages import ScoredWindow
from smartcity.store.reader import CHANCE_HIGH, newest_window_start, progress, scored_windows
from smartcity.store.rollups import (
    HOUR,
    QUARTER,
    Row,
    add,
    rolled_from,
    rolled_until,
    sums,
    window_figures,
)
from smartcity.store.tables import WHOLE_CITY, WINDOWS_QUERY, RollupRow, WindowRow

#: The state at start is seeded with the newest window of each cell over this span.
SEED_SPAN = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: A window this far beside the asked moment still counts as "30 minutes ago".
TREND_SLACK = timedelta(minutes=6)
#: A longer range is read from roll-ups where its step allows.
LONG = timedelta(days=2)


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

    def part(self, start: datetime, end: datetime) -> "Span":
        """What of it lies in [start, end)."""
        return Span(max(self.start, start), min(self.end, end), self.step)

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it."""
        return self.start >= self.end


@dataclass(frozen=True)
class Choice:
    """Whose windows: of these cells (None: of all), with at least so many vehicles."""

    cell_ids: tuple[str, ...] | None = None
    min_vehicles: int = 0


Older = Callable[[Span, Choice], Iterable[Row]]


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


def oldest_window_start(engine: Engine) -> datetime | None:
    """Start of the oldest window that the database keeps."""
    with engine.connect() as connection:
        return connection.execute(select(func.min(WindowRow.window_start_utc))).scalar()


def _of(choice: Choice) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if choice.cell_ids is not None:
        conditions.append(WindowRow.cell_id.in_(choice.cell_ids))
    if choice.min_vehicles:
        conditions.append(WindowRow.vehicle_count >= choice.min_vehicles)
    return conditions


def _windows(engine: Engine, span: Span, choice: Choice) -> Iterator[Row]:
    """One row per window: sums over its cells."""
    query = (
        select(WindowRow.window_start_utc, *sums())
        .where(WindowRow.window_start_utc >= span.start, WindowRow.window_start_utc < span.end, *_of(choice))
        .group_by(WindowRow.window_start_utc)
    )
    with engine.connect() as connection:
        for start, *figures in connection.execute(query):
            yield window_figures(start, figures)


def _forecasts(engine: Engine, span: Span, window: timedelta, choice: Choice) -> Iterator[Row]:
    """One row per target window: forecasts made for it, and the sum of their chances of ``high``.

    Of cells whose level was known when the forecast was made, as the share that was seen is of known cells.
    """
    query = (
        select(WindowRow.forecast_for_utc, func.count(), func.sum(CHANCE_HIGH))
        .where(
            WindowRow.forecast_for_utc >= span.start + window,
            WindowRow.forecast_for_utc < span.end + window,
            WindowRow.forecast_level.is_not(None),
            WindowRow.level != Level.UNKNOWN.value,
            *_of(choice),
        )
        .group_by(WindowRow.forecast_for_utc)
    )
    nothing = window_figures(EPOCH, (0, 0, 0.0, 0, 0.0, 0))
    with engine.connect() as connection:
        for target_end, count, chances in connection.execute(query):
            if target_end is not None:
                yield {
                    **nothing,
                    "start_utc": target_end - window,
                    "windows": 0,
                    "forecasts": count,
                    "chance_high_sum": chances,
                }


def _rollups(engine: Engine, span: Span, period: timedelta, choice: Choice) -> Iterator[Row]:
    """Periods of the city, or of each of the cells."""
    table = RollupRow.__table__
    query = select(table).where(
        table.c.period_minutes == int(period.total_seconds()) // 60,
        table.c.cell_id.in_(choice.cell_ids if choice.cell_ids is not None else (WHOLE_CITY,)),
        table.c.start_utc >= span.start,
        table.c.start_utc < span.end,
    )
    with engine.connect() as connection:
        yield from (dict(row) for row in connection.execute(query).mappings())


def _period(span: Span, choice: Choice, aggregation: Aggregation) -> timedelta | None:
    """Which roll-ups can make the steps; None where only windows can.

    The lowest window of several cells together is not the lowest of any of them, nor are windows counted by vehicles.
    """
    several = choice.cell_ids is not None and len(choice.cell_ids) > 1
    if choice.min_vehicles or (several and aggregation is not Aggregation.MEAN):
        return None
    return next((period for period in (HOUR, QUARTER) if not span.step % period), None)


@dataclass(frozen=True)
class Kept:
    """Which part of a range comes from roll-ups, and from when on windows are kept."""

    rolled: Span
    period: timedelta
    windows_from: datetime


def _kept(engine: Engine, span: Span, choice: Choice, aggregation: Aggregation) -> Kept:
    oldest = oldest_window_start(engine) or span.end
    period = _period(span, choice, aggregation)
    nothing = Kept(Span(span.start, span.start, span.step), QUARTER, oldest)
    if period is None or (span.end - span.start <= LONG and span.start >= oldest):
        return nothing
    with engine.connect() as connection:
        start, end = rolled_from(connection, period), rolled_until(connection, period)
    return Kept(span.part(start, end), period, oldest) if start and end else nothing


def series(
    engine: Engine,
    span: Span,
    window: timedelta,
    horizon: timedelta,
    choice: Choice = Choice(),
    aggregation: Aggregation = Aggregation.MEAN,
    older: Older | None = None,
) -> list[HistoryPoint]:
    """Speed, ratio and share of cells at ``high`` per step, with the share that was expected for that very time.

    Args:
        engine: the serving database.
        span: windows that start in [start, end). The newest window is still filling and left out.
        window: length of a window.
        horizon: how far forecasts reach beyond the newest window; their steps have no outcome yet.
        choice: whose windows.
        aggregation: what becomes of the windows of a step.
        older: finds windows of before the database's first, as ``rollups.window_figures``.

    """
    newest = newest_window_start(engine)
    kept = _kept(engine, span, choice, aggregation)
    totals: dict[int, Row] = {}
    several = len(choice.cell_ids) if choice.cell_ids is not None and not kept.rolled.empty else 1

    def take(rows: Iterable[Row]) -> None:
        for row in rows:
            bucket = span.bucket(row["start_utc"])
            totals[bucket] = add(totals.get(bucket), row)

    take(_rollups(engine, kept.rolled, kept.period, choice) if not kept.rolled.empty else ())
    for bucket in totals if several > 1 else ():
        # Each cell brought its own count of the same windows.
        totals[bucket]["windows"] = span.step // window
    begin = kept.rolled.end if not kept.rolled.empty else span.start
    if newest is not None:
        take(_windows(engine, span.part(begin, newest), choice))
        take(_forecasts(engine, span.part(begin, newest + horizon + window), window, choice))
    first = min(kept.windows_from, kept.rolled.start) if not kept.rolled.empty else kept.windows_from
    if older is not None and not span.part(span.start, first).empty:
        take(older(span.part(span.start, first), choice))
    return [_point(span.time_of(bucket), totals[bucket], aggregation) for bucket in sorted(totals)]


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


def _point(time: datetime, total: Row, aggregation: Aggregation) -> HistoryPoint:
    forecast_share = _share(total["chance_high_sum"], total["forecasts"])
    windows = total["windows"]
    if not windows:
        return HistoryPoint(time_utc=time, forecast_share_high=forecast_share)
    positions, count = total["position_count"], total["known"]
    speed = total["speed_positions"] / positions if positions else None
    ratio, share = _share(total["ratio_sum"], count), _share(total["high"], count)
    if aggregation is not Aggregation.MEAN:
        which = "least" if aggregation is Aggregation.MIN else "most"
        speed, ratio, share = (total[f"{which}_{name}"] for name in ("speed_mph", "ratio", "share_high"))
    return HistoryPoint(
        time_utc=time,
        avg_speed_mph=None if speed is None else round(speed, 2),
        ratio=None if ratio is None else round(ratio, 4),
        vehicle_count=round(total["vehicle_count"] / windows),
        share_high=None if share is None else round(share, 4),
        forecast_share_high=forecast_share,
        cells=round(count / windows),
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
