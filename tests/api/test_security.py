import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.binding import is_loopback
from api.context import Context
from smartcity.errors import SettingsError
from smartcity.settings import Settings

TOKEN = "0123456789abcdef"


@pytest.fixture
def guarded(filled: Settings) -> FlaskClient:
    settings = filled.model_copy(update={"bind_host": "0.0.0.0"})
    settings = Settings(**{**settings.model_dump(), "api_token": TOKEN})
    context = Context(settings)
    context.seed()
    return create_app(settings, context).test_client()


def test_beyond_the_loopback_there_must_be_a_token(filled: Settings) -> None:
    with pytest.raises(SettingsError, match="TRAFFIC_API_TOKEN"):
        create_app(filled.model_copy(update={"bind_host": "192.168.1.5"}))


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],
)
def test_knows_the_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"}]
)
@pytest.mark.parametrize("url", ["/api/current-traffic", "/api/docs", "/dashboard", "/nothing", "/ws/stream"])
def test_without_the_token_nothing_is_told(guarded: FlaskClient, headers: dict[str, str], url: str) -> None:
    answer = guarded.get(url, headers=headers)
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert "Bearer" in answer.headers["WWW-Authenticate"]


def test_with_the_token_all_is_open(guarded: FlaskClient) -> None:
    answer = guarded.get("/api/current-traffic", headers={"Authorization": f"Bearer {TOKEN}"})
    assert len(answer.json["cells"]) == 3


def test_health_needs_no_token(guarded: FlaskClient) -> None:
    assert guarded.get("/api/health?check=live").status_code == 200


def test_a_browser_shows_the_token_once_and_then_has_a_cookie(guarded: FlaskClient) -> None:
    answer = guarded.get(f"/dashboard?token={TOKEN}")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard")
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert "SameSite=Strict" in answer.headers["Set-Cookie"]
    assert guarded.get("/api/stats").status_code == 200


@pytest.mark.parametrize("path", ["/dashboard", "/api/current-traffic"])
def test_pages_may_ask_the_host_of_the_maps_style_and_no_other(filled: Settings, path: str) -> None:
    context = Context(filled.model_copy(update={"map_style": "https://tiles.example:8443/styles/light.json"}))
    context.seed()
    client = create_app(context.settings, context).test_client()
    policy = client.get(path).headers["Content-Security-Policy"]
    open_for = {part.split()[0]: part.split()[1:] for part in policy.split("; ")}
    assert {name for name, hosts in open_for.items() if any("//" in host for host in hosts)} == {
        "img-src",
        "connect-src",
    }
    assert "https://tiles.example:8443" in open_for["connect-src"]
    assert client.get("/api/config").get_json()["map_style"] == "https://tiles.example:8443/styles/light.json"


@pytest.mark.parametrize(
    "style", ["tiles.example/style.json", "javascript:alert(1)", "https://a.example; script-src *"]
)
def test_a_map_style_that_is_no_address_is_refused(filled: Settings, style: str) -> None:
    with pytest.raises(SettingsError, match="TRAFFIC_MAP_STYLE"):
        create_app(filled.model_copy(update={"map_style": style}))
