"""Who may import whom: the contracts of ``.importlinter`` hold."""

import subprocess
import sys

from smartcity.settings import ROOT


def test_every_import_contract_is_kept() -> None:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-logo', '--no-cache'])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]
