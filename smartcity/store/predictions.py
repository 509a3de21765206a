"""What the stream has foretold, as its gate looks at it: columns, counts over time, and rows."""

from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
from sqlalchemy import Engine, func, inspect, select
from sqlalchemy.types import TypeEngine

from smartcity.levels import Level
from smartcity.store.tables import WindowRow

_TABLE = WindowRow.__table__
#: Databases call one kind of number differently.
_KINDS = {"Float": "number", "Numeric": "number", "Double": "number"}


class Counts(NamedTuple):
    """Of some time: windows, those whose level is known, of these with a forecast, and at level ``high``."""

    windows: int
    known: int
    foretold: int
    high_now: int
    high_foretold: int


def time_span(engine: Engine) -> tuple[datetime, datetime, datetime] | None:
    """Start of the oldest and of the newest window, and when one was written last; None before the first."""
    query = select(func.min(_TABLE.c.window_start_utc), func.max(_TABLE.c.window_start_utc))
    with engine.connect() as connection:
        oldest, newest = connection.execute(query).one()
        if newest is None:
            return None
        # Of the newest windows: a look at all would read the table.
        recent = select(func.max(_TABLE.c.updated_utc)).where(_TABLE.c.window_start_utc == newest)
        return oldest, newest, connection.execute(recent).scalar_one()


def columns(engine: Engine) -> list[tuple[str, str, str | None]]:
    """Each column of the contract: its name, its kind, and the kind that the database has; None where it has none."""
    found = {column["name"]: column["type"] for column in inspect(engine).get_columns(WindowRow.__tablename__)}
    return [(c.name, _kind(c.type), _kind(found[c.name]) if c.name in found else None) for c in _TABLE.columns]


def _kind(kind: TypeEngine[object]) -> str:
    name = kind._type_affinity.__name__ if kind._type_affinity else type(kind).__name__
    return _KINDS.get(name, name.lower())


def counts(engine: Engine, since: datetime, until: datetime) -> dict[datetime, Counts]:
    """Of windows that start after ``since`` and by ``until``, by their start, in one look at the table."""
    start, level, foretold = _TABLE.c.window_start_utc, _TABLE.c.level, _TABLE.c.forecast_level
    known = level != Level.UNKNOWN.value
    query = (
        select(
            start,
            func.count(),
            func.count().filter(known),
            func.count().filter(known, foretold.is_not(None)),
            func.count().filter(level == Level.HIGH.value),
            func.count().filter(known, foretold == Level.HIGH.value),
        )
        .where(start > since, start <= until)
        .group_by(start)
    )
    with engine.connect() as connection:
        return {row[0]: Counts(*row[1:]) for row in connection.execute(query)}


def versions(engine: Engine, since: datetime, until: datetime) -> set[str]:
    """Versions of the model that foretold anything in a stretch of time."""
    version, start = _TABLE.c.model_version, _TABLE.c.window_start_utc
    query = select(version).distinct().where(start > since, start <= until, version.is_not(None))
    with engine.connect() as connection:
        return set(connection.execute(query).scalars())


def rows(engine: Engine, since: datetime, until: datetime) -> pa.Table:
    """Windows that start after ``since`` and by ``until``, all columns."""
    start = _TABLE.c.window_start_utc
    query = select(_TABLE).where(start > since, start <= until).order_by(start, _TABLE.c.cell_id)
    with engine.connect() as connection:
        return pa.Table.from_pylist([dict(row) for row in connection.execute(query).mappings()])
