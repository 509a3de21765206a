"""A real Spark standalone cluster for the tests: masters and workers as processes, from the installed pyspark."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from smartcity.services import java
from smartcity.services.ports import free_port
from smartcity.settings import Settings
from tests.integration.processes import running, wait_for

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Master:
    """A master's two addresses."""

    port: int
    web_port: int

    @property
    def url(self) -> str:
        """What ``TRAFFIC_SPARK_MASTER`` is set to."""
        return f"spark://{HOST}:{self.port}"

    def state(self) -> dict:
        """What the master says of itself: ``status``, ``completedapps`` …; empty before it answers."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.web_port}/json/", timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return {}


def _spark_class(settings: Settings, name: str, *options: str) -> tuple[list[str], dict[str, str]]:
    environment = {**java.environment(settings), "SPARK_DAEMON_MEMORY": "256m"}
    return [f"{environment['SPARK_HOME']}/bin/spark-class", f"org.apache.spark.deploy.{name}", *options], environment


@contextmanager
def spark_master(settings: Settings, log: Path, java_options: str = "") -> Iterator[Master]:
    """A master that answers; ``java_options``: as for leader election, ``-Dspark.deploy.recoveryMode=ZOOKEEPER …``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    found = Master(free_port(), free_port())
    listening = ("--host", HOST, "--port", str(found.port), "--webui-port", str(found.web_port))
    command, environment = _spark_class(settings, "master.Master", *listening)
    with running(command, log, {**environment, "SPARK_DAEMON_JAVA_OPTS": java_options}) as process:
        wait_for(lambda: bool(found.state()), process, log)
        yield found


@contextmanager
def spark_worker(settings: Settings, folder: Path, masters: str) -> Iterator[Path]:
    """A worker of one core that has registered; the folder in which it keeps what it ran."""
    folder.mkdir(parents=True, exist_ok=True)
    size = ("--host", HOST, "--cores", "1", "--memory", "1g", "--webui-port", str(free_port()))
    command, environment = _spark_class(settings, "worker.Worker", *size, "--work-dir", str(folder / "work"), masters)
    log = folder / "worker.log"
    with running(command, log, environment) as process:
        wait_for(lambda: "Successfully registered with master" in log.read_text(), process, log)
        yield folder / "work"


@contextmanager
def spark_cluster(settings: Settings, folder: Path, workers: int = 2) -> Iterator[tuple[Master, list[Path]]]:
    """A master and its workers, all registered: the master, and the workers' folders."""
    with ExitStack() as stack:
        master = stack.enter_context(spark_master(settings, folder / "master.log"))
        folders = [
            stack.enter_context(spark_worker(settings, folder / f"worker-{number}", master.url))
            for number in range(workers)
        ]
        yield master, folders
