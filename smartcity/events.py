"""The ``vehicle_positions`` event: its schema and its JSON codec (the contract of section 4 of the design).

Bounds that a position must keep stand here and are read by the stream's validation, the batch and the producer.
"""

from datetime import UTC, datetime

import orjson
from pydantic import BaseModel, ConfigDict, Field

#: Faster than this no road vehicle in a city is; the position is rejected.
MAX_SPEED_MPH = 120.0
#: Speeds are kept in steps of 1/100 mph, so that sums are exact integers in every engine and in any order.
SPEED_STEPS_PER_MPH = 100


class VehiclePosition(BaseModel):
    """One vehicle at one instant, as it travels through Kafka. Speed in mph, time in UTC. Extra fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    vehicle_id: str = Field(min_length=1, max_length=128)
    timestamp: datetime
    latitude: float = Field(ge=-90, le=90, allow_inf_nan=False)
    longitude: float = Field(ge=-180, le=180, allow_inf_nan=False)
    speed: float = Field(ge=0, le=MAX_SPEED_MPH, allow_inf_nan=False)
    trip_id: str | None = Field(default=None, max_length=128)


def encode(position: VehiclePosition) -> bytes:
    """JSON of one event, time as ``2025-12-06T10:46:30Z``."""
    return encode_fields(
        position.vehicle_id,
        position.timestamp,
        position.latitude,
        position.longitude,
        position.speed,
        position.trip_id,
    )


def encode_fields(
    vehicle_id: str, timestamp: datetime, latitude: float, longitude: float, speed: float, trip_id: str | None
) -> bytes:
    """As ``encode``, for callers that hold columns; nothing is validated (the stream validates what it reads)."""
    return orjson.dumps(
        {
            "vehicle_id": vehicle_id,
            "timestamp": timestamp.astimezone(UTC),
            "latitude": latitude,
            "longitude": longitude,
            "speed": speed,
            "trip_id": trip_id,
        },
        option=orjson.OPT_UTC_Z,
    )


def decode(payload: bytes) -> VehiclePosition:
    """The event in ``payload``. Raises: pydantic.ValidationError, naming each field that breaks its bound."""
    return VehiclePosition.model_validate_json(payload)
