"""The KPI row of the whole city, from the newest window of each cell."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from statistics import median

from api.accuracy import LiveScore
from smartcity.levels import Level
from smartcity.messages import CitySummary, ScoredWindow

#: Delay is measured on what was written this recently.
DELAY_SPAN = timedelta(minutes=1)
#: An event older than this when written was replayed with its recorded time: its age says nothing about the system.
LONGEST_DELAY = timedelta(hours=1)


def _mean(shares: Sequence[float]) -> float | None:
    return round(sum(shares) / len(shares), 4) if shares else None


def delay_seconds(windows: Sequence[ScoredWindow]) -> float | None:
    """Median age of the newest event of each window when that was written, over the last minute's writes."""
    newest = max((window.updated_utc for window in windows), default=None)
    if newest is None:
        return None
    ages = [
        window.updated_utc - window.newest_event_utc
        for window in windows
        if window.newest_event_utc is not None and window.updated_utc >= newest - DELAY_SPAN
    ]
    told = [age.total_seconds() for age in ages if timedelta(0) <= age <= LONGEST_DELAY]
    return round(median(told), 2) if told else None


def summarise(
    windows: Sequence[ScoredWindow],
    vehicles_on_map: int,
    events_per_second: float,
    live: LiveScore,
    model_version: str | None,
) -> CitySummary:
    """The KPI row.

    Args:
        windows: newest window of each cell.
        vehicles_on_map: vehicles seen in the last minutes; where positions do not flow (0), cells are summed instead.
        events_per_second: positions coming in now.
        live: score of due forecasts.
        model_version: what the stream says it uses; by default what most of the forecasts name.

    """
    positions = sum(window.position_count for window in windows if window.avg_speed_mph is not None)
    distance = sum(
        window.avg_speed_mph * window.position_count for window in windows if window.avg_speed_mph is not None
    )
    forecasts = [window.forecast for window in windows if window.forecast is not None]
    versions = Counter(forecast.model_version for forecast in forecasts).most_common(1)
    known = [window for window in windows if window.level is not Level.UNKNOWN]
    return CitySummary(
        data_time_utc=max((window.window_end_utc for window in windows), default=None),
        vehicle_count=vehicles_on_map or sum(window.vehicle_count for window in windows),
        avg_speed_mph=round(distance / positions, 2) if positions else None,
        cells_known=len(known),
        cells_unknown=len(windows) - len(known),
        congested_share=_mean([float(window.level is Level.HIGH) for window in known]),
        # Of the same cells as the share now, or the difference of the two would be one of places, not of time.
        forecast_congested_share=_mean([window.forecast.chance_high for window in known if window.forecast]),
        events_per_second=round(events_per_second, 1),
        delay_seconds=delay_seconds(windows),
        live_accuracy=live.model.accuracy,
        persistence_accuracy=live.persistence_accuracy,
        scored_forecasts=live.model.scored,
        model_version=model_version or (versions[0][0] if versions else None),
    )
