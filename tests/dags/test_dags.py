"""The policy that holds for every DAG, and the order of each one's tasks."""

import ast
import copy
import json
import os
import re
import runpy
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from airflow.providers.apache.kafka.triggers.await_message import AwaitMessageTrigger
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR, TriggerFailureReason
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    TaskDeferralError,
    TaskDeferred,
)

from smartcity.lake import Dataset
from smartcity.messages import ModelEvent
from smartcity.services.health import NO_DAGS
from smartcity.services.pools import SPARK_SLOTS
from smartcity.services.ports import free_port
from smartcity.services.programs import airflow_environment, lineage_environment
from smartcity.settings import ROOT, Settings
from tests.smartcity.publisher import publisher

NIGHTLY = (
    "find_new_files",
    "gate_raw",
    "clean",
    "put_away",
    "choose_days",
    "gate_trips",
    "positions",
    "windows",
    "gate_windows",
    "features",
    "gate_features",
    "publish_features",
)
SPARK_JOBS = {"clean", "positions", "windows", "features", "train"}
SOURCES = sorted((ROOT / "dags").glob("*.py"))


def test_the_dags_are_those_of_the_platform(dags: dict) -> None:
    assert set(dags) == {
        "traffic_nightly",
        "traffic_backfill",
        "model_retrain",
        "model_monitor",
        "stream_watchdog",
        "stream_archive",
        "housekeeping",
    }
    assert {path.stem for path in SOURCES} - NO_DAGS == set(dags), "`up` waits for a DAG by the name of its file"


def test_every_dag_says_what_it_is_and_when_it_gives_up(dags: dict) -> None:
    for name, dag in dags.items():
        assert dag.doc_md and "**When it fails**" in dag.doc_md, name
        assert dag.tags and dag.description and dag.dag_display_name, name
        assert dag.max_active_runs == 1 and dag.catchup is False, name
        assert dag.dagrun_timeout is not None, name
        assert dag.is_paused_upon_creation is False, name
        assert all(param.schema.get("title") for param in dag.params.values()), name
        dag.params.validate()


def test_every_task_has_an_owner_retries_with_backoff_and_a_timeout(dags: dict) -> None:
    for dag in dags.values():
        for task in dag.tasks:
            label = f"{dag.dag_id}.{task.task_id}"
            assert task.owner == "traffic", label
            assert task.retries == 2, label
            assert task.retry_exponential_backoff and task.max_retry_delay == timedelta(minutes=10), label
            assert timedelta(0) < task.execution_timeout <= dag.dagrun_timeout, label
            assert task.on_failure_callback, label


def test_the_first_retry_comes_after_half_a_minute_wherever_airflow_runs() -> None:
    name = "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY"
    environment = {**os.environ, **airflow_environment(Settings(_env_file=None))}
    code = "import sys; sys.path.insert(0, 'dags'); from housekeeping import dag; print(dag.tasks[0].retry_delay)"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, capture_output=True)
    assert said.stdout.decode().splitlines()[-1] == "0:00:30"
    assert f'{name}: "{environment[name]}"' in (ROOT / "docker-compose.yml").read_text()


@pytest.mark.parametrize(
    ("ends_by", "raised", "said"),
    [
        ("exit 3", AirflowFailException, "a rule is broken"),
        ("exit 1", AirflowException, "ended by exit code 1 before it had judged"),
        ("kill -KILL $$", AirflowException, "ended by signal 9 before it had judged"),
        ("kill -TERM $$", AirflowException, "ended by signal 15 before it had judged"),
        ("exit 99", AirflowSkipException, "99"),
    ],
)
def test_a_gate_is_tried_again_unless_a_rule_is_broken(
    dags: dict, ends_by: str, raised: type[AirflowException], said: str
) -> None:
    """Airflow tries again after any exception but those two: whether it is one of them is what counts."""
    gate = copy.copy(dags["traffic_nightly"].get_task("gate_trips"))
    gate.bash_command, gate.env = ends_by, {}
    with pytest.raises(AirflowException, match=said) as ended:
        gate.execute({})
    assert type(ended.value) is raised


def test_the_nightly_tasks_run_in_this_order(dags: dict) -> None:
    dag = dags["traffic_nightly"]
    assert {task.task_id for task in dag.tasks} == set(NIGHTLY)
    for before, after in pairwise(NIGHTLY):
        assert after in dag.get_task(before).downstream_task_ids, (before, after)


def test_what_the_publisher_has_is_fetched_before_the_inbox_is_looked_at(
    dags: dict, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Up to the month of the run in the city's time, by the function of the task itself."""
    import wiring

    with publisher() as site:
        site.files = {f"/2025-{month:02}.csv": b"trips" for month in (1, 2, 3)}
        said = {"download": f"{site.address}/{{year}}-{{month}}.csv", "home": tmp_path, "zones": "zones.shp"}
        monkeypatch.setattr(wiring, "SETTINGS", wiring.SETTINGS.model_copy(update=said))
        fetches = runpy.run_path(str(ROOT / "dags" / "traffic_nightly.py"))["dag"]
        first = fetches.get_task("download_new_files")
        assert first.downstream_task_ids == {"find_new_files"} and fetches.params["zones"] == "zones.shp"
        run = SimpleNamespace(run_after=datetime(2025, 3, 1, 2, tzinfo=UTC))
        first.python_callable({"dataset": "another"}, run)
        first.python_callable({"dataset": "city"}, run)
    nothing, *_, last = capsys.readouterr().out.splitlines()
    assert nothing.startswith("nothing is fetched")
    assert last == "fetched 2 files, 10 bytes", "it was still February in the city"
    assert len(list((tmp_path / "inbox" / "city").iterdir())) == 2


def test_archived_days_pass_the_gates_before_they_are_trained_on(dags: dict) -> None:
    dag = dags["stream_archive"]
    order = ("find_days", "archive", "windows", "gate_windows", "features", "gate_features", "publish_features")
    assert {task.task_id for task in dag.tasks} == set(order)
    for before, after in pairwise(order):
        assert after in dag.get_task(before).downstream_task_ids, (before, after)


def test_no_table_is_read_before_its_gate(dags: dict) -> None:
    dag = dags["traffic_nightly"]
    for reader, gate in (
        ("clean", "gate_raw"),
        ("positions", "gate_trips"),
        ("features", "gate_windows"),
        ("publish_features", "gate_features"),
    ):
        assert gate in dag.get_task(reader).get_flat_relative_ids(upstream=True)


def test_retraining_follows_from_gated_features_and_from_drift(dags: dict) -> None:
    outlets = [
        asset.name for task in dags["traffic_nightly"].tasks for asset in task.outlets if asset.name == "features"
    ]
    assert outlets == ["features"]
    retrain = dags["model_retrain"]
    assert [asset.name for asset in retrain.timetable.asset_condition.objects] == ["features", "drift"]
    order = ("choose_dataset", "train", "say_verdict", "announce")
    for before, after in pairwise(order):
        assert after in retrain.get_task(before).downstream_task_ids, (before, after)


def test_what_a_task_reads_and_makes_is_told_as_lineage(dags: dict) -> None:
    from dags.lineage import AssetLineage

    def told(dag: str, task_id: str) -> list[str]:
        task = dags[dag].get_task(task_id)
        assert task.task_type in AssetLineage.get_operator_classnames(), task_id
        found = AssetLineage(task).extract()
        return [f"{data.namespace}/{data.name}" for side in (found.inputs, found.outputs) for data in side]

    lake = "traffic://lake"
    assert told("traffic_nightly", "clean") == ["traffic://inbox/files", f"{lake}/trips"]
    assert told("traffic_nightly", "windows") == [f"{lake}/positions", f"{lake}/windows"]
    assert told("traffic_nightly", "publish_features") == [f"{lake}/windows", f"{lake}/features"]
    assert told("model_retrain", "train") == [f"{lake}/features", "traffic://registry/congestion"]
    assert told("model_monitor", "gate_predictions") == ["traffic://serving/predictions"]


def test_lineage_is_told_where_the_setting_says_and_nowhere_without_it() -> None:
    def environment(where: str) -> dict[str, str]:
        return lineage_environment(Settings(_env_file=None, openlineage=where))

    assert environment("") == {"AIRFLOW__OPENLINEAGE__DISABLED": "True"}
    address = environment("http://marquez:5000")
    assert json.loads(address["AIRFLOW__OPENLINEAGE__TRANSPORT"]) == {"type": "http", "url": "http://marquez:5000"}
    # The rest is as in the full deployment.
    compose = (ROOT / "docker-compose.yml").read_text()
    rest = {name: value for name, value in address.items() if not name.endswith("TRANSPORT")}
    assert all(
        re.search(f"{name}: ['\"]?{re.escape(value)}['\"]?$", compose, re.MULTILINE) for name, value in rest.items()
    )
    with pytest.raises(ValueError, match="openlineage"):
        environment("ftp://collector")


def test_a_person_has_the_last_word_where_the_settings_say_so(dags: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    import wiring

    assert "approve" not in dags["model_retrain"].task_ids
    monkeypatch.setattr(wiring, "SETTINGS", wiring.SETTINGS.model_copy(update={"promotion_approval": True}))
    asks = runpy.run_path(str(ROOT / "dags" / "model_retrain.py"))["dag"]
    for before, after in pairwise(("train", "say_verdict", "approve", "promote", "announce")):
        assert after in asks.get_task(before).downstream_task_ids, (before, after)
    approve = asks.get_task("approve")
    assert approve.response_timeout < asks.dagrun_timeout and approve.defaults == ["Reject"]
    assert approve.retries == 2, "a person would have answered for nothing"
    assert asks.get_task("choose_dataset").python_callable(asks.params.dump(), {})[-1] == "--hold"
    assert asks.get_task("promote").bash_command.endswith('model promote --reason "$WORD_0" "$ARGUMENT_0" --json')


def test_the_monitor_judges_forecasts_only_where_they_are_sound_and_does_one_thing(dags: dict) -> None:
    dag = dags["model_monitor"]
    assert dag.get_task("gate_predictions").downstream_task_ids == {"look"}
    decide = dag.get_task("decide")
    assert decide.downstream_task_ids == {"roll_back", "ask_for_training"}
    assert [asset.name for asset in dag.get_task("ask_for_training").outlets] == ["drift"]
    seen = {"version": "2", "live": None, "reasons": [], "roll_back": None, "retrain": None}
    choose = decide.python_callable
    assert choose(seen) is None
    assert choose({**seen, "retrain": "drifted"}) == "ask_for_training"
    assert choose({**seen, "retrain": "drifted", "roll_back": "worse"}) == "roll_back"


def test_a_backfill_is_cut_into_stretches_that_run_a_few_at_a_time(dags: dict) -> None:
    dag = dags["traffic_backfill"]
    order = ("choose_days", "gate_trips", "positions", "windows", "gate_windows", "features", "gate_features")
    for before, after in pairwise((*order, "publish_features")):
        assert after in dag.get_task(before).downstream_task_ids, (before, after)
    cut = dag.get_task("cut").python_callable
    days = {"dataset": "city", "from": "2025-02-27", "to": "2025-03-05"}
    assert [words[3::2] for words in cut(days, {"days_per_task": 3})] == [
        ["2025-02-27", "2025-03-01"],
        ["2025-03-02", "2025-03-04"],
        ["2025-03-05", "2025-03-05"],
    ]
    assert len(cut(days, {"days_per_task": 7})) == 1
    for name, at_once in (("positions", 2), ("windows", 2), ("features", 1)):
        task = dag.get_task(name)
        assert task.is_mapped and task.max_active_tis_per_dagrun == at_once
        assert task.partial_kwargs["redo"] == f"{{{{ '{name}' in params.redo }}}}"
        assert task.partial_kwargs["pool"] == "spark"


def test_a_backfill_makes_features_of_the_days_beside_its_own_too(
    dags: dict, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They rest on windows of the days that are made again: of a run before, they would be out of date."""
    import wiring

    monkeypatch.setattr(wiring, "SETTINGS", wiring.SETTINGS.model_copy(update={"home": tmp_path}))
    dag = runpy.run_path(str(ROOT / "dags" / "traffic_backfill.py"))["dag"]
    trips = Dataset.of(wiring.SETTINGS, "city").trips
    there = [{"date": date(2025, 2, day)} for day in range(20, 29)]
    trips.write(pa.Table.from_pylist(there, schema=trips.schema))
    days = {"dataset": "city", "from": "2025-02-22", "to": "2025-02-28"}
    wider = dag.get_task("cut_features").python_callable(days, {"days_per_task": 7})
    assert [words[3::2] for words in wider] == [["2025-02-21", "2025-02-27"], ["2025-02-28", "2025-02-28"]]
    assert dag.get_task("features").upstream_task_ids == {"cut_features", "gate_windows"}


def test_a_message_that_kafka_does_not_take_fails_its_task(dags: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the task's own operator, against a port where nobody listens."""
    extra = {"bootstrap.servers": f"127.0.0.1:{free_port()}", "message.timeout.ms": 500, "log_level": 0}
    monkeypatch.setenv("AIRFLOW_CONN_KAFKA_DEFAULT", json.dumps({"conn_type": "kafka", "extra": extra}))
    task = copy.copy(dags["model_retrain"].get_task("announce"))
    task.producer_function_kwargs = {"event": "promoted", "version": '"7"', "before": "null", "reason": '"better"'}
    with pytest.raises(RuntimeError, match="did not take the message for model_events"):
        task.execute({})


def test_a_promotion_is_told_as_the_message_says(dags: dict) -> None:
    import wiring

    ((key, said),) = wiring.model_event("rolled_back", '"1"', '"2"', '"live macro-F1 \\"low\\""')
    event = ModelEvent.model_validate_json(said)
    assert (key, event.version, event.before, event.reason) == (b"congestion", "1", "2", 'live macro-F1 "low"')


def test_spark_jobs_go_through_spark_submit_one_at_a_time(dags: dict) -> None:
    found = {}
    for dag in (dags["traffic_nightly"], dags["model_retrain"]):
        for task in dag.tasks:
            if isinstance(task, SparkSubmitOperator):
                found[task.task_id] = task
    assert set(found) == SPARK_JOBS
    for name, task in found.items():
        assert task._conn_id == "spark_default", name
        assert task.application == str(ROOT / "spark_jobs" / f"{name}.py"), name
        assert (ROOT / "spark_jobs" / f"{name}.py").is_file(), name
        assert (task.pool, task.pool_slots) == ("spark", 1), name


def test_java_runs_as_for_kernels_where_a_job_uses_nothing_of_sparks_sql(dags: dict) -> None:
    jobs = [task for dag in dags.values() for task in dag.tasks if isinstance(task, SparkSubmitOperator)]
    assert {task.task_id for task in jobs} == {*SPARK_JOBS, "archive"}
    for task in jobs:
        uses_sql = "pyspark.sql" in (ROOT / "spark_jobs" / f"{task.task_id}.py").read_text()
        assert task.kernels_only is not uses_sql, task.task_id


def test_the_nightly_run_is_at_two_in_the_city(dags: dict) -> None:
    timetable = dags["traffic_nightly"].timetable
    assert timetable.expression == "0 2 * * *"
    assert str(timetable.timezone) in ("America/New_York", "Timezone('America/New_York')")


def test_heavy_tasks_share_a_pool_of_one_and_light_ones_go_on_beside_them(dags: dict) -> None:
    heavy = {task.task_id for dag in dags.values() for task in dag.tasks if task.pool == "spark"}
    assert heavy == {*SPARK_JOBS, "archive", "tidy_lake"}, "merging files beside a job makes it begin again"
    assert {task.pool for dag in dags.values() for task in dag.tasks} == {"spark", "default_pool"}
    assert int(airflow_environment(Settings(_env_file=None))["AIRFLOW__CORE__PARALLELISM"]) > SPARK_SLOTS


def test_airflow_makes_the_pool_as_it_starts_and_leaves_the_size_that_a_person_gave_it(tmp_path: Path) -> None:
    """In a database of Airflow's own; scheduler, triggerer and DAG processor begin as a `Job` each."""
    environment = {**os.environ, **airflow_environment(Settings(_env_file=None, home=tmp_path))}
    (tmp_path / "airflow").mkdir()
    code = (
        "from airflow.jobs.job import Job; from airflow.models.pool import Pool; from airflow.utils.db import initdb; "
        "initdb(); Job(); made = Pool.get_pool('spark').slots; Pool.create_or_update_pool('spark', 4, '', False); "
        "Job(); print(made, Pool.get_pool('spark').slots)"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, capture_output=True)
    assert said.stdout.decode().splitlines()[-1] == f"{SPARK_SLOTS} 4"


@pytest.mark.parametrize(
    ("dag_id", "task_id", "context", "said"),
    [
        ("housekeeping", "tidy_lake", {}, "no data set yet"),
        ("stream_watchdog", "watch_stream", {"silent_minutes": 7, "lag_events": 5}, "Kafka does not answer"),
    ],
)
def test_the_commands_behind_the_upkeep_do_run(
    dags: dict, tmp_path: Path, dag_id: str, task_id: str, context: dict, said: str
) -> None:
    """The task's own shell line and variables, as Airflow would render them, on an empty home."""
    task = dags[dag_id].get_task(task_id)
    variables = {name: task.render_template(value, {"params": context}) for name, value in task.env.items()}
    home = {"TRAFFIC_HOME": str(tmp_path), "TRAFFIC_KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}"}
    answer = subprocess.run(
        ["bash", "-c", task.bash_command], cwd=task.cwd, env={**os.environ, **home, **variables}, capture_output=True
    )
    assert said in (answer.stdout + answer.stderr).decode()
    assert answer.returncode == (0 if dag_id == "housekeeping" else 1)


def test_limits_of_the_watchdog_reach_the_shell_as_variables_only(dags: dict) -> None:
    task = dags["stream_watchdog"].get_task("watch_stream")
    assert task.bash_command.endswith('watch --silent-minutes "$WORD_0" --lag-events "$WORD_1"')
    assert "{{" not in task.bash_command


def test_the_watchdog_waits_in_the_triggerer_for_an_event_that_was_not_there_before(dags: dict) -> None:
    task = dags["stream_watchdog"].get_task("events_come_in")
    assert task.topics == ["vehicle_positions"] and task.commit_offset is False
    task = copy.copy(task)
    task.minutes = task.render_template(task.minutes, {"params": {"silent_minutes": 0.5}})
    with pytest.raises(TaskDeferred) as deferred:
        task.execute({})
    assert deferred.value.timeout == timedelta(seconds=30)
    # It has waited long enough; a fault of the trigger is another matter.
    with pytest.raises(AirflowFailException, match="no event came into vehicle_positions within 0"):
        task.resume_execution(TRIGGER_FAIL_REPR, {"error": TriggerFailureReason.TRIGGER_TIMEOUT}, {})
    with pytest.raises(TaskDeferralError):
        task.resume_execution(TRIGGER_FAIL_REPR, {"error": TriggerFailureReason.TRIGGER_FAILURE}, {})
    assert isinstance(deferred.value.trigger, AwaitMessageTrigger)
    environment = airflow_environment(Settings(_env_file=None))
    watch = json.loads(environment[f"AIRFLOW_CONN_{task.kafka_config_id.upper()}"])
    assert watch["extra"]["auto.offset.reset"] == "latest"
    compose = re.search(r"AIRFLOW_CONN_KAFKA_WATCH: '(.*)'", (ROOT / "docker-compose.yml").read_text())
    assert json.loads(compose[1])["extra"] | {"bootstrap.servers": ""} == watch["extra"] | {"bootstrap.servers": ""}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_dags_import_only_airflow_and_the_core(source) -> None:
    allowed = {"airflow", "smartcity", "pendulum", "wiring", "operators", "openlineage", *sys.stdlib_module_names}
    for node in ast.walk(ast.parse(source.read_text())):
        names = [node.module] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            assert name.split(".")[0] in allowed, name


def test_parsing_a_dag_loads_neither_spark_nor_mlflow() -> None:
    code = (
        "import sys; sys.path.insert(0, 'dags'); import traffic_nightly, traffic_backfill, model_retrain; "
        "import model_monitor, stream_watchdog, housekeeping; "
        "heavy = {'pyspark', 'mlflow', 'great_expectations'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, timeout=120)
