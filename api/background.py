"""Figures that take too long for a request, kept fresh by one thread: lake sizes, links, live accuracy, progress."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from pyarrow import fs

from smartcity.lake import Dataset, Table
from smartcity.model.links import EXPERIMENT, runs_page
from smartcity.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LakeFigures:
    """What the lake's manifests say."""

    trips: int | None = None
    positions: int | None = None
    lake_bytes: int | None = None


def _rows(table: Table) -> int | None:
    partitions = table.manifest().partitions
    return sum(partition.rows for partition in partitions.values()) if partitions else None


def _bytes(table: Table) -> int:
    prefix = f"{table.path}/"
    names = [prefix + name for partition in table.manifest().partitions.values() for name in partition.files]
    infos = table.filesystem.get_file_info(names) if names else []
    return sum(info.size for info in infos if info.type == fs.FileType.File)


def lake_figures(dataset: Dataset) -> LakeFigures:
    """Rows and bytes of what is published."""
    tables = [dataset.trips, dataset.positions, dataset.windows, dataset.quarantine]
    return LakeFigures(_rows(dataset.trips), _rows(dataset.positions), sum(_bytes(table) for table in tables))


def answers(address: str) -> bool:
    """Whether something answers HTTP there, whatever it says short of a server error."""
    # Imported where it is needed: after a crash the API has to be back in seconds.
    import requests

    try:
        return requests.get(address, timeout=2, allow_redirects=False, stream=True).status_code < 500
    except requests.RequestException:
        return False


def trainings(mlflow: str) -> str:
    """The page of MLflow at ``mlflow`` that compares the trainings."""
    import requests

    found = None
    try:
        asked = {"experiment_name": EXPERIMENT}
        answer = requests.get(f"{mlflow.rstrip('/')}/api/2.0/mlflow/experiments/get-by-name", asked, timeout=2)
        if answer.ok:
            found = answer.json()["experiment"]["experiment_id"]
    except (requests.RequestException, KeyError) as error:
        log.info("MLflow does not say which experiment is %r: %s", EXPERIMENT, error)
    return runs_page(mlflow, found)


def living_links(settings: Settings) -> dict[str, str]:
    """The pages beside this one that answer now."""
    candidates = {
        "mlflow": settings.mlflow,
        "airflow": f"http://127.0.0.1:{settings.airflow_port}",
        "kafka_ui": settings.kafka_ui,
    }
    found = {name: f"{address.rstrip('/')}/" for name, address in candidates.items() if address and answers(address)}
    if "mlflow" in found:
        found["mlflow"] = trainings(settings.mlflow)
    if (settings.home / "data_docs" / "index.html").is_file():
        found["data_docs"] = "/data-docs/"
    return found


@dataclass
class Task:
    """Something to do every ``seconds``; ``failing`` keeps one broken part from filling the log."""

    name: str
    run: Callable[[], object]
    seconds: float
    due: float = 0.0
    failing: bool = False


class Background(threading.Thread):
    """Runs its tasks one after another for ever; one that fails is tried again when it is due next."""

    def __init__(self, tasks: list[Task]) -> None:
        super().__init__(name="background", daemon=True)
        self._tasks = tasks
        self._ending = threading.Event()

    def run(self) -> None:
        """Work until stopped."""
        while not self._ending.wait(0.2):
            for task in self._tasks:
                if task.due <= time.monotonic() and not self._ending.is_set():
                    self._do(task)

    def _do(self, task: Task) -> None:
        try:
            task.run()
            task.failing = False
        except Exception as error:
            if not task.failing:
                log.warning("%s failed, trying again every %g s: %s", task.name, task.seconds, error)
            task.failing = True
        task.due = time.monotonic() + task.seconds

    def stop(self) -> None:
        """End after the task under way."""
        self._ending.set()
        if self.is_alive():
            self.join(3.0)
