import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from smartcity.errors import JobError
from smartcity.services import child
from smartcity.settings import ROOT

#: Starts a child of its own that ignores being told to end, and says both ids.
STUBBORN = """
import os, subprocess, sys, time
grandchild = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
other = subprocess.Popen([sys.executable, "-c", grandchild], stdout=subprocess.PIPE)
other.stdout.readline()
print(os.getpid(), other.pid, flush=True)
time.sleep(600)
"""


def lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def wait_until_gone(pid: int) -> None:
    for _ in range(200):
        if not lives(pid):
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still there")


def test_hands_on_each_line_of_either_output_and_keeps_them_in_the_log(tmp_path: Path) -> None:
    seen: list[str] = []
    errors: list[str] = []
    command = [sys.executable, "-c", "import sys; print('day 1'); print('warning', file=sys.stderr); print('day 2')"]
    last = child.run("generate", command, tmp_path / "generate.log", {}, seen.append, errors.append)
    assert seen == ["day 1", "day 2"] and errors == ["warning"]
    assert sorted(last) == ["day 1", "day 2", "warning"]
    assert set(last) <= set((tmp_path / "generate.log").read_text().splitlines())


def test_a_log_is_added_to(tmp_path: Path) -> None:
    for word in ("first", "second"):
        child.run("job", [sys.executable, "-c", f"print('{word}')"], tmp_path / "job.log", {})
    assert "first" in (tmp_path / "job.log").read_text() and "second" in (tmp_path / "job.log").read_text()


def test_a_failure_says_the_last_lines_and_where_the_log_is(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('trips.csv row 7: no pick-up time')"]
    with pytest.raises(JobError, match=r"(?s)ingest failed \(exit 1\).*ingest\.log.*row 7") as failed:
        child.run("ingest", command, tmp_path / "ingest.log", {})
    assert failed.value.lines == ["trips.csv row 7: no pick-up time"]


def test_what_is_left_of_the_group_ends_with_an_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "GRACE_SECONDS", 0.3)
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.extend(map(int, line.split()))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        child.run("job", [sys.executable, "-c", STUBBORN], tmp_path / "job.log", {}, interrupt)
    assert len(pids) == 2
    for pid in pids:
        wait_until_gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_child_ends_with_its_parent_even_where_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from smartcity.services import child; "
        "child.run('job', [sys.executable, '-c', 'import os, time; print(os.getpid(), flush=True); time.sleep(600)'], "
        f"Path({str(tmp_path / 'job.log')!r}), {{}}, lambda line: print(line, flush=True))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert lives(pid)
        parent.send_signal(signal.SIGKILL)
    wait_until_gone(pid)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_under_the_log_is_said(tmp_path: Path) -> None:
    (tmp_path / "job.log").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        child.run("job", [sys.executable, "-c", "print('x' * 100_000)"], tmp_path / "job.log", {})
