"""Runs a program as a child that never outlives its parent: its own process group, a log, its lines as they come."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from smartcity.errors import JobError
from smartcity.settings import ROOT

Watch = Callable[[str], None]
#: Lines kept for the message where the program fails.
LAST_LINES = 12
#: A program that is told to end has this long to tidy up; Spark removes its temporary folders.
GRACE_SECONDS = 8.0
PR_SET_PDEATHSIG = 1
#: Looked up beforehand: between fork and exec as little as possible may happen.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def _ignore(line: str) -> None:
    """Watch nothing."""


def run(
    name: str,
    command: list[str],
    log: Path,
    environment: Mapping[str, str],
    watch: Watch = _ignore,
    watch_errors: Watch = _ignore,
) -> list[str]:
    """Run ``command`` to its end, adding what it says to ``log``.

    Args: watch: takes each line of its standard output as it comes. watch_errors: those of its standard error, from
    another thread.
    Returns: its last lines. Raises: JobError with these lines where it fails. However this function is left, nothing of
    the program's process group is left running; where this process is killed, so is the program (on Linux).
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    tail: deque[str] = deque(maxlen=LAST_LINES)
    lock = threading.Lock()
    unwritten: list[OSError] = []
    with log.open("a", encoding="utf-8", errors="replace") as output:
        output.write(f"--- {name}, {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
        output.flush()

        def follow(lines: IO[str] | None, tell: Watch) -> None:
            for line in lines or ():
                with lock:
                    try:
                        output.write(line)
                        output.flush()
                    except OSError as error:
                        # Read on nonetheless: a program that nobody reads from would wait for ever.
                        unwritten.append(error)
                    if line.strip():
                        tail.append(line.rstrip())
                        tell(line.strip())

        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            cwd=ROOT,
            env={**os.environ, **environment},
            start_new_session=True,
            preexec_fn=die_with(os.getpid()),
        ) as process:
            errors = threading.Thread(target=follow, args=(process.stderr, watch_errors), daemon=True)
            try:
                errors.start()
                follow(process.stdout, watch)
                code = process.wait()
                errors.join(GRACE_SECONDS)
            finally:
                _end_group(process)
    if unwritten:
        raise unwritten[0]
    if code != 0:
        raise JobError(name, code, log, list(tail))
    return list(tail)


def die_with(parent: int) -> Callable[[], None] | None:
    """What makes a process end with ``parent``, even where that is killed; run between fork and exec."""
    if _prctl is None:
        return None

    def prepare() -> None:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def _end_group(process: subprocess.Popen[str]) -> None:
    """Ask what is left of the process group to end, then make it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        end = time.monotonic() + GRACE_SECONDS
        while _group_lives(process) and time.monotonic() < end:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)


def _group_lives(process: subprocess.Popen[str]) -> bool:
    """Whether anything of the group still runs; those that only wait to be reaped do not."""
    process.poll()
    for member in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(member.pid) == process.pid and member.status() != psutil.STATUS_ZOMBIE:
                return True
    return False
