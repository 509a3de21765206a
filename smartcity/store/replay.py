"""Control of the replay: producer, API and command line meet in one row; a restart of any of them changes nothing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, or_, select, update

from smartcity.errors import InputError, ServiceError
from smartcity.store.tables import ReplayRow
from smartcity.store.writer import upsert

NAME = "replay"
RUNNING, PAUSED, ENDED, NONE = "running", "paused", "ended", "none"
PAUSE, RESUME, SEEK, SPEED = "pause", "resume", "seek", "speed"
LEAST_SPEED, MOST_SPEED, MAX_SPEED = 0.1, 3600.0, math.inf
#: A replay that said nothing for this long does not run; it reports every second.
SILENT_AFTER = timedelta(seconds=15)
_TABLE = ReplayRow.__table__


@dataclass(frozen=True)
class Wish:
    """What is wished of the replay; ``speed`` None: as it was started."""

    number: int
    paused: bool
    speed: float | None
    seek_number: int
    seek_utc: datetime | None


def replay_row(engine: Engine) -> dict[str, Any] | None:
    """The replay as it last reported; None where there never was one."""
    with engine.connect() as connection:
        row = connection.execute(select(_TABLE).where(_TABLE.c.name == NAME)).mappings().first()
    return {str(name): value for name, value in row.items()} if row is not None else None


def state_of(row: Mapping[str, Any], now: datetime) -> str:
    """``running``, ``paused`` or ``ended``, as it said; ``none`` where it has not said anything of late."""
    if row["state"] != ENDED and now - row["updated_utc"] > SILENT_AFTER:
        return NONE
    return str(row["state"])


def wish_of(engine: Engine) -> Wish | None:
    """What is wished now; None where there is no row yet."""
    row = replay_row(engine)
    if row is None:
        return None
    return Wish(row["wish_number"], row["wish_paused"], row["wish_speed"], row["seek_number"], row["seek_utc"])


def begin(engine: Engine, wish: Wish, figures: Mapping[str, Any], keep: bool) -> Wish:
    """Enter a replay that starts. Returns: what is wished of it.

    ``keep``: it goes on with what it did before, so what was wished meanwhile holds; where there is no row, ``wish``
    does. Otherwise it is another replay: nothing that was wished of the last one is wished of it.
    """
    found = wish_of(engine)
    if keep and found is not None:
        report(engine, figures)
        return wish_of(engine) or found
    number, seek = (found.number, found.seek_number) if found else (wish.number, wish.seek_number)
    wished = Wish(number, keep and wish.paused, wish.speed if keep else None, seek, None)
    row = {
        "name": NAME,
        "wish_number": wished.number,
        "wish_paused": wished.paused,
        "seek_number": wished.seek_number,
        "seek_utc": None,
        **figures,
        "wish_speed": wished.speed,
        "done_number": wished.number,
    }
    with engine.begin() as connection:
        upsert(connection, ReplayRow, [row])
    return wished


def report(engine: Engine, figures: Mapping[str, Any]) -> None:
    """Write how the replay is getting on; the wishes stay as they are."""
    with engine.begin() as connection:
        connection.execute(update(ReplayRow).where(ReplayRow.name == NAME).values(**figures))


def ask(
    engine: Engine, action: str, zone: ZoneInfo, to: datetime | None = None, speed: float | None = None
) -> dict[str, Any]:
    """Wish something of the replay; the same wish again changes nothing. Returns: the replay as it was just before.

    Raises: ServiceError where no replay runs. InputError where it cannot do that.
    """
    row = replay_row(engine)
    if row is None or row["state"] == ENDED:
        raise ServiceError("no replay is running. Start one with: ./traffic replay")
    table = ReplayRow
    changed = update(table).where(table.name == NAME).values(wish_number=table.wish_number + 1)
    if action in (PAUSE, RESUME):
        statement = changed.where(table.wish_paused != (action == PAUSE)).values(wish_paused=action == PAUSE)
    elif action == SPEED:
        wanted = _speed(row, speed)
        differs = or_(table.wish_speed.is_(None), table.wish_speed != wanted)
        statement = changed.where(differs).values(wish_speed=wanted)
    elif action == SEEK:
        statement = changed.values(seek_utc=_moment(row, to, zone), seek_number=table.seek_number + 1)
    else:
        raise InputError(f"{action!r} is nothing a replay can do; say {PAUSE}, {RESUME}, {SEEK} or {SPEED}")
    with engine.begin() as connection:
        connection.execute(statement)
    return row


def _speed(row: Mapping[str, Any], speed: float | None) -> float:
    if speed is None or not (LEAST_SPEED <= speed <= MOST_SPEED or speed == MAX_SPEED):
        raise InputError(f"a speed is from {LEAST_SPEED:g} to {MOST_SPEED:g} times that of the clock, or max")
    if speed == MAX_SPEED and row["moved_to_now"]:
        raise InputError("a replay whose times are moved to now runs with the clock: max needs one as recorded")
    return speed


def _moment(row: Mapping[str, Any], to: datetime | None, zone: ZoneInfo) -> datetime:
    if to is None:
        raise InputError("a seek needs the recorded time to go to")
    if not row["from_utc"] <= to < row["to_utc"]:
        raise InputError(f"{to.isoformat()} is not in this replay, which is of {row['from_utc']} to {row['to_utc']}")
    if row["moved_to_now"] and (day := to.astimezone(zone).date().isoformat()) not in row["days"]:
        raise InputError(
            f"{to.isoformat()} is on {day}, which is not in this replay; its days: {', '.join(row['days'])}"
        )
    back = row["position_utc"] is not None and to < row["position_utc"]
    if back and not row["moved_to_now"] and not row["loop"]:
        raise InputError(
            f"{to.isoformat()} is before {row['position_utc'].isoformat()}, and times go out as recorded: the stream "
            "would drop all of them as late. Go back in a replay with --loop or --now, or start anew with --restart "
            "and rebuild the stream's windows (docs/runbook.md)"
        )
    return to.astimezone(UTC)
