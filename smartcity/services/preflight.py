"""What must hold before anything is started: ports free, memory, disk, a folder to write into."""

import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from smartcity.errors import InstallError, ServiceError
from smartcity.services import ports
from smartcity.settings import Settings

NEEDED_DISK_BYTES = 3 * 10**9
NEEDED_MEMORY_BYTES = 5 * 2**30


@dataclass(frozen=True)
class Port:
    """A port, what listens there, and the setting that moves it."""

    number: int
    service: str
    setting: str


def wanted_ports(settings: Settings, skip: Iterable[str] = ()) -> list[Port]:
    """The ports of the embedded services that are not skipped."""
    wanted = [
        Port(settings.api_port, "api", "TRAFFIC_API_PORT"),
        Port(settings.airflow_port, "airflow", "TRAFFIC_AIRFLOW_PORT"),
    ]
    if not settings.mlflow_tracking_uri:
        wanted.append(Port(settings.mlflow_port, "mlflow", "TRAFFIC_MLFLOW_PORT"))
    if not settings.kafka_bootstrap:
        wanted.append(Port(settings.kafka_port, "kafka", "TRAFFIC_KAFKA_PORT"))
        wanted.append(Port(settings.kafka_controller_port, "kafka", "TRAFFIC_KAFKA_CONTROLLER_PORT"))
    return [port for port in wanted if port.service not in set(skip)]


def taken(wanted: Iterable[Port], own: Iterable[int]) -> list[str]:
    """One sentence for each port that a process other than ``own`` listens on."""
    mine = set(own)
    messages = []
    for port in wanted:
        if ports.is_free(port.number):
            continue
        process = ports.listener(port.number)
        if process is None or process.pid not in mine:
            messages.append(
                f"port {port.number}, wanted by {port.service}, is in use by {ports.describe(port.number)}; "
                f"stop that, or choose another port with {port.setting}"
            )
    return messages


def check_disk(settings: Settings) -> str:
    """Free space, for a person. Raises: InstallError where HOME can't be written or is too full."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.home):
            pass
    except OSError as error:
        raise InstallError(
            f"the folder {settings.home} can't be written ({error.strerror}); choose another with TRAFFIC_HOME"
        ) from error
    free = shutil.disk_usage(settings.home).free
    if free < NEEDED_DISK_BYTES:
        raise InstallError(
            f"{free / 1e9:.1f} GB free on the disk of {settings.home}, {NEEDED_DISK_BYTES / 1e9:.0f} GB are needed; "
            "free some, or choose another folder with TRAFFIC_HOME"
        )
    return f"{free / 1e9:.0f} GB free"


def check_memory() -> str:
    """Available memory, for a person. Raises: InstallError where it is too little to start everything."""
    available = psutil.virtual_memory().available
    if available < NEEDED_MEMORY_BYTES:
        raise InstallError(
            f"{available / 2**30:.1f} GiB of memory available, {NEEDED_MEMORY_BYTES / 2**30:.0f} GiB are needed; "
            "close something, or leave Airflow out: ./traffic up --skip airflow"
        )
    return f"{available / 2**30:.0f} GiB available"


def check_ports(settings: Settings, own: Iterable[int], skip: Iterable[str] = ()) -> str:
    """The ports, for a person. Raises: ServiceError naming each that is taken, and by whom."""
    wanted = wanted_ports(settings, skip)
    if messages := taken(wanted, own):
        raise ServiceError("; ".join(messages))
    return ", ".join(str(port.number) for port in wanted)


def is_root() -> bool:
    """Whether this process may install system packages as it is."""
    return os.geteuid() == 0
