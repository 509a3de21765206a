"""What to generate."""

from datetime import date, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from smartcity.city import City

#: Raised when the same request would give other bytes.
GENERATOR_VERSION = 2


class Request(BaseModel):
    """What to generate: the same request gives the same bytes, however many processes make them."""

    model_config = ConfigDict(frozen=True)

    generator_version: int = GENERATOR_VERSION
    city: City
    seed: int = Field(ge=0)
    start: date
    days: int = Field(ge=1, le=3660)
    trips_per_day: int = Field(ge=1, le=5_000_000)
    format: Literal["parquet", "csv"] = "parquet"
    with_probes: bool = True

    @property
    def dates(self) -> list[date]:
        """The local days, ascending."""
        return [self.start + timedelta(days=number) for number in range(self.days)]
