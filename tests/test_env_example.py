"""``.env.example`` documents every setting, and the defaults that it shows are the real ones."""

import re

import pytest
from pydantic import BaseModel

from smartcity.settings import ROOT, Settings

EXAMPLE = (ROOT / ".env.example").read_text()
SHOWN = dict(re.findall(r"^#? ?([A-Z][A-Z0-9_]*)=(.*)$", EXAMPLE, re.MULTILINE))
COMPOSE_ONLY = {"TRAFFIC_VERSION", "TRAFFIC_STREAM_SPARK_MASTER"}
SECRETS = {"TRAFFIC_API_TOKEN", "POSTGRES_PASSWORD", "AIRFLOW_FERNET_KEY", "AIRFLOW_SECRET_KEY", "AIRFLOW_JWT_SECRET"}


def names(model: type[BaseModel], prefix: str) -> set[str]:
    found = set()
    for name, field in model.model_fields.items():
        nested = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        key = f"{prefix}{name}".upper()
        found |= names(field.annotation, f"{key}__") if nested else {key}
    return found


def test_every_setting_is_documented_and_nothing_else() -> None:
    documented = {name for name in SHOWN if name.startswith("TRAFFIC_")} - COMPOSE_ONLY
    assert documented == names(Settings, "TRAFFIC_")


def test_the_defaults_shown_are_those_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in names(Settings, "TRAFFIC_"):
        monkeypatch.delenv(name, raising=False)
    expected = Settings(_env_file=None)
    for name, value in SHOWN.items():
        if name.startswith("TRAFFIC_") and name not in COMPOSE_ONLY | SECRETS | {"TRAFFIC_HOME"}:
            monkeypatch.setenv(name, value)
    assert Settings(_env_file=None) == expected


def test_no_secret_has_a_value() -> None:
    assert {name: SHOWN[name] for name in SECRETS} == dict.fromkeys(SECRETS, "")
