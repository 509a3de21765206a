import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from api import deliveries
from api.alerts import Alerts, Seen, Watch, look, step
from api.context import Context
from api.deliveries import Deliveries, Refused, address_of, verify
from smartcity.store.tables import AlertRule, DeliveryRow
from tests.api.rows import FAST, NOW, QUIET, SLOW, scored

MINUTE = timedelta(minutes=1)


def rule(**fields) -> AlertRule:
    values = {
        "id": "r", "name": "Harlem", "cells": None, "bbox": None, "looks_at": "now", "level": "high",
        "min_share": 0.5, "clear_share": 0.3, "min_minutes": 4, "clear_minutes": 2, "webhook_url": None,
    }  # fmt: skip
    return AlertRule(**{**values, **fields})


def run(shares: list[float | None], alert_rule: AlertRule) -> list[bool]:
    """Raised or not after each look, two minutes apart."""
    watch, states = Watch(), []
    for number, share in enumerate(shares):
        seen = None if share is None else Seen(share, ())
        watch = step(alert_rule, watch, seen, NOW + number * 2 * MINUTE)
        states.append(watch.raised)
    return states


@pytest.mark.parametrize(
    ("shares", "states"),
    [
        ([0.6, 0.6, 0.6], [False, False, True]),
        ([0.6, 0.4, 0.6, 0.6], [False, False, False, False]),
        # Between the two shares nothing changes: that is the hysteresis.
        ([0.6, 0.6, 0.6, 0.4, 0.4, 0.4], [False, False, True, True, True, True]),
        ([0.6, 0.6, 0.6, 0.2, 0.4, 0.2, 0.2], [False, False, True, True, True, True, False]),
        # What is not known neither begins nor ends an alert.
        ([0.6, None, 0.6], [False, False, True]),
        ([0.6, 0.6, 0.6, None, None, None], [False, False, True, True, True, True]),
    ],
)
def test_an_alert_needs_time_to_begin_and_to_end(shares: list[float | None], states: list[bool]) -> None:
    assert run(shares, rule()) == states


def test_a_feed_that_starts_again_on_an_earlier_date_does_not_count_as_time() -> None:
    watch = step(rule(), Watch(), Seen(1.0, ()), NOW)
    watch = step(rule(), watch, Seen(1.0, ()), NOW - timedelta(days=3))
    assert watch == Watch(False, NOW - timedelta(days=3))


def test_a_rule_looks_at_its_known_cells_now_or_at_what_is_foretold(context: Context) -> None:
    windows = [
        scored(FAST, 0, 0.9, "low", forecast="high"),
        scored(SLOW, 0, 0.4, "high"),
        scored(QUIET, 0, None, "unknown"),
    ]
    assert look(rule(), windows, context.places) == Seen(0.5, (SLOW,))
    assert look(rule(looks_at="forecast"), windows, context.places) == Seen(1.0, (FAST,))
    assert look(rule(cells=[FAST]), windows, context.places) == Seen(0.0, ())
    assert look(rule(bbox=[-74.00, 40.74, -73.97, 40.77], level="low"), windows, context.places) == Seen(1.0, (FAST,))
    assert look(rule(cells=[QUIET]), windows, context.places) is None


def make(client: FlaskClient, **fields) -> dict:
    body = {"name": "Harlem", "cells": [SLOW], "min_minutes": 2, "clear_minutes": 0, **fields}
    answer = client.post("/api/alert-rules", json=body)
    assert answer.status_code == 201, answer.json
    return answer.json


def test_an_alert_is_kept_and_told_once_when_raised_and_once_when_over(client: FlaskClient, context: Context) -> None:
    made = make(client)
    context.judge_alerts()
    assert client.get("/api/alerts").json["alerts"] == []
    context.state.apply([scored(SLOW, -1, 0.4, "high")])
    context.judge_alerts()
    context.judge_alerts()
    (alert,) = client.get("/api/alerts?state=active").json["alerts"]
    assert (alert["rule_id"], alert["cells"], alert["cleared_utc"]) == (made["id"], [SLOW], None)
    context.state.apply([scored(SLOW, -2, 0.9, "low")])
    context.judge_alerts()
    assert client.get("/api/alerts?state=active").json["alerts"] == []
    (over,) = client.get("/api/alerts?state=cleared").json["alerts"]
    assert over["id"] == alert["id"]
    assert [message["event"] for message in context.alerts.drain()] == ["raised", "cleared"]


def test_a_raised_alert_survives_a_restart_and_is_not_told_again(client: FlaskClient, context: Context) -> None:
    make(client, min_minutes=0)
    context.judge_alerts()
    again = Alerts(context.engine, context.state, lambda: context.places)
    assert again.judge() == 0
    assert again.active == 1


def test_rules_can_be_listed_and_deleted_and_their_secret_is_shown_once(client: FlaskClient) -> None:
    made = make(client)
    assert [one["id"] for one in client.get("/api/alert-rules").json["rules"]] == [made["id"]]
    assert "webhook_secret" not in client.get("/api/alert-rules").json["rules"][0]
    assert client.delete(f"/api/alert-rules/{made['id']}").status_code == 204
    assert client.delete(f"/api/alert-rules/{made['id']}").status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "x", "colour": "red"}, "colour"),
        ({"name": "x", "bbox": [3, 1, 2, 4]}, "body"),
        ({"name": "x", "min_share": 0.2, "clear_share": 0.4}, "body"),
        ({"name": "x", "webhook_url": "file:///etc/passwd"}, "webhook_url"),
        ({"name": "x", "webhook_url": "http://127.0.0.1:9/"}, "webhook_url"),
        ({"name": "x", "webhook_url": "http://[::1/"}, "webhook_url"),
        ({"name": "x", "webhook_url": "https://n\u00bf\u009f.example/"}, "webhook_url"),
        ({"name": "x", "webhook_url": "http://example.org:99999/"}, "webhook_url"),
        ({"name": "x", "webhook_url": "http://169.254.169.254/latest/meta-data"}, "webhook_url"),
    ],
)
def test_a_wrong_rule_is_a_problem_that_names_the_field(client: FlaskClient, body: dict, field: str) -> None:
    answer = client.post("/api/alert-rules", json=body)
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    assert [error["parameter"] for error in answer.json["errors"]] == [field]


def test_what_is_no_json_is_a_problem(client: FlaskClient) -> None:
    assert client.post("/api/alert-rules", data="name=x").status_code == 415
    answer = client.post("/api/alert-rules", data="{", content_type="application/json")
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")


@pytest.mark.parametrize("address", ["http://127.0.0.1/", "http://[::1]/", "http://10.1.2.3/", "http://localhost/"])
def test_webhooks_do_not_go_inside_unless_that_is_set(address: str) -> None:
    with pytest.raises(Refused):
        address_of(address, private=False)
    assert address_of(address, private=True)


class Receiver(BaseHTTPRequestHandler):
    got: list[tuple[dict, bytes]]
    answers: list[int]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((dict(self.headers), body))
        self.send_response(self.answers.pop(0))
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[tuple[str, type[Receiver]]]:
    handler = type("Handler", (Receiver,), {"got": [], "answers": [500, 302, 200]})
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook?a=1", handler
    server.shutdown()


def test_a_webhook_is_signed_and_tried_again_until_it_is_taken(
    client: FlaskClient, context: Context, receiver: tuple[str, type[Receiver]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "settings", context.settings.model_copy(update={"webhook_private": True}))
    url, handler = receiver
    secret = make(client, webhook_url=url, min_minutes=0)["webhook_secret"]
    context.judge_alerts()
    sender = Deliveries(context.engine, private=True)
    for _ in range(4):
        sender.send_due()
        with context.engine.begin() as connection:
            connection.execute(
                update(DeliveryRow)
                .where(DeliveryRow.due_utc.is_not(None))
                .values(due_utc=datetime.now(UTC) - timedelta(seconds=1))
            )
    # Refused by an error, by a redirection (which is not followed), then taken; and not sent a fourth time.
    assert [headers["X-Traffic-Delivery"] for headers, _ in handler.got] == [
        handler.got[0][0]["X-Traffic-Delivery"]
    ] * 3
    headers, body = handler.got[-1]
    assert json.loads(body)["event"] == "raised"
    moment, signature = (part.split("=")[1] for part in headers["X-Traffic-Signature"].split(","))
    assert hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest() == signature
    assert verify(secret, body, headers["X-Traffic-Signature"], now=int(moment))
    assert not verify(secret, body + b" ", headers["X-Traffic-Signature"], now=int(moment))
    assert not verify(secret, body, headers["X-Traffic-Signature"], now=int(moment) + 3600)


def test_a_webhook_that_nobody_takes_is_given_up(
    client: FlaskClient, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "settings", context.settings.model_copy(update={"webhook_private": True}))
    monkeypatch.setattr(deliveries, "RETRY_SECONDS", (0, 0))
    make(client, webhook_url="http://127.0.0.1:1/", min_minutes=0)
    context.judge_alerts()
    sender = Deliveries(context.engine, private=True)
    for _ in range(5):
        sender.send_due()
    with context.engine.connect() as connection:
        (row,) = connection.execute(select(DeliveryRow.__table__)).mappings()
    assert (row["given_up"], row["attempts"], row["due_utc"]) == (True, 3, None)
    assert sender.failed == 1
