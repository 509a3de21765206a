import gzip

import pytest
from flask.testing import FlaskClient

from api.context import Context
from smartcity.messages import ScoredWindow
from tests.api.rows import FAST, QUIET, SLOW, scored

MIDTOWN = "-74.00,40.74,-73.97,40.77"


def ids(answer: dict) -> list[str]:
    return [cell["cell_id"] for cell in answer["cells"]]


def test_current_traffic_shows_the_newest_window_of_each_cell(client: FlaskClient) -> None:
    answer = client.get("/api/current-traffic").json
    assert sorted(ids(answer)) == sorted([FAST, SLOW, QUIET])
    assert answer["data_time_utc"] == "2026-03-03T17:02:00Z"
    windows = {cell["cell_id"]: ScoredWindow.model_validate(cell) for cell in answer["cells"]}
    assert windows[SLOW].level == "high"
    assert windows[SLOW].forecast is not None
    assert windows[SLOW].forecast.for_utc.isoformat() == "2026-03-03T17:18:00+00:00"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"bbox={MIDTOWN}", [FAST]),
        (f"cells={SLOW},{QUIET},nowhere", [SLOW, QUIET]),
        ("level=high", [SLOW]),
        ("level=unknown", [QUIET]),
        ("min_vehicles=5", []),
        ("min_vehicles=4", [FAST, SLOW, QUIET]),
        (f"level=low&bbox={MIDTOWN}&cells={FAST}", [FAST]),
    ],
)
def test_current_traffic_filters(client: FlaskClient, query: str, expected: list[str]) -> None:
    assert sorted(ids(client.get(f"/api/current-traffic?{query}").json)) == sorted(expected)


def test_current_traffic_limits(client: FlaskClient) -> None:
    assert len(ids(client.get("/api/current-traffic?limit=2").json)) == 2


@pytest.mark.parametrize("query", ["", "?level=high"])
def test_current_traffic_is_not_sent_again_until_something_changed(
    client: FlaskClient, context: Context, query: str
) -> None:
    url = f"/api/current-traffic{query}"
    tag = client.get(url).headers["ETag"]
    again = client.get(url, headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    context.state.apply([scored(FAST, -1, 0.95, "low")])
    changed = client.get(url, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


def test_current_traffic_is_compressed_for_those_who_accept_it(client: FlaskClient) -> None:
    packed = client.get("/api/current-traffic", headers={"Accept-Encoding": "gzip"})
    plain = client.get("/api/current-traffic")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(packed.data) == plain.data
    assert "Accept-Encoding" in plain.headers["Vary"]


def test_predictions_carry_level_probabilities_speed_version_and_times(client: FlaskClient) -> None:
    answer = client.get(f"/api/predictions?cells={SLOW}").json
    assert answer["predictions"] == [
        {
            "cell_id": SLOW,
            "made_utc": "2026-03-03T17:02:00Z",
            "for_utc": "2026-03-03T17:18:00Z",
            "level": "high",
            "probability_low": 0.1,
            "probability_medium": 0.2,
            "probability_high": 0.7,
            "expected_speed_mph": 9.5,
            "model_version": "3",
            "level_now": "high",
            "avg_speed_mph_now": 8.0,
            "track_record": {"scored": 51, "accuracy": 0.5686, "persistence_accuracy": 0.8431},
            "outcome": None,
        }
    ]


def test_predictions_leave_out_cells_without_one_and_filter_by_the_forecast_level(client: FlaskClient) -> None:
    def found(query: str) -> list[str]:
        return sorted(one["cell_id"] for one in client.get(f"/api/predictions{query}").json["predictions"])

    assert found("") == sorted([FAST, SLOW])
    assert found("?level=low") == [FAST]
    assert found("?level=medium") == []


def test_hotspots_rank_the_lowest_ratio_first_with_its_trend(client: FlaskClient) -> None:
    first, second = client.get("/api/hotspots").json["hotspots"]
    assert [first["rank"], first["cell"]["cell_id"], first["trend_ratio_30min"]] == [1, SLOW, 0.0]
    # 20 mph free flow at 40 %: 3 minutes a mile become 7.5.
    assert first["delay_minutes_per_mile"] == 4.5
    assert second["cell"]["cell_id"] == FAST


def test_a_hotspots_trend_is_the_change_of_its_ratio_over_half_an_hour(client: FlaskClient, context: Context) -> None:
    context.state.apply([scored(FAST, -1, 0.30, "high")])
    worst = client.get("/api/hotspots?limit=1").json["hotspots"]
    assert [(one["cell"]["cell_id"], one["trend_ratio_30min"]) for one in worst] == [(FAST, -0.6)]


def test_a_place_stays_a_hotspot_while_its_newest_window_is_too_young_to_have_a_vehicle(
    client: FlaskClient, context: Context
) -> None:
    context.state.apply([scored(SLOW, -1, 0.35, "high", vehicles=0)])
    assert client.get("/api/hotspots").json["hotspots"][0]["cell"]["cell_id"] == SLOW


def test_hotspots_need_a_known_level_and_enough_vehicles(client: FlaskClient) -> None:
    assert QUIET not in str(client.get("/api/hotspots").json)
    assert client.get("/api/hotspots?min_vehicles=5").json["hotspots"] == []


def test_a_cell_shows_its_state_shape_and_history(client: FlaskClient) -> None:
    answer = client.get(f"/api/cell/{SLOW}?hours=1").json
    assert answer["cell"]["level"] == "high"
    assert len(answer["boundary"]) == 6
    longitudes = [corner[0] for corner in answer["boundary"]]
    assert min(longitudes) < answer["center"]["longitude"] < max(longitudes) < -73
    outcomes = [point["share_high"] for point in answer["history"] if point["share_high"] is not None]
    assert outcomes == [1.0] * 29
    ahead = [point for point in answer["history"] if point["share_high"] is None]
    assert ahead[-1]["time_utc"] == "2026-03-03T17:16:00Z"
    assert ahead[-1]["forecast_share_high"] == 0.7


def test_a_cell_that_fell_silent_is_still_answered_from_the_database(client: FlaskClient, context: Context) -> None:
    context.state._cells.pop(SLOW)
    assert client.get(f"/api/cell/{SLOW}").json["cell"]["window_start_utc"] == "2026-03-03T17:00:00Z"


@pytest.mark.parametrize("cell_id", ["882a100897fffff", "nowhere", "..%2f..%2fetc"])
def test_an_unknown_cell_is_not_found(client: FlaskClient, cell_id: str) -> None:
    answer = client.get(f"/api/cell/{cell_id}")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
