"""What all DAGs share: owners, retries, timeouts, assets, and how a Spark job, a gate and a command become tasks."""

import sys
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Asset

from smartcity.settings import ROOT, Settings

SETTINGS = Settings()

#: The lineage in the Assets view reads as the data path.
TRIPS = Asset(name="trips", uri="traffic://lake/trips", group="traffic")
POSITIONS = Asset(name="positions", uri="traffic://lake/positions", group="traffic")
WINDOWS = Asset(name="windows", uri="traffic://lake/windows", group="traffic")
#: Emitted after the last gate, so that nothing is trained on features that failed it.
FEATURES = Asset(name="features", uri="traffic://lake/features", group="traffic")
MODEL = Asset(name="model", uri="traffic://registry/congestion", group="traffic")

#: Of the three slots of the pool: two cores carry one Spark job at a time, and a light task beside it.
SPARK_SLOTS = 2


def say_what_to_do(context: Any) -> None:
    """On failure, the last line of the task's log names the way out."""
    task = context["ti"]
    print(
        f"{task.dag_id}.{task.task_id} failed: the data published before stay in use. The reason is above in this log; "
        "what to do for each is in docs/runbook.md. After the repair, clear this task: it replaces what it made."
    )


DEFAULTS: dict[str, Any] = {
    "owner": "traffic",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
    "execution_timeout": timedelta(hours=1),
    "on_failure_callback": say_what_to_do,
}


def spark_job(task_id: str, arguments: Any, **options: Any) -> SparkSubmitOperator:
    """Run ``spark_jobs/TASK_ID.py`` by ``spark-submit`` on connection ``spark_default``."""
    return SparkSubmitOperator(
        task_id=task_id,
        application=str(ROOT / "spark_jobs" / f"{task_id}.py"),
        name=f"traffic {task_id}",
        application_args=arguments,
        driver_memory=SETTINGS.spark_driver_memory,
        env_vars={"PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable},
        pool_slots=SPARK_SLOTS,
        **{"execution_timeout": timedelta(hours=3), **options},
    )


def gate(suite: str, days: str) -> BashOperator:
    """Check a table before anything depends on it. ``days`` is the task that chose the days.

    Not tried again: the same data would fail again. Values reach the shell as variables, never as part of its text.
    """
    return BashOperator(
        task_id=f"gate_{suite}",
        bash_command=f'exec "$PYTHON" -m expectations {suite} --dataset "$DATASET" --from "$FROM" --to "$TO" '
        '--accept "$ACCEPT"',
        env={
            "PYTHON": sys.executable,
            "PYTHONPATH": str(ROOT),
            "DATASET": f"{{{{ ti.xcom_pull('{days}')['dataset'] }}}}",
            "FROM": f"{{{{ ti.xcom_pull('{days}')['from'] }}}}",
            "TO": f"{{{{ ti.xcom_pull('{days}')['to'] }}}}",
            "ACCEPT": "{{ params.accept | join(',') }}",
        },
        append_env=True,
        cwd=str(ROOT),
        retries=0,
    )


def command(task_id: str, name: str, words: Mapping[str, str] = MappingProxyType({}), **options: Any) -> BashOperator:
    """Run ``./traffic NAME``. ``words``: options and their values, which reach the shell as variables only."""
    variables = {f"WORD_{number}": value for number, value in enumerate(words.values())}
    said = "".join(f' {option} "${variable}"' for option, variable in zip(words, variables, strict=True))
    return BashOperator(
        task_id=task_id,
        bash_command=f'exec "$PYTHON" -m smartcity {name}{said}',
        env={"PYTHON": sys.executable, "PYTHONPATH": str(ROOT), **variables},
        append_env=True,
        cwd=str(ROOT),
        **options,
    )


def span(days: str) -> list[str]:
    """Arguments of a Spark job for the days that task ``days`` chose."""
    return [
        "--dataset",
        f"{{{{ ti.xcom_pull('{days}')['dataset'] }}}}",
        "--from",
        f"{{{{ ti.xcom_pull('{days}')['from'] }}}}",
        "--to",
        f"{{{{ ti.xcom_pull('{days}')['to'] }}}}",
    ]
