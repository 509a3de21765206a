"""Questions and answers of the REST endpoints. The OpenAPI document is made from these models."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from smartcity.city import Bounds, PlaceKind
from smartcity.levels import Level
from smartcity.messages import ScoredWindow

MOST_CELLS = 10_000
IN_BOX = "Only cells whose centre is in this box: west,south,east,north in degrees."
#: A series longer than this is refused: no chart draws it, and it would be a heavy query.
MOST_POINTS = 5_000


def _bounds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    parts = value.split(",")
    if len(parts) != 4:
        raise ValueError("four numbers are needed: west,south,east,north in degrees")
    west, south, east, north = (float(part) for part in parts)
    return Bounds(west=west, south=south, east=east, north=north)


def _cells(value: Any) -> Any:
    return [cell for cell in value.split(",") if cell] if isinstance(value, str) else value


BoundingBox = Annotated[
    Bounds,
    BeforeValidator(_bounds),
    WithJsonSchema({"type": "string", "examples": ["-74.02,40.70,-73.95,40.80"]}),
]
CellIds = Annotated[
    frozenset[str],
    BeforeValidator(_cells),
    WithJsonSchema({"type": "string", "examples": ["882a100d65fffff"]}),
]


class Query(BaseModel):
    """Base of all queries: a parameter that does not exist is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)


class CellFilter(Query):
    """Which cells."""

    bbox: BoundingBox | None = Field(default=None, description=IN_BOX)
    cells: CellIds | None = Field(default=None, description="Only these cells, separated by commas.")
    limit: int = Field(default=MOST_CELLS, ge=1, le=MOST_CELLS, description="At most this many.")


class CurrentTrafficQuery(CellFilter):
    """Filters of /api/current-traffic."""

    level: Level | None = Field(default=None, description="Only cells at this level now.")
    min_vehicles: int = Field(
        default=0, ge=0, le=1_000_000, description="Only cells with so many vehicles in the window."
    )


class PredictionsQuery(CellFilter):
    """Filters of /api/predictions."""

    level: Level | None = Field(default=None, description="Only cells forecast to be at this level.")


class HotspotsQuery(Query):
    """Filters of /api/hotspots."""

    limit: int = Field(default=10, ge=1, le=500)
    min_vehicles: int = Field(default=1, ge=0, le=1_000_000, description="Vehicles in the newest window.")
    bbox: BoundingBox | None = Field(default=None, description=IN_BOX)


class HistoricalQuery(Query):
    """Time range, step and place of /api/historical."""

    from_utc: AwareDatetime | None = Field(
        default=None,
        alias="from",
        description="First moment, with its zone; by default 6 hours before the end.",
        examples=["2025-12-06T10:00:00Z"],
    )
    to_utc: AwareDatetime | None = Field(
        default=None, alias="to", description="End, not included; by default all there is, forecasts ahead included."
    )
    step_minutes: int | None = Field(
        default=None, ge=1, le=24 * 60, description="Length of a step; by default such that there are at most 360."
    )
    cell_id: str | None = Field(default=None, max_length=64, description="One cell; without it the whole city.")

    @model_validator(mode="after")
    def _is_a_range(self) -> "HistoricalQuery":
        if self.from_utc and self.to_utc and self.from_utc >= self.to_utc:
            raise ValueError("'from' must be earlier than 'to'")
        return self


class CellQuery(Query):
    """How much history /api/cell/<id> shows."""

    hours: float = Field(default=3.0, gt=0, le=48, description="Hours of history before the newest window.")


class HealthQuery(Query):
    """Which of the two questions /api/health answers."""

    check: Literal["ready", "live"] = Field(
        default="ready", description="'live': 200 as long as the process answers; 'ready': 503 while it cannot serve."
    )


class CurrentTraffic(BaseModel):
    """The newest window of each cell."""

    data_time_utc: datetime | None = Field(description="End of the newest window; None before the first.")
    cells: list[ScoredWindow]


class Prediction(BaseModel):
    """What is foretold for one cell, and what holds there now."""

    cell_id: str
    made_utc: datetime
    for_utc: datetime
    level: Level
    probability_low: float | None
    probability_medium: float | None
    probability_high: float | None
    expected_speed_mph: float | None
    model_version: str = Field(description="Version in the registry, or 'persistence'.")
    level_now: Level
    avg_speed_mph_now: float | None


class Predictions(BaseModel):
    """All forecasts as of now."""

    data_time_utc: datetime | None
    predictions: list[Prediction]


class HistoryPoint(BaseModel):
    """One step of a series. Steps ahead of the newest window have a forecast and no outcome."""

    time_utc: datetime = Field(description="Start of the step.")
    avg_speed_mph: float | None = Field(default=None, description="Mean over all positions.")
    ratio: float | None = Field(default=None, description="Mean speed / free-flow over cells with a known level.")
    vehicle_count: int | None = Field(default=None, description="Vehicles per window, summed over cells.")
    share_high: float | None = Field(default=None, description="Share of known cells at level high, 0..1.")
    forecast_share_high: float | None = Field(
        default=None,
        description="The share that was expected for this time: mean probability of high over the cells whose level "
        "was known when the forecast was made; of one cell, its own probability.",
    )
    cells: int | None = Field(default=None, description="Cells with a known level per window.")


class Historical(BaseModel):
    """A series of the city or one cell."""

    cell_id: str | None
    step_minutes: int
    series: list[HistoryPoint]


class Hotspot(BaseModel):
    """One congested place."""

    rank: int = Field(ge=1)
    cell: ScoredWindow
    delay_minutes_per_mile: float = Field(description="What a mile takes longer than in free flow.")
    trend_ratio_30min: float | None = Field(description="Ratio now minus 30 minutes ago; below 0: getting worse.")


class Hotspots(BaseModel):
    """The places that lose the most time, worst first."""

    data_time_utc: datetime | None
    hotspots: list[Hotspot]


class Center(BaseModel):
    """A point, degrees."""

    latitude: float
    longitude: float


class CellDetail(BaseModel):
    """One place: now, its shape and its recent past."""

    cell: ScoredWindow
    boundary: list[tuple[float, float]] = Field(description="Corners as [longitude, latitude]; empty for a sensor.")
    center: Center | None = Field(description="None for a sensor whose place is not known.")
    history: list[HistoryPoint]


class Stats(BaseModel):
    """Figures of the running system."""

    trips: int | None = Field(description="Trips in the lake.")
    positions: int | None = Field(description="Positions in the lake.")
    lake_bytes: int | None = Field(description="Size of the lake's published files.")
    cells: int = Field(description="Places with live data.")
    congested_share: float | None = Field(description="Known places at level high now, 0..1.")
    forecast_congested_share: float | None = Field(
        description="The share of them to expect at the end of the horizon: their mean probability of high."
    )
    events_per_second: float
    events_total: int | None = Field(description="Events the stream took in since its first start.")
    events_rejected: int | None = Field(description="Events that broke the contract or a bound.")
    lag_events: int | None = Field(description="Events the stream has yet to read.")
    live_accuracy: float | None = Field(description="Share of the model's forecasts of the last 24 h that came true.")
    persistence_accuracy: float | None = Field(description="The same rows, had nothing changed.")
    scored_forecasts: int
    delay_seconds: float | None = Field(description="Median age of the newest event when its window was written.")
    model_version: str | None
    websocket_clients: int


class Part(BaseModel):
    """One part of the system."""

    status: Literal["ok", "stale", "down", "none"] = Field(description="'none': not there, and not needed to serve.")
    age_seconds: float | None = Field(description="Seconds since its last sign of life; None where there was none.")
    detail: str


class Health(BaseModel):
    """Live: the process answers. Ready: it can serve data. Stale: it serves data that nothing renews."""

    status: Literal["ready", "stale", "not_ready"]
    live: bool
    ready: bool
    parts: dict[str, Part]


class CityConfig(BaseModel):
    """What a map needs to know about the city."""

    name: str
    time_zone: str
    bounds: Bounds
    place_kind: PlaceKind
    h3_resolution: int
    window_minutes: int
    horizon_minutes: int


class LevelsConfig(BaseModel):
    """The thresholds behind the levels."""

    low_from_ratio: float
    high_below_ratio: float
    min_vehicles: int


class Links(BaseModel):
    """Pages beside this one; None where nothing answers."""

    mlflow: str | None = None
    airflow: str | None = None
    data_docs: str | None = None
    api_docs: str | None = None


class Config(BaseModel):
    """What the front end is set up with."""

    city: CityConfig
    levels: LevelsConfig
    push_seconds: float
    links: Links
    outline: dict[str, Any] | None = Field(description="The city's outline as GeoJSON.")
    places: dict[str, Center] = Field(
        description="Where each sensor stands, by cell_id; empty in a city of H3 cells, whose ids say it."
    )


def default_step(span: timedelta, window: timedelta, most: int = 360) -> timedelta:
    """The shortest whole number of windows that cuts ``span`` into at most ``most`` steps."""
    return window * max(1, -(-(span // window) // most))
