import io

import pytest
from rich.console import Console

from smartcity.cli import progress
from smartcity.cli.progress import message, stage_progress

STARTED = '{"stage": "positions", "state": "started"}'
HALF = '{"stage": "positions", "state": "running", "done": 2000, "total": 4000, "unit": "rows"}'
DONE = '{"stage": "positions", "state": "done", "positions": 4000, "seconds": 12.3}'


def shown(lines: list[str], *, terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120, color_system=None)
    with stage_progress(console, waiting="starting Spark", indent=2) as bars:
        for line in lines:
            bars.line(line)
    return console.file.getvalue()


@pytest.mark.parametrize("line", ["", "26/01/01 WARN Utils", "{broken", "[1]", '{"trees": 30}'])
def test_only_a_stage_and_its_state_are_a_message(line: str) -> None:
    assert message(line) is None


def test_a_stage_that_is_done_leaves_a_line_with_its_time() -> None:
    assert shown([STARTED, HALF, DONE], terminal=False).splitlines() == ["  ✓ trips to positions (12 s)"]


def test_a_terminal_shows_how_much_is_done() -> None:
    assert "2,000 of 4,000 rows" in shown([STARTED, HALF], terminal=True)


def test_what_a_job_says_before_its_first_stage_is_shown_beside_the_title() -> None:
    assert "starting Spark" in (text := shown(["26/01/01 WARN Utils: host name"], terminal=True))
    assert "host name" in text


def test_without_a_terminal_a_long_stage_is_told_from_time_to_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
    assert "… trips to positions: 2,000 of 4,000 rows" in shown([STARTED, HALF], terminal=False)


def test_a_stage_without_a_known_total_has_no_end() -> None:
    running = '{"stage": "clean", "state": "running", "done": 7, "unit": "files"}'
    assert "7 files" in shown([running], terminal=True)
