"""A Spark job and a gate as tasks: their figures end the log and go to XCom, and the task links to its pages."""

import json
import socket
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.configuration import conf
from airflow.providers.apache.kafka.sensors.kafka import AwaitMessageSensor
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import BaseOperatorLink
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSensorTimeout

from smartcity.errors import GateFailedError
from smartcity.settings import Settings

#: Where ``plugins/data_docs.py`` serves the pages of the gates.
DATA_DOCS = "/data-docs"


class SparkUiLink(BaseOperatorLink):
    """The job's own pages at Spark's driver: there while it runs."""

    name = "Spark UI (while it runs)"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address that the job was given when it started."""
        return getattr(operator, "spark_ui", "")


class ModelRunLink(BaseOperatorLink):
    """The training's run in MLflow."""

    name = "MLflow run"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address among the job's figures; nothing where it failed before it had one."""
        return str(getattr(operator, "figures", {}).get("run", ""))


class DataDocsLink(BaseOperatorLink):
    """The gate's line in Data Docs, from where its pages are linked; also of a gate that failed."""

    name = "Data Docs"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The line is marked with the run and the task."""
        base = conf.get("api", "base_url", fallback="").rstrip("/")
        return f"{base}{DATA_DOCS}/index.html#{mark(ti_key.dag_id, ti_key.run_id, ti_key.task_id)}"


def mark(dag_id: str, run_id: str, task_id: str) -> str:
    """Name of a gate's line in Data Docs; letters and digits of what Airflow calls it."""
    return "-".join("".join(c if c.isalnum() else "_" for c in part) for part in (dag_id, run_id, task_id))


class SparkJob(SparkSubmitOperator):
    """``spark-submit`` of one of our jobs. Its figures are the log's last line and the task's result.

    Args: redo: a template; where it says ``True``, days that are up to date are made again. kernels_only: whether all
    rows pass through Python's kernels, so that Java may run as for these.
    """

    template_fields = (*SparkSubmitOperator.template_fields, "redo")
    operator_extra_links = (SparkUiLink(),)

    def __init__(self, *, redo: str = "", kernels_only: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.redo = redo
        self.kernels_only = kernels_only
        self.figures: dict[str, Any] = {}
        self.spark_ui = ""

    def execute(self, context: Any) -> dict[str, Any]:
        """Run the job and return its figures."""
        host, port = self.env_vars["SPARK_UI_HOST"], _free_port()
        self.spark_ui = f"http://{host}:{port}"
        # The link shall work while the job runs; Airflow itself writes links when a task has ended.
        context["ti"].xcom_push(key=SparkUiLink().xcom_key, value=self.spark_ui)
        self.conf = {**(self.conf or {}), "spark.ui.port": str(port), **self._java()}
        with tempfile.TemporaryDirectory(prefix="traffic-figures-") as folder:
            file = Path(folder) / "figures.json"
            redo = ["--redo"] if self.redo == "True" else []
            self.application_args = [*(self.application_args or []), *redo, "--figures", str(file)]
            super().execute(context)
            self.figures = json.loads(file.read_text())
        print(told(self.figures))
        return self.figures

    def _java(self) -> dict[str, str]:
        # Not at the top: the scheduler and the web server read this module too, and need nothing of Spark.
        from smartcity.spark.engine import KERNELS_ONLY
        from smartcity.spark.session import driver_options

        options = driver_options(Settings(), KERNELS_ONLY if self.kernels_only else (), make_archive=self.kernels_only)
        return {"spark.driver.extraJavaOptions": options} if options else {}


class TrainingJob(SparkJob):
    """A Spark job that leaves a run in MLflow."""

    operator_extra_links = (SparkUiLink(), ModelRunLink())


class Gate(BashOperator):
    """A data-quality gate, with the way to its pages.

    A broken rule is not tried again: the same data would fail again. Whatever else ends the gate, be it a signal or a
    registry that does not answer, says nothing of the data, and is tried again as other tasks are.
    """

    operator_extra_links = (DataDocsLink(),)

    def execute(self, context: Any) -> Any:
        """Judge the data. Raises: AirflowFailException where a rule is broken."""
        try:
            return super().execute(context)
        except AirflowException as error:
            process = self.subprocess_hook.sub_process
            if process is None or process.returncode in self.skip_on_exit_code:
                raise
            if process.returncode == GateFailedError.EXIT_CODE:
                raise AirflowFailException("a rule is broken: the log above names it and the way out") from error
            how = f"signal {-process.returncode}" if process.returncode < 0 else f"exit code {process.returncode}"
            raise AirflowException(f"the gate was ended by {how} before it had judged the data") from error


class AwaitEvent(AwaitMessageSensor):
    """Waits in the triggerer, without a slot, until an event comes into a topic that was not there before.

    Args: minutes: a template; how long. No offset is kept: the next run waits for an event of its own.
    """

    template_fields = (*AwaitMessageSensor.template_fields, "minutes")

    def __init__(self, *, minutes: str, **options: Any) -> None:
        super().__init__(apply_function=None, commit_offset=False, **options)
        self.minutes = minutes

    def execute(self, context: Any) -> None:
        """Begin to wait."""
        self.timeout = float(self.minutes) * 60
        print(f"waiting {self.timeout:g} s at most for an event in {', '.join(self.topics)}")
        super().execute(context)

    def resume_execution(self, next_method: str, next_kwargs: Any, context: Any) -> Any:
        """Go on when the wait is over. Raises: AirflowFailException where nothing came: it has waited long enough."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSensorTimeout as error:
            raise AirflowFailException(
                f"no event came into {', '.join(self.topics)} within {self.minutes} minutes"
            ) from error

    def execute_complete(self, context: Any, event: Any = None) -> Any:
        """Say what came."""
        waited = (datetime.now(UTC) - context["ti"].start_date).total_seconds()
        print(f"an event came within {waited:.1f} s: {event}")
        return super().execute_complete(context, event)


def told(figures: dict[str, Any]) -> str:
    """Figures in one line for a person."""
    said = (f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}" for name, value in figures.items())
    return "; ".join(said)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
