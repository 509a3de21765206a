"""Literal windows for the API's tests."""

from datetime import UTC, datetime, timedelta

from smartcity.levels import Level
from smartcity.messages import Forecast, ScoredWindow
from smartcity.store.writer import WindowSums

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
