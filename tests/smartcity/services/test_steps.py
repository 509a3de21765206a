import sys
from pathlib import Path

import pytest

from smartcity.errors import ServiceError
from smartcity.services import steps
from smartcity.settings import Settings


def test_shows_each_line_and_keeps_them_in_the_log(tmp_path: Path) -> None:
    seen: list[str] = []
    command = [sys.executable, "-c", "print('day 1'); print('day 2')"]
    assert steps.run(Settings(home=tmp_path), "generate", command, {}, seen.append) == ["day 1", "day 2"]
    assert seen == ["day 1", "day 2"]
    assert "day 2" in (tmp_path / "logs" / "generate.log").read_text()


def test_a_failed_step_says_its_last_lines_and_where_the_log_is(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('trips.csv row 7: no pick-up time')"]
    with pytest.raises(ServiceError, match=r"(?s)ingest failed \(exit 1\).*ingest\.log.*row 7"):
        steps.run(Settings(home=tmp_path), "ingest", command, {})
