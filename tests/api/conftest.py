"""An API over a temporary SQLite, filled through the real tables; no broker: readers are driven by hand."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import WSGIRequestHandler, make_server

from api.app import create_app
from api.context import Context
from smartcity.settings import Settings
from smartcity.store.engine import create_all, create_engine
from smartcity.store.tables import WINDOWS_QUERY
from smartcity.store.writer import BatchFigures, record_progress, upsert_windows, window_row
from tests.api.rows import FAST, NOW, QUIET, SLOW, SUMS, scored


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    # Port 1 answers nobody: the readers stay without a broker.
    return Settings(
        home=tmp_path, kafka_bootstrap="127.0.0.1:1", push_seconds=0.2, mlflow_tracking_uri="http://127.0.0.1:1"
    )


@pytest.fixture
def filled(settings: Settings) -> Settings:
    """Two hours of three cells: FAST stays low, SLOW turns from medium to high an hour ago, QUIET is unknown."""
    engine = create_engine(settings)
    create_all(engine)
    windows = []
    for step in range(60):
        windows.append(scored(FAST, step, 0.90, "low", forecast="low"))
        slow = (0.60, "medium") if step >= 30 else (0.40, "high")
        windows.append(scored(SLOW, step, *slow, forecast="high"))
        windows.append(scored(QUIET, step, None, "unknown", forecast=None))
    with engine.begin() as connection:
        upsert_windows(connection, [window_row(window, SUMS) for window in windows])
        figures = BatchFigures(
            batch_id=7,
            updated_utc=datetime.now(UTC),
            newest_event_utc=NOW,
            input_rows=100,
            good=90,
            rejected=8,
            input_rows_per_second=50.0,
            batch_seconds=0.5,
            lag_events=12,
            model_version="3",
        )
        record_progress(connection, WINDOWS_QUERY, figures)
    engine.dispose()
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
