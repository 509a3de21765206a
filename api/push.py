"""What is sent to WebSocket clients: built from the state every ``push_seconds``, as JSON bytes, once for all."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import orjson

from api.hub import Hub, Push
from api.state import CityState
from api.vehicles import VehicleMap
from smartcity.messages import SCHEMA_VERSION, CitySummary, MapVehicle

log = logging.getLogger(__name__)


def _vehicle(vehicle: MapVehicle) -> dict[str, object]:
    return vehicle.__dict__


def encode_snapshot(
    sequence: int, cells: Iterable[bytes], vehicles: Iterable[MapVehicle], summary: CitySummary
) -> bytes:
    """JSON of ``messages.Snapshot``; ``cells`` are encoded already."""
    return orjson.dumps(
        {
            "type": "snapshot",
            "schema_version": SCHEMA_VERSION,
            "sequence": sequence,
            "sent_utc": datetime.now(UTC),
            "cells": [orjson.Fragment(cell) for cell in cells],
            "vehicles": [_vehicle(vehicle) for vehicle in vehicles],
            "summary": orjson.Fragment(summary.model_dump_json()),
        },
        option=orjson.OPT_UTC_Z,
    )


def encode_update(
    sequence: int, cells: Iterable[bytes], moved: Iterable[MapVehicle], gone: list[str], summary: CitySummary
) -> bytes:
    """JSON of ``messages.Update``."""
    return orjson.dumps(
        {
            "type": "update",
            "schema_version": SCHEMA_VERSION,
            "sequence": sequence,
            "sent_utc": datetime.now(UTC),
            "cells": [orjson.Fragment(cell) for cell in cells],
            "vehicles": [_vehicle(vehicle) for vehicle in moved],
            "vehicles_gone": gone,
            "summary": orjson.Fragment(summary.model_dump_json()),
        },
        option=orjson.OPT_UTC_Z,
    )


class Pusher(threading.Thread):
    """Publishes an update every ``seconds``, changed or not: the message is the heartbeat too.

    Args:
        state: cells.
        vehicles: vehicles on the map.
        summarise: the KPI row as of now.
        seconds: interval.

    """

    def __init__(
        self, state: CityState, vehicles: VehicleMap, summarise: Callable[[], CitySummary], seconds: float
    ) -> None:
        super().__init__(name="pusher", daemon=True)
        self._state = state
        self._vehicles = vehicles
        self._summarise = summarise
        self._seconds = seconds
        self._ending = threading.Event()
        #: Held while a push goes out, so that a Socket.IO client joins between two pushes, never within one.
        self.lock = threading.Lock()
        self.listeners: list[Callable[[Push], None]] = []
        self.hub = Hub(self._snapshot)

    def _snapshot(self, sequence: int) -> bytes:
        _, cells = self._state.view()
        return encode_snapshot(
            sequence, [cell.json for cell in cells.values()], self._vehicles.all(), self._summarise()
        )

    def _update(self, sequence: int) -> bytes:
        cells = self._state.drain()
        moved, gone = self._vehicles.drain()
        return encode_update(sequence, cells, moved, gone, self._summarise())

    def push(self) -> None:
        """Publish one update now."""
        with self.lock:
            push = self.hub.publish("update", self._update)
            for listener in self.listeners:
                listener(push)

    def run(self) -> None:
        """Push until stopped, at a steady beat."""
        due = time.monotonic() + self._seconds
        while not self._ending.wait(max(0.0, due - time.monotonic())):
            try:
                self.push()
            except Exception:
                log.exception("a push failed; the next one follows")
            due = max(due + self._seconds, time.monotonic())

    def stop(self) -> None:
        """Stop pushing and let the clients go."""
        self._ending.set()
        self.hub.close()
        if self.is_alive():
            self.join(3.0)
