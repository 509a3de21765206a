"""Rolling back the model, as the API takes and gives it."""

from pydantic import BaseModel, ConfigDict, Field


class Rollback(BaseModel):
    """Why the model is rolled back, and from which version."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(
        min_length=1, max_length=1000, pattern=r"^[^\x00-\x08\x0b-\x1f]*$", description="For the ledger, in words."
    )
    if_serving: str | None = Field(
        default=None,
        pattern="^[0-9]{1,18}$",
        description="Only where this version serves: a request sent twice then goes back one version, not two.",
    )


class RolledBack(BaseModel):
    """Which version serves now; the stream takes it within seconds."""

    serving: str = Field(description="The version that is champion again.")
    before: str = Field(description="The version that left.")
    announced: bool = Field(description="Whether topic `model_events` was told; the version serves either way.")
