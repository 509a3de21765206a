"""The ``vehicle_positions`` event: its schema and its JSON codec (the contract of section 4 of the design).

Bounds that a position must keep stand here and are read by the stream's validation, the batch and the producer.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pa_json
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from smartcity.columns import UTC_TIMESTAMP

#: Faster than this no road vehicle in a city is; the position is rejected.
MAX_SPEED_MPH = 120.0
#: Speeds are kept in steps of 1/100 mph, so that sums are exact integers in every engine and in any order.
SPEED_STEPS_PER_MPH = 100
#: An id is a JSON string or number, taken as its text: 1 to 128 characters, none of them a bracket, brace, quotation
#: mark, backslash or control character (so that no nested value passes for an id). Unanchored: match the whole.
ID_PATTERN = r'[^{}\[\]"\\\x00-\x1f\x7f]{1,128}'
#: RFC 3339 with its offset; a time without one would be somebody's local time. Unanchored as well.
TIMESTAMP_PATTERN = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])"
)
#: No recorded feed is older; an event dated before it has a broken clock.
EARLIEST_UTC = datetime(2000, 1, 1, tzinfo=UTC)


def _scalar_text(value: Any) -> Any:
    """A JSON number or boolean as its text; feeds that number their vehicles are common."""
    return orjson.dumps(value).decode() if isinstance(value, int | float) else value


def _is_rfc_3339(value: Any) -> Any:
    """Keep numbers and loose spellings out; which of seconds and milliseconds a number means would be a guess."""
    if not isinstance(value, datetime) and not (isinstance(value, str) and re.fullmatch(TIMESTAMP_PATTERN, value)):
        raise ValueError("a time as 2025-12-06T10:46:30Z is needed")
    return value


Id = Annotated[str, Field(pattern=f"^{ID_PATTERN}$"), BeforeValidator(_scalar_text)]


class VehiclePosition(BaseModel):
    """One vehicle at one instant, as it travels through Kafka. Speed in mph, time in UTC. Extra fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    vehicle_id: Id
    timestamp: Annotated[AwareDatetime, BeforeValidator(_is_rfc_3339)]
    latitude: float = Field(ge=-90, le=90, allow_inf_nan=False, strict=True)
    longitude: float = Field(ge=-180, le=180, allow_inf_nan=False, strict=True)
    speed: float = Field(ge=0, le=MAX_SPEED_MPH, allow_inf_nan=False, strict=True)
    trip_id: Id | None = None


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
    return _json(vehicle_id, timestamp.astimezone(UTC), latitude, longitude, speed, trip_id)


def encode_columns(
    vehicle_ids: Sequence[str],
    times_us: npt.NDArray[np.int64],
    latitudes: Sequence[float],
    longitudes: Sequence[float],
    speeds: Sequence[float],
    trip_ids: Sequence[str | None],
) -> list[bytes]:
    """As ``encode_fields`` for many events at once, in half the time; times in microseconds since the epoch."""
    moments = times_us.astype("datetime64[us]").tolist()
    return list(map(_json, vehicle_ids, moments, latitudes, longitudes, speeds, trip_ids))


def _json(
    vehicle_id: str, utc: datetime, latitude: float, longitude: float, speed: float, trip_id: str | None
) -> bytes:
    return orjson.dumps(
        {
            "vehicle_id": vehicle_id,
            "timestamp": utc,
            "latitude": latitude,
            "longitude": longitude,
            "speed": speed,
            "trip_id": trip_id,
        },
        option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC,
    )


def decode(payload: bytes) -> VehiclePosition:
    """The event in ``payload``. Raises: pydantic.ValidationError, naming each field that breaks its bound."""
    return VehiclePosition.model_validate_json(payload)


_TEXT = pa.schema(
    [
        ("vehicle_id", pa.string()),
        ("trip_id", pa.string()),
        ("timestamp", pa.string()),
        ("latitude", pa.float64()),
        ("longitude", pa.float64()),
        ("speed", pa.float64()),
    ]
)
_BY_SCHEMA = pa_json.ParseOptions(explicit_schema=_TEXT, unexpected_field_behavior="ignore")
_ONE_THREAD = pa_json.ReadOptions(use_threads=False)


def decode_columns(values: pa.ChunkedArray) -> pa.Table:
    """Many events that are known to be good, without the rules that judge them.

    Args: values: JSON as bytes. Returns: vehicle_id, trip_id, timestamp_utc, latitude, longitude, speed_mph, a row for
    each value. Raises: ValueError where one is written in a way that this reader does not take (a number for an id,
    nanoseconds, a line break): such are read by the rules themselves.
    """
    lines = b"\n".join(values.to_pylist())
    if not lines:
        return _columns(_TEXT.empty_table())
    try:
        read = _columns(pa_json.read_json(pa.BufferReader(lines), _ONE_THREAD, _BY_SCHEMA))
    except pa.ArrowException as error:
        raise ValueError(f"an event is not plain: {error}") from error
    # One line for each value, one event for each line: else an event stood on two of them, or two on one.
    if not len(read) == len(values) == lines.count(b"\n") + 1:
        raise ValueError(f"{len(values)} values hold {len(read)} events in {lines.count(10) + 1} lines")
    return read


def _columns(read: pa.Table) -> pa.Table:
    """The columns as a position has them: times as instants, speeds in whole steps."""
    steps = pc.round(pc.multiply(read.column("speed"), float(SPEED_STEPS_PER_MPH)), 0, "half_up")
    columns = {
        "vehicle_id": read.column("vehicle_id"),
        "trip_id": read.column("trip_id"),
        "timestamp_utc": read.column("timestamp").cast(UTC_TIMESTAMP),
        "latitude": read.column("latitude"),
        "longitude": read.column("longitude"),
        "speed_mph": pc.divide(steps, float(SPEED_STEPS_PER_MPH)),
    }
    return pa.table(columns)
