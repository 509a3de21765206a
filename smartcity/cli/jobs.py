"""Start a batch job as a process of its own, show what it says, and hand back its figures."""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import click

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


def size_options(function: Callable[..., None]) -> Callable[..., None]:
    """Options for the size of a training, handed on as ``size``: the training job's arguments."""
    settings = Settings()

    @click.option("--trees", default=settings.forest_trees, show_default=True, help="Trees per forest.")
    @click.option("--depth", default=settings.forest_depth, show_default=True, help="Depth of each tree.")
    @click.option("--max-rows", default=settings.training_rows, show_default=True, help="Rows to train on at most.")
    @functools.wraps(function)
    def sized(*args: Any, trees: int, depth: int, max_rows: int, **others: Any) -> None:
        size = ("--trees", str(trees), "--depth", str(depth), "--max-rows", str(max_rows))
        function(*args, size=size, **others)

    return sized
