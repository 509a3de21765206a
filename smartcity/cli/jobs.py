"""Start a batch job as a process of its own, show how far it is, and hand back its figures."""

import functools
import json
import sys
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console

from smartcity.cli.progress import message, stage_progress
from smartcity.services import child, java
from smartcity.settings import Settings


def run_job(settings: Settings, name: str, module: str, *arguments: str) -> dict[str, Any]:
    """Run ``python -m module``; what it says goes to ``HOME/logs/NAME.log``. Returns: its last JSON line.

    Raises: JobError with the job's own last words where it fails.
    """
    figures: dict[str, Any] = {}
    with stage_progress(Console(stderr=True, soft_wrap=True), waiting=name) as bars:

        def watch(line: str) -> None:
            if message(line) is None and line.startswith("{"):
                figures.clear()
                figures.update(json.loads(line))
            bars.line(line)

        command = [sys.executable, "-m", module, *arguments]
        log = settings.home / "logs" / f"{name}.log"
        child.run(name, command, log, java.environment(settings), watch, bars.line)
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
