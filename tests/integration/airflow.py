"""Airflow's parts as ``./traffic up`` runs them, and its REST API as a script of a user calls it."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from smartcity.services import programs
from smartcity.settings import Settings
from tests.integration.processes import answers_http, running, wait_for

ENDED = {"success", "failed"}


class AirflowClient:
    """The REST API, as a script of a user would call it."""

    def __init__(self, settings: Settings) -> None:
        self.address = f"http://127.0.0.1:{settings.airflow_port}"
        self.token = self.call("/auth/token")["access_token"]

    def call(self, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> dict[str, Any]:
        """An answer of the API. Args: method: GET, or POST where there is a body, unless another is asked for."""
        headers = {"Content-Type": "application/json"}
        if hasattr(self, "token"):
            headers["Authorization"] = f"Bearer {self.token}"
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.address + path, data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or "{}")

    def runs(self, dag: str) -> list[dict[str, Any]]:
        return self.call(f"/api/v2/dags/{dag}/dagRuns")["dag_runs"]

    def newest(self, dag: str) -> dict[str, Any]:
        """The DAG's newest run."""
        return max(self.runs(dag), key=lambda run: run["run_after"])

    def wait_for_run(
        self, dag: str, seconds: float, meanwhile: Callable[[dict[str, Any]], None] = lambda run: None
    ) -> dict[str, Any]:
        """The DAG's newest run when it has ended. Args: meanwhile: called about every second with the run as it is."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            runs = sorted(self.runs(dag), key=lambda run: run["run_after"])
            if runs and runs[-1]["state"] in ENDED:
                return runs[-1]
            if runs:
                meanwhile(runs[-1])
            time.sleep(1)
        states = [(run["dag_run_id"], run["state"]) for run in self.runs(dag)]
        pytest.fail(f"{dag} did not end in {seconds:.0f} s: {states}")

    def trigger_and_wait(self, dag: str, seconds: float, form: dict[str, Any] | None = None) -> dict[str, Any]:
        """A run by hand, ended. Args: form: what is filled in."""
        path = self.path(self.trigger(dag, form))
        self.wait_until(lambda: self.call(path)["state"] in ENDED, seconds)
        return self.call(path)

    def trigger(self, dag: str, form: dict[str, Any] | None = None) -> dict[str, Any]:
        """A run by hand, just asked for."""
        return self.call(f"/api/v2/dags/{dag}/dagRuns", {"logical_date": None, "conf": form or {}})

    def path(self, run: dict[str, Any], task: str = "") -> str:
        """Of a run in the API, or of a task in it."""
        found = f"/api/v2/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}"
        return f"{found}/taskInstances/{task}" if task else found

    def clear(self, run: dict[str, Any], task: str) -> None:
        """Have a failed task done again, as a person does after the repair."""
        asked = {"dag_run_id": run["dag_run_id"], "task_ids": [task], "dry_run": False}
        self.call(f"/api/v2/dags/{run['dag_id']}/clearTaskInstances", asked)

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Ask about every second."""
        end = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > end:
                pytest.fail(f"not within {seconds:.0f} s")
            time.sleep(1)

    def states(self, run: dict[str, Any]) -> dict[str, str]:
        """State by task."""
        found = self.call(f"{self.path(run)}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in found}

    def links(self, run: dict[str, Any], task: str) -> dict[str, str]:
        """A task's links by their names."""
        return self.call(f"{self.path(run, task)}/links")["extra_links"]

    def page(self, address: str) -> str:
        """A page of Airflow's, as somebody who is signed in sees it."""
        request = urllib.request.Request(address, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    def tries(self, run: dict[str, Any], task: str) -> int:
        """How often a task was begun."""
        return self.call(self.path(run, task))["try_number"]

    def log(self, run: dict[str, Any], task: str, attempt: int | None = None) -> str:
        """The end of the log of a task's last attempt, or of the one asked for (the first is 1)."""
        asked = attempt or self.tries(run, task)
        said = self.call(f"{self.path(run, task)}/logs/{asked}?full_content=true")
        return json.dumps(said["content"][-40:], indent=1)


@contextmanager
def airflow_parts(settings: Settings, names: dict[str, str]) -> Iterator[AirflowClient]:
    """All four, up and with the DAGs read. Args: names: variables of their environment beside the usual ones."""
    # The tasks' own programs read these: without them they would look for the ports of a platform that runs here.
    names = {"TRAFFIC_KAFKA_BOOTSTRAP": settings.kafka, "TRAFFIC_MLFLOW_TRACKING_URI": settings.mlflow, **names}
    environment = {**programs.airflow_environment(settings), **names}
    Path(environment["AIRFLOW_HOME"]).mkdir(exist_ok=True)
    with (settings.home / "migrate.log").open("ab") as log:
        migrate = programs.airflow_command("db", "migrate")
        subprocess.run(migrate, env=environment, check=True, stdout=log, stderr=log)
    with ExitStack() as stack:
        for program in programs.airflow(settings):
            log_file = settings.home / f"{program.name}.log"
            process = stack.enter_context(running(program.command, log_file, {**program.environment, **names}))
            if program.name == "airflow-api-server":
                health = f"http://127.0.0.1:{settings.airflow_port}/api/v2/monitor/health"
                wait_for(lambda: answers_http(health), process, log_file)  # noqa: B023
        client = AirflowClient(settings)
        end = time.monotonic() + 180
        needed = {"traffic_nightly", "model_retrain"}
        while not needed <= {dag["dag_id"] for dag in client.call("/api/v2/dags")["dags"]}:
            if time.monotonic() > end:
                pytest.fail((settings.home / "airflow-dag-processor.log").read_text()[-3000:])
            time.sleep(1)
        yield client
