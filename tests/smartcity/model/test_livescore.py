"""From windows in the database to live scores, and the ledger beside them."""

from datetime import UTC, datetime, timedelta

import pytest

from smartcity.levels import Level
from smartcity.messages import Forecast, ScoredWindow
from smartcity.model.livescore import live_scores
from smartcity.settings import Settings
from smartcity.store import ledger
from smartcity.store.engine import create_all, create_engine
from smartcity.store.outcomes import outcomes
from smartcity.store.writer import upsert_windows, window_row

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
WINDOW = timedelta(minutes=2)
HORIZON = 8 * WINDOW
RATIO = {Level.LOW: 0.9, Level.MEDIUM: 0.6, Level.HIGH: 0.4, Level.UNKNOWN: 0.5}


def scored(cell, steps, level, foretold, version="7"):
    start = NOON + steps * WINDOW
    shares = {Level.LOW: (0.8, 0.1, 0.1), Level.MEDIUM: (0.1, 0.8, 0.1), Level.HIGH: (0.1, 0.1, 0.8)}
    low, medium, high = (None, None, None) if version == "persistence" else shares[foretold]
    forecast = Forecast(
        made_utc=start + WINDOW,
        for_utc=start + WINDOW + HORIZON,
        level=foretold,
        probability_low=low,
        probability_medium=medium,
        probability_high=high,
        expected_speed_mph=RATIO[foretold] * 20 + 1,
        model_version=version,
    )
    return ScoredWindow(
        cell_id=cell,
        window_start_utc=start,
        window_end_utc=start + WINDOW,
        vehicle_count=5,
        position_count=5,
        avg_speed_mph=10.0,
        std_speed_mph=1.0,
        free_flow_mph=20.0,
        ratio=RATIO[level],
        level=level,
        forecast=forecast,
        updated_utc=start,
    )


@pytest.fixture
def engine(tmp_path):
    made = create_engine(Settings(home=tmp_path, _env_file=None))
    create_all(made)
    return made


def put(engine, *windows):
    with engine.begin() as connection:
        upsert_windows(connection, [window_row(window) for window in windows])


LOW, MEDIUM, HIGH, UNKNOWN = Level.LOW, Level.MEDIUM, Level.HIGH, Level.UNKNOWN


def test_a_forecast_counts_once_its_outcome_is_there_and_both_levels_are_known(engine):
    put(
        engine,
        scored("a", 0, LOW, HIGH),  # came: high, foretold rightly; persistence is wrong
        scored("a", 8, HIGH, HIGH),  # came: medium; both wrong
        scored("a", 16, MEDIUM, LOW),  # not due
        scored("b", 0, LOW, LOW),  # came: unknown
        scored("b", 8, UNKNOWN, LOW),  # came: low, but nothing was known when it was foretold
        scored("b", 16, LOW, LOW),
    )
    until = NOON + timedelta(hours=1)
    found = outcomes(engine, NOON, until)
    assert sorted(zip(found["cell_id"].to_pylist(), found["level_came"].to_pylist(), strict=True)) == [
        ("a", "high"),
        ("a", "medium"),
    ]
    rows = live_scores(found, until)
    everything = next(row for row in rows if row["scope"] == "all")
    assert (everything["scored"], everything["accuracy"], everything["persistence_accuracy"]) == (2, 0.5, 0.0)
    # Named with 0.8 and right half the time.
    assert everything["ece"] == pytest.approx(0.3)
    assert everything["persistence_ece"] == 1.0
    # Expected 9 mph twice; 8 and 12 came.
    assert everything["rmse_mph"] == pytest.approx(((1 + 9) / 2) ** 0.5)
    assert everything["persistence_rmse_mph"] == pytest.approx(((100 + 16) / 2) ** 0.5)


def test_scores_are_told_by_hour_of_the_target_and_by_place_and_replace_those_before(engine):
    put(engine, *(scored(cell, steps, LOW, LOW) for cell in "ab" for steps in range(60)))
    until = NOON + timedelta(hours=3)
    rows = live_scores(outcomes(engine, NOON, until), until)
    for _ in range(2):
        ledger.replace_live_scores(engine, rows)
    # Windows 8 to 59 after noon were foretold; that of 13:00 begins the second hour.
    assert [(row["name"], row["scored"]) for row in ledger.live_scores(engine, "7", "hour")] == [
        ("2026-03-03T12:00+00:00", 2 * 22),
        ("2026-03-03T13:00+00:00", 2 * 30),
    ]
    assert [(row["name"], row["scored"]) for row in ledger.live_scores(engine, "7", "place")] == [("a", 52), ("b", 52)]


def test_persistence_without_a_model_is_scored_as_a_version_of_its_own(engine):
    put(engine, *(scored("a", steps, LOW, LOW, "persistence") for steps in range(20)))
    rows = live_scores(outcomes(engine, NOON, NOON + timedelta(hours=1)), NOON)
    assert {row["model_version"] for row in rows} == {"persistence"}
    assert all(row["accuracy"] == row["persistence_accuracy"] == 1.0 for row in rows)


def test_no_outcome_gives_no_score(engine):
    assert live_scores(outcomes(engine, NOON, NOON + timedelta(hours=1)), NOON) == []


def test_the_ledger_keeps_every_decision_newest_first(engine):
    figures = {"macro_f1": 0.7, "ece": 0.01, "persistence_macro_f1": 0.65, "brier": 0.2}
    ledger.record_decision(engine, "1", ledger.GATE, True, None, "first model", figures)
    ledger.record_decision(engine, "2", ledger.GATE, False, "1", "x" * 2000, figures)
    newest, first = ledger.decisions(engine)
    assert (first["version"], first["promoted"], first["macro_f1"]) == ("1", True, 0.7)
    assert (newest["version"], newest["champion_before"], len(newest["reason"])) == ("2", "1", 500)
