"""Live, ready, stale: judged from the signs of life of each part."""

from datetime import UTC, datetime

from api.context import Context
from api.models import Health, Part
from smartcity.city import PlaceKind

#: A part without a sign of life for this long is stale.
STALE_AFTER_SECONDS = 60.0
PERSISTENCE = "persistence"


def _age(moment: datetime | None) -> float | None:
    return round((datetime.now(UTC) - moment).total_seconds(), 1) if moment is not None else None


def _pause(context: Context) -> float:
    """Seconds that data may pause by its nature: sensors report once in a window."""
    return context.window.total_seconds() if context.city.place_kind is PlaceKind.SENSOR else 0.0


def _fresh(age: float | None, detail: str, pause: float = 0.0) -> Part:
    stale = age is None or age > STALE_AFTER_SECONDS + pause
    return Part(status="stale" if stale else "ok", age_seconds=age, detail=detail)


def _kafka(context: Context) -> Part:
    readers = (context.events, context.positions)
    ages = [reader.age_seconds for reader in readers if reader.age_seconds is not None]
    age = round(min(ages), 1) if ages else None
    if not all(reader.connected for reader in readers):
        return Part(status="down", age_seconds=age, detail=f"no broker answers at {context.settings.kafka}")
    rejected = context.rejected_events + context.vehicles.rejected
    rate = context.positions.rate.per_second
    return _fresh(age, f"{rate:.0f} positions/s; {rejected} messages were not understood", _pause(context))


def _stream(context: Context) -> Part:
    newest = context.stream_progress
    moments = [moment for moment in (context.state.updated_utc, newest and newest["updated_utc"]) if moment]
    age = _age(max(moments, default=None))
    if age is None:
        return Part(status="down", age_seconds=None, detail="nothing was ever written by the stream")
    lag = f"{newest['lag_events']} events behind" if newest else "no progress recorded"
    return _fresh(age, f"data as of {context.state.data_time_utc}; {lag}", _pause(context))


def _database(context: Context) -> Part:
    age = _age(context.database_ok_utc)
    if context.database_error is not None or age is None:
        return Part(status="down", age_seconds=age, detail=context.database_error or "not asked yet")
    return _fresh(age, "answers")


def _model(context: Context) -> Part:
    version = context.model_version
    if version is None or version == PERSISTENCE:
        return Part(status="none", age_seconds=None, detail="no model yet: forecasts are by persistence")
    newest = context.stream_progress
    return _fresh(_age(newest["updated_utc"] if newest else None), f"version {version}", _pause(context))


def judge(context: Context) -> Health:
    """Ready: broker and database answer and there is a city to show. Stale: some part of it is not being renewed."""
    parts = {
        "kafka": _kafka(context),
        "stream": _stream(context),
        "database": _database(context),
        "model": _model(context),
    }
    _, cells = context.state.view()
    ready = bool(cells) and parts["kafka"].status != "down" and parts["database"].status != "down"
    stale = any(part.status in ("stale", "down") for part in parts.values())
    return Health(status=("stale" if stale else "ready") if ready else "not_ready", live=True, ready=ready, parts=parts)
