"""Small lake tables."""

from datetime import UTC, date, datetime

import pyarrow as pa

from smartcity import columns


def trips_table(count: int) -> pa.Table:
    """``count`` trips on one day."""
    row = {
        "vehicle_id": "taxi_1",
        "pickup_utc": datetime(2026, 3, 3, 12, tzinfo=UTC),
        "dropoff_utc": datetime(2026, 3, 3, 12, 20, tzinfo=UTC),
        "pickup_latitude": 40.75,
        "pickup_longitude": -73.98,
        "dropoff_latitude": 40.77,
        "dropoff_longitude": -73.96,
        "trip_distance_miles": 2.5,
        "source_file": "trips.csv",
        "date": date(2026, 3, 3),
    }
    return pa.Table.from_pylist([{**row, "trip_id": str(number)} for number in range(count)], schema=columns.TRIPS)
