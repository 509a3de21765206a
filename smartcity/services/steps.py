"""Runs a step of the start as a process: its output goes to a log, its last line to whoever watches."""

import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress

from smartcity.errors import ServiceError
from smartcity.services.programs import HOME_MARK, SERVICE_MARK
from smartcity.settings import Settings

SHOWN_LINES = 12
#: What a step's process is called in its environment; only its own `up` may have one running.
STEP_MARK = "step-"


def run(
    settings: Settings,
    name: str,
    command: list[str],
    environment: Mapping[str, str],
    watch: Callable[[str], None] = lambda line: None,
) -> list[str]:
    """Run ``command`` to its end. Returns: the last lines of its output.

    Raises: ServiceError with these lines where it fails. An interrupt ends its whole process group first.
    """
    log = settings.home / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    marks = {HOME_MARK: str(settings.home), SERVICE_MARK: f"{STEP_MARK}{name}"}
    tail: deque[str] = deque(maxlen=SHOWN_LINES)
    with log.open("a", encoding="utf-8", errors="replace") as output:
        output.write(f"--- {name}\n")
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, **environment, **marks},
            start_new_session=True,
        ) as process:
            try:
                for line in process.stdout or ():
                    output.write(line)
                    output.flush()
                    if line.strip():
                        tail.append(line.rstrip())
                        watch(line.strip())
                code = process.wait()
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    if code != 0:
        raise ServiceError(f"{name} failed (exit {code}); its last lines, of {log}:\n  " + "\n  ".join(tail))
    return list(tail)
