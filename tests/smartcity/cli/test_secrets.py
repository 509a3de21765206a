"""Secrets are made once, at random, for their owner only, and all that the full deployment asks for."""

import re
import stat
from pathlib import Path

from click.testing import CliRunner
from cryptography.fernet import Fernet

from smartcity.cli.secrets import SECRETS, command, filled
from smartcity.settings import ROOT, Settings


def values(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Z][A-Z0-9_]*)=(.+)$", text, re.MULTILINE))


def test_makes_all_that_compose_refuses_to_start_without(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    answer = CliRunner().invoke(command, ["--file", str(path)])
    assert answer.exit_code == 0, answer.output
    made = values(path.read_text())
    required = set(re.findall(r"\$\{([A-Z_]+):\?", (ROOT / "docker-compose.yml").read_text()))
    assert required == set(SECRETS)
    assert all(len(made[name]) >= 40 for name in required)
    assert len({made[name] for name in required}) == len(required)
    Fernet(made["AIRFLOW_FERNET_KEY"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not any(made[name] in answer.output for name in required), "a secret was shown"


def test_the_file_is_the_example_with_secrets_and_the_settings_read_it(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    CliRunner().invoke(command, ["--file", str(path)])
    example = (ROOT / ".env.example").read_text().splitlines()
    changed = [old for old, new in zip(example, path.read_text().splitlines(), strict=True) if old != new]
    assert {line.removeprefix("# ") for line in changed} == {f"{name}=" for name in SECRETS}
    token = Settings(_env_file=path).api_token
    assert token is not None and token.get_secret_value() == values(path.read_text())["TRAFFIC_API_TOKEN"]


def test_what_has_a_value_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("TRAFFIC_DATASET=mine\nPOSTGRES_PASSWORD=chosen  # by hand\nAIRFLOW_SECRET_KEY=\n")
    CliRunner().invoke(command, ["--file", str(path)])
    first = path.read_text()
    assert first.startswith("TRAFFIC_DATASET=mine\nPOSTGRES_PASSWORD=chosen  # by hand\nAIRFLOW_SECRET_KEY=")
    assert set(SECRETS) <= set(values(first))
    answer = CliRunner().invoke(command, ["--file", str(path)])
    assert path.read_text() == first
    assert "0 secrets made; 5 kept" in answer.output


def test_two_files_share_no_secret() -> None:
    one, two = (values(filled("")[0]) for _ in range(2))
    assert all(one[name] != two[name] for name in SECRETS)
