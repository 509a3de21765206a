import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest
from flask.testing import FlaskClient

from api import background
from api.app import create_app
from api.context import Context
from api.endpoint import ENDPOINTS
from smartcity.city import City, PlaceKind
from smartcity.events import encode_fields
from smartcity.ground import ground_of
from smartcity.lake import Dataset
from smartcity.sensors import save_places
from smartcity.settings import Settings
from tests.api.rows import SLOW
from tests.api.tables import trips_table


def resolve(document: dict, schema: dict) -> dict:
    return {**schema, "components": document["components"]}


def test_every_endpoint_answers_as_the_openapi_document_says(client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").json
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {
        "/api/health", "/api/current-traffic", "/api/predictions", "/api/historical", "/api/hotspots",
        "/api/cell/{cell_id}", "/api/stats", "/api/accuracy", "/api/config",
        "/api/alert-rules", "/api/alert-rules/{rule_id}", "/api/alerts", "/api/model/rollback", "/api/replay",
    }  # fmt: skip
    for path, item in document["paths"].items():
        if "get" not in item:
            continue
        answer = client.get(path.format(cell_id=SLOW))
        media = item["get"]["responses"][str(answer.status_code)]["content"]["application/json"]
        jsonschema.validate(answer.json, resolve(document, media["schema"]), jsonschema.Draft202012Validator)


def test_the_document_describes_every_query_parameter_that_is_accepted(client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").json
    for endpoint in ENDPOINTS:
        described = {
            item["name"]
            for item in document["paths"][endpoint.path][endpoint.method.lower()]["parameters"]
            if item["in"] == "query"
        }
        assert described == {field.alias or name for name, field in endpoint.query.model_fields.items()}


def test_every_example_is_what_its_schema_says(client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").json
    checked = 0
    for item in document["paths"].values():
        for operation in item.values():
            contents = [answer.get("content", {}) for answer in operation["responses"].values()]
            contents.append(operation.get("requestBody", {}).get("content", {}))
            for media in (one for content in contents for one in content.values() if "example" in one):
                schema = resolve(document, media["schema"])
                jsonschema.validate(media["example"], schema, jsonschema.Draft202012Validator)
                checked += 1
    assert checked >= 6


def test_every_reference_in_the_document_resolves(client: FlaskClient) -> None:
    text = client.get("/api/openapi.json").text
    schemas = json.loads(text)["components"]["schemas"]
    assert set(re.findall(r'"#/components/schemas/(\w+)"', text)) <= set(schemas)
    assert {"Snapshot", "Update", "ProblemDetails"} <= set(schemas)


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.add(tag)
        self.found += [value for name, value in attrs if name in ("href", "src")]


def test_the_docs_page_works_offline_and_its_links_lead_somewhere(client: FlaskClient) -> None:
    page = client.get("/api/docs").text
    links = Links()
    links.feed(page)
    assert "script" not in links.tags
    for link in links.found:
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in page, link
        elif link != "data:,":  # the empty icon, so that no browser asks for /favicon.ico
            assert client.get(link).status_code in (200, 503), link


def test_stats_join_live_figures_with_those_of_the_lake(client: FlaskClient, context: Context) -> None:
    context.dataset.trips.write(trips_table(3))
    context.refresh_lake()
    stats = client.get("/api/stats").json
    assert stats["trips"] == 3
    assert stats["lake_bytes"] > 500
    assert stats["cells"] == 3
    assert (stats["congested_share"], stats["forecast_congested_share"]) == (0.5, 0.4)
    assert (stats["events_total"], stats["events_rejected"], stats["lag_events"]) == (100, 8, 12)
    assert stats["model_version"] == "3"
    # Windows 9 to 59 ago have an outcome: FAST is always right; SLOW was medium and stayed so for 22 of them, which
    # were all foretold high.
    assert stats["scored_forecasts"] == 102
    assert stats["live_accuracy"] == pytest.approx((51 + 29) / 102, abs=1e-4)
    assert stats["persistence_accuracy"] == pytest.approx((51 + 43) / 102, abs=1e-4)


def test_the_accuracy_over_time_adds_up_to_that_of_the_stats(client: FlaskClient) -> None:
    series = client.get("/api/accuracy").json["series"]
    # Two places in each of 51 windows, from 15:18 on.
    assert [step["time_utc"] for step in series] == [
        f"2026-03-03T{clock}:00Z" for clock in ("15:15", "15:30", "15:45", "16:00", "16:15", "16:30", "16:45")
    ]
    assert sum(step["scored"] for step in series) == 102
    right = sum(step["scored"] * step["accuracy"] for step in series)
    same = sum(step["scored"] * step["persistence_accuracy"] for step in series)
    assert (right, same) == (pytest.approx(51 + 29, abs=0.1), pytest.approx(51 + 43, abs=0.1))


def test_config_describes_the_city_the_levels_and_what_answers(client: FlaskClient, context: Context) -> None:
    config = client.get("/api/config").json
    assert config["city"]["time_zone"] == "America/New_York"
    assert config["levels"] == {"low_from_ratio": 0.75, "high_below_ratio": 0.5, "min_vehicles": 3}
    links = {"mlflow": None, "airflow": None, "data_docs": None, "kafka_ui": None, "api_docs": "/api/docs"}
    assert config["links"] == links
    assert (config["units"], config["map_style"]) == ("imperial", None)
    assert (config["outline"], config["places"]) == (None, {})
    context.dataset.put_json("ground.json", ground_of([SLOW]))
    context.refresh_lake()
    assert client.get("/api/config").json["outline"] == ground_of([SLOW])
    context.dataset.put_json("outline.json", {"type": "FeatureCollection", "features": []})
    context.refresh_lake()
    assert client.get("/api/config").json["outline"] == {"type": "FeatureCollection", "features": []}


def test_config_says_where_sensors_stand_and_their_readings_are_no_vehicles(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, kafka_bootstrap="127.0.0.1:1", city=City(place_kind=PlaceKind.SENSOR))
    save_places(Dataset.of(settings), {"773869": (34.15, -118.31)})
    context = Context(settings)
    config = create_app(settings, context).test_client().get("/api/config").json
    assert config["city"]["place_kind"] == "sensor"
    assert config["places"] == {"773869": {"latitude": 34.15, "longitude": -118.31}}
    reading = encode_fields("773869", datetime.now(UTC), 40.7, -74.0, 60.0, None)
    context.vehicles.apply([(b"773869", reading)])
    assert context.vehicles.all() == []


def test_links_are_those_that_answer(client: FlaskClient, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "answers", lambda address: address == context.settings.mlflow)
    (context.settings.home / "data_docs").mkdir()
    (context.settings.home / "data_docs" / "index.html").write_text("<h1>Data Docs</h1>")
    context.refresh_links()
    links = client.get("/api/config").json["links"]
    # It answers, but no more: the list of experiments.
    assert links["mlflow"] == "http://127.0.0.1:1/#/experiments?workflowType=machine_learning"
    assert links["airflow"] is None
    assert "Data Docs" in client.get(links["data_docs"]).text


def test_health_says_which_part_is_stale(client: FlaskClient, context: Context) -> None:
    for reader in (context.events, context.positions):
        reader.connected = True
        reader._take([])
    answer = client.get("/api/health")
    assert answer.status_code == 200
    assert answer.json["status"] == "ready"
    old = datetime.now(UTC) - timedelta(minutes=5)
    context.progress = {"windows": {**context.progress["windows"], "updated_utc": old}}
    answer = client.get("/api/health").json
    assert (answer["status"], answer["ready"], answer["parts"]["stream"]["status"]) == ("stale", True, "stale")
    assert answer["parts"]["stream"]["age_seconds"] == pytest.approx(300, abs=30)


def test_pages_and_assets_are_served_compressed_where_a_compressed_file_is_there(
    client: FlaskClient, context: Context, tmp_path: Path
) -> None:
    assets = tmp_path / "dist" / "assets"
    assets.mkdir(parents=True)
    (tmp_path / "dist" / "index.html").write_text("<h1>landing</h1>")
    (tmp_path / "dist" / "dashboard.html").write_text("<h1>dashboard</h1>")
    (assets / "app.js").write_text("plain")
    (assets / "app.js.gz").write_bytes(b"packed")
    context.frontend = tmp_path / "dist"
    assert "landing" in client.get("/").text
    assert "dashboard" in client.get("/dashboard?view=1").text
    packed = client.get("/assets/app.js", headers={"Accept-Encoding": "gzip"})
    assert (packed.data, packed.headers["Content-Encoding"], packed.mimetype) == (b"packed", "gzip", "text/javascript")
    plain = client.get("/assets/app.js")
    assert (plain.data, plain.headers["Cache-Control"]) == (b"plain", "no-cache")
    again = client.get("/assets/app.js", headers={"If-None-Match": plain.headers["ETag"]})
    assert again.status_code == 304


def test_a_restart_shows_the_city_at_once(context: Context) -> None:
    restarted = Context(context.settings)
    restarted.seed()
    assert len(restarted.state.view()[1]) == 3


def test_an_unreachable_database_does_not_keep_the_api_from_starting(context: Context, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=f"sqlite:///{tmp_path}")
    broken = Context(settings)
    broken.seed()
    assert broken.state.view()[1] == {}
