"""Windows summed over 15 minutes and hours, so that a year of a thousand cells is read as fast as a day."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, case, delete, func, select

from smartcity.levels import Level
from smartcity.store.reader import CHANCE_HIGH
from smartcity.store.tables import WHOLE_CITY, RollupRow, WindowRow
from smartcity.store.writer import upsert

QUARTER, HOUR = timedelta(minutes=15), timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: A period is summed once no event can come late for it any more.
SETTLED = timedelta(minutes=30)
#: At most so many periods at once: catching up must not hold up the stream.
MOST_PERIODS = 96
#: Quarters of an hour are kept this long; hours as long as the settings say.
QUARTERS_KEPT = timedelta(days=90)

Row = dict[str, Any]
SUMS = ("windows", "vehicle_count", "position_count", "speed_positions", "known", "ratio_sum", "high", "forecasts")
SUMS_AND_CHANCE = (*SUMS, "chance_high_sum")
LEAST = ("least_speed_mph", "least_ratio", "least_share_high")
MOST = ("most_speed_mph", "most_ratio", "most_share_high")


def floor(moment: datetime, period: timedelta) -> datetime:
    """Start of the period that a moment falls into."""
    return EPOCH + (moment - EPOCH) // period * period


def known() -> ColumnElement[bool]:
    """Whether a window's level is known."""
    return WindowRow.level != Level.UNKNOWN.value


def sums() -> list[ColumnElement[Any]]:
    """Of a group of windows: vehicles, positions, speed × positions, known, ratios of the known, at level high."""
    return [
        func.coalesce(func.sum(WindowRow.vehicle_count), 0),
        func.coalesce(func.sum(WindowRow.position_count), 0),
        func.coalesce(func.sum(WindowRow.avg_speed_mph * WindowRow.position_count), 0.0),
        func.coalesce(func.sum(case((known(), 1), else_=0)), 0),
        func.coalesce(func.sum(case((known(), WindowRow.ratio), else_=0.0)), 0.0),
        func.coalesce(func.sum(case((WindowRow.level == Level.HIGH.value, 1), else_=0)), 0),
    ]


def window_figures(start: datetime, figures: Iterable[Any]) -> Row:
    """One window of one place, or of several, as a roll-up of itself; ``figures`` as in ``sums``."""
    vehicles, positions, speed_positions, count, ratio_sum, high = figures
    speed = speed_positions / positions if positions else None
    ratio, share = (ratio_sum / count, high / count) if count else (None, None)
    return {
        "start_utc": start,
        "windows": 1,
        "vehicle_count": int(vehicles),
        "position_count": int(positions),
        "speed_positions": float(speed_positions),
        "known": int(count),
        "ratio_sum": float(ratio_sum),
        "high": int(high),
        "least_speed_mph": speed,
        "most_speed_mph": speed,
        "least_ratio": ratio,
        "most_ratio": ratio,
        "least_share_high": share,
        "most_share_high": share,
        "forecasts": 0,
        "chance_high_sum": 0.0,
    }


def add(one: Row | None, other: Mapping[str, Any]) -> Row:
    """Two roll-ups of the same place as one; the start is the first's."""
    if one is None:
        return dict(other)
    total = dict(one)
    for name in SUMS_AND_CHANCE:
        total[name] = one[name] + other[name]
    for names, choose in ((LEAST, min), (MOST, max)):
        for name in names:
            values = [value for value in (one[name], other[name]) if value is not None]
            total[name] = choose(values) if values else None
    return total


def rolled_until(connection: Connection, period: timedelta) -> datetime | None:
    """End of the newest period that was summed; None before the first."""
    minutes = int(period.total_seconds()) // 60
    query = select(func.max(RollupRow.start_utc)).where(
        RollupRow.period_minutes == minutes, RollupRow.cell_id == WHOLE_CITY
    )
    newest = connection.execute(query).scalar()
    return newest + period if newest is not None else None


def rolled_from(connection: Connection, period: timedelta) -> datetime | None:
    """Start of the oldest period that is kept; None before the first."""
    minutes = int(period.total_seconds()) // 60
    query = select(func.min(RollupRow.start_utc)).where(
        RollupRow.period_minutes == minutes, RollupRow.cell_id == WHOLE_CITY
    )
    return connection.execute(query).scalar()


def roll_up(engine: Engine, window: timedelta, newest_event_utc: datetime, most: int = MOST_PERIODS) -> int:
    """Sum the quarters and hours that can change no more. Returns: how many. Killed and run again: the same rows."""
    done = 0
    for period, summed in ((QUARTER, _quarter), (HOUR, _hour)):
        until = floor(newest_event_utc - SETTLED, period)
        with engine.connect() as connection:
            start = rolled_until(connection, period) or _first(connection, period)
            if period is HOUR:
                # Hours are made of quarters: of those that are there, should catching up take several turns.
                until = min(until, floor(rolled_until(connection, QUARTER) or EPOCH, HOUR))
        while start is not None and start + period <= until and done < most:
            with engine.begin() as connection:
                rows = summed(connection, start, window)
                minutes = int(period.total_seconds()) // 60
                upsert(connection, RollupRow, [{**row, "period_minutes": minutes, "start_utc": start} for row in rows])
            done += 1
            start = start + period if rows else _next(engine, start + period, period)
    return done


def _first(connection: Connection, period: timedelta) -> datetime | None:
    oldest = connection.execute(select(func.min(WindowRow.window_start_utc))).scalar()
    return floor(oldest, period) if oldest is not None else None


def _next(engine: Engine, after: datetime, period: timedelta) -> datetime | None:
    """The next period that has a window: a feed may have been silent for months."""
    query = select(func.min(WindowRow.window_start_utc)).where(WindowRow.window_start_utc >= after)
    with engine.connect() as connection:
        oldest = connection.execute(query).scalar()
    return floor(oldest, period) if oldest is not None else None


def _quarter(connection: Connection, start: datetime, window: timedelta) -> list[Row]:
    within = (WindowRow.window_start_utc >= start, WindowRow.window_start_utc < start + QUARTER)
    places: dict[str, Row] = {}
    query = select(WindowRow.cell_id, WindowRow.window_start_utc, *sums()).where(*within)
    # A group of one row: the same sums as for the city, so that both agree.
    for cell_id, at, *figures in connection.execute(query.group_by(WindowRow.cell_id, WindowRow.window_start_utc)):
        places[cell_id] = add(places.get(cell_id), window_figures(at, figures))
    query = select(WindowRow.window_start_utc, *sums()).where(*within).group_by(WindowRow.window_start_utc)
    for at, *figures in connection.execute(query):
        places[WHOLE_CITY] = add(places.get(WHOLE_CITY), window_figures(at, figures))
    foretold = (
        select(WindowRow.cell_id, func.count(), func.sum(CHANCE_HIGH))
        .where(
            WindowRow.forecast_for_utc >= start + window,
            WindowRow.forecast_for_utc < start + QUARTER + window,
            WindowRow.forecast_level.is_not(None),
            known(),
        )
        .group_by(WindowRow.cell_id)
    )
    for cell_id, count, chances in connection.execute(foretold):
        for place in (cell_id, WHOLE_CITY):
            if place in places:
                places[place]["forecasts"] += count
                places[place]["chance_high_sum"] += float(chances)
    return [{"cell_id": place, **row} for place, row in places.items()]


def _hour(connection: Connection, start: datetime, _: timedelta) -> list[Row]:
    table = RollupRow.__table__
    query = select(table).where(
        table.c.period_minutes == 15, table.c.start_utc >= start, table.c.start_utc < start + HOUR
    )
    places: dict[str, Row] = {}
    for row in connection.execute(query).mappings():
        places[row["cell_id"]] = add(places.get(row["cell_id"]), dict(row))
    return list(places.values())


def prune_rollups(engine: Engine, newest_event_utc: datetime, hours_kept: timedelta) -> int:
    """Delete roll-ups that are too old. Returns: how many."""
    with engine.begin() as connection:
        return sum(
            connection.execute(
                delete(RollupRow).where(
                    RollupRow.period_minutes == int(period.total_seconds()) // 60,
                    RollupRow.start_utc < newest_event_utc - min(kept, hours_kept),
                )
            ).rowcount
            for period, kept in ((QUARTER, QUARTERS_KEPT), (HOUR, hours_kept))
        )
