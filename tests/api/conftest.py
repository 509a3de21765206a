"""An API over a temporary SQLite, filled through the real tables; no broker: readers are driven by hand."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import WSGIRequestHandler, make_server

from api.app import create_app
from api.context import Context
from smartcity.settings import Settings
from tests.api.rows import fill


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    # Port 1 answers nobody: the readers stay without a broker.
    return Settings(
        home=tmp_path, kafka_bootstrap="127.0.0.1:1", push_seconds=0.2, mlflow_tracking_uri="http://127.0.0.1:1"
    )


@pytest.fixture
def filled(settings: Settings) -> Settings:
    """Two hours of three cells, as ``rows.fill`` says."""
    fill(settings)
    return settings


@pytest.fixture
def context(filled: Settings) -> Iterator[Context]:
    context = Context(filled)
    context.seed()
    context.refresh_progress()
    context.accuracy.refresh()
    yield context
    context.engine.dispose()


@pytest.fixture
def app(context: Context) -> Flask:
    return create_app(context.settings, context)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


class Handler(WSGIRequestHandler):
    """Takes it quietly that a WebSocket's connection was handed over, as the real server does."""

    def handle(self) -> None:
        with suppress(OSError):
            super().handle()

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()


@dataclass
class Running:
    context: Context
    port: int


@pytest.fixture
def running(app: Flask, context: Context) -> Iterator[Running]:
    """The application behind a real threaded HTTP server, its pusher at work."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    context.loop.start()
    context.pusher.start()
    yield Running(context, server.server_port)
    context.pusher.stop()
    context.loop.stop()
    server.shutdown()
    serving.join(5)
