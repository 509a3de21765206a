import re

from smartcity.settings import ROOT


def test_every_test_that_the_security_page_names_exists() -> None:
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", (ROOT / "docs" / "security.md").read_text())
    assert len(named) >= 15
    folders = [ROOT / "tests" / name for name in ("api", "integration")]
    sources = {path.name: path.read_text() for folder in folders for path in folder.glob("test_*.py")}
    missing = [f"{file}::{name}" for file, name in named if f"def {name}(" not in sources.get(file, "")]
    assert missing == []
