"""Rolling back the model: over HTTP, on MLflow's own store, with versions made by hand."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.blueprints import model
from api.client import ApiError, TrafficClient
from api.context import Context
from smartcity.errors import RegistryError
from smartcity.model import registry
from smartcity.settings import Settings
from smartcity.store import ledger
from tests.api.conftest import Handler
from tests.smartcity.model.test_versions import a_version

TOKEN = "0123456789abcdef"
WITH_TOKEN = {"Authorization": f"Bearer {TOKEN}"}
PATH = "/api/model/rollback"


def context_with(filled: Settings, **settings: object) -> Context:
    context = Context(Settings(**{**filled.model_dump(), **settings}))
    context.seed()
    return context


def client_with(filled: Settings, **settings: object) -> FlaskClient:
    context = context_with(filled, **settings)
    return create_app(context.settings, context).test_client()


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [(None, {}, 403), (None, WITH_TOKEN, 403), (TOKEN, {}, 401), (TOKEN, {"Authorization": "Bearer wrong"}, 401)],
)
def test_the_model_is_rolled_back_by_nobody_without_a_token_that_is_set(
    filled: Settings, monkeypatch: pytest.MonkeyPatch, token: str | None, headers: dict[str, str], status: int
) -> None:
    asked = []
    monkeypatch.setattr(registry, "roll_back", lambda *given: asked.append(given))
    answer = client_with(filled, api_token=token).post(PATH, json={"reason": "worse"}, headers=headers)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert asked == []


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x", "to": "3"}, {"reason": "x", "if_serving": "new"}])
def test_a_roll_back_says_why(filled: Settings, body: dict[str, str]) -> None:
    answer = client_with(filled, api_token=TOKEN).post(PATH, json=body, headers=WITH_TOKEN)
    assert (answer.status_code, len(answer.json["errors"])) == (400, 1)


def test_with_the_registry_down_the_model_goes_on_and_the_answer_says_so(
    filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the endpoint sets for its process, and this one is the tests'.
    for name in ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"):
        monkeypatch.setenv(name, os.environ.get(name, "0" if "RETRIES" in name else "5"))
    client = client_with(filled, api_token=TOKEN)
    answer = client.post(PATH, json={"reason": "worse"}, headers=WITH_TOKEN)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert "registry" in answer.json["detail"] and "127.0.0.1" not in answer.json["detail"]
    assert ledger.decisions(client.application.extensions["smartcity"].engine) == []


@pytest.fixture
def silent_registry() -> Iterator[str]:
    """It takes connections, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_registry_that_takes_too_long_is_not_waited_for_and_changes_nothing_later(
    filled: Settings, monkeypatch: pytest.MonkeyPatch, silent_registry: str
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "4")
    monkeypatch.setattr(model, "DEADLINE_SECONDS", 0.5)
    client = client_with(filled, api_token=TOKEN, mlflow_tracking_uri=silent_registry)
    answer = client.post(PATH, json={"reason": "worse"}, headers=WITH_TOKEN)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert "in time" in answer.json["detail"]
    again = client.post(PATH, json={"reason": "worse"}, headers=WITH_TOKEN)
    assert again.status_code == 409 and "under way" in again.json["detail"]
    [work] = [thread for thread in threading.enumerate() if thread.name == "roll-back"]
    work.join(60)
    # It is over, and the next one has its turn.
    assert client.post(PATH, json={"reason": "worse"}, headers=WITH_TOKEN).status_code == 503
    assert ledger.decisions(client.application.extensions["smartcity"].engine) == []


def test_a_roll_back_for_which_nobody_waits_any_more_changes_nothing(
    filled: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = context_with(filled, mlflow_tracking_uri=f"sqlite:///{tmp_path}/mlflow.db").settings
    folder = tmp_path / "version"
    folder.mkdir()
    try:
        first, second = (a_version(made, folder, score) for score in (0.9, 0.8))
    finally:
        mlflow.set_tracking_uri(None)
    for version in (first, second):
        registry.make_champion(made, version)
    with pytest.raises(RegistryError, match="nobody waits"):
        registry.roll_back(made, may=lambda: False)
    assert registry.champion_version(made) == second


def test_the_version_before_serves_again_once(
    filled: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from werkzeug.serving import make_server

    monkeypatch.chdir(tmp_path)
    store = f"sqlite:///{tmp_path}/mlflow.db"
    context = context_with(filled, api_token=TOKEN, mlflow_tracking_uri=store)
    made, folder = context.settings, tmp_path / "version"
    folder.mkdir()
    try:
        first, second = (a_version(made, folder, score) for score in (0.9, 0.8))
    finally:
        mlflow.set_tracking_uri(None)
    for version in (first, second):
        registry.make_champion(made, version)

    server = make_server("127.0.0.1", 0, create_app(made, context), threaded=True, request_handler=Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        client = TrafficClient(f"http://127.0.0.1:{server.server_port}", TOKEN)
        answer = client.roll_back_model("stands still and says it does not", if_serving=second)
        # No broker answers here: that is said, and undoes nothing.
        assert (answer.serving, answer.before, answer.announced) == (first, second, False)
        assert registry.champion_version(made) == first
        with pytest.raises(ApiError, match=f"409 Conflict: version {first} serves, not {second}"):
            client.roll_back_model("sent twice", if_serving=second)
        with pytest.raises(ApiError, match=r"409 Conflict: .*replaced no other"):
            client.roll_back_model("once more")
    finally:
        server.shutdown()
    (line,) = ledger.decisions(context.engine)
    assert (line["action"], line["version"], line["champion_before"]) == ("rollback", first, second)
    assert line["reason"] == "stands still and says it does not"
