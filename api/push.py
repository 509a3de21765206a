"""What is sent to WebSocket clients: built from the state about every ``push_seconds``, as JSON bytes, once for all."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from api.hub import Hub, Push
from api.places import Places
from api.state import Cell, CityState
from api.subscription import EVERYTHING, Subscription
from api.vehicles import VehicleMap
from smartcity.messages import SCHEMA_VERSION, CitySummary, MapVehicle

log = logging.getLogger(__name__)


def _encode(
    kind: str,
    sequence: int,
    cells: Iterable[Cell],
    vehicles: Iterable[MapVehicle],
    summary: bytes,
    **more: Any,
) -> bytes:
    """JSON of ``messages.Snapshot`` or ``messages.Update``; cells and summary are encoded already."""
    return orjson.dumps(
        {
            "type": kind,
            "schema_version": SCHEMA_VERSION,
            "sequence": sequence,
            "sent_utc": datetime.now(UTC),
            "cells": [orjson.Fragment(cell.json) for cell in cells],
            "vehicles": [vehicle.__dict__ for vehicle in vehicles],
            **more,
            "summary": orjson.Fragment(summary),
        },
        option=orjson.OPT_UTC_Z,
    )


#: A push takes the first batch of windows that comes in when this part of its interval is over. With two batches in an
#: interval that is the second one, wherever in its second each of them comes in.
EARLY = 0.75
#: A batch arrives in several pieces: where none has come for so long, all are there …
QUIET_SECONDS = 0.015
#: … and no longer than this is waited for them.
SETTLE_SECONDS = 0.1
#: How much longer than its interval, in parts of it, a push waits for the batch that is about to come.
PATIENCE = 0.5


class Pusher(threading.Thread):
    """Publishes an update about every ``seconds``, changed or not: the message is the heartbeat too.

    In step with the stream: with the batch of windows that comes in when most of ``seconds`` is over, or without one
    where none does. At a beat of its own, a push would find windows half a batch old on average; were it to wait for
    all of its interval, a batch that came a moment sooner would keep it waiting for the one after.

    Args:
        state: cells.
        vehicles: vehicles on the map.
        summarise: the KPI row as of now.
        seconds: interval.
        places: where each cell is, as known now.
        alerts: what was raised or cleared since the last call.

    """

    def __init__(
        self,
        state: CityState,
        vehicles: VehicleMap,
        summarise: Callable[[], CitySummary],
        seconds: float,
        places: Callable[[], Places],
        alerts: Callable[[], list[Mapping[str, Any]]] = list,
    ) -> None:
        super().__init__(name="pusher", daemon=True)
        self._state = state
        self._vehicles = vehicles
        self._summarise = summarise
        self._seconds = seconds
        self._places = places
        self._alerts = alerts
        self._ending = threading.Event()
        self._news = threading.Event()
        self._told: float | None = None
        #: Held while a push goes out, so that a Socket.IO client joins between two pushes, never within one.
        self.lock = threading.Lock()
        self.listeners: list[Callable[[Push], None]] = []
        self.hub = Hub(self._snapshot)

    def _snapshot(self, sequence: int, part: Subscription) -> bytes:
        _, cells = self._state.view()
        vehicles = self._vehicles.all()
        summary = self._summarise().model_dump_json().encode()
        if part.whole:
            return _encode("snapshot", sequence, cells.values(), vehicles, summary)
        places = self._places()
        chosen = [cell for name, cell in cells.items() if part.has_cell(name, places)]
        return _encode("snapshot", sequence, chosen, filter(part.has_vehicle, vehicles), summary)

    def _update(self, sequence: int) -> Push:
        cells = self._state.drain_cells()
        moved, gone = self._vehicles.drain()
        summary = self._summarise().model_dump_json().encode()
        alerts = self._alerts()
        places = self._places()

        def encode(part: Subscription) -> bytes:
            if part.whole:
                return _encode("update", sequence, cells, moved, summary, vehicles_gone=gone, alerts=alerts)
            chosen = [cell for cell in cells if part.has_cell(cell.window.cell_id, places)]
            inside = [vehicle for vehicle in moved if part.has_vehicle(vehicle)]
            # A vehicle that moved out of the box has gone from there; who never saw it ignores that.
            left = [] if part.bbox is None else [v.vehicle_id for v in moved if not part.has_vehicle(v)]
            away = [*gone, *left] if part.bbox is not None else []
            return _encode("update", sequence, chosen, inside, summary, vehicles_gone=away, alerts=alerts)

        return Push(sequence, "update", encode(EVERYTHING), encode)

    def push(self) -> None:
        """Publish one update now."""
        with self.lock:
            push = self.hub.publish(self._update)
            for listener in self.listeners:
                listener(push)

    def told(self) -> None:
        """Windows came in; from any thread."""
        self._told = time.monotonic()
        self._news.set()

    def run(self) -> None:
        """Push until stopped."""
        pushed = time.monotonic()
        while not self._ending.wait(max(0.0, pushed + EARLY * self._seconds - time.monotonic())):
            self._await_windows(pushed)
            pushed = time.monotonic()
            try:
                self.push()
            except Exception:
                log.exception("a push failed; the next one follows")

    def _await_windows(self, pushed: float) -> None:
        """Until windows are in for the push that follows the one at ``pushed``, or it can wait for them no longer."""
        self._news.clear()
        now, told = time.monotonic(), self._told
        if told is None or told - pushed < EARLY * self._seconds:
            is_running = told is not None and now - told <= 2 * self._seconds
            until = pushed + self._seconds * (1 + PATIENCE * is_running)
            if not self._news.wait(max(0.0, until - now)):
                return
        self._settle()

    def _settle(self) -> None:
        """Until the rest of the batch is in."""
        until = time.monotonic() + min(SETTLE_SECONDS, self._seconds / 4)
        while time.monotonic() < until:
            self._news.clear()
            if not self._news.wait(QUIET_SECONDS):
                return

    def stop(self) -> None:
        """Stop pushing."""
        self._ending.set()
        self._news.set()
        self.hub.closed = True
        if self.is_alive():
            self.join(3.0)
