import csv
import io

import pytest
from flask.testing import FlaskClient

from tests.api.rows import FAST, QUIET, SLOW


def table(text: str) -> list[dict]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(
    ("path", "rows"),
    [("current-traffic", 3), ("predictions", 2), ("hotspots", 2), ("historical", 69), (f"cell/{SLOW}", 68)],
)
def test_csv_has_one_line_for_each_row(client: FlaskClient, path: str, rows: int) -> None:
    answer = client.get(f"/api/{path}?format=csv")
    assert answer.mimetype == "text/csv"
    assert abs(len(table(answer.text)) - rows) <= 1


def test_csv_columns_name_nested_fields(client: FlaskClient) -> None:
    row = next(row for row in table(client.get("/api/hotspots?format=csv").text) if row["cell_id"] == SLOW)
    assert (row["rank"], row["level"], row["forecast_level"]) == ("1", "high", "high")
    assert client.get("/api/current-traffic?format=csv&cells=nowhere").text.startswith("cell_id,window_start_utc,")


@pytest.mark.parametrize("path", ["current-traffic", "predictions", "hotspots"])
def test_geojson_draws_each_cell_as_its_hexagon(client: FlaskClient, path: str) -> None:
    answer = client.get(f"/api/{path}?format=geojson&cells={SLOW}")
    assert answer.mimetype == "application/geo+json"
    (feature,) = answer.json["features"]
    (ring,) = feature["geometry"]["coordinates"]
    assert (feature["id"], len(ring), ring[0] == ring[-1]) == (SLOW, 7, True)
    assert feature["properties"]["cell_id"] == SLOW


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        ("text/csv", "text/csv"),
        ("application/geo+json;q=0.9, text/csv;q=0.1", "application/geo+json"),
        ("*/*", "application/json"),
        ("text/html,application/xml;q=0.9", "application/json"),
    ],
)
def test_accept_chooses_the_format(client: FlaskClient, accept: str, given: str) -> None:
    answer = client.get("/api/current-traffic", headers={"Accept": accept})
    assert answer.mimetype == given
    assert "Accept" in answer.headers["Vary"]


def test_a_format_that_an_endpoint_has_not_is_a_problem_406(client: FlaskClient) -> None:
    assert client.get("/api/historical?format=geojson").status_code == 406


@pytest.mark.parametrize("path", ["current-traffic", "predictions"])
def test_pages_follow_one_another_until_there_is_no_more(client: FlaskClient, path: str) -> None:
    seen, cursor = [], None
    for _ in range(5):
        answer = client.get(f"/api/{path}", query_string={"limit": 1, **({"cursor": cursor} if cursor else {})}).json
        seen += [row["cell_id"] for row in answer.get("cells", answer.get("predictions"))]
        if (cursor := answer["next_cursor"]) is None:
            break
    assert seen == sorted({FAST, SLOW, QUIET} if path == "current-traffic" else {FAST, SLOW})


def test_pages_of_a_series_follow_one_another(client: FlaskClient) -> None:
    first = client.get("/api/historical?limit=10").json
    second = client.get("/api/historical", query_string={"limit": 10, "cursor": first["next_cursor"]}).json
    whole = client.get("/api/historical").json
    assert first["series"] + second["series"] == whole["series"][:20]


@pytest.mark.parametrize("path", ["predictions", "historical", "hotspots", f"cell/{SLOW}", "config"])
def test_every_answer_can_be_asked_for_again_for_nothing(client: FlaskClient, path: str) -> None:
    answer = client.get(f"/api/{path}")
    assert answer.headers["Cache-Control"] == "no-cache"
    again = client.get(f"/api/{path}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
