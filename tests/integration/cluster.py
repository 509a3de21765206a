"""A real Spark standalone cluster for the tests: ZooKeeper, masters and workers, all from pyspark's jars."""

import json
import os
import signal
import socket
import subprocess
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


#: A quarter of a second: ZooKeeper's longest session, by which a dead leader is noticed, is twenty of these.
TICK_MS = 250


@dataclass(frozen=True)
class Master:
    """A master's two addresses, and its process."""

    port: int
    web_port: int
    process: subprocess.Popen

    def kill(self) -> None:
        """As a machine that loses its power."""
        os.killpg(self.process.pid, signal.SIGKILL)

    @property
    def status(self) -> str | None:
        """ALIVE: it leads. None: it does not answer."""
        return self.state().get("status")

    def state(self) -> dict:
        """What the master says of itself: ``status``, ``completedapps`` …; empty before it answers."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.web_port}/json/", timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return {}


@dataclass(frozen=True)
class Worker:
    """A worker's process, and the folder in which it keeps what it ran."""

    work: Path
    process: subprocess.Popen

    def kill(self) -> None:
        """It, and the executors that it started."""
        os.killpg(self.process.pid, signal.SIGKILL)

    @property
    def had_work(self) -> bool:
        """Whether an executor of an application ran here."""
        return any(self.work.glob("app-*/*/stderr"))


def _spark_class(settings: Settings, name: str, *options: str) -> tuple[list[str], dict[str, str]]:
    environment = {**java.environment(settings), "SPARK_DAEMON_MEMORY": "256m"}
    return [f"{environment['SPARK_HOME']}/bin/spark-class", f"org.apache.spark.deploy.{name}", *options], environment


@contextmanager
def spark_master(settings: Settings, log: Path, java_options: str = "") -> Iterator[Master]:
    """A master that answers; ``java_options``: as for leader election, ``-Dspark.deploy.recoveryMode=ZOOKEEPER …``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    port, web_port = free_port(), free_port()
    listening = ("--host", HOST, "--port", str(port), "--webui-port", str(web_port))
    command, environment = _spark_class(settings, "master.Master", *listening)
    with running(command, log, {**environment, "SPARK_DAEMON_JAVA_OPTS": java_options}) as process:
        found = Master(port, web_port, process)
        wait_for(lambda: bool(found.state()), process, log)
        yield found


@contextmanager
def zookeeper(settings: Settings, folder: Path) -> Iterator[str]:
    """A ZooKeeper server that answers; its ``host:port``."""
    folder.mkdir(parents=True, exist_ok=True)
    port, environment = free_port(), java.environment(settings)
    options = ("-Xmx128m", "-Dzookeeper.admin.enableServer=false", "-Dzookeeper.4lw.commands.whitelist=ruok")
    command = [
        *(f"{environment['JAVA_HOME']}/bin/java", *options, "-cp", f"{environment['SPARK_HOME']}/jars/*"),
        *("org.apache.zookeeper.server.ZooKeeperServerMain", str(port), str(folder / "data"), str(TICK_MS)),
    ]
    log = folder / "zookeeper.log"
    with running(command, log, environment) as process:
        wait_for(lambda: _is_ok(port), process, log)
        yield f"{HOST}:{port}"


def _is_ok(port: int) -> bool:
    """ZooKeeper's own question and answer."""
    try:
        with socket.create_connection((HOST, port), timeout=2) as connection:
            connection.sendall(b"ruok")
            return connection.recv(4) == b"imok"
    except OSError:
        return False


def election(zookeepers: str) -> str:
    """Java options by which masters elect their leader, and the next one knows what the last one did."""
    return f"-Dspark.deploy.recoveryMode=ZOOKEEPER -Dspark.deploy.zookeeper.url={zookeepers}"


@contextmanager
def spark_worker(settings: Settings, folder: Path, masters: str) -> Iterator[Worker]:
    """A worker of one core that has registered."""
    folder.mkdir(parents=True, exist_ok=True)
    size = ("--host", HOST, "--cores", "1", "--memory", "1g", "--webui-port", str(free_port()))
    command, environment = _spark_class(settings, "worker.Worker", *size, "--work-dir", str(folder / "work"), masters)
    log = folder / "worker.log"
    with running(command, log, environment) as process:
        wait_for(lambda: "Successfully registered with master" in log.read_text(), process, log)
        yield Worker(folder / "work", process)


@contextmanager
def spark_cluster(settings: Settings, folder: Path, workers: int = 2) -> Iterator[tuple[list[Master], list[Worker]]]:
    """Two masters of which the first leads, and workers that registered."""
    with ExitStack() as stack:
        options = election(stack.enter_context(zookeeper(settings, folder / "zookeeper")))
        leader = stack.enter_context(spark_master(settings, folder / "leader.log", options))
        wait_for(lambda: leader.status == "ALIVE", leader.process, folder / "leader.log")
        standby = stack.enter_context(spark_master(settings, folder / "standby.log", options))
        both = address([leader, standby])
        registered = [
            stack.enter_context(spark_worker(settings, folder / f"worker-{number}", both)) for number in range(workers)
        ]
        yield [leader, standby], registered


def address(masters: list[Master]) -> str:
    """What ``TRAFFIC_SPARK_MASTER`` is set to."""
    return "spark://" + ",".join(f"{HOST}:{master.port}" for master in masters)
