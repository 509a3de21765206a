"""A small sound city on disk, in which each test breaks one thing."""

from pathlib import Path

import pytest

from smartcity.lake import Dataset
from smartcity.settings import Settings
from tests.expectations import rows


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, _env_file=None)


@pytest.fixture
def dataset(settings: Settings) -> Dataset:
    found = Dataset.of(settings, "city")
    found.create(settings.city)
    return found


@pytest.fixture
def trips() -> list[dict[str, object]]:
    return [row for day in rows.days() for row in rows.trip_rows(day)]


@pytest.fixture
def windows() -> list[dict[str, object]]:
    return [row for day in rows.days() for row in rows.window_rows(day)]
