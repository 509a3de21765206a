"""Control of the replay through the API: with the token only, and only what the replay can do."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.context import Context
from smartcity.settings import Settings
from smartcity.store.replay import Wish, begin, wish_of
from tests.replays import NOON, figures

HEADERS = {"Authorization": "Bearer secret"}


def run_a_replay(context: Context, **changes: Any) -> None:
    begin(context.engine, Wish(0, False, None, 0, None), figures(**changes), keep=False)


@pytest.fixture
def asked(filled: Settings) -> Iterator[tuple[FlaskClient, Context]]:
    """A client of an API that has a token, and the API's parts."""
    settings = Settings(**{**filled.model_dump(), "api_token": "secret"})
    context = Context(settings)
    context.seed()
    yield create_app(settings, context).test_client(), context
    context.engine.dispose()


def test_without_a_replay_there_is_none(client: FlaskClient) -> None:
    answer = client.get("/api/replay").get_json()
    assert (answer["state"], answer["position_utc"], answer["events_sent"]) == ("none", None, 0)


def test_the_replay_is_told_as_it_reported(client: FlaskClient, context: Context) -> None:
    run_a_replay(context)
    answer = client.get("/api/replay").get_json()
    assert (answer["state"], answer["speed"], answer["position_utc"]) == ("running", 1.0, "2016-01-05T17:00:00Z")
    assert (answer["shifted_seconds"], answer["events_per_second"], answer["pending"]) == (12.5, 3.0, False)


def test_as_fast_as_it_can_is_no_number(client: FlaskClient, context: Context) -> None:
    run_a_replay(context, speed=float("inf"))
    assert client.get("/api/replay").get_json()["speed"] is None


def test_control_needs_a_token_even_on_the_loopback(client: FlaskClient, context: Context) -> None:
    run_a_replay(context)
    assert client.post("/api/replay", json={"action": "pause"}).status_code == 403
    assert wish_of(context.engine) == Wish(0, False, None, 0, None)


def test_control_needs_the_right_token(asked: tuple[FlaskClient, Context]) -> None:
    client, context = asked
    run_a_replay(context)
    wrong = {"Authorization": "Bearer wrong"}
    assert client.post("/api/replay", json={"action": "pause"}, headers=wrong).status_code == 401
    answer = client.post("/api/replay", json={"action": "pause"}, headers=HEADERS)
    assert (answer.status_code, answer.get_json()["pending"]) == (202, True)
    wished = wish_of(context.engine)
    assert wished is not None
    assert wished.paused


def test_a_seek_and_a_speed_are_passed_on(asked: tuple[FlaskClient, Context]) -> None:
    client, context = asked
    run_a_replay(context)
    client.post("/api/replay", json={"action": "seek", "to": "2016-01-05T08:00:00-05:00"}, headers=HEADERS)
    client.post("/api/replay", json={"action": "speed", "speed": 60}, headers=HEADERS)
    assert wish_of(context.engine) == Wish(2, False, 60.0, 1, NOON - timedelta(hours=4))


@pytest.mark.parametrize(
    ("order", "status", "message"),
    [
        ({"action": "seek"}, 400, "to"),
        ({"action": "pause", "speed": 3}, 400, "speed"),
        ({"action": "speed", "speed": 5000}, 400, "speed"),
        ({"action": "seek", "to": "2016-01-05T08:00:00"}, 400, "to"),
        ({"action": "rewind"}, 400, "action"),
        ({"action": "seek", "to": "2016-03-05T08:00:00Z"}, 409, "not in this replay"),
        ({"action": "speed", "speed": "max"}, 409, "runs with the clock"),
    ],
)
def test_what_cannot_be_done_is_said(asked: Any, order: dict[str, Any], status: int, message: str) -> None:
    client, context = asked
    run_a_replay(context)
    answer = client.post("/api/replay", json=order, headers=HEADERS)
    assert (answer.status_code, message in answer.get_json()["detail"]) == (status, True)


def test_without_a_replay_there_is_nothing_to_control(asked: tuple[FlaskClient, Context]) -> None:
    answer = asked[0].post("/api/replay", json={"action": "pause"}, headers=HEADERS)
    assert (answer.status_code, "./traffic replay" in answer.get_json()["detail"]) == (409, True)
