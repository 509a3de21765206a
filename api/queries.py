"""Questions to the REST endpoints: validated, and described in the OpenAPI document, by these models."""

import math
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from smartcity.city import Bounds
from smartcity.levels import Level

MOST_CELLS = 10_000
#: A series longer than this is refused: no chart draws it, and it would be a heavy query.
MOST_POINTS = 5_000
#: Earlier and later moments are nobody's data, and sums with them leave what a datetime can hold.
FIRST_MOMENT, LAST_MOMENT = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
IN_BOX = "Only cells whose centre is in this box: west,south,east,north in degrees."
NO_NUL = r"^[^\x00]*$"


def _bounds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    parts = value.split(",")
    if len(parts) != 4:
        raise ValueError("four numbers are needed: west,south,east,north in degrees")
    west, south, east, north = (float(part) for part in parts)
    if not all(math.isfinite(number) for number in (west, south, east, north)):
        raise ValueError("west,south,east,north must be finite numbers")
    return Bounds(west=west, south=south, east=east, north=north)


def _cells(value: Any) -> Any:
    return [cell for cell in value.split(",") if cell] if isinstance(value, str) else value


def _in_our_time(value: datetime) -> datetime:
    if not FIRST_MOMENT <= value <= LAST_MOMENT:
        raise ValueError("a moment from 2000 to 2100 is needed")
    return value.astimezone(UTC)


class Format(StrEnum):
    """How an answer is written."""

    JSON = "json"
    GEOJSON = "geojson"
    CSV = "csv"


class Aggregation(StrEnum):
    """What becomes of the windows of a step."""

    MEAN = "mean"
    MIN = "min"
    MAX = "max"


BoundingBox = Annotated[
    Bounds,
    BeforeValidator(_bounds),
    WithJsonSchema(
        {"type": "string", "pattern": r"^[^,]+,[^,]+,[^,]+,[^,]+$", "examples": ["-74.02,40.70,-73.95,40.80"]}
    ),
]
CellId = Annotated[str, Field(min_length=1, max_length=64, pattern=NO_NUL)]
CellIds = Annotated[
    frozenset[CellId],
    BeforeValidator(_cells),
    Field(max_length=MOST_CELLS),
    WithJsonSchema({"type": "string", "examples": ["882a100d65fffff,882a1008cbfffff"]}),
]
Moment = Annotated[AwareDatetime, AfterValidator(_in_our_time)]
#: Where a page of hotspots ended: the ratio, vehicles and id of its last one, which is how they are ordered.
Worst = tuple[float, int, str]


def _worst(value: Any) -> Any:
    try:
        ratio, vehicles, cell_id = value.split(",", 2)
        found = float(ratio), int(vehicles), cell_id
    except (AttributeError, ValueError):
        raise ValueError("give back `next_cursor` of the page before as it was") from None
    if not math.isfinite(found[0]) or not 1 <= len(cell_id) <= 64:
        raise ValueError("give back `next_cursor` of the page before as it was")
    return found


WorstCursor = Annotated[
    Worst,
    BeforeValidator(_worst),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[0-9]\.[0-9]{1,6},[0-9]{1,6},[0-9a-z]{1,64}$",
            "examples": ["0.31,12,882a100d65fffff"],
        }
    ),
]
Cursor = Annotated[str, Field(min_length=1, max_length=64, pattern=NO_NUL)]


class Query(BaseModel):
    """Base of all queries: a parameter that does not exist is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)


class Formatted(Query):
    """An answer that can be had in several forms."""

    format: Format | None = Field(
        default=None, description="How to write the answer; by default what `Accept` asks for, else JSON."
    )


class AtQuery(Query):
    """A moment of the past."""

    at: Moment | None = Field(
        default=None,
        description="A past moment, with its zone: what was known and foretold then, and what then happened. "
        "By default now.",
        examples=["2025-12-06T10:00:00Z"],
    )


class PlaceFilter(Query):
    """Which cells."""

    bbox: BoundingBox | None = Field(default=None, description=IN_BOX)
    cells: CellIds | None = Field(default=None, description="Only these cells, separated by commas.")
    min_vehicles: int = Field(
        default=0, ge=0, le=1_000_000, description="Only cells with so many vehicles in the window."
    )


class CellFilter(PlaceFilter, AtQuery, Formatted):
    """Which cells, and how many at once."""

    limit: int = Field(default=MOST_CELLS, ge=1, le=MOST_CELLS, description="At most this many.")
    cursor: Cursor | None = Field(default=None, description="`next_cursor` of the page before.")


class CurrentTrafficQuery(CellFilter):
    """Filters of /api/current-traffic."""

    level: Level | None = Field(default=None, description="Only cells at this level.", examples=["high"])


class PredictionsQuery(CellFilter):
    """Filters of /api/predictions."""

    level: Level | None = Field(default=None, description="Only cells forecast to be at this level.", examples=["high"])


class HotspotsQuery(PlaceFilter, AtQuery, Formatted):
    """Filters of /api/hotspots."""

    limit: int = Field(default=10, ge=1, le=500, description="At most this many.")
    level: Level | None = Field(default=None, description="Only cells at this level.", examples=["high"])
    cursor: WorstCursor | None = Field(default=None, description="`next_cursor` of the page before.")


class HistoricalQuery(Formatted):
    """Time range, step and place of /api/historical."""

    from_utc: Moment | None = Field(
        default=None,
        alias="from",
        description="First moment, with its zone; by default 6 hours before the end.",
        examples=["2025-12-06T10:00:00Z"],
    )
    to_utc: Moment | None = Field(
        default=None, alias="to", description="End, not included; by default all there is, forecasts ahead included."
    )
    step_minutes: int | None = Field(
        default=None, ge=1, le=24 * 60, description="Length of a step; by default such that there are at most 360."
    )
    aggregation: Aggregation = Field(
        default=Aggregation.MEAN,
        description="Of the windows of a step: their mean, or the lowest or highest speed, ratio and share.",
    )
    cell_id: CellId | None = Field(default=None, description="One cell; without it the whole city.")
    bbox: BoundingBox | None = Field(default=None, description=IN_BOX)
    cells: CellIds | None = Field(default=None, description="Only these cells, separated by commas.")
    min_vehicles: int = Field(default=0, ge=0, le=1_000_000, description="Only windows with so many vehicles.")
    limit: int = Field(default=MOST_POINTS, ge=1, le=MOST_POINTS, description="At most this many steps.")
    cursor: Moment | None = Field(default=None, description="`next_cursor` of the page before.")

    @model_validator(mode="after")
    def _is_a_range(self) -> "HistoricalQuery":
        if self.from_utc and self.to_utc and self.from_utc >= self.to_utc:
            raise ValueError("'from' must be earlier than 'to'")
        return self

    @model_validator(mode="after")
    def _names_places_once(self) -> "HistoricalQuery":
        if sum(value is not None for value in (self.cell_id, self.bbox, self.cells)) > 1:
            raise ValueError("of 'cell_id', 'cells' and 'bbox' one at most")
        return self


class CellQuery(AtQuery, Formatted):
    """How much history /api/cell/<id> shows."""

    hours: float = Field(default=3.0, gt=0, le=48, description="Hours of history before the newest window.")


class HealthQuery(Query):
    """Which of the two questions /api/health answers."""

    check: Literal["ready", "live"] = Field(
        default="ready", description="'live': 200 as long as the process answers; 'ready': 503 while it cannot serve."
    )


def default_step(span: timedelta, window: timedelta, most: int = 360) -> timedelta:
    """The shortest whole number of windows that cuts ``span`` into at most ``most`` steps."""
    return window * max(1, -(-(span // window) // most))
