"""Alert rules at work: when one is raised, when it is over, and what is then said."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy import exists as sql_exists

from api.places import Places
from api.state import CityState
from api.subscription import Subscription
from smartcity.city import Bounds
from smartcity.levels import Level
from smartcity.messages import AlertMessage, ScoredWindow
from smartcity.store.tables import AlertRow, AlertRule, DeliveryRow

#: From good to bad.
ORDER = (Level.LOW, Level.MEDIUM, Level.HIGH)
#: Cells that an alert names at most; the share says the rest.
MOST_NAMED = 100


@dataclass(frozen=True)
class Seen:
    """What a rule sees: the share of its known cells at its level or worse, and which they are."""

    share: float
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Watch:
    """A rule over time: since when its condition holds, or since when it no longer does; and whether it is raised."""

    raised: bool = False
    since: datetime | None = None


def look(rule: AlertRule, windows: Sequence[ScoredWindow], places: Places) -> Seen | None:
    """What a rule sees; None where nothing is known of its place: an alert neither begins nor ends on ignorance."""
    part = Subscription(
        Bounds(west=rule.bbox[0], south=rule.bbox[1], east=rule.bbox[2], north=rule.bbox[3]) if rule.bbox else None,
        frozenset(rule.cells) if rule.cells else None,
    )
    levels = {}
    for window in windows:
        level = window.level if rule.looks_at == "now" else window.forecast.level if window.forecast else Level.UNKNOWN
        if level is not Level.UNKNOWN and part.has_cell(window.cell_id, places):
            levels[window.cell_id] = level
    if not levels:
        return None
    least = ORDER.index(Level(rule.level))
    bad = tuple(sorted(name for name, level in levels.items() if ORDER.index(level) >= least))
    return Seen(len(bad) / len(levels), bad)


def step(rule: AlertRule, watch: Watch, seen: Seen | None, now: datetime) -> Watch:
    """The watch after a look at ``now``, in the time of the data.

    Hysteresis twice: raised at ``min_share`` held for ``min_minutes``, over below ``clear_share`` for
    ``clear_minutes``. Between the two shares it stays what it is.
    """
    if seen is None:
        return watch
    if watch.since is not None and now < watch.since:
        # The feed was started again on an earlier date: durations of another day mean nothing.
        watch = Watch(watch.raised)
    turning = seen.share < rule.clear_share if watch.raised else seen.share >= rule.min_share
    if not turning:
        return Watch(watch.raised)
    since = watch.since or now
    held = timedelta(minutes=rule.clear_minutes if watch.raised else rule.min_minutes)
    return Watch(not watch.raised) if now - since >= held else Watch(watch.raised, since)


class Alerts:
    """Judges every rule when the city changed; keeps alerts in the database and what is to be said on the stream."""

    def __init__(self, engine: Engine, state: CityState, places: Callable[[], Places]) -> None:
        self._engine = engine
        self._state = state
        self._places = places
        self._watches: dict[str, Watch] = {}
        self._lock = threading.Lock()
        self._said: list[Mapping[str, Any]] = []
        self._judged: int | None = None
        self.active = 0

    def drain(self) -> list[Mapping[str, Any]]:
        """Messages since the last call, for the next push."""
        with self._lock:
            said, self._said = self._said, []
        return said

    def judge(self) -> int:
        """Look at every rule, if the city changed. Returns: how many were raised or cleared."""
        version, cells = self._state.view()
        now = max((cell.window.window_end_utc for cell in cells.values()), default=None)
        if now is None or version == self._judged:
            return 0
        windows = [cell.window for cell in cells.values()]
        places, turned = self._places(), 0
        with self._engine.connect() as connection:
            rules = list(connection.execute(select(AlertRule.__table__)).mappings())
            open_alerts = self._open(connection)
        self.active = len(open_alerts)
        for values in rules:
            rule = AlertRule(**values)
            before = self._watches.get(rule.id, Watch(rule.id in open_alerts))
            seen = look(rule, windows, places)
            after = step(rule, before, seen, now)
            self._watches[rule.id] = after
            if seen is not None and after.raised is not before.raised:
                self._turn(rule, after.raised, seen, now, open_alerts.get(rule.id))
                turned += 1
        self._watches = {rule["id"]: self._watches[rule["id"]] for rule in rules}
        self._judged = version
        return turned

    @staticmethod
    def _open(connection: Connection) -> dict[str, Mapping[str, Any]]:
        query = select(AlertRow.__table__).where(AlertRow.cleared_utc.is_(None)).order_by(AlertRow.raised_utc)
        return {row["rule_id"]: dict(row) for row in connection.execute(query).mappings()}

    def _turn(self, rule: AlertRule, raised: bool, seen: Seen, now: datetime, before: Mapping[str, Any] | None) -> None:
        alert = dict(before or {})
        if raised or not alert:
            alert = {
                "id": f"{rule.id}-{int(now.timestamp())}",
                "rule_id": rule.id,
                "rule_name": rule.name,
                "raised_utc": now,
                "cleared_utc": None if raised else now,
                "share": round(seen.share, 4),
                "cells": list(seen.cells[:MOST_NAMED]),
            }
        else:
            alert["cleared_utc"] = now
        message = message_of(alert, rule, round(seen.share, 4), now)
        with self._engine.begin() as connection:
            if not connection.execute(select(sql_exists().where(AlertRule.id == rule.id))).scalar():
                return
            connection.execute(delete(AlertRow).where(AlertRow.id == alert["id"]))
            connection.execute(insert(AlertRow), [alert])
            if rule.webhook_url:
                queue_delivery(connection, rule.id, rule.webhook_url, message)
        with self._lock:
            self._said.append(message.model_dump())


def message_of(alert: Mapping[str, Any], rule: AlertRule, share: float, now: datetime) -> AlertMessage:
    """What is said when an alert was raised or cleared."""
    return AlertMessage(
        alert_id=alert["id"],
        rule_id=rule.id,
        rule_name=rule.name,
        event="raised" if alert["cleared_utc"] is None else "cleared",
        looks_at=rule.looks_at,  # type: ignore[arg-type]
        level=Level(rule.level),
        share=share,
        cells=alert["cells"],
        data_time_utc=now,
        raised_utc=alert["raised_utc"],
        cleared_utc=alert["cleared_utc"],
    )


def queue_delivery(connection: Connection, rule_id: str, url: str, message: AlertMessage) -> None:
    """Put a webhook into the queue, in the transaction of what it tells; the same message once."""
    name = f"{message.alert_id}-{message.event}"
    connection.execute(delete(DeliveryRow).where(DeliveryRow.id == name))
    body = orjson.dumps(message.model_dump(mode="json")).decode()
    row = {
        "id": name,
        "rule_id": rule_id,
        "url": url,
        "body": body,
        "attempts": 0,
        # At once: data may be replayed from any date, so the time of the data is no time to send at.
        "due_utc": datetime.now(UTC),
        "delivered_utc": None,
        "given_up": False,
        "last_error": None,
    }
    connection.execute(insert(DeliveryRow), [row])


def forget(connection: Connection, rule_id: str) -> bool:
    """Delete a rule, its alerts and what waits to be sent. Returns: whether it was there."""
    found = connection.execute(delete(AlertRule).where(AlertRule.id == rule_id)).rowcount > 0
    connection.execute(delete(AlertRow).where(AlertRow.rule_id == rule_id))
    connection.execute(
        update(DeliveryRow)
        .where(DeliveryRow.rule_id == rule_id, DeliveryRow.delivered_utc.is_(None))
        .values(given_up=True, due_utc=None)
    )
    return found
