"""The program itself, as it is started in earnest: ``python -m api``."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import socketio
import websocket

from smartcity.services.ports import free_port
from smartcity.settings import ROOT, Settings


def environment(settings: Settings, port: int, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "TRAFFIC_HOME": str(settings.home),
        "TRAFFIC_API_PORT": str(port),
        "TRAFFIC_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "TRAFFIC_PUSH_SECONDS": "0.2",
        **more,
    }


@pytest.fixture
def server(filled: Settings) -> Iterator[tuple[subprocess.Popen, int]]:
    port = free_port()
    log = filled.home / "api.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "api"], env=environment(filled, port), stdout=output, stderr=output
        )
    end = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health?check=live", timeout=5)
            break
        except OSError:
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.1)
    yield process, port
    if process.poll() is None:
        process.terminate()
        process.wait(20)


def test_serves_rest_and_both_kinds_of_sockets_and_ends_when_told(server: tuple[subprocess.Popen, int]) -> None:
    process, port = server
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/current-traffic") as answer:
        assert len(json.load(answer)["cells"]) == 3
    plain = websocket.create_connection(f"ws://127.0.0.1:{port}/ws/stream", timeout=10)
    assert json.loads(plain.recv())["type"] == "snapshot"
    listener = socketio.Client(reconnection=False)
    got: list[dict] = []
    listener.on("snapshot", got.append, namespace="/ws/stream")
    listener.connect(f"http://127.0.0.1:{port}", namespaces=["/ws/stream"], wait_timeout=10)
    assert [json.loads(plain.recv())["type"] for _ in range(5)] == ["update"] * 5
    assert len(got) == 1
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert time.monotonic() - started < 15
    with pytest.raises((websocket.WebSocketException, OSError)):
        for _ in range(100):
            plain.recv()


def test_the_worker_ends_with_its_killed_parent(server: tuple[subprocess.Popen, int]) -> None:
    process, _ = server
    [worker] = psutil.Process(process.pid).children()
    process.kill()
    process.wait(20)
    with suppress(psutil.NoSuchProcess):
        worker.wait(20)
    assert not worker.is_running()


def test_the_port_is_open_before_the_application_is_imported(filled: Settings) -> None:
    port = free_port()
    code = (
        "import os, socket, sys\n"
        "class Spy:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'api.app':\n"
        f"            socket.create_connection(('127.0.0.1', {port}), 5)\n"
        "            os._exit(7)\n"
        "sys.meta_path.insert(0, Spy())\n"
        "from api.__main__ import main\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(filled, port), timeout=60, check=False
    )
    assert done.returncode == 7


def test_without_a_broker_it_lives_but_is_not_ready(server: tuple[subprocess.Popen, int]) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{server[1]}/api/health")
    assert refused.value.code == 503
    health = json.load(refused.value)
    assert (health["live"], health["ready"], health["parts"]["kafka"]["status"]) == (True, False, "down")


def test_refuses_to_listen_to_other_machines_without_a_token(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "api"],
        env=environment(settings, free_port(), TRAFFIC_BIND_HOST="0.0.0.0"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "TRAFFIC_API_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_the_server_does_not_need_at_once_is_not_imported_for_its_start() -> None:
    code = (
        "import sys; from unittest.mock import patch; from api import __main__\n"
        "with patch('gunicorn.app.base.BaseApplication.run'): __main__.main()\n"
        "print(*({'aiohttp', 'alembic', 'duckdb', 'mlflow', 'onnxruntime', 'pandas', 'requests'} & set(sys.modules)))\n"
        "import requests; print(requests.get)"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.startswith("\n<function get"), said
