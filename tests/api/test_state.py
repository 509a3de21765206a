from datetime import timedelta

import orjson

from api.accuracy import LiveScore, Score
from api.state import CityState
from api.summary import delay_seconds, summarise
from smartcity.levels import Level
from smartcity.messages import ScoredWindow
from tests.api.rows import FAST, NOW, QUIET, SLOW, scored


def state(*windows: ScoredWindow) -> CityState:
    state = CityState()
    state.apply(windows)
    return state


def test_keeps_the_newest_window_whatever_the_order() -> None:
    city = state(scored(FAST, 0, 0.9, "low"), scored(FAST, 2, 0.3, "high"))
    assert city.get(FAST).level is Level.LOW


def test_a_later_write_of_the_same_window_replaces_the_earlier_one() -> None:
    later = scored(FAST, 0, 0.3, "high", updated=NOW + timedelta(minutes=5))
    city = state(later, scored(FAST, 0, 0.9, "low"))
    assert city.get(FAST).level is Level.HIGH


def test_drain_gives_each_changed_cell_once() -> None:
    city = state(scored(FAST, 1, 0.9, "low"), scored(FAST, 0, 0.3, "high"), scored(SLOW, 0, 0.3, "high"))
    drained = [orjson.loads(cell.json) for cell in city.drain_cells()]
    assert sorted(cell["cell_id"] for cell in drained) == sorted([FAST, SLOW])
    assert city.drain_cells() == []


def test_a_cell_without_vehicles_for_ten_minutes_is_unknown_not_what_it_was() -> None:
    city = state(scored(SLOW, 6, 0.3, "high", forecast="high"))
    city.drain_cells()
    city.apply([scored(FAST, 1, 0.9, "low")])
    assert city.get(SLOW).level is Level.HIGH
    city.apply([scored(FAST, 0, 0.9, "low")])
    silent = city.get(SLOW)
    assert (silent.level, silent.ratio, silent.forecast, silent.vehicle_count) == (Level.UNKNOWN, None, None, 0)
    assert len(city.drain_cells()) == 2


def test_a_feed_started_again_on_an_earlier_date_replaces_the_city() -> None:
    city = state(scored(FAST, 0, 0.9, "low"))
    city.apply([scored(SLOW, 10_000, 0.3, "high", updated=NOW + timedelta(hours=1))])
    assert (city.get(FAST), city.get(SLOW).level) == (None, Level.HIGH)


def test_an_old_message_read_again_does_not_replace_the_city() -> None:
    city = state(scored(FAST, 0, 0.9, "low"))
    city.apply([scored(FAST, 10_000, 0.3, "high"), scored(SLOW, 10_000, 0.3, "high")])
    assert city.get(FAST).level is Level.LOW


def test_the_summary_is_of_known_cells_and_says_how_many_are_not() -> None:
    windows = [
        scored(FAST, 0, 0.9, "low", forecast="low"),
        scored(SLOW, 0, 0.4, "high", forecast="high", vehicles=12),
        scored(QUIET, 0, None, "unknown"),
    ]
    live = LiveScore(Score(10, 8, 7))
    row = summarise(windows, vehicles_on_map=0, events_per_second=12.34, live=live, model_version=None)
    assert (row.cells_known, row.cells_unknown, row.congested_share, row.forecast_congested_share) == (2, 1, 0.5, 0.4)
    assert row.avg_speed_mph == 10.5  # (18 · 4 + 8 · 12) / 16
    assert row.vehicle_count == 20
    assert (row.live_accuracy, row.persistence_accuracy, row.scored_forecasts) == (0.8, 0.7, 10)
    assert row.model_version == "3"
    assert row.delay_seconds == 1.0


def test_events_replayed_with_their_recorded_time_have_no_delay() -> None:
    assert delay_seconds([scored(FAST, 0, 0.9, "low", updated=NOW + timedelta(days=3000))]) is None


def test_an_empty_city_has_a_summary_too() -> None:
    row = summarise([], vehicles_on_map=0, events_per_second=0.0, live=LiveScore(), model_version=None)
    assert (row.data_time_utc, row.avg_speed_mph, row.congested_share, row.live_accuracy) == (None, None, None, None)
