"""Start a batch job as a process of its own, show what it says, and hand back its figures."""

import json
import os
import subprocess
import sys
from typing import Any

from smartcity.errors import TrafficError
from smartcity.services import java
from smartcity.settings import ROOT, Settings


def run_job(settings: Settings, module: str, *arguments: str) -> dict[str, Any]:
    """Run ``python -m module``; its standard error goes to ours. Returns: its last JSON line.

    Raises: TrafficError with the job's own last words where it fails.
    """
    environment = {**os.environ, **java.environment(settings)}
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as process:
        assert process.stdout is not None
        lines = [line for line in process.stdout if line.strip()]
    if process.returncode:
        raise TrafficError(f"{module} failed with exit code {process.returncode}; its messages stand above")
    figures: dict[str, Any] = json.loads(lines[-1])
    return figures
