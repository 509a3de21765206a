"""Examples of answers and bodies for the OpenAPI document; a test holds them to the schemas."""

from typing import Any

_FORECAST = {
    "made_utc": "2025-12-06T10:48:00Z",
    "for_utc": "2025-12-06T11:04:00Z",
    "level": "high",
    "probability_low": 0.08,
    "probability_medium": 0.31,
    "probability_high": 0.61,
    "expected_speed_mph": 8.4,
    "model_version": "3",
}
_CELL = {
    "cell_id": "882a100d65fffff",
    "window_start_utc": "2025-12-06T10:46:00Z",
    "window_end_utc": "2025-12-06T10:48:00Z",
    "vehicle_count": 7,
    "position_count": 14,
    "avg_speed_mph": 9.6,
    "std_speed_mph": 4.1,
    "free_flow_mph": 21.5,
    "ratio": 0.47,
    "level": "high",
    "forecast": _FORECAST,
    "updated_utc": "2025-12-06T10:47:41Z",
    "newest_event_utc": "2025-12-06T10:47:40Z",
}
_POINT = {
    "time_utc": "2025-12-06T10:30:00Z",
    "avg_speed_mph": 12.7,
    "ratio": 0.62,
    "vehicle_count": 1840,
    "share_high": 0.27,
    "forecast_share_high": 0.25,
    "cells": 212,
}

#: By the name of the model.
EXAMPLES: dict[str, Any] = {
    "CurrentTraffic": {"data_time_utc": "2025-12-06T10:48:00Z", "cells": [_CELL], "next_cursor": None},
    "Predictions": {
        "data_time_utc": "2025-12-06T10:48:00Z",
        "predictions": [
            {
                "cell_id": _CELL["cell_id"],
                **_FORECAST,
                "level_now": "high",
                "avg_speed_mph_now": 9.6,
                "track_record": {"scored": 612, "accuracy": 0.81, "persistence_accuracy": 0.74},
                "outcome": None,
            }
        ],
        "next_cursor": None,
    },
    "Accuracy": {
        "step_minutes": 15,
        "series": [
            {"time_utc": "2025-12-06T10:30:00Z", "scored": 431, "accuracy": 0.803, "persistence_accuracy": 0.742}
        ],
    },
    "Historical": {"cell_id": None, "step_minutes": 15, "series": [_POINT], "next_cursor": None},
    "Hotspots": {
        "data_time_utc": "2025-12-06T10:48:00Z",
        "hotspots": [{"rank": 1, "cell": _CELL, "delay_minutes_per_mile": 3.15, "trend_ratio_30min": -0.08}],
        "next_cursor": "0.47,7,882a100d65fffff",
    },
    "CellDetail": {
        "cell": _CELL,
        "boundary": [[-73.99, 40.75], [-73.98, 40.76], [-73.97, 40.75], [-73.98, 40.74]],
        "center": {"latitude": 40.752, "longitude": -73.981},
        "history": [_POINT],
    },
    "Rollback": {"reason": "Midtown is foretold clear and stands still", "if_serving": "4"},
    "RolledBack": {"serving": "3", "before": "4", "announced": True},
    "NewRule": {
        "name": "Midtown in a quarter of an hour",
        "bbox": [-74.0, 40.74, -73.96, 40.77],
        "looks_at": "forecast",
        "level": "high",
        "min_share": 0.4,
        "clear_share": 0.25,
        "min_minutes": 6,
        "clear_minutes": 6,
        "webhook_url": "https://example.org/hooks/traffic",
    },
    "ReplayOrder": {"action": "seek", "to": "2016-01-08T13:00:00Z"},
    "ReplayState": {
        "state": "running",
        "speed": 1.0,
        "position_utc": "2016-01-08T13:00:04Z",
        "from_utc": "2016-01-08T05:00:00Z",
        "to_utc": "2016-01-10T05:00:00Z",
        "shifted_seconds": 312846320.5,
        "moved_to_now": True,
        "loop": True,
        "events_sent": 418233,
        "events_per_second": 82.4,
        "pending": False,
        "refused": None,
    },
}
