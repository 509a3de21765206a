"""How far behind the live state is."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError

from smartcity.settings import Settings
from smartcity.store.engine import create_engine
from smartcity.store.reader import progress
from smartcity.store.tables import WINDOWS_QUERY


@dataclass(frozen=True)
class DataAge:
    """Seconds since the last batch and since its newest event, and what the batch was like."""

    progress_seconds: float
    newest_event_seconds: float | None
    events_per_second: float
    lag_events: int
    model_version: str | None


def data_age(settings: Settings, now: datetime | None = None) -> DataAge | None:
    """The stream's age; None before its first batch, and where the database does not answer."""
    now = now or datetime.now(UTC)
    engine = create_engine(settings)
    try:
        newest = progress(engine).get(WINDOWS_QUERY)
    except SQLAlchemyError:
        return None
    finally:
        engine.dispose()
    if newest is None:
        return None
    event = newest["newest_event_utc"]
    return DataAge(
        (now - newest["updated_utc"]).total_seconds(),
        (now - event).total_seconds() if event else None,
        float(newest["input_rows_per_second"]),
        int(newest["lag_events"]),
        newest["model_version"],
    )
