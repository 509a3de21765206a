"""A small sound city of literal-like rows, in which each test breaks one thing."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from smartcity.columns import TRIPS, WINDOWS

FIRST = date(2025, 2, 3)
DAYS = 10


def midnight(day: date) -> datetime:
    """Midnight of a winter day in New York."""
    return datetime(day.year, day.month, day.day, 5, tzinfo=UTC)


def trip_rows(day: date, per_hour: int = 4) -> list[dict[str, object]]:
    rows = []
    number = (day - date(2025, 1, 1)).days
    for hour in range(24):
        for index in range(per_hour):
            start = midnight(day) + timedelta(hours=hour, minutes=13 * index, seconds=(number * 7 + hour) % 60)
            rows.append(
                {
                    "trip_id": f"{day}-{hour}-{index}",
                    "vehicle_id": f"v-{day}-{hour}-{index}",
                    "pickup_utc": start,
                    "dropoff_utc": start + timedelta(minutes=12),
                    "pickup_latitude": 40.75,
                    "pickup_longitude": -73.99,
                    "dropoff_latitude": 40.77,
                    "dropoff_longitude": -73.97,
                    "trip_distance_miles": 2.0 + (index + number) % 5 / 10,
                    "source_file": "a.csv",
                    "date": day,
                }
            )
    return rows


def window_rows(day: date) -> list[dict[str, object]]:
    return [
        {
            "cell_id": cell,
            "window_start_utc": midnight(day) + timedelta(hours=hour),
            "vehicle_count": 2,
            "position_count": 3,
            "speed_sum": 3600,
            "speed_square_sum": 3 * 1200 * 1200,
            "vehicle_bits": 3,
            "avg_speed_mph": 12.0,
            "std_speed_mph": 0.0,
            "date": day,
        }
        for hour in range(24)
        for cell in ("882a100d25fffff", "882a100d2dfffff")
    ]


def days() -> list[date]:
    return [FIRST + timedelta(days=index) for index in range(DAYS)]


def trip_table(rows: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=TRIPS)


def window_table(rows: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=WINDOWS)
