"""Trip files made up for tests: few rows, all of them different, some of them bad."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

HEADER = (
    "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,"
    "pickup_longitude,pickup_latitude,dropoff_longitude,dropoff_latitude,fare_amount"
)


def trip_rows(first: datetime, hours: float, count: int, seed: int) -> list[str]:
    """``count`` trips of 5 to 25 minutes within a square of Manhattan; every 40th ends before it begins."""
    random = np.random.default_rng(seed)
    rows = []
    for number, second in enumerate(random.uniform(0, hours * 3600, count).astype(int).tolist()):
        start = first + timedelta(seconds=second)
        minutes = -5 if number % 40 == 0 else int(random.integers(5, 25))
        end = start + timedelta(minutes=minutes)
        places = random.uniform([-73.99, 40.745, -73.99, 40.745], [-73.97, 40.765, -73.97, 40.765]).round(6)
        miles = round(abs(minutes) * float(random.uniform(0.1, 0.3)), 2)
        values = (2, start, end, 1, miles, *places.tolist(), 9.5)
        rows.append(",".join(str(value) for value in values))
    return rows


def write(path: Path, *rows: str) -> Path:
    """A trip file as CSV."""
    path.write_text("\n".join((HEADER, *rows, "")))
    return path
