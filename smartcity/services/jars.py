"""The Java archives that Python packages do not carry: Kafka's broker, and Spark's connector to it.

``jars.sha256`` names each archive by its Maven coordinates and pins its content; Ivy, which comes inside pyspark,
fetches exactly these and nothing that they depend on. A set is moved into place only when it is whole.
"""

import hashlib
import importlib.util
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

from smartcity.errors import InstallError
from smartcity.services import java, network
from smartcity.settings import Settings

PINS = Path(__file__).with_name("jars.sha256")
BROKER = "kafka"
CONNECTOR = "spark-kafka"
#: Kafka's own measuring tools: for benchmarks only, beside the broker's archives.
TOOLS = "kafka-tools"


@dataclass(frozen=True)
class Jar:
    """One archive: its Maven coordinates and what its content must be."""

    organisation: str
    name: str
    revision: str
    sha256: str

    @property
    def file_name(self) -> str:
        """As it is kept, and as Ivy's retrieve pattern writes it."""
        return f"{self.name}-{self.revision}.jar"


def pinned(pool: str) -> list[Jar]:
    """The archives of one set, as ``jars.sha256`` pins them."""
    jars: list[Jar] = []
    for line in PINS.read_text().splitlines():
        digest, name = line.split()
        folder, coordinates = name.split("/", 1)
        if folder == pool:
            organisation, artifact, revision = coordinates.split(":")
            jars.append(Jar(organisation, artifact, revision, digest))
    return jars


def folder(settings: Settings, pool: str) -> Path:
    """Where a set is kept."""
    return settings.jar_folder / pool


def missing(settings: Settings, pool: str) -> list[Jar]:
    """The archives of a set that are not in place (by name: their content was checked when they came)."""
    return [jar for jar in pinned(pool) if not (folder(settings, pool) / jar.file_name).is_file()]


def verify(where: Path, jars: Sequence[Jar]) -> None:
    """Raises: InstallError naming the first archive in ``where`` that is missing or has other content than pinned."""
    for jar in jars:
        path = where / jar.file_name
        if not path.is_file():
            raise InstallError(f"{jar.organisation}:{jar.name}:{jar.revision} was not fetched")
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if digest != jar.sha256:
            raise InstallError(
                f"{path.name} is not the pinned archive: SHA-256 {digest}, expected {jar.sha256}. "
                "Either the download was damaged (run ./traffic up again) or the repository serves something else"
            )


def fetch(settings: Settings, pool: str) -> list[Path]:
    """Fetch what is missing of a set, verify all of it and put it in place. Returns the archives' paths.

    Raises: InstallError where the repository is out of reach or an archive is not the pinned one.
    """
    jars = pinned(pool)
    target = folder(settings, pool)
    if missing(settings, pool):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{pool}-", dir=target.parent) as name:
            work = Path(name)
            _retrieve(settings, jars, work)
            verify(work / "jars", jars)
            retired = work / "retired"
            if target.exists():
                target.rename(retired)
            (work / "jars").rename(target)
    return [target / jar.file_name for jar in jars]


def broker_jars(settings: Settings) -> list[Path]:
    """Kafka's broker. Raises: InstallError where it was not fetched."""
    return _present(settings, BROKER)


def connector_jars(settings: Settings) -> list[Path]:
    """What ``spark.jars`` needs for Kafka. Raises: InstallError where it was not fetched."""
    return _present(settings, CONNECTOR)


def _present(settings: Settings, pool: str) -> list[Path]:
    if lacking := missing(settings, pool):
        raise InstallError(
            f"{folder(settings, pool)} lacks {len(lacking)} Java archives, {lacking[0].file_name} first. "
            "Fetch them with: ./traffic up"
        )
    return [folder(settings, pool) / jar.file_name for jar in pinned(pool)]


def _retrieve(settings: Settings, jars: Sequence[Jar], work: Path) -> None:
    """Have Ivy put the archives into ``work/jars``."""
    (work / "settings.xml").write_text(_ivy_settings(settings.maven_repository, work / "cache"))
    (work / "ivy.xml").write_text(_ivy_file(jars))
    pyspark = importlib.util.find_spec("pyspark")
    if pyspark is None or not pyspark.submodule_search_locations:
        raise InstallError("pyspark is not installed. Remake the environment: rm -r .venv && ./traffic doctor")
    command = [
        str(java.java_home(settings) / "bin" / "java"),
        *network.trust_options(work),
        *network.proxy_options(),
        "-cp",
        str(Path(pyspark.submodule_search_locations[0]) / "jars" / "*"),
        "org.apache.ivy.Main",
        *("-settings", str(work / "settings.xml"), "-ivy", str(work / "ivy.xml")),
        *("-retrieve", str(work / "jars" / "[artifact]-[revision].[ext]")),
    ]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=work, stdin=subprocess.DEVNULL, check=False)
    fetched = len(list((work / "jars").glob("*.jar")))
    if fetched < len(jars):
        where = settings.maven_repository or "Maven Central"
        hints = [line.strip() for line in (answer.stdout + answer.stderr).splitlines() if "Exception" in line]
        raise InstallError(
            f"{len(jars) - fetched} of {len(jars)} Java archives could not be fetched from {where}"
            f"{': ' + hints[0] if hints else ''}. Check the network, or name a mirror in TRAFFIC_MAVEN_REPOSITORY"
        )


def _ivy_settings(repository: str, cache: Path) -> str:
    """One Maven repository; no project files and no SHA-1: what to fetch and its SHA-256 are pinned here."""
    root = f" root={quoteattr(repository.rstrip('/') + '/')}" if repository else ""
    return (
        '<ivysettings><settings defaultResolver="maven"/>'
        f"<caches defaultCacheDir={quoteattr(os.fspath(cache))}/>"
        f'<resolvers><ibiblio name="maven" m2compatible="true" usepoms="false" checksums=""{root}/></resolvers>'
        "</ivysettings>"
    )


def _ivy_file(jars: Sequence[Jar]) -> str:
    dependencies = "".join(
        f"<dependency org={quoteattr(jar.organisation)} name={quoteattr(jar.name)} rev={quoteattr(jar.revision)} "
        'transitive="false"/>'
        for jar in jars
    )
    return (
        '<ivy-module version="2.0"><info organisation="smartcity" module="jars"/>'
        f"<dependencies>{dependencies}</dependencies></ivy-module>"
    )


def main() -> None:
    """Fetch both sets: ``python -m smartcity.services.jars``, for building an image."""
    settings = Settings()
    for pool in (BROKER, CONNECTOR):
        print(f"{len(fetch(settings, pool))} archives in {folder(settings, pool)}")


if __name__ == "__main__":
    main()
