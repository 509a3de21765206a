import hmac

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from api import lakehistory, security
from api.app import create_app
from api.context import Context
from api.problems import Problem
from api.ratelimit import RateLimit, network_of
from smartcity.errors import SettingsError
from smartcity.settings import Settings

PAGE = "https://app.example"


def client_with(filled: Settings, **settings: object) -> FlaskClient:
    made = Settings(**{**filled.model_dump(), **settings})
    context = Context(made)
    context.seed()
    return create_app(made, context).test_client()


def test_a_bucket_empties_and_fills_again() -> None:
    now = [0.0]
    limit = RateLimit(2.0, 3, lambda: now[0])
    assert [limit.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert limit.take("b") == 0.0
    now[0] = 0.5
    assert limit.take("a") == 0.0
    assert limit.refused == 1


@pytest.mark.parametrize(
    ("address", "network"),
    [("10.0.0.1", "10.0.0.1"), ("2001:db8::1", "2001:db8::/64"), ("::ffff:10.0.0.1", "10.0.0.1"), (None, "?")],
)
def test_an_address_stands_for_whoever_holds_it(address: str | None, network: str) -> None:
    assert network_of(address) == network


def test_too_many_requests_are_a_problem_429_that_says_when_to_come_again(filled: Settings) -> None:
    client = client_with(filled, rate_per_second=0.5, rate_burst=2)
    answers = [client.get("/api/stats") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].mimetype == "application/problem+json"
    assert int(answers[2].headers["Retry-After"]) in (1, 2)


def test_guessing_a_token_costs_more_than_asking(filled: Settings) -> None:
    client = client_with(filled, rate_per_second=1.0, rate_burst=60, api_token="right")
    answers = [client.get("/api/stats", headers={"Authorization": f"Bearer {n}"}).status_code for n in range(5)]
    assert answers == [401, 401, 401, 429, 429]


def test_tokens_are_compared_in_constant_time(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    real = hmac.compare_digest
    monkeypatch.setattr(security.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or real(a, b))
    client = client_with(filled, api_token="right")
    assert client.get("/api/stats", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert (b"wrong", b"right") in compared


def test_behind_a_proxy_that_is_trusted_each_client_has_a_bucket_of_its_own(filled: Settings) -> None:
    def statuses(**settings: object) -> list[int]:
        client = client_with(filled, rate_per_second=0.001, rate_burst=1, **settings)
        asked = [{"X-Forwarded-For": f"203.0.113.{n}"} for n in range(2)]
        return [client.get("/api/stats", headers=headers).status_code for headers in asked]

    assert statuses(trusted_proxies=1) == [200, 200]
    # Not trusted, the header could be anybody's invention.
    assert statuses() == [200, 429]


def test_other_pages_are_let_in_where_the_setting_names_them(filled: Settings) -> None:
    client = client_with(filled, cors_origins=f"{PAGE}, http://localhost:3000")
    answer = client.get("/api/stats", headers={"Origin": PAGE})
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Origin" in answer.headers["Vary"]
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    before = client.options("/api/alert-rules", headers=asked)
    assert (before.status_code, before.headers["Access-Control-Allow-Origin"]) == (204, PAGE)
    other = client.get("/api/stats", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in other.headers


def test_without_the_setting_no_other_page_reads_or_changes_anything(client: FlaskClient) -> None:
    headers = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    assert "Access-Control-Allow-Origin" not in client.options("/api/alert-rules", headers=headers).headers
    answer = client.post("/api/alert-rules", json={"name": "x"}, headers={"Origin": PAGE})
    assert (answer.status_code, answer.mimetype) == (403, "application/problem+json")


def test_an_origin_that_is_none_is_refused_at_the_start(filled: Settings) -> None:
    with pytest.raises(SettingsError, match="TRAFFIC_CORS_ORIGINS"):
        client_with(filled, cors_origins="*")


def test_a_body_beyond_the_limit_is_refused_unread(client: FlaskClient) -> None:
    answer = client.post("/api/alert-rules", data=b"x" * 100_000, content_type="application/json")
    assert (answer.status_code, answer.mimetype) == (413, "application/problem+json")


def test_a_question_that_takes_too_long_is_given_up_and_said_so(
    filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.context.STATEMENT_SECONDS", 0.1)
    context = Context(filled)
    endless = "with recursive n(x) as (select 1 union all select x + 1 from n) select max(x) from n"

    def ask() -> None:
        with context.engine.connect() as connection:
            connection.execute(text(endless))

    app = create_app(filled, context)
    app.add_url_rule("/endless", view_func=ask)
    client = app.test_client()
    answer = client.get("/endless")
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert "takes too long" in answer.json["detail"]
    # The connection goes on serving others.
    assert client.get("/api/historical").json["series"] != []


def test_a_question_to_the_lake_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lakehistory, "MOST_SECONDS", 0.1)
    with pytest.raises(Problem, match="takes too long"), lakehistory._connect() as connection:
        connection.execute("select count(*) from range(10000000000) a, range(10000000000) b where a.range < b.range")
