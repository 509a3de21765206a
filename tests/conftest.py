"""Fixtures that every folder's tests may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "tlc"


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
