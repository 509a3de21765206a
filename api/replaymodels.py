"""The replay as the API tells it, and what can be asked of it."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from smartcity.store.replay import LEAST_SPEED, MOST_SPEED, NONE, state_of


class ReplayOrder(BaseModel):
    """What the replay shall do."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["pause", "resume", "seek", "speed"]
    to: AwareDatetime | None = Field(default=None, description="With `seek`: the recorded time to go to.")
    speed: Annotated[float, Field(ge=LEAST_SPEED, le=MOST_SPEED)] | Literal["max"] | None = Field(
        default=None, description="With `speed`: recorded seconds a second; `max`: as fast as it can, where recorded."
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.to is not None) != (self.action == "seek"):
            raise ValueError("to: needed with seek, and with nothing else")
        if (self.speed is not None) != (self.action == "speed"):
            raise ValueError("speed: needed with speed, and with nothing else")
        return self

    @property
    def factor(self) -> float | None:
        """The speed as a number."""
        return math.inf if self.speed == "max" else self.speed


class ReplayState(BaseModel):
    """The replay as it last reported, at most about a second ago."""

    state: Literal["running", "paused", "ended", "none"] = Field(description="`none`: no replay reports.")
    speed: float | None = Field(default=None, description="Recorded seconds a second; null: as fast as it can.")
    position_utc: datetime | None = Field(default=None, description="The recorded time that is being sent.")
    from_utc: datetime | None = Field(default=None, description="Recorded time at which it begins.")
    to_utc: datetime | None = Field(default=None, description="Recorded time at which it ends, or begins again.")
    shifted_seconds: float | None = Field(default=None, description="How much later than recorded events are dated.")
    moved_to_now: bool | None = Field(default=None, description="Whether events are dated now.")
    loop: bool | None = Field(default=None, description="Whether it begins again at its end.")
    events_sent: int = Field(default=0, description="Since it began, restarts included.")
    events_per_second: float = 0.0
    pending: bool = Field(default=False, description="Whether something asked for is not carried out yet.")
    refused: str | None = Field(default=None, description="Why the last request could not be carried out.")

    @classmethod
    def of(cls, row: Mapping[str, Any] | None) -> Self:
        """The row of the database."""
        if row is None:
            return cls(state="none")
        state = state_of(row, datetime.now(UTC))
        same = {name: row[name] for name in cls.model_fields if name in row and name not in ("state", "speed")}
        speed = row["speed"] if math.isfinite(row["speed"]) else None
        rate = 0.0 if state == NONE else row["events_per_second"]
        pending = row["wish_number"] != row["done_number"]
        return cls.model_validate(
            {**same, "state": state, "speed": speed, "events_per_second": rate, "pending": pending}
        )
