import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from smartcity.errors import InstallError, ServiceError
from smartcity.services import uplock
from smartcity.settings import ROOT, Settings

#: Holds the lock until it is told to end, as ``up`` does.
HOLD = """
import signal, sys, time
from smartcity.services import uplock
from smartcity.settings import Settings
signal.signal(signal.SIGTERM, signal.default_int_handler)
with uplock.alone(Settings()):
    print("held", flush=True)
    time.sleep(600)
"""


def hold(home: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TRAFFIC_HOME": str(home)}
    command = [sys.executable, "-c", HOLD]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_a_second_up_is_refused_and_the_first_can_be_stopped(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with hold(tmp_path) as first:
        with pytest.raises(ServiceError, match=r"another \./traffic up"), uplock.alone(settings):
            pass
        found = uplock.holder(settings)
        assert found is not None and found.pid == first.pid
        assert uplock.interrupt(settings)
    assert uplock.holder(settings) is None
    assert not uplock.interrupt(settings)


def test_the_lock_goes_with_a_process_that_is_killed(tmp_path: Path) -> None:
    with hold(tmp_path) as first:
        first.send_signal(signal.SIGKILL)
    with uplock.alone(Settings(home=tmp_path)):
        pass


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InstallError, match="choose another with TRAFFIC_HOME"),
        uplock.alone(Settings(home=tmp_path / "file")),
    ):
        pass
