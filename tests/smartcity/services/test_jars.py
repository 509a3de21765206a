import hashlib
from pathlib import Path

import pytest

from smartcity.errors import InstallError
from smartcity.services import jars
from smartcity.settings import Settings

BROKER = jars.Jar("org.example", "broker", "1.0", hashlib.sha256(b"the real one").hexdigest())


def test_pins_the_whole_broker_and_spark_s_connector() -> None:
    assert len(jars.pinned(jars.BROKER)) == 45
    assert {jar.name for jar in jars.pinned(jars.CONNECTOR)} >= {"spark-sql-kafka-0-10_2.13", "kafka-clients"}


def test_takes_an_archive_as_pinned(tmp_path: Path) -> None:
    (tmp_path / "broker-1.0.jar").write_bytes(b"the real one")
    jars.verify(tmp_path, [BROKER])


def test_refuses_a_tampered_archive(tmp_path: Path) -> None:
    (tmp_path / "broker-1.0.jar").write_bytes(b"another one")
    with pytest.raises(InstallError, match=r"broker-1\.0\.jar is not the pinned archive"):
        jars.verify(tmp_path, [BROKER])


def test_a_tampered_download_never_gets_into_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(home=tmp_path, jars="")
    monkeypatch.setattr(jars, "pinned", lambda pool: [BROKER])

    def deliver(settings: Settings, wanted: object, work: Path) -> None:
        (work / "jars").mkdir()
        (work / "jars" / "broker-1.0.jar").write_bytes(b"another one")

    monkeypatch.setattr(jars, "_retrieve", deliver)
    with pytest.raises(InstallError):
        jars.fetch(settings, jars.BROKER)
    assert list(settings.jar_folder.iterdir()) == []


def test_says_how_to_get_archives_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match=r"lacks 4 Java archives.*\./traffic up"):
        jars.connector_jars(Settings(home=tmp_path, jars=""))


def test_says_that_the_repository_is_out_of_reach(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, jars="", maven_repository="http://127.0.0.1:9")
    with pytest.raises(InstallError, match=r"could not be fetched from http://127\.0\.0\.1:9"):
        jars.fetch(settings, jars.CONNECTOR)
    assert not jars.folder(settings, jars.CONNECTOR).exists()
