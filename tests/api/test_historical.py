from datetime import timedelta

from flask.testing import FlaskClient

from api.context import Context
from api.queries import default_step
from smartcity.store.writer import upsert_windows, window_row
from tests.api.rows import FAST, QUIET, SLOW, SUMS, scored, start_of


def series(client: FlaskClient, **query: object) -> list[dict]:
    answer = client.get("/api/historical", query_string=query)
    assert answer.status_code == 200, answer.json
    return answer.json["series"]


def at(points: list[dict], time: str) -> dict:
    return next(point for point in points if point["time_utc"] == time)


def test_city_wide_figures_of_one_window(client: FlaskClient) -> None:
    point = at(series(client, step_minutes=2), "2026-03-03T16:58:00Z")
    # FAST at 18 mph and SLOW at 8 mph with 4 positions each; QUIET's 4 have no speed.
    assert point == {
        "time_utc": "2026-03-03T16:58:00Z",
        "avg_speed_mph": 8.67,
        "ratio": 0.65,
        "vehicle_count": 12,
        "share_high": 0.5,
        # The mean of 0.1 and 0.7, though the likeliest levels are low and high.
        "forecast_share_high": 0.4,
        "cells": 2,
    }


def test_a_forecast_stands_at_the_time_it_is_for(client: FlaskClient, context: Context) -> None:
    # Ends at 16:42 and so foretells the window 16:56 to 16:58.
    with context.engine.begin() as connection:
        upsert_windows(connection, [window_row(scored(SLOW, 10, 0.4, "high", forecast="low"), SUMS)])
    points = series(client, step_minutes=2, cell_id=SLOW)
    assert at(points, "2026-03-03T16:56:00Z")["forecast_share_high"] == 0.1
    assert at(points, "2026-03-03T16:56:00Z")["share_high"] == 1.0
    assert at(points, "2026-03-03T16:58:00Z")["forecast_share_high"] == 0.7


def test_an_expected_share_is_of_known_cells_and_takes_a_method_without_probabilities_at_its_word(
    client: FlaskClient, context: Context
) -> None:
    certain = {"probability_low": None, "probability_medium": None, "probability_high": None}
    quiet, slow = (
        scored(QUIET, 0, None, "unknown", forecast="high"),
        scored(SLOW, 0, 0.4, "high", forecast="high", model="persistence"),
    )
    slow = slow.model_copy(update={"forecast": slow.forecast.model_copy(update=certain)})
    with context.engine.begin() as connection:
        upsert_windows(connection, [window_row(window, SUMS) for window in (quiet, slow)])
    context.state.apply([quiet, slow])
    expected = (0.1 + 1.0) / 2
    assert series(client, step_minutes=2)[-1]["forecast_share_high"] == expected
    assert client.get("/api/stats").json["forecast_congested_share"] == expected


def test_the_filling_window_is_left_out_and_forecasts_reach_beyond_it(client: FlaskClient) -> None:
    points = series(client, step_minutes=2)
    assert at(points, "2026-03-03T17:00:00Z")["vehicle_count"] is None
    assert at(points, "2026-03-03T17:00:00Z")["forecast_share_high"] == 0.4
    assert points[-1]["time_utc"] == "2026-03-03T17:16:00Z"


def test_steps_average_their_windows(client: FlaskClient) -> None:
    query = {"from": "2026-03-03T15:50:00Z", "to": "2026-03-03T16:10:00Z", "step_minutes": 20, "cell_id": SLOW}
    points = series(client, **query)
    # SLOW turned from 0.60 to 0.40 at 16:02: the step at 15:40 holds 5 windows, that at 16:00 one and four.
    assert [(point["time_utc"], point["ratio"], point["share_high"]) for point in points] == [
        ("2026-03-03T15:40:00Z", 0.6, 0.0),
        ("2026-03-03T16:00:00Z", 0.44, 0.8),
    ]


def test_from_is_included_and_to_is_not(client: FlaskClient) -> None:
    query = {"from": "2026-03-03T16:30:00Z", "to": "2026-03-03T16:34:00Z", "step_minutes": 2}
    assert [point["time_utc"][11:16] for point in series(client, **query)] == ["16:30", "16:32"]


def test_other_time_zones_are_understood(client: FlaskClient) -> None:
    query = {"from": "2026-03-03T11:30:00-05:00", "to": "2026-03-03T11:34:00-05:00", "step_minutes": 2}
    assert len(series(client, **query)) == 2


def test_one_cell_only(client: FlaskClient) -> None:
    assert {point["ratio"] for point in series(client, cell_id=FAST) if point["ratio"]} == {0.9}
    assert series(client, cell_id="nowhere") == []


def test_the_default_step_keeps_a_series_drawable() -> None:
    window = timedelta(minutes=2)
    assert default_step(timedelta(hours=6), window) == window
    assert default_step(timedelta(days=1), window) == timedelta(minutes=4)
    assert default_step(timedelta(days=365), window) / window == 730


def test_an_empty_database_gives_an_empty_series(client: FlaskClient, context: Context) -> None:
    from smartcity.store.reader import newest_window_start
    from smartcity.store.writer import prune_windows

    prune_windows(context.engine, start_of(-1))
    assert newest_window_start(context.engine) is None
    assert series(client) == []
