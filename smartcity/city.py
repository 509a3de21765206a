"""What makes one city (or one data set) different from another: values only, no code to change.

A data set keeps the ``City`` it was ingested with as ``city.json`` at the root of its lake folder, so every later
job, the stream and the model that is trained on it agree on bounds, time zone, window and horizon.
"""

import math
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class PlaceKind(StrEnum):
    """What a ``cell_id`` names."""

    H3 = "h3"
    SENSOR = "sensor"


class Bounds(BaseModel):
    """A box in degrees, WGS 84; a position outside it is not in the city."""

    model_config = ConfigDict(frozen=True)

    south: float = Field(ge=-90, le=90)
    west: float = Field(ge=-180, le=180)
    north: float = Field(ge=-90, le=90)
    east: float = Field(ge=-180, le=180)

    @model_validator(mode="after")
    def _has_an_inside(self) -> "Bounds":
        if self.south >= self.north or self.west >= self.east:
            raise ValueError(f"south < north and west < east are needed, got {self}")
        return self

    @property
    def center(self) -> tuple[float, float]:
        """(latitude, longitude) of the middle, degrees."""
        return (self.south + self.north) / 2, (self.west + self.east) / 2


class City(BaseModel):
    """Place, time and resolution of one data set. Defaults are New York's."""

    model_config = ConfigDict(frozen=True)

    name: str = "New York"
    time_zone: str = "America/New_York"
    bounds: Bounds = Bounds(south=40.49, west=-74.27, north=40.93, east=-73.68)
    place_kind: PlaceKind = PlaceKind.H3
    h3_resolution: int = Field(default=8, ge=5, le=11)
    window_minutes: int = Field(default=2, ge=1, le=60)
    horizon_minutes: int = Field(default=15, ge=1, le=240)
    position_step_seconds: int = Field(default=60, ge=1, le=600)
    street_grid_degrees: float = Field(default=29.0, ge=0, lt=90, description="Manhattan's streets are turned 29°.")

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"time zone {value!r} is not in the IANA list, e.g. America/New_York") from error
        return value

    @model_validator(mode="after")
    def _days_hold_whole_windows(self) -> Self:
        offset = datetime(2026, 1, 1, tzinfo=self.zone).utcoffset() or timedelta()
        minutes = round(offset.total_seconds()) // 60
        if 60 % self.window_minutes or minutes % self.window_minutes:
            raise ValueError(
                f"window_minutes {self.window_minutes}: windows must fit into the city's days, choose one that divides "
                f"{math.gcd(60, minutes % 60)} minutes, e.g. 2 or 5"
            )
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The city's time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def window_seconds(self) -> int:
        """Length of a window in seconds."""
        return self.window_minutes * 60

    @property
    def horizon_steps(self) -> int:
        """Windows ahead of the target: the first window that ends at least ``horizon_minutes`` after this one ends."""
        return math.ceil(self.horizon_minutes / self.window_minutes)

    def steps(self, minutes: float) -> int:
        """Whole windows that cover ``minutes``, at least 1."""
        return max(1, math.ceil(minutes / self.window_minutes))
