"""Literal windows for the API's tests."""

from datetime import UTC, datetime, timedelta

from smartcity.levels import Level
from smartcity.messages import Forecast, ScoredWindow
from smartcity.settings import Settings
from smartcity.store.engine import create_all, create_engine
from smartcity.store.tables import WINDOWS_QUERY
from smartcity.store.writer import BatchFigures, WindowSums, record_progress, upsert_windows, window_row

#: Midtown, Harlem, Brooklyn.
FAST, SLOW, QUIET = "882a100d67fffff", "882a1008cbfffff", "882a100db9fffff"
#: Start of the newest window.
NOW = datetime(2026, 3, 3, 17, 0, tzinfo=UTC)
WINDOW = timedelta(minutes=2)
#: The first window that ends at least 15 minutes after this one: 8 windows on.
HORIZON = 8 * WINDOW
FREE_FLOW = 20.0
SUMS = WindowSums(speed_sum=1000, speed_square_sum=100_000, vehicle_bits=7)


#: Probabilities of low, medium and high behind each forecast level.
PROBABILITIES = {"low": (0.6, 0.3, 0.1), "medium": (0.2, 0.6, 0.2), "high": (0.1, 0.2, 0.7)}


def start_of(steps_ago: int) -> datetime:
    return NOW - steps_ago * WINDOW


def scored(
    cell_id: str,
    steps_ago: int,
    ratio: float | None,
    level: str,
    forecast: str | None = None,
    vehicles: int = 4,
    model: str = "3",
    updated: datetime | None = None,
) -> ScoredWindow:
    start = start_of(steps_ago)
    end = start + WINDOW
    told = None
    if forecast is not None:
        low, medium, high = PROBABILITIES.get(forecast, (None, None, None))
        told = Forecast(
            made_utc=end,
            for_utc=end + HORIZON,
            level=Level(forecast),
            probability_low=low,
            probability_medium=medium,
            probability_high=high,
            expected_speed_mph=9.5,
            model_version=model,
        )
    return ScoredWindow(
        cell_id=cell_id,
        window_start_utc=start,
        window_end_utc=end,
        vehicle_count=vehicles,
        position_count=vehicles,
        avg_speed_mph=None if ratio is None else ratio * FREE_FLOW,
        std_speed_mph=None if ratio is None else 2.0,
        free_flow_mph=FREE_FLOW,
        ratio=ratio,
        level=Level(level),
        forecast=told,
        updated_utc=updated or end,
        newest_event_utc=end - timedelta(seconds=1),
    )


def fill(settings: Settings, *, quiet: bool = True) -> None:
    """Two hours: FAST stays low, SLOW turns from medium to high an hour ago and was foretold high, QUIET is unknown."""
    engine = create_engine(settings)
    create_all(engine)
    windows = []
    for step in range(60):
        windows.append(scored(FAST, step, 0.90, "low", forecast="low"))
        slow = (0.60, "medium") if step >= 30 else (0.40, "high")
        windows.append(scored(SLOW, step, *slow, forecast="high"))
        if quiet:
            windows.append(scored(QUIET, step, None, "unknown", forecast=None))
    figures = BatchFigures(
        batch_id=7, updated_utc=datetime.now(UTC), newest_event_utc=NOW, input_rows=100, good=90, rejected=8,
        input_rows_per_second=50.0, batch_seconds=0.5, lag_events=12, model_version="3",
    )  # fmt: skip
    with engine.begin() as connection:
        upsert_windows(connection, [window_row(window, SUMS) for window in windows])
        record_progress(connection, WINDOWS_QUERY, figures)
    engine.dispose()
