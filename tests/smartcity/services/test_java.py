import os
import subprocess
from pathlib import Path

import pytest

from smartcity.errors import InstallError
from smartcity.services import java
from smartcity.settings import Settings


def fake_java(folder: Path, version: str) -> Path:
    """A ``java`` that only says which version it is."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(
        f'#!/bin/sh\necho "    java.home = {folder}" >&2\necho "    java.specification.version = {version}" >&2\n'
    )
    program.chmod(0o755)
    return folder


def test_the_wrapped_packaged_java_runs_and_drops_the_vector_option(tmp_path: Path) -> None:
    packaged = java.packaged_java()
    assert packaged is not None
    runtime = java.probe(packaged)
    assert runtime is not None and runtime.version >= 17
    home = java.wrap(runtime, tmp_path / "a home with spaces")
    answer = subprocess.run(
        [home / "bin" / "java", java.VECTOR_OPTION, "-Dname=two words", "-XshowSettings:properties", "-version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "name = two words" in answer.stderr


def test_the_packaged_java_is_wrapped_because_it_lacks_the_vector_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert java.java_home(Settings(home=tmp_path)) == tmp_path / "java"


def test_a_child_that_inherits_the_wrapper_stays_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    packaged = java.probe(java.packaged_java())
    assert packaged is not None and not packaged.has_vector
    monkeypatch.setenv("JAVA_HOME", str(java.wrap(packaged, tmp_path / "java")))
    assert java.find_runtime() == packaged
    assert java.java_home(Settings(home=tmp_path)) == tmp_path / "java"


def test_takes_the_java_that_java_home_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = fake_java(tmp_path / "jdk", "21")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert java.java_home(Settings(home=tmp_path)) == home


def test_passes_over_a_java_that_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "old", "1.8")))
    monkeypatch.setenv("PATH", str(fake_java(tmp_path / "new", "17") / "bin") + os.pathsep + os.environ["PATH"])
    assert java.find_runtime().home == tmp_path / "new"


def test_says_what_it_looked_at_where_there_is_no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "old", "11")))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(java, "packaged_java", lambda: None)
    with pytest.raises(InstallError, match=r"old/bin/java \(version 11\)"):
        java.find_runtime()


def test_names_this_python_and_this_spark_whatever_the_shell_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_HOME", "/opt/another-spark")
    environment = java.environment(Settings())
    assert environment["PYSPARK_PYTHON"].endswith("python")
    assert (Path(environment["SPARK_HOME"]) / "bin" / "spark-submit").exists()


def run_java(settings: Settings, *options: str) -> subprocess.CompletedProcess[str]:
    program = java.java_home(settings) / "bin" / "java"
    return subprocess.run([program, *options, "-version"], capture_output=True, text=True, check=True)


def test_the_first_run_of_a_program_leaves_an_archive_that_the_next_starts_from(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert java.class_archive(settings, "tool", make=False) == []
    run_java(settings, *java.class_archive(settings, "tool"))
    (archive,) = (tmp_path / "java").glob("tool-*.jsa")
    options = java.class_archive(settings, "tool", make=False)
    assert any(option.startswith("-XX:SharedArchiveFile=") and str(archive) in option for option in options)
    # Where Java could not use it, this would end the run.
    run_java(settings, "-Xshare:on", *options)


def test_an_archive_that_was_cut_short_is_made_anew(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    run_java(settings, *java.class_archive(settings, "tool"))
    (archive,) = (tmp_path / "java").glob("tool-*.jsa")
    archive.chmod(0o644)
    archive.write_bytes(bytes(4096))
    assert f"-XX:ArchiveClassesAtExit={archive}" in java.class_archive(settings, "tool")
    assert not archive.exists()


def test_the_packaged_java_gets_an_archive_of_its_own_classes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    packaged = java.probe(java.packaged_java())
    monkeypatch.setattr(java, "find_runtime", lambda: packaged)
    settings = Settings(home=tmp_path)
    run_java(settings, *java.class_archive(settings, "tool"))
    run_java(settings, "-Xshare:on", *java.class_archive(settings, "tool", make=False))


def test_whether_an_archive_is_there_makes_no_other_configuration() -> None:
    before = 'environment=SPARK_SUBMIT_OPTS="-XX:ArchiveClassesAtExit=/h/s.jsa -Xlog:cds=off -Xlog:cds+dynamic=off"'
    after = 'environment=SPARK_SUBMIT_OPTS="-XX:SharedArchiveFile=/h/s.jsa -Xlog:cds=off"'
    assert java.without_archives(before) == java.without_archives(after) == 'environment=SPARK_SUBMIT_OPTS=""'
