"""Forecasts that are due, beside what came: the join that live scores are made from."""

from datetime import datetime, timedelta

import pyarrow as pa
from sqlalchemy import Engine, and_, select
from sqlalchemy.orm import aliased

from smartcity.columns import UTC_TIMESTAMP
from smartcity.levels import Level
from smartcity.store.tables import WindowRow

#: One row per forecast whose level now, level foretold and level that came are all known.
OUTCOMES = pa.schema(
    [
        ("model_version", pa.string()),
        ("cell_id", pa.string()),
        ("target_utc", UTC_TIMESTAMP),
        ("level_now", pa.string()),
        ("level_foretold", pa.string()),
        ("level_came", pa.string()),
        ("probability_low", pa.float64()),
        ("probability_medium", pa.float64()),
        ("probability_high", pa.float64()),
        ("expected_mph", pa.float64()),
        ("now_mph", pa.float64()),
        ("came_mph", pa.float64()),
    ]
)


def outcomes(engine: Engine, since: datetime, until: datetime) -> pa.Table:
    """Forecasts for windows that end after ``since`` and by ``until``, columns ``OUTCOMES``.

    Speeds are the estimates (ratio × free flow), as the forecast's is.
    """
    made, came = aliased(WindowRow), aliased(WindowRow)
    unknown = Level.UNKNOWN.value
    query = (
        select(
            made.model_version,
            made.cell_id,
            made.forecast_for_utc,
            made.level,
            made.forecast_level,
            came.level,
            made.probability_low,
            made.probability_medium,
            made.probability_high,
            made.expected_speed_mph,
            made.ratio * made.free_flow_mph,
            came.ratio * came.free_flow_mph,
        )
        .join(came, and_(came.cell_id == made.cell_id, came.window_end_utc == made.forecast_for_utc))
        .where(
            made.forecast_for_utc > since,
            made.forecast_for_utc <= until,
            # Bounds both sides by their index; a window is not longer than an hour.
            came.window_start_utc >= since - timedelta(hours=1),
            came.window_start_utc < until,
            made.level != unknown,
            made.forecast_level.is_not(None),
            made.forecast_level != unknown,
            came.level != unknown,
        )
    )
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    values = zip(*rows, strict=True) if rows else ([] for _ in OUTCOMES)
    return pa.table([pa.array(column, field.type) for column, field in zip(values, OUTCOMES, strict=True)], OUTCOMES)
