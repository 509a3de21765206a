"""How a job's progress is shown: a bar with rate and time left for each of its stages.

A job tells where it is by lines of its standard output, JSON objects: ``{"stage": "trips", "state": "started"}``, then
``"running"`` with ``done``, ``total`` (left out where nobody knows) and ``unit``, and ``"done"`` with ``seconds``.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.text import Text

#: What a stage is called while it runs.
TITLES = {
    "trips": "reading and cleaning",
    "probes": "reading and judging positions",
    "sensors": "reading sensor speeds",
    "stream": "archived events to positions",
    "positions": "trips to positions",
    "windows": "positions to windows",
    "features": "windows to features",
    "housekeeping": "removing what earlier runs left behind",
}
#: Where there is no terminal, a stage under way is told this often.
PLAIN_SECONDS = 15.0
#: A line of the job that is no message is shown this far.
LINE_WIDTH = 100


def message(line: str) -> dict[str, Any] | None:
    """The message in a line of a job; None where it is something else."""
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and {"stage", "state"} <= found.keys() else None


def title(stage: str) -> str:
    """What to call a stage."""
    return TITLES.get(stage, stage)


def amount(done: float, total: float | None, unit: str) -> str:
    """How much of a stage is done, for a person: ``1,200 of 4,000 rows``."""
    of = f" of {total:,.0f}" if total else ""
    return f"{done:,.0f}{of} {unit}".rstrip()


class _Figures(ProgressColumn):
    """How much is done, how fast it goes, and how long it will still take."""

    def render(self, task: Task) -> Text:
        if not task.completed:
            return Text(task.fields.get("note", ""), style="dim")
        unit = task.fields.get("unit", "")
        parts = [amount(task.completed, task.total, unit)]
        if task.speed:
            parts.append(f"{task.speed:,.{0 if task.speed >= 10 else 1}f} {unit}/s")
        if task.time_remaining:
            minutes, seconds = divmod(int(task.time_remaining), 60)
            parts.append(f"{minutes}:{seconds:02} left")
        return Text(", ".join(parts), style="dim")


class StageProgress:
    """The bars of one job. Until its first stage, what it says otherwise stands beside ``waiting``."""

    def __init__(self, bars: Progress, waiting: str, indent: str) -> None:
        self._bars = bars
        self._indent = indent
        self._newest = bars.add_task(escape(waiting), total=None)
        self._waiting: TaskID | None = self._newest
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, float] = {}

    def line(self, line: str) -> None:
        """Take a line of the job: a message is shown as such, another as what goes on just now."""
        if (found := message(line)) is not None:
            self.take(found)
        elif self._newest in self._bars.task_ids:
            self._bars.update(self._newest, note=line[:LINE_WIDTH])

    def take(self, told: Mapping[str, Any]) -> None:
        """Show one message of the job."""
        if self._waiting is not None:
            self._bars.remove_task(self._waiting)
            self._waiting = None
        stage = str(told["stage"])
        if told["state"] == "done":
            self._finish(stage, told)
            return
        if stage not in self._tasks:
            self._newest = self._tasks[stage] = self._bars.add_task(escape(title(stage)), total=None)
            self._told[stage] = time.monotonic()
        if told["state"] == "running":
            unit = str(told.get("unit", ""))
            self._bars.update(self._tasks[stage], completed=told["done"], total=told.get("total"), unit=unit)
            if not self._bars.console.is_terminal and time.monotonic() - self._told[stage] >= PLAIN_SECONDS:
                self._told[stage] = time.monotonic()
                self._print(f"… {escape(title(stage))}: {amount(told['done'], told.get('total'), unit)}")

    def _finish(self, stage: str, told: Mapping[str, Any]) -> None:
        if (task := self._tasks.pop(stage, None)) is not None:
            self._bars.remove_task(task)
        took = f" [dim]({told['seconds']:.0f} s)[/dim]" if "seconds" in told else ""
        self._print(f"[green]✓[/green] {escape(title(stage))}{took}")

    def _print(self, text: str) -> None:
        self._bars.console.print(f"{self._indent}{text}", highlight=False)


@contextmanager
def stage_progress(console: Console, waiting: str = "starting", indent: int = 0) -> Iterator[StageProgress]:
    """Show the stages of a job while the body runs; each that is done leaves a line."""
    columns = (TextColumn(" " * indent), SpinnerColumn(), TextColumn("{task.description}"), BarColumn(24), _Figures())
    bars = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with bars:
        yield StageProgress(bars, waiting, " " * indent)
