"""Alert rules and alerts as the API takes and gives them."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.queries import CellId, Cursor, Query
from smartcity.levels import Level

Longitude = Annotated[float, Field(ge=-180, le=180)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Minutes = Annotated[float, Field(ge=0, le=24 * 60)]
Share = Annotated[float, Field(gt=0, le=1)]
RuleId = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
NEXT = "What to send as `cursor` for the next page; null on the last."


class NewRule(BaseModel):
    """When somebody wants to be told. Without `cells` and `bbox`: of the whole city."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$", description="For people.")
    cells: list[CellId] | None = Field(default=None, min_length=1, max_length=1000, description="Only these cells.")
    bbox: tuple[Longitude, Latitude, Longitude, Latitude] | None = Field(
        default=None, description="Only cells in this box: west, south, east, north."
    )
    looks_at: Literal["now", "forecast"] = Field(default="now", description="The level now, or the one foretold.")
    level: Literal["medium", "high"] = Field(default="high", description="This level or worse.")
    min_share: Share = Field(default=0.5, description="Raised when at least this share of the known cells is there…")
    min_minutes: Minutes = Field(default=4, description="… for this long.")
    clear_share: Share | None = Field(
        default=None, description="Over when fewer than this share are; by default `min_share`."
    )
    clear_minutes: Minutes = Field(default=4, description="… for this long.")
    webhook_url: str | None = Field(
        default=None, max_length=2000, pattern=r"^https?://[!-?A-~]+$", description="Where to POST; none: stream only."
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.bbox and (self.bbox[0] >= self.bbox[2] or self.bbox[1] >= self.bbox[3]):
            raise ValueError("bbox: west < east and south < north are needed")
        if self.clear_share is not None and self.clear_share > self.min_share:
            raise ValueError("clear_share: at most min_share, or an alert would end as it begins")
        return self


class Rule(BaseModel):
    """An alert rule."""

    id: str
    name: str
    cells: list[str] | None
    bbox: tuple[float, float, float, float] | None
    looks_at: Literal["now", "forecast"]
    level: Level
    min_share: float
    min_minutes: float
    clear_share: float
    clear_minutes: float
    webhook_url: str | None
    created_utc: datetime


class CreatedRule(Rule):
    """A new rule, with the key of its webhooks' signatures: it is shown this once."""

    webhook_secret: str | None


class Rules(BaseModel):
    """All alert rules."""

    rules: list[Rule]


class Alert(BaseModel):
    """One time that a rule held."""

    id: str
    rule_id: str
    rule_name: str
    raised_utc: datetime = Field(description="In the time of the data.")
    cleared_utc: datetime | None = Field(description="None while it lasts.")
    share: float = Field(description="Share of the known cells, when it was raised.")
    cells: list[str] = Field(description="Those cells, a hundred at most.")


class AlertList(BaseModel):
    """Alerts, newest first."""

    alerts: list[Alert]
    next_cursor: str | None = Field(default=None, description=NEXT)


class AlertsQuery(Query):
    """Which alerts."""

    state: Literal["active", "cleared"] | None = Field(default=None, description="Only these; by default both.")
    rule_id: RuleId | None = Field(default=None, description="Only of this rule.")
    limit: int = Field(default=100, ge=1, le=1000, description="At most this many.")
    cursor: Cursor | None = Field(default=None, description="`next_cursor` of the page before.")
