"""The gate on forecasts: sound ones pass; stale, missing, impossible and unknown ones are caught by name."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from expectations.outcome import Outcome
from expectations.runner import run
from expectations.suites import load
from expectations.suites.predictions import day
from smartcity.errors import NothingYetError
from smartcity.lake import Dataset
from smartcity.levels import Level
from smartcity.live import PERSISTENCE
from smartcity.messages import Forecast, ScoredWindow
from smartcity.settings import Settings
from smartcity.store.engine import create_all, create_engine
from smartcity.store.writer import WindowSums, upsert_windows, window_row

SUMS = WindowSums(speed_sum=5_000, speed_square_sum=5_000_000, vehicle_bits=0b11111)
WINDOW = timedelta(minutes=2)
NOW = datetime.now(UTC).replace(second=0, microsecond=0)


@pytest.fixture(autouse=True)
def newest_window_ends_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Minutes may pass between the collection of a test and its run."""
    monkeypatch.setitem(globals(), "NOW", datetime.now(UTC).replace(second=0, microsecond=0))


def window(number: int, **changed: object) -> ScoredWindow:
    end = NOW - number * WINDOW
    forecast = Forecast(
        made_utc=end,
        for_utc=end + 8 * WINDOW,
        level=Level.LOW,
        probability_low=0.7,
        probability_medium=0.2,
        probability_high=0.1,
        expected_speed_mph=18.0,
        model_version=PERSISTENCE,
    )
    sound = ScoredWindow(
        cell_id="882a100d25fffff",
        window_start_utc=end - WINDOW,
        window_end_utc=end,
        vehicle_count=5,
        position_count=5,
        avg_speed_mph=18.0,
        std_speed_mph=1.0,
        free_flow_mph=20.0,
        ratio=0.9,
        level=Level.LOW,
        forecast=forecast,
        updated_utc=end,
    )
    foretold = {name: changed.pop(name) for name in list(changed) if name in Forecast.model_fields and name != "level"}
    return sound.model_copy(update={"forecast": forecast.model_copy(update=foretold), **changed})


def check(dataset: Dataset, settings: Settings, *odd: ScoredWindow, sound: int = 30) -> Outcome:
    engine = create_engine(settings)
    create_all(engine)
    windows = {one.window_start_utc: one for one in (*(window(number) for number in range(sound)), *odd)}
    with engine.begin() as connection:
        upsert_windows(connection, [window_row(one, SUMS) for one in windows.values()])
    return run(load("predictions"), dataset, settings)


def test_passes_sound_forecasts_and_has_nothing_to_say_before_the_first(dataset: Dataset, settings: Settings) -> None:
    with pytest.raises(NothingYetError, match="no window was ever scored"):
        run(load("predictions"), dataset, settings)
    found = check(dataset, settings)
    assert (found.findings, found.rows) == ([], 30)


@pytest.mark.parametrize(
    ("odd", "rule"),
    [
        ({"probability_low": 1.7}, "probability_low_is_a_share"),
        ({"probability_low": 0.6}, "probabilities_add_up"),
        ({"expected_speed_mph": 400.0}, "expected_speed_mph_is_possible"),
        ({"for_utc": NOW}, "forecasts_are_for_the_horizon"),
        ({"ratio": 0.4}, "levels_follow_the_thresholds"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_catches_an_impossible_forecast(dataset: Dataset, settings: Settings, odd: dict, rule: str) -> None:
    assert rule in check(dataset, settings, window(3, **odd)).names("FAIL")


def test_catches_a_stream_that_stands_still(dataset: Dataset, settings: Settings) -> None:
    found = check(dataset, settings, window(0, updated_utc=NOW - timedelta(hours=2)))
    assert found.names("FAIL") == ["predictions_are_fresh"]


def test_catches_windows_without_a_forecast(dataset: Dataset, settings: Settings) -> None:
    without = [window(number).model_copy(update={"forecast": None}) for number in range(20)]
    assert check(dataset, settings, *without).names("FAIL") == ["known_places_have_a_forecast"]


def test_catches_versions_that_the_registry_does_not_have(
    dataset: Dataset, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(settings.home)
    empty = settings.model_copy(update={"mlflow_tracking_uri": f"sqlite:///{settings.home}/mlflow.db"})
    assert check(dataset, empty, window(0, model_version="12")).names("FAIL") == ["versions_are_in_the_registry"]


def test_warns_of_half_a_day_beside_the_same_weekday(dataset: Dataset, settings: Settings) -> None:
    """Three weeks of one window every ten minutes, and half of them on the last day."""
    steps = range(0, 22 * 720, 5)
    halved = [window(step) for step in steps if step >= 720 or step % 10 == 0]
    found = check(dataset, settings, *halved, sound=1)
    assert "rows_are_as_many_as_usual" in found.names("FAIL")


def test_the_days_are_counted_in_one_look_at_the_table(dataset: Dataset, settings: Settings) -> None:
    check(dataset, settings, *(window(step) for step in range(0, 4 * 720, 30)))
    engine, looks = create_engine(settings), []
    event.listen(engine, "before_cursor_execute", lambda *call: looks.append(call[2]))
    newest = NOW - WINDOW
    (row,) = day(engine, settings, newest - 96 * 29 * WINDOW, newest, NOW).to_dict("records")
    # Counts, and the versions that foretold.
    assert len(looks) == 2 and all("scored_windows" in look for look in looks)
    # One window an hour, and on the last day 29 that come every two minutes.
    assert (row["rows"], row["hours_with_rows"], row["rows_to_usual"]) == (53.0, 24.0, 53 / 24)
