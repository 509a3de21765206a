"""What a replay reports to the database."""

from datetime import UTC, datetime, timedelta
from typing import Any

from smartcity.store.replay import RUNNING

NOON = datetime(2016, 1, 5, 17, tzinfo=UTC)


def figures(**changes: Any) -> dict[str, Any]:
    """Columns of ``ReplayRow``, of a replay of one day that has come to its noon."""
    return {
        "state": RUNNING,
        "moved_to_now": True,
        "loop": True,
        "days": ["2016-01-05"],
        "from_utc": NOON - timedelta(hours=12),
        "to_utc": NOON + timedelta(hours=12),
        "speed": 1.0,
        "position_utc": NOON,
        "shifted_seconds": 12.5,
        "events_sent": 7,
        "events_per_second": 3.0,
        "done_number": 0,
        "refused": None,
        "updated_utc": datetime.now(UTC),
        **changes,
    }
