"""How tests start real services: process groups that end with the test, and waiting for an answer."""

import ctypes
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from smartcity.services import kafka, programs
from smartcity.settings import Settings


def die_with_parent() -> None:
    """Linux: this process is killed when the tests are, so that no service outlives them."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@contextmanager
def running(command: list[str], log: Path, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen]:
    """A process group that is gone afterwards."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(ready: Callable[[], bool], process: subprocess.Popen, log: Path, seconds: float = 300) -> None:
    """Until ``ready()``; fails with the log's end where the process died or the time is over."""
    end = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"{process.args[:3]} is not up (exit {process.poll()}):\n{log.read_text()[-3000:]}")
        time.sleep(0.2)


def answers_http(url: str) -> bool:
    """Whether ``url`` answers with success."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


@contextmanager
def broker(settings: Settings) -> Iterator[subprocess.Popen]:
    """A real broker in ``settings.home``, answering."""
    kafka.prepare(settings)
    log = settings.home / "kafka.log"
    with running(kafka.command(settings), log) as process:
        wait_for(lambda: kafka.answers(settings, 1), process, log)
        yield process


@contextmanager
def registry_server(settings: Settings) -> Iterator[None]:
    """MLflow's server of these settings, up while the context lasts."""
    log, program = settings.home / "mlflow.log", programs.mlflow(settings)
    with running(program.command, log, program.environment) as process:
        wait_for(lambda: answers_http(f"{settings.mlflow}/health"), process, log)
        yield
