"""Tables of the serving database. Each row has a natural key, so that a repeated write changes nothing."""

from datetime import UTC, datetime

from sqlalchemy import JSON, BigInteger, Boolean, DateTime, Float, Index, Integer, String, Text, TypeDecorator
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


class ModelDecision(Base):
    """One line of the model ledger: a gate's verdict, a promotion by hand, or a roll-back."""

    __tablename__ = "model_decisions"

    decided_utc: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    version: Mapped[str] = mapped_column(String(32), primary_key=True)
    action: Mapped[str] = mapped_column(String(16))
    promoted: Mapped[bool] = mapped_column(Boolean)
    champion_before: Mapped[str | None] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(String(500))
    macro_f1: Mapped[float | None] = mapped_column(Float)
    ece: Mapped[float | None] = mapped_column(Float)
    persistence_macro_f1: Mapped[float | None] = mapped_column(Float)


class LiveScore(Base):
    """How forecasts that are due came true: of one version, over the last day, an hour of it, or a place in it.

    ``scope`` is ``all``, ``hour`` or ``place``; ``name`` then ``""``, the hour in UTC (ISO 8601) or the cell_id.
    Persistence says what is with certainty: its calibration error is its share of errors.
    """

    __tablename__ = "live_scores"

    model_version: Mapped[str] = mapped_column(String(32), primary_key=True)
    scope: Mapped[str] = mapped_column(String(8), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    until_utc: Mapped[datetime] = mapped_column(UtcDateTime)
    scored: Mapped[int] = mapped_column(Integer)
    accuracy: Mapped[float] = mapped_column(Float)
    macro_f1: Mapped[float] = mapped_column(Float)
    ece: Mapped[float] = mapped_column(Float)
    rmse_mph: Mapped[float | None] = mapped_column(Float)
    persistence_accuracy: Mapped[float] = mapped_column(Float)
    persistence_macro_f1: Mapped[float] = mapped_column(Float)
    persistence_ece: Mapped[float] = mapped_column(Float)
    persistence_rmse_mph: Mapped[float | None] = mapped_column(Float)


#: ``StreamProgress.query`` of the stream's two queries: the one that scores windows, and the one that sorts out.
WINDOWS_QUERY = "windows"
REJECTED_QUERY = "rejected"


class StreamProgress(Base):
    """One row per stream query: its last micro-batch in figures. Lag tools do not see Spark's offsets.

    ``total_read`` = ``total_good`` (in a window) + ``total_rejected`` (broke a rule) + ``total_late`` (window closed).
    Rejected events are counted by a query of their own, seconds later; late is known of what both have read.
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


class ReplayRow(Base):
    """The replay: what is wished of it (``wish_…``, ``seek_…``; the API writes), and how it is getting on (it writes).

    ``wish_number`` grows with each change of a wish, ``seek_number`` with each seek; ``done_number`` is the last wish
    that was carried out or refused. Infinite speed: as fast as it can. ``days`` are ISO dates.
    """

    __tablename__ = "replays"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    wish_number: Mapped[int] = mapped_column(Integer)
    wish_paused: Mapped[bool] = mapped_column(Boolean)
    wish_speed: Mapped[float | None] = mapped_column(Float)
    seek_number: Mapped[int] = mapped_column(Integer)
    seek_utc: Mapped[datetime | None] = mapped_column(UtcDateTime)
    done_number: Mapped[int] = mapped_column(Integer)
    refused: Mapped[str | None] = mapped_column(String(500))
    state: Mapped[str] = mapped_column(String(8))
    moved_to_now: Mapped[bool] = mapped_column(Boolean)
    loop: Mapped[bool] = mapped_column(Boolean)
    days: Mapped[list[str]] = mapped_column(JSON)
    from_utc: Mapped[datetime] = mapped_column(UtcDateTime)
    to_utc: Mapped[datetime] = mapped_column(UtcDateTime)
    speed: Mapped[float] = mapped_column(Float)
    position_utc: Mapped[datetime | None] = mapped_column(UtcDateTime)
    shifted_seconds: Mapped[float | None] = mapped_column(Float)
    events_sent: Mapped[int] = mapped_column(BigInteger)
    events_per_second: Mapped[float] = mapped_column(Float)
    updated_utc: Mapped[datetime] = mapped_column(UtcDateTime)


#: ``RollupRow.cell_id`` of the whole city: what a year of it needs is then read without a row of its cells.
WHOLE_CITY = ""


class RollupRow(Base):
    """Windows of one place summed over 15 minutes or an hour, and the forecasts that were made for that time."""

    __tablename__ = "window_rollups"
    __table_args__ = (Index("window_rollups_by_time", "period_minutes", "start_utc"),)

    period_minutes: Mapped[int] = mapped_column(Integer, primary_key=True)
    cell_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    start_utc: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    windows: Mapped[int] = mapped_column(Integer)
    vehicle_count: Mapped[int] = mapped_column(BigInteger)
    position_count: Mapped[int] = mapped_column(BigInteger)
    speed_positions: Mapped[float] = mapped_column(Float)
    known: Mapped[int] = mapped_column(BigInteger)
    ratio_sum: Mapped[float] = mapped_column(Float)
    high: Mapped[int] = mapped_column(BigInteger)
    least_speed_mph: Mapped[float | None] = mapped_column(Float)
    most_speed_mph: Mapped[float | None] = mapped_column(Float)
    least_ratio: Mapped[float | None] = mapped_column(Float)
    most_ratio: Mapped[float | None] = mapped_column(Float)
    least_share_high: Mapped[float | None] = mapped_column(Float)
    most_share_high: Mapped[float | None] = mapped_column(Float)
    forecasts: Mapped[int] = mapped_column(BigInteger)
    chance_high_sum: Mapped[float] = mapped_column(Float)


class AlertRule(Base):
    """When somebody wants to be told."""

    __tablename__ = "alert_rules"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    cells: Mapped[list[str] | None] = mapped_column(JSON)
    bbox: Mapped[list[float] | None] = mapped_column(JSON)
    looks_at: Mapped[str] = mapped_column(String(8))
    level: Mapped[str] = mapped_column(String(8))
    min_share: Mapped[float] = mapped_column(Float)
    clear_share: Mapped[float] = mapped_column(Float)
    min_minutes: Mapped[float] = mapped_column(Float)
    clear_minutes: Mapped[float] = mapped_column(Float)
    webhook_url: Mapped[str | None] = mapped_column(Text)
    webhook_secret: Mapped[str | None] = mapped_column(String(128))
    created_utc: Mapped[datetime] = mapped_column(UtcDateTime)


class AlertRow(Base):
    """One time that a rule held: from when, until when. Its id is the rule's and the moment: a repeat is no second."""

    __tablename__ = "alerts"
    __table_args__ = (Index("alerts_by_time", "raised_utc"), Index("alerts_by_rule", "rule_id"))

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    rule_id: Mapped[str] = mapped_column(String(32))
    rule_name: Mapped[str] = mapped_column(String(200))
    raised_utc: Mapped[datetime] = mapped_column(UtcDateTime)
    cleared_utc: Mapped[datetime | None] = mapped_column(UtcDateTime)
    share: Mapped[float] = mapped_column(Float)
    cells: Mapped[list[str]] = mapped_column(JSON)


class DeliveryRow(Base):
    """A webhook to be sent, tried until it is taken or given up; it survives a restart."""

    __tablename__ = "alert_deliveries"
    __table_args__ = (Index("alert_deliveries_by_due", "due_utc"),)

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    rule_id: Mapped[str] = mapped_column(String(32))
    url: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer)
    due_utc: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delivered_utc: Mapped[datetime | None] = mapped_column(UtcDateTime)
    given_up: Mapped[bool] = mapped_column(Boolean)
    last_error: Mapped[str | None] = mapped_column(String(200))
