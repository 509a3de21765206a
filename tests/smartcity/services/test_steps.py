import sys
from pathlib import Path

from smartcity.services import steps
from smartcity.services.programs import HOME_MARK, SERVICE_MARK
from smartcity.settings import Settings


def test_marks_the_process_so_that_down_finds_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", f"import os; print(os.environ['{SERVICE_MARK}'], os.environ['{HOME_MARK}'])"]
    assert steps.run(Settings(home=tmp_path), "generate", command, {}) == [f"step-generate {tmp_path}"]
