from datetime import datetime, timedelta

import pyarrow as pa
import pytest
from flask.testing import FlaskClient

from api.cache import TimedCache
from api.context import Context
from smartcity import columns
from smartcity.store.rollups import roll_up
from smartcity.store.writer import prune_windows
from tests.api.rows import FAST, NOW, QUIET, SLOW, WINDOW, start_of
from tests.streaming.profiles import even_profile


def at(steps_ago: int) -> str:
    return start_of(steps_ago).isoformat().replace("+00:00", "Z")


def test_shows_the_city_as_it_was(client: FlaskClient) -> None:
    now, then = (
        {
            cell["cell_id"]: cell["level"]
            for cell in client.get("/api/current-traffic", query_string=query).json["cells"]
        }
        for query in ({}, {"at": at(39)})
    )
    assert now == {FAST: "low", SLOW: "high", QUIET: "unknown"}
    assert then == {FAST: "low", SLOW: "medium", QUIET: "unknown"}


def test_only_windows_that_were_over_then_are_told(client: FlaskClient) -> None:
    answer = client.get("/api/current-traffic", query_string={"at": at(20)}).json
    assert answer["data_time_utc"] == at(20)
    assert {cell["window_end_utc"] for cell in answer["cells"]} == {at(20)}


def test_what_was_foretold_then_stands_beside_what_happened(client: FlaskClient) -> None:
    rows = client.get("/api/predictions", query_string={"at": at(45), "cells": SLOW}).json["predictions"]
    assert rows[0]["level"] == "high"
    # Made at the end of window 46, for the end of window 38: medium until window 30.
    assert rows[0]["outcome"] == {"level": "medium", "avg_speed_mph": 12.0, "came_true": False}


def test_a_forecast_whose_time_has_not_come_has_no_outcome(client: FlaskClient) -> None:
    rows = client.get("/api/predictions", query_string={"at": at(2), "cells": SLOW}).json["predictions"]
    assert rows[0]["outcome"] is None


def test_predictions_say_how_good_they_have_been_for_that_place(client: FlaskClient) -> None:
    rows = {row["cell_id"]: row["track_record"] for row in client.get("/api/predictions").json["predictions"]}
    assert rows[FAST] == {"scored": 51, "accuracy": 1.0, "persistence_accuracy": 1.0}
    assert rows[SLOW]["scored"] == 51
    assert rows[SLOW]["accuracy"] == pytest.approx(29 / 51, abs=1e-4)


def test_hotspots_and_cells_of_then(client: FlaskClient) -> None:
    worst = client.get("/api/hotspots", query_string={"at": at(20)}).json["hotspots"]
    assert (worst[0]["cell"]["cell_id"], worst[0]["cell"]["window_end_utc"]) == (SLOW, at(20))
    detail = client.get(f"/api/cell/{SLOW}", query_string={"at": at(40)}).json
    assert detail["cell"]["level"] == "medium"
    assert client.get(f"/api/cell/{SLOW}", query_string={"at": at(500)}).status_code == 404


@pytest.mark.parametrize(("aggregation", "speed"), [("mean", 8.5), ("min", 8.0), ("max", 12.0)])
def test_a_step_is_the_mean_the_lowest_or_the_highest_of_its_windows(
    client: FlaskClient, aggregation: str, speed: float
) -> None:
    query = {"cell_id": SLOW, "from": at(52), "to": at(22), "step_minutes": 60, "aggregation": aggregation}
    points = client.get("/api/historical", query_string=query).json["series"]
    # From 16:00 to 16:16: one window at 12 mph, seven at 8.
    assert points[-1]["avg_speed_mph"] == speed


def test_a_series_of_a_box_is_that_of_the_cells_in_it(client: FlaskClient) -> None:
    box = client.get("/api/historical?bbox=-74.00,40.74,-73.97,40.77").json["series"]
    one = client.get(f"/api/historical?cells={FAST}").json["series"]
    assert box == one
    assert box != client.get("/api/historical").json["series"]


def test_a_range_older_than_the_windows_comes_from_their_sums(client: FlaskClient, context: Context) -> None:
    query = {"from": at(60), "to": at(30), "step_minutes": 15}
    before = client.get("/api/historical", query_string=query).json["series"]
    roll_up(context.engine, WINDOW, NOW + timedelta(hours=1))
    prune_windows(context.engine, start_of(20))
    context.answers = TimedCache(seconds=0)
    after = client.get("/api/historical", query_string=query).json["series"]
    assert after == before
    assert len(after) == 4


def test_history_older_than_the_database_comes_from_the_lake(client: FlaskClient, context: Context) -> None:
    old = start_of(0) - timedelta(days=90)
    rows = [
        {
            "cell_id": FAST, "window_start_utc": old + step * WINDOW, "vehicle_count": 4, "position_count": 4,
            "speed_sum": 4000, "speed_square_sum": 1, "vehicle_bits": 1, "avg_speed_mph": 10.0 + step,
            "std_speed_mph": 0.0, "date": old.date(),
        }
        for step in range(5)
    ]  # fmt: skip
    context.dataset.windows.write(pa.Table.from_pylist(rows, schema=columns.WINDOWS))
    query = {"from": old.isoformat(), "to": (old + timedelta(minutes=10)).isoformat(), "step_minutes": 10}
    (point,) = client.get("/api/historical", query_string=query).json["series"]
    assert (point["avg_speed_mph"], point["vehicle_count"]) == (12.0, 4)
    # Without features nothing is known of levels, and nothing is made up.
    assert (point["ratio"], point["share_high"], point["forecast_share_high"]) == (None, None, None)


def at_90_days_ago(context: Context, speeds: dict[str, float]) -> datetime:
    """Twenty minutes of windows in the lake, long before the database's first; the moment at which they end."""
    old = start_of(0) - timedelta(days=90)
    rows = [
        {
            "cell_id": cell_id, "window_start_utc": old + step * WINDOW, "vehicle_count": 10, "position_count": 10,
            "speed_sum": int(1_000 * speed), "speed_square_sum": int(100_000 * speed * speed), "vehicle_bits": 1023,
            "avg_speed_mph": speed, "std_speed_mph": 0.0, "date": old.date(),
        }
        for cell_id, speed in speeds.items()
        for step in range(10)
    ]  # fmt: skip
    context.dataset.windows.write(pa.Table.from_pylist(rows, schema=columns.WINDOWS))
    return old + 10 * WINDOW


def test_a_moment_older_than_the_database_is_that_of_the_lake_without_forecasts(
    client: FlaskClient, context: Context
) -> None:
    then = at_90_days_ago(context, {FAST: 19.0, SLOW: 5.0})
    even_profile(context.city, (FAST, SLOW), then - timedelta(days=1)).save(context.dataset)
    query = {"at": then.isoformat()}
    cells = client.get("/api/current-traffic", query_string=query).json["cells"]
    assert [(cell["cell_id"], cell["level"], cell["avg_speed_mph"]) for cell in cells] == [
        (SLOW, "high", 5.0),
        (FAST, "low", 19.0),
    ]
    assert {datetime.fromisoformat(cell["window_end_utc"]) for cell in cells} == {then}
    assert all(cell["forecast"] is None for cell in cells)
    assert client.get("/api/predictions", query_string=query).json["predictions"] == []
    (worst, _) = client.get("/api/hotspots", query_string=query).json["hotspots"]
    assert worst["cell"]["cell_id"] == SLOW
    assert client.get(f"/api/cell/{SLOW}", query_string=query).json["cell"]["level"] == "high"
    # Half an hour before the lake's first window nothing was known, and nothing is made up.
    before = {"at": (then - timedelta(minutes=50)).isoformat()}
    assert client.get("/api/current-traffic", query_string=before).json["cells"] == []


def test_a_moment_that_nothing_can_estimate_any_more_is_a_problem_404(client: FlaskClient, context: Context) -> None:
    then = at_90_days_ago(context, {FAST: 19.0})
    answer = client.get("/api/current-traffic", query_string={"at": then.isoformat()})
    assert answer.status_code == 404 and "no data of" in answer.json["detail"]


def test_hotspots_come_in_pages_that_go_on_where_the_last_one_ended(client: FlaskClient) -> None:
    asked = {"at": at(20), "limit": 1}
    first = client.get("/api/hotspots", query_string=asked)
    assert [(spot["rank"], spot["cell"]["cell_id"]) for spot in first.json["hotspots"]] == [(1, SLOW)]
    assert first.headers["X-Next-Cursor"] == first.json["next_cursor"]
    second = client.get("/api/hotspots", query_string={**asked, "cursor": first.json["next_cursor"]}).json
    assert [(spot["rank"], spot["cell"]["cell_id"]) for spot in second["hotspots"]] == [(2, FAST)]
    assert second["next_cursor"] is None
    wrong = client.get("/api/hotspots?cursor=882a100d67fffff")
    assert (wrong.status_code, wrong.json["errors"][0]["parameter"]) == (400, "cursor")
