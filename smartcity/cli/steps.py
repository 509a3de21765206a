"""How a long start shows itself: one line per step, with what it came to and how long it took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from smartcity.cli.progress import StageProgress, stage_progress

LINE_WIDTH = 100


class Step:
    """A step under way: ``say`` shows where it is, ``result`` is what its line ends with."""

    def __init__(self, title: str, console: Console, status: Status | None) -> None:
        self.title = title
        self.result = ""
        self._console = console
        self._status = status

    @contextmanager
    def bars(self, waiting: str) -> Iterator[StageProgress]:
        """Show the stages of a job in place of the title while the body runs."""
        if self._status is not None:
            self._status.stop()
        with stage_progress(self._console, waiting, indent=2) as bars:
            yield bars
        if self._status is not None:
            self._status.start()

    def say(self, text: str) -> None:
        """Show the newest line of what goes on; without a terminal, nothing."""
        if self._status is not None:
            self._status.update(f"{self.title} [dim]{escape(text[:LINE_WIDTH])}[/dim]")


class Steps:
    """The steps of one command."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show ``title`` while the body runs, then its line with the result and the time."""
        started = time.monotonic()
        status = self.console.status(title) if self.console.is_terminal else None
        step = Step(title, self.console, status)
        if status is None:
            self.console.print(f"… {title}", highlight=False)
        else:
            status.start()
        mark = "[red]✗[/red]"
        try:
            yield step
            mark = "[green]✓[/green]"
        finally:
            if status is not None:
                status.stop()
            seconds = time.monotonic() - started
            took = f" [dim]({seconds:.0f} s)[/dim]" if seconds >= 1 else ""
            self.console.print(f"{mark} {title}  {escape(step.result)}{took}", highlight=False)

    def run(self, title: str, work: Callable[[Step], str]) -> None:
        """A step whose work returns its result."""
        with self.step(title) as step:
            step.result = work(step)
