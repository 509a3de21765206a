from datetime import timedelta

import pytest
from sqlalchemy import Engine

from api.accuracy import LiveAccuracy, Score, score_target
from smartcity.messages import ScoredWindow
from smartcity.settings import Settings
from smartcity.store.engine import create_all, create_engine
from smartcity.store.writer import upsert_windows, window_row
from tests.api.rows import NOW, SUMS, WINDOW, scored, start_of

#: Made 9 windows ago, so for the window one ago: the newest that is not filling any more.
MADE, CAME = 9, 1


@pytest.fixture
def engine(settings: Settings) -> Engine:
    engine = create_engine(settings)
    create_all(engine)
    return engine


def write(engine: Engine, *windows: ScoredWindow) -> None:
    with engine.begin() as connection:
        upsert_windows(connection, [window_row(window, SUMS) for window in windows])


def test_counts_forecasts_that_came_true_and_those_that_persistence_had_right(engine: Engine) -> None:
    write(
        engine,
        # was, foretold, came: the model is right twice, persistence once.
        scored("a", MADE, 0.9, "low", forecast="high"),
        scored("a", CAME, 0.4, "high"),
        scored("b", MADE, 0.9, "low", forecast="low"),
        scored("b", CAME, 0.9, "low"),
        scored("c", MADE, 0.6, "medium", forecast="low"),
        scored("c", CAME, 0.4, "high"),
    )
    with engine.connect() as connection:
        score = score_target(connection, start_of(CAME), start_of(CAME) + WINDOW).live.model
    assert score == Score(scored=3, correct=2, persistence_correct=1)
    assert (score.accuracy, score.persistence_accuracy) == (0.6667, 0.3333)


@pytest.mark.parametrize(
    ("was", "foretold", "came"),
    [
        (("unknown", None), "low", ("low", 0.9)),
        (("low", 0.9), "unknown", ("low", 0.9)),
        (("low", 0.9), None, ("low", 0.9)),
        (("low", 0.9), "low", ("unknown", None)),
    ],
)
def test_a_row_with_an_unknown_level_counts_for_neither(
    engine: Engine, was: tuple, foretold: str | None, came: tuple
) -> None:
    write(engine, scored("a", MADE, was[1], was[0], forecast=foretold), scored("a", CAME, came[1], came[0]))
    live = LiveAccuracy(engine, WINDOW).refresh()
    assert (live.model.scored, live.unmodelled.scored) == (0, 0)


def test_another_cells_outcome_does_not_count(engine: Engine) -> None:
    write(engine, scored("a", MADE, 0.9, "low", forecast="low"), scored("b", CAME, 0.9, "low"))
    assert LiveAccuracy(engine, WINDOW).refresh().model.scored == 0


def test_the_filling_window_is_no_outcome_yet(engine: Engine) -> None:
    write(engine, scored("a", 8, 0.9, "low", forecast="low"), scored("a", 0, 0.9, "low"))
    accuracy = LiveAccuracy(engine, WINDOW)
    assert accuracy.refresh().model.scored == 0
    write(engine, scored("b", -1, 0.9, "low"))
    assert accuracy.refresh().model.scored == 1


def test_rows_forecast_by_persistence_are_not_credited_to_the_model(engine: Engine) -> None:
    write(
        engine,
        scored("a", MADE, 0.9, "low", forecast="low", model="persistence"),
        scored("a", CAME, 0.9, "low"),
        scored("a", 0, 0.9, "low"),
    )
    live = LiveAccuracy(engine, WINDOW).refresh()
    assert (live.model.accuracy, live.persistence_accuracy) == (None, 1.0)


def test_only_the_last_24_hours_count(engine: Engine) -> None:
    day = timedelta(hours=24) // WINDOW
    write(
        engine,
        scored("a", day + 20, 0.9, "low", forecast="low"),
        scored("a", day + 12, 0.9, "low"),
        scored("a", MADE, 0.9, "low", forecast="high"),
        scored("a", CAME, 0.4, "high"),
        scored("a", 0, 0.4, "high"),
    )
    assert LiveAccuracy(engine, WINDOW).refresh().model == Score(1, 1, 0)


def test_a_late_change_of_an_outcome_is_counted_again(engine: Engine) -> None:
    write(
        engine, scored("a", MADE, 0.9, "low", forecast="low"), scored("a", CAME, 0.9, "low"), scored("a", 0, 0.9, "low")
    )
    accuracy = LiveAccuracy(engine, WINDOW)
    assert accuracy.refresh().model.correct == 1
    write(engine, scored("a", CAME, 0.4, "high"))
    assert accuracy.refresh().model.correct == 0


def test_settled_windows_are_not_read_again(engine: Engine) -> None:
    write(engine, scored("a", 30, 0.9, "low", forecast="low"), scored("a", 22, 0.9, "low"), scored("a", 0, 0.9, "low"))
    accuracy = LiveAccuracy(engine, WINDOW)
    assert accuracy.refresh().model.correct == 1
    assert set(accuracy._settled) == {NOW - 21 * WINDOW}
