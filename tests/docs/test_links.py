"""What the pages point to is there."""

import re
from pathlib import Path

import pytest

from smartcity.settings import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_that_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_commands_named_exist(page: Path) -> None:
    from smartcity.__main__ import COMMANDS

    text = page.read_text()
    for command in re.findall(r"\./traffic ([a-z]+)", text):
        assert command in COMMANDS, f"./traffic {command}"
    for module in re.findall(r"python -m ((?:spark_jobs|streaming|expectations|api|smartcity)(?:\.\w+)*)", text):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module
