import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from api.context import Context


def problem(client: FlaskClient, url: str, status: int) -> dict:
    answer = client.get(url)
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["instance"] == url.partition("?")[0]
    return answer.json


@pytest.mark.parametrize(
    ("query", "parameter", "words"),
    [
        ("current-traffic?bbox=1,2,3", "bbox", "four numbers"),
        ("current-traffic?bbox=a,b,c,d", "bbox", "could not convert"),
        ("current-traffic?bbox=-73,40,-74,41", "bbox", "west < east"),
        ("current-traffic?bbox=-73,40,-72,nan", "bbox", ""),
        ("current-traffic?level=awful", "level", "'low', 'medium', 'high'"),
        ("current-traffic?min_vehicles=-1", "min_vehicles", "greater than or equal to 0"),
        ("current-traffic?limit=0", "limit", "greater than or equal to 1"),
        ("current-traffic?colour=red", "colour", "unknown parameter"),
        ("current-traffic?limit=1&limit=2", "limit", "more than once"),
        ("predictions?limit=x", "limit", "integer"),
        ("historical?from=yesterday", "from", "datetime"),
        ("historical?from=2026-03-03T10:00:00", "from", "timezone"),
        ("historical?from=2026-03-03T10:00:00Z&to=2026-03-03T09:00:00Z", "query", "earlier"),
        ("historical?step_minutes=1", "step_minutes", "shorter than a window"),
        ("historical?from=2000-01-01T00:00:00Z&step_minutes=2", "step_minutes", "at most 5000"),
        ("cell/882a1008cbfffff?hours=0", "hours", "greater than 0"),
        ("health?check=maybe", "check", "'ready' or 'live'"),
        ("stats?x=1", "x", "unknown parameter"),
    ],
)
def test_a_wrong_parameter_is_named(client: FlaskClient, query: str, parameter: str, words: str) -> None:
    answer = problem(client, f"/api/{query}", 400)
    assert [error["parameter"] for error in answer["errors"]] == [parameter]
    assert words in answer["errors"][0]["message"]


@pytest.mark.parametrize(
    "url", ["/api/nothing", "/nothing", "/api/", "/assets/none.js", "/assets/..%2f..%2fpackage.json"]
)
def test_what_is_not_there_is_a_problem_404(client: FlaskClient, url: str) -> None:
    answer = client.get(url)
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_another_method_is_a_problem_405(client: FlaskClient, method: str) -> None:
    answer = getattr(client, method)("/api/stats")
    assert (answer.status_code, answer.mimetype) == (405, "application/problem+json")
    assert "GET" in answer.headers["Allow"]


def test_a_bug_is_a_problem_500_without_its_cause(
    client: FlaskClient, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("secret path /home/someone")

    monkeypatch.setattr(context, "summary", fail)
    answer = problem(client, "/api/stats", 500)
    assert "secret" not in str(answer)
    assert "RuntimeError" not in str(answer)


def test_a_broken_database_is_a_problem_503_and_live_data_goes_on(client: FlaskClient, context: Context) -> None:
    with context.engine.begin() as connection:
        connection.execute(text("drop table scored_windows"))
    answer = problem(client, "/api/historical", 503)
    assert "scored_windows" not in str(answer)
    assert client.get("/api/current-traffic").status_code == 200


def test_every_answer_carries_security_headers(client: FlaskClient, app: Flask) -> None:
    for url in ("/api/stats", "/api/nothing", "/api/docs"):
        headers = client.get(url).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert "worker-src 'self' blob:" in headers["Content-Security-Policy"]
