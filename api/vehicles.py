"""Vehicles on the map: where each was last seen, which way it goes, thinned fairly when there are too many."""

import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from math import atan2, cos, degrees, hypot, radians, sin

from pydantic import ValidationError

from smartcity.events import VehiclePosition, decode
from smartcity.messages import MapVehicle

#: A vehicle not seen for this long, in event time, leaves the map.
GONE_AFTER = timedelta(minutes=3)
#: A batch whose newest event is this much older than the newest ever means a feed started again on an earlier date.
FEED_RESTARTED = timedelta(hours=1)
#: Shorter moves (about 5 m) say more about the receiver's noise than about the direction.
LEAST_MOVE_DEGREES = 5e-5
HASH_RANGE = 2**32


def _hash(key: bytes) -> int:
    """Even over keys that differ in a digit only, which a checksum (CRC) is not."""
    return int.from_bytes(blake2b(key, digest_size=4).digest(), "big")


def heading_degrees(from_latitude: float, from_longitude: float, latitude: float, longitude: float) -> float | None:
    """Initial bearing between two points, clockwise from north in [0, 360); None where they are (nearly) the same."""
    phi_1, phi_2, turn = radians(from_latitude), radians(latitude), radians(longitude - from_longitude)
    if hypot(latitude - from_latitude, (longitude - from_longitude) * cos(phi_2)) < LEAST_MOVE_DEGREES:
        return None
    east = sin(turn) * cos(phi_2)
    north = cos(phi_1) * sin(phi_2) - sin(phi_1) * cos(phi_2) * cos(turn)
    return round(degrees(atan2(east, north)) % 360, 1) % 360


class VehicleMap:
    """Latest position per vehicle, at most about ``limit`` of them; safe to use from several threads.

    Thinning keeps the vehicles whose key hashes below a threshold: the same ones each time, whatever they send, and
    the rest is never parsed.
    """

    def __init__(self, limit: int, future_tolerance: timedelta) -> None:
        self._limit = limit
        self._future_tolerance = future_tolerance
        self._lock = threading.Lock()
        self._vehicles: dict[str, MapVehicle] = {}
        self._moved: set[str] = set()
        self._gone: set[str] = set()
        self._newest: datetime | None = None
        self._threshold = HASH_RANGE
        self.rejected = 0

    def apply(self, messages: Iterable[tuple[bytes | None, bytes | None]]) -> None:
        """Take in (key, value) pairs as Kafka gave them; what breaks the contract is counted in ``rejected``."""
        if self._limit == 0:
            return
        newest_by_key: dict[bytes, bytes] = {}
        for key, value in messages:
            if value is None or not key:
                self.rejected += 1
            elif _hash(key) < self._threshold:
                newest_by_key[key] = value
        latest_allowed = datetime.now(UTC) + self._future_tolerance
        positions = []
        for value in newest_by_key.values():
            try:
                position = decode(value)
                if position.timestamp.astimezone(UTC) > latest_allowed:
                    raise ValueError("from the future")
                positions.append(position)
            except (ValidationError, ValueError, OverflowError):
                self.rejected += 1
        if positions:
            with self._lock:
                self._take(positions)

    def _take(self, positions: list[VehiclePosition]) -> None:
        newest = max(position.timestamp for position in positions)
        if self._newest is not None and newest < self._newest - FEED_RESTARTED:
            self._remove(list(self._vehicles))
            self._newest = newest
        self._newest = newest if self._newest is None else max(newest, self._newest)
        for position in positions:
            self._place(position)
        self._remove([key for key, seen in self._vehicles.items() if seen.timestamp_utc < self._newest - GONE_AFTER])
        self._thin()

    def _place(self, position: VehiclePosition) -> None:
        before = self._vehicles.get(position.vehicle_id)
        if before is not None and position.timestamp < before.timestamp_utc:
            return
        heading = None
        if before is not None:
            heading = heading_degrees(before.latitude, before.longitude, position.latitude, position.longitude)
            heading = before.heading_degrees if heading is None else heading
        self._vehicles[position.vehicle_id] = MapVehicle.model_construct(
            vehicle_id=position.vehicle_id,
            timestamp_utc=position.timestamp.astimezone(UTC),
            latitude=position.latitude,
            longitude=position.longitude,
            speed_mph=position.speed,
            heading_degrees=heading,
        )
        self._moved.add(position.vehicle_id)
        self._gone.discard(position.vehicle_id)

    def _thin(self) -> None:
        count = len(self._vehicles)
        if count > self._limit:
            self._threshold = int(self._threshold * self._limit / count)
            over = [key for key in self._vehicles if _hash(key.encode()) >= self._threshold]
            self._remove(over)
        elif self._threshold < HASH_RANGE and count < self._limit // 2:
            self._threshold = min(HASH_RANGE, int(self._threshold * 1.25) + 1)

    def _remove(self, vehicle_ids: list[str]) -> None:
        for vehicle_id in vehicle_ids:
            del self._vehicles[vehicle_id]
        self._gone.update(vehicle_ids)
        self._moved.difference_update(vehicle_ids)

    @property
    def estimated_count(self) -> int:
        """Vehicles seen in the last minutes, those thinned away included (estimated from the share kept)."""
        with self._lock:
            return round(len(self._vehicles) * HASH_RANGE / self._threshold) if self._threshold else 0

    def all(self) -> list[MapVehicle]:
        """Every vehicle on the map."""
        with self._lock:
            return list(self._vehicles.values())

    def drain(self) -> tuple[list[MapVehicle], list[str]]:
        """(vehicles that moved, ids that left the map) since the last call."""
        with self._lock:
            moved = [self._vehicles[key] for key in self._moved]
            gone = sorted(self._gone)
            self._moved.clear()
            self._gone.clear()
        return moved, gone
