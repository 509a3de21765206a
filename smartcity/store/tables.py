"""Tables of the serving database. Each row has a natural key, so that a repeated write changes nothing."""

from datetime import UTC, datetime

from sqlalchemy import BigInteger, DateTime, Float, Index, Integer, String, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """A time that is UTC on both sides, also in SQLite, which keeps no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: they would be read back as UTC silently."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"time {value} has no zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Metadata of all tables."""


class WindowRow(Base):
    """One cell and window with the forecast made from it: ``messages.ScoredWindow``, flat."""

    __tablename__ = "scored_windows"
    __table_args__ = (
        Index("scored_windows_by_time", "window_start_utc"),
        Index("scored_windows_by_target", "forecast_for_utc"),
    )

    cell_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    window_start_utc: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    window_end_utc: Mapped[datetime] = mapped_column(UtcDateTime)
    vehicle_count: Mapped[int] = mapped_column(Integer)
    position_count: Mapped[int] = mapped_column(Integer)
    speed_sum: Mapped[int] = mapped_column(BigInteger)
    speed_square_sum: Mapped[int] = mapped_column(BigInteger)
    vehicle_bits: Mapped[int] = mapped_column(BigInteger)
    avg_speed_mph: Mapped[float | None] = mapped_column(Float)
    std_speed_mph: Mapped[float | None] = mapped_column(Float)
    free_flow_mph: Mapped[float] = mapped_column(Float)
    ratio: Mapped[float | None] = mapped_column(Float)
    level: Mapped[str] = mapped_column(String(8))
    forecast_for_utc: Mapped[datetime | None] = mapped_column(UtcDateTime)
    forecast_level: Mapped[str | None] = mapped_column(String(8))
    probability_low: Mapped[float | None] = mapped_column(Float)
    probability_medium: Mapped[float | None] = mapped_column(Float)
    probability_high: Mapped[float | None] = mapped_column(Float)
    expected_speed_mph: Mapped[float | None] = mapped_column(Float)
    model_version: Mapped[str | None] = mapped_column(String(32))
    updated_utc: Mapped[datetime] = mapped_column(UtcDateTime)


#: ``StreamProgress.query`` of the stream's two queries: the one that scores windows, and the one that sorts out.
WINDOWS_QUERY = "windows"
REJECTED_QUERY = "rejected"


class StreamProgress(Base):
    """One row per stream query: its last micro-batch in figures. Lag tools do not see Spark's offsets.

    ``total_read`` = ``total_good`` (in a window) + ``total_rejected`` (broke a rule) + ``total_late`` (window closed).
    Rejected events are counted by a query of their own, seconds later; until then they stand under late.
    """

    __tablename__ = "stream_progress"

    query: Mapped[str] = mapped_column(String(64), primary_key=True)
    batch_id: Mapped[int] = mapped_column(BigInteger)
    updated_utc: Mapped[datetime] = mapped_column(UtcDateTime)
    newest_event_utc: Mapped[datetime | None] = mapped_column(UtcDateTime)
    input_rows: Mapped[int] = mapped_column(BigInteger)
    input_rows_per_second: Mapped[float] = mapped_column(Float)
    batch_seconds: Mapped[float] = mapped_column(Float)
    lag_events: Mapped[int] = mapped_column(BigInteger)
    total_read: Mapped[int] = mapped_column(BigInteger)
    total_good: Mapped[int] = mapped_column(BigInteger)
    total_rejected: Mapped[int] = mapped_column(BigInteger)
    total_late: Mapped[int] = mapped_column(BigInteger)
    model_version: Mapped[str | None] = mapped_column(String(32))
