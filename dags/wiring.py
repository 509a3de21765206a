"""What all DAGs share: owners, retries, timeouts, assets, and how a Spark job, a gate and a command become tasks."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from airflow.providers.apache.kafka.operators.produce import ProduceToTopicOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Asset, Param
from operators import AwaitEvent, Gate, SparkJob, TrainingJob, mark

from smartcity import topics
from smartcity.messages import ModelEvent
from smartcity.services.pools import SPARK_POOL
from smartcity.settings import ROOT, Settings

SETTINGS = Settings()

#: The lineage in the Assets view reads as the data path.
FILES = Asset(name="trip files", uri="traffic://inbox/files", group="traffic")
TRIPS = Asset(name="trips", uri="traffic://lake/trips", group="traffic")
POSITIONS = Asset(name="positions", uri="traffic://lake/positions", group="traffic")
WINDOWS = Asset(name="windows", uri="traffic://lake/windows", group="traffic")
#: Emitted after the last gate, so that nothing is trained on features that failed it.
FEATURES = Asset(name="features", uri="traffic://lake/features", group="traffic")
MODEL = Asset(name="model", uri="traffic://registry/congestion", group="traffic")
#: The stream's forecasts, as the gate on them saw them.
PREDICTIONS = Asset(name="predictions", uri="traffic://serving/predictions", group="traffic")
#: Raised where the serving version no longer fits the world; retraining follows.
DRIFT = Asset(name="drift", uri="traffic://registry/congestion/drift", group="traffic")

#: Jobs that use nothing of Spark's SQL.
KERNEL_JOBS = {"clean", "positions", "windows", "features"}


#: Section of docs/runbook.md for a task that failed, by its name.
RUNBOOK = {
    "download_new_files": "A download failed",
    "clean": "A file cannot be read",
    **dict.fromkeys(("archive", "positions", "windows", "features"), "A Spark job failed"),
    **dict.fromkeys(("train", "approve", "promote"), "Retraining failed, or the model is not promoted"),
    **dict.fromkeys(("look", "roll_back"), "The model is worse than it was"),
    "announce": "Nobody was told of a promotion",
    **dict.fromkeys(("events_come_in", "watch_stream"), "The stream is silent, late or stopped"),
    **dict.fromkeys(("tidy_lake", "prune_versions"), "Housekeeping failed"),
}


def section(task_id: str) -> str:
    """The runbook's section for a task; steps between the jobs share one."""
    return "A gate failed" if task_id.startswith("gate_") else RUNBOOK.get(task_id, "A step between the jobs failed")


def say_what_to_do(context: Any) -> None:
    """On failure, the end of the task's log names the way out."""
    task = context["ti"]
    print(
        f"{task.dag_id}.{task.task_id} failed; the reason is above. What to do: docs/runbook.md, "
        f"'{section(task.task_id)}'. Until then what was published before stays in use. After the repair, clear this "
        "task: it replaces what it made."
    )


#: The registry's client would try for minutes; a task that fails is tried again by Airflow, and says why.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
#: For templates: the name of a gate's line in Data Docs.
MACROS = {"mark": mark}

#: The delay before the first retry is Airflow's own setting, which `up` and docker compose give it.
DEFAULTS: dict[str, Any] = {
    "owner": "traffic",
    "retries": 2,
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
    "execution_timeout": timedelta(hours=1),
    "on_failure_callback": say_what_to_do,
}


#: What a person accepts in the form, for ``words`` of a gate.
ACCEPT = {"--accept": "{{ (params.accept or []) | join(',') }}"}
_DAY = {"type": ["null", "string"], "format": "date"}


def days_asked() -> dict[str, Param]:
    """Fields of a form: the data set and its days."""
    return {
        "dataset": Param(SETTINGS.dataset, type="string", pattern="^[A-Za-z0-9_-]+$", title="Data set"),
        "from": Param(None, **_DAY, title="First day", description="City time; empty: the first day there is."),
        "to": Param(None, **_DAY, title="Last day", description="Included; empty: the last day there is."),
    }


def rules_to_accept() -> Param:
    """Field of a form: what ``ACCEPT`` hands on to the gates."""
    # Also null: the form marks a field that may not be empty.
    return Param(
        [],
        type=["array", "null"],
        items={"type": "string"},
        title="Rules to accept",
        description="Broken gate rules that shall not stop this run, as SUITE.RULE.",
    )


def tell_of_features(days: Mapping[str, str], outlet_events: Any) -> None:
    """Tell who waits for features that those of ``days`` passed their gate."""
    outlet_events[FEATURES].extra = dict(days)
    print(f"features of {days['dataset']} from {days['from']} to {days['to']} may be used")


def _spark_options(task_id: str, application: str) -> dict[str, Any]:
    return {
        "task_id": task_id,
        "application": str(ROOT / "spark_jobs" / f"{application}.py"),
        "name": f"traffic {task_id}",
        "driver_memory": SETTINGS.spark_driver_memory,
        "kernels_only": application in KERNEL_JOBS,
        "env_vars": {
            "PYTHONPATH": str(ROOT),
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_UI_HOST": SETTINGS.spark_driver_host,
            **PATIENCE,
        },
        "pool": SPARK_POOL,
        "execution_timeout": timedelta(hours=3),
    }


def spark_job(task_id: str, arguments: Any, **options: Any) -> SparkJob:
    """Run ``spark_jobs/TASK_ID.py`` by ``spark-submit`` on connection ``spark_default``."""
    kind = TrainingJob if task_id == "train" else SparkJob
    return kind(application_args=arguments, **{**_spark_options(task_id, task_id), **options})


def mapped_spark_job(task_id: str, spans: Any, **options: Any) -> Any:
    """The same once for each of ``spans`` (lists of arguments)."""
    return SparkJob.partial(**{**_spark_options(task_id, task_id), **options}).expand(application_args=spans)


def gate(suite: str, days: str = "", words: Mapping[str, str] = MappingProxyType({}), **options: Any) -> Gate:
    """Check a table before anything depends on it.

    Values reach the shell as variables, never as part of its text.
    Args: days: the task that chose the days. words: other options, and their values.
    """
    chosen = _chosen(days) if days else {}
    marked = {"--mark": "{{ mark(dag.dag_id, run_id, task.task_id) }}"}
    variables, said = _as_variables({**chosen, **words, **marked})
    return Gate(
        task_id=f"gate_{suite}",
        bash_command=f'exec "$PYTHON" -m expectations {suite}{said}',
        env={"PYTHON": sys.executable, "PYTHONPATH": str(ROOT), **PATIENCE, **variables},
        append_env=True,
        cwd=str(ROOT),
        **options,
    )


def command(
    task_id: str,
    name: str,
    words: Mapping[str, str] = MappingProxyType({}),
    *,
    arguments: Sequence[str] = (),
    figures: bool = False,
    **options: Any,
) -> BashOperator:
    """Run ``./traffic NAME``. Values of ``words`` (options) and ``arguments`` reach the shell as variables only.

    Args: figures: ask for JSON, which is then the task's result.
    """
    variables, said = _as_variables(words)
    given = {f"ARGUMENT_{number}": value for number, value in enumerate(arguments)}
    said += "".join(f' "${variable}"' for variable in given) + (" --json" if figures else "")
    return BashOperator(
        task_id=task_id,
        bash_command=f'exec "$PYTHON" -m smartcity {name}{said}',
        env={"PYTHON": sys.executable, "PYTHONPATH": str(ROOT), **PATIENCE, **variables, **given},
        append_env=True,
        cwd=str(ROOT),
        **({"output_processor": figures_of} if figures else {}),
        **options,
    )


def figures_of(line: str) -> dict[str, Any]:
    """A command's last line as figures."""
    try:
        return dict(json.loads(line))
    except ValueError as error:
        raise ValueError(f"the command did not end with its figures, but with: {line!r}") from error


def _as_variables(words: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Options as shell variables, and the text of a command line that names these."""
    variables = {f"WORD_{number}": value for number, value in enumerate(words.values())}
    return variables, "".join(f' {option} "${variable}"' for option, variable in zip(words, variables, strict=True))


def announce(source: str, event: str) -> ProduceToTopicOperator:
    """Tell topic ``model_events`` which version serves now: by the figures of task ``source``."""
    names = ("version", "before", "reason")
    return ProduceToTopicOperator(
        task_id="announce",
        topic=topics.MODEL_EVENTS.name,
        producer_function=model_event,
        producer_function_kwargs={
            "event": event,
            **{name: f"{{{{ ti.xcom_pull('{source}')['{name}'] | tojson }}}}" for name in names},
        },
        delivery_callback="wiring.must_arrive",
    )


def await_event(task_id: str, topic: topics.Topic, minutes: str, **options: Any) -> AwaitEvent:
    """Wait for an event in a topic. Args: minutes: a template."""
    return AwaitEvent(task_id=task_id, topics=[topic.name], minutes=minutes, kafka_config_id="kafka_watch", **options)


def model_event(event: Any, version: str, before: str, reason: str) -> Iterator[tuple[bytes, bytes]]:
    """Key and message; the values are JSON, as templates give them."""
    from smartcity.model.spec import MODEL_NAME

    message = ModelEvent(
        model=MODEL_NAME,
        event=event,
        version=json.loads(version),
        before=json.loads(before),
        reason=json.loads(reason),
        at_utc=datetime.now(UTC),
    )
    yield MODEL_NAME.encode(), message.model_dump_json().encode()
    print(message.model_dump_json())


def must_arrive(error: Any, message: Any) -> None:
    """The provider only logs a message that was not delivered: the task would be green, having sent nothing."""
    if error is not None:
        raise RuntimeError(f"Kafka did not take the message for {message.topic()}: {error.str()}")


def span(days: str) -> list[str]:
    """Arguments of a Spark job for the days that task ``days`` chose."""
    return [word for option_and_value in _chosen(days).items() for word in option_and_value]


def _chosen(days: str) -> dict[str, str]:
    return {f"--{name}": f"{{{{ ti.xcom_pull('{days}')['{name}'] }}}}" for name in ("dataset", "from", "to")}
