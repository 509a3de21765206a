"""The events that the scenarios send: always the same for the same numbers, and the poison that is mixed in."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from smartcity import columns
from smartcity.city import City
from smartcity.events import encode_fields
from smartcity.grid import CellGrid

START = datetime(2024, 3, 4, 12, 0, tzinfo=UTC)
#: Events per second of event time: so few that a recovery is short against the lateness that the stream allows.
DENSITY = 100
VEHICLES = 5_000
Message = tuple[bytes, bytes]


def positions(count: int, city: City, seed: int = 7) -> pa.Table:
    """``count`` positions in the order of their time, no two of a vehicle at one moment; ``columns.POSITIONS``."""
    chance = np.random.default_rng(seed)
    micros = int(START.timestamp() * 1e6) + np.arange(count, dtype=np.int64) * (1_000_000 // DENSITY)
    latitude, longitude = chance.uniform(40.70, 40.78, count), chance.uniform(-74.01, -73.93, count)
    names = pa.array([f"v{number}" for number in range(VEHICLES)])
    vehicles = names.take(pa.array(chance.integers(0, VEHICLES, count)))
    rows = {
        "vehicle_id": vehicles,
        "trip_id": vehicles,
        "timestamp_utc": pa.array(micros, pa.timestamp("us", "UTC")),
        "latitude": pa.array(latitude),
        "longitude": pa.array(longitude),
        "speed_mph": pa.array(chance.integers(0, 6_000, count) / 100),
        "cell_id": CellGrid.of(city).cells(latitude, longitude),
        "date": pa.array([START.date()] * count, pa.date32()),
    }
    fields = columns.POSITIONS
    return pa.table({name: rows[name].cast(fields.field(name).type) for name in fields.names}, fields)


def messages(events: pa.Table) -> list[Message]:
    """The events as they go into Kafka."""
    names = ("vehicle_id", "timestamp_utc", "latitude", "longitude", "speed_mph")
    rows = zip(*(events[name].to_pylist() for name in names), strict=True)
    return [(row[0].encode(), encode_fields(*row, None)) for row in rows]


def shuffled(sent: list[Message], share: float, seconds: float, seed: int = 7) -> list[Message]:
    """The same messages, a ``share`` of them late by up to ``seconds`` of event time."""
    chance = np.random.default_rng(seed)
    late = (chance.random(len(sent)) < share) * chance.uniform(0, seconds * DENSITY, len(sent))
    return [sent[index] for index in np.argsort(np.arange(len(sent)) + late, kind="stable")]


def poison() -> list[tuple[bytes, str]]:
    """Values of every kind that breaks a rule, and that rule."""
    good = json.loads(encode_fields("poison", START, 40.72, -73.99, 10.0, None))

    def but(**changed: object) -> bytes:
        return json.dumps({**good, **changed}).encode()

    return [
        (b"", "empty"),
        (b"\xff\xfe\x00", "not_utf8"),
        (b"speed=17", "not_json"),
        (json.dumps(good)[:50].encode(), "not_json"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "not_json"),
        (but(speed="fast"), "wrong_type"),
        (but(latitude=None), "missing_field"),
        (json.dumps({**good, "speed": float("nan")}).encode(), "not_json"),
        (but(speed=1e300), "bad_speed"),
        (but(vehicle_id="x" * 900_000), "bad_id"),
        (but(timestamp="9999-12-31T23:59:59Z"), "from_the_future"),
        (but(longitude=0), "outside_city"),
    ]


def mixed(sent: list[Message], share: float) -> tuple[list[Message], list[str]]:
    """``sent`` with poison put in evenly, a ``share`` of all. Returns: all messages, and the rules that are broken."""
    kinds, every = poison(), round(1 / share)
    found: list[Message] = []
    broken: list[str] = []
    for number, message in enumerate(sent):
        found.append(message)
        if number % every == 0:
            value, reason = kinds[len(broken) % len(kinds)]
            found.append((b"poison", value))
            broken.append(reason)
    return found, broken


def from_tomorrow() -> Message:
    """One event dated a day ahead; were it believed, the watermark would drop all others."""
    return b"ahead", encode_fields("ahead", datetime.now(UTC) + timedelta(days=1), 40.72, -73.99, 10.0, None)
