import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.fastpath import FastPath
from tests.api.rows import FAST, scored

OF_ITS_OWN = {"X-Request-Id"}


def headers(answer) -> dict[str, str]:
    found = {name: value for name, value in answer.headers.items() if name not in OF_ITS_OWN}
    return {**found, "Vary": sorted(found["Vary"].replace(" ", "").split(","))}


@pytest.mark.parametrize("encoding", ["", "gzip", "gzip, deflate, br"])
@pytest.mark.parametrize("unchanged", [False, True])
def test_the_short_way_answers_as_the_long_one(app: Flask, encoding: str, unchanged: bool) -> None:
    short = app.test_client()
    tag = short.get("/api/current-traffic").headers["ETag"]
    asked = {"Accept-Encoding": encoding, **({"If-None-Match": tag} if unchanged else {})}
    one = short.get("/api/current-traffic", headers=asked)
    assert isinstance(app.wsgi_app, FastPath)
    # A wish that amounts to the same, and is not ordinary.
    other = short.get("/api/current-traffic", headers={**asked, "Accept": "application/json, */*;q=0.1"})
    assert (one.status_code, one.data) == (other.status_code, other.data)
    assert headers(one) == {**headers(other), "Vary": headers(one)["Vary"]}
    assert set(headers(one)["Vary"]) >= set(headers(other)["Vary"])


def test_a_change_is_seen_at_once(client: FlaskClient, context) -> None:
    before = client.get("/api/current-traffic")
    context.state.apply([scored(FAST, -1, 0.4, "high")])
    after = client.get("/api/current-traffic", headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, after.json["cells"][0]["cell_id"]) == (
        200,
        min(FAST, *(c["cell_id"] for c in before.json["cells"])),
    )
