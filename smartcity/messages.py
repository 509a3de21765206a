"""What the platform says to the outside: the scored window, and the messages of REST and WebSocket.

``dashboard_events`` carries ``ScoredWindow``; the API keeps the newest per cell and pushes ``Snapshot`` and ``Update``.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from smartcity.levels import Level

#: Version of the WebSocket schema; raised when a field changes its meaning or goes away.
SCHEMA_VERSION = 1


class Message(BaseModel):
    """Base of all messages: frozen, unknown fields ignored so that an older reader survives a newer writer."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Forecast(Message):
    """The state of a place at ``for_utc``, as foretold at ``made_utc``."""

    made_utc: datetime = Field(description="End of the window the forecast was made from.")
    for_utc: datetime = Field(description="End of the window it is for.")
    level: Level
    probability_low: float | None = Field(description="None where the method gives no probabilities.")
    probability_medium: float | None
    probability_high: float | None
    expected_speed_mph: float | None
    model_version: str = Field(description="Version in the registry, or 'persistence' where there is no model.")

    @property
    def chance_high(self) -> float:
        """Probability of ``high``; a method without probabilities is taken at its word. Shares are means of these."""
        return float(self.level is Level.HIGH) if self.probability_high is None else self.probability_high


class ScoredWindow(Message):
    """One cell in one window: what was seen, the level, and the forecast 15 minutes ahead."""

    cell_id: str
    window_start_utc: datetime
    window_end_utc: datetime
    vehicle_count: int = Field(
        ge=0, description="Distinct vehicles in the window; of a road sensor, the weight of its reading."
    )
    position_count: int = Field(ge=0)
    avg_speed_mph: float | None = Field(description="Space-mean speed in the window; None without a position.")
    std_speed_mph: float | None
    free_flow_mph: float
    ratio: float | None = Field(description="Estimated speed / free-flow over the trailing 10 minutes.")
    level: Level
    forecast: Forecast | None
    updated_utc: datetime = Field(description="Wall time at which the stream wrote this state.")
    newest_event_utc: datetime | None = Field(default=None, description="Newest event time in the state, for delay.")


class MapVehicle(Message):
    """Where a vehicle was last seen."""

    vehicle_id: str
    timestamp_utc: datetime
    latitude: float
    longitude: float
    speed_mph: float
    heading_degrees: float | None = Field(default=None, description="Clockwise from north; None before it moved.")


class CitySummary(Message):
    """The KPI row."""

    data_time_utc: datetime | None = Field(description="End of the newest window; all figures are as of then.")
    vehicle_count: int
    avg_speed_mph: float | None
    cells_known: int
    cells_unknown: int
    congested_share: float | None = Field(description="Known cells at level high, 0..1.")
    forecast_congested_share: float | None = Field(
        description="The share to expect: mean probability of high over the cells that are known now and have a "
        "forecast. Counting the likeliest levels would understate it."
    )
    events_per_second: float
    delay_seconds: float | None = Field(description="Median age of an event when its window was written.")
    live_accuracy: float | None = Field(description="Share of due forecasts that came true; None before the first.")
    persistence_accuracy: float | None
    scored_forecasts: int
    model_version: str | None


class AlertMessage(Message):
    """An alert was raised, or is over."""

    alert_id: str
    rule_id: str
    rule_name: str
    event: Literal["raised", "cleared"]
    looks_at: Literal["now", "forecast"]
    level: Level
    share: float = Field(description="Share of the rule's known cells at its level or worse, 0..1.")
    cells: list[str] = Field(description="Those cells, when it was raised.")
    data_time_utc: datetime = Field(description="As of when, in the time of the data.")
    raised_utc: datetime
    cleared_utc: datetime | None


class ModelEvent(Message):
    """Another version serves: on topic ``model_events``. Who scores follows the registry's alias; this tells people."""

    model: str
    event: Literal["promoted", "rolled_back"]
    version: str = Field(description="The version that serves now.")
    before: str | None = Field(description="The version that served before; None for the first.")
    reason: str
    at_utc: datetime


class Snapshot(Message):
    """The whole state, sent on connect and after a gap."""

    type: Literal["snapshot"] = "snapshot"
    schema_version: int = SCHEMA_VERSION
    sequence: int
    sent_utc: datetime
    cells: list[ScoredWindow]
    vehicles: list[MapVehicle]
    summary: CitySummary


class Update(Message):
    """What changed since ``sequence - 1``: changed cells and all vehicles that moved."""

    type: Literal["update"] = "update"
    schema_version: int = SCHEMA_VERSION
    sequence: int
    sent_utc: datetime
    cells: list[ScoredWindow]
    vehicles: list[MapVehicle]
    vehicles_gone: list[str] = Field(description="vehicle_ids to take off the map.")
    alerts: list[AlertMessage] = Field(default=[], description="Alerts raised or cleared since.")
    summary: CitySummary
