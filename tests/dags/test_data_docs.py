"""Data Docs on Airflow's server: for who is signed in, and nothing beside them."""

import runpy
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from smartcity.settings import ROOT


@pytest.fixture
def plugin(dags: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    monkeypatch.setenv("TRAFFIC_HOME", str(tmp_path))
    (tmp_path / "data_docs").mkdir()
    (tmp_path / "data_docs" / "index.html").write_text("<h1>Data-quality gates</h1>")
    (tmp_path / "secret.html").write_text("no")
    return runpy.run_path(str(ROOT / "dags" / "plugins" / "data_docs.py"))


def test_nobody_sees_them_unasked(plugin: dict) -> None:
    assert TestClient(plugin["app"]).get("/index.html").status_code == 401


def test_who_is_signed_in_sees_the_pages_and_no_file_beside_them(plugin: dict) -> None:
    plugin["app"].dependency_overrides[plugin["signed_in"]] = lambda: "anna"
    client = TestClient(plugin["app"])
    page = client.get("/index.html")
    assert (page.status_code, page.text) == (200, "<h1>Data-quality gates</h1>")
    assert page.headers["Content-Security-Policy"].startswith("sandbox")
    assert client.get("/%2e%2e/secret.html").status_code == client.get("/other.html").status_code == 404
