"""``.ci/audit`` with stand-ins for the two programs that ask the advisory services: what is made of each answer."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from smartcity.settings import ROOT

SAFE = {"dependencies": [{"name": "flask", "version": "3.1.0", "vulns": []}]}
HOLE = {"dependencies": [{"name": "flask", "version": "3.1.0", "vulns": [{"id": "PYSEC-1"}]}]}
NPM_SAFE, NPM_HOLE = ({"metadata": {"vulnerabilities": {"high": n, "critical": 0, "low": 3}}} for n in (0, 2))
NPM_SILENT = {"error": {"code": "ENOAUDIT", "summary": "the endpoint cannot be reached"}}


def program(path: Path, answer: dict | None, option: str | None) -> str:
    """A program that writes ``answer`` where ``option`` says, or prints it, and fails as the real one does."""
    path.with_suffix(".json").write_text(json.dumps(answer))
    target = f'while [ "$1" != {option} ]; do shift; done; cat {path}.json > "$2"' if option else f"cat {path}.json"
    path.write_text(f"#!/bin/sh\n{target if answer else 'echo no route to the service >&2'}\nexit 1\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("python", "npm", "code", "said"),
    [
        (SAFE, NPM_SAFE, 0, "no known hole in requirements.lock"),
        (HOLE, NPM_SAFE, 1, "1 known holes in requirements.lock"),
        (SAFE, NPM_SILENT, 75, "NOT DONE for frontend/package-lock.json"),
        (None, NPM_HOLE, 1, "2 known holes"),
        (HOLE, NPM_SILENT, 1, "NOT DONE for frontend"),
    ],
)
def test_holes_fail_and_a_service_that_cannot_be_asked_is_said(
    tmp_path: Path, python: dict | None, npm: dict | None, code: int, said: str
) -> None:
    programs = {
        "PIP_AUDIT": program(tmp_path / "pip-audit", python, "--output"),
        "NPM": program(tmp_path / "npm", npm, None),
    }
    ran = subprocess.run(
        [ROOT / ".ci" / "audit"], env={**os.environ, **programs}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == code, ran.stderr
    assert said in ran.stdout + ran.stderr
