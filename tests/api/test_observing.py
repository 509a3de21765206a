import json
import logging
import re

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from api.context import Context
from api.observing import JsonFormatter


def figures(client: FlaskClient) -> dict[str, float]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        sample.name + "".join(f"|{value}" for value in sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_figures_are_those_of_the_city_and_of_the_requests_made(client: FlaskClient) -> None:
    client.get("/api/current-traffic")
    client.get("/api/nothing")
    client.get("/api/cell/882a1008cbfffff")
    found = figures(client)
    assert found["traffic_cells_known"] == 2
    assert found["traffic_congested_share"] == 0.5
    assert found["traffic_events_rejected_total"] == 8
    assert found["traffic_http_requests_total|GET|/api/current-traffic|200"] == 1
    assert found["traffic_http_requests_total|GET|none|404"] == 1
    # By rule, not by path: what is asked for does not make new series.
    assert found["traffic_http_request_seconds_count|/api/cell/<cell_id>"] == 1


def test_every_panel_of_the_dashboard_asks_for_a_figure_that_is_there(client: FlaskClient) -> None:
    from smartcity.settings import ROOT
    from streaming.metrics import StreamMetrics

    client.get("/api/stats")
    known = {name.partition("|")[0] for name in figures(client)} | {
        "traffic_live_accuracy", "traffic_persistence_accuracy", "traffic_delay_seconds",
    }  # fmt: skip
    own = {family.name for family in StreamMetrics().registry.collect()}
    known |= {name + end for name in own for end in ("", "_total", "_bucket")}
    dashboard = json.loads((ROOT / "docker" / "grafana-dashboard.json").read_text())
    asked = re.findall(r"traffic_\w+", json.dumps([panel["targets"] for panel in dashboard["panels"]]))
    assert asked
    assert set(asked) <= known


@pytest.mark.parametrize("given", ["abc-123", "7f.x_1"])
def test_a_request_keeps_the_id_it_came_with(client: FlaskClient, given: str) -> None:
    assert client.get("/api/stats", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "{}"])
def test_what_is_no_id_is_replaced(client: FlaskClient, given: str) -> None:
    made = client.get("/api/stats", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert re.fullmatch("[0-9a-f]{16}", made)


def test_a_bug_is_found_in_the_log_by_the_id_that_the_client_was_given(
    client: FlaskClient, context: Context, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("secret path")

    monkeypatch.setattr(context, "summary", fail)
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(JsonFormatter().format(record))
    logging.getLogger("api.problems").addHandler(handler)
    try:
        answer = client.get("/api/stats", headers={"X-Request-Id": "find-me"})
    finally:
        logging.getLogger("api.problems").removeHandler(handler)
    assert answer.status_code == 500
    (line,) = [json.loads(line) for line in lines]
    assert (line["request_id"], line["level"]) == ("find-me", "error")
    assert "secret path" in line["exception"]
    assert "secret" not in answer.text
