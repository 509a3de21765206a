"""Answers of the REST endpoints. The OpenAPI document is made from these models."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from smartcity.city import Bounds, PlaceKind
from smartcity.levels import Level
from smartcity.messages import ScoredWindow

NEXT = "What to send as `cursor` for the next page; null on the last."


class CurrentTraffic(BaseModel):
    """The newest window of each cell."""

    data_time_utc: datetime | None = Field(description="End of the newest window; None before the first.")
    cells: list[ScoredWindow]
    next_cursor: str | None = Field(default=None, description=NEXT)


class Outcome(BaseModel):
    """What then happened, at the time a forecast was for."""

    level: Level
    avg_speed_mph: float | None
    came_true: bool | None = Field(description="None where the level that came is unknown.")


class TrackRecord(BaseModel):
    """How good forecasts for one place have been over the last 24 hours of event time."""

    scored: int = Field(description="Forecasts that came due, with the level before, foretold and after known.")
    accuracy: float = Field(description="Share of them that came true.")
    persistence_accuracy: float = Field(description="The same rows, had nothing changed.")


class AccuracyStep(BaseModel):
    """How the forecasts fared that were for the windows of one step."""

    time_utc: datetime = Field(description="Start of the step.")
    scored: int = Field(description="Forecasts that came due in it, with the level before, foretold and after known.")
    accuracy: float = Field(description="Share of them that came true.")
    persistence_accuracy: float = Field(description="The same rows, had nothing changed.")


class Accuracy(BaseModel):
    """The live accuracy over time."""

    step_minutes: int
    series: list[AccuracyStep]


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
    track_record: TrackRecord | None = Field(
        default=None, description="As of now; None where no forecast for the place has come due."
    )
    outcome: Outcome | None = Field(default=None, description="With `at`, once the time has come.")


class Predictions(BaseModel):
    """All forecasts as of one moment."""

    data_time_utc: datetime | None
    predictions: list[Prediction]
    next_cursor: str | None = Field(default=None, description=NEXT)


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
    next_cursor: str | None = Field(default=None, description=NEXT)


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
    next_cursor: str | None = Field(default=None, description=NEXT)


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
    kafka_ui: str | None = None
    api_docs: str | None = None


class Config(BaseModel):
    """What the front end is set up with."""

    city: CityConfig
    levels: LevelsConfig
    push_seconds: float
    units: Literal["imperial", "metric"]
    map_style: str | None = Field(description="Address of a MapLibre style; None: the outline is the map.")
    links: Links
    outline: dict[str, Any] | None = Field(
        description="The city's outline as GeoJSON: its zones, or the land under its cells."
    )
    places: dict[str, Center] = Field(
        description="Where each sensor stands, by cell_id; empty in a city of H3 cells, whose ids say it."
    )
