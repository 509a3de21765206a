"""The services that a scenario or a measurement drives: real processes on ports and in a folder of their own."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import h3
import numpy as np
from confluent_kafka import Producer

from benchmarks._events import START, Message
from benchmarks._postgres import Postgres
from benchmarks._watched import Watched
from smartcity.errors import ServiceError
from smartcity.lake import Dataset
from smartcity.profile import SLOTS, Profile
from smartcity.services import kafka, programs
from smartcity.services.child import die_with
from smartcity.services.ports import is_free
from smartcity.settings import ROOT, Settings
from smartcity.store.engine import create_all
from smartcity.topics import VEHICLE_POSITIONS

#: Below those that systems lend to clients: a client that keeps trying a dead broker's port would be lent it one day.
PORTS = range(22000, 23000)
PORT_SETTINGS = ("kafka_port", "kafka_controller_port", "mlflow_port", "api_port", "stream_metrics_port")
#: What services are told beside what they get from their home.
TOLD = ("home", "jars", "database_url", *PORT_SETTINGS)
WAIT_SECONDS = 600.0
#: What has sent all ends by itself, and well; any other service that ends has failed.
SENDERS = ("producer", "firehose")
SERVICES = {
    "broker": programs.broker,
    "stream": programs.stream,
    "producer": programs.replay,
    "api": programs.api,
    "registry": programs.mlflow,
}


def _free_ports() -> Iterator[int]:
    return (port for port in random.sample(PORTS, len(PORTS)) if is_free(port))


class World(Watched):
    """A broker, a stream, a producer, an API, and the PostgreSQL where asked for; all gone when the context ends."""

    def __init__(self, home: Path, jars: Path, postgresql: bool = False) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        # As on any machine where the platform ran before, Java finds its archives of classes.
        java = Settings().home / "java"
        java.mkdir(parents=True, exist_ok=True)
        (home / "java").symlink_to(java)
        self._cleanup = ExitStack()
        ports = _free_ports()
        self._postgres = Postgres(next(ports)) if postgresql else None
        url = self._postgres.url if self._postgres else f"sqlite:///{home / 'serving.db'}"
        own: dict[str, Any] = {name: next(ports) for name in PORT_SETTINGS}
        super().__init__(Settings(home=home, jars=str(jars), database_url=url, _env_file=None, **own))
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.replay_options: tuple[str, ...] = ()
        self.revived = 0

    def __enter__(self) -> Self:
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _make(self) -> None:
        if self._postgres:
            self._cleanup.callback(self._postgres.remove)
            self._postgres.make()
            self.start("database")
            self.wait(self._postgres.answers)
        self.dataset.create(self.dataset.city)
        _profile(self.dataset).save(self.dataset)
        create_all(self.engine)
        kafka.prepare(self.settings)
        self.start("broker")
        self.wait(self._has_topics)

    def _has_topics(self) -> bool:
        # A broker that answers may still be too busy with its start to make them.
        with suppress(ServiceError):
            if kafka.answers(self.settings, 1):
                kafka.create_topics(self.settings)
                return True
        return False

    def __exit__(self, *_: object) -> None:
        for name in list(self._running)[::-1]:
            self.kill(name)
        self.engine.dispose()
        self._cleanup.close()

    def start(self, name: str, program: Sequence[str] = ()) -> None:
        """Start a service, or start it again; ``program``: the command of one that is no service of the platform."""
        told = {programs.SERVICE_MARK: name} | {
            f"TRAFFIC_{key.upper()}": str(getattr(self.settings, key)) for key in TOLD
        }
        command, environment = list(program), programs.base_environment(self.settings)
        account: dict[str, Any] = {}
        if name == "database":
            assert self._postgres is not None
            command, environment, account = self._postgres.command, {}, self._postgres.account
        elif name in SERVICES:
            made = SERVICES[name](self.settings)
            command, environment = made.command, made.environment
        if name == "producer":
            command = [*command, *self.replay_options]
        with (self.home / f"{name}.log").open("ab") as output:
            self._running[name] = subprocess.Popen(
                command,
                cwd="/" if name == "database" else ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment, **told, programs.SERVICE_MARK: name},
                start_new_session=True,
                preexec_fn=die_with(os.getpid()),
                **account,
            )

    def kill(self, name: str) -> None:
        """SIGKILL to a service and to all that it started: Spark's JVM is of the stream's group."""
        process = self._running.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def end(self, name: str, seconds: float = 90) -> int:
        """SIGTERM, and wait for all that it started. Returns: its exit code."""
        process, until = self._running[name], time.monotonic() + seconds
        os.killpg(process.pid, signal.SIGTERM)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise ServiceError(f"{name} does not end within {seconds:.0f} s of SIGTERM") from error
        del self._running[name]
        # Spark's JVM outlives its Python for the seconds in which it writes its archive of classes.
        with suppress(ProcessLookupError):
            while time.monotonic() < until:
                os.killpg(process.pid, 0)
                time.sleep(0.1)
        return code

    def wait(self, ready: Callable[[], bool], seconds: float = WAIT_SECONDS, step: float = 0.1) -> float:
        """Until ``ready()``; a service that ended by itself is started again, as ``./traffic up`` does.

        Returns: how long it took. Raises: ServiceError when the time is over.
        """
        started = time.monotonic()
        while not ready():
            for name, process in list(self._running.items()):
                if process.poll() is not None and not (name in SENDERS and process.returncode == 0):
                    self.revived += 1
                    self.start(name)
            if time.monotonic() - started > seconds:
                raise ServiceError(f"not there after {seconds:.0f} s; what the services said: {self.home}/*.log")
            time.sleep(step)
        return time.monotonic() - started

    def stream_runs(self) -> bool:
        """Whether the stream said that it has started."""
        log = self.home / "stream.log"
        return log.exists() and "started; model" in log.read_text()

    def produce(self, sent: Sequence[Message], rate: float) -> None:
        """Send messages evenly, and wait until each is confirmed. Raises: ServiceError where one is not."""
        failed: list[object] = []
        producer = Producer({"bootstrap.servers": self.settings.kafka, "enable.idempotence": True, "linger.ms": 5})
        started = time.monotonic()
        for number, (key, value) in enumerate(sent):
            while number > (time.monotonic() - started) * rate:
                producer.poll(0.01)
            producer.produce(VEHICLE_POSITIONS.name, value, key, on_delivery=lambda e, _: e and failed.append(e))
            producer.poll(0)
        if producer.flush(120) or failed:
            raise ServiceError(f"Kafka did not confirm all events: {failed[:1]}")


def _profile(dataset: Dataset) -> Profile:
    """One that knows a single cell: forecasts are not what is tried."""
    cell = h3.latlng_to_cell(40.72, -73.99, dataset.city.h3_resolution)
    one = np.ones(1)
    return Profile(
        city=dataset.city,
        train_until_utc=START - timedelta(days=1),
        cells=(cell,),
        free_flow_mph=20 * one,
        ratio_mean=0.8 * one,
        ratio_std=0.1 * one,
        ratio_p10=0.5 * one,
        latitude=np.array([40.72]),
        longitude=np.array([-73.99]),
        days=np.array([(START - timedelta(days=8)).toordinal()]),
        weights=np.ones((1, SLOTS, 1)),
        weighted_ratios=0.8 * np.ones((1, SLOTS, 1)),
    )
