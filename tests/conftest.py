"""Fixtures that every folder's tests may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import postgresql  # noqa: F401

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "tlc"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts services comes first: it takes longest, and two processes share the files in this order."""
    items.sort(key=lambda item: item.get_closest_marker("integration") is None)


@pytest.fixture(scope="session")
def spark() -> Iterator["object"]:
    """One small Spark session for the whole run."""
    from smartcity.settings import Settings
    from smartcity.spark.session import create_session

    session = create_session(
        Settings(spark_master="local[2]", spark_driver_memory="1g"),
        "traffic tests",
        {"spark.sql.shuffle.partitions": "2", "spark.ui.enabled": "false"},
    )
    yield session
    session.stop()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real trip files; the test is skipped where it is not present."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real trip files at {REAL_DATA}")
    return REAL_DATA


@pytest.fixture(scope="session")
def small_city() -> "object":
    """New York with bounds drawn around a handful of cells."""
    from smartcity.city import Bounds, City

    return City(bounds=Bounds(south=40.745, west=-73.995, north=40.765, east=-73.970))


@pytest.fixture(scope="session")
def small_dataset(small_city, spark, tmp_path_factory):
    """Three days of positions of 60 vehicles whose speeds follow the hour, with their windows, profile and features."""
    import argparse
    from datetime import UTC, date, datetime

    import numpy as np
    import pyarrow as pa

    from smartcity import columns
    from smartcity.grid import CellGrid
    from smartcity.lake import Dataset
    from spark_jobs import features, windows
    from spark_jobs.job import Span

    dataset = Dataset(str(tmp_path_factory.mktemp("lake")), "small", small_city)
    dataset.create(small_city)
    random, vehicles, box = np.random.default_rng(3), 60, small_city.bounds
    for day in (date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)):
        midnight = int(datetime(day.year, day.month, day.day, 5, tzinfo=UTC).timestamp())
        minute = np.repeat(np.arange(1440), vehicles)
        seconds = midnight + minute * 60 + np.tile(np.arange(vehicles) % 60, 1440)
        latitude = random.uniform(box.south, box.north, minute.size).round(6)
        longitude = random.uniform(box.west, box.east, minute.size).round(6)
        # Slow at noon, a slow hour that comes and goes, and the noise of single pings.
        swing = 10 * np.sin(np.pi * minute / 1440) + 3 * np.sin(minute / 25 + day.day)
        speed = np.clip((20 - swing) * random.lognormal(-0.1, 0.4, minute.size), 1, 90).round(2)
        rows = pa.table(
            {
                "vehicle_id": np.tile([f"taxi_{n}" for n in range(vehicles)], 1440),
                "trip_id": pa.nulls(minute.size, pa.string()),
                "timestamp_utc": pa.array(seconds * 1_000_000).cast(columns.UTC_TIMESTAMP),
                "latitude": latitude,
                "longitude": longitude,
                "speed_mph": speed,
                "cell_id": CellGrid.of(small_city).cells(latitude, longitude),
                "date": pa.array([day] * minute.size),
            }
        )
        dataset.positions.write(rows)
    options = argparse.Namespace(refit_profile=False)
    windows.job(spark, dataset, Span(), options)
    features.job(spark, dataset, Span(), options)
    return dataset
